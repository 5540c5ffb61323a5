import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createActivity, REPORT_EVERY } from "../src/activity.ts";
import { rulesOf } from "../src/http/watch.ts";
import { FakeBrowser, FakeClock, payloadFor, settled, ticketFor } from "./world.ts";

const A = { ticket: ticketFor("A") };
const live = payloadFor("A", 10);

describe("activity of several tabs", () => {
  class OneTab {
    readonly clock = new FakeClock();
    readonly reports: number[] = [];
    readonly shared: [number, boolean][] = [];
    able = true;
    readonly activity = createActivity(
      this.clock,
      (idleForMs) => {
        if (this.able) this.reports.push(idleForMs());
        return this.able;
      },
      (activeAt, reported) => this.shared.push([activeAt, reported]),
    );
  }

  it("is told to the others, as often as it is reported", async () => {
    const { clock, activity, shared } = new OneTab();
    const start = clock.time;
    activity.human();
    activity.human();
    await clock.pass(1_000);
    activity.human();
    await clock.pass(REPORT_EVERY);
    assert.deepEqual(shared, [[start, true], [start + 1_000, true]]);
  });

  it("is reported by a tab that can when it was seen by one that cannot, once", async () => {
    const { clock, activity, reports } = new OneTab();
    clock.sleep(700);
    activity.heard(clock.time - 700, false);
    activity.heard(clock.time - 700, false);
    await clock.pass(60_000);
    assert.deepEqual(reports, [700]);
  });

  it("is not reported again when another tab has done so", async () => {
    const { clock, activity, reports } = new OneTab();
    activity.human();
    clock.sleep(1_000);
    activity.human();
    activity.heard(clock.time, true);
    await clock.pass(60_000);
    assert.deepEqual(reports, [0]);
  });

  it("waits for the way back when no tab has one", () => {
    const tab = new OneTab();
    tab.able = false;
    tab.activity.heard(tab.clock.time, false);
    tab.able = true;
    tab.clock.sleep(2_000);
    tab.activity.flush();
    assert.deepEqual(tab.reports, [2_000]);
  });

  it("goes on when the clock is set back, and believes no time to come", async () => {
    const { clock, activity, reports } = new OneTab();
    activity.human();
    clock.sleep(-3_600_000);
    activity.heard(clock.time + 3_600_000, true);
    activity.human();
    await clock.pass(REPORT_EVERY);
    assert.equal(reports.length, 2);
    assert.ok(reports.every((ms) => ms >= 0));
  });
});

describe("tabs of one guard's browser", () => {
  it("report for the one whose wire is cut", async () => {
    const browser = new FakeBrowser();
    const cut = await browser.liveTab(A, live);
    const other = await browser.liveTab(A, live);
    cut.link.events.refused("");
    cut.input();
    await settled();
    assert.deepEqual(other.link.take("activity").payload, { idle_for_ms: 0 });
  });

  it("take away their warnings when the user answers in one of them", async () => {
    const browser = new FakeBrowser();
    const near = payloadFor("A", 10, { idle_ms: 60_000 });
    const here = await browser.liveTab(A, near);
    const there = await browser.liveTab(A, near);
    assert.deepEqual(there.prompt, { kind: "idle", endsAt: browser.clock.time + 60_000 });
    here.guard.reportActivity();
    await settled();
    const far = payloadFor("A", 10, { idle_ms: 900_000 });
    here.link.take("activity").reply(far);
    there.link.take("check").reply(far);
    await settled();
    assert.equal(here.prompt, null);
    assert.equal(there.prompt, null);
  });
});

describe("the warning", () => {
  const near = payloadFor("A", 10, { idle_ms: 60_000 });

  it("is shown while the session is near its end, unless the app has its own", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, near);
    assert.equal(tab.prompt?.kind, "idle");
    const own = await browser.liveTab({ ...A, warn: "off" }, near);
    assert.equal(own.prompt, null);
  });

  it("takes no brush of the mouse for an answer, but reportActivity() and its button", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, near);
    tab.input();
    await settled();
    assert.equal(tab.link.requests.length, 0);
    const stayed = tab.actions?.stay();
    await settled();
    tab.link.take("activity").reply(payloadFor("A", 10, { idle_ms: 900_000 }));
    await stayed;
    assert.equal(tab.prompt, null);
  });

  it("stays while the server is out of reach, until the deadline covers the page", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, near);
    tab.link.events.refused("");
    await browser.clock.pass(1_000);
    tab.link.events.refused("");
    await settled();
    assert.equal(tab.guard.getState().phase, "unreachable");
    assert.equal(tab.prompt?.kind, "idle");
    await browser.clock.pass(60_000);
    assert.ok(tab.screen.includes("cover unreachable"));
    tab.link.join(payloadFor("A", 10, { idle_ms: 900_000 }));
    assert.equal(tab.prompt, null);
  });

  it("takes what is written into the page for an answer, and a hand that brushes the mouse for none", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, near);
    assert.equal(tab.prompt?.kind, "idle");
    tab.input();
    await settled();
    assert.deepEqual(tab.link.requests, []);
    tab.input(true);
    await settled();
    tab.link.take("activity");
  });

  it("reports input that is still to be reported before it comes up", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(A, payloadFor("A", 10, { idle_ms: 10_000, warn_ms: 7_000 }));
    tab.input();
    await settled();
    tab.link.take("activity").reply(payloadFor("A", 10, { idle_ms: 10_000, warn_ms: 7_000 }));
    await browser.clock.pass(1_000);
    tab.input();
    await browser.clock.pass(2_000);
    assert.deepEqual(tab.link.take("activity").payload, { idle_for_ms: 2_000 });
    tab.link.take("check");
    assert.equal(tab.prompt, null);
  });
});

describe("watching the page's requests", () => {
  it("asks the server at a sign, and lets nothing end by it alone", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab({ ...A, watchHttp: { paths: ["/api"], header: "X-Ended" } }, live);
    assert.deepEqual(tab.watched, { paths: ["/api"], header: "X-Ended" });
    tab.noticed();
    await settled();
    tab.link.take("check").reply(live);
    await settled();
    assert.equal(tab.guard.getState().phase, "active");
    tab.guard.stop();
    assert.equal(tab.watched, null);
    assert.ok(tab.closed);
  });

  it("is off unless asked for", () => {
    const browser = new FakeBrowser();
    for (const [watchHttp, watched] of [[undefined, null], ["off", null], [false, null], ["on", "on"]] as const) {
      const tab = browser.tab(watchHttp === undefined ? A : { ...A, watchHttp });
      tab.guard.start();
      assert.equal(tab.watched, watched);
    }
  });

  it("is for everything, or for some path prefixes, or a header", () => {
    assert.deepEqual(rulesOf("on"), { paths: [], header: null });
    assert.deepEqual(rulesOf(true), { paths: [], header: null });
    assert.deepEqual(rulesOf("/a /b,/c"), { paths: ["/a", "/b", "/c"], header: null });
    assert.deepEqual(rulesOf({ paths: "on", header: "X-Ended" }), { paths: [], header: "X-Ended" });
    assert.deepEqual(rulesOf(["/a"]), { paths: ["/a"], header: null });
    assert.deepEqual(rulesOf({ header: "X-Ended" }), { paths: [], header: "X-Ended" });
  });
});
