/** `session-guard`: ends a page the moment its session has ended, and says why. Importing it touches nothing. */

import { createWith } from "./create.ts";
import type { Parts } from "./parts.ts";
import type { SessionGuard, SessionGuardOptions } from "./types.ts";

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
  SocketSource,
  TicketSource,
  WatchHttp,
} from "./types.ts";

/** Bundlers find the import and make a file of it. Languages are the option `messages`. */
const PARTS: Parts = {
  http: () => import("./http/index.ts"),
  texts: () => Promise.resolve(null),
  worker: null,
};

/** A guard for this page, not yet started. Works in server-side rendering as long as `start()` is not called. */
export function createSessionGuard(options: SessionGuardOptions): SessionGuard {
  return createWith(PARTS, options);
}
