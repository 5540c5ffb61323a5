/**
 * The part of Engine.IO v4 and Socket.IO v5 that one namespace of JSON events needs. Pure: text in, packets out.
 *
 * Not in it, because the server never sends them to a page: binary packets, other namespaces, HTTP long-polling.
 */

/** Engine.IO packet types; those of Socket.IO follow a `4`. */
export const OPEN = "0";
export const CLOSE = "1";
export const PING = "2";
export const PONG = "3";
export const CONNECT = "40";
export const DISCONNECT = "41";
export const EVENT = "42";
export const ACK = "43";
export const CONNECT_ERROR = "44";

/** What the server says when it opens, in ms. */
export interface Handshake {
  readonly pingInterval: number;
  readonly pingTimeout: number;
}

export interface Packet {
  /** One of the types above, or another one that is of no concern here. */
  readonly type: string;
  /** Names the ack: that is wanted, or that this is. */
  readonly id: string;
  /** The parsed JSON; `undefined` when there is none. */
  readonly data: unknown;
}

/** @param data `undefined` for none */
export function encode(type: string, data?: unknown, id: number | string = ""): string {
  return `${type}${id}${(JSON.stringify(data) as string | undefined) ?? ""}`;
}

/** @throws Error when the text is not of this protocol */
export function decode(text: string): Packet {
  // A namespace would come before the id, as in `42/name,7[…]`; then neither id nor data is found, and nothing happens.
  // What does not match has no parts to take: that throws.
  const [, type, id, body] = /^(4\d|\d)(\d*)([[{].*)?/s.exec(text) as unknown as readonly [string, string, string, string?];
  return { type, id, data: body ? JSON.parse(body) : undefined };
}
