/** The real outside world: the seams of `environment.ts` on a browser's globals. Nothing is touched before the call. */

import { isOff } from "./attributes.ts";
import { createClock } from "./clock.ts";
import { randomId } from "./credentials/open-session.ts";
import type { Environment } from "./environment.ts";
import { call } from "./http/call.ts";
import { pollLink } from "./http/poll.ts";
import { watchHttp } from "./http/watch.ts";
import { loadTicker, type Files } from "./files.ts";
import { createLocks } from "./locks.ts";
import { ownDocument } from "./own-document.ts";
import { currentPage } from "./page.ts";
import { safeStore } from "./storage.ts";
import { createTabs } from "./tabs.ts";
import { sioLink, type Socket } from "./transport/sio-lite.ts";
import type { SessionGuardOptions } from "./types.ts";
import { createScreen } from "./ui/screen.ts";

/** Milliseconds for a call to the app. */
const POST_LIMIT = 5_000;

export function browserEnvironment(files: Files, options: SessionGuardOptions): Environment {
  const local = safeStore(() => localStorage);
  const session = safeStore(() => sessionStorage);
  const over = new AbortController();
  const { signal } = over;
  const clock = createClock();
  const { worker = "off" } = options;
  // Never by itself: a page whose policy forbids workers would report a violation.
  if (!isOff(worker)) {
    const file = new URL(worker === "on" ? files.worker : worker, ownDocument.baseURI).href;
    loadTicker(file).then(({ startTicker }) => {
      startTicker(clock, file, signal);
    }, console.warn);
  }
  return {
    clock,
    random: Math.random,
    newId: randomId,
    local,
    session,
    openTabs: (space, receive) => createTabs(() => new BroadcastChannel(space), receive),
    openLink: (address) => (credentials, events) => sioLink(address, (url) => new WebSocket(url) as Socket, clock, credentials, events),
    openPoll: (server) => (credentials, events) => pollLink(server, call, clock, Math.random, credentials, events),
    watchHttp(watched, noticed) {
      watchHttp(window, watched, noticed, signal);
    },
    locks: createLocks(navigator.locks, clock, local, randomId),
    post,
    page: currentPage(session, signal),
    openScreen: (actions) => createScreen(options, files, clock, actions),
    call,
    close() {
      over.abort();
    },
  };
}

async function post(url: string, headers: Readonly<Record<string, string>>, form: Readonly<Record<string, string>>): Promise<number> {
  const response = await fetch(url, {
    method: "POST",
    headers,
    body: new URLSearchParams(form),
    // Its cookies count, not the page that it leads to; and the call outlives this page.
    redirect: "manual",
    keepalive: true,
    signal: AbortSignal.timeout(POST_LIMIT),
  });
  return response.status;
}
