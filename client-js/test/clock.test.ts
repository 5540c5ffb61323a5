import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createClock, type PageClock } from "../src/clock.ts";
import { keepTime, type Ticker, type Visibility } from "../src/worker.ts";

/** A worker's end, moved by hand. */
class HandTicker implements Ticker {
  onmessage: Ticker["onmessage"] = null;
  readonly got: (readonly [number, number | undefined])[] = [];
  postMessage(message: readonly [number, number | undefined]): void {
    this.got.push(message);
  }
  fire(id: number): void {
    this.onmessage?.({ data: id } as MessageEvent);
  }
}

/** The page's clock with `ticker` beside it. */
function clockWith(ticker: Ticker, page: Visibility = { hidden: true, addEventListener: () => undefined }): PageClock {
  const clock = createClock();
  keepTime(clock, ticker, page, new AbortController().signal);
  return clock;
}

describe("the clock with a worker beside it", () => {
  it("fires by whichever is first, once", async () => {
    const ticker = new HandTicker();
    const clock = clockWith(ticker);
    let fired = 0;
    clock.after(1_000, () => fired++);
    assert.deepEqual(ticker.got, [[0, 1_000]]);
    ticker.fire(0);
    ticker.fire(0);
    assert.equal(fired, 1);
    assert.deepEqual(ticker.got.at(-1), [0, undefined]);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    assert.equal(fired, 1);
  });

  it("goes on by itself when the worker keeps silent, or when there is none", async () => {
    for (const clock of [clockWith(new HandTicker()), createClock()]) {
      await new Promise<void>((resolve) => clock.after(950, resolve));
    }
  });

  it("is cancelled on both sides, and bothers no worker with short waits", () => {
    const ticker = new HandTicker();
    const clock = clockWith(ticker);
    let fired = 0;
    const cancel = clock.after(5_000, () => fired++);
    cancel();
    cancel();
    ticker.fire(0);
    clock.after(100, () => undefined)();
    assert.equal(fired, 0);
    assert.deepEqual(ticker.got, [[0, 5_000], [0, undefined]]);
  });

  it("hands over what waited before the worker came", () => {
    const clock = createClock();
    let fired = 0;
    clock.after(5_000, () => fired++);
    const ticker = new HandTicker();
    keepTime(clock, ticker, { hidden: true, addEventListener: () => undefined }, new AbortController().signal);
    assert.deepEqual(ticker.got.map(([id]) => id), [0]);
    ticker.fire(0);
    assert.equal(fired, 1);
  });

  it("leaves the worker alone while the page is in front, and hands over what waits when it is hidden", () => {
    const ticker = new HandTicker();
    const page = { hidden: false, changed: (): void => undefined, addEventListener: (_name: string, run: () => void): void => { page.changed = run; } };
    const clock = clockWith(ticker, page);
    let fired = 0;
    const cancel = clock.after(5_000, () => fired++);
    clock.after(5_000, () => undefined)();
    assert.deepEqual(ticker.got, []);
    page.hidden = true;
    page.changed();
    const [handed] = ticker.got;
    assert.ok(handed);
    assert.equal(handed[0], 0);
    assert.ok(Number(handed[1]) > 4_900 && Number(handed[1]) <= 5_000);
    clock.after(6_000, () => undefined)();
    assert.deepEqual(ticker.got.slice(1), [[2, 6_000], [2, undefined]]);
    ticker.fire(0);
    cancel();
    assert.equal(fired, 1);
  });
});
