/**
 * The warning: counts down, and lets the user stay or leave (WCAG 2.2.1, 2.2.6).
 *
 * The visible seconds are hidden from screen readers, which hear a sentence now and then instead: once a minute, and
 * every 20 s of the last one.
 */

import type { Clock } from "../clock.ts";
import type { Prompt, ScreenActions } from "../environment.ts";
import { createModal, type Modal } from "./modal.ts";
import type { Texts } from "./texts.ts";

/** Milliseconds between two spoken times of the last minute. */
export const SPOKEN_EVERY = 20_000;

/**
 * @param endsAt when, in ms since 1970, as far as is known at that moment
 * @param dismiss the user has read a warning that cannot be helped
 */
export function createWarning(texts: Texts, kind: Prompt["kind"], endsAt: () => number, clock: Clock, actions: ScreenActions, dismiss: () => void): Modal {
  let spoken = Infinity;
  let cancelTick = (): void => undefined;
  const extendable = kind === "idle";

  const text = extendable ? texts.warningIdle : texts.warningAbsolute;
  const modal = createModal("warning", texts, texts.warningTitle, text, () => {
    stay.click();
  });
  const time = modal.add("time", "time");
  time.ariaHidden = "true";
  const live = modal.add("p", "spoken");
  live.role = "status";
  // Not before the server has said yes. What ends the warning then is the new deadline.
  const stay = extendable ? modal.button("stay", texts.stay, actions.stay) : modal.button("stay", texts.dismiss, dismiss);
  stay.autofocus = true;
  modal.button("leave", texts.leave, actions.leave);

  const tick = (): void => {
    const left = Math.max(0, endsAt() - clock.now());
    time.textContent = clockFace(left, texts.lang);
    // More time than was last told: the story begins anew.
    if (left > spoken) spoken = Infinity;
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
    close() {
      cancelTick();
      modal.close();
    },
  };
}

/** `1:05`, rounded up to the second: it reads 0:00 when the time is over, and not before. */
export function clockFace(ms: number, lang: string): string {
  const seconds = Math.ceil(ms / 1_000);
  const two = (seconds % 60).toLocaleString(lang, { minimumIntegerDigits: 2 });
  return `${Math.floor(seconds / 60).toLocaleString(lang, { useGrouping: false })}:${two}`;
}

/** "2 minutes", "40 seconds". */
export function spokenTime(ms: number, lang: string): string {
  const [unit, length] = ms < 60_000 ? ["second", 1_000] : ["minute", 60_000];
  return Math.round(ms / length).toLocaleString(lang, { style: "unit", unit, unitDisplay: "long" });
}
