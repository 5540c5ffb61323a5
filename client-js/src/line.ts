/**
 * The life of a guard that a `<script>` line has started: as long as that line is in the page.
 *
 * Turbo, htmx and their like swap the body, or all of it, and no page is loaded. What they leave in the `<head>` outlives the
 * page that it came with: there an ended guard must not cover the log-in form that has taken its page's place.
 */

import { ownDocument } from "./own-document.ts";
import type { SessionGuard } from "./types.ts";

/** Milliseconds between a swap of the body and the news of the end that was the reason for it. */
const SWAPPED_WITHIN = 5_000;

/** What only a page that logs in asks for. */
const CREDENTIALS = "input[type=password],[autocomplete~=username],[autocomplete~=one-time-code],[autocomplete~=webauthn]";

export interface Line {
  /** Whether the other line says the same, and both are on the page. */
  is(other: HTMLScriptElement): boolean;
  /** Quietly, for good. */
  stop(): void;
}

export function createLine(script: HTMLScriptElement, guard: SessionGuard): Line {
  let was: readonly Element[] = [];
  let swappedAt = -Infinity;
  /** Ended, and out of the way of a log-in form. */
  let waiting = false;

  const observer = new MutationObserver(() => {
    look();
    watch();
  });
  /** The line's own ancestors and the body: a page that changes all the time is not watched as a whole. */
  const watch = (): void => {
    observer.disconnect();
    const { body } = ownDocument;
    if (script.isConnected) for (let node: Node | null = script.parentNode; node; node = node.parentNode) observer.observe(node, { childList: true });
    observer.observe(body, { childList: true });
    was = [body, ...body.children];
  };
  const succeeded = (): boolean => [...ownDocument.scripts].some((other) => other !== script && other.src === script.src);
  const asksForCredentials = (): boolean => {
    const fields = [...ownDocument.querySelectorAll(CREDENTIALS)].filter((field) => field.checkVisibility());
    // Two of them change a password: that is a page behind the log-in.
    return fields.length > 0 && fields.filter((field) => field.getAttribute("type") === "password").length < 2;
  };

  const look = (): void => {
    if (!script.isConnected) {
      // The next line takes over, and with it what is covered.
      if (!succeeded()) stop();
      return;
    }
    const { body } = ownDocument;
    const [before, ...inside] = was;
    if (before === body && inside.some((element) => element.parentNode === body)) return;
    swappedAt = Date.now();
    if (!waiting) giveWay();
    // Behind the log-in again, and no line of its own came with it.
    else if (!asksForCredentials() && !succeeded()) location.replace(location.href.replace(/#.*/, ""));
  };
  const giveWay = (): void => {
    if (!guard.getState().end || Date.now() - swappedAt > SWAPPED_WITHIN || !asksForCredentials()) return;
    waiting = true;
    guard.stop();
  };
  const unsubscribe = guard.subscribe(giveWay);
  const stop = (): void => {
    observer.disconnect();
    unsubscribe();
    guard.stop();
  };

  if (ownDocument.body as HTMLElement | null) watch();
  else ownDocument.addEventListener("DOMContentLoaded", watch, { once: true });
  return {
    is: (other) => script.isConnected && other.isEqualNode(script),
    stop,
  };
}
