/** The notice at the end, and the cover that says why content is hidden. */

import type { SessionEnd } from "../types.ts";
import { createModal, type Modal } from "./modal.ts";
import { timeOf, type Texts } from "./texts.ts";

/**
 * Milliseconds after which the notice is surely on the screen. Only then it says when: browsers load their calendars at
 * the first use, which takes longer than everything else here.
 */
const PAINTED = 50;

/** There is nothing behind them to go back to. */
const stay = (): void => undefined;

/** @param href of "log in again" */
export function showNotice(texts: Texts, end: SessionEnd, href: string): Modal {
  const { titles, explanations, lang } = texts;
  const title = titles[end.reason] ?? titles["other"] ?? "";
  const modal = createModal("session-guard-notice", lang, title, explanations[end.reason] ?? end.message, stay);
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

export function showUnreachable(texts: Texts): Modal {
  const modal = createModal("session-guard-notice", texts.lang, texts.unreachableTitle, texts.unreachable, stay);
  // Focus has to be somewhere inside.
  modal.dialog.querySelector("h2")?.setAttribute("tabindex", "-1");
  modal.dialog.className = "opaque";
  modal.show();
  return modal;
}
