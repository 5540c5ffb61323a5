/**
 * `<session-guard ticket="…" logout-url="…">`: the attributes of the script line without `data-`.
 *
 * Importing this defines the element, where there are custom elements at all. It guards while it is in the document,
 * shows nothing itself, and starts anew when one of its attributes changes.
 */

import { optionsFrom } from "./attributes.ts";
import { createSessionGuard, type SessionGuard } from "./index.ts";

const NAME = "session-guard";
const ATTRIBUTES = [
  "url", "path", "ticket", "ticket-url", "room", "fresh-login", "logout-url", "logout-method", "csrf-header", "csrf-token", "redirect",
  "login-url", "notice", "warn", "activity", "lang", "scope", "watch-http", "watch-http-header", "worker", "manual",
];

/** Rendering on a server has no such class; there the element is only text. */
const Base = typeof HTMLElement === "undefined" ? (Object as unknown as typeof HTMLElement) : HTMLElement;

export class SessionGuardElement extends Base {
  static readonly observedAttributes = ATTRIBUTES;

  /** The running guard; `null` while the element is not in a document, or has neither ticket nor room. */
  guard: SessionGuard | null = null;
  #planned = false;
  /** The attributes of the running guard. */
  #running = "";

  connectedCallback(): void {
    this.#restart();
  }

  disconnectedCallback(): void {
    this.#restart();
  }

  attributeChangedCallback(): void {
    this.#restart();
  }

  /** Once for all changes of one task; an element that is only moved goes on. */
  #restart(): void {
    if (this.#planned) return;
    this.#planned = true;
    setTimeout(() => {
      this.#planned = false;
      const attributes = this.#attributes();
      const described = JSON.stringify(attributes);
      if (this.guard && this.isConnected && described === this.#running) return;
      this.guard?.stop();
      this.guard = null;
      if (!this.isConnected) return;
      this.#running = described;
      const options = optionsFrom(attributes);
      if (!options.ticket && !options.room) return;
      this.guard = createSessionGuard(options);
      if (!this.hasAttribute("manual")) this.guard.start();
    });
  }

  #attributes(): Record<string, string> {
    const camel = (name: string): string => name.replace(/-(.)/g, (_dash, letter: string) => letter.toUpperCase());
    return Object.fromEntries(ATTRIBUTES.filter((name) => this.hasAttribute(name)).map((name) => [camel(name), this.getAttribute(name) ?? ""]));
  }
}

if (typeof customElements !== "undefined" && !customElements.get(NAME)) customElements.define(NAME, SessionGuardElement);
