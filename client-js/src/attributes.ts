/** Options out of attributes: of the `<script data-…>` line, and of the `<session-guard>` element. Pure but for the tickets. */

import { fetchTicket } from "./credentials/fetch-ticket.ts";
import type { SessionGuardOptions } from "./types.ts";

/** Attribute values by their names in camel case, as a `dataset` has them. */
export type Attributes = Readonly<Record<string, string | undefined>>;

const PLAIN = ["url", "path", "logoutUrl", "redirect", "loginUrl", "lang", "scope", "worker", "notice", "warn", "activity", "report", "watchHttp"] as const;

export function optionsFrom(attributes: Attributes): SessionGuardOptions {
  const { ticket, ticketUrl, room, csrfHeader, csrfToken, freshLogin, logoutMethod, watchHttp, watchHttpHeader: header } = attributes;
  const options: SessionGuardOptions = {
    freshLogin: freshLogin !== undefined && freshLogin !== "false",
    logout: {
      method: logoutMethod?.toUpperCase() === "GET" ? "GET" : "POST",
      headers: csrfHeader && csrfToken ? { [csrfHeader]: csrfToken } : {},
    },
  };
  if (ticketUrl) {
    let spare = ticket;
    options.ticket = () => {
      const first = spare;
      spare = "";
      return first || fetchTicket(ticketUrl, fetch);
    };
  } else if (ticket) options.ticket = ticket;
  else if (room) options.room = room;
  for (const name of PLAIN) {
    const value = attributes[name];
    // What is no word of an option is as good as the option's default.
    if (value) options[name] = value as "off";
  }
  if (watchHttp && header && !isOff(watchHttp)) options.watchHttp = { paths: watchHttp, header };
  return options;
}

/** Of `on`, `off`, and what else an option may be; both ways of saying it. */
export function isOff(option: unknown): boolean {
  return option === false || option === "off";
}
