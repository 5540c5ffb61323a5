/** All that the user gets to see, one thing at a time: the cover, the warning, the notice. */

import type { Clock } from "../clock.ts";
import type { Screen } from "../environment.ts";
import type { Parts } from "../parts.ts";
import type { SessionGuardOptions } from "../types.ts";
import { createModal, type Modal } from "./modal.ts";
import { showNotice, showUnreachable } from "./notice.ts";
import { textsFrom, type Texts } from "./texts.ts";
import type { showWarning as ShowWarning, Warning } from "./warning.ts";

export function createScreen(options: SessionGuardOptions, parts: Parts, clock: Clock): Screen {
  const lang = options.lang ?? (document.documentElement.lang || navigator.language);
  let texts: Texts = textsFrom(options.messages && { lang, ...options.messages });
  let modal: Modal | null = null;
  let warning: Warning | null = null;
  let dismissed = false;
  /** What shows the warning, once it is loaded. */
  let showWarning: typeof ShowWarning | null = null;
  let loading: Promise<void> | null = null;
  /** Takes in the latest prompt once more. */
  let askAgain = (): void => undefined;
  let visibility: string | null = null;
  /** Shows what is on the screen once more, in other words. */
  let again = (): void => undefined;

  // At once, because at the end the network may be gone.
  parts.texts(lang.toLowerCase().split("-")[0] ?? "").then(
    (language) => {
      if (!language) return;
      texts = textsFrom({ ...language, lang }, options.messages);
      again();
    },
    () => undefined,
  );

  const clear = (): void => {
    modal?.close();
    warning?.close();
    modal = warning = null;
    again = () => undefined;
  };

  const show = (draw: () => Modal): void => {
    clear();
    modal = draw();
    again = () => {
      show(draw);
    };
  };

  const prompt: Screen["prompt"] = (next, actions) => {
    askAgain = () => {
      prompt(next, actions);
    };
    if (!next) {
      dismissed = false;
      if (warning) clear();
    } else if (warning) {
      warning.update(next);
    } else if (showWarning && !dismissed && !modal) {
      warning = showWarning(createModal, texts, next, clock, actions, () => {
        dismissed = true;
        clear();
      });
      again = () => {
        clear();
        askAgain();
      };
    }
  };

  return {
    cloak(how) {
      const { style } = document.documentElement;
      if (how === "off") {
        if (visibility !== null) style.visibility = visibility;
        visibility = null;
        if (modal) clear();
        return;
      }
      visibility ??= style.visibility;
      style.visibility = "hidden";
      if (how === "unreachable") show(() => showUnreachable(texts));
    },
    expectPrompt() {
      loading ??= parts.warning().then(
        (part) => {
          ({ showWarning } = part);
          askAgain();
        },
        (cause: unknown) => {
          loading = null;
          console.warn("session-guard: no warning", cause);
        },
      );
    },
    prompt,
    asking: () => warning !== null,
    ended(end, loginUrl) {
      // Without its fragment the page's own address is a reload.
      show(() => showNotice(texts, end, loginUrl ?? location.href.replace(/#.*/, "")));
    },
    clear,
  };
}
