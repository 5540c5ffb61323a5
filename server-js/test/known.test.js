import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Known } from "../src/known.js";

const STALE = 5_000;

/** One that has been told of a live session at 0, with the stream open. */
function told() {
  const known = new Known(STALE, 3);
  known.opened(0);
  known.answered(known.ask("s", 0), { room: "alice", active: true });
  return known;
}

describe("what is known of sessions", () => {
  it("asks about what it does not know, and about nothing else", () => {
    const known = told();
    assert.equal(known.isLive("other", "alice", 0), undefined);
    assert.equal(known.isLive("s", "alice", 0), true);
    assert.equal(known.isLive("s", "bob", 0), false);
  });

  it("refuses from the moment in which the end comes", () => {
    const known = told();
    known.ended("s");
    assert.equal(known.isLive("s", "alice", 0), false);
    known.reset();
    assert.equal(known.isLive("s", "alice", 0), undefined);
  });

  it("believes an end more than an answer that was under way", () => {
    const known = new Known(STALE, 3);
    known.opened(0);
    const asked = known.ask("s", 0);
    known.ended("s");
    for (const other of ["a", "b", "c", "d"]) known.ended(other); // what is kept of it is gone
    known.answered(asked, { room: "alice", active: true });
    assert.equal(known.isLive("s", "alice", 0), false);
  });

  it("believes what it knows as long as the stream is heard", () => {
    const known = told();
    known.heard(60_000);
    assert.equal(known.isLive("s", "alice", 60_000 + STALE), true);
    assert.equal(known.isLive("s", "alice", 60_001 + STALE), undefined);
  });

  it("asks again when the stream is cut, another, or has lost something", () => {
    for (const lose of ["closed", "reset"]) {
      const known = told();
      known[lose]();
      known.heard(STALE + 1);
      assert.equal(known.isLive("s", "alice", STALE + 1), undefined, lose);
    }
    const known = told();
    known.closed();
    known.opened(STALE + 1); // the ends of the time between are still to come
    assert.equal(known.isLive("s", "alice", STALE + 1), undefined);
  });

  it("does not take an answer from before the stream for one that the stream keeps true", () => {
    const known = new Known(STALE, 3);
    const asked = known.ask("s", 0);
    known.opened(1);
    known.answered(asked, { room: "alice", active: true });
    known.heard(STALE + 1);
    assert.equal(known.isLive("s", "alice", STALE), true);
    assert.equal(known.isLive("s", "alice", STALE + 1), undefined);
  });

  it("keeps no more than it may, and no answer that is none", () => {
    const known = told();
    known.answered(known.ask("gone", 0), null);
    known.answered(known.ask("away", 0), undefined);
    assert.equal(known.isLive("gone", "alice", 0), undefined);
    for (const other of ["a", "b", "c"]) known.ended(other);
    assert.equal(known.isLive("s", "alice", 0), undefined);
  });

  it("never says live longer than it may after an end, nor ended of a live one", () => {
    for (let seed = 1; seed <= 500; seed++) simulate(seed);
  });
});

/** Random sessions end, questions take their time, and the stream tells of ends in order, late, twice, or is cut. */
function simulate(/** @type {number} */ seed) {
  let state = seed;
  const random = (/** @type {number} */ below) => (state = (state * 48_271) % 0x7fffffff) % below;
  const known = new Known(STALE, 4);
  const sessions = ["a", "b", "c", "d", "e", "f"];
  /** @type {Map<string, number>} */
  const ended = new Map();
  /** @type {{session: string}[]} ends on their way, while the stream is open */
  let coming = [];
  /** @type {{asked: any, record: {room: string, active: boolean}}[]} */
  const asking = [];
  let open = false;
  let now = 0;
  const hear = () => {
    const next = coming.shift();
    if (next !== undefined) known.ended(next.session);
    if (coming.length === 0) known.heard(now); // it is up to date
  };
  for (let step = 0; step < 200; step++) {
    now += random(800);
    const session = sessions[random(sessions.length)] ?? "";
    switch (random(9)) {
      case 0:
        if (ended.has(session)) break;
        ended.set(session, now);
        if (open) coming.push(...Array.from({ length: 1 + random(2) }, () => ({ session })));
        break;
      case 1:
        open = random(2) === 0;
        coming = []; // what was on its way is lost with the stream
        if (open) known.opened(now);
        else known.closed();
        break;
      case 2:
        if (random(4) === 0) known.reset();
        break;
      case 3:
      case 4:
        if (open) hear();
        break;
      case 5:
      case 6:
        asking.push({ asked: known.ask(session, now), record: { room: "r", active: !ended.has(session) } });
        break;
      case 7: {
        const [answer] = asking.splice(random(asking.length || 1), 1);
        if (answer !== undefined) known.answered(answer.asked, answer.record);
        break;
      }
      default: {
        const live = known.isLive(session, "r", now);
        const at = ended.get(session);
        if (at === undefined) assert.notEqual(live, false, `seed ${seed}: ${session} is live`);
        else if (now - at > STALE) assert.notEqual(live, true, `seed ${seed}: ${session} ended ${now - at} ms ago`);
      }
    }
  }
}
