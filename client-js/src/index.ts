/** `session-guard`: ends a page the moment its session has ended, and says why. Importing it touches nothing. */

import { createWith } from "./create.ts";
import { NO_FILES } from "./files.ts";
import type { SessionGuard, SessionGuardOptions } from "./types.ts";

export { SessionGuardError } from "./types.ts";
export type {
  Device,
  DeviceList,
  Devices,
  Ended,
  EndReason,
  Messages,
  Paths,
  Phase,
  SessionEnd,
  SessionGuard,
  SessionGuardOptions,
  SessionState,
  SessionWarning,
  SocketSource,
  TicketSource,
  WatchHttp,
} from "./types.ts";

/** A guard for this page, not yet started. Works in server-side rendering as long as `start()` is not called. */
export function createSessionGuard(options: SessionGuardOptions): SessionGuard {
  return createWith(NO_FILES, options);
}
