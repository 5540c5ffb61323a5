/** Express and Connect, with or without Passport. Needs a session of the application's own, such as express-session's. */

import { promisify } from "node:util";
import { Unavailable } from "./errors.js";
import { CANNOT_SAY, claim, ended, isLive, isNamed, namedBy, RETRY_AFTER } from "./held.js";

/** @typedef {import("./client.js").Enforcer} Enforcer */
/** @typedef {import("./held.js").Held} Held */
/** @typedef {{session: any, headers: Record<string, string | string[] | undefined>, ip?: string}} Request */

/**
 * @typedef {object} ExpressOptions
 * @property {import("./live-sessions.js").LiveSessions} [live] answers from memory; without it each request asks Enforcer
 * @property {string} [loginPath] where a browser goes whose session is over, `/login` unless given
 */

/**
 * @param {Enforcer} enforcer
 * @param {ExpressOptions} [options]
 */
export function singleSession(enforcer, { live, loginPath = "/login" } = {}) {
  return {
    /**
     * Claims the login, in a session with a new id (OWASP: the id changes when somebody logs in), and saves it, so
     * that the redirect that follows finds it. Passport's `req.login` has made a new id already: call this in its callback.
     *
     * @param {Request} request
     * @param {string} room your name for the user
     * @param {Record<string, unknown>} [more] members of `Enforcer.login`
     * @returns {Promise<Held>}
     */
    async login(request, room, more = {}) {
      const held = await claim(enforcer, request, request.session.enforcer, room, more);
      if (request.session.passport === undefined) await renewed(request);
      request.session.enforcer = held;
      await promisify(request.session.save).call(request.session);
      return held;
    },

    /**
     * Ends the session that the page names, and the application's own; whether it did. The browser may have logged in
     * again before its old page hears of its end: then the page names another session, and nothing happens.
     *
     * @param {Request & {body?: any}} request
     */
    async logout(request) {
      /** @type {Held | undefined} */
      const held = request.session.enforcer;
      if (!isNamed(namedBy(request), held)) return false;
      await destroyed(request);
      await ended(enforcer, held.session);
      return true;
    },

    /**
     * Middleware: lets through who has a live session. When nobody can say, it is 503 and nobody is logged out.
     *
     * @param {any} request
     * @param {any} response
     * @param {(error?: unknown) => void} next
     */
    async required(request, response, next) {
      try {
        /** @type {Held | undefined} */
        const held = request.session.enforcer;
        if (held !== undefined && (await isLive(enforcer, live, held))) return next();
        if (held !== undefined) await destroyed(request); // its cookie stays: a new login's may be on its way
        return response.redirect(303, loginPath);
      } catch (error) {
        if (!(error instanceof Unavailable)) return next(error);
        return response.status(503).set("Retry-After", RETRY_AFTER).type("text/plain").send(CANNOT_SAY);
      }
    },
  };
}

/** An empty session with a new id. @param {Request} request @returns {Promise<void>} */
async function renewed(request) {
  await promisify(request.session.regenerate).call(request.session);
}

/** @param {Request} request @returns {Promise<void>} */
async function destroyed(request) {
  await promisify(request.session.destroy).call(request.session);
}
