/**
 * What happens on this page once its session has ended. The latch is stored and the server has its ack before this
 * begins; it runs once.
 *
 *     beforeForcedLogout → the page is covered → logoutUrl (one tab) → onSessionExpired and event → leave or stay
 *
 * The app may take its time over the logout. Whoever sits in front of the screen is told at once; only what leaves the
 * page waits, because the page that comes next must not find the old cookie.
 *
 * Leaving is a wish: the user may be asked and stay, the answer may be a download or nothing at all, the way may lead
 * back. So the page is covered before it leaves, and says why if it is still there afterwards.
 *
 * Two ends are silent, because this browser's user is logged in again: `replaced`, and any end that finds a newer
 * session of the room in this browser. Such a page is loaded again, once, and the app is never told to log out.
 */

import { safeTarget } from "./address.ts";
import { isOff } from "./attributes.ts";
import { sleep } from "./clock.ts";
import type { EndSource } from "./core/machine.ts";
import type { Environment } from "./environment.ts";
import type { Latch } from "./latch.ts";
import { isNewer, type Login, type Newest } from "./newest.ts";
import type { SessionEnd, SessionGuardOptions } from "./types.ts";

/** Milliseconds for `beforeForcedLogout`. */
export const SAVE_LIMIT = 5_000;
/** Open mode: ms that a kick waits for this browser's own newer page before the app is told to log out. */
export const OPEN_DELAY = 1_500;
/** `replaced`: ms that the page waits for the newer one, whose cookie is still on its way. */
export const REPLACED_DELAY = 1_000;
/** Milliseconds that a tab waits for another one's logout call. */
export const LOGOUT_LIMIT = 6_000;
/** Milliseconds after which a page that was to be left, and is still there, says why it is covered. */
export const STILL_HERE = 2_000;

export interface Ending {
  /** @param forget lets go of what open mode keeps of the session */
  run(end: SessionEnd, source: EndSource, mine: Login, forget: () => void): Promise<void>;
  /** Something was heard of the newest login of this browser, or may have been missed. */
  look(): void;
  /** The ended page was taken out of the back-forward cache. */
  restored(): void;
  /** The page is its owner's again: nothing more is shown, and nobody leaves. A logout that is on its way arrives. */
  stop(): void;
}

