import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { REPORT_EVERY } from "../src/activity.ts";
import { BURST, CHECK_LIMIT } from "../src/asking.ts";
import { ACK_LIMIT } from "../src/transport/link.ts";
import { NoTicket } from "../src/credentials/fetch-ticket.ts";
import type { SessionEnd, SessionState } from "../src/types.ts";
import { endFor, FakeBrowser, payloadFor, settled, START, ticketFor } from "./world.ts";

const A = { ticket: ticketFor("A") };
const live = payloadFor("A", 10);

describe("the face of a guard", () => {
  it("can be created and asked anywhere; only start() needs the browser", async () => {
    const browser = new FakeBrowser();
    const tab = browser.tab(A);
    assert.equal(tab.guard.getState().phase, "stopped");
    await assert.rejects(tab.guard.check(), { code: "stopped" });
    await assert.rejects(tab.guard.extend(), { code: "stopped" });
    tab.guard.stop();
    tab.guard.reportActivity();
    assert.equal(tab.links.length, 0);
    assert.equal(browser.local.entries.size, 0);
  });

  it("asks of the user's devices, and reports, with the ticket of its own session or the one that it is given", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab({ ...A, url: "https://e.example/" }, live);
    browser.answerCall = () => Promise.resolve({ status: 200, body: { ended: ["B"] }, retryMs: 0 });
    const { devices } = tab.guard;
    assert.deepEqual(await devices.end("B", { ticket: "elevated" }), { ended: ["B"] });
    await devices.endOthers();
    await devices.list();
    tab.link.end(endFor("A"));
    browser.answerCall = () => Promise.resolve({ status: 204, body: null, retryMs: 0 });
    await tab.guard.report("Not me.");
    assert.deepEqual(
      browser.calls.map(({ url, ticket, body }) => [url.replace("https://e.example/session/", ""), ticket === A.ticket ? "own" : ticket, body]),
      [["devices/end", "elevated", { session: "B" }], ["devices/end", "own", { others: true }], ["devices", "own", undefined], ["report", "own", { note: "Not me." }]],
    );
  });

  it("says by its code why such a call was refused", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, live);
    for (const [status, body, code] of [[403, { code: "elevation-required" }, "elevation-required"], [502, null, "unreachable"], [502, "<html>", "unreachable"], [0, null, "unreachable"], [403, { code: 5 }, "unreachable"]] as const) {
      browser.answerCall = () => Promise.resolve({ status, body, retryMs: 0 });
      await assert.rejects(tab.guard.devices.list(), { code });
    }
    const open = await browser.liveTab({ room: "alice" }, payloadFor("made-1", 0));
    await assert.rejects(open.guard.devices.list(), { code: "ticket-required" });
    const stopped = browser.tab(A);
    await assert.rejects(stopped.guard.report(), { code: "stopped" });
  });

  it("tells subscribers of every change until they leave, one failing among them or not", () => {
    const browser = new FakeBrowser();
    const tab = browser.tab(A);
    const seen: string[] = [];
    const listener = (state: SessionState): void => {
      assert.equal(tab.guard.getState(), state);
      seen.push(`${state.phase} ${String(state.connected)}`);
    };
    tab.guard.subscribe(() => { throw new Error("app"); });
    const leave = tab.guard.subscribe(listener);
    tab.guard.start();
    tab.guard.start();
    tab.link.join(live);
    leave();
    leave();
    tab.guard.stop();
    assert.deepEqual(seen, ["starting false", "starting true", "active true"]);
    assert.equal(tab.links.length, 1);
  });

  it("stops without a trace, twice, and starts again", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, payloadFor("A", 10, { idle_ms: 900_000 }));
    tab.guard.stop();
    tab.guard.stop();
    await settled();
    assert.equal(browser.clock.waiting, 0);
    assert.equal(browser.channels.length, 0);
    assert.ok(tab.link.closedByPage);
    assert.equal(tab.guard.getState().phase, "stopped");
    tab.guard.start();
    tab.link.join(live);
    assert.equal(tab.links.length, 2);
    assert.equal(tab.guard.getState().phase, "active");
    assert.deepEqual(tab.events, []);
  });

  it("shows the session, and the deadlines on this machine's clock", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, payloadFor("A", 10, { idle_ms: 900_000, newest: false }));
    assert.deepEqual(tab.guard.getState(), {
      phase: "active", session: "A", room: "alice", newest: false, idleEndsAt: START + 900_000, absoluteEndsAt: null, connected: true, end: null,
    });
  });

  it("refuses a server address that is none", () => {
    const tab = new FakeBrowser().tab({ ...A, url: "javascript:1" });
    assert.throws(() => { tab.guard.start(); }, { code: "bad-url" });
    assert.equal(tab.guard.getState().phase, "stopped");
  });
});

