import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLatch, REMEMBERED } from "../src/latch.ts";
import { createLocks, SEEN } from "../src/locks.ts";
import { createNewest, isNewer, type Login } from "../src/newest.ts";
import { safeStore } from "../src/storage.ts";
import { createTabs, type Channel, type TabMessage } from "../src/tabs.ts";
import { endFor, FakeClock, FakeStore, settled } from "./world.ts";

describe("storage", () => {
  const forbidden = (): Storage => {
    throw new DOMException("denied", "SecurityError");
  };

  it("falls back to a memory of the page when it is forbidden or full", () => {
    class Full {
      setItem(): never {
        throw new DOMException("full", "QuotaExceededError");
      }
      getItem = null;
    }
    const full = Object.create(new Full()) as Storage;
    for (const open of [forbidden, () => full]) {
      const store = safeStore(open);
      assert.equal(store.set("key", { of: "value" }), false);
      assert.deepEqual(store.get("key"), { of: "value" });
      assert.deepEqual(store.keys(), ["key"]);
      store.remove("key");
      assert.equal(store.get("key"), null);
    }
  });

  it("sees what other tabs have written since", () => {
    const entries: Record<string, string> = {};
    const storage = { setItem: (key: string, value: string) => { entries[key] = value; }, getItem: (key: string) => entries[key] ?? null, removeItem: (key: string) => { Reflect.deleteProperty(entries, key); } } as unknown as Storage;
    const store = safeStore(() => storage);
    assert.equal(store.set("key", "mine"), true);
    entries["key"] = '"theirs"';
    assert.equal(store.get("key"), "theirs");
  });

  it("reads nothing from what is no JSON", () => {
    for (const text of ["", "{", "null", "undefined", "x".repeat(1_000_000)]) {
      const store = safeStore(() => ({ getItem: () => text }) as unknown as Storage);
      assert.equal(store.get("key"), null, text.slice(0, 60));
    }
  });
});

describe("the latch", () => {
  it("goes one way, and keeps the first end", () => {
    const store = new FakeStore();
    const latch = createLatch("space", store);
    assert.equal(latch.read("A"), null);
    latch.close(endFor("A", "idle"));
    latch.close(endFor("A", "admin"));
    assert.deepEqual(createLatch("space", store).read("A"), endFor("A", "idle"));
    assert.equal(createLatch("other space", store).read("A"), null);
  });

  it("gives the app's logout to one caller", () => {
    const latch = createLatch("space", new FakeStore());
    assert.deepEqual([latch.takeLogout("A"), latch.takeLogout("A"), latch.takeLogout("B")], [true, false, true]);
    latch.releaseLogout("A");
    assert.equal(latch.takeLogout("A"), true);
  });

  it("does not fill the storage", () => {
    const store = new FakeStore();
    const latch = createLatch("space", store);
    store.set("the app's own", "stays");
    for (let n = 0; n < 1_000; n++) {
      latch.close(endFor(`S${n}`));
      latch.takeLogout(`S${n}`);
      assert.ok(latch.read(`S${n}`));
    }
    assert.ok(store.entries.size <= 2 * REMEMBERED + 4);
    assert.equal(store.get("the app's own"), "stays");
  });
});

describe("what another application of the origin has written", () => {
  const rubbish = ["", "{", "null", "[]", "5", '"text"', "{}", '{"room":5,"session":"A"}', '{"room":"alice","session":"A","reason":null}', `{"room":"alice","session":"A","epoch":"9","at":1}`, "x".repeat(2_000_000), `{"room":"alice","session":"${"y".repeat(1_000_000)}","epoch":1,"at":1,"reason":"idle"}`];

  it("is no end and no login", () => {
    const store = new FakeStore();
    for (const text of rubbish) {
      store.entries.set("space/ended/A", text);
      store.entries.set("space/newest/alice", text);
      assert.equal(createLatch("space", store).read("A"), null, text.slice(0, 60));
      assert.equal(createNewest("space", store).read("alice"), null, text.slice(0, 60));
    }
  });
});

