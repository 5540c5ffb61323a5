/** Keeps one kind of link to the server: opens one, and after every failure another. */

import type { Clock } from "../clock.ts";
import { verdict } from "../codes.ts";
import { waitAsked } from "../core/wire.ts";
import type { Credentials, Link, OpenLink } from "./link.ts";

/** A link that lasted this long (ms) was a good one: after it the waits start small again. */
export const GOOD_LINK = 5_000;

/** Milliseconds that an ended session's link is left for the server to close, so that the ack is surely read. */
export const LINGER = 1_000;

export interface ConnectionEvents {
  joined(): void;
  pinged?(): void;
  message(name: string, payload: unknown, ack: (() => void) | null): void;
  /** A joined link was lost; the next attempt is on its way. */
  dropped(): void;
  /** An attempt failed, or the server asked to come back later. */
  unreachable(): void;
  /** Refused for good: nothing is tried again until `connect()`. */
  refused(code: string, data: unknown): void;
}

export interface Connection {
  /** Starts trying. Does nothing while there is a link or an attempt. */
  readonly connect: () => void;
  request(name: string, payload: unknown): Promise<unknown>;
  /** Waiting: try now. Connected, but silent for too long (the machine slept): start afresh now. */
  wake(): void;
  /** Drops the link, if any, and tries again at once. */
  restart(): void;
  /** For good; `linger` leaves the closing to the server for a moment. */
  close(linger?: boolean): void;
}

/** @param wait ms before the next attempt, by the failures in a row before it; at least `floor` */
export function keepConnected(
  openLink: OpenLink,
  credentials: () => Credentials,
  clock: Clock,
  wait: (failures: number, floor: number) => number,
  events: ConnectionEvents,
): Connection {
  let link: Link | null = null;
  /** Later than any now: it has not joined. */
  let joinedAt = Infinity;
  let failures = 0;
  /** As long as it is, there is a link, or an attempt is planned. */
  let wanted = false;
  let cancelWait = (): void => undefined;
  let notBefore = 0;

  const attempt = (): void => {
    cancelWait();
    joinedAt = Infinity;
    const mine = openLink(credentials(), {
      ...events,
      joined() {
        joinedAt = clock.now();
        events.joined();
      },
      refused(code, data) {
        if (link !== mine) return;
        link = null;
        if (verdict(code) === "retry") lost(waitAsked(data));
        else {
          wanted = false;
          events.refused(code, data);
        }
      },
    });
    link = mine;
  };

  const lost = (floor: number): void => {
    if (!wanted) return;
    const now = clock.now();
    const since = joinedAt;
    joinedAt = Infinity;
    if (now - since >= GOOD_LINK) failures = 0;
    notBefore = now + floor;
    cancelWait = clock.after(wait(failures++, floor), attempt);
    if (since < Infinity) events.dropped();
    else events.unreachable();
  };

  const drop = (): void => {
    link?.close();
    link = null;
  };

  const restart = (): void => {
    if (!wanted) return;
    const joined = joinedAt < Infinity;
    drop();
    attempt();
    if (joined) events.dropped();
  };

  return {
    connect() {
      if (wanted) return;
      wanted = true;
      attempt();
    },
    request: async (...request) => {
      if (!link || joinedAt === Infinity) throw new Error("not connected");
      return link.request(...request);
    },
    wake() {
      if (link) {
        if (!link.alive()) restart();
        // A server that named a time is left alone until then, whatever wakes this page.
      } else if (wanted && clock.now() >= notBefore) attempt();
    },
    restart,
    close(linger = false) {
      wanted = false;
      cancelWait();
      if (linger && joinedAt < Infinity) clock.after(LINGER, drop);
      else drop();
    },
  };
}
