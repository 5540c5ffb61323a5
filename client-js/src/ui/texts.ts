/** The texts on the screen. English here; other languages are files of their own, in `lang/`, or come by the option. */

import type { Messages, SessionEnd } from "../types.ts";

export type Texts = Required<Messages>;

/**
 * @param languages later ones win, text by text
 * @returns with a `lang` that every function of `Intl` takes
 */
export function textsFrom(...languages: readonly (Messages | null | undefined)[]): Texts {
  return languages.reduce<Texts>(
    (texts, more) => ({
      ...texts,
      ...more,
      titles: { ...texts.titles, ...more?.titles },
      explanations: { ...texts.explanations, ...more?.explanations },
      lang: tagOf(more?.lang ?? texts.lang),
    }),
    ENGLISH,
  );
}

const ENGLISH: Texts = {
  lang: "en",
  titles: { other: "Your session has ended" },
  // Where the server says nothing, because the page knew it first, or says it in other words.
  explanations: {
    logout: "You have logged out.",
    logout_other: "You ended this session from another device.",
    logout_everywhere: "You logged out everywhere from another device.",
    lost: "Your session is no longer valid.",
  },
  when: "When",
  device: "Newer login",
  logInAgain: "Log in again",
  goOn: "Continue",
  unreachableTitle: "No connection",
  unreachable: "This page is hidden until the server confirms that you are logged in.",
  warningTitle: "Are you still there?",
  warningIdle: "Stay logged in, or you will be logged out.",
  warningAbsolute: "Your session will end soon. Save your work.",
  warningLeft: "You will be logged out in {time}.",
  stay: "Stay logged in",
  dismiss: "OK",
  leave: "Log out now",
  stayFailed: "That did not work. Try again.",
  report: "This was not me",
  reported: "Reported. Thank you.",
};

/** The reason, and of log-outs whose it was: `logout` is the user's own on this device, `logout_other` another device's. */
export function whyOf({ reason, by }: SessionEnd): string {
  return !by || !reason.startsWith("logout") ? reason : by.self ? "logout" : reason === "logout" ? "logout_other" : reason;
}

/** Why, in the words of `texts`, else the server's. */
export function explanationOf({ explanations }: Texts, end: SessionEnd): string {
  return textOf(explanations, whyOf(end)) ?? end.message;
}

/** The text of that name; a name that comes from outside may be one that every object has. */
export function textOf(texts: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(texts, name) ? texts[name] : undefined;
}

/** As BCP 47 spells it: `de_DE.UTF-8` is German, too. What is no tag at all is English. */
export function tagOf(lang: string): string {
  try {
    return String(new Intl.Locale(lang.replaceAll("_", "-").replace(/[.@].*/, "")));
  } catch {
    return "en";
  }
}

/** Date and time in the user's zone; as it is where it cannot be understood. */
export function timeOf(at: string, lang: string): string {
  const date = new Date(at);
  return isNaN(Number(date)) ? at : date.toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });
}

export function directionOf(lang: string): "rtl" | "ltr" {
  return /^(ar|fa|he|ur|ps|yi)\b/i.test(lang) ? "rtl" : "ltr";
}
