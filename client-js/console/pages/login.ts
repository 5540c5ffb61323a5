/** Logging in: the one page without a session. */

import { Refusal, logIn } from "../api.ts";
import { h, put } from "../dom.ts";
import { T } from "../texts.ts";
import type { Login } from "../types.ts";

/** `ended`: a session was there before. `done` is called with the new one. */
export function loginPage(into: HTMLElement, ended: boolean, done: (login: Login) => void): void {
  const key = h("input", { id: "key", name: "key", type: "password", autocomplete: "current-password", required: true, "aria-describedby": "told" });
  const told = h("p", { id: "told", class: "told", role: "alert" }, ended ? T.login.ended : "");
  const button = h("button", { class: "primary" }, T.login.button);
  const form = h(
    "form",
    {
      class: "card login",
      onsubmit: (event) => {
        event.preventDefault();
        void send();
      },
    },
    h("h1", { tabindex: "-1" }, T.login.title),
    h("p", { class: "lead" }, T.login.lead),
    h("label", { for: "key" }, T.login.key),
    key,
    told,
    button,
  );

  async function send(): Promise<void> {
    button.disabled = true;
    told.textContent = "";
    try {
      done(await logIn(key.value));
    } catch (error) {
      told.textContent = sentence(error);
      key.select();
      key.focus();
    } finally {
      button.disabled = false;
    }
  }

  put(into, form);
  key.focus();
}

function sentence(error: unknown): string {
  if (!(error instanceof Refusal)) throw error;
  if (error.status === 0) return T.problem.network;
  if (error.status === 401 || error.status === 413) return T.login.wrong;
  if (error.code === "not-allowed") return T.login.forbidden;
  if (error.status === 429) return T.login.wait(error.retryAfter ?? "60");
  return error.status === 503 ? T.problem.store : error.message;
}
