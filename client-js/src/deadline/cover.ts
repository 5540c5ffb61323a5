/** Says why the content is hidden: a deadline has passed, and the server cannot be asked. */

import type { CreateModal, Modal } from "../ui/modal.ts";
import type { Texts } from "../ui/texts.ts";
import css from "./style.css";
import { ENGLISH } from "./texts.ts";

/** @param createModal of the script itself */
export function showCover(createModal: CreateModal, texts: Texts): Modal {
  const { lang, unreachableTitle, unreachable } = { ...ENGLISH, ...texts };
  const modal = createModal("session-guard-notice", lang, unreachableTitle, unreachable, css);
  // Focus has to be somewhere inside.
  modal.dialog.querySelector("h2")?.setAttribute("tabindex", "-1");
  modal.dialog.className = "opaque";
  modal.show();
  return modal;
}
