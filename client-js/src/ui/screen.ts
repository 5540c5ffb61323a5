/**
 * All that the user gets to see, one thing at a time: the notice of the end, else what hides the page, else the warning.
 *
 * Everything that ends or doubts a session goes through here, so there is one way to hide a page. The next thing is on the
 * screen before the last one goes, and when the last one goes, the focus is where it was (WCAG 2.4.3).
 */

import type { Clock } from "../clock.ts";
import type { Cover } from "../core/machine.ts";
import { createWarning } from "./warning.ts";
import type { Prompt, Screen, ScreenActions } from "../environment.ts";
import type { Files } from "../files.ts";
import { isOff } from "../attributes.ts";
import { ownDocument } from "../own-document.ts";
import { here } from "../page.ts";
import type { SessionEnd, SessionGuardOptions } from "../types.ts";
import type { Modal } from "./modal.ts";
import { createCover, createNotice } from "./notice.ts";
import { tagOf, textsFrom } from "./texts.ts";

export function createScreen(options: SessionGuardOptions, files: Files, clock: Clock, actions: ScreenActions): Screen {
  const lang = tagOf(options.lang ?? (ownDocument.documentElement.lang || navigator.language));
  const own = options.messages && { lang, ...options.messages };
  let texts = textsFrom(own);
  let end: SessionEnd | null = null;
  let href = "";
  let cover: Cover = "off";
  let prompt: Prompt | null = null;
  /** The user has read a warning that cannot be helped, and wants to see no more of it. */
  let dismissed = false;
  /** What is on the screen, by what it is about. */
  let shown: unknown = null;
  let modal: Modal | null = null;
  let focused: Element | null = null;

  // At once, because at the end the network may be gone.
  files.texts(lang.split("-")[0] ?? "").then(
    (language) => {
      if (!language) return;
      texts = textsFrom({ ...language, lang }, options.messages);
      render(true);
    },
    () => undefined,
  );

  const draw = (): Modal | null => {
    if (end) return createNotice(texts, end, href, isOff(options.report ?? false) ? null : actions.report);
    if (cover !== "off") return createCover(texts, cover, options.loginUrl ?? here());
    if (!prompt || dismissed) return null;
    return createWarning(texts, prompt.kind, () => prompt?.endsAt ?? 0, clock, actions, () => {
      dismissed = true;
      render();
    });
  };

  const render = (anew = false): void => {
    const next = end ?? (cover !== "off" ? cover : prompt && !dismissed ? prompt.kind : null);
    if (next === shown && !anew) return;
    const old = modal;
    if (!old) focused = deepest();
    shown = next;
    modal = draw();
    modal?.show();
    old?.close();
    if (!modal) (focused as HTMLElement | null)?.focus({ preventScroll: true });
  };

  return {
    cover(how) {
      cover = how;
      render();
    },
    prompt(about) {
      prompt = about;
      dismissed &&= !!about;
      render();
    },
    asking: () => !!prompt && shown === prompt.kind,
    ended(about, loginUrl) {
      end = about;
      href = loginUrl ?? here();
      render();
    },
    clear() {
      end = prompt = null;
      cover = "off";
      render();
    },
  };
}

/** What has the focus, within whatever shadow roots. */
function deepest(): Element | null {
  let element = ownDocument.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element;
}
