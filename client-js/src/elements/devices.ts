/**
 * `<session-guard-devices>`: the user's own sessions, and buttons that end them.
 *
 * It shows what the page's guard may see: `window.sessionGuard`, or the one given by the property `guard`. The list is
 * brought up to date every 15 s while the page is in front, and whenever the guard has news. Ending another session than
 * this one needs an elevated ticket (OWASP ASVS 5.0, 7.5.2): from the attribute `elevated-ticket`, or from `elevate-url`, a
 * same-origin address of the app that answers a `POST` with `{"ticket"}`, or with `{"location"}`, where the user is asked
 * for the password again. Where there is no way to such a ticket, there are no buttons for the others.
 */

import { safeTarget } from "../address.ts";
import type { DeviceList, SessionGuard } from "../types.ts";
import { DEVICES } from "./devices-texts.ts";
import { ROWS } from "./row-texts.ts";
import { add, Base, describe, languageOf, nameOf, openRoot, speak } from "./rows.ts";

const NAME = "session-guard-devices";

/** Milliseconds between two looks. */
const EVERY = 15_000;

type Guard = Pick<SessionGuard, "devices" | "getState" | "logout">;

/** The user is on the way to another page: nothing has failed. */
class Leaving extends Error {}

export class SessionGuardDevicesElement extends Base {
  static readonly observedAttributes = ["elevated-ticket", "elevate-url", "lang"];

  readonly #root = openRoot(this);
  #guard: Guard | null = null;
  /** From `elevate-url`. */
  #elevated: string | null = null;
  #list: DeviceList | null = null;
  /** What the picture was made of. */
  #shown = "";
  #note = "";
  #busy = false;
  #over = new AbortController();

  /** The guard whose user's devices these are. Default: `window.sessionGuard`. */
  get guard(): Guard | null {
    return this.#guard ?? window.sessionGuard ?? null;
  }

  set guard(guard: Guard | null) {
    this.#guard = guard;
    this.refresh();
  }

  connectedCallback(): void {
    this.#over = new AbortController();
    const { signal } = this.#over;
    const timer = setInterval(() => {
      this.refresh();
    }, EVERY);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
    });
    const look = (): void => {
      this.refresh();
    };
    document.addEventListener("session-guard:state", look, { signal });
    document.addEventListener("visibilitychange", look, { signal });
    look();
  }

  disconnectedCallback(): void {
    this.#over.abort();
  }

  attributeChangedCallback(): void {
    this.#render();
  }

  /** Asks the server, and shows what it says; a page that nobody sees asks nothing. */
  refresh(): void {
    const { guard } = this;
    if (!guard || !this.isConnected || document.hidden || !["active", "prompted"].includes(guard.getState().phase)) return;
    guard.devices.list().then(
      (list) => {
        this.#list = list;
        this.#render();
      },
      // What was there stays: the next look may succeed.
      () => undefined,
    );
  }

  #render(): void {
    const list = this.#list;
    if (!list) return;
    const { lang, language } = languageOf(this);
    const ticket = this.#ticket();
    const mayEnd = list.may_end || ticket !== null || this.hasAttribute("elevate-url");
    const picture = JSON.stringify([list, lang, mayEnd, this.#note]);
    if (picture === this.#shown) return;
    this.#shown = picture;
    const texts = DEVICES[language];
    const rows = ROWS[language];
    const focused = this.#root.activeElement?.getAttribute("data-of");
    const said = this.#root.querySelector("[role=status]");
    const box = speak(this.#root, lang);
    const items = add(box, "ul", "list");
    // Safari forgets that it is a list when it has no bullets.
    items.role = "list";
    items.ariaLabel = texts.title;
    const button = (parent: Node, part: string, of: string, text: string, name: string, work: () => Promise<unknown>): void => {
      const made = add(parent, "button", part, text);
      made.type = "button";
      made.dataset["of"] = of;
      if (name) made.ariaLabel = `${text}: ${name}`;
      made.addEventListener("click", () => void this.#act(work, texts.ended.replace("{name}", () => name || text), texts.failed));
    };
    for (const row of list.sessions) {
      const item = add(items, "li", "device");
      describe(item, row, lang, rows, row.current ? texts.current : "");
      const { session } = row;
      if (row.current || mayEnd) {
        button(item, "end", session, texts.end, nameOf(row, rows), async () => {
          if (row.current) return this.guard?.logout();
          return this.#elevate((options) => this.guard?.devices.end(session, options));
        });
      }
    }
    if (list.more) add(box, "p", "more", texts.more.replace("{n}", list.more.toLocaleString(lang)));
    if (mayEnd && list.sessions.length > 1) {
      button(box, "all", "others", texts.endOthers, "", async () => this.#elevate((options) => this.guard?.devices.endOthers(options)));
    }
    // The very same element, or screen readers do not hear that it says something else.
    const note = said ? box.appendChild(said) : add(box, "p", "note");
    note.role = "status";
    note.textContent = this.#note;
    if (focused) (this.#root.querySelector<HTMLElement>(`[data-of="${CSS.escape(focused)}"]`) ?? this.#root.querySelector("button"))?.focus();
  }

  /** One thing at a time; says what has come of it. */
  async #act(work: () => Promise<unknown>, done: string, failed: string): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await work();
      this.#note = done;
    } catch (error) {
      this.#note = error instanceof Leaving ? "" : failed;
    }
    this.#busy = false;
    this.#render();
    this.refresh();
  }

  #ticket(): string | null {
    return this.#elevated ?? this.getAttribute("elevated-ticket");
  }

  /** With the ticket that there is, and if that is refused with a new one. */
  async #elevate(work: (options: { ticket?: string }) => Promise<unknown> | undefined): Promise<void> {
    const ticket = this.#ticket();
    const url = this.getAttribute("elevate-url");
    if (ticket !== null || url === null || this.#list?.may_end) {
      try {
        await work(ticket === null ? {} : { ticket });
        return;
      } catch (error) {
        if (url === null || !["elevation-required", "ticket-expired", "ticket-invalid"].includes((error as { code?: string }).code ?? "")) throw error;
      }
    }
    const response = await fetch(url, { method: "POST", credentials: "same-origin", headers: { "Accept": "application/json" } });
    const answer = (await response.json()) as { ticket?: unknown; location?: unknown };
    if (typeof answer.location === "string") {
      const target = safeTarget(answer.location, document.baseURI);
      if (target === null) throw new Error(`elevate-url answered with a location that is no http address: ${answer.location}`);
      location.assign(target);
      throw new Leaving();
    }
    if (typeof answer.ticket !== "string") throw new Error(`elevate-url answered ${response.status}, without a ticket`);
    this.#elevated = answer.ticket;
    await work({ ticket: answer.ticket });
  }
}

if (typeof customElements !== "undefined" && !customElements.get(NAME)) customElements.define(NAME, SessionGuardDevicesElement);
