import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createClock, type Ticker } from "../src/clock.ts";

/** A worker's end, moved by hand. */
class HandTicker implements Ticker {
  onmessage: Ticker["onmessage"] = null;
  readonly got: (readonly [number, number?])[] = [];
  postMessage(message: readonly [number, number?]): void {
    this.got.push(message);
  }
  fire(id: number): void {
    this.onmessage?.({ data: id } as MessageEvent);
  }
}

describe("the clock with a worker beside it", () => {
  it("fires by whichever is first, once", async () => {
    const ticker = new HandTicker();
    const clock = createClock(ticker);
    let fired = 0;
    clock.after(1_000, () => fired++);
    assert.deepEqual(ticker.got, [[0, 1_000]]);
    ticker.fire(0);
    ticker.fire(0);
    assert.equal(fired, 1);
    assert.deepEqual(ticker.got.at(-1), [0]);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    assert.equal(fired, 1);
  });

  it("goes on by itself when the worker keeps silent, or when there is none", async () => {
    for (const ticker of [new HandTicker(), null]) {
      await new Promise<void>((resolve) => createClock(ticker).after(950, resolve));
    }
  });

  it("is cancelled on both sides, and bothers no worker with short waits", () => {
    const ticker = new HandTicker();
    const clock = createClock(ticker);
    let fired = 0;
    const cancel = clock.after(5_000, () => fired++);
    cancel();
    cancel();
    ticker.fire(0);
    clock.after(100, () => undefined)();
    assert.equal(fired, 0);
    assert.deepEqual(ticker.got, [[0, 5_000], [0]]);
  });
});
