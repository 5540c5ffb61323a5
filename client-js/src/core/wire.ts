/** What the server sends, checked before anything believes it. Pure. */

import type { SessionEnd } from "../types.ts";

/** The `session` event, and the ack of `check` and `activity`. Times are remaining milliseconds. */
export interface SessionPayload {
  readonly session: string;
  readonly room: string;
  readonly newest: boolean;
  /** Number of the claim; 0 while it is unclaimed. */
  readonly epoch: number;
  readonly idle_ms: number | null;
  readonly absolute_ms: number | null;
  /** How long before the end to warn. */
  readonly warn_ms: number;
  /** A fresh ticket, when the old one is half spent. */
  readonly ticket?: string;
}

export type Members = Readonly<Record<string, unknown>>;

export function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null;
}

/** Characters; everything that is believed is far shorter. Other applications of the origin write to the same places. */
const LONGEST = 4_096;

export function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= LONGEST;
}

/** Whether it is about a session at all. */
export function namesSession(value: unknown): value is Members & { session: string; room: string } {
  return isMembers(value) && isText(value["session"]) && isText(value["room"]);
}

export function isSession(value: unknown): value is SessionPayload {
  return namesSession(value) && value["active"] === true;
}

/**
 * Whether a payload tells of an end. The event that carries it can be renamed on the server, so it is known by its
 * shape, and the page needs no setting for it. Of the rest only `redirect` does anything.
 */
export function isEnd(value: unknown): value is SessionEnd {
  return namesSession(value) && isText(value["reason"]) && isText(value["redirect"] ?? "");
}

/** The end of a session of which only that much is known. */
export function endOf(session: string | null, room: string | null, reason: string, now: number): SessionEnd {
  const at = new Date(now).toISOString();
  return { session: session ?? "", room: room ?? "", reason, message: "", at, by: null, redirect: null };
}

/** Milliseconds that the server asks to stay away; 0 when it names none. */
export function waitAsked(answer: unknown): number {
  return (isMembers(answer) && Number(answer["retry_ms"])) || 0;
}

/** A failed ack is `{"ok": false, "code"}`; everything else is an answer. */
export function failedCode(reply: unknown): string | null {
  return isMembers(reply) && reply["ok"] === false ? String(reply["code"]) : null;
}
