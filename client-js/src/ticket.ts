/** Tickets on the page: read for what they name, never verified here (the server does). */

import { sleep, type Clock } from "./clock.ts";
import type { Members } from "./core/wire.ts";
import type { Login } from "./newest.ts";
import { waitBefore } from "./transport/backoff.ts";

/**
 * The login that a ticket speaks for, or `null` when it cannot be read.
 *
 * Its epoch is an estimate, for a page that is refused before it was ever told: epochs are microseconds since 1970 where
 * nothing has pushed them ahead, and a ticket is made with its claim. When this browser first held it, no ticket says.
 */
export function readTicket(ticket: string): Login | null {
  try {
    const payload = (ticket.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    const { sub: room, sid: session, iat } = JSON.parse(new TextDecoder().decode(bytes)) as Members;
    const epoch = Number(iat) * 1e6 || 0;
    return typeof room === "string" && typeof session === "string" ? { session, room, epoch, at: 0 } : null;
  } catch {
    return null;
  }
}

/** What a source can throw to say that asking again is no use; `ended`: because this browser has no session. */
export interface Final {
  readonly final: true;
  readonly ended?: boolean;
}

/**
 * Asks `source`, for a ticket or what leads to one, until it gives it, waiting longer and longer between failures.
 *
 * @param wanted whether to go on
 * @param failed told of every failure, with its number from 0
 * @returns `null` when the source said that there is none, or when it is no longer wanted
 */
export async function obtain<Wanted>(
  source: () => Wanted | Promise<Wanted>,
  clock: Clock,
  random: () => number,
  wanted: () => boolean,
  failed: (cause: unknown, failures: number) => void,
): Promise<Wanted | null> {
  for (let failures = 0; wanted(); failures++) {
    try {
      return await source();
    } catch (cause) {
      if (!wanted()) break;
      failed(cause, failures);
      if ((cause as Final | null)?.final) break;
      await sleep(clock, waitBefore(failures, random()));
    }
  }
  return null;
}
