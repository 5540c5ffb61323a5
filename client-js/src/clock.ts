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
  postMessage(message: readonly [id: number, ms: number | undefined]): void;
}

/** Waits below this (ms) are not worth a message: they are over before throttling begins. */
const WORTH = 900;

/** The part of a document that is used. */
export interface Visibility {
  readonly hidden: boolean;
  addEventListener(name: "visibilitychange", changed: () => void, options?: { signal?: AbortSignal }): void;
}

/**
 * The page's own timers, and beside them, while the page is hidden, those of a worker; whichever fires first counts. The
 * page's may then be a minute late, the worker may be forbidden, broken or silent: no matter which, time goes on. A page
 * in front of its user does not need the worker, and is spared its messages.
 *
 * @param ticker `null` for the page's own timers alone
 * @param page whose timers these are; never listened to again once `over`
 */
export function createClock(ticker: Ticker | null, page: Visibility = { hidden: true, addEventListener: () => undefined }, over?: AbortSignal): Clock {
  const due = new Map<number, readonly [fire: () => void, at: number]>();
  let nextId = 0;
  const hand = (id: number, ms?: number): void => {
    if (page.hidden) ticker?.postMessage([id, ms]);
  };
  if (ticker) {
    ticker.onmessage = ({ data }) => {
      // It may be one that has fired since, or was cancelled while the page was in front.
      due.get(data as number)?.[0]();
    };
    page.addEventListener(
      "visibilitychange",
      () => {
        due.forEach(([, at], id) => {
          hand(id, at - Date.now());
        });
      },
      over && { signal: over },
    );
  }
  return {
    now: () => Date.now(),
    after(ms, run) {
      const id = nextId++;
      const cancel = (): void => {
        clearTimeout(timer);
        if (due.delete(id)) hand(id);
      };
      const fire = (): void => {
        cancel();
        run();
      };
      const timer = setTimeout(fire, ms);
      if (ticker && ms > WORTH) {
        due.set(id, [fire, Date.now() + ms]);
        hand(id, ms);
      }
      return cancel;
    },
  };
}

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}
