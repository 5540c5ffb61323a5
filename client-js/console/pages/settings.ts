/** The settings in force, and where each comes from. */

import { read } from "../api.ts";
import { h, named, put } from "../dom.ts";
import { problem, row, table } from "../rows.ts";
import { T } from "../texts.ts";
import type { Setting } from "../types.ts";

const SECRET = /^\*+$/;

export async function settingsPage(into: HTMLElement): Promise<void> {
  const body = h("div", {});
  put(into, h("h1", { tabindex: "-1" }, T.pages.settings), h("p", { class: "lead" }, T.settings.lead), body);
  try {
    const { settings } = await read<{ settings: Setting[] }>("settings");
    const rows = settings.map((setting) =>
      row(
        h("div", {}, h("code", {}, setting.name), h("p", { class: "faint" }, setting.meaning)),
        value(setting.value),
        h("span", { class: `source ${setting.source}` }, T.settings.sources[setting.source] ?? setting.source),
      ),
    );
    put(body, table(T.pages.settings, [T.settings.name, T.settings.value, T.settings.source], rows, ""));
  } catch (error) {
    put(body, problem(error, () => void settingsPage(into)));
  }
}

function value(given: unknown): HTMLElement {
  if (given === null || given === "" || (typeof given === "object" && Object.keys(given).length === 0)) return h("span", { class: "faint" }, T.settings.none);
  if (holdsSecret(given) && !(typeof given === "object" && !Array.isArray(given))) {
    if (typeof given === "string" || (Array.isArray(given) && given.every((one) => typeof one === "string"))) return h("span", { class: "faint" }, T.settings.secret);
  }
  const text = JSON.stringify(given, (_, one: unknown) => (typeof one === "string" && SECRET.test(one) ? T.settings.secret : one), 1);
  return h("code", { class: "value" }, named(typeof given === "string" ? given : text.replace(/\n\s*/g, " ")));
}

function holdsSecret(given: unknown): boolean {
  return typeof given === "string" ? SECRET.test(given) : Array.isArray(given) && given.some(holdsSecret);
}
