/** Keeps one kind of link to the server: opens one, and after every failure another. */

import type { Clock } from "../clock.ts";
import { verdict } from "../codes.ts";
import { isMembers } from "../core/wire.ts";
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
  unreachable(why: string): void;
  /** Refused for good: nothing is tried again until `connect()`. */
  refused(code: string, data: unknown): void;
}

export interface Connection {
  /** Starts trying. Does nothing while there is a link or an attempt. */
  connect(): void;
  request(name: string, payload: unknown, limit: number): Promise<unknown>;
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
  let joinedAt: number | null = null;
  let failures = 0;
  let wanted = false;
  let cancelWait: (() => void) | null = null;
  let notBefore = 0;

  const attempt = (): void => {
    cancelWait?.();
    cancelWait = null;
    joinedAt = null;
    const mine = openLink(credentials(), {
      ...events,
      joined() {
        joinedAt = clock.now();
        events.joined();
      },
      refused(code, data) {
        if (link !== mine) return;
        link = null;
        if (verdict(code) === "retry") {
          again((isMembers(data) && Number(data["retry_ms"])) || 0);
          events.unreachable(code);
        } else {
          wanted = false;
          events.refused(code, data);
        }
      },
      closed(why) {
        if (link !== mine) return;
        link = null;
        lost(why);
      },
    });
    link = mine;
  };

  const lost = (why: string): void => {
    if (!wanted) return;
    const since = joinedAt;
    joinedAt = null;
    if (since !== null && clock.now() - since >= GOOD_LINK) failures = 0;
    again(0);
    if (since === null) events.unreachable(why);
    else events.dropped();
  };

  const again = (floor: number): void => {
    notBefore = clock.now() + floor;
    cancelWait = clock.after(wait(failures, floor), attempt);
    failures += 1;
  };

  const drop = (): void => {
    const old = link;
    link = null;
    old?.close();
  };

  const restart = (): void => {
    if (!wanted) return;
    const joined = joinedAt !== null;
    drop();
    attempt();
    if (joined) events.dropped();
  };

  return {
    connect() {
      wanted = true;
      if (!link && !cancelWait) attempt();
    },
    request(name, payload, limit) {
      return link ? link.request(name, payload, limit) : Promise.reject(new Error("not connected"));
    },
    wake() {
      if (!wanted) return;
      if (cancelWait) {
        // A server that named a time is left alone until then, whatever wakes this page.
        if (clock.now() >= notBefore) attempt();
      } else if (link && !link.alive()) {
        restart();
      }
    },
    restart,
    close(linger = false) {
      wanted = false;
      cancelWait?.();
      cancelWait = null;
      if (linger && link && joinedAt !== null) clock.after(LINGER, drop);
      else drop();
    },
  };
}
