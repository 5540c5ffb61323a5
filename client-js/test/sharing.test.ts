import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSharing, type Port, type ToTab, type ToWorker } from "../src/sharing.ts";
import { endFor, FakeBrowser, payloadFor, settled, ticketFor, type FakeLink } from "./world.ts";

class Tab implements Port<ToTab> {
  onmessage: ((event: MessageEvent) => void) | null = null;
  readonly heard: ToTab[] = [];
  constructor(
    readonly worker: Worker,
    readonly lock: string,
  ) {
    worker.take(this);
  }
  postMessage(message: ToTab): void {
    this.heard.push(message);
  }
  close(): void {
    this.onmessage = null;
  }
  say(message: ToWorker): void {
    this.onmessage?.({ data: message } as MessageEvent);
  }
  open(ticket: string, address = "wss://e.example/socket.io/"): this {
    this.say({ type: "open", address, credentials: { ticket }, lock: this.lock });
    return this;
  }
  get types(): string[] {
    return this.heard.map(({ type }) => type).filter((type) => type !== "here");
  }
}

class Worker {
  readonly browser = new FakeBrowser();
  readonly links: FakeLink[] = [];
  readonly gone = new Map<string, () => void>();
  readonly take = createSharing(
    () => (credentials, events) => this.browser.open(this.links, credentials, events),
    (lock, gone) => this.gone.set(lock, gone),
  );
  tab(name: string): Tab {
    return new Tab(this, name);
  }
  get link(): FakeLink {
    const link = this.links.at(-1);
    assert.ok(link);
    return link;
  }
}

const [A, AGAIN, B] = [ticketFor("A"), ticketFor("A", "alice", 5), ticketFor("B")];

describe("one socket for all tabs", () => {
  it("is one for each session, whatever their tickets", () => {
    const worker = new Worker();
    const first = worker.tab("1").open(A);
    assert.equal(first.heard[0]?.type, "here");
    worker.tab("2").open(AGAIN);
    assert.equal(worker.links.length, 1);
    worker.tab("3").open(B);
    worker.tab("4").open(A, "wss://other.example/");
    assert.equal(worker.links.length, 3);
  });

  it("hands on what it says to all of them, and acks what the first one has stored", () => {
    const worker = new Worker();
    const tabs = [worker.tab("1").open(A), worker.tab("2").open(A)];
    worker.link.join(payloadFor("A", 10));
    let acks = 0;
    worker.link.events.message("force-logout", endFor("A"), () => acks++);
    for (const tab of tabs) assert.deepEqual(tab.types, ["joined", "message", "message"]);
    assert.equal(acks, 0);
    for (const tab of tabs) {
      const last = tab.heard.at(-1);
      assert.ok(last?.type === "message" && last.ack !== null);
      tab.say({ type: "ack", id: last.ack });
    }
    assert.equal(acks, 1);
    worker.link.events.refused("session-ended", endFor("A"));
    for (const tab of tabs) assert.deepEqual(tab.heard.at(-1), { type: "refused", code: "session-ended", data: endFor("A") });
  });

  it("welcomes a later tab with the server's own answer, not with an old one", async () => {
    const worker = new Worker();
    const first = worker.tab("1").open(A);
    worker.link.join(payloadFor("A", 10, { idle_ms: 60_000 }));
    const late = worker.tab("2").open(A);
    await settled();
    assert.deepEqual(late.types, []);
    worker.link.take("check").reply(payloadFor("A", 10, { idle_ms: 1_000 }));
    await settled();
    assert.deepEqual(late.types, ["joined", "message"]);
    assert.deepEqual(late.heard.at(-1), { type: "message", name: "session", payload: payloadFor("A", 10, { idle_ms: 1_000 }), ack: null });
    assert.deepEqual(first.types, ["joined", "message"]);
  });

  it("answers each tab's own questions, and is given up by all when one gets no answer", async () => {
    const worker = new Worker();
    const [one, other] = [worker.tab("1").open(A), worker.tab("2").open(A)];
    worker.link.join(payloadFor("A", 10));
    one.say({ type: "request", id: 7, name: "activity", payload: { idle_for_ms: 0 } });
    worker.link.take("activity").reply({ ok: true });
    await settled();
    assert.deepEqual(one.heard.at(-1), { type: "reply", id: 7, reply: { ok: true } });
    one.say({ type: "request", id: 8, name: "check", payload: undefined });
    await worker.browser.clock.pass(2_000);
    assert.deepEqual(one.types.slice(-2), ["failed", "closed"]);
    assert.equal(other.types.at(-1), "closed");
    assert.ok(worker.link.closedByPage);
    worker.tab("3").open(A);
    assert.equal(worker.links.length, 2);
  });

  it("is not shared when it died in its sleep, nor when the late tab learns that the session has ended", async () => {
    const worker = new Worker();
    const old = worker.tab("1").open(A);
    worker.link.join(payloadFor("A", 10));
    worker.link.isAlive = false;
    worker.tab("2").open(A);
    assert.equal(old.types.at(-1), "closed");
    assert.equal(worker.links.length, 2);
    worker.link.join(payloadFor("A", 10));
    const late = worker.tab("3").open(A);
    worker.link.take("check").reply({ ok: false, code: "session-ended" });
    await settled();
    assert.deepEqual(late.types, ["closed"]);
    assert.ok(worker.link.closedByPage);
  });

  it("leaves a live one to the others when the server cannot answer the late tab", async () => {
    const worker = new Worker();
    const first = worker.tab("1").open(A);
    worker.link.join(payloadFor("A", 10));
    const late = worker.tab("2").open(A);
    worker.link.take("check").reply({ ok: false, code: "unavailable" });
    await settled();
    assert.deepEqual(late.types, ["closed"]);
    assert.deepEqual(first.types, ["joined", "message"]);
    assert.ok(!worker.link.closedByPage);
  });

  it("is closed when the last tab has gone, be it without a word", () => {
    const worker = new Worker();
    const [one] = [worker.tab("1").open(A), worker.tab("2").open(A)];
    worker.link.join(payloadFor("A", 10));
    one.say({ type: "close" });
    assert.ok(!worker.link.closedByPage);
    worker.gone.get("2")?.();
    assert.ok(worker.link.closedByPage);
    worker.tab("3").open(A);
    assert.equal(worker.links.length, 2);
  });
});