describe("tickets", () => {
  it("come from a function, and go on with the fresh one that the server sends", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab({ ticket: () => Promise.resolve(A.ticket) }, { ...live, ticket: "fresh" });
    assert.deepEqual(tab.links[0]?.credentials, A);
    tab.link.events.refused("");
    await browser.clock.pass(1_000);
    assert.deepEqual(tab.link.credentials, { ticket: "fresh" });
  });

  it("are asked for once more when one is refused; a second refusal is an error and no logout", async () => {
    const browser = new FakeBrowser();
    let asked = 0;
    const tab = browser.tab({ ticket: () => ticketFor("A", "alice", ++asked) });
    tab.guard.start();
    await settled();
    tab.link.events.refused("ticket-expired", null);
    await settled();
    assert.equal(asked, 2);
    assert.deepEqual(tab.link.credentials, { ticket: ticketFor("A", "alice", 2) });
    tab.link.events.refused("ticket-expired", null);
    await browser.clock.pass(60_000);
    assert.equal(asked, 2);
    assert.deepEqual(tab.events, ["error ticket-expired"]);
    assert.equal(tab.guard.getState().phase, "stopped");
    assert.equal(tab.guard.getState().end, null);
  });

  it("that are only a string cannot be renewed: an error, no logout", async () => {
    const browser = new FakeBrowser();
    const tab = browser.tab({ ...A, logoutUrl: "/logout" });
    tab.guard.start();
    tab.link.events.refused("ticket-invalid", null);
    await settled();
    assert.deepEqual(tab.events, ["error ticket-invalid"]);
    assert.equal(tab.guard.getState().phase, "stopped");
  });

  it("are waited for while the app is away, and not asked for again when it says there is none", async () => {
    const browser = new FakeBrowser();
    const answers = [() => Promise.reject(new Error("502")), () => Promise.reject(new Error("502")), () => Promise.resolve(A.ticket)];
    const tab = browser.tab({ ticket: () => (answers.shift() ?? (() => Promise.reject(new Error("too often"))))() });
    tab.guard.start();
    await settled();
    assert.equal(tab.guard.getState().phase, "unreachable");
    await browser.clock.pass(2_000);
    tab.link.join(live);
    assert.equal(tab.guard.getState().phase, "active");
    assert.deepEqual(tab.events, ["error ticket-unavailable"]);

    const none = browser.tab({ ticket: () => Promise.reject(new NoTicket("/ticket", 401)) });
    none.guard.start();
    await browser.clock.pass(60_000);
    assert.equal(none.guard.getState().phase, "stopped");
    assert.deepEqual(none.events, ["error ticket-unavailable"]);
  });

  it("are needed", async () => {
    const tab = new FakeBrowser().tab({ ticket: () => "" });
    tab.guard.start();
    await settled();
    assert.deepEqual(tab.events, ["error ticket-required"]);
    assert.equal(tab.guard.getState().phase, "stopped");
  });

  it("of another user make the page reload: it is not theirs", async () => {
    const browser = new FakeBrowser();
    const tickets = [ticketFor("A"), ticketFor("Z", "bob")];
    const saved: string[] = [];
    const beforeForcedLogout = (end: SessionEnd): unknown => saved.push(end.reason);
    const tab = await browser.liveTab({ ticket: () => tickets.shift() ?? "", logoutUrl: "/logout", beforeForcedLogout }, live);
    tab.link.events.refused("");
    await browser.clock.pass(1_000);
    tab.link.events.refused("ticket-expired", null);
    await browser.clock.pass(2_000);
    assert.deepEqual(tab.events, ["load again"]);
    assert.deepEqual(saved, ["replaced"]);
  });

  it("that the app no longer has end the page that had one, and leave one that never had one alone", async () => {
    const browser = new FakeBrowser();
    const spare = [ticketFor("A")];
    const ticket = (): Promise<string> => (spare.length ? Promise.resolve(spare.pop()!) : Promise.reject(new NoTicket("/ticket", 401)));
    const tab = await browser.liveTab({ ticket }, live);
    tab.link.events.refused("");
    await browser.clock.pass(1_000);
    tab.link.events.refused("ticket-expired", null);
    await settled();
    assert.deepEqual(tab.events, ["notice lost", "event"]);
    const visitor = browser.tab({ ticket });
    visitor.guard.start();
    await settled();
    assert.equal(visitor.guard.getState().phase, "stopped");
    assert.deepEqual([visitor.events, visitor.screen.filter((what) => what !== "clear")], [["error ticket-unavailable"], []]);
  });

  it("that cannot be had any more stop the guard, and hide the page from its deadline on", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, payloadFor("A", 10, { idle_ms: 60_000, warn_ms: 0 }));
    tab.link.events.refused("");
    await browser.clock.pass(1_000);
    tab.link.events.refused("ticket-expired", null);
    assert.equal(tab.guard.getState().phase, "stopped");
    assert.deepEqual(tab.events, ["error ticket-expired"]);
    assert.equal(tab.screen.join(), "");
    await browser.clock.pass(60_000);
    assert.equal(tab.screen.join(), "cover unconfirmed");
    await assert.rejects(tab.guard.check(), { code: "stopped" });
    tab.guard.stop();
    assert.equal(tab.screen.at(-1), "clear");
    assert.ok(tab.closed);
  });
});

