/** What the lists of devices have in common: a shadow root with their style, rows, and the words for what a row tells. */

import { directionOf, tagOf, timeOf } from "../ui/texts.ts";
import css from "./lists.css";
import { ROWS, type Language, type RowTexts } from "./row-texts.ts";

/** A session as the server lists it. */
export interface Row {
  readonly session: string;
  readonly device?: { readonly label?: string | null; readonly class?: string | null } | null;
  readonly started_at?: string;
  readonly last_seen_at?: string;
  readonly online?: boolean;
  readonly support?: boolean;
}

/** Rendering on a server has no such class; there the elements are only text. */
export const Base = typeof HTMLElement === "undefined" ? (Object as unknown as typeof HTMLElement) : HTMLElement;

/** @returns an empty shadow root, where the page's policy allows no inline style either (`style-src 'self'`) */
export function openRoot(host: HTMLElement): ShadowRoot {
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  return root;
}

/** Appends an element; `part` names it for the page's style sheets. */
export function add<Tag extends keyof HTMLElementTagNameMap>(parent: Node, tag: Tag, part: string, text = ""): HTMLElementTagNameMap[Tag] {
  const element = parent.appendChild(document.createElement(tag));
  element.part = part;
  element.className = part;
  element.textContent = text;
  return element;
}

/** A language that there are texts for: the element's own `lang`, else the page's, else the browser's, else English. */
export function languageOf(host: HTMLElement): { readonly lang: string; readonly language: Language } {
  const lang = tagOf(host.getAttribute("lang") ?? (document.documentElement.lang || navigator.language));
  const language = lang.split("-")[0] ?? "";
  return Object.hasOwn(ROWS, language) ? { lang, language: language as Language } : { lang: "en", language: "en" };
}

/** Says the language of what is shown, and with it the direction of writing. */
export function speak(root: ShadowRoot, lang: string): HTMLElement {
  const box = document.createElement("div");
  box.lang = lang;
  box.dir = directionOf(lang);
  root.replaceChildren(box);
  return box;
}

/** What the session is called. */
export function nameOf({ device, support }: Row, texts: RowTexts): string {
  return support ? texts.support : device?.label ?? device?.class ?? texts.unknown;
}

/** Name and times of a session; `badge` says something more of it. */
export function describe(parent: Node, row: Row, lang: string, texts: RowTexts, badge = ""): void {
  const about = add(parent, "span", "about");
  const name = add(about, "strong", "label", nameOf(row, texts));
  if (badge) add(name, "span", "badge", badge);
  const times = [
    row.online ? texts.online : row.last_seen_at && texts.seen.replace("{time}", timeOf(row.last_seen_at, lang)),
    row.started_at && texts.since.replace("{time}", timeOf(row.started_at, lang)),
  ];
  add(about, "span", "times", times.filter(Boolean).join(" · "));
}
