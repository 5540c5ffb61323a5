/** The notice's English texts. Own ones come by the option `messages`. */

import type { Messages } from "../types.ts";

export type Texts = { readonly [Name in keyof Messages]-?: NonNullable<Messages[Name]> };

export function textsFrom(messages: Messages = {}): Texts {
  return {
    explanations: {},
    when: "When",
    device: "Newer login",
    logInAgain: "Log in again",
    unreachableTitle: "No connection",
    unreachable: "This page is hidden until the server confirms that you are still logged in. It comes back by itself.",
    ...messages,
    titles: { other: "Your session has ended", ...messages.titles },
  };
}
