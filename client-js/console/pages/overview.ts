/** How it goes: what is wrong first, then the figures as lines that move, the nodes, and what happens. */

import { chart } from "../chart.ts";
import { count, h, moment, put, span } from "../dom.ts";
import type { Live } from "../live.ts";
import { actor, event, reason, row, table, userLink } from "../rows.ts";
import { T } from "../texts.ts";
import type { AuditRow, Overview } from "../types.ts";

const SHOWN = 12;

/** Returns what stops it. */
export function overviewPage(into: HTMLElement, live: Live): () => void {
  const health = h("div", { role: "status" });
  const tiles = h("div", { class: "tiles" });
  const reasons = h("section", { class: "card" });
  const nodes = h("section", { class: "card wide" });
  const news = h("section", { class: "card wide" });
  put(into, h("h1", { tabindex: "-1" }, T.pages.overview), h("p", { class: "lead" }, T.overview.lead), health, tiles, h("div", { class: "columns" }, reasons, news), nodes);
  let said = "";

  function figures(): void {
    const told = live.overviews.at(-1);
    const { wrong, texts } = judgement(live, told);
    const saying = texts.join();
    if (saying !== said) {
      said = saying;
      put(health, h("div", { class: `card health ${wrong ? "bad" : "good"}` }, h("h2", {}, wrong ? T.health.wrong : T.health.well), ...texts.map((text) => h("p", {}, text))));
    }
    if (told === undefined) return;
    put(tiles, ...tilesOf(told, live.overviews));
    put(reasons, h("h2", {}, T.overview.reasons), reasonsOf(told));
    put(nodes, h("h2", {}, T.overview.nodes), nodesOf(told));
  }

  function rows(): void {
    put(news, h("h2", {}, T.overview.news), newsOf(live.rows));
  }

  figures();
  rows();
  return live.listen({ row: rows, overview: figures, state: figures });
}

function judgement(live: Live, told: Overview | undefined): { wrong: boolean; texts: string[] } {
  if (!live.connected && told !== undefined) return { wrong: true, texts: [T.problem.network] };
  if (live.storeAway) return { wrong: true, texts: [T.problem.store] };
  if (told === undefined) return { wrong: false, texts: ["…"] };
  const texts: string[] = [];
  const versions = [...new Set(told.nodes.map((node) => node.version))];
  if (versions.length > 1) texts.push(T.health.versions(versions.join(", ")));
  for (const hook of told.webhooks) texts.push(T.health.hook(hook.name, hook.state, hook.dead));
  if (told.kick_ms.p99 !== null && told.kick_ms.p99 > 1000) texts.push(T.health.slow(count(told.kick_ms.p99)));
  return texts.length ? { wrong: true, texts } : { wrong: false, texts: [T.health.wellMore(told.nodes.length)] };
}

function tilesOf(told: Overview, all: Overview[]): HTMLElement[] {
  const ends = (one: Overview): number => Object.values(one.ends_per_minute).reduce((sum, n) => sum + n, 0);
  const tile = (name: string, figure: (one: Overview) => number | null, unit = "", more = ""): HTMLElement => {
    const now = figure(told);
    const text = now === null ? "–" : `${count(now)}${unit}`;
    return h("section", { class: "card tile" }, h("h2", {}, name), h("p", { class: "figure" }, text), h("p", { class: "faint" }, more || "\u00a0"), chart(all.map(figure), T.overview.chart(name, text)));
  };
  return [
    tile(T.overview.open, (one) => one.open_sessions),
    tile(T.overview.online, (one) => one.online, "", T.overview.sockets(count(told.sockets))),
    tile(T.overview.logins, (one) => one.logins_per_minute),
    tile(T.overview.ends, ends),
    tile(T.overview.kicks, (one) => one.kick_ms.p50, " ms", told.kick_ms.p99 === null ? T.overview.noKicks : T.overview.p99(count(told.kick_ms.p99))),
  ];
}

function reasonsOf(told: Overview): HTMLElement {
  const ends = Object.entries(told.ends_per_minute).filter(([, n]) => n > 0).sort(([, a], [, b]) => b - a);
  if (ends.length === 0) return h("p", { class: "empty" }, T.overview.noEnds);
  const most = Math.max(...ends.map(([, n]) => n));
  return h("ul", { class: "bars" }, ...ends.map(([name, n]) => h("li", {}, reason(name), bar(n / most), h("span", { class: "number" }, count(n)))));
}

function bar(share: number): HTMLElement {
  const filled = h("span", {});
  filled.style.inlineSize = `${share * 100}%`;
  return h("span", { class: "bar", "aria-hidden": "true" }, filled);
}

function nodesOf(told: Overview): HTMLElement {
  const rows = told.nodes.map((node) => row(node.node, node.version, span(node.uptime_s), count(node.sockets), count(node.online)));
  const heads = [T.overview.node, T.overview.version, T.overview.up, T.overview.nodeSockets, T.overview.nodeOnline];
  return h("div", {}, table(T.overview.nodes, heads, rows, ""), h("p", { class: "faint" }, `${T.overview.store}: ${told.store}`));
}

function newsOf(rows: AuditRow[]): HTMLElement {
  if (rows.length === 0) return h("p", { class: "empty" }, T.overview.noNews);
  return h("ol", { class: "news" }, ...rows.slice(0, SHOWN).map((one) => h("li", {}, moment(one.at), userLink(one.room, one.session ?? undefined), one.event === "ended" ? reason(one.reason) : event(one), h("span", { class: "faint" }, actor(one.by)))));
}
