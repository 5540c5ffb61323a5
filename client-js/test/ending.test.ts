import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OPEN_DELAY, REPLACED_DELAY, SAVE_LIMIT, STILL_HERE } from "../src/ending.ts";
import type { SessionGuardOptions } from "../src/types.ts";
import { endFor, FakeBrowser, payloadFor, settled, ticketFor, type FakeTab } from "./world.ts";

const A = { ticket: ticketFor("A"), logoutUrl: "/logout" } satisfies SessionGuardOptions;

const liveA = (browser: FakeBrowser, more: SessionGuardOptions = {}): Promise<FakeTab> => browser.liveTab({ ...A, ...more }, payloadFor("A", 10));

describe("a kick", () => {
  it("is latched, then acked, then everything else in its order", async () => {
    const browser = new FakeBrowser();
    const order: string[] = [];
    const tab = await liveA(browser, {
      beforeForcedLogout: () => order.push("save"),
      onSessionExpired: (end) => order.push(`expired ${end.reason}`),
    });
    browser.local.onSet = (key) => order.push(/ended\/A$/.test(key) ? "latch" : /called\/A$/.test(key) ? "mark" : key);
    browser.answer = () => {
      order.push("logoutUrl");
      return Promise.resolve(204);
    };
    tab.link.events.message("force-logout", endFor("A"), () => order.push("ack"));
    await settled();
    assert.deepEqual(order, ["latch", "ack", "save", "mark", "logoutUrl", "expired displaced"]);
    assert.deepEqual(tab.events, ["notice displaced", "logoutUrl", "event"]);
    assert.equal(tab.guard.getState().phase, "expired");
    assert.deepEqual(tab.guard.getState().end, endFor("A"));
  });

  it("names the ended session to the app", async () => {
    const browser = new FakeBrowser();
    const tab = await liveA(browser, { logout: { headers: { "X-CSRF-Token": "c", "X-Enforcer-Session": "forged" } } });
    tab.link.end(endFor("A"));
    await settled();
    assert.deepEqual(browser.posts, [
      { url: "https://app.example/logout", headers: { "X-CSRF-Token": "c", "X-Enforcer-Session": "A" }, form: { session: "A", reason: "displaced" } },
    ]);
  });

  it("comes under whatever name the server gives it, and only its own session's counts", async () => {
    const browser = new FakeBrowser();
    const tab = await liveA(browser);
    assert.equal(tab.link.end(endFor("B")), false);
    assert.equal(tab.link.end(endFor("A", "displaced", { room: "bob" })), false);
    assert.equal(tab.guard.getState().phase, "active");
    assert.equal(tab.link.end(endFor("A"), "SessionExpired"), true);
    assert.equal(tab.guard.getState().phase, "expired");
  });

  it("that is repeated is acked again and handled once", async () => {
    const browser = new FakeBrowser();
    const tab = await liveA(browser);
    tab.link.end(endFor("A"));
    assert.equal(tab.link.end(endFor("A")), true);
    await settled();
    assert.equal(tab.link.end(endFor("A")), true);
    await settled();
    assert.deepEqual(tab.events, ["notice displaced", "logoutUrl", "event"]);
  });

  it("is the last that the session says: it never connects again, not even as a new page", async () => {
    const browser = new FakeBrowser();
    const tab = await liveA(browser);
    tab.link.end(endFor("A"));
    tab.link.events.refused("");
    tab.wake("awake");
    tab.guard.start();
    await browser.clock.pass(600_000);
    assert.equal(tab.links.length, 1);

    const reloaded = browser.tab(A);
    reloaded.guard.start();
    await settled();
    assert.equal(reloaded.links.length, 0);
    assert.equal(reloaded.guard.getState().phase, "expired");
    assert.deepEqual(reloaded.events, ["notice displaced", "event"], "and the app's logout is not called again");
  });

  it("ends without storage, too", async () => {
    const browser = new FakeBrowser();
    browser.local.durable = false;
    const tab = await liveA(browser);
    assert.equal(tab.link.end(endFor("A")), true);
    await settled();
    assert.deepEqual(tab.events, ["notice displaced", "logoutUrl", "event"]);
  });

  it("is told to the user at once, however long the app takes over its logout; what leaves the page waits", async () => {
    const browser = new FakeBrowser();
    let answer: (status: number) => void = () => undefined;
    browser.answer = () => new Promise((resolve) => { answer = resolve; });
    const tab = await liveA(browser, { redirect: "/bye", loginUrl: "/login" });
    tab.link.end(endFor("A"));
    await settled();
    assert.deepEqual(tab.events, ["notice displaced", "logoutUrl"]);
    assert.equal(tab.screen.at(-1), "notice displaced https://app.example/login");
    answer(204);
    await settled();
    assert.deepEqual(tab.events, ["notice displaced", "logoutUrl", "event", "go https://app.example/bye"]);
  });

  it("that the user asked for needs no explanation on the way to another page", async () => {
    for (const [redirect, shown] of [["/bye", false], [undefined, true]] as const) {
      const browser = new FakeBrowser();
      browser.answer = () => new Promise(() => undefined);
      const tab = await liveA(browser, redirect ? { redirect } : {});
      const done = tab.guard.logout();
      tab.link.take("logout").reply({ ok: true });
      await done;
      await settled();
      assert.deepEqual(tab.events, shown ? ["notice logout", "logoutUrl"] : ["logoutUrl"]);
    }
  });

  it("waits for the work to be saved, but not for ever", async () => {
    const browser = new FakeBrowser();
    let deadline = 0;
    const tab = await liveA(browser, {
      beforeForcedLogout: (_end, chance) => {
        deadline = chance.deadline;
        return new Promise(() => undefined);
      },
    });
    const begun = browser.clock.time;
    tab.link.end(endFor("A"));
    await browser.clock.pass(SAVE_LIMIT - 1);
    assert.deepEqual(tab.events, []);
    await browser.clock.pass(1);
    assert.deepEqual(tab.events, ["notice displaced", "logoutUrl", "event"]);
    assert.equal(deadline, begun + SAVE_LIMIT);
  });

  it("goes on when the app's own functions fail", async () => {
    const browser = new FakeBrowser();
    const fail = (): never => {
      throw new Error("app");
    };
    const tab = await liveA(browser, { beforeForcedLogout: fail, onSessionExpired: fail, onStateChange: fail });
    tab.link.end(endFor("A"));
    await settled();
    assert.deepEqual(tab.events.filter((event) => event !== "error callback"), ["notice displaced", "logoutUrl", "event"]);
  });

  it("goes on when the app's logout fails, and says so", async () => {
    const browser = new FakeBrowser();
    browser.answer = () => Promise.resolve(403);
    const refused = await liveA(browser);
    refused.link.end(endFor("A"));
    await settled();
    assert.deepEqual(refused.events, ["notice displaced", "logoutUrl", "error logout-failed", "event"]);
  });
});

