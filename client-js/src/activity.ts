/**
 * Reports human input to the server: the first at once, then at most one report every 5 s, for all tabs together.
 *
 * The tabs tell each other when somebody was there. So one tab's input is reported even when its own way to the server
 * is cut, by a tab that has one; and what one has reported the others need not.
 */

import type { Clock } from "./clock.ts";

/** Milliseconds between two reports. */
export const REPORT_EVERY = 5_000;

export interface Activity {
  /** Somebody is there, now. */
  human(): void;
  /** Somebody was there at `activeAt`, says another tab; it may have `reported` that already. */
  heard(activeAt: number, reported: boolean): void;
  /** Sends what could not be sent before. */
  flush(): void;
  stop(): void;
}

/**
 * @param report sends ms since the last input, as they are when it is sent; returns false when that is not possible now
 * @param share tells the other tabs
 */
export function createActivity(clock: Clock, report: (idleForMs: () => number) => boolean, share: (activeAt: number, reported: boolean) => void): Activity {
  let lastInputAt = 0;
  let reportedInputAt = 0;
  let sentAt = 0;
  let cancel: (() => void) | null = null;

  /** A clock that was set back must not make it negative. */
  const idleForMs = (): number => Math.max(0, Math.round(clock.now() - lastInputAt));

  const flush = (): void => {
    cancel?.();
    cancel = null;
    if (lastInputAt <= reportedInputAt) return;
    const reported = report(idleForMs);
    sentAt = clock.now();
    if (reported) reportedInputAt = lastInputAt;
    share(lastInputAt, reported);
  };
  const plan = (): void => {
    if (cancel) return;
    const wait = Math.min(REPORT_EVERY, sentAt + REPORT_EVERY - clock.now());
    if (wait > 0) cancel = clock.after(wait, flush);
    else flush();
  };

  return {
    human() {
      lastInputAt = clock.now();
      // Reported in a time to come: the clock was set back.
      reportedInputAt = Math.min(reportedInputAt, lastInputAt - 1);
      plan();
    },
    heard(activeAt, reported) {
      // One machine, one clock: a time to come is from before the clock was set.
      if (activeAt > clock.now()) return;
      if (reported) reportedInputAt = Math.max(reportedInputAt, activeAt);
      if (activeAt <= lastInputAt) return;
      lastInputAt = activeAt;
      if (!reported && report(idleForMs)) reportedInputAt = activeAt;
    },
    flush,
    stop() {
      cancel?.();
      cancel = null;
    },
  };
}
