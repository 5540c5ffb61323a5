/** The worker that keeps time while the page is hidden and its own timers may be a minute late. */

import type { PageClock } from "../clock.ts";
import source from "../worker.ts?text";

/** The part of a `Worker` that is used; it runs `worker.ts`. */
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
 * Starts the worker, until it is `over`; does nothing where there can be none.
 *
 * @param asked the option: an address, or `off`
 * @param beside address of `session-guard-worker.js`. Workers have to be of the page's own origin; where it is not, the
 * worker is made of a blob, which a Content-Security-Policy may forbid: by an error event that nobody needs to hear
 */
export function startTicker(clock: PageClock, asked: string | undefined, beside: string | null, over: AbortSignal): void {
  if (asked === "off") return;
  const file = asked ? new URL(asked, document.baseURI).href : beside;
  const own = file !== null && new URL(file).origin === location.origin;
  const url = own ? file : URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    policy ??= window.trustedTypes?.createPolicy("session-guard", {
      createScriptURL: (asked) => (new URL(asked).origin === location.origin ? asked : "about:blank"),
    });
    const worker = new Worker(policy ? policy.createScriptURL(url) : url);
    over.addEventListener("abort", () => {
      worker.terminate();
    });
    keepTime(clock, worker, document, over);
  } catch {
    // The page's own timers have to do.
  } finally {
    if (!own) URL.revokeObjectURL(url);
  }
}
