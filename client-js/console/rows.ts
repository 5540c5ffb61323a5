/** Parts that several pages show: sessions, reasons, who did it, tables, problems. */

import { Refusal } from "./api.ts";
import { h, named } from "./dom.ts";
import { T } from "./texts.ts";
import type { Actor, AuditRow, Device } from "./types.ts";

/** The address of a page, with what it is to show. */
export function address(page: string, query: Record<string, string> = {}): string {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  return `#/${page}${asked ? `?${asked}` : ""}`;
}

/** A user by name, leading to the user's page. */
export function userLink(room: string, session?: string): HTMLElement {
  return h("a", { href: address("user", { room, ...(session === undefined ? {} : { session }) }), class: "user" }, named(room));
}

export function deviceText(device: Device | null): HTMLElement {
  return named(device?.label ?? device?.class ?? T.user.unknownDevice);
}

/** Why a session ended, in a word, with a colour that says how bad that is. */
export function reason(name: string | null): HTMLElement | "" {
  return name === null ? "" : h("span", { class: `reason ${/^\w+$/.test(name) ? name : ""}` }, T.reasons[name] ?? name);
}

export function actor(by: Actor | null): HTMLElement | "" {
  if (by === null) return "";
  const key = by.key ?? by.name;
  return h("span", {}, T.actors[by.kind] ?? by.kind, by.device?.label !== undefined && h("span", { class: "faint" }, " · ", named(by.device.label)), key !== undefined && h("span", { class: "key" }, key));
}

/** What a row of the audit log tells. */
export function event(row: AuditRow): HTMLElement {
  return h("span", { class: `event ${/^\w+$/.test(row.event) ? row.event : ""}` }, T.events[row.event] ?? row.event);
}

/** A table that can be moved sideways where it is too wide, with the keyboard too. */
export function table(label: string, heads: string[], rows: HTMLElement[], empty: string): HTMLElement {
  if (rows.length === 0) return h("p", { class: "empty" }, empty);
  return h(
    "div",
    { class: "sideways", role: "region", tabindex: "0", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, ...rows)),
  );
}

export function row(...cells: (HTMLElement | string | null)[]): HTMLElement {
  return h("tr", {}, ...cells.map((cell) => h("td", {}, cell)));
}

/** What went wrong, with a way to try again. */
export function problem(error: unknown, again: () => void): HTMLElement {
  if (!(error instanceof Refusal)) throw error;
  const text = error.status === 0 ? T.problem.network : error.status === 503 ? T.problem.store : error.message;
  return h("div", { class: "card bad", role: "alert" }, h("h2", {}, T.problem.title), h("p", {}, text), h("button", { onclick: again }, T.problem.again));
}

/** A name and its value in a list of such. */
export function fact(name: string, value: HTMLElement | string): HTMLElement {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}
