/** The `<script data-…>` line: reads its own attributes, starts a guard, and leaves it at `window.sessionGuard`. */

import { serverOfScript } from "./address.ts";
import { createWith } from "./create.ts";
import { partsBeside } from "./parts.ts";
import { ticketFrom } from "./ticket.ts";
import { SessionGuardError, type SessionGuard, type SessionGuardOptions, type WatchHttp } from "./types.ts";

declare global {
  interface Window {
    sessionGuard?: SessionGuard;
    SessionGuard?: { createSessionGuard: (options: SessionGuardOptions) => SessionGuard; SessionGuardError: typeof SessionGuardError };
  }
}

function optionsOf({ dataset, src }: HTMLScriptElement): SessionGuardOptions {
  const { ticket, ticketUrl, room, csrfHeader, csrfToken } = dataset;
  const options: SessionGuardOptions = {
    url: dataset["url"] ?? serverOfScript(src),
    freshLogin: "freshLogin" in dataset && dataset["freshLogin"] !== "false",
    logout: {
      method: dataset["logoutMethod"]?.toUpperCase() === "GET" ? "GET" : "POST",
      headers: csrfHeader && csrfToken ? { [csrfHeader]: csrfToken } : {},
    },
    watchHttp: watchedBy(dataset),
  };
  if (ticketUrl) options.ticket = ticketFrom(ticketUrl, ticket || null, (url, init) => fetch(url, init));
  else if (ticket) options.ticket = ticket;
  else if (room) options.room = room;
  for (const name of ["path", "logoutUrl", "redirect", "loginUrl", "lang", "scope", "worker", "notice", "warn", "activity"] as const) {
    const value = dataset[name];
    // What is no word of an option is as good as the option's default.
    if (value) options[name] = value as "off";
  }
  return options;
}

function watchedBy({ watchHttp = "off", watchHttpHeader }: DOMStringMap): WatchHttp {
  if (watchHttp === "off") return "off";
  const paths = watchHttp.split(/[\s,]+/).filter((path) => path.startsWith("/"));
  return watchHttpHeader ? { paths, header: watchHttpHeader } : { paths };
}

function run(script: HTMLScriptElement): void {
  if (window.sessionGuard) {
    console.warn("session-guard: the script is on this page twice; the first one stays");
    return;
  }
  const options = optionsOf(script);
  window.sessionGuard = createSessionGuard(options);
  // A layout that is shown to visitors, too, leaves these empty: then there is nothing to guard.
  if ((options.ticket || options.room) && !("manual" in script.dataset)) window.sessionGuard.start();
}

const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript : null;
const parts = partsBeside(script?.src.replace(/[?#].*/, "").replace(/[^/]*$/, "") ?? "");
const createSessionGuard = (options: SessionGuardOptions): SessionGuard => createWith(parts, options);

window.SessionGuard = { createSessionGuard, SessionGuardError };
if (script) run(script);
