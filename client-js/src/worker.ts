/**
 * Time in hidden pages, whose own timers may be a minute late: loaded by pages that ask for it with `data-worker`, and by
 * the worker itself. A file of its own, so it names nothing that is shortened in the script.
 */

import type { PageClock } from "./clock.ts";

/** Runs in a worker, whose timers nothing slows down: `[id, ms]` starts one, `[id]` ends it. Needs nothing around it. */
const work = (): void => {
  const timers = new Map<number, ReturnType<typeof setTimeout>>();
  onmessage = ({ data: [id, ms] }: MessageEvent<[id: number, ms?: number]>) => {
    clearTimeout(timers.get(id));
    timers.delete(id);
    if (ms !== undefined) {
      timers.set(
        id,
        setTimeout(() => {
          timers.delete(id);
          postMessage(id);
        }, ms),
      );
    }
  };
};

if ("WorkerGlobalScope" in globalThis) work();

/** The part of a `Worker` that is used; it runs `work`. */
export interface Ticker {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: readonly [id: number, ms: number | undefined]): void;
}

/** The part of a document that is used. */
export interface Visibility {
  readonly hidden: boolean;
  addEventListener(name: "visibilitychange", changed: () => void, options: { signal: AbortSignal }): void;
}

/** Waits below this (ms) are not worth a message: they are over before throttling begins. */
const WORTH = 900;

/**
 * Beside the page's own timers, while it is hidden, those of `ticker`; whichever fires first counts. It may be forbidden,
 * broken or silent: no matter, time goes on. A page in front of its user does not need it, and is spared its messages.
 *
 * @param page whose timers these are; never listened to again once `over`
 */
export function keepTime(clock: PageClock, ticker: Ticker, page: Visibility, over: AbortSignal): void {
  const handed = new Set<number>();
  clock.told = (id, ms) => {
    if (ms === undefined) {
      if (handed.delete(id)) ticker.postMessage([id, ms]);
    } else if (page.hidden && ms > WORTH) {
      handed.add(id);
      ticker.postMessage([id, ms]);
    }
  };
  ticker.onmessage = ({ data }) => {
    // It may be one that has fired since, or was cancelled while the page was in front.
    clock.due.get(data as number)?.[0]();
  };
  const handOver = (): void => {
    clock.due.forEach(([, at], id) => {
      clock.told(id, at - clock.now());
    });
  };
  page.addEventListener("visibilitychange", handOver, { signal: over });
  handOver();
}

interface Policy {
  createScriptURL(url: string): string;
}

declare global {
  interface Window {
    readonly trustedTypes?: { createPolicy(name: string, rules: Policy): Policy };
  }
}

/** Made once: a page may allow the name only once. */
let policy: Policy | undefined;

/**
 * Starts the worker, until it is `over`; where there can be none, the page's own timers do.
 *
 * @param file the address of this file. A worker has to be of the page's own origin: where it is not, it is made of a blob
 */
export function startTicker(clock: PageClock, file: string, over: AbortSignal): void {
  const own = new URL(file).origin === location.origin;
  const url = own ? file : URL.createObjectURL(new Blob([`(${String(work)})()`], { type: "text/javascript" }));
  try {
    policy ??= window.trustedTypes?.createPolicy("session-guard", {
      createScriptURL: (asked) => (new URL(asked).origin === location.origin ? asked : "about:blank"),
    });
    const worker = new Worker(policy ? policy.createScriptURL(url) : url, { type: own ? "module" : "classic" });
    over.addEventListener("abort", () => {
      worker.terminate();
    });
    keepTime(clock, worker, document, over);
  } catch (cause) {
    console.warn("session-guard: no worker", cause);
  } finally {
    if (!own) URL.revokeObjectURL(url);
  }
}