describe("several tabs", () => {
  it("end together, even those whose socket is dead, and one of them calls the app's logout", async () => {
    const browser = new FakeBrowser();
    const tabs = [await liveA(browser), await liveA(browser), await liveA(browser)];
    tabs[1]?.link.events.refused("");
    tabs[0]?.link.end(endFor("A"));
    tabs[2]?.link.end(endFor("A"));
    await settled();
    for (const tab of tabs) {
      assert.equal(tab.guard.getState().phase, "expired");
      assert.deepEqual(tab.events.filter((event) => event !== "logoutUrl"), ["notice displaced", "event"]);
    }
    assert.equal(browser.posts.length, 1);
  });

  it("wait for the one that calls before they leave", async () => {
    const browser = new FakeBrowser();
    let answer: (status: number) => void = () => undefined;
    browser.answer = () => new Promise((resolve) => { answer = resolve; });
    const tabs = [await liveA(browser, { redirect: "/bye" }), await liveA(browser, { redirect: "/bye" })];
    for (const tab of tabs) tab.link.end(endFor("A"));
    await settled();
    assert.deepEqual(tabs.map((tab) => tab.events.join()), ["notice displaced,logoutUrl", "notice displaced"]);
    answer(204);
    await settled();
    for (const tab of tabs) assert.equal(tab.events.at(-1), "go https://app.example/bye");
  });

  it("leave the call to the next one when the first could not make it", async () => {
    const browser = new FakeBrowser();
    let calls = 0;
    browser.answer = () => (++calls === 1 ? Promise.reject(new TypeError("offline")) : Promise.resolve(204));
    const tabs = [await liveA(browser), await liveA(browser), await liveA(browser)];
    for (const tab of tabs) tab.link.end(endFor("A"));
    await settled();
    assert.equal(calls, 2);
  });

  it("of another scope are another browser", async () => {
    const browser = new FakeBrowser();
    const [left, right] = [await liveA(browser, { scope: "left" }), await liveA(browser, { scope: "right" })];
    left.link.end(endFor("A"));
    await settled();
    assert.equal(right.guard.getState().phase, "active");
  });

  it("that were frozen find out when they wake", async () => {
    const browser = new FakeBrowser();
    const frozen = await liveA(browser);
    browser.channels = [];
    const other = await liveA(browser);
    other.link.end(endFor("A"));
    await settled();
    assert.equal(frozen.guard.getState().phase, "active");
    frozen.wake("awake");
    await settled();
    assert.deepEqual(frozen.events, ["notice displaced", "event"]);
  });
});

