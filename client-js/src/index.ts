/** `session-guard`: ends a page the moment its session has ended, and says why. Importing it touches nothing. */

import { browserEnvironment } from "./browser.ts";
import { createGuard } from "./guard.ts";
import type { SessionGuard, SessionGuardOptions } from "./types.ts";
import { createScreen } from "./ui/notice.ts";

export { SessionGuardError } from "./types.ts";
export type {
  EndReason,
  Messages,
  Phase,
  SessionEnd,
  SessionGuard,
  SessionGuardOptions,
  SessionState,
  SessionWarning,
  TicketSource,
} from "./types.ts";

/** A guard for this page, not yet started. Works in server-side rendering as long as `start()` is not called. */
export function createSessionGuard(options: SessionGuardOptions): SessionGuard {
  return createGuard(options, () => browserEnvironment(createScreen(options)));
}
