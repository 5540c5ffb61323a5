/** The page that the guard is on: where it is, how it came about, where it can go, and what its user does. */

import { safeTarget } from "./address.ts";
import type { Page } from "./environment.ts";
import { ownDocument } from "./own-document.ts";
import type { Store } from "./storage.ts";

/** In `sessionStorage`: when and where this tab has sent a form, for the page that answers. */
const SENT = "session-guard/sent";
/** Milliseconds between sending a form and the beginning of the page that answers it. */
const ANSWERED_WITHIN = 2_000;

/** What a human does; and writes, with whatever: dictation, on-screen keyboards and helpers bring no key and no pointer. */
const INPUT = "pointerdown keydown wheel touchmove mousemove focus";
const WRITING = "beforeinput input paste drop click";

/** What some events have. */
type Moment = Pick<PageTransitionEvent, "persisted"> & Pick<MouseEvent, "screenX" | "screenY"> & Pick<KeyboardEvent, "key">;

/** In the capture phase, so that it does not miss what the page stops; `passive`, it does not delay the page either. */
export function listen(names: string, signal: AbortSignal, listener: (event: Event & Partial<Moment>) => void, passive = true): void {
  for (const name of names.split(" ")) window.addEventListener(name, listener, { capture: true, passive, signal });
}

/** Without its fragment, so that going there loads it. */
const bare = (url: string): string => url.replace(/#.*/, "");
export const here = (): string => bare(location.href);

/** Whether this document has had a guard: only the first one can have come the way that the document came. */
let guarded = false;

/** @param store of this tab */
export function currentPage(store: Store, over: AbortSignal): Page {
  const [entry] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const how = (!guarded && entry?.type) || "";
  guarded = true;

  const sent = String(store.get(SENT));
  // After a redirect it is the answer to a GET.
  const answersPost = sent.endsWith(` ${here()}`) && !entry?.redirectCount && Math.abs(performance.timeOrigin - parseFloat(sent)) < ANSWERED_WITHIN;
  listen("submit formdata", over, ({ target }) => {
    // The form's own fields may have the names of its members.
    const said = (name: string): string => Element.prototype.getAttribute.call(target, name) ?? "";
    if (said("method").toUpperCase() === "POST") store.set(SENT, `${Date.now()} ${bare(safeTarget(said("action"), ownDocument.baseURI) ?? "")}`);
  });

  return {
    get base() {
      return ownDocument.baseURI;
    },
    isHere: (url) => bare(url) === here(),
    go(url) {
      location.assign(bare(url) === here() ? here() : url);
    },
    canLoadAgain: () => !answersPost && here().startsWith("http"),
    loadAgain() {
      location.replace(here());
    },
    // Where there is no telling, it is assumed.
    wasLoadedAgain: () => how === "reload" || [here(), ""].includes(bare(ownDocument.referrer)),
    how,
    emit: (name, detail) => !ownDocument.dispatchEvent(new CustomEvent(`session-guard:${name}`, { detail, cancelable: name === "expired" })),
    onWake(woke) {
      // On `window` in the capture phase all of them pass, also those that are the document's.
      listen("pageshow pagehide focus online visibilitychange resume", over, ({ type, target, persisted }) => {
        if (persisted) woke(type === "pagehide" ? "stored" : "restored");
        // The focus events of the page's own fields pass here, too.
        else if (type === "focus" ? target === window : type !== "pagehide" && !ownDocument.hidden) woke("awake");
      });
    },
    onInput(human, media) {
      let last = "";
      // While a film plays its time goes on, several times a second.
      listen(`${INPUT} ${WRITING}${media ? " timeupdate" : ""}`, over, ({ type, target, isTrusted, screenX, screenY }) => {
        // Dictation by an extension changes the field that has the focus, and says so by an event of its own.
        const genuine = isTrusted || (type === "input" && target === ownDocument.activeElement);
        if (!genuine || (type === "focus" && target !== window)) return;
        if (type === "mousemove") {
          // Browsers make mouse moves of their own, for instance when content moves under a resting pointer.
          const before = last;
          last = `${screenX} ${screenY}`;
          if (!before || before === last) return;
        }
        human(WRITING.includes(type) && !/^session-guard/i.test((target as Element).nodeName));
      });
    },
  };
}
