/**
 * Next.js with the App Router: for its data access layer. Not for `proxy.ts`, which has seen the cookie and no more, and runs for
 * each picture.
 */

import { claim, ended, isLive, isNamed } from "./held.js";
import { LiveSessions } from "./live-sessions.js";

/** @typedef {import("./client.js").Enforcer} Enforcer */
/** @typedef {import("./held.js").Held} Held */

/**
 * @typedef {object} NextOptions
 * @property {() => Enforcer} enforcer called at the first request, once a process; not while Next builds
 * @property {() => Promise<any>} session your own session of this request, in whose member `enforcer` the login is kept. It has
 *   `save()` and `destroy()`, as iron-session's
 * @property {() => Promise<{get(name: string): string | null}>} headers that of `next/headers`
 * @property {<T extends () => Promise<any>>(ask: T) => T} cache that of `react`: however many components ask, one request is one check
 */

/** @param {NextOptions} options */
export function singleSession({ enforcer, session, headers, cache }) {
  return {
    /**
     * The login of this browser, if its session is live; else null. A question moves no deadline, so a page that Next fetches
     * ahead is no activity of a human.
     *
     * @type {() => Promise<Held | null>}
     * @throws Unavailable when nobody can say: let `error.js` ask for patience, and log nobody out
     */
    current: cache(async () => {
      /** @type {Held | undefined} */
      const held = (await session()).enforcer;
      const { client, live } = ofThisProcess(enforcer);
      return held !== undefined && (await isLive(client, live, held)) ? held : null;
    }),

    /**
     * Claims the login and keeps it in the session. In a server action or a route handler, after the password was right.
     *
     * @param {string} room your name for the user
     * @param {Record<string, unknown>} [more] members of `Enforcer.login`
     * @returns {Promise<Held>}
     */
    async login(room, more = {}) {
      const own = await session();
      const agent = (await headers()).get("user-agent") ?? "";
      const held = await claim(ofThisProcess(enforcer).client, { headers: { "user-agent": agent } }, own.enforcer, room, more);
      own.enforcer = held;
      await own.save();
      return held;
    },

    /**
     * Ends the session that the page names, and the application's own; whether it did. The browser may have logged in
     * again before its old page hears of its end: then the page names another session, and nothing happens.
     *
     * @param {string | null} [named] `X-Enforcer-Session` of the script, or a field of your form; none: the one that the browser holds
     */
    async logout(named) {
      const own = await session();
      /** @type {Held | undefined} */
      const held = own.enforcer;
      if (!isNamed(named ?? undefined, held)) return false;
      await own.destroy();
      await ended(ofThisProcess(enforcer).client, held.session);
      return true;
    },
  };
}

/**
 * Next bundles a module several times over, and anew at each change while you develop. One stream is enough for all.
 *
 * @param {() => Enforcer} enforcer
 * @returns {{client: Enforcer, live: LiveSessions}}
 */
function ofThisProcess(enforcer) {
  const shared = /** @type {Record<symbol, any>} */ (globalThis);
  const place = Symbol.for("session-enforcer/next");
  if (shared[place] === undefined) {
    const client = enforcer();
    shared[place] = { client, live: new LiveSessions(client) };
  }
  return shared[place];
}
