/** Puts a guard together for a browser. */

import { browserEnvironment } from "./browser.ts";
import { createGuard } from "./guard.ts";
import type { Files } from "./files.ts";
import type { SessionGuard, SessionGuardOptions } from "./types.ts";

/** A guard for this page, not yet started. Works in server-side rendering as long as `start()` is not called. */
export function createWith(files: Files, options: SessionGuardOptions): SessionGuard {
  return createGuard(options, () => browserEnvironment(files, options));
}