/** @param safely calls a function of the app, which may be missing, and may throw */
export function createEnding(
  env: Environment,
  options: SessionGuardOptions,
  space: string,
  latch: Latch,
  newest: Newest,
  report: (code: string, cause?: unknown) => void,
  safely: <Value>(callback: ((value: Value) => void) | undefined, value: Value) => void,
): Ending {
  const { page, screen } = env;
  const byNavigation = options.logout?.method === "GET";
  let heldBy: Login | null = null;
  let settled = false;
  let kept = false;
  let told = false;
  let stopped = false;
  let away: string | null = null;
  let heard = (): void => undefined;
  let again = heard;
  /** The page was to be left: if it is there all the same, it says so. */
  let stayed: (() => void) | null = null;

  const superseded = (): boolean => {
    const login = heldBy && newest.read(heldBy.room);
    return !!heldBy && !!login && isNewer(login, heldBy) && !latch.read(login.session);
  };

  const newerWithin = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel = env.clock.after(ms, resolve);
      heard = () => {
        if (!superseded()) return;
        cancel();
        resolve();
      };
      heard();
    });

  /** Loops are stopped by this tab's storage, and without one by what else gives a loop away. */
  const once = (what: string, session: string, looksLikeLoop: boolean): boolean => {
    const key = `${space}/${what}/${session}`;
    return env.session.get(key) === null && (env.session.set(key, "1") || !looksLikeLoop);
  };

  const target = (url: string | null | undefined): string | null => {
    const safe = url ? safeTarget(url, page.base) : null;
    if (url && !safe) report("bad-redirect", url);
    return safe;
  };

  const hide = (): void => {
    if (!stopped) screen.cover("checking");
  };

  const notice = (end: SessionEnd): void => {
    if (stopped || told) return;
    told = true;
    screen.ended(end, target(options.loginUrl) ?? away);
  };

  const leave = (end: SessionEnd, go: () => void): void => {
    if (stopped) return;
    hide();
    stayed = () => {
      notice(end);
    };
    env.clock.after(STILL_HERE, stayed);
    go();
  };

  const loadAgain = (end: SessionEnd): void => {
    settled = true;
    again = () => undefined;
    if (page.canLoadAgain() && once("reloaded", end.session, page.wasLoadedAgain())) leave(end, page.loadAgain);
    // The app is not told of such an end, so nobody else could explain it.
    else notice(end);
  };

  const save = async (end: SessionEnd): Promise<void> => {
    const { beforeForcedLogout } = options;
    if (!beforeForcedLogout) return;
    const deadline = env.clock.now() + SAVE_LIMIT;
    try {
      await Promise.race([beforeForcedLogout(end, { deadline }), sleep(env.clock, SAVE_LIMIT)]);
    } catch (cause) {
      report("callback", cause);
    }
  };

  /** Runs `call` in exactly one tab of this browser; the others wait until it is done. @returns whether it was this one */
  const inOneTab = async (end: SessionEnd, call: () => Promise<void>): Promise<boolean> => {
    const outcome = { mine: false };
    const work = async (): Promise<void> => {
      if (superseded() || !latch.takeLogout(end.session)) return;
      outcome.mine = true;
      try {
        await call();
      } catch (cause) {
        latch.releaseLogout(end.session);
        throw cause;
      }
    };
    // Whatever fails here, the end goes on.
    await env.locks.exclusive(`${space}/logout/${end.session}`, LOGOUT_LIMIT, work).catch((cause: unknown) => {
      report("logout-failed", cause);
    });
    return outcome.mine;
  };

  const logOut = async (end: SessionEnd, url: string): Promise<void> => {
    await inOneTab(end, async () => {
      const headers = { ...options.logout?.headers, "X-Enforcer-Session": end.session };
      const status = await env.post(url, headers, { session: end.session, reason: end.reason });
      if (status >= 400) report("logout-failed", status);
    });
  };

  const finish = async (end: SessionEnd, logoutUrl: string | null): Promise<void> => {
    settled = true;
    if (logoutUrl !== null && byNavigation && (await inOneTab(end, () => Promise.resolve()))) {
      const url = new URL(logoutUrl);
      url.searchParams.set("session", end.session);
      url.searchParams.set("reason", end.reason);
      leave(end, () => {
        page.go(url.href);
      });
      return;
    }
    const to = away;
    if (to !== null && once("left", end.session, page.isHere(to))) {
      leave(end, () => {
        page.go(to);
      });
    } else if (isOff(options.notice)) screen.clear();
    else notice(end);
  };

  return {
    async run(end, source, mine, forget) {
      heldBy = mine;
      again = () => {
        loadAgain(end);
      };
      away = target(end.redirect ?? options.redirect);
      // Whose user asked for the end, and what has just been loaded, has nothing to save.
      if (source !== "self" && source !== "latch") await save(end);
      if (end.reason === "replaced") {
        hide();
        await newerWithin(REPLACED_DELAY);
        again();
        return;
      }
      const logoutUrl = target(options.logoutUrl);
      const open = options.room !== undefined;
      if (!superseded()) {
        // Who has asked for the end and is about to leave needs no explanation on the way.
        if (source === "self" && (away ?? (byNavigation && logoutUrl))) hide();
        else if (!isOff(options.notice)) notice(end);
        if (logoutUrl !== null) {
          // The app cannot tell the sessions of open mode apart: leave its cookie alone if it is a new one.
          if (open && source !== "self") await newerWithin(OPEN_DELAY);
          if (!byNavigation) await logOut(end, logoutUrl);
        }
      }
      forget();
      if (superseded()) {
        again();
        return;
      }
      safely(options.onSessionExpired, end);
      kept = page.emit("expired", end, true);
      if (kept) screen.clear();
      else await finish(end, logoutUrl);
    },
    look() {
      heard();
      if (settled && !kept && superseded()) again();
    },
    restored() {
      stayed?.();
    },
    stop() {
      stopped = true;
    },
  };
}
