/** The notice at the end, and what stands in place of the page while nobody knows. */

import type { Cover } from "../core/machine.ts";
import type { SessionEnd } from "../types.ts";
import { createModal, type Modal } from "./modal.ts";
import { explanationOf, textOf, timeOf, whyOf, type Texts } from "./texts.ts";

/**
 * Milliseconds after which the notice is surely on the screen. Only then it says when: browsers load their calendars at
 * the first use, which takes longer than everything else here.
 */
const PAINTED = 50;

/**
 * @param href of "log in again"
 * @param report tells the server that it was not the user who ended the session; `null` where nobody is asked
 */
export function createNotice(texts: Texts, end: SessionEnd, href: string, report: (() => Promise<unknown>) | null): Modal {
  const { titles, lang } = texts;
  const { reason, at, by } = end;
  const modal = createModal("notice", texts, textOf(titles, reason) ?? titles["other"] ?? "", explanationOf(texts, end));
  const facts = modal.add("dl", "facts");
  const fact = (label: string, value = ""): HTMLElement => {
    modal.add("dt", "label", label, facts);
    return modal.add("dd", "value", value, facts);
  };
  const when = fact(texts.when);
  // Of any other end the device tells nothing: it may well be this one.
  if (reason === "displaced" && by?.device?.label) fact(texts.device, by.device.label);
  modal.add("a", "link", reason === "replaced" ? texts.goOn : texts.logInAgain).href = href;
  // Time, an administrator and the user's own hand need no report.
  if (report && /^(displaced|logout_|password)/.test(whyOf(end))) {
    const button = modal.button("report", texts.report, async () => {
      await report();
      button.textContent = texts.reported;
    });
  }
  setTimeout(() => {
    when.textContent = timeOf(at, lang);
  }, PAINTED);
  return modal;
}

/** @param href of "log in again", where there is nothing to wait for */
export function createCover(texts: Texts, how: Cover, href: string): Modal {
  const modal = createModal("notice", texts, texts.unreachableTitle, texts.unreachable);
  if (how === "unconfirmed") modal.add("a", "link", texts.logInAgain).href = href;
  // Focus has to be somewhere inside.
  else modal.heading.tabIndex = -1;
  // Most answers come at once, and words that flash by alarm.
  if (how === "checking") modal.dialog.className = "blank";
  return modal;
}
