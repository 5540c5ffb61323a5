/**
 * What is known of sessions. Pure: time is an argument, in ms of a clock that never goes back.
 *
 * A session that was asked about counts as live
 * - for `maxStaleness` after the question, whatever happens; and
 * - on and on while the stream of ends that was open at the question still is, and was heard within `maxStaleness`:
 *   its end would have come there.
 * A session that has ended stays ended: an id never lives again.
 */

/**
 * @typedef {object} Asked a question that is under way
 * @property {string} session
 * @property {number} at
 * @property {number} stream
 * @property {boolean} ended its end came on the stream meanwhile
 */

/** @typedef {{live: true, room: string, at: number, stream: number} | {live: false}} Entry */

export class Known {
  /** @type {Map<string, Entry>} the one that was learned first is first */
  #entries = new Map();
  /** @type {Set<Asked>} */
  #asked = new Set();
  /** The number of the stream that is open; what was known by another is not told by this one. */
  #stream = 0;
  #open = false;
  #heard = -Infinity;
  #maxStaleness;
  #size;

  /** @param {number} maxStaleness ms @param {number} size sessions that are kept, at most */
  constructor(maxStaleness, size) {
    this.#maxStaleness = maxStaleness;
    this.#size = size;
  }

  /**
   * Whether a session is live and of that room; undefined if that must be asked.
   *
   * @param {string} session
   * @param {string} room
   * @param {number} now
   * @returns {boolean | undefined}
   */
  isLive(session, room, now) {
    const entry = this.#entries.get(session);
    if (entry === undefined) return undefined;
    if (!entry.live) return false;
    const told = this.#open && entry.stream === this.#stream && now - this.#heard <= this.#maxStaleness;
    if (!told && now - entry.at > this.#maxStaleness) return undefined;
    return entry.room === room;
  }

  /** @param {string} session @param {number} now @returns {Asked} to be given back with the answer */
  ask(session, now) {
    const asked = { session, at: now, stream: this.#open ? this.#stream : -1, ended: false };
    this.#asked.add(asked);
    return asked;
  }

  /**
   * What was answered, the question being over.
   *
   * @param {Asked} asked
   * @param {{room: string, active: boolean} | null | undefined} record null: there is no such session; undefined: no answer
   */
  answered(asked, record) {
    this.#asked.delete(asked);
    if (asked.ended || record?.active === false) this.#keep(asked.session, { live: false });
    else if (record) this.#keep(asked.session, { live: true, room: record.room, at: asked.at, stream: asked.stream });
  }

  /** An end came on the stream. @param {string} session */
  ended(session) {
    this.#keep(session, { live: false });
    for (const asked of this.#asked) if (asked.session === session) asked.ended = true;
  }

  /** A stream is open, from which every end comes from now on. @param {number} now */
  opened(now) {
    this.#stream += 1;
    this.#open = true;
    this.#heard = now;
  }

  /** It has shown that it is alive. @param {number} now */
  heard(now) {
    this.#heard = now;
  }

  /** It is over, or says that it cannot tell. */
  closed() {
    this.#open = false;
  }

  /** Ends were missed, or the store is another one: nothing is known any more. */
  reset() {
    this.#entries.clear();
    this.#stream += 1;
  }

  /** @param {string} session @param {Entry} entry */
  #keep(session, entry) {
    this.#entries.delete(session);
    this.#entries.set(session, entry);
    if (this.#entries.size > this.#size) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
  }
}
