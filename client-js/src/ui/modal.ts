/**
 * A modal dialog over everything, in an open shadow root of its own.
 *
 * It is in the top layer, so no style of the page can show through it, and what makes it visible is `!important` within the
 * shadow root, which the page's own `!important` cannot undo (CSS Cascade 5, §6.1). With a constructed style sheet and
 * elements made one by one it works under `default-src 'self'` and with Trusted Types; a native `<dialog>` keeps focus and
 * the screen reader inside.
 */

import { ownDocument } from "../own-document.ts";
import { listen } from "../page.ts";
import css from "./style.css";
import { directionOf, type Texts } from "./texts.ts";

export interface Modal {
  readonly dialog: HTMLDialogElement;
  readonly heading: HTMLElement;
  /** Appends an element; `part` names it for the page's style sheets, and within the shadow root. */
  add<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, part: string, text?: string, parent?: Element): HTMLElementTagNameMap[Tag];
  /** Appends a button. While its work is under way it does nothing more; if that fails, it says so. */
  button(part: string, text: string, work: () => unknown): HTMLButtonElement;
  /** Puts it on the page, above all that is there and all that comes. */
  show(): void;
  close(): void;
}

/**
 * @param name of the host element, after `session-guard-`
 * @param texts in one language, which says the direction, too
 * @param escaped the user pressed Escape and waits for the answer; without it nothing happens
 */
export function createModal(name: string, { lang, stayFailed }: Texts, title: string, text: string, escaped?: () => void): Modal {
  const host = ownDocument.createElement(`session-guard-${name}`);
  host.lang = lang;
  host.dir = directionOf(lang);
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  const dialog = root.appendChild(ownDocument.createElement("dialog"));
  dialog.role = "alertdialog";
  dialog.part = "dialog";
  dialog.setAttribute("aria-labelledby", "title");
  dialog.setAttribute("aria-describedby", "text");
  // Escape and the system's "back" close nothing, not even for a moment.
  dialog.setAttribute("closedby", "none");
  dialog.addEventListener("click", (event) => {
    event.stopPropagation();
  });
  dialog.addEventListener("close", () => {
    if (!dialog.open) rise();
  });
  const over = new AbortController();
  const observer = new MutationObserver(() => {
    if (!host.isConnected) rise();
  });
  let rising = false;
  const rise = (): void => {
    // Its own opening and closing moves the focus.
    if (rising || over.signal.aborted) return;
    rising = true;
    dialog.close();
    ownDocument.documentElement.append(host);
    dialog.showModal();
    rising = false;
  };
  const add: Modal["add"] = (tag, part, content = "", parent = dialog) => {
    const element = parent.appendChild(ownDocument.createElement(tag));
    element.id = part;
    element.part = part;
    element.textContent = content;
    return element;
  };
  const heading = add("h2", "title", title);
  add("p", "text", text);
  const note = add("p", "note");
  note.role = "alert";
  return {
    dialog,
    heading,
    add,
    button(part, label, work) {
      const button = add("button", part, label);
      const press = async (): Promise<void> => {
        if (button.ariaDisabled) return;
        button.ariaDisabled = "true";
        try {
          await work();
        } catch {
          note.textContent = stayFailed;
        }
        button.ariaDisabled = null;
      };
      button.addEventListener("click", () => void press());
      return button;
    },
    show() {
      rise();
      // Whatever else enters the top layer comes out above this one. Keys are nothing to the page meanwhile, wherever the focus is.
      listen("toggle fullscreenchange focusin keydown keypress keyup", over.signal, (event) => {
        const { type, target, key } = event;
        if (!type.startsWith("key")) {
          if (target !== host) rise();
          return;
        }
        event.stopPropagation();
        if (key !== "Escape" || type !== "keydown") return;
        event.preventDefault();
        escaped?.();
      }, false);
      observer.observe(document, { childList: true, subtree: true });
    },
    close() {
      over.abort();
      observer.disconnect();
      dialog.close();
      host.remove();
    },
  };
}
