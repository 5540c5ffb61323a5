/** A plugin for Fastify 5. Needs `@fastify/session` before it. */

import { Unavailable } from "./errors.js";
import { CANNOT_SAY, claim, ended, isLive, isNamed, namedBy, RETRY_AFTER } from "./held.js";

/** @typedef {import("./client.js").Enforcer} Enforcer */
/** @typedef {import("./held.js").Held} Held */

/**
 * Decorates requests with `claim(room, more?)` and `release()`, and the application with `singleSession`, a hook for
 * `preHandler` that lets through who has a live session.
 *
 * @param {any} app
 * @param {{enforcer: Enforcer, live?: import("./live-sessions.js").LiveSessions, loginPath?: string}} options
 */
export default async function singleSession(app, { enforcer, live, loginPath = "/login" }) {
  /**
   * Claims the login, in a session with a new id, and saves it.
   *
   * @this {any} the request
   * @param {string} room
   * @param {Record<string, unknown>} [more]
   * @returns {Promise<Held>}
   */
  async function claimed(room, more = {}) {
    const held = await claim(enforcer, this, this.session.enforcer, room, more);
    await this.session.regenerate();
    this.session.enforcer = held;
    await this.session.save();
    return held;
  }

  /**
   * Ends the session that the page names, and the application's own; whether it did.
   *
   * @this {any} the request
   */
  async function released() {
    /** @type {Held | undefined} */
    const held = this.session.enforcer;
    if (!isNamed(namedBy(this), held)) return false;
    await this.session.destroy();
    await ended(enforcer, held.session);
    return true;
  }

  app.decorateRequest("claim", claimed);
  app.decorateRequest("release", released);
  app.decorate("singleSession", async (/** @type {any} */ request, /** @type {any} */ reply) => {
    try {
      /** @type {Held | undefined} */
      const held = request.session.enforcer;
      if (held !== undefined && (await isLive(enforcer, live, held))) return undefined;
      if (held !== undefined) await request.session.destroy();
      return reply.redirect(loginPath, 303);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      return reply.code(503).header("Retry-After", RETRY_AFTER).type("text/plain").send(CANNOT_SAY);
    }
  });
}

// Its decorations are for the application that registers it, not for a scope of its own: what fastify-plugin does.
Object.assign(singleSession, { [Symbol.for("skip-override")]: true, [Symbol.for("fastify.display-name")]: "session-enforcer" });
