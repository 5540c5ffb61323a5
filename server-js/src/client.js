/** The calls of an app server. Bodies and answers are as docs/protocol.md has them. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { errorOf, SessionEnded, SessionUnknown, Unavailable } from "./errors.js";

/** Milliseconds before the first repetition; doubled with each one. */
const FIRST_WAIT = 100;

/**
 * @typedef {object} Options
 * @property {string} url where Enforcer answers, such as `http://127.0.0.1:8080`
 * @property {string} key the authkey, or a key that may what you call
 * @property {number} [deadline] milliseconds for a call with all its repetitions, 3,000 unless given
 */

/**
 * @typedef {Record<string, unknown> & {session: string, room: string, active: boolean}} SessionRecord
 * @typedef {Record<string, unknown> & {session: string, room: string, ticket: string, proxy_ticket: string, created: boolean, displaced: string[]}} Login
 * @typedef {Record<string, unknown> & {ticket: string, proxy_ticket: string, elevated_ticket?: string}} Tickets
 */

export class Enforcer {
  /** @type {string} */
  #url;
  /** @type {string} */
  #key;
  /** @type {number} */
  #deadline;

  /** @param {Options} options */
  constructor({ url, key, deadline = 3_000 }) {
    this.#url = url.replace(/\/+$/, "");
    this.#key = key;
    this.#deadline = deadline;
  }

  /**
   * This user has just logged in. Repeated with one `request_id` until it is answered: it happens once.
   *
   * @param {string} room your name for the user
   * @param {Record<string, unknown>} [more] other members of `POST /v1/sessions`: `session`, `replaces`, `device`, `entry`, `slot`, …
   * @returns {Promise<Login>}
   */
  async login(room, more = {}) {
    return this.#call("POST", "/v1/sessions", { request_id: randomUUID(), ...more, room });
  }

  /**
   * The record of a session, live or ended; null if there is none, or if it is another room's.
   *
   * @param {string} session
   * @param {string} [room]
   * @returns {Promise<SessionRecord | null>}
   */
  async validate(session, room) {
    try {
      return await this.#call("POST", "/v1/sessions/validate", room === undefined ? { session } : { session, room });
    } catch (error) {
      if (error instanceof SessionUnknown) return null;
      throw error;
    }
  }

  /**
   * The human did something in this session: its idle deadline moves.
   *
   * @param {string} session
   * @returns {Promise<SessionRecord>}
   */
  async activity(session) {
    return this.#call("POST", `/v1/sessions/${encodeURIComponent(session)}/activity`);
  }

  /**
   * Ends a session. One that is over, or unknown, is no error.
   *
   * @param {string} session
   * @param {string} [reason] `logout` unless given, `logout_everywhere`, `password_changed`, `security`, `admin`
   */
  async end(session, reason = "logout") {
    try {
      await this.#call("DELETE", `/v1/sessions/${encodeURIComponent(session)}?reason=${reason}`);
    } catch (error) {
      if (!(error instanceof SessionUnknown || error instanceof SessionEnded)) throw error;
    }
  }

  /**
   * Ends the user's other sessions; the ids of those that ended.
   *
   * @param {string} room
   * @param {string} except the session that stays
   * @param {string} [reason]
   * @returns {Promise<string[]>}
   */
  async endOthers(room, except, reason = "logout_everywhere") {
    return (await this.#call("POST", "/v1/users/logout", { room, except, reason })).ended;
  }

  /**
   * Ends all sessions of the user; the ids of those that ended.
   *
   * @param {string} room
   * @param {string} [reason]
   * @returns {Promise<string[]>}
   */
  async endAll(room, reason = "logout_everywhere") {
    return (await this.#call("POST", "/v1/users/logout", { room, reason })).ended;
  }

  /**
   * A fresh ticket for the pages of a live session.
   *
   * @param {string} session
   * @param {number} [elevateFor] seconds of an elevated one as well, once the user has shown the password again
   * @returns {Promise<Tickets>}
   */
  async ticket(session, elevateFor) {
    const body = elevateFor === undefined ? undefined : { elevate_for: elevateFor };
    return this.#call("POST", `/v1/sessions/${encodeURIComponent(session)}/ticket`, body);
  }

  /**
   * What a login would do, and why. Changes nothing.
   *
   * @param {string} room
   * @param {Record<string, unknown>} [more] members of `login`
   * @returns {Promise<Record<string, unknown>>}
   */
  async explain(room, more = {}) {
    return this.#call("POST", "/v1/sessions/explain", { ...more, room });
  }

  /**
   * The live sessions of a user, newest login first.
   *
   * @param {string} room
   * @returns {Promise<SessionRecord[]>}
   */
  async sessions(room) {
    return (await this.#call("GET", `/v1/users/${encodeURIComponent(room)}/sessions`)).sessions;
  }

  /**
   * The stream of what happened, from behind a cursor on or from now on. Ends when the server or the network ends it.
   *
   * @param {string | null} cursor
   * @param {AbortSignal} signal
   * @param {{events?: string, headers?: Record<string, string>}} [more] which events, `session.ended` unless given; other headers
   * @returns {Promise<ReadableStream<Uint8Array>>}
   */
  async stream(cursor, signal, { events = "session.ended", headers = {} } = {}) {
    const resume = cursor === null ? headers : { ...headers, "Last-Event-ID": cursor };
    const answer = await this.#fetch("GET", `/v1/stream?events=${events}`, { headers: resume, signal });
    if (!answer.ok || answer.body === null) throw errorOf(answer.status, await answer.json().catch(() => null));
    return answer.body;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{body?: string, headers?: Record<string, string>, signal: AbortSignal}} options
   */
  async #fetch(method, path, { headers, ...options }) {
    try {
      const shown = { Authorization: `Bearer ${this.#key}`, ...headers };
      return await fetch(this.#url + path, { method, redirect: "error", headers: shown, ...options });
    } catch (cause) {
      throw new Unavailable("Enforcer does not answer", { cause });
    }
  }

  /**
   * Every call may be repeated: those that change something say what shall be, and a login has its `request_id`.
   *
   * @param {string} method
   * @param {string} path
   * @param {Record<string, unknown>} [body]
   * @returns {Promise<any>}
   */
  async #call(method, path, body) {
    const until = performance.now() + this.#deadline;
    const signal = AbortSignal.timeout(this.#deadline);
    /** @type {{body?: string, headers?: Record<string, string>}} */
    const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
    for (let wait = FIRST_WAIT; ; wait *= 2) {
      try {
        const answer = await this.#fetch(method, path, { signal, ...json });
        const said = answer.status === 204 ? null : await answer.json().catch(() => undefined);
        if (answer.ok && said !== undefined) return said;
        throw errorOf(answer.status, said);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        const spread = wait * (0.5 + Math.random() / 2);
        if (performance.now() + spread >= until) throw error;
        await sleep(spread);
      }
    }
  }
}
