/**
 * Every code and event name of the wire that the client acts on, in one place.
 *
 * The server lists the same codes in `enforcer/protocol.py`; a test holds the two equal.
 */

/** The page's session is over. Terminal: it never connects again. */
export const ENDING_CODES: readonly string[] = ["session-ended", "session-unknown"];

/** The app is asked for a new ticket once; then it is an error, never a logout. */
export const TICKET_CODES: readonly string[] = ["ticket-expired", "ticket-invalid"];

/** A mistake in the page's set-up. Terminal, but the session itself is not judged. */
export const SETUP_CODES: readonly string[] = ["ticket-required", "room-required", "session-conflict", "invalid-request"];

/** The server asks to come back later, after `retry_ms` at the earliest if it says so. */
export const RETRY_CODES: readonly string[] = ["unavailable", "too-many-connections"];

/** Of an ack, or a call over HTTP: this page has said too much in too short a time. It says it again after `retry_ms`. */
export const RATE_LIMITED = "rate-limited";

/** Of our own: no answer, or none of the server's. */
export const UNREACHABLE = "unreachable";

/** Why a session ends. More may come. */
export const END_REASONS: readonly string[] = [
  "displaced",
  "replaced",
  "idle",
  "absolute",
  "logout",
  "logout_everywhere",
  "password_changed",
  "security",
  "admin",
  "lost",
  "idp_logout",
  "caep",
];

/** What a refusal means for the page. */
export type Verdict = "ended" | "renew" | "setup" | "retry";

/** A code that this version does not know is tried again: only known words may log anybody out. */
export function verdict(code: string): Verdict {
  if (ENDING_CODES.includes(code)) return "ended";
  if (TICKET_CODES.includes(code)) return "renew";
  if (SETUP_CODES.includes(code)) return "setup";
  return "retry";
}

/** Server to page. The name of `force-logout` can be changed on the server; see `isEnd` in `core/wire.ts`. */
export const EVENT_SESSION = "session";
/** Server to page: it is about to end, so come back after `retry_ms`, which may be to another one. */
export const EVENT_DRAIN = "drain";
/** Page to server. */
export const EVENT_ACTIVITY = "activity";
/** Page to server. */
export const EVENT_CHECK = "check";
/** Page to server. */
export const EVENT_LOGOUT = "logout";
