/** The real outside world: the seams of `environment.ts` on a browser's globals. Nothing is touched before the call. */

import { createClock, sleep, type Clock } from "./clock.ts";
import type { Environment, Locks, Page } from "./environment.ts";
import type { Parts } from "./parts.ts";
import { safeStore } from "./storage.ts";
import { createTabs } from "./tabs.ts";
import { lateLink } from "./transport/late.ts";
import { sioLink, type Socket } from "./transport/sio-lite.ts";
import type { SessionGuardOptions } from "./types.ts";
import { createScreen } from "./ui/screen.ts";

/** Milliseconds for a call to the app. */
const POST_LIMIT = 5_000;

/** Milliseconds until a part that is needed, and could not be loaded, is asked for again. */
const RELOAD = 60_000;

/** Milliseconds that a page is left hidden before it gets the worker that keeps time then. */
const HIDDEN_FOR = 5_000;

const notLoaded = (cause: unknown): void => {
  console.warn("session-guard: not loaded", cause);
};

export function browserEnvironment(parts: Parts, options: SessionGuardOptions): Environment {
  const local = safeStore(() => localStorage);
  const over = new AbortController();
  const { signal } = over;
  const clock = createClock();
  let loading: Promise<void> | null = null;
  const screen = createScreen(options, parts, clock);
  const expectDeadline = (): void => {
    loading ??= parts.load("deadline").then(
      (part) => {
        if (signal.aborted) return;
        part.startTicker(clock, options.worker, parts.worker, signal);
        screen.loaded(part);
      },
      (cause: unknown) => {
        notLoaded(cause);
        clock.after(RELOAD, () => {
          loading = null;
        });
      },
    );
  };
  // The timers of a hidden page are late, but not at once; and one that is being left is hidden, too.
  const hidden = (): void => {
    clock.after(HIDDEN_FOR, expectDeadline);
  };
  if (document.hidden) hidden();
  listen(document, ["visibilitychange"], signal, hidden);
  return {
    clock,
    random: Math.random,
    local,
    session: safeStore(() => sessionStorage),
    credentials: () => parts.load("credentials"),
    openTabs: (space, receive) =>
      createTabs((async () => (typeof BroadcastChannel === "function" ? new BroadcastChannel(space) : (await parts.load("tabs")).storageChannel(space, local, window)))(), receive),
    openLink: (address) => (credentials, events) => sioLink(address, (url) => new WebSocket(url) as Socket, clock, credentials, events),
    openPoll: (server) =>
      lateLink(async () => {
        const { call, pollLink } = await parts.load("http");
        return (credentials, events) => pollLink(server, call, clock, Math.random, credentials, events);
      }),
    watchHttp(watched, noticed) {
      parts.load("http").then(
        ({ watchHttp }) => {
          watchHttp(window, watched, noticed, signal);
        },
        notLoaded,
      );
    },
    locks: createLocks(clock),
    post,
    page: currentPage(signal),
    screen,
    expectDeadline,
    close() {
      over.abort();
    },
  };
}

type Listener = (event: Event) => void;

/** Passive and in the capture phase: it neither delays the page nor misses what the page stops. */
function listen(target: EventTarget, names: readonly string[], signal: AbortSignal, listener: Listener): void {
  for (const name of names) target.addEventListener(name, listener, { capture: true, passive: true, signal });
}

function currentPage(over: AbortSignal): Page {
  return {
    get base() {
      return document.baseURI;
    },
    location,
    wasReloaded() {
      const [entry] = performance.getEntriesByType("navigation");
      return (entry as PerformanceNavigationTiming | undefined)?.type === "reload";
    },
    emit: (name, detail, cancelable = false) => !document.dispatchEvent(new CustomEvent(name, { detail, cancelable })),
    onWake(woke) {
      // On `window` in the capture phase all of them pass, also those that are the document's.
      listen(window, ["pageshow", "focus", "online", "visibilitychange", "resume"], over, (event) => {
        // So do the focus events of the page's own fields.
        if (event.type === "focus" ? event.target === window : !document.hidden) woke("persisted" in event && event.persisted === true);
      });
    },
    onInput(human, media) {
      let last = "";
      // While a film plays its time goes on, several times a second.
      const names = ["pointerdown", "keydown", "wheel", "touchstart", "touchmove", "mousemove", "focus", ...(media ? ["timeupdate"] : [])];
      listen(window, names, over, (event) => {
        if (!event.isTrusted || (event.type === "focus" && event.target !== window)) return;
        if (event.type === "mousemove") {
          // Browsers make mouse moves of their own, for instance when content moves under a resting pointer.
          const { screenX, screenY } = event as MouseEvent;
          const before = last;
          last = `${screenX} ${screenY}`;
          if (!before || before === last) return;
        }
        human();
      });
    },
  };
}

const createLocks = (clock: Clock): Locks => ({
  async exclusive(name, limit, work) {
    // Not on pages served over plain http. Then a stored mark alone picks the tab; the pause keeps two from
    // reading it in the same instant.
    if (!("locks" in navigator)) {
      await sleep(clock, Math.random() * 100);
      return work();
    }
    const signal = AbortSignal.timeout(limit);
    return navigator.locks.request(name, { signal }, work).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  },
});

async function post(url: string, headers: Readonly<Record<string, string>>, form: Readonly<Record<string, string>>): Promise<number> {
  const { status } = await fetch(url, {
    method: "POST",
    credentials: "same-origin",
    headers,
    body: new URLSearchParams(form),
    // Its cookies count, not the page that it leads to; and the call outlives this page.
    redirect: "manual",
    keepalive: true,
    signal: AbortSignal.timeout(POST_LIMIT),
  });
  return status;
}
