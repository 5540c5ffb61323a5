/** All that the user gets to see, one thing at a time: the cover, the warning, the notice. */

import type { Clock } from "../clock.ts";
import type * as Deadline from "../deadline/index.ts";
import type { Prompter } from "../deadline/prompter.ts";
import type { Screen } from "../environment.ts";
import type { Parts } from "../parts.ts";
import type { SessionGuardOptions } from "../types.ts";
import { createModal, type Modal } from "./modal.ts";
import { showNotice } from "./notice.ts";
import { textsFrom, type Texts } from "./texts.ts";

export interface LateScreen extends Screen {
  /** What shows warning and cover is here. */
  loaded(part: typeof Deadline): void;
}

export function createScreen(options: SessionGuardOptions, parts: Parts, clock: Clock): LateScreen {
  const lang = options.lang ?? (document.documentElement.lang || navigator.language);
  let texts: Texts = textsFrom(options.messages && { lang, ...options.messages });
  let modal: Modal | null = null;
  let deadline: typeof Deadline | null = null;
  let prompter: Prompter | null = null;
  let visibility: string | null = null;
  /** Shows the modal that is on the screen once more, in other words. */
  let again = (): void => undefined;
  /** Takes in the latest prompt once more. */
  let askAgain = (): void => undefined;

  // At once, because at the end the network may be gone.
  parts.texts(lang.toLowerCase().split("-")[0] ?? "").then(
    (language) => {
      if (!language) return;
      texts = textsFrom({ ...language, lang }, options.messages);
      again();
      prompter?.close();
      askAgain();
    },
    () => undefined,
  );

  const clear = (): void => {
    modal?.close();
    prompter?.close();
    modal = null;
    again = () => undefined;
  };

  const show = (draw: () => Modal): void => {
    clear();
    modal = draw();
    again = () => {
      show(draw);
    };
  };

  return {
    loaded(part) {
      deadline = part;
      prompter = part.createPrompter(createModal, clock);
      askAgain();
    },
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
      const part = deadline;
      if (part && how === "unreachable") show(() => part.showCover(createModal, texts));
    },
    prompt(prompt, actions) {
      askAgain = () => {
        prompter?.prompt(prompt, actions, modal ? null : texts);
      };
      askAgain();
    },
    asking: () => !!prompter?.asking(),
    ended(end, loginUrl) {
      // Without its fragment the page's own address is a reload.
      show(() => showNotice(texts, end, loginUrl ?? location.href.replace(/#.*/, "")));
    },
    clear,
  };
}
