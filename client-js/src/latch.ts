/**
 * The one-way latch of a session: that it has ended, and that the app's logout has been called for it.
 *
 * One key per session and fact, so that two tabs writing at once cannot undo each other.
 */

import { isEnd } from "./core/wire.ts";
import type { Store } from "./storage.ts";
import type { SessionEnd } from "./types.ts";

/** When more than these are remembered all but the latest are forgotten: the server refuses them all the same. */
export const REMEMBERED = 50;

export interface Latch {
  /** Idempotent; the first end stays. */
  close(end: SessionEnd): void;
  read(session: string): SessionEnd | null;
  /** Takes the app's logout of this session for the caller. @returns false when somebody has it already */
  takeLogout(session: string): boolean;
  /** The call could not be made: somebody else may. */
  releaseLogout(session: string): void;
}

export function createLatch(space: string, store: Store): Latch {
  const ended = `${space}/ended/`;
  const called = `${space}/called/`;
  return {
    close(end) {
      if (store.get(ended + end.session) !== null) return;
      const old = store.keys().filter((key) => key.startsWith(ended) || key.startsWith(called));
      if (old.length > 2 * REMEMBERED) for (const key of old) store.remove(key);
      store.set(ended + end.session, end);
    },
    read(session) {
      const end = store.get(ended + session);
      return isEnd(end) && end.session === session ? end : null;
    },
    takeLogout(session) {
      if (store.get(called + session) !== null) return false;
      store.set(called + session, "");
      return true;
    },
    releaseLogout(session) {
      store.remove(called + session);
    },
  };
}
