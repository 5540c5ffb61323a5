import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CLOCK_SLACK, coverOf, INITIAL, LATE, LONGEST_LIVE_TICK, LONGEST_TICK, nextTick, NOTHING_YET, RECHECK, step, view, type CoreState, type Effect, type Input } from "../src/core/machine.ts";
import type { SessionPayload } from "../src/core/wire.ts";
import { endFor, payloadFor, START } from "./world.ts";

const payload = (more: object = {}): SessionPayload => payloadFor("s1", 7, more) as unknown as SessionPayload;

/** Feeds inputs at their times; returns the last state and everything that was asked for. */
function feed(inputs: readonly (readonly [ms: number, input: Input])[], from: CoreState = INITIAL): { state: CoreState; effects: Effect[]; last: readonly Effect[] } {
  let state = from;
  const effects: Effect[] = [];
  let last: readonly Effect[] = [];
  for (const [ms, input] of inputs) {
    [state, last] = step(state, input, START + ms);
    effects.push(...last);
  }
  return { state, effects, last };
}

const start: Input = { type: "start" };
const mine: Input = { type: "identity", login: { session: "s1", room: "alice" } };
const joined: Input = { type: "joined", live: true };
const live = (more: object = {}): Input => ({ type: "session", payload: payload(more) });
const tick: Input = { type: "tick" };
const types = (effects: readonly Effect[]): string[] => effects.map(({ type }) => type);

describe("life of a session", () => {
  it("starts, becomes active with the server's answer, and anchors the deadlines to the given time", () => {
    const { state, effects } = feed([[0, start], [0, mine], [10, joined], [20, live({ idle_ms: 900_000, absolute_ms: 3_600_000 })]]);
    assert.equal(state.phase, "active");
    assert.equal(state.idleEndsAt, START + 20 + 900_000);
    assert.equal(state.absoluteEndsAt, START + 20 + 3_600_000);
    assert.deepEqual(types(effects), ["connect"]);
  });

  it("ends at once when the latch of its session is closed already", () => {
    const { state, effects } = feed([[0, start], [0, mine], [0, { type: "ended", end: endFor("s1"), source: "latch" }]]);
    assert.equal(state.phase, "expired");
    assert.deepEqual(types(effects), ["connect", "end"]);
  });

  it("stays ended, whatever comes", () => {
    const { state } = feed([[0, start], [0, mine], [1, { type: "ended", end: endFor("s1"), source: "server" }]]);
    const inputs: Input[] = [start, { type: "stop" }, joined, live(), { type: "dropped" }, { type: "unreachable" }, { type: "refused", code: "unavailable", data: null }, { type: "ended", end: endFor("s1", "idle"), source: "tab" }, { type: "restored" }, tick];
    for (const input of inputs) assert.deepEqual(step(state, input, START + 5), [state, []], input.type);
  });

  it("ignores news about another session or room", () => {
    const before = feed([[0, start], [0, mine], [1, joined], [2, live()]]).state;
    for (const end of [endFor("s2"), endFor("s1", "displaced", { room: "bob" })]) {
      const [after, effects] = step(before, { type: "ended", end, source: "tab" }, START + 3);
      assert.equal(after.phase, "active");
      assert.deepEqual(effects, []);
    }
    assert.equal(feed([[3, { type: "session", payload: { ...payload(), session: "s2" } }]], before).state.session, "s1");
  });

  it("stops and starts again with nothing left over", () => {
    const { state } = feed([[0, start], [0, mine], [1, joined], [2, live({ idle_ms: 5_000 })], [3, { type: "stop" }]]);
    assert.equal(state.phase, "stopped");
    assert.equal(feed([[4, start], [4, mine]], state).state.idleEndsAt, null);
  });
});

