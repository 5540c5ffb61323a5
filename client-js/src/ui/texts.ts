/** The texts on the screen. English here; other languages are files of their own, in `lang/`, or come by the option. */

import type { Messages } from "../types.ts";

export type Texts = { readonly [Name in keyof Messages]-?: NonNullable<Messages[Name]> };

/** @param languages later ones win, text by text */
export function textsFrom(...languages: readonly (Messages | undefined)[]): Texts {
  return languages.reduce<Texts>(
    (texts, more) => ({
      ...texts,
      ...more,
      titles: { ...texts.titles, ...more?.titles },
      explanations: { ...texts.explanations, ...more?.explanations },
    }),
    ENGLISH,
  );
}

const ENGLISH: Texts = {
  lang: "en",
  titles: { other: "Your session has ended" },
  // Where the server says nothing, because the page knew it first.
  explanations: { logout: "You have logged out.", lost: "Your session is no longer valid." },
  when: "When",
  device: "Newer login",
  logInAgain: "Log in again",
  unreachableTitle: "No connection",
  unreachable: "This page is hidden until the server confirms that you are still logged in.",
  warningTitle: "Are you still there?",
  warningIdle: "You will be logged out because you were inactive.",
  warningAbsolute: "Your session is about to end. Save your work.",
  warningLeft: "You will be logged out in {time}.",
  stay: "Stay logged in",
  dismiss: "OK",
  leave: "Log out now",
  stayFailed: "That did not work. Try again.",
};

/** Date and time in the user's zone; as it is where `lang` or `at` cannot be understood. */
export function timeOf(at: string, lang: string): string {
  try {
    return new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
  } catch {
    return at;
  }
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
  try {
    return value.toLocaleString(lang, options);
  } catch {
    return value.toLocaleString("en", options);
  }
}
