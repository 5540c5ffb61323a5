/** "Is this session live?" from memory, no older than the push. */

import { events } from "./events.js";
import { Known } from "./known.js";

/** @typedef {import("./client.js").Enforcer} Enforcer */

/** Milliseconds before the stream is opened again: the first, and the longest. */
const AGAIN_FROM = 100;
const AGAIN_TO = 5_000;
/** Milliseconds without a byte after which a stream is given up: it says something every 15 s. */
const SILENCE = 40_000;

/**
 * @typedef {object} LiveOptions
 * @property {number} [maxStaleness] ms, 5,000 unless given: how long an end may go unnoticed while the stream is away
 * @property {number} [size] sessions that are remembered, 100,000 unless given
 * @property {(session: string, row: Record<string, any>) => void} [onEnd] a session has ended: close its sockets and streams
 */

export class LiveSessions {
  #enforcer;
  #known;
  #onEnd;
  /** @type {Map<string, Promise<import("./client.js").SessionRecord | null>>} */
  #asking = new Map();
  #stopping = new AbortController();
  /** @type {string | null} */
  #cursor = null;

  /** @param {Enforcer} enforcer with a key that may `validate` and `stream` @param {LiveOptions} [options] */
  constructor(enforcer, { maxStaleness = 5_000, size = 100_000, onEnd = () => undefined } = {}) {
    this.#enforcer = enforcer;
    this.#known = new Known(maxStaleness, size);
    this.#onEnd = onEnd;
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

  /** Ends the stream. */
  close() {
    this.#stopping.abort();
  }

  /** @param {string} session @param {string} room */
  async #ask(session, room) {
    let record = this.#asking.get(session);
    if (record === undefined) {
      record = this.#answer(session).finally(() => this.#asking.delete(session));
      this.#asking.set(session, record);
    }
    const found = await record;
    // What came on the stream meanwhile is newer than the answer.
    return this.#known.isLive(session, room, performance.now()) ?? (found !== null && found.active && found.room === room);
  }

  /** @param {string} session */
  async #answer(session) {
    const asked = this.#known.ask(session, performance.now());
    /** @type {import("./client.js").SessionRecord | null | undefined} */
    let record;
    try {
      record = await this.#enforcer.validate(session);
      return record;
    } finally {
      this.#known.answered(asked, record);
    }
  }

  async #follow() {
    const { signal } = this.#stopping;
    for (let wait = AGAIN_FROM; !signal.aborted; wait = Math.min(2 * wait, AGAIN_TO)) {
      const opened = await this.#read(signal).catch(() => false);
      this.#known.closed();
      if (opened) wait = AGAIN_FROM;
      await pause(wait * (0.5 + Math.random() / 2), signal);
    }
  }

  /**
   * Reads one stream to its end; whether it was one.
   *
   * @param {AbortSignal} stopping
   */
  async #read(stopping) {
    const cut = new AbortController();
    const silent = setTimeout(() => cut.abort(), SILENCE);
    silent.unref();
    let opened = false;
    try {
      const stream = await this.#enforcer.stream(this.#cursor, AbortSignal.any([stopping, cut.signal]));
      for await (const { event, data, id } of events(stream)) {
        silent.refresh();
        const now = performance.now();
        if (event === "ready") {
          opened = true;
          this.#cursor = JSON.parse(data).cursor;
          this.#known.opened(now);
        } else if (event === "reset") {
          this.#cursor = JSON.parse(data).cursor;
          this.#known.reset();
        } else if (event === "unavailable") {
          break; // until the store is back nothing comes; then another stream goes on where this one was
        } else {
          this.#known.heard(now);
          if (event === "session.ended") this.#ended(JSON.parse(data));
        }
        if (id !== null) this.#cursor = id;
      }
    } catch (error) {
      if (!opened) throw error;
    } finally {
      clearTimeout(silent);
    }
    return opened;
  }

  /** @param {Record<string, any>} row of the audit log */
  #ended(row) {
    const session = String(row["session"]);
    this.#known.ended(session);
    queueMicrotask(() => this.#onEnd(session, row)); // what it throws is not the stream's
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

