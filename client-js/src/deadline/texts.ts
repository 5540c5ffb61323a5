/** English, for what only a deadline brings to the screen. */

import type { DeadlineText } from "../ui/texts.ts";

export const ENGLISH: Readonly<Record<DeadlineText, string>> = {
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
