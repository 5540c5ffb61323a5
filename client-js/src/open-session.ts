/** Open mode: the session id that the browser makes itself, shared by its tabs and deleted once its end is handled. */

import type { Latch } from "./latch.ts";
import type { Login } from "./newest.ts";
import { readJson, type Store } from "./storage.ts";

const keyOf = (space: string, room: string): string => `${space}/open/${room}`;

/**
 * @param fresh makes a new id in any case
 * @param randomId an unguessable id
 */
export function openSession(space: string, store: Store, latch: Latch, room: string, fresh: boolean, now: number, randomId: () => string): Login {
  const stored = readJson(store, keyOf(space, room)) as Login | null;
  // An id that has ended is never shown to the server again, even if its tab was gone before it could delete it.
  if (!fresh && stored && !latch.read(stored.session)) return stored;
  const made: Login = { room, session: randomId(), epoch: 0, at: now };
  store.set(keyOf(space, room), JSON.stringify(made));
  return made;
}

/** Deletes the id unless another one has taken its place. */
export function forgetOpenSession(space: string, store: Store, room: string, session: string): void {
  if (readJson(store, keyOf(space, room))?.["session"] === session) store.remove(keyOf(space, room));
}
