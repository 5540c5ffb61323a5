/** "Is this session live?" from memory, no older than the push. */

import { Refused, Unavailable } from "./errors.js";
import { events } from "./events.js";
import { EVENTS, Following } from "./following.js";
import { Known } from "./known.js";

/** @typedef {import("./client.js").Enforcer} Enforcer */

/** Milliseconds without a byte after which a stream is given up: it says something every 15 s. */
const SILENCE = 40_000;

/**
 * @typedef {object} LiveOptions
 * @property {number} [maxStaleness] ms, 5,000 unless given: for how long a session may be called live after its end, if nothing tells of it
 * @property {number} [size] sessions that are remembered, 100,000 unless given
 * @property {(session: string, row: Record<string, any>) => void} [onEnd] a session has ended: close its sockets and streams
 * @property {() => void} [onReset] ends may have been missed: ask `isLive` again for whoever holds a socket
 */

/**
 * An end that the stream tells of holds at once; one that it cannot tell of (it is cut, late or quiet) after `maxStaleness` at most.
 */
export class LiveSessions {
  #enforcer;
  #known;
  #following;
  #onEnd;
  #onReset;
  /** @type {Map<string, Promise<string | null>>} */
  #asking = new Map();
  #stopping = new AbortController();

  /** @param {Enforcer} enforcer with a key that may `validate` and `stream` @param {LiveOptions} [options] */
  constructor(enforcer, { maxStaleness = 5_000, size = 100_000, onEnd = () => undefined, onReset = () => undefined } = {}) {
    this.#enforcer = enforcer;
    this.#known = new Known(maxStaleness, size);
    this.#following = new Following(this.#known, maxStaleness);
    this.#onEnd = onEnd;
    this.#onReset = onReset;
    void this.#follow();
  }

  /**
   * Whether the session is live and this room's. From memory where it is known, else Enforcer is asked, once.
   *
   * @param {string} session
   * @param {string} room
   * @returns {boolean | Promise<boolean>} rejects with `Unavailable` when nobody can say
   */
  isLive(session, room) {
    return this.#known.isLive(session, room, performance.now()) ?? this.#ask(session, room);
  }

  /** Whether the stream is open. */
  get followed() {
    return this.#known.open;
  }

  /** Ends the stream. */
  close() {
    this.#stopping.abort();
  }

  /** Whoever asks meanwhile waits for the same answer. @param {string} session @param {string} room */
  async #ask(session, room) {
    let answer = this.#asking.get(session);
    if (answer === undefined) {
      answer = this.#answer(session).finally(() => this.#asking.delete(session));
      this.#asking.set(session, answer);
    }
    return (await answer) === room;
  }

  /** The room in which a session is live; null if in none. @param {string} session */
  async #answer(session) {
    const asked = this.#known.ask(session, performance.now());
    /** @type {import("./client.js").SessionRecord | null | undefined} */
    let record;
    /** @type {string | null | undefined} */
    let room;
    try {
      record = await this.#enforcer.validate(session);
    } finally {
      room = this.#known.answered(asked, record, performance.now());
    }
    if (room === undefined) throw new Unavailable("the answer took longer than maxStaleness");
    return room;
  }

  async #follow() {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#read(signal).catch(() => undefined);
      if (!this.#following.renews) await pause(this.#following.cut() * (0.5 + Math.random() / 2), signal);
    }
    this.#known.cut();
  }

  /**
   * Reads one stream until it is cut or to be renewed.
   *
   * @param {AbortSignal} stopping
   */
  async #read(stopping) {
    const cut = new AbortController();
    const silent = setTimeout(() => cut.abort(), SILENCE);
    silent.unref();
    const following = this.#following;
    try {
      following.opening(performance.now());
      const signal = AbortSignal.any([stopping, cut.signal]);
      const stream = await this.#enforcer.stream(following.lastId, signal, { events: EVENTS, headers: { Prefer: "level" } });
      for await (const event of events(stream)) {
        silent.refresh();
        const resets = following.resets;
        const row = following.take(event, performance.now());
        if (following.resets !== resets) queueMicrotask(() => this.#onReset()); // what it throws is not the stream's
        if (row !== undefined) queueMicrotask(() => this.#onEnd(row["session"], row));
        if (following.renews) break;
      }
    } catch (error) {
      if (error instanceof Refused) following.refused(error.status);
      throw error;
    } finally {
      clearTimeout(silent);
    }
  }
}

/** @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener("abort", done);
  });
}

