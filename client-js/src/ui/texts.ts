/**
 * The texts on the screen. English here, and that of the warning in `warning.ts`; other languages are files of their own,
 * in `lang/`, or come by the option.
 */

import type { Messages } from "../types.ts";

/** Those of the warning, where nobody has translated them, are left to it. */
export type Texts = Messages & Required<Omit<Messages, WarningText>>;

export type WarningText = "warningTitle" | "warningIdle" | "warningAbsolute" | "warningLeft" | "stay" | "dismiss" | "leave" | "stayFailed";

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
};

/** Date and time in the user's zone; as it is where `lang` or `at` cannot be understood. */
export function timeOf(at: string, lang: string): string {
  try {
    return new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
  } catch {
    return at;
  }
}
