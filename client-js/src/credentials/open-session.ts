/** Open mode: the session id that the browser makes itself, for all its tabs, until its end has been handled. */

import type { Latch } from "../latch.ts";
import type { Login, Newest } from "../newest.ts";

/** What the server takes for an id. */
const ID = /^[\w.~\-:=+]{1,256}$/;

/**
 * The login that this browser holds for the room, else a new one.
 *
 * @param latch which sessions have ended
 * @param fresh makes a new id in any case
 * @param newId makes an unguessable id
 */
export function openSession(newest: Pick<Newest, "read">, latch: Pick<Latch, "read">, room: string, fresh: boolean, now: number, newId: () => string): Login {
  const known = newest.read(room);
  // An id that has ended is never shown to the server again, even if its tab was gone before it could forget it.
  if (known && !fresh && ID.test(known.session) && !latch.read(known.session)) return known;
  // Newer than the known one, also when the clock was set back meanwhile.
  return { room, session: newId(), epoch: 0, at: Math.max(now, (known?.at ?? 0) + 1) };
}

/** 128 random bits. Not `randomUUID`: pages served over plain http have none. */
export function randomId(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}
