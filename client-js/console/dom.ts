/** Makes elements. Texts are only ever text: nothing that comes from outside is read as markup, and nothing can be. */

type Child = Node | string | null | undefined | false;
type Value = string | number | boolean | EventListener | null | undefined;

/** An element with attributes, listeners (`onclick`) and children; `null`, `undefined` and `false` leave one out. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Record<string, Value> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag: string, attributes: Record<string, Value> = {}, ...children: Child[]): SVGElement {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled<E extends Element>(element: E, attributes: Record<string, Value>, children: Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Characters that turn the text around them, or that nobody sees; but for what joins emoji. */
const UNSEEN = /(?!\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text in which nothing hides: what cannot be seen is written as its number. */
export function plain(text: string): string {
  return text.replace(UNSEEN, (character) => `[U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

/** A name from outside, which keeps its direction to itself. */
export function named(text: string, className = ""): HTMLElement {
  return h("bdi", { class: className || null, title: text.length > 24 ? plain(text) : null }, plain(text));
}

/** Puts these in place of everything in an element. */
export function put(parent: Element, ...children: Child[]): void {
  parent.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

/** A time as it is said here, with the whole of it for who looks closer. */
export function moment(iso: string | null): HTMLElement | string {
  if (iso === null) return "";
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  const text = today ? at.toLocaleTimeString() : at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return h("time", { datetime: iso, title: at.toLocaleString([], { dateStyle: "full", timeStyle: "long" }) }, text);
}

/** 3 d 4 h, 12 min, 40 s. */
export function span(seconds: number): string {
  const units: [number, string][] = [[86_400, "d"], [3_600, "h"], [60, "min"]];
  for (const [n, [size, unit]] of units.entries()) {
    if (seconds < size) continue;
    const smaller = units[n + 1];
    const rest = smaller ? Math.floor((seconds % size) / smaller[0]) : 0;
    return `${Math.floor(seconds / size)} ${unit}${smaller && rest ? ` ${rest} ${smaller[1]}` : ""}`;
  }
  return `${Math.floor(seconds)} s`;
}

export const count = (n: number): string => n.toLocaleString();
