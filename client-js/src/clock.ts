/** Time, as a seam: tests bring their own. */

export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Calls back once, `ms` or (hidden, asleep) much more later; returns its cancel. */
  after(ms: number, run: () => void): () => void;
}

/** A clock that lets somebody else keep its timers, too: see `worker.ts`. */
export interface PageClock extends Clock {
  /** The timers that wait, by number: what fires them, and when they are due in ms since 1970. */
  readonly due: ReadonlyMap<number, readonly [fire: () => void, at: number]>;
  /** Told of every timer that is set, and (without `ms`) of every one that is over. */
  told: (id: number, ms?: number) => void;
}

/** The page's own timers, which may be a minute late while it is hidden. */
export function createClock(): PageClock {
  const due = new Map<number, readonly [fire: () => void, at: number]>();
  let nextId = 0;
  const clock: PageClock = {
    due,
    told: () => undefined,
    now: () => Date.now(),
    after(ms, run) {
      const id = nextId++;
      const cancel = (): void => {
        clearTimeout(timer);
        if (due.delete(id)) clock.told(id);
      };
      const fire = (): void => {
        cancel();
        run();
      };
      const timer = setTimeout(fire, ms);
      due.set(id, [fire, Date.now() + ms]);
      clock.told(id, ms);
      return cancel;
    },
  };
  return clock;
}

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}
