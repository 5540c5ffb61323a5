/** The notice at the end, and what stands in place of the page while nobody knows. */

import type { SessionEnd } from "../types.ts";
import { createModal, type Modal } from "./modal.ts";
import { explanationOf, textOf, timeOf, type Texts } from "./texts.ts";

/**
 * Milliseconds after which the notice is surely on the screen. Only then it says when: browsers load their calendars at
 * the first use, which takes longer than everything else here.
 */
const PAINTED = 50;

/** @param href of "log in again" */
export function createNotice(texts: Texts, end: SessionEnd, href: string): Modal {
  const { titles, lang } = texts;
  const title = textOf(titles, end.reason) ?? titles["other"] ?? "";
  const modal = createModal("notice", lang, title, explanationOf(texts, end));
  const facts = modal.add("dl", "facts");
  modal.add("dt", "label", texts.when, facts);
  const when = modal.add("dd", "value", "", facts);
  // Of any other end the device tells nothing: it may well be this one.
  const device = end.reason === "displaced" && end.by?.device?.label;
  if (device) {
    modal.add("dt", "label", texts.device, facts);
    modal.add("dd", "value", device, facts);
  }
  modal.add("a", "link", end.reason === "replaced" ? texts.goOn : texts.logInAgain).href = href;
  setTimeout(() => {
    when.textContent = timeOf(end.at, lang);
  }, PAINTED);
  return modal;
}

/** @param href of "log in again"; without it there is nothing to do but to wait */
export function createCover({ lang, unreachableTitle, unreachable, logInAgain }: Texts, href: string | null): Modal {
  const modal = createModal("notice", lang, unreachableTitle, unreachable);
  // Focus has to be somewhere inside.
  if (href === null) modal.dialog.querySelector("h2")?.setAttribute("tabindex", "-1");
  else modal.add("a", "link", logInAgain).href = href;
  return modal;
}
