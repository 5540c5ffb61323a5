/**
 * The seam between the guard and a way to the server.
 *
 * Contract of a `Link`, the same for every transport:
 * - It is one attempt: it opens by itself, tries once, and ends with one `refused`; after that,
 *   and after `close()`, it calls nothing any more.
 * - `joined` comes at most once, and before every `message`.
 * - `request` is for a link that has joined, and is not over. It resolves with the server's ack, and rejects when the time is
 *   over or the link is gone; it never throws.
 * - `alive` is judged by the wall clock at that moment, because a machine that slept has missed its own timers.
 */

/** Milliseconds for an ack; a link that is silent for longer is taken for dead. */
export const ACK_LIMIT = 2_000;

/** How the page shows who it is. */
export type Credentials = { readonly ticket: string } | { readonly room: string; readonly session: string };

export interface LinkEvents {
  joined(): void;
  /** The server has shown that it is there, as it does every half a minute or so. */
  pinged?(): void;
  /** `ack` is null when the server wants none. */
  message(name: string, payload: unknown, ack: (() => void) | null): void;
  /** It is over. @param code why the server would not have it; "" when it was lost, or never came about */
  refused(code: string, data?: unknown): void;
}

export interface Link {
  request(name: string, payload: unknown): Promise<unknown>;
  alive(): boolean;
  close(): void;
}

export type OpenLink = (credentials: Credentials, events: LinkEvents) => Link;
