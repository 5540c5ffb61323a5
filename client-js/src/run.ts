/** A running guard: feeds the machine with what happens, and carries out what it decides. From `start()` to `stop()`. */

import { createActivity } from "./activity.ts";
import { createAsking } from "./asking.ts";
import { isOff } from "./attributes.ts";
import { safeTarget, serverRoot, socketAddress } from "./address.ts";
import { EVENT_ACTIVITY, EVENT_LOGOUT, EVENT_SESSION, UNREACHABLE } from "./codes.ts";
import { concerns, coverOf, INITIAL, nextTick, NOTHING_YET, promptOf, running, step, view, type Effect, type EndSource, type Input } from "./core/machine.ts";
import { endOf, isEnd, isSession, isText, type Members } from "./core/wire.ts";
import { openSession } from "./credentials/open-session.ts";
import { createEnding, type Ending, type Tell } from "./ending.ts";
import type { Environment, Wake } from "./environment.ts";
import { createLatch } from "./latch.ts";
import { createNewest, type Login } from "./newest.ts";
import { obtain, readTicket, type Final } from "./ticket.ts";
import type { Credentials } from "./transport/link.ts";
import { keepInReach } from "./transport/reach.ts";
import { SessionGuardError, type SessionEnd, type SessionGuard, type SessionGuardOptions, type SessionState } from "./types.ts";

export interface Run extends Omit<SessionGuard, "subscribe" | "report" | "devices"> {
  /**
   * Asks the server for what no event of the socket is for; also when the session has ended.
   *
   * @param name of the path below `/session/`
   * @param body of a `POST`; without one it is a `GET`
   * @param ticket default: the page's own
   * @throws SessionGuardError `unreachable`, or the server's code
   */
  call(name: string, body?: unknown, ticket?: string): Promise<unknown>;
}

/**
 * @param listeners told of every new state
 * @throws SessionGuardError `bad-url`
 */
