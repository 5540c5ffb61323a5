/** Keeps the page in touch with the server: by a socket, and as long as none can be had, by asking over HTTP. */

import type { Clock } from "../clock.ts";
import { waitBefore } from "./backoff.ts";
import { keepConnected, type Connection, type ConnectionEvents } from "./connection.ts";
import type { Credentials, OpenLink } from "./link.ts";

/** Milliseconds between two attempts over HTTP, before jitter. */
export const POLL_RETRY = 5_000;

export interface ReachEvents extends Omit<ConnectionEvents, "joined"> {
  /** @param live by a socket, which hears of everything at once */
  joined(live: boolean): void;
}

/** @param http for pages with a ticket; others can only be reached by a socket */
export function keepInReach(
  socket: OpenLink,
  http: OpenLink,
  credentials: () => Credentials,
  clock: Clock,
  random: () => number,
  events: ReachEvents,
): Connection {
  let joined: Connection | null = null;
  const keep = (openLink: OpenLink, wait: (failures: number, floor: number) => number, more: Pick<ConnectionEvents, "joined" | "unreachable">): Connection =>
    keepConnected(openLink, credentials, clock, wait, {
      ...events,
      ...more,
      dropped() {
        joined = null;
        events.dropped();
      },
      refused(code, data) {
        joined = null;
        close();
        events.refused(code, data);
      },
    });
  const bySocket = keep(socket, (failures, floor) => waitBefore(failures, random(), floor), {
    joined() {
      joined = bySocket;
      byHttp.close();
      events.joined(true);
    },
    unreachable() {
      if (!("ticket" in credentials())) events.unreachable();
      // What cannot be had by HTTP either is told from there.
      else if (!joined) byHttp.connect();
    },
  });
  const byHttp = keep(http, (_failures, floor) => floor + POLL_RETRY * (0.75 + random() / 2), {
    joined() {
      joined = byHttp;
      events.joined(false);
    },
    unreachable: events.unreachable,
  });
  const close = (linger?: boolean): void => {
    bySocket.close(linger);
    byHttp.close();
  };

  return {
    connect: bySocket.connect,
    request: (...request) => (joined ?? bySocket).request(...request),
    wake() {
      bySocket.wake();
      byHttp.wake();
    },
    restart() {
      (joined ?? bySocket).restart();
    },
    close,
  };
}