describe("refusals", () => {
  const refused = (code: string, data: unknown = null): Input => ({ type: "refused", code, data });

  it("ends on session-ended with what the server says, and on session-unknown as lost", () => {
    const ended = feed([[0, start], [0, mine], [1, refused("session-ended", endFor("s1", "admin"))]]).state;
    assert.equal(ended.end?.reason, "admin");
    const unknown = feed([[0, start], [0, mine], [1, refused("session-unknown", {})]]).state;
    assert.equal(unknown.phase, "expired");
    assert.deepEqual(unknown.end, { session: "s1", room: "alice", reason: "lost", message: "", at: "2026-11-21T08:30:00.001Z", by: null, redirect: null });
  });

  it("asks for a new ticket once, then it is an error and no logout", () => {
    const first = feed([[0, start], [0, mine], [1, refused("ticket-expired")]]);
    assert.deepEqual(types(first.last), ["renew"]);
    const second = feed([[2, refused("ticket-invalid")]], first.state);
    assert.deepEqual(second.last, [{ type: "halt", code: "ticket-invalid" }]);
    assert.equal(second.state.phase, "stopped");
    assert.equal(second.state.end, null);
  });

  it("may ask again after the new ticket was good", () => {
    const { state } = feed([[0, start], [0, mine], [1, refused("ticket-expired")], [2, joined], [3, live()], [4, { type: "dropped" }]]);
    assert.deepEqual(types(feed([[5, refused("ticket-expired")]], state).last), ["renew"]);
  });

  it("stops with an error on mistakes of the set-up", () => {
    for (const code of ["ticket-required", "room-required", "session-conflict"]) {
      const { state, last } = feed([[0, start], [0, mine], [1, refused(code)]]);
      assert.equal(state.phase, "stopped");
      assert.deepEqual(last.at(-1), { type: "halt", code });
    }
  });

  it("never logs out on what it does not know", () => {
    const { state, last } = feed([[0, start], [0, mine], [1, refused("something-new")]]);
    assert.equal(state.phase, "unreachable");
    assert.deepEqual(last, []);
  });
});

