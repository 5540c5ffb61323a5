import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { events } from "../src/events.js";
import { DRIFT, Following } from "../src/following.js";
import { Known } from "../src/known.js";

const STALE = 5_000;
const LIVE = { room: "alice", active: true };

/** One that has been told of a live session at 1, with the stream open. */
function told() {
  const known = new Known(STALE, 3);
  known.opened(0, false);
  known.answered(known.ask("s", 1), LIVE, 1);
  return known;
}

/** One that reads a stream, of which `take` is what it says. */
function followed() {
  const known = new Known(STALE, 3);
  const following = new Following(known, STALE);
  const take = (/** @type {string} */ event, /** @type {unknown} */ data, /** @type {number} */ now, /** @type {string | null} */ id = null) =>
    following.take({ event, data: JSON.stringify(data), id }, now);
  return { known, following, take };
}

describe("what is known of sessions", () => {
  it("asks about what it does not know, and about nothing else", () => {
    const known = told();
    assert.equal(known.isLive("other", "alice", 1), undefined);
    assert.equal(known.isLive("s", "alice", 1), true);
    assert.equal(known.isLive("s", "bob", 1), false);
  });

  it("refuses from the moment in which the end comes, and tells it once", () => {
    const known = told();
    assert.equal(known.ended("s"), true);
    assert.equal(known.ended("s"), false);
    assert.equal(known.isLive("s", "alice", 1), false);
    known.began("s"); // forgotten by the server, and used again
    assert.equal(known.isLive("s", "alice", 1), undefined);
    known.ended("s");
    known.reset(2);
    assert.equal(known.isLive("s", "alice", 2), undefined);
  });

  it("believes an end more than an answer that was under way", () => {
    const known = told();
    const asked = known.ask("t", 1);
    known.ended("t");
    for (const other of ["a", "b", "c", "d"]) known.ended(other); // what is kept of it is gone
    assert.equal(known.answered(asked, LIVE, 2), null);
    assert.equal(known.isLive("t", "alice", 2), false);
  });

  it("believes what it knows as long as the stream says how far it has come", () => {
    const known = told();
    known.level(60_000);
    assert.equal(known.isLive("s", "alice", 60_000 + STALE), true);
    known.began("other"); // which may be late
    assert.equal(known.isLive("s", "alice", 60_001 + STALE), undefined);
  });

  it("does not say what was so too long ago", () => {
    const known = told();
    assert.equal(known.answered(known.ask("s", 1), LIVE, STALE + 2), undefined);
    known.level(10);
    assert.equal(known.answered(known.ask("s", 1), LIVE, STALE + 2), "alice");
  });

  it("asks again when the stream is cut, or has lost something", () => {
    const known = told();
    known.cut();
    assert.equal(known.isLive("s", "alice", 2), undefined);
    known.opened(3, true);
    assert.equal(known.isLive("s", "alice", 3), true);
    known.opened(4, false);
    assert.equal(known.isLive("s", "alice", 4), undefined);
  });

  it("keeps no more than it may, and no answer that is none", () => {
    const known = told();
    known.answered(known.ask("gone", 1), null, 1);
    known.answered(known.ask("away", 1), undefined, 1);
    assert.equal(known.isLive("gone", "alice", 1), undefined);
    assert.equal(known.isLive("away", "alice", 1), undefined);
    for (const other of ["a", "b", "c"]) known.answered(known.ask(other, 1), LIVE, 1);
    assert.equal(known.isLive("s", "alice", 1), undefined);
  });

  it("never says live longer than it may after an end, nor ended of a live one", () => {
    const lives = [0, 10, 1_000, 30_000, 60_000].map((lag) => {
      let said = 0;
      for (let seed = 1; seed <= 100; seed++) said += simulate(seed, lag);
      return said;
    });
    assert.ok(lives.every((said) => said > 100), `it says live now and then: ${lives}`);
  });
});

