/** Shows the warning, brings it up to date, and takes it away. */

import type { Clock } from "../clock.ts";
import type { Prompt, PromptActions } from "../environment.ts";
import type { CreateModal } from "../ui/modal.ts";
import type { Texts } from "../ui/texts.ts";
import { showWarning, type Warning } from "./warning.ts";

export interface Prompter {
  /** @param texts `null` while something else is on the screen: then nothing new is shown */
  prompt(prompt: Prompt | null, actions: PromptActions, texts: Texts | null): void;
  /** Whether the warning is on the screen. */
  asking(): boolean;
  close(): void;
}

/** @param createModal of the script itself, which is here already */
export function createPrompter(createModal: CreateModal, clock: Clock): Prompter {
  let warning: Warning | null = null;
  /** The user has read a warning that cannot be helped, and wants to see no more of it. */
  let dismissed = false;
  const close = (): void => {
    warning?.close();
    warning = null;
  };
  return {
    prompt(prompt, actions, texts) {
      if (!prompt) {
        dismissed = false;
        close();
      } else if (warning) {
        warning.update(prompt);
      } else if (texts && !dismissed) {
        warning = showWarning(createModal, texts, prompt, clock, actions, () => {
          dismissed = true;
          close();
        });
      }
    },
    asking: () => warning !== null,
    close,
  };
}
