/** A running guard: feeds the machine with what happens, and carries out what it decides. From `start()` to `stop()`. */

import { createActivity } from "./activity.ts";
import { createAsking } from "./asking.ts";
import { isOff } from "./attributes.ts";
import { safeTarget, serverRoot, socketAddress } from "./address.ts";
import { EVENT_ACTIVITY, EVENT_LOGOUT, EVENT_SESSION } from "./codes.ts";
import { CLOCK_SLACK, concerns, coverOf, INITIAL, nextTick, NOTHING_YET, promptOf, running, step, view, type Cover, type Effect, type EndSource, type Input } from "./core/machine.ts";
import { endOf, isEnd, isSession } from "./core/wire.ts";
import { openSession } from "./credentials/open-session.ts";
import { createEnding, type Ending } from "./ending.ts";
import type { Environment, Wake } from "./environment.ts";
import { createLatch } from "./latch.ts";
import { createNewest, type Login } from "./newest.ts";
import { obtain, readTicket, type Final } from "./ticket.ts";
import type { Credentials } from "./transport/link.ts";
import { keepInReach } from "./transport/reach.ts";
import { SessionGuardError, type SessionEnd, type SessionGuard, type SessionGuardOptions, type SessionState } from "./types.ts";

export type Run = Omit<SessionGuard, "getState" | "subscribe">;

/**
 * @param listeners told of every new state
 * @throws SessionGuardError `bad-url`
 */
