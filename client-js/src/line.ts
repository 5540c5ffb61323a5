/**
 * The life of a guard that a `<script>` line has started: as long as that line is in the page.
 *
 * Turbo, htmx and their like swap the body, or all of it, and no page is loaded. What they leave in the `<head>` outlives the
 * page that it came with: there an ended guard must not cover the log-in form that has taken its page's place.
 */

import { ownDocument } from "./own-document.ts";
import { here } from "./page.ts";
import type { SessionGuard } from "./types.ts";

/** Milliseconds between a swap of the body and the news of the end that was the reason for it. */
const SWAPPED_WITHIN = 5_000;

/** What only a page that logs in asks for. */
const CREDENTIALS = "input[type=password],[autocomplete~=username],[autocomplete~=one-time-code]";

export interface Line {
  readonly script: HTMLScriptElement;
  /** Quietly, for good. */
  stop(): void;
}

export function createLine(script: HTMLScriptElement, guard: SessionGuard): Line {
  let before: readonly Element[] = [];
  let swappedAt = 0;
  /** Ended, and out of the way of a log-in form. */
  let waiting = false;

  /** The next line takes over, and with it what is covered. */
  const succeeded = (): boolean => [...ownDocument.scripts].some((other) => other !== script && other.src === script.src);
  const asksForCredentials = (): boolean => {
    const fields = [...ownDocument.querySelectorAll<HTMLInputElement>(CREDENTIALS)].filter((field) => field.checkVisibility());
    // Two passwords change one: that is a page behind the log-in.
    return fields.length > 0 && fields.filter(({ type }) => type === "password").length < 2;
  };
  const giveWay = (): void => {
    if (waiting || !guard.getState().end || Date.now() - swappedAt > SWAPPED_WITHIN || !asksForCredentials()) return;
    waiting = true;
    guard.stop();
  };
  const look = (): void => {
    const { body } = ownDocument;
    const now = [body, ...body.children];
    if (!script.isConnected) {
      if (!succeeded()) stop();
      return;
    }
    // The line's own ancestors and the body: a page that changes all the time is not watched as a whole.
    observer.disconnect();
    for (let node: Node | null = script; node; node = node.parentNode) observer.observe(node, { childList: true });
    observer.observe(body, { childList: true });
    // The body is another one, or nothing is left of what was in it.
    const [was, ...inside] = before;
    if (was && (was !== body || (inside.length && !inside.some((element) => now.includes(element))))) {
      swappedAt = Date.now();
      // Behind the log-in again, and no line of its own came with it.
      if (waiting && !asksForCredentials() && !succeeded()) location.replace(here());
      giveWay();
    }
    before = now;
  };
  const observer = new MutationObserver(look);
  const unsubscribe = guard.subscribe(giveWay);
  const stop = (): void => {
    observer.disconnect();
    unsubscribe();
    guard.stop();
  };

  if (ownDocument.body as HTMLElement | null) look();
  else ownDocument.addEventListener("DOMContentLoaded", look, { once: true });
  return { script, stop };
}
