/** Open mode: the session id that the browser makes itself, shared by its tabs and deleted once its end is handled. */

import type { Latch } from "../latch.ts";
import { isLogin, type Login } from "../newest.ts";
import { readJson, type Store } from "../storage.ts";

/** What the server takes for an id. */
const ID = /^[\w.~\-:=+]{1,256}$/;

export interface OpenSession {
  readonly login: Login;
  /** Deletes the id unless another one has taken its place. */
  readonly forget: () => void;
}

/**
 * @param latch which sessions have ended
 * @param fresh makes a new id in any case
 * @param newId makes an unguessable id
 */
export function openSession(
  space: string,
  store: Store,
  latch: Pick<Latch, "read">,
  room: string,
  fresh: boolean,
  now: number,
  newId: () => string,
): OpenSession {
  const key = `${space}/open/${room}`;
  const read = (): Login | null => {
    const login = readJson(store, key);
    return isLogin(login) && login.room === room && ID.test(login.session) ? login : null;
  };
  let login = read();
  // An id that has ended is never shown to the server again, even if its tab was gone before it could delete it.
  if (fresh || !login || latch.read(login.session)) {
    login = { room, session: newId(), epoch: 0, at: now };
    store.set(key, JSON.stringify(login));
  }
  const { session } = login;
  return {
    login,
    forget() {
      if (read()?.session === session) store.remove(key);
    },
  };
}

/** 128 random bits. Not `randomUUID`: pages served over plain http have none. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
