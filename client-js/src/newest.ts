/** Which login of a room is the newest in this browser: how an ended tab learns that its user is logged in again. */

import { namesSession } from "./core/wire.ts";
import type { Store } from "./storage.ts";

export interface Login {
  readonly room: string;
  readonly session: string;
  /** The server's number of the claim; 0 while it is unclaimed. */
  readonly epoch: number;
  /** When this browser first held the session, in ms since 1970. */
  readonly at: number;
}

/** Whether it is one: other applications of the origin write to the same places. */
export function isLogin(value: unknown): value is Login {
  return namesSession(value) && Number.isFinite(value["epoch"]) && Number.isFinite(value["at"]);
}

/** Epochs decide where both logins have one; else the browser's own order does. */
export function isNewer(login: Login, than: Login): boolean {
  if (login.room !== than.room || login.session === than.session) return false;
  const both = login.epoch && than.epoch;
  return both ? login.epoch > than.epoch : login.at > than.at;
}

export interface Newest {
  /** What this browser holds for the room, whether or not it has ended since. */
  read(room: string): Login | null;
  /** Stores the login unless a newer one is known. @returns whether it is the newest now */
  offer(login: Login): boolean;
  /** Its end has been handled. */
  forget(login: Login): void;
}

export function createNewest(space: string, store: Store): Newest {
  const keyOf = (room: string): string => `${space}/newest/${room}`;
  const read = (room: string): Login | null => {
    const login = store.get(keyOf(room));
    return isLogin(login) && login.room === room ? login : null;
  };
  return {
    read,
    offer(login) {
      const known = read(login.room);
      if (known && isNewer(known, login)) return false;
      store.set(keyOf(login.room), login);
      return true;
    },
    forget({ room, session }) {
      if (read(room)?.session === session) store.remove(keyOf(room));
    },
  };
}