describe("where it goes", () => {
  it("follows the server's target before the page's, and stays without either", async () => {
    const browser = new FakeBrowser();
    const tab = await liveA(browser, { redirect: "/bye" });
    tab.link.end(endFor("A", "idle", { redirect: "https://idp.example/logout" }));
    await settled();
    assert.equal(tab.events.at(-1), "go https://idp.example/logout");
  });

  it("never follows a script", async () => {
    const browser = new FakeBrowser();
    const tab = await liveA(browser, { redirect: "javascript:alert(1)", loginUrl: "javascript:alert(2)" });
    tab.link.end(endFor("A"));
    await settled();
    assert.deepEqual(tab.events.filter((event) => event.startsWith("go")), []);
    assert.equal(tab.screen.at(-1), "notice displaced null");
    assert.ok(tab.events.includes("error bad-redirect"));
  });

  it("does not go round in circles when the target shows the ended page again", async () => {
    const browser = new FakeBrowser();
    const tab = await liveA(browser, { redirect: "/" });
    tab.link.end(endFor("A"));
    await settled();
    assert.equal(tab.events.at(-1), "go https://app.example/");
    const again = browser.tab({ ...A, redirect: "/" });
    for (const [key, value] of tab.sessionStore.entries) again.sessionStore.set(key, value);
    again.guard.start();
    await settled();
    assert.deepEqual(again.events, ["notice displaced", "event"]);
  });

  it("links to the login page, or else to the target", async () => {
    for (const [options, link] of [
      [{ loginUrl: "/login", notice: true }, "https://app.example/login"],
      [{}, "null"],
    ] as const) {
      const browser = new FakeBrowser();
      const tab = await liveA(browser, options);
      tab.link.end(endFor("A"));
      await settled();
      assert.equal(tab.screen.at(-1), `notice displaced ${link}`);
    }
  });

  it("shows nothing when the notice is off, and leaves the page alone when the event is prevented", async () => {
    const browser = new FakeBrowser();
    const silent = await liveA(browser, { notice: "off" });
    const kept = await liveA(browser, { redirect: "/bye" });
    kept.prevent = true;
    silent.link.end(endFor("A"));
    await settled();
    assert.ok(!silent.events.includes("notice displaced"));
    assert.ok(kept.events.includes("event"));
    assert.ok(!kept.events.some((event) => event.startsWith("go")));
    assert.equal(kept.screen.at(-1), "clear", "what was on the screen while the app was called is taken away");
  });

  it("navigates to the app's logout as the last step, in one tab, when it is a GET", async () => {
    const browser = new FakeBrowser();
    const options = { logoutUrl: "/logout?x=1", logout: { method: "GET" }, redirect: "/bye" } as const;
    const tabs = [await liveA(browser, options), await liveA(browser, options)];
    for (const tab of tabs) tab.link.end(endFor("A"));
    await settled();
    assert.deepEqual(tabs.map((tab) => tab.events.join()).sort(), [
      "notice displaced,event,go https://app.example/bye",
      "notice displaced,event,go https://app.example/logout?x=1&session=A&reason=displaced",
    ]);
    assert.equal(browser.posts.length, 0);
  });
});