describe("following the stream", () => {
  it("is renewed before drift counts, or when clocks disagree, without a gap", () => {
    const { known, following, take } = followed();
    following.opening(0);
    take("ready", { cursor: "1" }, 1_000);
    known.answered(known.ask("s", 1_500), LIVE, 1_500);
    take("level", { elapsed_ms: 400_000 }, 400_000);
    assert.equal(known.isLive("s", "alice", 404_500), true);
    assert.equal(known.isLive("s", "alice", 404_700), undefined, "the server's clock may have been faster by 400 ms");
    assert.equal(following.renews, false);
    take("level", { elapsed_ms: 501_000 }, 501_000);
    assert.equal(following.renews, true);
    following.opening(502_000);
    assert.deepEqual([following.lastId, following.renews], ["1", false]);
    take("ready", { cursor: "1" }, 502_500);
    take("level", { elapsed_ms: 3_000 }, 502_500);
    assert.equal(following.renews, true, "that is from the future");
    assert.equal(known.isLive("s", "alice", 505_000), true);
    assert.equal(known.isLive("s", "alice", 507_000), undefined);
  });

  it("goes on behind what it has read; what it cannot read was missed", () => {
    const { known, following, take } = followed();
    following.opening(0);
    take("ready", { cursor: "1" }, 1);
    const row = { session: "s", room: "alice" };
    assert.deepEqual([take("session.ended", row, 2, "2"), take("session.ended", row, 2, "3")], [row, undefined]);
    assert.equal(following.lastId, "3");
    assert.throws(() => following.take({ event: "session.ended", data: "{", id: "4" }, 3));
    following.opening(4);
    assert.deepEqual([following.lastId, following.resets], [null, 0]);
    take("ready", { cursor: "9" }, 5);
    assert.deepEqual([following.lastId, following.resets, known.open], ["9", 1, true]);
    take("unavailable", { retry_ms: 500 }, 6);
    assert.equal(known.open, false);
    take("level", { elapsed_ms: 1 }, 7);
    assert.equal(known.open, true);
    take("reset", { cursor: "11" }, 8, "11");
    following.refused(500);
    assert.deepEqual([following.lastId, following.resets], ["11", 2]);
    following.refused(422);
    assert.equal(following.lastId, null);
    assert.deepEqual([following.cut(), following.cut()], [100, 200]);
  });

  it("reads whatever the bytes are cut into", async () => {
    const said = new TextEncoder().encode(': hello\n\nevent: session.ended\nid: 2\ndata: {"room": "Zoë"}\n\nevent: ready\ndata: {');
    const found = [];
    for await (const event of events((async function* () { for (const byte of said) yield Uint8Array.of(byte); })())) found.push(event);
    assert.deepEqual(found.slice(1), [{ event: "session.ended", data: '{"room": "Zoë"}', id: "2" }]);
  });
});

/**
 * Random sessions end, questions take their time, and the stream tells of ends in order, twice, or is cut. Its request and its bytes
 * take `lag` ms each; the server's clock is a little fast. How often it said live.
 */
function simulate(/** @type {number} */ seed, /** @type {number} */ lag) {
  let state = seed;
  const random = (/** @type {number} */ below) => (state = (state * 48_271) % 0x7fffffff) % below;
  const { known, following, take } = followed();
  const sessions = ["a", "b", "c", "d", "e", "f"];
  /** @type {Map<string, number>} */
  const ended = new Map();
  /** @type {string[]} */
  const log = [];
  /** What is on its way. @type {{at: number, event: string, data: any, id: string | null}[]} */
  let wire = [];
  /** @type {{asked: any, record: {room: string, active: boolean}}[]} */
  const asking = [];
  /** When the request of the stream arrives. @type {number | null} */
  let arrives = null;
  let served = false;
  let [now, read, lives] = [0, 0, 0];
  const say = (/** @type {string} */ event, /** @type {any} */ data, /** @type {string | null} */ id = null) =>
    wire.push({ at: now + lag, event, data, id });
  const open = () => {
    following.opening(now);
    [arrives, served, wire] = [now + lag, false, []];
  };
  const look = () => {
    if (arrives === null || now < arrives) return;
    if (!served) {
      served = true;
      read = following.lastId === null ? log.length : Number(following.lastId);
      say("ready", { cursor: String(read) });
    }
    for (; read < log.length; read++) say("session.ended", { session: log[read] }, String(read + 1));
    say("level", { elapsed_ms: Math.floor((now - arrives) * (1 + DRIFT)) });
  };
  const judge = (/** @type {string} */ session, /** @type {boolean | undefined} */ live) => {
    const at = ended.get(session);
    if (live === true) lives += 1;
    if (at === undefined) assert.notEqual(live, false, `seed ${seed}: ${session} is live`);
    else if (now - at > STALE + 1) assert.notEqual(live, true, `seed ${seed}, lag ${lag}: ${session} ended ${now - at} ms ago`);
  };
  open();
  for (let step = 0; step < 400; step++) {
    now += random(1_200);
    look();
    for (let next = wire[0]; next !== undefined && next.at <= now; next = wire[0]) {
      wire.shift();
      take(next.event, next.data, now, next.id);
      if (following.renews) open();
    }
    const session = sessions[random(sessions.length)] ?? "";
    switch (random(12)) {
      case 0:
        if (random(4) > 0 || ended.has(session)) break;
        ended.set(session, now);
        log.push(session);
        if (random(3) === 0) log.push(session);
        break;
      case 1:
        if (random(20) > 0) break;
        following.cut();
        if (random(3) === 0) following.refused(422); // its cursor is of another log
        open();
        break;
      case 2:
      case 3:
      case 4:
        asking.push({ asked: known.ask(session, now), record: { room: "r", active: !ended.has(session) } });
        break;
      case 5:
      case 6:
      case 7: {
        const [answer] = asking.splice(random(asking.length || 1), 1);
        if (answer === undefined) break;
        const room = known.answered(answer.asked, answer.record, now);
        judge(answer.asked.session, room === undefined ? undefined : room === "r");
        break;
      }
      default:
        judge(session, known.isLive(session, "r", now));
    }
  }
  return lives;
}
