/** The console: who is logged in, which page the address names, and what is around every page. */

import { Refusal, logOut, onLoggedOut, read, whoAmI } from "./api.ts";
import { h, put } from "./dom.ts";
import { Live } from "./live.ts";
import { logPage } from "./pages/logs.ts";
import { loginPage } from "./pages/login.ts";
import { overviewPage } from "./pages/overview.ts";
import { settingsPage } from "./pages/settings.ts";
import { userPage } from "./pages/user.ts";
import { webhooksPage } from "./pages/webhooks.ts";
import { address, problem } from "./rows.ts";
import { T } from "./texts.ts";
import type { Login, Session } from "./types.ts";

const AGAIN_MS = 2000;
const root = document.querySelector<HTMLElement>("#console") ?? document.body;
const main = h("main", { id: "main" });
const state = h("span", { class: "state", role: "status" });
const links = (["overview", "sessions", "audit", "webhooks", "settings"] as const).map((page) => h("a", { href: address(page), "data-page": page }, T.pages[page]));
const live = new Live(() => void checked());
let stop: () => void = () => undefined;
let loggedIn = false;

/** The page that the address names, and what it is asked to show. */
function place(): { page: string; query: Record<string, string> } {
  const [page = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { page: page || "overview", query: Object.fromEntries(new URLSearchParams(query)) };
}

function show(focus: boolean): void {
  if (!loggedIn) return;
  stop();
  stop = () => undefined;
  const { page, query } = place();
  let title: string = T.pages.overview;
  if (page === "user" && query["room"]) {
    stop = userPage(main, live, query["room"], query["session"] ?? "");
    title = T.pages.user;
  } else if (page === "sessions" || page === "audit") {
    stop = logPage(main, live, page, query);
    title = T.pages[page];
  } else if (page === "webhooks") {
    void webhooksPage(main);
    title = T.pages.webhooks;
  } else if (page === "settings") {
    void settingsPage(main);
    title = T.pages.settings;
  } else {
    stop = overviewPage(main, live);
  }
  document.title = `${title} – ${T.product}`;
  for (const link of links) {
    if (link.dataset["page"] === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  window.scrollTo(0, 0);
  if (focus) main.querySelector("h1")?.focus();
}

async function search(text: string, told: HTMLElement): Promise<void> {
  put(told);
  if (text === "") return;
  try {
    const found = await read<{ rooms: { room: string }[]; sessions: Session[] }>("search", { q: text });
    const [room, session] = [found.rooms[0]?.room, found.sessions[0]];
    if (room !== undefined) location.hash = address("user", { room });
    else if (session !== undefined) location.hash = address("user", { room: session.room, session: session.session });
    else put(told, h("p", { class: "card" }, T.search.none(text)));
  } catch (error) {
    put(told, problem(error, () => void search(text, told)));
  }
}

function frame(login: Login): void {
  const told = h("div", { role: "status", class: "found" });
  const text = h("input", { id: "search", type: "search", placeholder: T.search.label, autocomplete: "off" });
  put(
    root,
    h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); main.querySelector("h1")?.focus(); } }, T.skip),
    h(
      "header",
      {},
      h("div", { class: "brand" }, h("img", { src: "/admin/icon.svg", alt: "", width: 28, height: 28 }), h("span", {}, T.product, h("small", {}, T.console))),
      h("nav", { "aria-label": T.console }, ...links),
      h(
        "form",
        {
          role: "search",
          onsubmit: (event) => {
            event.preventDefault();
            void search(text.value.trim(), told);
          },
        },
        h("label", { for: "search", class: "unseen" }, T.search.label),
        text,
        h("button", {}, T.search.button),
      ),
      h("div", { class: "me" }, state, h("span", { class: "faint" }, h("span", { class: "words" }, T.loggedInAs, " "), h("b", {}, login.key)), h("button", { onclick: () => void leave() }, T.logOut)),
    ),
    told,
    main,
  );
}

function connection(): void {
  state.textContent = live.connected ? T.connection.live : T.connection.waiting;
  state.className = `state ${live.connected && !live.storeAway ? "on" : "off"}`;
}

function enter(login: Login): void {
  loggedIn = true;
  frame(login);
  connection();
  live.open();
  show(true);
}

function away(ended: boolean): void {
  loggedIn = false;
  stop();
  stop = () => undefined;
  live.close();
  document.title = `${T.login.title} – ${T.product}`;
  const page = h("main", { class: "alone" });
  put(root, page);
  loginPage(page, ended, enter);
}

async function leave(): Promise<void> {
  try {
    await logOut();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
  away(false);
}

/** The stream has ended: perhaps the session has. */
async function checked(): Promise<void> {
  try {
    if ((await whoAmI()) === null) {
      if (loggedIn) away(true);
      return;
    }
  } catch {
    // nobody can say now
  }
  window.setTimeout(() => {
    if (loggedIn) live.open();
  }, AGAIN_MS);
}

async function start(): Promise<void> {
  try {
    const login = await whoAmI();
    if (login === null) away(false);
    else enter(login);
  } catch (error) {
    const page = h("main", { class: "alone" });
    put(root, page);
    put(page, problem(error, () => void start()));
  }
}

live.listen({ state: connection });
onLoggedOut(() => {
  if (loggedIn) away(true);
});
window.addEventListener("hashchange", () => {
  show(true);
});
void start();