export function createRun(options: SessionGuardOptions, env: Environment, listeners: ReadonlySet<(state: SessionState) => void>): Run {
  const { clock, page } = env;
  const { watchHttp } = options;
  const server = safeTarget(options.url ?? "/", page.base);
  if (!server) throw new SessionGuardError("bad-url", `bad-url: ${String(options.url)}`);
  const root = serverRoot(server);
  const address = socketAddress(server, options.path ?? "socket.io/");
  const space = `session-guard/${options.scope ?? ""}/${address}`;
  const latch = createLatch(space, env.local);
  const newest = createNewest(space, env.local);

  let state = INITIAL;
  let shown = NOTHING_YET;
  let credentials: Credentials = { ticket: "" };
  /** This page's login, as far as it is known: see `Login`. */
  let held = { epoch: 0, at: 0 };
  let cancelTick = (): void => undefined;
  let ending: Ending | null = null;
  /** What is under way comes first. */
  const queue: Input[] = [];

  const isRunning = (): boolean => running(state.phase);

  const raise = (code: string, cause?: unknown): void => {
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
      raise("callback", cause);
    }
  };

  const tell: Tell = (name, callback, value) => {
    safely(callback, value);
    return page.emit(name, value);
  };

  /** Inputs are taken one after the other, also those that an effect of an earlier one brings. */
  const dispatch = <Type extends Input["type"]>(type: Type, more?: Omit<Extract<Input, { type: Type }>, "type">): void => {
    if (queue.push({ type, ...more } as Input) > 1) return;
    for (let next; (next = queue[0]); queue.shift()) {
      const at = clock.now();
      const before = state;
      const [after, effects] = step(state, next, at);
      state = after;
      const how = coverOf(state, at);
      // What an ended page shows is not decided here. And without the notice the app speaks for itself, and must be seen to do so.
      if (!before.end) screen.cover(how !== "checking" && isOff(options.notice) ? "off" : how);
      effects.forEach(perform);
      // What came together is told together.
      const now = queue.length > 1 ? shown : view(state, shown);
      if (now !== shown) {
        shown = now;
        for (const listener of [...listeners]) safely(listener, now);
        tell("state", options.onStateChange, now);
        if (!isOff(options.warn)) screen.prompt(promptOf(state, clock.now()));
      }
    }
    plan();
  };

  const tick = (): void => {
    dispatch("tick");
  };

  const plan = (): void => {
    const now = clock.now();
    const at = nextTick(state, now);
    cancelTick();
    if (at < Infinity) cancelTick = clock.after(at - now, tick);
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
        if (effect.code) raise(effect.code);
        break;
      case "check":
        // What has not been reported yet may be the answer.
        activity.flush();
        check().catch(() => {
          dispatch("check-failed");
        });
        break;
      case "renew":
        if (typeof options.ticket === "function") void getCredentials();
        else dispatch("stop", { gaveUp: true, code: effect.code });
        break;
      case "warn":
        tell("warning", options.onWarning, effect.warning);
        break;
      case "end": {
        const { end, source } = effect;
        const { room, session } = end;
        latch.close(end);
        if (source !== "latch") tabs?.postMessage({ room, session, end });
        asking.settle();
        disconnect(true);
        const mine = { room, session, at: held.at, epoch: state.epoch || held.epoch };
        ending = createEnding(env, options, space, latch, newest, screen, raise, tell, end, source, mine);
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
    tabs?.close();
    screen.clear();
  };

  const ended = (end: SessionEnd, source: EndSource): void => {
    dispatch("ended", { end, source });
  };

  const endHere = (reason: string, source: EndSource): void => {
    ended(endOf(state.session, state.room, reason, clock.now()), source);
  };

  const noTicket = (cause: unknown, failures: number): void => {
    // The app has no session for a page that had one.
    if ((cause as Final | null)?.ended && state.session !== null) endHere("lost", "app");
    if (!isRunning()) return;
    if (!failures) raise("ticket-unavailable", cause);
    unreachable();
  };

  const getCredentials = async (): Promise<void> => {
    const { ticket: source, room } = options;
    let login: Login | null;
    if (room !== undefined) {
      // Open mode: the browser itself knows who it is. Back at the first page after a log-in, or that page once more, is not another log-in.
      const fresh = options.freshLogin === true && !/reload|back/.test(page.how);
      login = openSession(newest, latch, room, fresh, clock.now(), env.newId);
      credentials = { room, session: login.session };
    } else {
      const ticket = typeof source === "function" ? await obtain(source, clock, env.random, isRunning, noTicket) : source;
      if (!isRunning()) return;
      if (!ticket) {
        dispatch("stop", { gaveUp: true, code: ticket === null ? undefined : "ticket-required" });
        return;
      }
      credentials = { ticket };
      login = readTicket(ticket);
      if (login && state.room !== null && login.room !== state.room) {
        // Somebody else has logged in in this browser: the page is not theirs to see.
        endHere("replaced", "app");
        return;
      }
    }
    if (login) {
      held = login;
      dispatch("identity", { login });
      // Said before the server knows of it: a kick of this browser's older id may land any moment.
      if (room !== undefined) announce(login);
      const end = latch.read(login.session);
      if (end) {
        ended(end, "latch");
        return;
      }
    }
    connection.connect();
  };

  /** The server said that the session is live: the `session` event, or an ack. */
  const answered = (payload: unknown): void => {
    if (!isSession(payload) || !concerns(state, payload) || !isRunning()) return;
    const { room, session, epoch, ticket } = payload;
    if (ticket && "ticket" in credentials) credentials = { ticket };
    const known = newest.read(room);
    const was = held;
    held = { epoch, at: (known?.session === session && known.at) || was.at || clock.now() };
    dispatch("session", { payload });
    if (!was.at || was.epoch !== epoch) announce({ room, session, ...held });
    asking.settle();
  };

  const announce = (login: Login): void => {
    if (newest.offer(login)) tabs?.postMessage(login);
  };

  const unreachable = (): void => {
    dispatch("unreachable");
    asking.settle(new SessionGuardError(UNREACHABLE));
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

  const call: Run["call"] = async (name, body, ticket = "ticket" in credentials ? credentials.ticket : "") => {
    if (!ticket) throw new SessionGuardError("ticket-required");
    const { status, body: answer } = await env.call(`${root}/session/${name}`, ticket, body);
    // What is refused has a code, and what comes from elsewhere has none.
    if (status === 200 || status === 204) return answer;
    const { code } = (answer ?? {}) as Members;
    throw new SessionGuardError(isText(code) ? code : UNREACHABLE);
  };

  const woke = (how: Wake): void => {
    // First of all: nobody sees what is in doubt.
    if (how !== "awake") dispatch(how);
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
  const connection = keepInReach(options.socket?.(address, own) ?? own, env.openPoll(root), () => credentials, clock, env.random, {
    joined(live) {
      dispatch("joined", { live });
      activity.flush();
    },
    // An idle page is woken by this and hardly anything else.
    pinged: tick,
    message(name, payload, ack) {
      if (name === EVENT_SESSION) answered(payload);
      else if (isEnd(payload) && concerns(state, payload)) {
        latch.close(payload);
        ack?.();
        ended(payload, "server");
      }
    },
    dropped() {
      dispatch("dropped");
    },
    unreachable,
    refused(code, data) {
      dispatch("refused", { code, data });
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
      if (room !== null && session !== null) tabs?.postMessage({ room, session, activeAt, reported });
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
      if (message.session === state.session) ended(message.end, "tab");
      return;
    }
    if ("activeAt" in message) {
      if (message.session !== state.session || !isRunning()) return;
      activity.heard(message.activeAt, message.reported);
      // The user has answered elsewhere.
      if (state.phase === "prompted") asking.checkSoon();
      return;
    }
    if (message.room !== state.room) return;
    newest.offer(message);
    ending?.look();
    // A newer login of the user in this browser: this page's session has very likely just ended.
    if (message.session !== state.session && isRunning()) asking.checkSoon();
  });
  const screen = env.openScreen({ stay: extend, leave: () => logout(), report: () => call("report", {}) });
  page.onWake(woke);
  if (!isOff(options.activity)) page.onInput(sawInput, options.activity === "media");
  if (watchHttp && !isOff(watchHttp)) env.watchHttp(watchHttp, asking.checkSoon);

  return {
    start() {
      dispatch("start", { doubted: page.how === "back_forward" });
    },
    stop() {
      if (isRunning()) dispatch("stop");
      else leave();
    },
    getState: () => shown,
    check,
    extend,
    reportActivity,
    logout,
    call,
  };
}
