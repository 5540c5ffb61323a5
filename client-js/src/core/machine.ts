/**
 * What the guard knows and what it does next, as one pure function: state, input and time in; state and effects out.
 *
 *     stopped ──start──▶ starting ──session──▶ active ⇄ prompted
 *                           │                   │          │
 *                           └───── attempt failed, or a deadline passed unanswered ──▶ unreachable ──session──▶ active
 *     any of them ──ended──▶ expired (final)        any of them ──stop, setup mistake──▶ stopped
 *
 * The clock that decides is the `now` argument, compared with deadlines; that a timer fired proves nothing, because
 * timers of hidden and sleeping pages fire late.
 */

import { verdict } from "../codes.ts";
import type { Phase, SessionEnd, SessionState, SessionWarning } from "../types.ts";
import { endOf, isEnd, type SessionPayload } from "./wire.ts";

export interface CoreState extends SessionState {
  readonly epoch: number;
  readonly warnMs: number;
  /** The server answers, be it by a socket or over HTTP. */
  readonly reached: boolean;
  /** A new ticket has been asked for since the last answer; asked once only. */
  readonly renewed: boolean;
  /** A question about the session is under way. */
  readonly checking: boolean;
  /** The content may be of a session that has ended meanwhile: nobody sees it before the server has answered. */
  readonly doubted: boolean;
  /** Stopped by what cannot be mended from here, not by the page: nothing is known of the session any more. */
  readonly gaveUp: boolean;
  /** `now` of the latest input, to notice a clock that was set back. */
  readonly seenAt: number;
}

/** Who brought the news of the end. `latch`: it was already stored when the page started; `app`: its answer for a ticket. */
export type EndSource = "server" | "tab" | "latch" | "app" | "self";

/** What hides the page, and why: `checking` and `unreachable` until the server answers, `unconfirmed` for good. */
export type Cover = "off" | "checking" | "unreachable" | "unconfirmed";

export type Input =
  /** `doubted`: the page was reached by way of the history, and may be out of a cache. */
  | { readonly type: "start"; readonly doubted?: boolean }
  /** Quietly, or `gaveUp`; the code is an error that is still to be reported. */
  | { readonly type: "stop"; readonly gaveUp?: boolean; readonly code?: string | undefined }
  | { readonly type: "identity"; readonly login: { readonly session: string; readonly room: string } }
  /** `live`: by a socket. */
  | { readonly type: "joined"; readonly live: boolean }
  | { readonly type: "session"; readonly payload: SessionPayload }
  | { readonly type: "dropped" }
  | { readonly type: "unreachable" }
  | { readonly type: "refused"; readonly code: string; readonly data: unknown }
  | { readonly type: "ended"; readonly end: SessionEnd; readonly source: EndSource }
  | { readonly type: "check-failed" }
  /** Into the back-forward cache, and out of it. */
  | { readonly type: "stored" }
  | { readonly type: "restored" }
  | { readonly type: "tick" };

export type Effect =
  | { readonly type: "connect" }
  | { readonly type: "check" }
  | { readonly type: "renew"; readonly code: string }
  /** The guard lets go, quietly or with an error. */
  | { readonly type: "halt"; readonly code: string | undefined }
  | { readonly type: "warn"; readonly warning: SessionWarning }
  | { readonly type: "end"; readonly end: SessionEnd; readonly source: EndSource };

/** Milliseconds that the clock may go back (a time server's correction) before the deadlines are asked for again. */
export const CLOCK_SLACK = 2_000;

/** Milliseconds between two questions once a deadline has passed: the server ends a session up to 2 s after it. */
export const RECHECK = 1_000;

/** Milliseconds past a deadline that a server which answers is given to end the session, before the page is covered. */
export const LATE = 3_000;

/** Longest sleep of the ticker in ms, so that a clock that was set, or a sleep that nobody told of, is noticed. */
export const LONGEST_TICK = 15_000;

/** The same with a live socket: there the server's pings are ticks, too, and an idle page is woken by nothing else. */
export const LONGEST_LIVE_TICK = 600_000;

export const NOTHING_YET: SessionState = Object.freeze({
  phase: "stopped",
  session: null,
  room: null,
  newest: null,
  idleEndsAt: null,
  absoluteEndsAt: null,
  connected: false,
  end: null,
});

export const INITIAL: CoreState = {
  ...NOTHING_YET,
  epoch: 0,
  warnMs: 0,
  reached: false,
  renewed: false,
  checking: false,
  doubted: false,
  gaveUp: false,
  seenAt: 0,
};

/** Whether news about `session` of `room` is about the session that this page holds. */
export function concerns(state: CoreState, about: { readonly session: string; readonly room: string }): boolean {
  return (state.session ?? about.session) === about.session && (state.room ?? about.room) === about.room;
}

