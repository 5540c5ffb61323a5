/** The notice at the end. */

import type { SessionEnd } from "../types.ts";
import { createModal, type Modal } from "./modal.ts";
import { timeOf, type Texts } from "./texts.ts";

/**
 * Milliseconds after which the notice is surely on the screen. Only then it says when: browsers load their calendars at
 * the first use, which takes longer than everything else here.
 */
const PAINTED = 50;

/** @param href of "log in again" */
export function showNotice(texts: Texts, end: SessionEnd, href: string): Modal {
  const { titles, explanations, lang } = texts;
  const title = titles[end.reason] ?? titles["other"] ?? "";
  const modal = createModal("session-guard-notice", lang, title, explanations[end.reason] ?? end.message);
  const facts = modal.add("dl", "facts");
  modal.add("dt", "label", texts.when, facts);
  const when = modal.add("dd", "value", "", facts);
  // Of any other end the device tells nothing: it may well be this one.
  const device = end.reason === "displaced" && end.by?.device?.label;
  if (device) {
    modal.add("dt", "label", texts.device, facts);
    modal.add("dd", "value", device, facts);
  }
  modal.add("a", "link", texts.logInAgain).href = href;
  modal.show();
  setTimeout(() => {
    when.textContent = timeOf(end.at, lang);
  }, PAINTED);
  return modal;
}
