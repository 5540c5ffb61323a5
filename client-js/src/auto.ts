/** The `<script data-…>` line: reads its own attributes, starts a guard, and leaves it at `window.sessionGuard`. */

import { serverOf } from "./address.ts";
import { optionsFrom } from "./attributes.ts";
import { createWith } from "./create.ts";
import { filesBeside } from "./files.ts";
import { createLine, type Line } from "./line.ts";
import { ownDocument } from "./own-document.ts";
import { SessionGuardError, type SessionGuard, type SessionGuardOptions } from "./types.ts";

/** The line that guards this page. Not by a name: `<a id="sessionGuard">` would be taken for it. */
const LINE = Symbol.for("session-guard/line");

declare global {
  interface Window {
    sessionGuard?: SessionGuard;
    SessionGuard?: { createSessionGuard: (options: SessionGuardOptions) => SessionGuard; SessionGuardError: typeof SessionGuardError };
    [LINE]?: Line;
  }
}

const { currentScript } = ownDocument;
const script = currentScript instanceof HTMLScriptElement ? currentScript : null;
const directory = script ? new URL(".", script.src).href : "";
const createSessionGuard = (options: SessionGuardOptions): SessionGuard => createWith(filesBeside(directory), options);

function run(script: HTMLScriptElement): void {
  const { dataset } = script;
  const known = window[LINE];
  // A line that only brings the functions.
  if (known && !["ticket", "ticketUrl", "room"].some((name) => name in dataset)) return;
  if (known?.script.isConnected && known.script.isEqualNode(script)) {
    console.warn("session-guard: twice on this page");
    return;
  }
  const options = { url: serverOf(directory), ...optionsFrom(dataset) };
  const guard = createSessionGuard(options);
  window.sessionGuard = guard;
  window[LINE] = createLine(script, guard);
  // A layout that is shown to visitors, too, leaves these empty: then there is nothing to guard.
  if ((options.ticket || options.room) && !("manual" in dataset)) guard.start();
  // Only now: what it covers is covered by the new one, if it is to be covered at all.
  known?.stop();
}

window.SessionGuard = { createSessionGuard, SessionGuardError };
if (script) run(script);