/** @returns the next state, and what is to be done, in this order */
export function step(before: CoreState, input: Input, now: number): readonly [CoreState, readonly Effect[]] {
  // Final: an ended session never comes back, whatever still arrives. And what is stopped only starts.
  if (before.phase === "expired" || (before.phase === "stopped") !== (input.type === "start")) return [before, []];
  // A copy, changed in place until it is returned.
  const state: Draft = { ...before, seenAt: now };
  const effects: Effect[] = [];

  /** Nothing is under way any more. */
  const turn = (phase: Phase, more: Partial<CoreState> = {}): void => {
    Object.assign(state, { reached: false, connected: false, checking: false, phase }, more);
  };
  const expire = (end: SessionEnd, source: EndSource): void => {
    if (!concerns(state, end)) return;
    const { session, room } = end;
    turn("expired", { session, room, end });
    effects.push({ type: "end", end, source });
  };
  /** Without judging the session. */
  const halt = (gaveUp: boolean, code?: string): void => {
    turn("stopped", { gaveUp });
    effects.push({ type: "halt", code });
  };
  const ask = (): void => {
    state.checking = true;
    effects.push({ type: "check" });
  };

  switch (input.type) {
    case "start":
      Object.assign(state, INITIAL, { phase: "starting", doubted: input.doubted === true, seenAt: now });
      effects.push({ type: "connect" });
      break;
    case "stop":
      halt(input.gaveUp === true, input.code);
      break;
    case "identity":
      state.session = input.login.session;
      state.room = input.login.room;
      break;
    case "joined":
      state.reached = true;
      state.connected = input.live;
      break;
    case "session":
      if (concerns(state, input.payload)) answer(state, effects, input.payload, now);
      break;
    case "dropped":
      state.reached = state.connected = state.checking = false;
      break;
    case "unreachable":
      turn("unreachable");
      break;
    case "refused":
      switch (verdict(input.code)) {
        case "ended":
          expire(isEnd(input.data) ? input.data : endOf(state.session, state.room, "lost", now), "server");
          break;
        case "renew":
          state.reached = state.connected = false;
          if (state.renewed) halt(true, input.code);
          else effects.push({ type: "renew", code: input.code });
          state.renewed = true;
          break;
        case "setup":
          halt(true, input.code);
          break;
        case "retry":
          turn("unreachable");
      }
      break;
    case "ended":
      expire(input.end, input.source);
      break;
    case "check-failed":
      state.checking = false;
      // Before the deadline that is no reason to take the page away from its user.
      if (state.doubted || overdue(state, now)) state.phase = "unreachable";
      break;
    case "stored":
      state.doubted = true;
      break;
    case "restored":
      state.doubted = true;
      ask();
      break;
    case "tick": {
      if (state.checking) break;
      const { endsAt } = deadline(state);
      if (!state.reached) {
        if (now >= endsAt) turn("unreachable");
        // The server has the last word. And another tab may have moved the deadline: nobody is warned by a guess.
      } else if (state.doubted || now >= (state.phase === "active" ? endsAt - state.warnMs : endsAt) || now < before.seenAt - CLOCK_SLACK) ask();
    }
  }
  return [state, effects];
}

type Draft = { -readonly [Name in keyof CoreState]: CoreState[Name] };

/** The server said that the session is live, and how long it has. */
function answer(state: Draft, effects: Effect[], payload: SessionPayload, now: number): void {
  const { session, room, newest, epoch, idle_ms: idle, absolute_ms: absolute, warn_ms: warnMs } = payload;
  Object.assign(state, { session, room, newest, epoch, warnMs, renewed: false, checking: false, doubted: false });
  state.idleEndsAt = idle === null ? null : now + idle;
  state.absoluteEndsAt = absolute === null ? null : now + absolute;
  const end = deadline(state);
  const near = end.endsAt - now <= warnMs;
  // Once per approach: a second answer in the same last minutes warns nobody again.
  if (near && state.phase !== "prompted") effects.push({ type: "warn", warning: { ...end, remainingMs: end.endsAt - now } });
  state.phase = near ? "prompted" : "active";
}

interface Deadline {
  readonly kind: "idle" | "absolute";
  /** Infinite when nothing ends by itself. */
  readonly endsAt: number;
}

/** The earlier one. */
function deadline({ idleEndsAt, absoluteEndsAt }: CoreState): Deadline {
  const endsAt = Math.min(idleEndsAt ?? Infinity, absoluteEndsAt ?? Infinity);
  return { kind: endsAt === absoluteEndsAt ? "absolute" : "idle", endsAt };
}

function overdue(state: CoreState, now: number): boolean {
  return now >= deadline(state).endsAt;
}

/**
 * What hides the page now. Only two states past a deadline show it: a server that answers has `LATE` ms to end the
 * session, and a page that was stopped on purpose is its owner's.
 */
export function coverOf(state: CoreState, now: number): Cover {
  if (!state.doubted && !overdue(state, state.reached ? now - LATE : now)) return "off";
  if (state.phase === "stopped") return state.gaveUp ? "unconfirmed" : "off";
  return state.phase === "unreachable" ? "unreachable" : "checking";
}

/** What the user is to be warned of now, if anything. That the server is out of reach takes no warning back. */
export function promptOf(state: CoreState, now: number): Deadline | null {
  const end = deadline(state);
  const lost = state.phase === "unreachable" && now >= end.endsAt - state.warnMs && now < end.endsAt;
  return state.phase === "prompted" || lost ? end : null;
}

/** When to send the next `tick` at the latest; one that comes too early does nothing. never when time changes nothing. */
export function nextTick(state: CoreState, now: number): number {
  const { endsAt } = deadline(state);
  if (state.doubted && state.reached && !state.checking) return now + RECHECK;
  if (endsAt === Infinity || !(state.gaveUp ? now < endsAt : running(state.phase))) return Infinity;
  const warnAt = endsAt - state.warnMs;
  const due = state.phase === "active" && !state.checking && now < warnAt ? warnAt : endsAt;
  const longest = state.connected ? LONGEST_LIVE_TICK : LONGEST_TICK;
  return Math.min(due > now ? due : now + (state.reached ? RECHECK : LONGEST_TICK), now + longest);
}

const PUBLIC = Object.keys(NOTHING_YET) as readonly (keyof SessionState)[];

/** The public part of the state; the very same object while nothing in it has changed. */
export function view(state: CoreState, last: SessionState): SessionState {
  if (PUBLIC.every((name) => last[name] === state[name])) return last;
  return Object.freeze(Object.fromEntries(PUBLIC.map((name) => [name, state[name]])) as unknown as SessionState);
}

/** Phases in which the guard works. */
export function running(phase: Phase): boolean {
  return phase !== "stopped" && phase !== "expired";
}
