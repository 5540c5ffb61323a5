/**
 * `<session-guard-choose sessions='[…]' max="1">`: at the limit, the user says which of the live sessions shall end.
 *
 * For the app's own log-in page, after the password was right and the server has answered 409 `session-limit`: `sessions`
 * and `max` are that answer's `sessions` and `max_sessions`. The element is part of its form, like an `<input>`: what is
 * chosen is sent as `ends`, once for each session, and a form with too few is not sent. Event `choose`, whenever the
 * choice has changed: `detail` is `{ends: [ids]}`. With `cancel-url` there is a way back.
 */

import { CHOOSE } from "./choose-texts.ts";
import { ROWS } from "./row-texts.ts";
import { add, Base, describe, languageOf, openRoot, speak, type Row } from "./rows.ts";

const NAME = "session-guard-choose";

/** The rows of the attribute; what is no list is none. */
function rowsOf(text: string | null): readonly Row[] {
  try {
    const rows: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(rows) ? (rows as (Row | null)[]).filter((row): row is Row => typeof row?.session === "string") : [];
  } catch {
    return [];
  }
}

export class SessionGuardChooseElement extends Base {
  static readonly formAssociated = true;
  static readonly observedAttributes = ["sessions", "max", "lang", "cancel-url"];

  readonly #internals = this.attachInternals();
  readonly #root = openRoot(this);
  #boxes: readonly HTMLInputElement[] = [];
  #must = 1;
  #disabled = false;

  /** What is chosen: ids of sessions. */
  get ends(): readonly string[] {
    return this.#boxes.filter((box) => box.checked).map((box) => box.value);
  }

  connectedCallback(): void {
    this.#render();
  }

  attributeChangedCallback(): void {
    if (this.isConnected) this.#render();
  }

  formResetCallback(): void {
    for (const box of this.#boxes) box.checked = false;
    this.#tell();
  }

  formDisabledCallback(disabled: boolean): void {
    this.#disabled = disabled;
    for (const box of this.#boxes) box.disabled = disabled;
  }

  override focus(options?: FocusOptions): void {
    this.#boxes[0]?.focus(options);
  }

  #render(): void {
    const rows = rowsOf(this.getAttribute("sessions"));
    const chosen = this.ends;
    const { lang, language } = languageOf(this);
    const texts = CHOOSE[language];
    // One more is to come in. A limit that is none is the commonest.
    this.#must = Math.max(1, rows.length + 1 - (Number(this.getAttribute("max")) || 1));
    const one = this.#must === 1;
    const box = speak(this.#root, lang);
    const list = add(box, "fieldset", "list");
    add(list, "legend", "title", (one ? texts.chooseOne : texts.chooseMore).replace("{n}", this.#must.toLocaleString(lang)));
    this.#boxes = rows.map((row) => {
      const label = add(list, "label", "device");
      const input = add(label, "input", "box");
      input.type = one ? "radio" : "checkbox";
      input.name = "ends";
      input.value = row.session;
      input.checked = chosen.includes(row.session);
      input.disabled = this.#disabled;
      input.addEventListener("change", () => {
        this.#tell();
        this.dispatchEvent(new CustomEvent("choose", { detail: { ends: this.ends }, bubbles: true, composed: true }));
      });
      describe(label, row, lang, ROWS[language]);
      return input;
    });
    const cancel = this.getAttribute("cancel-url");
    // Only http and https: an address from elsewhere runs no script.
    if (cancel !== null && /^https?:$/.test(new URL(cancel, document.baseURI).protocol)) add(box, "a", "cancel", texts.cancel).href = cancel;
    this.#tell();
  }

  /** To the form. */
  #tell(): void {
    const { ends } = this;
    const data = new FormData();
    for (const session of ends) data.append("ends", session);
    this.#internals.setFormValue(data);
    const [first] = this.#boxes;
    if (ends.length >= this.#must || !first) this.#internals.setValidity({});
    else this.#internals.setValidity({ valueMissing: true }, this.#root.querySelector("legend")?.textContent ?? "", first);
  }
}

if (typeof customElements !== "undefined" && !customElements.get(NAME)) customElements.define(NAME, SessionGuardChooseElement);
