/** A link whose code is still to be loaded. That it cannot be is an attempt that failed. */

import type { Link, OpenLink } from "./link.ts";

export function lateLink(load: () => Promise<OpenLink>): OpenLink {
  return (credentials, events) => {
    let link: Link | null = null;
    let over = false;
    load().then(
      (open) => {
        if (!over) link = open(credentials, events);
      },
      (error: unknown) => {
        if (!over) events.closed(String(error));
      },
    );
    return {
      request: (...request) => link?.request(...request) ?? Promise.reject(new Error("not connected")),
      alive: () => !link || link.alive(),
      close() {
        over = true;
        link?.close();
      },
    };
  };
}
