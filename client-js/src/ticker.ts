/** Starts the worker that ticks; `null` where there can be none. */

import type { Ticker } from "./clock.ts";
import source from "./worker.ts?text";

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
 * @param file address of `session-guard-worker.js`. Workers have to be of the page's own origin; where it is not, the
 * worker is made of a blob, which a Content-Security-Policy may forbid: by an error event that nobody needs to hear
 */
export function startTicker(file: string | null): (Ticker & { terminate(): void }) | null {
  const own = file !== null && new URL(file).origin === location.origin;
  const url = own ? file : URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    policy ??= window.trustedTypes?.createPolicy("session-guard", {
      createScriptURL: (asked) => (new URL(asked).origin === location.origin ? asked : "about:blank"),
    });
    return new Worker(policy ? policy.createScriptURL(url) : url);
  } catch {
    return null;
  } finally {
    if (!own) URL.revokeObjectURL(url);
  }
}
