/** The session log and the audit log: filters in the address, pages by a cursor, CSV, and what is new meanwhile. */

import { read } from "../api.ts";
import { h, moment, named, put } from "../dom.ts";
import type { Live } from "../live.ts";
import { actor, address, deviceText, event, problem, reason, row, table, userLink } from "../rows.ts";
import { T } from "../texts.ts";
import type { AuditRow, Page, Session } from "../types.ts";

const AT_ONCE = "50";
const TIMES = ["since", "until"];

interface Field {
  name: string;
  label: string;
  choices?: [string, string][];
}

const REASONS = Object.entries(T.reasons).filter(([name]) => name !== "idp_logout" && name !== "caep");
const FIELDS: Record<"sessions" | "audit", Field[]> = {
  sessions: [
    { name: "room", label: T.log.user },
    { name: "open", label: T.log.state, choices: [["", T.log.any], ["true", T.log.open], ["false", T.log.closed]] },
    { name: "reason", label: T.log.reason, choices: [["", T.log.any], ...REASONS] },
    { name: "device", label: T.log.device },
    { name: "since", label: T.log.from },
    { name: "until", label: T.log.to },
  ],
  audit: [
    { name: "room", label: T.log.user },
    { name: "session", label: T.log.session },
    { name: "since", label: T.log.from },
    { name: "until", label: T.log.to },
  ],
};

/** `query` is what the address says. Returns what stops it. */
export function logPage(into: HTMLElement, live: Live, kind: "sessions" | "audit", query: Record<string, string>): () => void {
  const known = new Set([...FIELDS[kind].map((field) => field.name), "cursor"]);
  const asked = Object.fromEntries(Object.entries(query).filter(([name, value]) => known.has(name) && value !== ""));
  const { cursor = "", ...filters } = asked;
  const rows = h("div", {});
  const fresh = h("div", { role: "status" });
  let waiting = 0;
  let showing = 0;
  put(into, h("h1", { tabindex: "-1" }, T.pages[kind]), h("p", { class: "lead" }, kind === "sessions" ? T.log.leadSessions : T.log.leadAudit), filter(kind, filters), fresh, rows);

  async function show(): Promise<void> {
    const turn = (showing += 1);
    waiting = 0;
    put(fresh);
    try {
      await search(turn);
    } catch (error) {
      if (turn === showing) put(rows, problem(error, () => void show()));
    }
  }

  /** What few rows match takes more than one answer to find: it is shown as it comes. */
  async function search(turn: number): Promise<void> {
    const items: (Session & AuditRow)[] = [];
    let next: string | null = cursor === "" ? null : cursor;
    do {
      const page: Page<Session & AuditRow> = await read(kind, { ...filters, limit: AT_ONCE, ...(next === null ? {} : { cursor: next }) });
      if (turn !== showing) return;
      items.push(...page.items);
      next = page.next;
      const on = page.searched_to !== undefined && items.length < Number(AT_ONCE);
      put(
        rows,
        on && h("p", { class: "searching" }, T.log.searching, " ", moment(page.searched_to ?? null)),
        (!on || items.length > 0) && (kind === "sessions" ? sessionTable(items) : auditTable(items)),
        h(
          "nav",
          { class: "buttons", "aria-label": T.pages[kind] },
          cursor !== "" && h("a", { class: "button", href: address(kind, filters) }, T.log.newest),
          next !== null && h("a", { class: "button", href: address(kind, { ...filters, cursor: next }) }, on ? T.log.further : T.log.older),
          h("a", { class: "button", href: `/admin/api/${kind}.csv?${new URLSearchParams(filters).toString()}`, download: "" }, T.log.csv),
        ),
      );
      if (!on) return;
    } while (next !== null);
  }

  void show();
  const deaf = live.listen({
    row: (news) => {
      const concerned = (!filters["room"] || filters["room"] === news.room) && (!filters["session"] || filters["session"] === news.session);
      if (cursor !== "" || !concerned || (kind === "sessions" && news.event !== "started")) return;
      waiting += 1;
      put(fresh, h("button", { class: "fresh", onclick: () => void show() }, T.log.fresh(waiting)));
    },
  });
  return () => {
    showing = 0;
    deaf();
  };
}

function filter(kind: "sessions" | "audit", filters: Record<string, string>): HTMLElement {
  const form: HTMLFormElement = h(
    "form",
    {
      class: "card filters",
      onsubmit: (event) => {
        event.preventDefault();
        const given = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, typeof value === "string" ? value.trim() : ""]));
        for (const name of TIMES) if (given[name]) given[name] = new Date(given[name]).toISOString();
        location.hash = address(kind, given);
      },
    },
    ...FIELDS[kind].map((field) => control(field, filters[field.name] ?? "")),
    h("div", { class: "buttons" }, h("button", { class: "primary" }, T.log.apply), h("a", { class: "button", href: address(kind) }, T.log.clear)),
  );
  return form;
}

function control(field: Field, value: string): HTMLElement {
  const id = `filter-${field.name}`;
  const label = h("label", { for: id }, field.label);
  if (field.choices) return h("div", {}, label, h("select", { id, name: field.name }, ...field.choices.map(([name, text]) => h("option", { value: name, selected: name === value }, text))));
  const time = TIMES.includes(field.name);
  return h("div", {}, label, h("input", { id, name: field.name, type: time ? "datetime-local" : "text", value: time ? local(value) : value, autocomplete: "off" }));
}

/** A time as `datetime-local` has it. */
function local(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? "" : new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function sessionTable(items: Session[]): HTMLElement {
  const heads = [T.log.started, T.log.user, T.log.device, T.log.state, T.log.ended, T.log.by, T.log.delivery];
  const rows = items.map((one) =>
    row(
      moment(one.started_at),
      userLink(one.room, one.session),
      deviceText(one.device),
      one.active ? h("span", { class: "live" }, h("span", { class: `dot ${one.online ? "on" : "off"}`, "aria-hidden": "true" }), one.online ? T.user.online : T.log.open) : reason(one.end_reason),
      moment(one.ended_at),
      actor(one.ended_by),
      one.delivery === null ? "" : (T.delivery[one.delivery] ?? one.delivery),
    ),
  );
  return table(T.pages.sessions, heads, rows, T.log.empty);
}

function auditTable(items: AuditRow[]): HTMLElement {
  const heads = [T.log.at, T.log.event, T.log.user, T.log.reason, T.log.by, T.log.device, T.log.session, T.log.note];
  const rows = items.map((one) =>
    row(moment(one.at), event(one), userLink(one.room, one.session ?? undefined), reason(one.reason), actor(one.by), one.device === null ? "" : deviceText(one.device), one.session === null ? "" : h("code", {}, named(one.session)), one.note === null ? "" : named(one.note)),
  );
  return table(T.pages.audit, heads, rows, T.log.empty);
}
