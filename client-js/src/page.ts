/** The page that the guard is on: where it is, how it came about, where it can go, and what its user does. */

import { safeTarget } from "./address.ts";
import type { Page } from "./environment.ts";
import { ownDocument } from "./own-document.ts";
import type { Store } from "./storage.ts";

/** In `sessionStorage`: when and where this tab has sent a form, for the page that answers. */
const SENT = "session-guard/sent";
/** Milliseconds between sending a form and the beginning of the page that answers it. */
const ANSWERED_WITHIN = 2_000;

/** What a human does. */
const INPUT = ["pointerdown", "keydown", "wheel", "touchstart", "touchmove", "mousemove", "focus"];
/** What a human writes, with whatever: dictation, on-screen keyboards and helpers bring no key and no pointer. */
const WRITING = ["beforeinput", "input", "change", "compositionstart", "compositionupdate", "compositionend", "paste", "drop", "click"];

type Listener = (event: Event) => void;

/** Passive and in the capture phase: it neither delays the page nor misses what the page stops. */
function listen(target: EventTarget, names: readonly string[], signal: AbortSignal, listener: Listener): void {
  for (const name of names) target.addEventListener(name, listener, { capture: true, passive: true, signal });
}

/** Without its fragment, so that going there loads it. */
const bare = (url: string): string => url.replace(/#.*/, "");

/** Whether this document has had a guard: only the first one can have come the way that the document came. */
let guarded = false;

/** @param store of this tab */
export function currentPage(store: Store, over: AbortSignal): Page {
  const first = !guarded;
  guarded = true;
  const [entry] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const how = first ? entry?.type : "navigate";
  const here = (): string => bare(location.href);

  const [sentAt, ...sentTo] = (store.get(SENT) ?? "").split(" ");
  const age = performance.timeOrigin - Number(sentAt);
  // After a redirect it is the answer to a GET.
  const answersPost = sentTo.join(" ") === here() && entry?.redirectCount === 0 && Math.abs(age) < ANSWERED_WITHIN;
  listen(window, ["submit", "formdata"], over, (event) => {
    const { submitter } = event as Partial<SubmitEvent>;
    // The form's own fields may have the names of its members.
    const said = (name: string): string | null => submitter?.getAttribute(`form${name}`) ?? Element.prototype.getAttribute.call(event.target, name);
    const action = safeTarget(said("action") ?? "", ownDocument.baseURI);
    if (action && /^post$/i.test(said("method") ?? "")) store.set(SENT, `${Date.now()} ${bare(action)}`);
  });

  return {
    get base() {
      return ownDocument.baseURI;
    },
    isHere: (url) => bare(url) === here(),
    go(url) {
      location.assign(bare(url) === here() ? here() : url);
    },
    canLoadAgain: () => !answersPost && /^https?:/.test(location.href),
    loadAgain() {
      location.replace(here());
    },
    // Where there is no telling, it is assumed.
    wasLoadedAgain: () => how === "reload" || [here(), ""].includes(bare(ownDocument.referrer)),
    cameBack: () => how === "reload" || how === "back_forward",
    fromCache: () => how === "back_forward" && entry?.transferSize === 0,
    emit: (name, detail, cancelable = false) => !ownDocument.dispatchEvent(new CustomEvent(name, { detail, cancelable })),
    onWake(woke) {
      // On `window` in the capture phase all of them pass, also those that are the document's.
      listen(window, ["pageshow", "pagehide", "focus", "online", "visibilitychange", "resume"], over, (event) => {
        const { type } = event;
        const cached = "persisted" in event && event.persisted === true;
        if (type === "pagehide") {
          if (cached) woke("stored");
        }
        // The focus events of the page's own fields pass here, too.
        else if (type === "focus" ? event.target === window : cached || !ownDocument.hidden) woke(cached ? "restored" : "awake");
      });
    },
    onInput(human, media) {
      let last = "";
      // While a film plays its time goes on, several times a second.
      listen(window, [...INPUT, ...WRITING, ...(media ? ["timeupdate"] : [])], over, (event) => {
        const { type, target } = event;
        // Dictation by an extension changes the field that has the focus, and says so by an event of its own.
        const genuine = event.isTrusted || (type === "input" && target === ownDocument.activeElement);
        if (!genuine || (type === "focus" && target !== window)) return;
        if (type === "mousemove") {
          // Browsers make mouse moves of their own, for instance when content moves under a resting pointer.
          const { screenX, screenY } = event as MouseEvent;
          const before = last;
          last = `${screenX} ${screenY}`;
          if (!before || before === last) return;
        }
        human(WRITING.includes(type) && !/^session-guard-/i.test((target as Element).nodeName));
      });
    },
  };
}
