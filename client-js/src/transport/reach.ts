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

/** @param http `null` where the server can only be reached by a socket */
export function keepInReach(
  socket: OpenLink,
  http: OpenLink | null,
  credentials: () => Credentials,
  clock: Clock,
  random: () => number,
  events: ReachEvents,
): Connection {
  let joined: Connection | null = null;
  const refused = (code: string, data: unknown): void => {
    joined = null;
    bySocket.close();
    byHttp?.close();
    events.refused(code, data);
  };
  const dropped = (): void => {
    joined = null;
    events.dropped();
  };
  const bySocket: Connection = keepConnected(
    socket,
    credentials,
    clock,
    (failures, floor) => waitBefore(failures, random(), floor),
    {
      ...events,
      joined() {
        joined = bySocket;
        byHttp?.close();
        events.joined(true);
      },
      dropped,
      unreachable(why) {
        if (!byHttp) events.unreachable(why);
        // What cannot be had by HTTP either is told from there.
        else if (!joined) byHttp.connect();
      },
      refused,
    },
  );
  const byHttp: Connection | null =
    http &&
    keepConnected(http, credentials, clock, (_failures, floor) => floor + Math.round(POLL_RETRY * (0.75 + random() / 2)), {
      ...events,
      joined() {
        joined = byHttp;
        events.joined(false);
      },
      dropped,
      refused,
    });

  return {
    connect() {
      bySocket.connect();
    },
    request: (...request) => (joined ?? bySocket).request(...request),
    wake() {
      bySocket.wake();
      byHttp?.wake();
    },
    restart() {
      (joined ?? bySocket).restart();
    },
    close(linger) {
      bySocket.close(linger);
      byHttp?.close();
    },
  };
}