describe("a page that has said too much", () => {
  const limited = { ok: false, code: "rate-limited", retry_ms: 3_000 };

  it("says it again when the server wants to hear it, and nobody is alarmed", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, payloadFor("A", 10, { idle_ms: 900_000 }));
    tab.input();
    await settled();
    tab.link.take("activity").reply(limited);
    const checked = tab.guard.check();
    await settled();
    tab.link.take("check").reply(limited);
    await browser.clock.pass(2_999);
    assert.deepEqual(tab.link.requests, []);
    await browser.clock.pass(1);
    assert.deepEqual(tab.link.take("activity").payload, { idle_for_ms: 3_000 });
    tab.link.take("check").reply(live);
    assert.equal((await checked).phase, "active");
    assert.deepEqual([tab.events, tab.screen, tab.links.length], [[], [], 1]);
  });

  it("takes no time that is none", async () => {
    for (const retry_ms of [undefined, -5, "soon", 1e12, null]) {
      const browser = new FakeBrowser();
      const tab = await browser.liveTab(A, live);
      const stayed = tab.guard.extend();
      tab.link.take("activity").reply({ ...limited, retry_ms });
      for (let waited = 0; !tab.link.requests.length && waited < 60_000; waited += 100) await browser.clock.pass(100);
      tab.link.take("activity").reply(live);
      await stayed;
    }
  });
});

