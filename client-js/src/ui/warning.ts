/**
 * The warning: counts down, and lets the user stay or leave (WCAG 2.2.1, 2.2.6).
 *
 * The visible seconds are hidden from screen readers, which hear a sentence now and then instead: once a minute, and
 * every 20 s of the last one.
 */

import type { Clock } from "../clock.ts";
import type { Prompt, PromptActions } from "../environment.ts";
import { createModal, type Modal } from "./modal.ts";
import { tagOf, type Texts } from "./texts.ts";

/** Milliseconds between two spoken times of the last minute. */
export const SPOKEN_EVERY = 20_000;

/** @param dismiss the user has read a warning that cannot be helped */
export function createWarning(texts: Texts, first: Prompt, clock: Clock, actions: PromptActions, dismiss: () => void): Modal {
  let prompt = first;
  let spoken = Infinity;
  let cancelTick = (): void => undefined;
  const extendable = first.kind === "idle";

  const stay = (): void => {
    if (stayButton.ariaDisabled) return;
    stayButton.ariaDisabled = "true";
    // Not before the server has said yes. What ends the warning then is the new deadline.
    void actions
      .stay()
      .catch(failed)
      .then(() => {
        stayButton.ariaDisabled = null;
      });
  };
  const failed = (): void => {
    live.textContent = note.textContent = texts.stayFailed;
  };

  const text = extendable ? texts.warningIdle : texts.warningAbsolute;
  const modal = createModal("warning", texts.lang, texts.warningTitle, text, extendable ? stay : dismiss);
  const time = modal.add("time", "time");
  time.role = "timer";
  time.ariaHidden = "true";
  const live = modal.add("p", "spoken");
  live.className = "spoken";
  live.role = "status";
  const note = modal.add("p", "note");
  const stayButton = modal.add("button", "stay", extendable ? texts.stay : texts.dismiss);
  stayButton.autofocus = true;
  stayButton.addEventListener("click", extendable ? stay : dismiss);
  modal.add("button", "leave", texts.leave).addEventListener("click", () => {
    actions.leave().catch(failed);
  });

  const tick = (): void => {
    const left = Math.max(0, prompt.endsAt - clock.now());
    time.textContent = clockFace(left, texts.lang);
    const step = left > 60_000 ? 60_000 : SPOKEN_EVERY;
    const due = Math.ceil(left / step) * step;
    if (due < spoken) {
      live.textContent = texts.warningLeft.replace("{time}", spokenTime(due, texts.lang));
      spoken = due;
    }
    cancelTick = clock.after(left % 1_000 || 1_000, tick);
  };
  tick();

  return {
    ...modal,
    update(next) {
      prompt = next;
      // More time than was last told: the story begins anew.
      if (prompt.endsAt - clock.now() > spoken) spoken = Infinity;
      cancelTick();
      tick();
    },
    close() {
      cancelTick();
      modal.close();
    },
  };
}

/** `1:05`, rounded up to the second: it reads 0:00 when the time is over, and not before. */
export function clockFace(ms: number, lang: string): string {
  const seconds = Math.ceil(ms / 1_000);
  const two = number(seconds % 60, lang, { minimumIntegerDigits: 2 });
  return `${number(Math.floor(seconds / 60), lang, { useGrouping: false })}:${two}`;
}

/** "2 minutes", "40 seconds". */
export function spokenTime(ms: number, lang: string): string {
  const unit = ms >= 60_000 ? "minute" : "second";
  return number(Math.round(ms / (unit === "minute" ? 60_000 : 1_000)), lang, { style: "unit", unit, unitDisplay: "long" });
}

function number(value: number, lang: string, options: Intl.NumberFormatOptions): string {
  return value.toLocaleString(tagOf(lang), options);
}
