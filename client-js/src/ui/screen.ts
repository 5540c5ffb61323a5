/** All that the user gets to see, one thing at a time: the cover, the warning, the notice. */

import type { Clock } from "../clock.ts";
import type { Screen } from "../environment.ts";
import type { Parts } from "../parts.ts";
import type { SessionGuardOptions } from "../types.ts";
import type { Modal } from "./modal.ts";
import { showNotice, showUnreachable } from "./notice.ts";
import { textsFrom, type Texts } from "./texts.ts";
import { showWarning, type Warning } from "./warning.ts";

export function createScreen(options: SessionGuardOptions, parts: Parts, clock: Clock): Screen {
  const lang = options.lang ?? (document.documentElement.lang || navigator.language);
  let texts: Texts = textsFrom(options.messages && { lang, ...options.messages });
  let modal: Modal | null = null;
  let warning: Warning | null = null;
  let dismissed = false;
  let visibility: string | null = null;

  // At once, because at the end the network may be gone. Whatever is on the screen by then stays as it is.
  void parts
    .texts(lang.toLowerCase().split("-")[0] ?? "")
    .catch(() => null)
    .then((language) => {
      if (language) texts = textsFrom({ ...language, lang }, options.messages);
    });

  const clear = (): void => {
    modal?.close();
    modal = null;
    warning?.close();
    warning = null;
  };

  return {
    cloak(how) {
      const { style } = document.documentElement;
      if (how === "off") {
        if (visibility !== null) style.visibility = visibility;
        visibility = null;
        modal?.close();
        modal = null;
        return;
      }
      visibility ??= style.visibility;
      style.visibility = "hidden";
      if (how === "unreachable") {
        clear();
        modal = showUnreachable(texts);
      }
    },
    prompt(prompt, actions) {
      if (!prompt) {
        dismissed = false;
        warning?.close();
        warning = null;
      } else if (warning) {
        warning.update(prompt);
      } else if (!dismissed && !modal) {
        warning = showWarning(texts, prompt, clock, actions, () => {
          dismissed = true;
          warning?.close();
          warning = null;
        });
      }
    },
    asking: () => warning !== null,
    ended(end, loginUrl) {
      clear();
      // Without its fragment the page's own address is a reload.
      modal = showNotice(texts, end, loginUrl ?? location.href.replace(/#.*/, ""));
    },
    clear,
  };
}
