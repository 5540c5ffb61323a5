/** What counts as a human, and where a page came from, on a window made by hand. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { currentPage } from "../src/page.ts";
import { FakeStore } from "./world.ts";

type Listener = (event: unknown) => void;

const listeners = new Map<string, Listener>();
const window = { addEventListener: (name: string, listener: Listener) => listeners.set(name, listener) };
const place = { href: "https://app.example/order#part" };

const Document = { prototype: {} };
const focused = { nodeName: "INPUT" };

const names = { window, location: place, Document, document: {}, Element: { prototype: { getAttribute(this: Record<string, string>, name: string) { return this[name] ?? null; } } } };

beforeEach(() => {
  listeners.clear();
  for (const [name, value] of Object.entries(names)) Object.defineProperty(globalThis, name, { value, configurable: true });
  // As of an instance, not of the prototype, which only browsers have.
  Object.assign(Document.prototype, { baseURI: place.href, referrer: "", activeElement: focused });
});

afterEach(() => {
  for (const name of Object.keys(names)) Reflect.deleteProperty(globalThis, name);
});

const { signal } = new AbortController();

describe("a human", () => {
  const target = { nodeName: "TEXTAREA" };
  const seen = (event: object): unknown[] => {
    const calls: unknown[] = [];
    currentPage(new FakeStore(), signal).onInput((written) => calls.push(written), false);
    const { type } = event as { type: string };
    listeners.get(type)?.({ isTrusted: true, target, ...event });
    return calls;
  };

  it("writes with whatever: dictation, on-screen keyboard, paste, drop, a helper's click", () => {
    for (const type of ["beforeinput", "input", "paste", "drop", "click"]) assert.deepEqual(seen({ type }), [true], type);
  });

  it("moves and presses", () => {
    for (const type of ["pointerdown", "keydown", "wheel", "touchmove"]) assert.deepEqual(seen({ type }), [false], type);
    assert.deepEqual(seen({ type: "focus", target: window }), [false]);
  });

  it("is no script, no field that gets the focus, and writes nothing into the page by answering the warning", () => {
    assert.deepEqual(seen({ type: "input", isTrusted: false, target: focused }), [true], "but an extension that dictates into the field with the focus is");
    for (const type of ["input", "click", "keydown"]) assert.deepEqual(seen({ type, isTrusted: false }), [], type);
    assert.deepEqual(seen({ type: "focus" }), []);
    assert.deepEqual(seen({ type: "mousemove", screenX: 1, screenY: 1 }), [], "the first move may be the browser's own");
    assert.deepEqual(seen({ type: "click", target: { nodeName: "SESSION-GUARD-WARNING" } }), [false]);
  });
});

describe("a page", () => {
  const sent = (form: object): FakeStore => {
    const store = new FakeStore();
    currentPage(store, signal);
    listeners.get("submit")?.({ target: form });
    return store;
  };
  const next = (store: FakeStore): boolean => currentPage(store, signal).canLoadAgain();
  /** The page that answers begins when the form has been sent. */
  const at = (ms: number, store: FakeStore): FakeStore => {
    for (const [key, text] of store.entries) store.entries.set(key, text.replace(/\d+/, String(Math.round(performance.timeOrigin + ms))));
    return store;
  };

  it("is what a GET of its address brings, as far as anybody knows", () => {
    assert.equal(next(new FakeStore()), true);
    assert.equal(next(at(0, sent({ method: "get", action: "/order" }))), true);
    assert.equal(next(at(0, sent({ method: "post", action: "/elsewhere" }))), true);
    assert.equal(next(at(-60_000, sent({ method: "post", action: "/order" }))), true);
    for (const rubbish of ["", "x", "5", "x".repeat(1_000_000)]) {
      const store = new FakeStore();
      store.entries.set("session-guard/sent", rubbish);
      assert.equal(next(store), true);
    }
  });

  it("knows the form that it answers", (t) => {
    t.mock.method(performance, "getEntriesByType", () => [{ redirectCount: 0, type: "navigate" }]);
    for (const form of [{ method: "post", action: "/order" }, { method: "POST" }, { method: "post", action: "" }]) assert.equal(next(at(-100, sent(form))), false);
    t.mock.method(performance, "getEntriesByType", () => [{ redirectCount: 1, type: "navigate" }]);
    assert.equal(next(at(-100, sent({ method: "post", action: "/order" }))), true, "after a redirect it is a GET");
  });
});