describe("logging in again in the same browser", () => {
  it("with `replaces`: the old tab saves its work, is covered, and is loaded again once, silently, when the new page is there", async () => {
    const browser = new FakeBrowser();
    const told: string[] = [];
    const old = await liveA(browser, { redirect: "/bye", onSessionExpired: (end) => told.push(end.reason), beforeForcedLogout: (end) => told.push(`save ${end.reason}`) });
    old.link.end(endFor("A", "replaced"));
    await settled();
    assert.deepEqual(told, ["save replaced"]);
    assert.deepEqual(old.screen, ["cover checking"]);
    assert.deepEqual(old.events, []);
    await browser.liveTab({ ticket: ticketFor("B") }, payloadFor("B", 11));
    await settled();
    assert.deepEqual(old.events, ["load again"]);
    old.wake("awake");
    assert.deepEqual(old.events, ["load again"]);
    assert.deepEqual(told, ["save replaced"]);
    assert.equal(browser.posts.length, 0);
  });

  it("and the old tab is still there: it says why it is covered", async () => {
    for (const back of [false, true]) {
      const browser = new FakeBrowser();
      const old = await liveA(browser, { notice: "off" });
      old.link.end(endFor("A", "replaced"));
      await browser.clock.pass(REPLACED_DELAY);
      assert.deepEqual(old.events, ["load again"]);
      if (back) old.wake("restored");
      else await browser.clock.pass(STILL_HERE);
      assert.deepEqual(old.events, ["load again", "notice replaced"]);
    }
  });

  it("and the old tab shows the answer to a POST: it is never sent again", async () => {
    const browser = new FakeBrowser();
    const old = await liveA(browser);
    old.answersPost = true;
    old.link.end(endFor("A", "replaced"));
    await browser.clock.pass(REPLACED_DELAY + STILL_HERE);
    await browser.liveTab({ ticket: ticketFor("B") }, payloadFor("B", 11));
    await settled();
    assert.deepEqual(old.events, ["notice replaced"]);
  });

  it("with `replaces`, and no new page to be seen: reloads all the same", async () => {
    const browser = new FakeBrowser();
    const old = await liveA(browser);
    old.link.end(endFor("A", "replaced"));
    await browser.clock.pass(REPLACED_DELAY);
    assert.deepEqual(old.events, ["load again"]);
  });

  it("with the kick before the new page: the app is told which session, and the old tab reloads when the page comes", async () => {
    const browser = new FakeBrowser();
    const old = await liveA(browser);
    old.link.end(endFor("A"));
    await settled();
    assert.deepEqual(old.events, ["notice displaced", "logoutUrl", "event"]);
    await browser.liveTab({ ticket: ticketFor("B") }, payloadFor("B", 11));
    await settled();
    assert.deepEqual(old.events, ["notice displaced", "logoutUrl", "event", "load again"]);
    old.wake("awake");
    await browser.liveTab({ ticket: ticketFor("C") }, payloadFor("C", 12));
    await settled();
    assert.equal(old.events.filter((event) => event === "load again").length, 1);
  });

  it("with the new page before the kick: no logout, no notice, a reload", async () => {
    const browser = new FakeBrowser();
    const expired: string[] = [];
    const old = await liveA(browser, { onSessionExpired: (end) => expired.push(end.reason) });
    await browser.liveTab({ ticket: ticketFor("B") }, payloadFor("B", 11));
    await settled();
    assert.deepEqual(old.events, []);
    old.link.end(endFor("A"));
    await settled();
    assert.deepEqual(old.events, ["load again"]);
    assert.deepEqual(expired, []);
  });

  it("an old page that comes back late gives way to the newer login, and never logs it out", async () => {
    const browser = new FakeBrowser();
    await browser.liveTab({ ticket: ticketFor("B") }, payloadFor("B", 1_795_249_800_000_000 + 5));
    const old = browser.tab({ ...A, ticket: ticketFor("A", "alice", 1_795_249_700) });
    old.guard.start();
    await settled();
    old.link.events.refused("session-ended", endFor("A"));
    await settled();
    assert.deepEqual(old.events, ["load again"]);
    assert.equal(browser.posts.length, 0);
  });

  it("does not hide the end of the newest login behind an older one", async () => {
    const browser = new FakeBrowser();
    await browser.liveTab({ ticket: ticketFor("B") }, payloadFor("B", 1_795_249_800_000_000));
    const newest = browser.tab({ ...A, ticket: ticketFor("A", "alice", 1_795_249_900) });
    newest.guard.start();
    await settled();
    newest.link.events.refused("session-ended", endFor("A"));
    await settled();
    assert.deepEqual(newest.events, ["notice displaced", "logoutUrl", "event"]);
  });

  it("does not reload for a newer login that has ended as well, nor for another user's", async () => {
    const browser = new FakeBrowser();
    const old = await liveA(browser);
    const bob = { room: "bob" };
    await browser.liveTab({ ticket: ticketFor("B", "bob") }, payloadFor("B", 11, bob));
    old.link.end(endFor("A"));
    await settled();
    assert.deepEqual(old.events, ["notice displaced", "logoutUrl", "event"]);
    assert.equal(browser.posts.length, 1);

    const second = new FakeBrowser();
    const waiting = await liveA(second);
    const newer = await second.liveTab({ ticket: ticketFor("C") }, payloadFor("C", 12));
    newer.link.end(endFor("C"));
    await settled();
    waiting.link.end(endFor("A"));
    await settled();
    assert.deepEqual(waiting.events, ["notice displaced", "logoutUrl", "event"]);
  });

  it("reloads no second time when the reloaded page still holds the old ticket", async () => {
    const browser = new FakeBrowser();
    const old = await liveA(browser);
    old.link.end(endFor("A", "replaced"));
    await browser.clock.pass(REPLACED_DELAY);
    const again = browser.tab(A);
    for (const [key, value] of old.sessionStore.entries) again.sessionStore.set(key, value);
    again.guard.start();
    await browser.clock.pass(REPLACED_DELAY);
    assert.deepEqual(again.events, ["notice replaced"]);
    const blocked = browser.tab(A);
    blocked.sessionStore.durable = false;
    blocked.loadedAgain = true;
    blocked.guard.start();
    await browser.clock.pass(REPLACED_DELAY);
    assert.deepEqual(blocked.events, ["notice replaced"]);
  });

  it("reaches a tab that slept, by what was stored", async () => {
    const browser = new FakeBrowser();
    const old = await liveA(browser);
    old.link.end(endFor("A"));
    await settled();
    browser.channels = [];
    await browser.liveTab({ ticket: ticketFor("B") }, payloadFor("B", 11));
    old.wake("awake");
    assert.equal(old.events.at(-1), "load again");
  });

  it("leaves an ended guard alone once it is stopped", async () => {
    const browser = new FakeBrowser();
    const old = await liveA(browser);
    old.link.end(endFor("A"));
    await settled();
    old.guard.stop();
    await browser.liveTab({ ticket: ticketFor("B") }, payloadFor("B", 11));
    await settled();
    assert.ok(!old.events.includes("load again"));
    assert.equal(old.guard.getState().phase, "expired");
  });
});

