/**
 * A modal dialog over everything, in an open shadow root of its own.
 *
 * With a constructed style sheet and elements made one by one it works under `default-src 'self'` and with Trusted
 * Types; a native `<dialog>` keeps focus and the screen reader inside.
 */

import css from "./style.css";

export interface Modal {
  readonly dialog: HTMLDialogElement;
  /** Appends an element; `part` names it for the page's style sheets, and within the shadow root. */
  add<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, part: string, text?: string, parent?: Element): HTMLElementTagNameMap[Tag];
  /** Puts it on the page. */
  show(): void;
  close(): void;
}

/**
 * @param name of the host element
 * @param lang BCP 47 tag of its texts; says the direction, too
 * @param moreCss further rules
 * @param escaped the user pressed Escape; the dialog stays
 */
export function createModal(name: string, lang: string, title: string, text: string, moreCss = "", escaped?: () => void): Modal {
  const host = document.createElement(name);
  host.lang = lang;
  host.dir = directionOf(lang);
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css + moreCss);
  root.adoptedStyleSheets = [sheet];
  const dialog = root.appendChild(document.createElement("dialog"));
  dialog.role = "alertdialog";
  dialog.part = "dialog";
  dialog.setAttribute("aria-labelledby", "title");
  dialog.setAttribute("aria-describedby", "text");
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    escaped?.();
  });
  // A browser may close it all the same at the second Escape.
  dialog.addEventListener("close", () => {
    if (host.isConnected) dialog.showModal();
  });
  const add: Modal["add"] = (tag, part, content = "", parent = dialog) => {
    const element = parent.appendChild(document.createElement(tag));
    element.id = part;
    element.part = part;
    element.textContent = content;
    return element;
  };
  add("h2", "title", title);
  add("p", "text", text);
  return {
    dialog,
    add,
    show() {
      document.documentElement.append(host);
      dialog.showModal();
    },
    close() {
      host.remove();
    },
  };
}

export type CreateModal = typeof createModal;

function directionOf(lang: string): "rtl" | "ltr" {
  return /^(ar|fa|he|ur|ps|yi)\b/i.test(lang) ? "rtl" : "ltr";
}
