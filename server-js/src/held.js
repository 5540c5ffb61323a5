/** What every framework does the same: what the application's session keeps, and how a login is claimed. */

import { EnforcerError } from "./errors.js";

/** @typedef {import("./client.js").Enforcer} Enforcer */
/** @typedef {import("./live-sessions.js").LiveSessions} LiveSessions */
/** @typedef {{session: string, room: string, ticket: string}} Held in the application's session, as `enforcer` */

/** What a person reads when nobody can say whether the session is live. */
export const CANNOT_SAY = "We cannot check your session at the moment. You are still logged in; please try again.";
/** Seconds after which it may be tried again. */
export const RETRY_AFTER = "2";

/**
 * @param {Enforcer} enforcer
 * @param {{headers: Record<string, string | string[] | undefined>, ip?: string | undefined}} request
 * @param {Held | undefined} before what this browser held
 * @param {string} room
 * @param {Record<string, unknown>} more
 * @returns {Promise<Held>}
 */
export async function claim(enforcer, request, before, room, more) {
  const { session, ticket } = await enforcer.login(room, {
    device: { user_agent: request.headers["user-agent"] ?? "", ip: request.ip ?? null },
    ...(before === undefined ? {} : { replaces: before.session }),
    ...more,
  });
  return { session, room, ticket };
}

/**
 * Which session a log-out is about: the script says so by a header, a form by its field `session`.
 *
 * @param {{headers: Record<string, string | string[] | undefined>, body?: any}} request
 * @returns {unknown}
 */
export function namedBy(request) {
  return request.headers["x-enforcer-session"] ?? request.body?.session;
}

/**
 * Whether a log-out is about the session that the browser holds, which may have logged in again since.
 *
 * @param {unknown} named the session that it is about; undefined: the one that is held
 * @param {Held | undefined} held
 * @returns {held is Held}
 */
export function isNamed(named, held) {
  return held !== undefined && (named === undefined || named === held.session);
}

/**
 * Ends the session of who has just logged out here, and who has so whether Enforcer can be told or not: then it is a warning of the
 * process.
 *
 * @param {Enforcer} enforcer
 * @param {string} session
 */
export async function ended(enforcer, session) {
  try {
    await enforcer.end(session);
  } catch (error) {
    if (!(error instanceof EnforcerError)) throw error;
    process.emitWarning(`a session that has logged out is still open: ${error.message}`);
  }
}

/**
 * @param {Enforcer} enforcer
 * @param {LiveSessions | undefined} live
 * @param {Held} held
 * @returns {Promise<boolean>}
 */
export async function isLive(enforcer, live, held) {
  if (live !== undefined) return live.isLive(held.session, held.room);
  const record = await enforcer.validate(held.session, held.room);
  return record !== null && record.active;
}
