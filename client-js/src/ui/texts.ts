/**
 * The texts on the screen. English here, and that of what a deadline brings in `deadline/texts.ts`; other languages are
 * files of their own, in `lang/`, or come by the option.
 */

import type { Messages } from "../types.ts";

/** Those that a deadline brings are optional here: its part has the English ones. */
export type Texts = Messages & Required<Omit<Messages, DeadlineText>>;

export type DeadlineText =
  | "unreachableTitle"
  | "unreachable"
  | "warningTitle"
  | "warningIdle"
  | "warningAbsolute"
  | "warningLeft"
  | "stay"
  | "dismiss"
  | "leave"
  | "stayFailed";

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
};

/** Date and time in the user's zone; as it is where `lang` or `at` cannot be understood. */
export function timeOf(at: string, lang: string): string {
  try {
    return new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
  } catch {
    return at;
  }
}
