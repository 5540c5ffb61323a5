/** For `data-ticket-url`: the app's own JSON `{"ticket": "…"}`. */

import { isMembers } from "../core/wire.ts";
import type { Final } from "../ticket.ts";

/** The app has no ticket for this browser: asking again is no use. */
export class NoTicket extends Error implements Final {
  readonly final = true;
  declare readonly ended: boolean;

  constructor(url: string, status: number) {
    super(`${url}: ${status}, no ticket`);
    this.ended = status === 401;
  }
}

/** @throws NoTicket for an answer that will not change; anything else may be tried again */
export async function fetchTicket(url: string, get: typeof fetch): Promise<string> {
  const response = await get(url, { cache: "no-store", headers: { "Accept": "application/json" } });
  const { status, ok } = response;
  if (status >= 500 || status === 429) throw new Error(`${url}: ${status}`);
  const body: unknown = ok ? await response.json().catch(() => null) : null;
  const ticket = isMembers(body) && body["ticket"];
  if (typeof ticket !== "string" || !ticket) throw new NoTicket(url, status);
  return ticket;
}
