/** The `<script data-…>` line: reads its own attributes, starts a guard, and leaves it at `window.sessionGuard`. */

import { serverOf } from "./address.ts";
import { optionsFrom } from "./attributes.ts";
import { createWith } from "./create.ts";
import { partsBeside } from "./parts.ts";
import { SessionGuardError, type SessionGuard, type SessionGuardOptions } from "./types.ts";

declare global {
  interface Window {
    sessionGuard?: SessionGuard;
    SessionGuard?: { createSessionGuard: (options: SessionGuardOptions) => SessionGuard; SessionGuardError: typeof SessionGuardError };
  }
}

const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript : null;
const directory = script ? new URL(".", script.src).href : "";
const parts = partsBeside(directory);
const createSessionGuard = (options: SessionGuardOptions): SessionGuard => createWith(parts, options);

function run({ dataset }: HTMLScriptElement): void {
  if (window.sessionGuard) {
    console.warn("session-guard: twice on this page");
    return;
  }
  const options = { url: serverOf(directory), ...optionsFrom(dataset, parts) };
  window.sessionGuard = createSessionGuard(options);
  // A layout that is shown to visitors, too, leaves these empty: then there is nothing to guard.
  if ((options.ticket || options.room) && !("manual" in dataset)) window.sessionGuard.start();
}

window.SessionGuard = { createSessionGuard, SessionGuardError };
if (script) run(script);