describe("questions", () => {
  it("check() resolves with the answer, extends nothing, and is asked once for all who wait", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, live);
    const answers = Promise.all([tab.guard.check(), tab.guard.check()]);
    await settled();
    assert.deepEqual(tab.link.requests.map(({ name, payload }) => [name, payload]), [["check", undefined]]);
    tab.link.take("check").reply(payloadFor("A", 10, { idle_ms: 5_000_000 }));
    for (const state of await answers) assert.equal(state.idleEndsAt, START + 5_000_000);
  });

  it("check() finds the session ended, with the reason that only the next link tells", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, live);
    const answer = tab.guard.check();
    await settled();
    tab.link.take("check").reply({ ok: false, code: "session-ended" });
    await settled();
    assert.equal(tab.links.length, 2);
    tab.link.events.refused("session-ended", endFor("A", "admin"));
    assert.equal((await answer).end?.reason, "admin");
    assert.equal((await tab.guard.check()).phase, "expired");
  });

  it("check() on a link that is silently dead takes a new one", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, live);
    const answer = tab.guard.check();
    await browser.clock.pass(ACK_LIMIT);
    assert.equal(tab.links.length, 2);
    tab.link.join(live);
    assert.equal((await answer).phase, "active");
  });

  it("check() rejects when the server cannot be reached, and when it only keeps silent", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, live);
    tab.link.events.refused("");
    const refused = assert.rejects(tab.guard.check(), { code: "unreachable" });
    tab.link.events.refused("");
    await refused;
    assert.equal(tab.guard.getState().phase, "unreachable");
    const silent = assert.rejects(tab.guard.check(), { code: "unreachable" });
    await browser.clock.pass(CHECK_LIMIT);
    await silent;
    const unavailable = browser.tab(A);
    unavailable.guard.start();
    unavailable.link.join(live);
    const answer = assert.rejects(unavailable.guard.check(), { code: "unavailable" });
    await settled();
    unavailable.link.take("check").reply({ ok: false, code: "unavailable" });
    await answer;
  });

  it("extend() resolves on the server's ack, and rejects when it is over", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, payloadFor("A", 10, { idle_ms: 60_000 }));
    assert.equal(tab.guard.getState().phase, "prompted");
    const extended = tab.guard.extend();
    await settled();
    const { payload, reply } = tab.link.take("activity");
    assert.deepEqual(payload, { idle_for_ms: 0 });
    assert.equal(tab.guard.getState().phase, "prompted");
    reply(payloadFor("A", 10, { idle_ms: 900_000 }));
    assert.equal((await extended).phase, "active");
    const refused = assert.rejects(tab.guard.extend(), { code: "ended" });
    await settled();
    tab.link.take("activity").reply({ ok: false, code: "session-ended" });
    await refused;
    tab.link.events.refused("session-ended", endFor("A"));
    await assert.rejects(tab.guard.extend(), { code: "ended" });
  });

  it("logout() ends this page when the server has said yes", async () => {
    const browser = new FakeBrowser();
    const saved: string[] = [];
    const options = { ...A, logoutUrl: "/logout", beforeForcedLogout: () => saved.push("save") };
    const tab = await browser.liveTab(options, live);
    const other = await browser.liveTab(options, live);
    const done = tab.guard.logout({ everywhere: true });
    await settled();
    const { payload, reply } = tab.link.take("logout");
    assert.deepEqual(payload, { everywhere: true });
    assert.equal(tab.guard.getState().phase, "active");
    reply({ ok: true });
    await done;
    await settled();
    assert.equal(tab.guard.getState().end?.reason, "logout");
    assert.deepEqual(other.guard.getState().end?.reason, "logout");
    assert.deepEqual(saved, ["save"], "the other tab's work only: this one's user asked for it");
    assert.equal(browser.posts.length, 1);
  });

  it("logout() says no when the server does", async () => {
    const tab = await new FakeBrowser().liveTab({ room: "alice" }, payloadFor("made-1", 0));
    const done = assert.rejects(tab.guard.logout({ everywhere: true }), { code: "ticket-required" });
    await settled();
    tab.link.take("logout").reply({ ok: false, code: "ticket-required" });
    await done;
    assert.equal(tab.guard.getState().phase, "active");
  });
});

