/** Reports human input to the server: the first at once, then at most one report every 5 s. */

import type { Clock } from "./clock.ts";

/** Milliseconds between two reports. */
export const REPORT_EVERY = 5_000;

export interface Activity {
  /** Somebody is there, now. */
  human(): void;
  /** Sends what could not be sent before. */
  flush(): void;
  stop(): void;
}

/** @param report sends ms since the last input; returns false when that is not possible now */
export function createActivity(clock: Clock, report: (idleForMs: number) => boolean): Activity {
  let lastInputAt: number | null = null;
  let reportedInputAt: number | null = null;
  let sentAt = Number.NEGATIVE_INFINITY;
  let cancel: (() => void) | null = null;

  const flush = (): void => {
    cancel?.();
    cancel = null;
    if (lastInputAt === null || lastInputAt === reportedInputAt) return;
    const now = clock.now();
    // A clock that was set back must not make the idle time negative.
    if (!report(Math.max(0, Math.round(now - lastInputAt)))) return;
    sentAt = now;
    reportedInputAt = lastInputAt;
  };

  return {
    human() {
      const now = clock.now();
      lastInputAt = now;
      if (cancel) return;
      const wait = Math.min(REPORT_EVERY, sentAt + REPORT_EVERY - now);
      if (wait > 0) cancel = clock.after(wait, flush);
      else flush();
    },
    flush,
    stop() {
      cancel?.();
      cancel = null;
    },
  };
}
