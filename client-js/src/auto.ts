/** The `<script data-…>` line: reads its own attributes, starts a guard, and leaves it at `window.sessionGuard`. */

import { serverOfScript } from "./address.ts";
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
const parts = partsBeside(script?.src.replace(/[?#].*/, "").replace(/[^/]*$/, "") ?? "");
const createSessionGuard = (options: SessionGuardOptions): SessionGuard => createWith(parts, options);

function run({ dataset, src }: HTMLScriptElement): void {
  if (window.sessionGuard) {
    console.warn("session-guard: on this page twice; the first one stays");
    return;
  }
  const options = { url: serverOfScript(src), ...optionsFrom(dataset, parts) };
  window.sessionGuard = createSessionGuard(options);
  // A layout that is shown to visitors, too, leaves these empty: then there is nothing to guard.
  if ((options.ticket || options.room) && !("manual" in dataset)) window.sessionGuard.start();
}

window.SessionGuard = { createSessionGuard, SessionGuardError };
if (script) run(script);