describe("time", () => {
  const IDLE = 900_000;
  const WARN = 120_000;
  const begun = (): CoreState => feed([[0, start], [0, mine], [0, joined], [0, live({ idle_ms: IDLE })]]).state;

  it("asks the server before it warns, and warns by its answer, once", () => {
    const asked = feed([[IDLE - WARN, tick]], begun());
    assert.deepEqual(types(asked.last), ["check"]);
    assert.equal(asked.state.phase, "active");
    const warned = feed([[IDLE - WARN, live({ idle_ms: WARN })]], asked.state);
    assert.equal(warned.state.phase, "prompted");
    assert.deepEqual(warned.last, [{ type: "warn", warning: { kind: "idle", endsAt: START + IDLE, remainingMs: WARN } }]);
    assert.deepEqual(feed([[IDLE - WARN + 5, live({ idle_ms: WARN - 5 })]], warned.state).last, []);
  });

  it("does not warn when another tab has moved the deadline", () => {
    const { state, last } = feed([[IDLE - WARN, tick], [IDLE - WARN, live({ idle_ms: IDLE })]], begun());
    assert.equal(state.phase, "active");
    assert.deepEqual(last, []);
  });

  it("goes back to active when the user stays", () => {
    const { state } = feed([[IDLE - WARN, tick], [IDLE - WARN, live({ idle_ms: WARN })], [IDLE - 5, live({ idle_ms: IDLE })]], begun());
    assert.equal(state.phase, "active");
  });

  it("asks at the deadline, and goes on asking while the server lets the session live", () => {
    const { state, last } = feed([[IDLE, tick]], begun());
    assert.deepEqual(types(last), ["check"]);
    assert.equal(coverOf(state, START + IDLE), "off");
    const graced = feed([[IDLE + 20, live({ idle_ms: 0 })]], state);
    assert.equal(graced.state.phase, "prompted");
    assert.deepEqual(types(feed([[IDLE + 1_020, tick]], graced.state).last), ["check"]);
  });

  it("hides the content until the answer when it woke long after the deadline, and warns nobody", () => {
    const { state, last } = feed([[IDLE + 3_600_000, tick]], begun());
    assert.deepEqual(types(last), ["check"]);
    assert.equal(coverOf(state, START + IDLE + 3_600_000), "checking");
    assert.equal(state.phase, "active");
  });

  it("never ends by its own clock: an unreachable server past the deadline is unreachable", () => {
    const { state, effects } = feed([[5, { type: "dropped" }], [IDLE, tick]], begun());
    assert.equal(state.phase, "unreachable");
    assert.equal(coverOf(state, START + IDLE), "unreachable");
    assert.deepEqual(effects, []);
    assert.equal(coverOf(feed([[IDLE + 9, joined], [IDLE + 10, live({ idle_ms: IDLE })]], state).state, START + IDLE + 10), "off");
  });

  it("asks over HTTP as well: a page without a socket is not covered while the server answers", () => {
    const polled = feed([[0, start], [0, mine], [0, { type: "joined", live: false }], [0, live({ idle_ms: IDLE })]]).state;
    const { state, last } = feed([[IDLE, tick]], polled);
    assert.deepEqual([state.phase, coverOf(state, START + IDLE), state.connected], ["active", "off", false]);
    assert.deepEqual(types(last), ["check"]);
  });

  it("keeps showing the page when a check fails before the deadline, and hides what is in doubt until the server has spoken", () => {
    const failed: Input = { type: "check-failed" };
    const calm = feed([[20, failed]], begun()).state;
    assert.deepEqual([coverOf(calm, START + 20), calm.phase], ["off", "active"]);
    const doubted = feed([[10, { type: "stored" }], [15, { type: "restored" }], [20, failed]], begun()).state;
    assert.deepEqual([coverOf(doubted, START + 20), doubted.phase], ["unreachable", "unreachable"]);
    assert.equal(nextTick(doubted, START + 20), START + 20 + RECHECK);
    const asked = feed([[20 + RECHECK, tick]], doubted);
    assert.deepEqual(types(asked.last), ["check"]);
    const answered = feed([[2_000, live()]], asked.state).state;
    assert.deepEqual([coverOf(answered, START + 2_000), answered.phase], ["off", "active"]);
  });

  it("goes on asking a server that answers, but cannot say whether the session lives", () => {
    const { state } = feed([[IDLE, tick], [IDLE + 10, { type: "check-failed" }]], begun());
    assert.deepEqual([state.phase, state.reached], ["unreachable", true]);
    assert.deepEqual(types(feed([[IDLE + 1_010, tick]], state).last), ["check"]);
  });

  it("asks again when the clock was set back, but not for a small correction", () => {
    assert.deepEqual(types(feed([[60_000, tick], [60_000 - CLOCK_SLACK - 1, tick]], begun()).last), ["check"]);
    assert.deepEqual(types(feed([[60_000, tick], [60_000 - CLOCK_SLACK, tick]], begun()).last), []);
  });

  it("takes the earlier deadline, and says which", () => {
    const { last } = feed([[0, start], [0, mine], [0, joined], [0, live({ idle_ms: 100_000, absolute_ms: 60_000 })]]);
    assert.deepEqual(last, [{ type: "warn", warning: { kind: "absolute", endsAt: START + 60_000, remainingMs: 60_000 } }]);
  });

  it("ticks at the warning, at the deadline, every second past it, and never sleeps long", () => {
    const state = begun();
    const at = (ms: number, s = state): number => nextTick(s, START + ms) - START;
    assert.equal(at(IDLE - WARN - 5), IDLE - WARN);
    assert.equal(at(0, { ...state, connected: false }), LONGEST_TICK);
    assert.equal(at(IDLE - 5), IDLE);
    assert.equal(at(IDLE + 5), IDLE + 5 + RECHECK);
    assert.equal(at(0, feed([[0, start], [0, mine], [0, joined], [0, live()]]).state), Infinity);
  });

  it("is woken by nothing but the server's pings while a socket is live and nothing is due", () => {
    const state = feed([[0, start], [0, mine], [0, joined], [0, live({ idle_ms: 30 * 86_400_000 })]]).state;
    assert.equal(nextTick(state, START), START + LONGEST_LIVE_TICK);
    assert.equal(nextTick(begun(), START + IDLE / 2), START + IDLE - WARN);
  });
});

