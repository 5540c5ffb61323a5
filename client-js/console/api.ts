/** What the console asks its server. */

import type { Login } from "./types.ts";

/** The server's refusal, or that it did not answer (status 0). */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly retryAfter: string | null,
  ) {
    super(detail);
  }
}

let login: Login | null = null;
let loggedOut: () => void = () => undefined;

/** Calls `then` whenever the server says that nobody is logged in. */
export function onLoggedOut(then: () => void): void {
  loggedOut = then;
}

async function ask(path: string, options: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(`/admin/${path}`, { ...options, credentials: "same-origin", redirect: "error" });
  } catch {
    throw new Refusal(0, "network", "", null);
  }
  const text = await response.text();
  let body: unknown = null;
  try {
    body = text === "" ? null : JSON.parse(text);
  } catch {
    // a proxy's own page
  }
  if (response.ok) return body;
  const problem = (body ?? {}) as { code?: string; detail?: string };
  if (response.status === 401 && login !== null) {
    login = null;
    loggedOut();
  }
  throw new Refusal(response.status, problem.code ?? "", problem.detail ?? response.statusText, response.headers.get("Retry-After"));
}

/** Who is logged in; null: nobody. */
export async function whoAmI(): Promise<Login | null> {
  try {
    login = (await ask("session", {})) as Login;
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 401) throw error;
    login = null;
  }
  return login;
}

export async function logIn(key: string): Promise<Login> {
  login = (await ask("login", { method: "POST", body: new URLSearchParams({ key }) })) as Login;
  return login;
}

export async function logOut(): Promise<void> {
  const changing = change("logout", null);
  login = null;
  await changing;
}

/** Reads. `live`: by itself, because something happened, not because somebody asked; it does not make the session last. */
export async function read<T>(path: string, query: Record<string, string> = {}, live = false): Promise<T> {
  const asked = new URLSearchParams(query).toString();
  return (await ask(`api/${path}${asked ? `?${asked}` : ""}`, live ? { headers: { "X-Console": "live" } } : {})) as T;
}

/** Changes something. */
export async function change<T>(path: string, body: unknown): Promise<T> {
  const headers: Record<string, string> = { "X-CSRF-Token": login?.csrf ?? "" };
  if (body !== null) headers["Content-Type"] = "application/json";
  return (await ask(path, { method: "POST", headers, body: body === null ? null : JSON.stringify(body) })) as T;
}
