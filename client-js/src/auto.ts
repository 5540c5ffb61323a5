/** The `<script data-…>` line: reads its own attributes, starts a guard, and leaves it at `window.sessionGuard`. */

import { serverOfScript } from "./address.ts";
import { createSessionGuard, SessionGuardError, type SessionGuard, type SessionGuardOptions } from "./index.ts";
import { ticketFrom } from "./ticket.ts";

declare global {
  interface Window {
    sessionGuard?: SessionGuard;
    SessionGuard?: { createSessionGuard: typeof createSessionGuard; SessionGuardError: typeof SessionGuardError };
  }
}

/** Attributes of later versions: what they ask for does not happen yet, and that must not go unnoticed. */
const NOT_YET = ["warn", "watchHttp"];

function optionsOf({ dataset, src }: HTMLScriptElement): SessionGuardOptions {
  const { ticket, ticketUrl, room, csrfHeader, csrfToken } = dataset;
  const options: SessionGuardOptions = {
    url: dataset["url"] ?? serverOfScript(src),
    freshLogin: "freshLogin" in dataset && dataset["freshLogin"] !== "false",
    logout: {
      method: dataset["logoutMethod"]?.toUpperCase() === "GET" ? "GET" : "POST",
      headers: csrfHeader && csrfToken ? { [csrfHeader]: csrfToken } : {},
    },
    notice: dataset["notice"] === "off" ? "off" : "on",
    activity: dataset["activity"] === "off" ? "off" : "on",
  };
  if (ticketUrl) options.ticket = ticketFrom(ticketUrl, ticket || null, (url, init) => fetch(url, init));
  else if (ticket) options.ticket = ticket;
  else if (room) options.room = room;
  for (const name of ["path", "logoutUrl", "redirect", "loginUrl", "lang", "scope"] as const) {
    const value = dataset[name];
    if (value) options[name] = value;
  }
  return options;
}

function run(script: HTMLScriptElement): void {
  if (window.sessionGuard) {
    console.warn("session-guard: the script is on this page twice; the first one stays");
    return;
  }
  for (const name of NOT_YET) {
    const value = script.dataset[name];
    if (value !== undefined && value !== "off") console.warn(`session-guard: this version has no ${name} yet`);
  }
  const options = optionsOf(script);
  window.sessionGuard = createSessionGuard(options);
  // A layout that is shown to visitors, too, leaves these empty: then there is nothing to guard.
  if ((options.ticket || options.room) && !("manual" in script.dataset)) window.sessionGuard.start();
}

window.SessionGuard = { createSessionGuard, SessionGuardError };
if (document.currentScript instanceof HTMLScriptElement) run(document.currentScript);
