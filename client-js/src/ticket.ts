/** Tickets on the page: read for what they name, never verified here (the server does). */

import { sleep, type Clock } from "./clock.ts";
import { isMembers, type Members } from "./core/wire.ts";
import { waitBefore } from "./transport/backoff.ts";
import type { TicketSource } from "./types.ts";

export interface TicketClaims {
  readonly session: string;
  readonly room: string;
  /**
   * An estimate of the session's epoch, for a page that is refused before it was ever told: epochs are microseconds
   * since 1970 where nothing has pushed them ahead, and a ticket is made with its claim. 0 when unknown.
   */
  readonly epoch: number;
}

/** What a ticket speaks for, or `null` when it cannot be read. */
export function readTicket(ticket: string): TicketClaims | null {
  try {
    const payload = (ticket.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    const { sub: room, sid: session, iat } = JSON.parse(new TextDecoder().decode(bytes)) as Members;
    const epoch = Number(iat ?? 0) * 1e6;
    return typeof room === "string" && typeof session === "string" ? { session, room, epoch } : null;
  } catch {
    return null;
  }
}

/** The app answered that this browser has no session: asking again is no use. */
export class NoTicket extends Error {}

/**
 * A source for `data-ticket-url`: `first` once if there is one, then the app's own JSON `{"ticket": "…"}`.
 *
 * @throws NoTicket for an answer that will not change; anything else may be tried again
 */
export function ticketFrom(url: string, first: string | null, get: typeof fetch): () => Promise<string> {
  let spare = first;
  return async () => {
    if (spare !== null) {
      const ticket = spare;
      spare = null;
      return ticket;
    }
    const response = await get(url, { credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" } });
    const { status, ok } = response;
    if (status >= 500 || status === 429) throw new Error(`${url}: ${status}`);
    const body: unknown = ok ? await response.json().catch(() => null) : null;
    const ticket = isMembers(body) && body["ticket"];
    if (typeof ticket !== "string" || !ticket) throw new NoTicket(`${url}: no ticket in it, ${status}`);
    return ticket;
  };
}

/**
 * Asks `source` until it gives a ticket, waiting longer and longer between failures.
 *
 * @param wanted whether to go on
 * @param failed told of every failure, with its number from 0
 * @returns `null` when the source said that there is none, or when it is no longer wanted
 */
export async function obtainTicket(
  source: TicketSource,
  clock: Clock,
  random: () => number,
  wanted: () => boolean,
  failed: (cause: unknown, failures: number) => void,
): Promise<string | null> {
  for (let failures = 0; wanted(); failures++) {
    try {
      return await source();
    } catch (cause) {
      if (!wanted()) break;
      failed(cause, failures);
      if (cause instanceof NoTicket) break;
      await sleep(clock, waitBefore(failures, random()));
    }
  }
  return null;
}
