/** Time, as a seam: tests bring their own. */

export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Calls back once, `ms` or (hidden, asleep) much more later; returns its cancel. */
  after(ms: number, run: () => void): () => void;
}

/** The part of a `Worker` that is used; it runs `worker.ts`. */
export interface Ticker {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: readonly [id: number, ms?: number]): void;
}

/** Waits below this (ms) are not worth a message: they are over before throttling begins. */
const WORTH = 900;

/**
 * The page's own timers, and those of a worker beside them; whichever fires first counts. The page's may be a minute
 * late when it is hidden, the worker may be forbidden, broken or silent: no matter which, time goes on.
 *
 * @param ticker `null` for the page's own timers alone
 */
export function createClock(ticker: Ticker | null): Clock {
  const due = new Map<number, () => void>();
  let nextId = 0;
  if (ticker) {
    ticker.onmessage = ({ data }) => {
      due.get(data as number)?.();
    };
  }
  return {
    now: () => Date.now(),
    after(ms, run) {
      const id = nextId++;
      const helped = ticker !== null && ms > WORTH;
      const cancel = (): void => {
        clearTimeout(timer);
        if (due.delete(id)) ticker?.postMessage([id]);
      };
      const fire = (): void => {
        cancel();
        run();
      };
      const timer = setTimeout(fire, ms);
      if (helped) {
        due.set(id, fire);
        ticker.postMessage([id, ms]);
      }
      return cancel;
    },
  };
}

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}
