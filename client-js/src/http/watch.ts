/**
 * Notices on the page's own requests that the session may be over: a 401, or a header that the app chose.
 *
 * It only looks at status and headers of what comes back. Requests, bodies and streams are left as they are, nothing
 * is repeated, and what was wrapped is put back.
 */

import type { Paths, WatchHttp } from "../types.ts";

interface WatchRules {
  /** Path prefixes; `[]` watches every same-origin request. */
  readonly paths: readonly string[];
  /** Response header whose presence means the same as a 401; `null` for none. */
  readonly header: string | null;
}

export function rulesOf(watched: WatchHttp): WatchRules {
  const { paths = watched, header = null } = watched as Exclude<WatchHttp, boolean | Paths>;
  const listed = typeof paths === "string" ? paths.split(/[\s,]+/) : Array.isArray(paths) ? (paths as string[]) : [];
  return { paths: listed.filter((path) => path.startsWith("/")), header };
}

/** The part of a window that is wrapped. */
export interface Scope {
  fetch: typeof fetch;
  readonly XMLHttpRequest: { readonly prototype: XMLHttpRequest };
  readonly location: { readonly origin: string };
}

/** Marks our wrapper, so that a second guard does not wrap it again: it only listens, too. */
const WATCHERS = Symbol.for("session-guard/watch");

type Look = (url: string, status: number, header: (name: string) => string | null) => void;
type Wrapped = typeof fetch & { [WATCHERS]?: Set<Look> };

/** @param over ends it */
export function watchHttp(scope: Scope, watched: WatchHttp, noticed: () => void, over: AbortSignal): void {
  const { paths, header: sign } = rulesOf(watched);
  const look: Look = (address, status, header) => {
    // The address of an answer is absolute.
    const { origin, pathname } = new URL(address);
    if (origin !== scope.location.origin || (paths.length && !paths.some((path) => pathname.startsWith(path)))) return;
    if (status === 401 || (sign && header(sign) !== null)) noticed();
  };
  const known = (scope.fetch as Wrapped)[WATCHERS];
  const watchers = known ?? new Set<Look>();
  watchers.add(look);
  const unwrap = known ? null : wrap(scope, watchers);
  over.addEventListener("abort", () => {
    watchers.delete(look);
    if (!watchers.size) unwrap?.();
  });
}

function wrap(scope: Scope, watchers: ReadonlySet<Look>): () => void {
  const { fetch: original } = scope;
  const { prototype } = scope.XMLHttpRequest;
  // Called with its own `this` below.
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const { send } = prototype;
  const tell: Look = (...seen) => {
    for (const look of watchers) look(...seen);
  };

  const watchedFetch: Wrapped = async function (this: unknown, ...request) {
    const response = await original.apply(this ?? scope, request);
    // Opaque answers tell nothing, and a constructed one has no address.
    if (response.url) tell(response.url, response.status, (name) => response.headers.get(name));
    return response;
  };
  watchedFetch[WATCHERS] = watchers as Set<Look>;
  const watchedSend = function (this: XMLHttpRequest, ...body: Parameters<XMLHttpRequest["send"]>): void {
    this.addEventListener("loadend", () => {
      if (this.responseURL) tell(this.responseURL, this.status, (name) => this.getResponseHeader(name));
    });
    send.apply(this, body);
  };
  scope.fetch = watchedFetch;
  prototype.send = watchedSend;

  return () => {
    // What somebody else has wrapped around ours stays: without watchers it passes everything on.
    if (scope.fetch === watchedFetch) scope.fetch = original;
    if (prototype.send === watchedSend) prototype.send = send;
  };
}
