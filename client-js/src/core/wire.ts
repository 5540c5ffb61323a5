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
 * The end that a payload tells of, or `null` if it tells of none. The event that carries it can be renamed on the server,
 * so it is known by its shape, and the page needs no setting for it. What is of another type than it must be is unknown.
 */
export function readEnd(value: unknown): SessionEnd | null {
  if (!namesSession(value)) return null;
  const { session, room, reason, message, at, by, redirect } = value;
  if (!isText(reason)) return null;
  return {
    ...value,
    session,
    room,
    reason,
    message: isText(message) ? message : "",
    at: isText(at) ? at : "",
    by: isMembers(by) ? { device: readDevice(by["device"]), self: by["self"] === true } : null,
    redirect: isText(redirect) ? redirect : null,
  };
}

function readDevice(device: unknown): { label: string | null; class: string | null } | null {
  if (!isMembers(device)) return null;
  const { label, class: kind } = device;
  return { label: isText(label) ? label : null, class: isText(kind) ? kind : null };
}

/** The end of a session of which only that much is known; `told` fills in the rest. */
export function endOf(session: string | null, room: string | null, reason: string, now: number, told?: Members): SessionEnd {
  const at = new Date(now).toISOString();
  return { session: session ?? "", room: room ?? "", reason, message: "", at, by: null, redirect: null, ...told };
}

/** A failed ack is `{"ok": false, "code"}`; everything else is an answer. */
export function failedCode(reply: unknown): string | null {
  return isMembers(reply) && reply["ok"] === false ? String(reply["code"]) : null;
}
