/** Time, as a seam: tests bring their own. */

export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Calls back once, `ms` or (hidden, asleep) much more later; returns its cancel. */
  after(ms: number, run: () => void): () => void;
}

export const browserClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}