export function createRun(options: SessionGuardOptions, env: Environment, listeners: ReadonlySet<(state: SessionState) => void>): Run {
  const { clock, page, screen } = env;
  const { watchHttp } = options;
  const server = safeTarget(options.url ?? "/", page.base);
  if (!server) throw new SessionGuardError("bad-url", `bad-url: ${String(options.url)}`);
  const address = socketAddress(server, options.path ?? "socket.io/");
  const space = `session-guard/${options.scope ?? ""}/${address}`;
  const latch = createLatch(space, env.local);
  const newest = createNewest(space, env.local);

  let state = INITIAL;
  let shown = NOTHING_YET;
  let credentials: Credentials = { ticket: "" };
  /** This page's login, as far as it is known: see `Login`. */
  let held = { epoch: 0, at: 0 };
  let forget = (): void => undefined;
  let cover: Cover = "off";
  let announced = "";
  let tickAt = Infinity;
  let pingedAt = 0;
  let cancelTick = (): void => undefined;
  let ending: Ending | null = null;
  const queue: Input[] = [];
  let stepping = false;

  const isRunning = (): boolean => running(state.phase);

  const report = (code: string, cause?: unknown): void => {
    try {
      if (options.onError) options.onError(new SessionGuardError(code, "", { cause }));
      else console.warn("session-guard:", code, cause ?? "");
    } catch (failure) {
      console.error(failure);
    }
    page.emit("error", { code, cause });
  };

  /** An app's callback must not break the guard, least of all in the middle of an end. */
  const safely = <Value>(callback: ((value: Value) => void) | undefined, value: Value): void => {
    try {
      callback?.(value);
    } catch (cause) {
      report("callback", cause);
    }
  };

  /** Inputs are taken one after the other, also those that an effect of an earlier one brings. */
  const dispatch = (input: Input): void => {
    queue.push(input);
    if (stepping) return;
    stepping = true;
    for (let next = queue.shift(); next; next = queue.shift()) {
      const at = clock.now();
      const before = state;
      const [after, effects] = step(state, next, at);
      state = after;
      const how = coverOf(state, at);
      // What an ended page shows is not decided here.
      if (!before.end && how !== cover) {
        cover = how;
        // Without the notice the app speaks for itself, and must be seen to do so.
        screen.cover(how !== "checking" && isOff(options.notice) ? "off" : how);
      }
      effects.forEach(perform);
      // What came together is told together.
      const now = queue.length ? shown : view(state, shown);
      if (now !== shown) {
        shown = now;
        for (const listener of [...listeners]) safely(listener, now);
        safely(options.onStateChange, now);
        page.emit("state", now);
        if (!isOff(options.warn)) screen.prompt(promptOf(state, clock.now()), { stay: extend, leave: () => logout() });
      }
    }
    stepping = false;
    plan();
  };

  const tick = (): void => {
    dispatch({ type: "tick" });
  };

  /** A timer that is early enough stays: setting one anew wakes the worker as well. */
  const plan = (): void => {
    const now = clock.now();
    const at = nextTick(state, now);
    if (at >= tickAt && at < Infinity) return;
    cancelTick();
    tickAt = at;
    if (at < Infinity) {
      cancelTick = clock.after(at - now, () => {
        tickAt = Infinity;
        tick();
      });
    }
  };

  const perform = (effect: Effect): void => {
    switch (effect.type) {
      case "connect":
        void getCredentials();
        break;
      case "halt":
        disconnect();
        asking.settle(new SessionGuardError("stopped"));
        // One that gave up has its deadline still before it.
        if (!state.gaveUp) leave();
        if (effect.code) report(effect.code);
        break;
      case "check":
        // What has not been reported yet may be the answer.
        activity.flush();
        check().catch(() => {
          dispatch({ type: "check-failed" });
        });
        break;
      case "renew":
        if (typeof options.ticket === "function") void getCredentials();
        else dispatch({ type: "stop", gaveUp: true, code: effect.code });
        break;
      case "warn":
        safely(options.onWarning, effect.warning);
        page.emit("warning", effect.warning);
        break;
      case "end": {
        const { end, source } = effect;
        const { room, session } = end;
        latch.close(end);
        if (source !== "latch") tabs.publish({ room, session, end });
        asking.settle();
        disconnect(true);
        const mine = { room, session, at: held.at, epoch: state.epoch || held.epoch };
        ending = createEnding(env, options, space, latch, newest, report, safely, end, source, mine, forget);
        void ending.run();
      }
    }
  };

  const disconnect = (linger?: boolean): void => {
    activity.stop();
    connection.close(linger);
  };

  /** An ended page still listens, for a newer login, until now. */
  const leave = (): void => {
    cancelTick();
    asking.stop();
    ending?.stop();
    env.close();
    tabs.close();
    screen.clear();
  };

  const ended = (end: SessionEnd, source: EndSource): void => {
    dispatch({ type: "ended", end, source });
  };

  const endHere = (reason: string, source: EndSource): void => {
    ended(endOf(state.session, state.room, reason, clock.now()), source);
  };

  const noTicket = (cause: unknown, failures: number): void => {
    // The app has no session for a page that had one.
    if ((cause as Final | null)?.ended && state.session !== null) endHere("lost", "app");
    if (!isRunning()) return;
    if (!failures) report("ticket-unavailable", cause);
    unreachable("no ticket");
  };

  const getCredentials = async (): Promise<void> => {
    const { ticket: source, room } = options;
    if (room !== undefined) {
      openRoom(room);
      return;
    }
    const ticket = typeof source === "function" ? await obtain(source, clock, env.random, isRunning, noTicket) : source;
    if (!isRunning()) return;
    if (ticket === null) dispatch({ type: "stop", gaveUp: true });
    else if (!ticket) dispatch({ type: "stop", gaveUp: true, code: "ticket-required" });
    else {
      credentials = { ticket };
      const claims = readTicket(ticket);
      if (claims && state.room !== null && claims.room !== state.room) {
        // Somebody else has logged in in this browser: the page is not theirs to see.
        endHere("replaced", "app");
        return;
      }
      if (claims) {
        held = { epoch: claims.epoch, at: 0 };
        dispatch({ type: "identity", session: claims.session, room: claims.room });
        const end = latch.read(claims.session);
        if (end) {
          ended(end, "latch");
          return;
        }
      }
      connection.connect();
    }
  };

  /** Open mode: the browser itself knows who it is. */
  const openRoom = (room: string): void => {
    // Back at the first page after a log-in, or that page once more, is not another log-in.
    const fresh = options.freshLogin === true && !page.cameBack();
    const opened = openSession(space, env.local, latch, room, fresh, clock.now(), env.newId);
    const { login } = opened;
    ({ forget } = opened);
    held = login;
    credentials = { room, session: login.session };
    dispatch({ type: "identity", room, session: login.session });
    // Said before the server knows of it: a kick of this browser's older id may land any moment.
    announce(login);
    connection.connect();
  };

  /** The server said that the session is live: the `session` event, or an ack. */
  const answered = (payload: unknown): void => {
    if (!isSession(payload) || !concerns(state, payload) || !isRunning()) return;
    const { room, session, epoch, ticket } = payload;
    if (ticket && "ticket" in credentials) credentials = { ticket };
    const known = newest.read(room);
    held = { epoch, at: (known?.session === session && known.at) || held.at || clock.now() };
    dispatch({ type: "session", payload });
    const login = session + String(epoch);
    if (announced !== login) announce({ room, session, ...held });
    announced = login;
    asking.settle();
  };

  const announce = (login: Login): void => {
    if (newest.offer(login)) tabs.publish(login);
  };

  const unreachable = (why: string): void => {
    dispatch({ type: "unreachable" });
    asking.settle(new SessionGuardError("unreachable", why));
  };

  /** @throws SessionGuardError also `stopped` */
  const request = async (name: string, payload?: () => unknown): Promise<void> => {
    if (!isRunning()) throw new SessionGuardError(state.end ? "ended" : "stopped");
    await asking.request(name, payload);
  };

  const check = async (): Promise<SessionState> => {
    if (!state.end) await asking.check();
    return shown;
  };

  const extend = async (): Promise<SessionState> => {
    await request(EVENT_ACTIVITY, () => ({ idle_for_ms: 0 }));
    if (state.end) throw new SessionGuardError("ended");
    return shown;
  };

  const logout = async ({ everywhere = false } = {}): Promise<void> => {
    await request(EVENT_LOGOUT, () => ({ everywhere }));
    endHere("logout", "self");
  };

  const woke = (how: Wake): void => {
    // First of all: nobody sees what is in doubt.
    if (how !== "awake") dispatch({ type: how });
    if (how === "stored") return;
    // News does not reach a frozen page; what another tab has stored is still there.
    const end = state.session && latch.read(state.session);
    if (state.end) {
      ending?.look();
      if (how === "restored") ending?.restored();
    } else if (end) {
      ended(end, "tab");
    } else {
      connection.wake();
      tick();
      if (isRunning()) asking.checkSoon();
    }
  };

  const own = env.openLink(address);
  const connection = keepInReach(options.socket?.(address, own) ?? own, env.openPoll(serverRoot(server)), () => credentials, clock, env.random, {
    joined(live) {
      dispatch({ type: "joined", live });
      activity.flush();
    },
    // An idle page is woken by this and hardly anything else, so it costs next to nothing.
    pinged() {
      const now = clock.now();
      const setBack = now < pingedAt - CLOCK_SLACK;
      pingedAt = now;
      if (setBack) asking.checkQuietly();
      else if (now >= tickAt) tick();
    },
    message(name, payload, ack) {
      if (name === EVENT_SESSION) answered(payload);
      else if (isEnd(payload) && concerns(state, payload)) {
        latch.close(payload);
        ack?.();
        ended(payload, "server");
      }
    },
    dropped() {
      dispatch({ type: "dropped" });
    },
    unreachable,
    refused(code, data) {
      dispatch({ type: "refused", code, data });
    },
  });
  const asking = createAsking(clock, connection, () => state.reached, answered);
  const activity = createActivity(
    clock,
    (idleForMs) => {
      if (state.reached) request(EVENT_ACTIVITY, () => ({ idle_for_ms: idleForMs() })).catch(() => undefined);
      return state.reached;
    },
    (activeAt, reported) => {
      const { room, session } = state;
      if (room !== null && session !== null) tabs.publish({ room, session, activeAt, reported });
    },
  );
  const reportActivity = (): void => {
    if (isRunning()) activity.human();
  };
  /**
   * While the warning asks, its buttons are the answer: a hand that brushes the mouse has not read it. What is written into
   * the page all the same is one, too.
   */
  const sawInput = (written: boolean): void => {
    if (written || !screen.asking()) reportActivity();
  };
  const tabs = env.openTabs(space, (message) => {
    if ("end" in message) {
      if (state.session && concerns(state, message)) ended(message.end, "tab");
      return;
    }
    if ("activeAt" in message) {
      if (message.session !== state.session || !isRunning()) return;
      activity.heard(message.activeAt, message.reported);
      // The user has answered elsewhere.
      if (state.phase === "prompted") asking.checkQuietly();
      return;
    }
    if (message.room !== state.room) return;
    newest.offer(message);
    ending?.look();
    // A newer login of the user in this browser: this page's session has very likely just ended.
    if (message.session !== state.session && isRunning()) asking.checkSoon();
  });
  page.onWake(woke);
  if (!isOff(options.activity)) page.onInput(sawInput, options.activity === "media");
  if (watchHttp && !isOff(watchHttp)) env.watchHttp(watchHttp, asking.checkSoon);

  return {
    start() {
      dispatch({ type: "start", doubted: page.viaHistory() });
    },
    stop() {
      if (isRunning()) dispatch({ type: "stop" });
      else leave();
    },
    check,
    extend,
    reportActivity,
    logout,
  };
}
