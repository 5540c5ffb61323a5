/** What the events of the stream mean to whoever keeps a cache: one reader over all its connections. Pure. */

/** @typedef {import("./known.js").Known} Known */
/** @typedef {import("./events.js").StreamEvent} StreamEvent */

const LIVE = ["session.started", "session.claimed"];
const ENDED = "session.ended";
export const EVENTS = [...LIVE, ENDED].join(",");
/** Milliseconds before the stream is opened again, doubled each time. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 5_000;
/**
 * By which part the steady clocks of two machines may go faster or slower than each other, at most: NTP slews by half of that,
 * and quartz is off by a tenth.
 */
export const DRIFT = 0.001;
/** The part of `maxStaleness` that drift may take away before the stream is opened anew, so that it counts anew. */
const RENEWED_AT = 0.1;
/** Milliseconds by which the stream may seem to come from the future before the clocks are found to disagree. */
const AHEAD = 100;
const CURSOR_REFUSED = 422;

export class Following {
  #known;
  #renewedAfter;
  #askedAt = 0;
  #opened = false;
  #resumes = false;
  #wait = FIRST_WAIT;
  /** @type {string | null} behind which it goes on; null: from now */
  lastId = null;
  /** How often ends may have been missed so far. */
  resets = 0;
  /** Whether another connection shall take over from this one, which is not cut: nothing is forgotten. */
  renews = false;

  /** @param {Known} known @param {number} maxStaleness ms */
  constructor(known, maxStaleness) {
    this.#known = known;
    this.#renewedAfter = (maxStaleness * RENEWED_AT) / DRIFT;
  }

  /** The stream is about to be opened, behind `lastId`. @param {number} now */
  opening(now) {
    this.#askedAt = now;
    this.renews = false;
    this.#resumes = this.lastId !== null;
  }

  /** It was not opened. A cursor that is not taken is dropped, and with it what was missed. @param {number} status */
  refused(status) {
    if (status === CURSOR_REFUSED) this.lastId = null;
  }

  /** It is closed; the milliseconds until it is opened again, before they are spread by chance. */
  cut() {
    this.#known.cut();
    const wait = this.#wait;
    this.#wait = Math.min(2 * wait, LONGEST_WAIT);
    return wait;
  }

  /**
   * An event. What cannot be read was missed: the stream goes on from then.
   *
   * @param {StreamEvent} event
   * @param {number} now
   * @returns {Record<string, any> | undefined} the row, if it is the first to tell of an end
   */
  take({ event, data, id }, now) {
    try {
      const row = data === "" ? {} : JSON.parse(data);
      const end = this.#understood(event, row, now);
      if (id !== null) this.lastId = id;
      return end;
    } catch (error) {
      this.lastId = null;
      throw error;
    }
  }

  /** @param {string} event @param {Record<string, any>} data @param {number} now */
  #understood(event, data, now) {
    if (event === "ready") this.#ready(data["cursor"], now);
    else if (event === "reset") this.#reset(now);
    else if (event === "unavailable") this.#known.cut();
    else if (event === "level") this.#level(data["elapsed_ms"], now);
    else if (LIVE.includes(event)) this.#known.began(data["session"]);
    else if (event === ENDED && this.#known.ended(data["session"])) return data;
    return undefined; // what later versions may say means nothing
  }

  /** @param {string} cursor @param {number} now */
  #ready(cursor, now) {
    this.#wait = FIRST_WAIT;
    if (!this.#resumes) {
      if (this.#opened) this.#reset(now); // what was meanwhile is not known
      this.lastId = cursor;
    }
    this.#opened = true;
    this.#known.opened(now, this.#resumes);
  }

  /** @param {number} now */
  #reset(now) {
    this.resets += 1;
    this.#known.reset(now);
  }

  /** All was told that was committed until so long after the request came, which was not before it was sent. */
  #level(/** @type {number} */ elapsed, /** @type {number} */ now) {
    const at = this.#askedAt + elapsed * (1 - DRIFT);
    const disagree = at > now + AHEAD; // as after a sleep of this machine
    if (!disagree) this.#known.level(Math.min(at, now));
    this.renews = disagree || elapsed > this.#renewedAfter;
  }
}