describe("one tab at a time, without Web Locks", () => {
  it("runs the work in one tab after the other, and gives up on one that never lets go", async () => {
    const clock = new FakeClock();
    const store = new FakeStore();
    let running = 0;
    const order: string[] = [];
    const tabs = ["a", "b", "c"].map((id) => ({ id, locks: createLocks(undefined, clock, store, () => id) }));
    const all = tabs.map(({ id, locks }) =>
      locks.exclusive("name", 6_000, async () => {
        assert.equal(++running, 1);
        order.push(id);
        await new Promise<void>((resolve) => clock.after(500, resolve));
        running--;
      }),
    );
    await clock.pass(6_000);
    await Promise.all(all);
    assert.deepEqual(order.sort(), ["a", "b", "c"]);
    assert.equal(store.entries.size, 0);
    store.set("name", "crashed");
    const late = tabs[0]!.locks.exclusive("name", 1_000, () => assert.fail());
    await clock.pass(2_000);
    await late;
  });
});

describe("one tab at a time, by Web Locks", () => {
  it("passes the lock on when the others can see what was stored under it", async () => {
    const clock = new FakeClock();
    const began = clock.now();
    let passedOn = 0;
    const manager = {
      request: (_: string, __: unknown, work: () => Promise<void>) =>
        work().finally(() => {
          passedOn = clock.now();
        }),
    } as unknown as LockManager;
    const done = createLocks(manager, clock, new FakeStore(), () => "a").exclusive("name", 6_000, () => Promise.resolve());
    await clock.pass(2 * SEEN);
    await done;
    assert.equal(passedOn - began, SEEN);
  });
});

describe("which login is newer", () => {
  const login = (session: string, epoch: number, at: number, room = "alice"): Login => ({ room, session, epoch, at });

  it("is the server's to say where it can, else this browser's", () => {
    assert.ok(isNewer(login("B", 11, 1), login("A", 10, 2)));
    assert.ok(!isNewer(login("A", 10, 2), login("B", 11, 1)));
    assert.ok(isNewer(login("B", 0, 2), login("A", 10, 1)));
    assert.ok(!isNewer(login("B", 0, 1), login("A", 10, 2)));
  });

  it("is remembered, and an older one that comes back changes nothing", () => {
    const newest = createNewest("space", new FakeStore());
    assert.equal(newest.read("alice"), null);
    assert.equal(newest.offer(login("B", 11, 5)), true);
    assert.equal(newest.offer(login("A", 10, 9)), false);
    assert.deepEqual(newest.read("alice"), login("B", 11, 5));
    assert.equal(newest.read("bob"), null);
    newest.forget(login("A", 10, 9));
    assert.deepEqual(newest.read("alice"), login("B", 11, 5), "another one has taken its place");
    newest.forget(login("B", 11, 5));
    assert.equal(newest.read("alice"), null);
  });

  it("is a question only between two sessions of one room", () => {
    assert.ok(!isNewer(login("A", 11, 2), login("A", 10, 1)));
    assert.ok(!isNewer(login("B", 11, 2, "bob"), login("A", 10, 1)));
  });
});

describe("news between tabs", () => {
  const good: TabMessage[] = [
    { room: "alice", session: "A", epoch: 1, at: 2 },
    { room: "alice", session: "A", end: endFor("A") },
  ];
  const bad: unknown[] = [null, "text", {}, { room: "alice" }, { room: "alice", session: "A" }, { room: "alice", session: "A", end: {} }, { room: "alice", session: "A", end: endFor("B") },
    { room: "bob", session: "A", end: endFor("A") }, { room: "alice", session: "A", end: { ...endFor("A"), reason: 5 } }, { room: "alice", session: "A", activeAt: NaN }, { room: "alice", session: "A", activeAt: "now" },
    { room: "alice", session: "A", epoch: NaN, at: 1 }, { room: "alice", session: "A", epoch: 1 }, { room: "alice", session: "x".repeat(1_000_000), epoch: 1, at: 1 }, [], 7, new Map()];

  it("travels by a channel, and only what is well formed arrives", async () => {
    const got: unknown[] = [];
    const sent: unknown[] = [];
    let closed = false;
    const channel: Channel = { onmessage: null, postMessage: (message) => sent.push(message), close: () => { closed = true; } };
    const tabs = createTabs(() => channel, (message) => got.push(message));
    await settled();
    for (const data of [...bad, ...good]) channel.onmessage?.({ data } as MessageEvent);
    assert.deepEqual(got, good);
    tabs?.postMessage(good[0]!);
    await settled();
    assert.deepEqual(sent, [good[0]]);
    tabs?.close();
    await settled();
    assert.ok(closed);
  });

  it("does without where the browser keeps nothing for the page", () => {
    const denied = (): never => {
      throw new DOMException("denied", "SecurityError");
    };
    assert.equal(createTabs(denied, () => assert.fail()), null);
  });
});