describe("open mode", () => {
  const OPEN = { room: "alice", logoutUrl: "/logout" } satisfies SessionGuardOptions;
  const idOf = (tab: FakeTab): string => ("session" in tab.link.credentials ? tab.link.credentials.session : "");

  it("makes one id for all tabs of the browser, and joins with it", async () => {
    const browser = new FakeBrowser();
    const first = await browser.liveTab(OPEN, payloadFor("made-1", 0));
    const second = await browser.liveTab(OPEN, payloadFor("made-1", 0));
    assert.deepEqual(first.link.credentials, { room: "alice", session: "made-1" });
    assert.deepEqual(second.link.credentials, first.link.credentials);
    const bob = browser.tab({ room: "bob" });
    bob.guard.start();
    await settled();
    assert.equal(idOf(bob), "made-2");
  });

  it("makes a new one after a log-in, and when the old one's end has been handled", async () => {
    const browser = new FakeBrowser();
    const first = await browser.liveTab(OPEN, payloadFor("made-1", 0));
    const fresh = await browser.liveTab({ ...OPEN, freshLogin: true }, payloadFor("made-2", 0));
    assert.equal(idOf(fresh), "made-2");
    first.guard.stop();
    fresh.link.end(endFor("made-2"));
    await browser.clock.pass(OPEN_DELAY);
    assert.ok(fresh.events.includes("notice displaced"));
    const next = browser.tab(OPEN);
    next.guard.start();
    await settled();
    assert.equal(idOf(next), "made-3");
  });

  it("keeps its id when the way leads back to the page that made it", async () => {
    const browser = new FakeBrowser();
    await browser.liveTab({ ...OPEN, freshLogin: true }, payloadFor("made-1", 0));
    const back = browser.tab({ ...OPEN, freshLogin: true });
    back.how = "back_forward";
    back.guard.start();
    await settled();
    assert.equal(idOf(back), "made-1");
  });

  it("takes no id for one that the server would not take", async () => {
    const browser = new FakeBrowser();
    const probe = browser.tab(OPEN);
    probe.guard.start();
    await settled();
    const key = [...browser.local.entries.keys()].find((name) => name.includes("/newest/"))!;
    probe.guard.stop();
    for (const rubbish of ["5", "{}", '{"room":"alice","session":"a b","epoch":0,"at":1}', '{"room":"bob","session":"x","epoch":0,"at":1}', "x".repeat(1_000_000)]) {
      browser.local.entries.set(key, rubbish);
      const tab = browser.tab(OPEN);
      tab.guard.start();
      await settled();
      assert.match(idOf(tab), /^made-/);
      tab.guard.stop();
    }
  });

  it("never joins with an ended id, even if nobody was left to delete it", async () => {
    const browser = new FakeBrowser();
    const tab = await browser.liveTab(OPEN, payloadFor("made-1", 0));
    tab.link.end(endFor("made-1"));
    const next = browser.tab(OPEN);
    next.guard.start();
    await settled();
    assert.equal(idOf(next), "made-2");
  });

  it("tells the app to log out only when no newer page has come within 1.5 s", async () => {
    const browser = new FakeBrowser();
    const alone = await browser.liveTab(OPEN, payloadFor("made-1", 5));
    alone.link.end(endFor("made-1"));
    await browser.clock.pass(OPEN_DELAY - 1);
    assert.deepEqual(alone.events, ["notice displaced"]);
    await browser.clock.pass(1);
    assert.deepEqual(alone.events, ["notice displaced", "logoutUrl", "event"]);
  });

  it("reloads instead when the browser's newer page comes in time, connected or not", async () => {
    const browser = new FakeBrowser();
    const old = await browser.liveTab(OPEN, payloadFor("made-1", 5));
    old.link.end(endFor("made-1"));
    await browser.clock.pass(OPEN_DELAY - 100);
    browser.tab({ ...OPEN, freshLogin: true }).guard.start();
    await settled();
    assert.deepEqual(old.events, ["notice displaced", "load again"]);
    assert.equal(browser.posts.length, 0);
    const after = browser.tab(OPEN);
    after.guard.start();
    await settled();
    assert.equal(idOf(after), "made-2", "the newer page's id is still there");
  });
});
