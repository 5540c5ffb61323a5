/**
 * What is known of sessions without asking, and for how long it may be believed. Pure: time is an argument, in ms of a clock
 * that never goes back.
 *
 * While the stream of ends is open, an answer of the server is good for `maxStaleness` from when it was asked, and on as long as
 * the stream says how far it has come: all that was committed before some moment was told. That rows come shows nothing, for
 * they may be late. While the stream is not open, everything is asked for. What it says has ended, has.
 *
 * All moments are those of one steady clock, this machine's: when a question was sent, and, for the stream, when its request
 * was sent plus the time that has passed at the server since it came (`following.js`).
 */

/**
 * @typedef {object} Asked a question that is under way
 * @property {string} session
 * @property {number} at when it was sent
 * @property {boolean} ended the stream told of its end meanwhile
 */

export class Known {
  /** @type {Map<string, {room: string, at: number}>} when it was asked; the one that was learned first is first */
  #live = new Map();
  /** @type {Map<string, boolean>} those that have ended, and whether the stream told so */
  #ended = new Map();
  /** @type {Set<Asked>} */
  #asked = new Set();
  /** Whether the stream is open, and can tell. */
  open = false;
  #followingSince = Infinity;
  /** Up to when all was told that was committed. */
  #levelAt = -Infinity;
  #maxStaleness;
  #size;

  /** @param {number} maxStaleness ms @param {number} size live, and ended, sessions that are kept, at most */
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
    const found = this.#live.get(session);
    if (found === undefined) return this.#ended.has(session) ? false : undefined;
    if (!this.open || found.at <= this.#followingSince) return undefined; // nobody would tell of its end
    return this.#tooOld(found.at, now) ? undefined : found.room === room;
  }

  /** @param {string} session @param {number} now @returns {Asked} to be given back with the answer */
  ask(session, now) {
    const asked = { session, at: now, ended: false };
    this.#asked.add(asked);
    return asked;
  }

  /**
   * What was answered, the question being over. The room in which the session is live; null if in none; undefined if it was live when
   * it was asked, which is too long ago to say so, or if there was no answer. What is not known is not kept: a login may make it
   * known at any time.
   *
   * @param {Asked} asked
   * @param {{room: string, active: boolean} | null | undefined} record null: there is no such session; undefined: no answer
   * @param {number} now
   * @returns {string | null | undefined}
   */
  answered(asked, record, now) {
    const { session, at } = asked;
    this.#asked.delete(asked);
    if (asked.ended || record?.active === false) this.#end(session, false);
    else if (record === undefined) return undefined;
    if (!record || this.#ended.has(session)) {
      this.#live.delete(session);
      return null;
    }
    this.#keep(this.#live, session, { room: record.room, at });
    return this.#tooOld(at, now) ? undefined : record.room;
  }

  /** The stream is open. @param {number} now @param {boolean} resumed behind the last row, so that nothing is missed */
  opened(now, resumed) {
    this.open = true;
    if (!resumed) this.#followingSince = now;
  }

  /** Rows were missed: nothing is known any more. @param {number} now */
  reset(now) {
    this.#live.clear();
    this.#ended.clear();
    this.#followingSince = now;
  }

  /** The stream is not open any more, or cannot tell: until it can, everything is asked for. */
  cut() {
    this.open = false;
  }

  /** All that was committed before was told. @param {number} at */
  level(at) {
    this.open = true;
    this.#levelAt = Math.max(this.#levelAt, at);
  }

  /** A row of the stream: a session is live. @param {string} session */
  began(session) {
    this.open = true;
    this.#ended.delete(session); // an id that was forgotten may be used again
  }

  /** A row of the stream: a session has ended. @param {string} session @returns {boolean} whether it is the first to tell of it */
  ended(session) {
    this.open = true;
    for (const asked of this.#asked) if (asked.session === session) asked.ended = true;
    return this.#end(session, true);
  }

  /** @param {string} session @param {boolean} told */
  #end(session, told) {
    this.#live.delete(session);
    const before = this.#ended.get(session) ?? false;
    this.#keep(this.#ended, session, told || before);
    return told && !before;
  }

  /** @param {number} askedAt @param {number} now */
  #tooOld(askedAt, now) {
    return now - Math.max(askedAt, this.#levelAt) > this.#maxStaleness;
  }

  /**
   * The oldest go.
   *
   * @template T
   * @param {Map<string, T>} kept
   * @param {string} session
   * @param {T} entry
   */
  #keep(kept, session, entry) {
    kept.delete(session);
    kept.set(session, entry);
    const oldest = kept.keys().next();
    if (kept.size > this.#size && !oldest.done) kept.delete(oldest.value);
  }
}