describe("what is covered", () => {
  const IDLE = 60_000;
  const later = [IDLE, IDLE + 1, IDLE + 5_000, IDLE + 86_400_000];
  const inputs: Input[] = [
    start, mine, joined, { type: "joined", live: false }, live({ idle_ms: IDLE }), live({ idle_ms: IDLE, warn_ms: 0 }), { type: "dropped" }, { type: "unreachable" },
    { type: "refused", code: "ticket-expired", data: null }, { type: "refused", code: "unavailable", data: null }, { type: "refused", code: "session-conflict", data: null },
    { type: "ended", end: endFor("s1"), source: "server" }, { type: "check-failed" }, { type: "stored" }, { type: "restored" }, { type: "stop", gaveUp: true }, { type: "stop" }, tick,
  ];

  it("is every state past its deadline, but that of a page which was stopped on purpose", () => {
    // Every state that three inputs lead to, and every input in each of them past the deadline.
    const begun = feed([[0, start], [0, mine], [0, joined], [0, live({ idle_ms: IDLE })]]).state;
    let states = [begun];
    for (let turn = 0; turn < 3; turn++) states = states.flatMap((state) => [state, ...inputs.map((input) => step(state, input, START + 10)[0])]);
    const phases = new Set<string>();
    for (const early of new Map(states.map((state) => [JSON.stringify(state), state])).values()) {
      for (const at of later) {
        for (const input of inputs) {
          const [state] = step(early, input, START + at);
          const endsAt = state.idleEndsAt ?? Infinity;
          const quiet = state.phase === "stopped" && !state.gaveUp;
          if (quiet || START + at < endsAt + (state.reached ? LATE : 0)) continue;
          phases.add(state.phase);
          assert.notEqual(coverOf(state, START + at), "off", `${input.type} at ${at}: ${JSON.stringify(state)}`);
        }
      }
    }
    assert.deepEqual([...phases].sort(), ["active", "expired", "prompted", "stopped", "unreachable"]);
  });

  it("is a page that gave up, from its deadline on, and it says so", () => {
    const { state } = feed([[0, start], [0, mine], [0, joined], [0, live({ idle_ms: IDLE })], [5, { type: "refused", code: "session-conflict", data: null }]]);
    assert.deepEqual([state.phase, coverOf(state, START + IDLE - 1), coverOf(state, START + IDLE)], ["stopped", "off", "unconfirmed"]);
    assert.equal(nextTick(state, START + IDLE - 5), START + IDLE);
    assert.equal(nextTick(state, START + IDLE), Infinity);
  });

  it("is what the history leads to, before anything is known of it", () => {
    const { state } = feed([[0, { type: "start", doubted: true }], [0, mine], [0, { type: "unreachable" }]]);
    assert.equal(coverOf(state, START), "unreachable");
    assert.equal(coverOf(feed([[1, joined], [2, live()]], state).state, START + 2), "off");
  });
});

it("shows the same object until something public changes", () => {
  const { state } = feed([[0, start], [0, mine], [1, joined], [2, live()]]);
  const shown = view(state, NOTHING_YET);
  assert.equal(view({ ...state, seenAt: 1, checking: true }, shown), shown);
  assert.notEqual(view({ ...state, connected: false }, shown), shown);
  assert.ok(Object.isFrozen(shown));
});
