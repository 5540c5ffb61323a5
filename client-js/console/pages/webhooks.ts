/** The webhooks: how each stands, its dead letters, trying again, a test. */

import { change, read } from "../api.ts";
import { count, h, moment, named, plain, put, span } from "../dom.ts";
import { fact, problem, userLink } from "../rows.ts";
import { T } from "../texts.ts";
import type { DeadLetter, Webhook } from "../types.ts";

const SHOWN = "50";

export async function webhooksPage(into: HTMLElement): Promise<void> {
  const told = h("p", { class: "told", role: "status" });
  const hooks = h("ul", { class: "cards wide" });
  put(into, h("h1", { tabindex: "-1" }, T.pages.webhooks), h("p", { class: "lead" }, T.webhooks.lead), told, hooks);

  async function show(): Promise<void> {
    try {
      const all = await read<Webhook[]>("webhooks");
      put(hooks, ...all.map((hook) => card(hook, done)));
      if (all.length === 0) put(hooks, h("li", { class: "empty" }, T.webhooks.none));
    } catch (error) {
      put(hooks, h("li", {}, problem(error, () => void show())));
    }
  }

  async function done(work: () => Promise<string>): Promise<void> {
    try {
      told.textContent = await work();
      await show();
    } catch (error) {
      put(hooks, h("li", {}, problem(error, () => void show())));
    }
  }

  await show();
}

function card(hook: Webhook, done: (work: () => Promise<string>) => Promise<void>): HTMLElement {
  const path = `webhooks/${hook.name}`;
  const letters = h("ol", { class: "letters" });
  const test = async (): Promise<string> => {
    const { delivered, status, error } = await change<{ delivered: boolean; status: number | null; error: string | null }>(`api/${path}/test`, null);
    return T.webhooks.tested(delivered, error ?? String(status));
  };
  const retry = async (): Promise<string> => T.webhooks.retried((await change<{ retried: number }>(`api/${path}/retry`, null)).retried);
  const show = async (): Promise<void> => {
    try {
      put(letters, ...(await read<DeadLetter[]>(`${path}/dead`, { limit: SHOWN })).map(letter));
    } catch (error) {
      put(letters, h("li", {}, problem(error, () => void show())));
    }
  };
  return h(
    "li",
    { class: "session" },
    h("h2", {}, named(hook.name), " ", h("span", { class: `reason hook-${hook.state}` }, T.webhooks.states[hook.state])),
    h("code", {}, named(hook.url)),
    h(
      "dl",
      {},
      fact(T.webhooks.lag, span(hook.lag)),
      hook.failing_since !== null && fact(T.webhooks.since, moment(hook.failing_since)),
      fact(T.webhooks.status, hook.last_status === null ? T.webhooks.never : String(hook.last_status)),
      fact(T.webhooks.dead, count(hook.dead)),
    ),
    h(
      "div",
      { class: "buttons" },
      h("button", { onclick: () => void done(test) }, T.webhooks.test),
      (hook.state !== "ok" || hook.dead > 0) && h("button", { onclick: () => void done(retry) }, T.webhooks.retry),
      hook.dead > 0 && h("button", { onclick: () => void show() }, T.webhooks.show),
    ),
    letters,
  );
}

function letter(dead: DeadLetter): HTMLElement {
  const why = dead.last_error ?? (dead.last_status === null ? "" : String(dead.last_status));
  return h(
    "li",
    {},
    h("div", {}, moment(dead.at), " ", userLink(dead.room)),
    h("div", { class: "faint" }, T.webhooks.tries(dead.tries), " · ", named(why), " · ", h("code", {}, named(dead.id))),
    h("details", {}, h("summary", {}, "JSON"), h("pre", { tabindex: "0" }, h("code", {}, JSON.stringify(dead.body, null, 1).split("\n").map(plain).join("\n")))),
  );
}
