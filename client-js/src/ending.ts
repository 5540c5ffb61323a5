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
import type { Environment, Screen } from "./environment.ts";
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

/**
 * Calls a function of the app, which may be missing, and may throw, and fires the event of that name.
 *
 * @returns whether somebody prevented what would come next
 */
export type Tell = <Value>(name: string, callback: ((value: Value) => void) | undefined, value: Value) => boolean;

export interface Ending {
  run(): Promise<void>;
  /** Something was heard of the newest login of this browser, or may have been missed. */
  look(): void;
  /** The ended page was taken out of the back-forward cache. */
  restored(): void;
  /** The page is its owner's again: nothing more is shown, and nobody leaves. A logout that is on its way arrives. */
  stop(): void;
}

/**
 * @param mine the login that has ended
 */
export function createEnding(
  { clock, locks, page, post, session: ofTab }: Environment,
  options: SessionGuardOptions,
  space: string,
  latch: Latch,
  newest: Newest,
  screen: Screen,
  raise: (code: string, cause?: unknown) => void,
  tell: Tell,
  end: SessionEnd,
  source: EndSource,
  mine: Login,
): Ending {
  const { session, reason } = end;
  const byNavigation = options.logout?.method === "GET";
  let settled = false;
  let told = false;
  let away: string | null = null;
  let stopped = false;
  let heard = (): void => undefined;
  /** The page was to be left: if it is there all the same, it says so. */
  let stayed = heard;

  const superseded = (): boolean => {
    const login = newest.read(mine.room);
    return !!login && isNewer(login, mine) && !latch.read(login.session);
  };

  const newerWithin = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel = clock.after(ms, resolve);
      heard = () => {
        if (!superseded()) return;
        cancel();
        resolve();
      };
      heard();
    });

  /** Loops are stopped by this tab's storage, and without one by what else gives a loop away. */
  const once = (what: string, looksLikeLoop: boolean): boolean => {
    const key = `${space}/${what}/${session}`;
    return ofTab.get(key) === null && (ofTab.set(key, 1) || !looksLikeLoop);
  };

  const target = (url: string | null | undefined): string | null => {
    const safe = url ? safeTarget(url, page.base) : null;
    if (url && !safe) raise("bad-redirect", url);
    return safe;
  };

  const hide = (): void => {
    if (!stopped) screen.cover("checking");
  };

  const notice = (): void => {
    if (stopped || told) return;
    told = true;
    screen.ended(end, target(options.loginUrl) ?? away);
  };

  const leave = (go: (url: string) => void, url = ""): void => {
    if (stopped) return;
    hide();
    stayed = notice;
    clock.after(STILL_HERE, notice);
    go(url);
  };

  let again = (): void => {
    again = () => undefined;
    if (page.canLoadAgain() && once("reloaded", page.wasLoadedAgain())) leave(page.loadAgain);
    // The app is not told of such an end, so nobody else could explain it.
    else notice();
  };

  const save = async (): Promise<void> => {
    const { beforeForcedLogout } = options;
    if (!beforeForcedLogout) return;
    const deadline = clock.now() + SAVE_LIMIT;
    try {
      await Promise.race([beforeForcedLogout(end, { deadline }), sleep(clock, SAVE_LIMIT)]);
    } catch (cause) {
      raise("callback", cause);
    }
  };

  /** Runs `call` in exactly one tab of this browser; the others wait until it is done. @returns whether it was this one */
  const inOneTab = async (call?: () => Promise<void>): Promise<boolean> => {
    let ours = false;
    const work = async (): Promise<void> => {
      if (superseded() || !latch.takeLogout(session)) return;
      ours = true;
      try {
        await call?.();
      } catch (cause) {
        latch.releaseLogout(session);
        throw cause;
      }
    };
    // Whatever fails here, the end goes on.
    await locks.exclusive(`${space}/logout/${session}`, LOGOUT_LIMIT, work).catch((cause: unknown) => {
      raise("logout-failed", cause);
    });
    return ours;
  };

  const run = async (): Promise<void> => {
    away = target(end.redirect ?? options.redirect);
    // Whose user asked for the end, and what has just been loaded, has nothing to save.
    if (source !== "self" && source !== "latch") await save();
    if (reason === "replaced") {
      hide();
      await newerWithin(REPLACED_DELAY);
      again();
      return;
    }
    const logoutUrl = target(options.logoutUrl);
    if (!superseded()) {
      // Who has asked for the end and is about to leave needs no explanation on the way.
      if (source === "self" && (away ?? (byNavigation && logoutUrl))) hide();
      else if (!isOff(options.notice)) notice();
      if (logoutUrl) {
        // The app cannot tell the sessions of open mode apart: leave its cookie alone if it is a new one.
        if (options.room !== undefined && source !== "self") await newerWithin(OPEN_DELAY);
        if (!byNavigation) {
          await inOneTab(async () => {
            const status = await post(logoutUrl, { ...options.logout?.headers, "X-Enforcer-Session": session }, { session, reason });
            if (status >= 400) raise("logout-failed", status);
          });
        }
      }
    }
    newest.forget(mine);
    if (superseded()) {
      again();
      return;
    }
    if (tell("expired", options.onSessionExpired, end)) {
      screen.clear();
      return;
    }
    settled = true;
    if (logoutUrl && byNavigation && (await inOneTab())) {
      const url = new URL(logoutUrl);
      url.searchParams.set("session", session);
      url.searchParams.set("reason", reason);
      leave(page.go, url.href);
    } else if (away && once("left", page.isHere(away))) leave(page.go, away);
    else if (isOff(options.notice)) screen.clear();
    else notice();
  };

  return {
    run,
    look() {
      heard();
      if (settled && superseded()) again();
    },
    restored() {
      stayed();
    },
    stop() {
      stopped = true;
    },
  };
}