describe("activity", () => {
  it("is reported at once, then at most every 5 s, with the time since the last input", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, live);
    const reports: unknown[] = [];
    const collect = (): void => {
      const { payload, reply } = tab.link.take("activity");
      reports.push(payload);
      reply(live);
    };
    tab.input();
    collect();
    tab.input();
    const timers = browser.clock.waiting;
    await browser.clock.pass(1_000);
    tab.input();
    assert.equal(browser.clock.waiting, timers, "one timer, however much is typed");
    await browser.clock.pass(REPORT_EVERY - 1_001);
    assert.equal(tab.link.requests.length, 0);
    await browser.clock.pass(1);
    collect();
    assert.deepEqual(reports, [{ idle_for_ms: 0 }, { idle_for_ms: 4_000 }]);
    await browser.clock.pass(60_000);
    assert.equal(tab.link.requests.length, 0, "nobody was there, nothing is sent");
    assert.equal(tab.links.length, 1);
  });

  it("of a time without connection is reported after it, with its age", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, live);
    tab.link.events.refused("");
    tab.input();
    await browser.clock.pass(3_000);
    tab.link.join(live);
    assert.deepEqual(tab.link.requests.map(({ payload }) => payload), [{ idle_for_ms: 3_000 }]);
  });

  it("comes from the app alone when switched off", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab({ ...A, activity: "off" }, live);
    tab.input();
    assert.equal(tab.link.requests.length, 0);
    tab.guard.reportActivity();
    assert.equal(tab.link.requests.length, 1);
  });
});

describe("waking up", () => {
  it("checks, but not for every event of a burst", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, live);
    tab.wake("awake");
    tab.wake("awake");
    await settled();
    tab.link.take("check").reply(live);
    assert.equal(tab.link.requests.length, 0);
    await browser.clock.pass(BURST);
    tab.link.take("check").reply(live);
    assert.equal(tab.link.requests.length, 0, "once more after the burst, and that was it");
    await browser.clock.pass(60_000);
    assert.equal(tab.link.requests.length, 0);
  });

  it("past the deadline ends at once: no warning on the way", async () => {
    const browser = new FakeBrowser();
    const warned: string[] = [];
    const tab = await browser.liveTab({ ...A, onWarning: ({ kind }) => warned.push(kind) }, payloadFor("A", 10, { idle_ms: 900_000 }));
    browser.clock.sleep(3_600_000);
    tab.link.isAlive = false;
    tab.wake("awake");
    assert.equal(tab.links.length, 2);
    tab.link.events.refused("session-ended", endFor("A", "idle"));
    await settled();
    assert.deepEqual(warned, []);
    assert.deepEqual(tab.events, ["notice idle", "event"]);
  });

  it("from the back-forward cache: hidden until the answer is there", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, live);
    tab.wake("restored");
    assert.deepEqual(tab.screen, ["cover checking"]);
    await settled();
    tab.link.take("check").reply(live);
    await settled();
    assert.deepEqual(tab.screen, ["cover checking", "cover off"]);
  });

  it("from the back-forward cache of a page that had left: says why it is covered", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab({ ...A, redirect: "/bye" }, live);
    tab.link.end(endFor("A"));
    await settled();
    tab.wake("restored");
    assert.deepEqual(tab.events, ["notice displaced", "event", "go https://app.example/bye"]);
  });

  it("says why the page is hidden when the server is away past the deadline, and shows it again after", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab({ ...A, logoutUrl: "/logout" }, payloadFor("A", 10, { idle_ms: 10_000, warn_ms: 0 }));
    tab.link.events.refused("");
    await browser.clock.pass(10_000);
    assert.equal(tab.screen.at(-1), "cover unreachable");
    assert.equal(tab.guard.getState().phase, "unreachable");
    tab.link.join(payloadFor("A", 10, { idle_ms: 900_000 }));
    assert.equal(tab.screen.at(-1), "cover off");
    assert.equal(browser.posts.length, 0);
  });

  it("a newer login in this browser makes a live tab ask at once", async () => {
    const browser = new FakeBrowser();
    const old = await browser.liveTab(A, live);
    await browser.liveTab({ ticket: ticketFor("B") }, payloadFor("B", 11));
    await settled();
    old.link.take("check");
  });
});

describe("an idle page", () => {
  it("is woken by the server's pings alone, and notices by them that the clock was set back", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, payloadFor("A", 10, { idle_ms: 900_000 }));
    const timers = browser.clock.waiting;
    for (let ping = 0; ping < 10; ping++) {
      await browser.clock.pass(25_000);
      tab.link.events.pinged?.();
    }
    assert.equal(browser.clock.waiting, timers);
    assert.deepEqual(tab.link.requests, []);
    browser.clock.time -= 3_600_000;
    tab.link.events.pinged?.();
    tab.link.take("check");
  });
});
