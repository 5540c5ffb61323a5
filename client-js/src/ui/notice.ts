/**
 * What the user sees: the notice at the end, and the cover over content that may not be shown.
 *
 * In an open shadow root with a constructed style sheet and elements made one by one, so that it works under
 * `default-src 'self'` and with Trusted Types; a native modal `<dialog>` keeps focus and the screen reader inside.
 */

import type { Screen } from "../environment.ts";
import type { SessionEnd, SessionGuardOptions } from "../types.ts";
import css from "./notice.css";
import { textsFrom } from "./texts.ts";

interface Content {
  readonly title: string;
  readonly text: string;
  readonly facts: readonly (readonly [label: string, value: string])[];
  /** Without one the content behind is covered. */
  readonly link?: readonly [text: string, href: string];
}

export function createScreen(options: SessionGuardOptions): Screen {
  const texts = textsFrom(options.messages);
  const lang = options.lang ?? (document.documentElement.lang || navigator.language);
  let host: HTMLElement | null = null;
  let visibility: string | null = null;

  const clear = (): void => {
    host?.remove();
    host = null;
  };

  const show = (content: Content): void => {
    clear();
    host = document.createElement("session-guard-notice");
    // Own texts are in the page's language, ours are English.
    host.lang = options.messages ? lang : "en";
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    const dialog = root.appendChild(buildNotice(content));
    document.documentElement.append(host);
    // There is nothing behind it to go back to. A browser may close it all the same at the second Escape.
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
    });
    dialog.addEventListener("close", () => {
      if (dialog.isConnected) dialog.showModal();
    });
    dialog.showModal();
  };

  return {
    cloak(how) {
      const { style } = document.documentElement;
      if (how === "off") {
        if (visibility !== null) style.visibility = visibility;
        visibility = null;
        clear();
        return;
      }
      visibility ??= style.visibility;
      style.visibility = "hidden";
      if (how === "unreachable") show({ title: texts.unreachableTitle, text: texts.unreachable, facts: [] });
    },
    ended(end, loginUrl) {
      const facts: [string, string][] = [[texts.when, timeOf(end, lang)]];
      // Of any other end the device tells nothing: it may well be this one.
      const label = end.reason === "displaced" && end.by?.device?.label;
      if (label) facts.push([texts.device, label]);
      show({
        title: texts.titles[end.reason] ?? texts.titles["other"] ?? "",
        text: texts.explanations[end.reason] ?? end.message,
        facts,
        // Without its fragment the page's own address is a reload.
        link: [texts.logInAgain, loginUrl ?? location.href.replace(/#.*/, "")],
      });
    },
    clear,
  };
}

function timeOf(end: SessionEnd, lang: string): string {
  try {
    return new Date(end.at).toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });
  } catch {
    // `lang` is the page's own word and may be no language tag at all.
    return end.at;
  }
}

function buildNotice({ title, text, facts, link }: Content): HTMLDialogElement {
  const dialog = document.createElement("dialog");
  const add = <Tag extends keyof HTMLElementTagNameMap>(parent: Element, tag: Tag, content = "", id = ""): HTMLElementTagNameMap[Tag] => {
    const element = document.createElement(tag);
    element.id = id;
    element.textContent = content;
    return parent.appendChild(element);
  };
  dialog.role = "alertdialog";
  dialog.setAttribute("aria-labelledby", "title");
  dialog.setAttribute("aria-describedby", "text");
  const heading = add(dialog, "h2", title, "title");
  add(dialog, "p", text, "text");
  const list = add(dialog, "dl");
  for (const [label, value] of facts) {
    add(list, "dt", label);
    add(list, "dd", value);
  }
  if (link) {
    add(dialog, "a", link[0]).href = link[1];
  } else {
    dialog.className = "opaque";
    // Focus has to be somewhere inside.
    heading.tabIndex = -1;
  }
  return dialog;
}
