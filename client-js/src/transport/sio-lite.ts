/** A link over one native WebSocket that speaks Socket.IO. Contract: `link.ts`. Wire: `packet.ts`. */

import type { Clock } from "../clock.ts";
import { EVENT_DRAIN } from "../codes.ts";
import type { Members } from "../core/wire.ts";
import { ACK_LIMIT, type Credentials, type Link, type LinkEvents } from "./link.ts";
import { ACK, CLOSE, CONNECT, CONNECT_ERROR, decode, DISCONNECT, encode, EVENT, OPEN, PING, PONG, type Handshake, type Packet } from "./packet.ts";

/** Milliseconds from the start of the attempt to the server's yes or no. */
export const JOIN_LIMIT = 10_000;

/** What a link needs of the browser's WebSocket. */
export interface Socket {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  send(text: string): void;
  close(): void;
}

/**
 * @param url `ws:` or `wss:` address of the server's socket path
 * @param open makes a socket; may throw
 */
export function sioLink(url: string, open: (url: string) => Socket, clock: Clock, credentials: Credentials, events: LinkEvents): Link {
  let socket: Socket | null = null;
  let over = false;
  let joined = false;
  let nextId = 0;
  // The server's pings set it, for the time after it has joined.
  let limit = JOIN_LIMIT;
  let silentAt = 0;
  let cancelWatch = (): void => undefined;
  const pending = new Map<string, (reply: unknown) => void>();
  const failed = (): Promise<never> => Promise.reject(new Error("not connected"));

  const end = (): void => {
    over = true;
    cancelWatch();
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const settle of pending.values()) settle(failed());
  };
  const fail = (): void => {
    if (over) return;
    end();
    events.refused("");
  };
  const send = (type: string, data?: unknown, id?: string): void => {
    socket?.send(encode(type, data, id));
  };
  /** Set anew, the timer never fires as long as all is well: that costs less than being woken. */
  const hear = (): void => {
    silentAt = clock.now() + limit;
    cancelWatch();
    cancelWatch = clock.after(limit, fail);
  };

  const receive = ({ type, id, data }: Packet): void => {
    if (joined) hear();
    const [first, second] = Array.isArray(data) ? (data as unknown[]) : [];
    if (type === OPEN) {
      const { pingInterval, pingTimeout } = data as Handshake;
      limit = pingInterval + pingTimeout || JOIN_LIMIT;
      send(CONNECT, credentials);
    } else if (type === CONNECT) {
      joined = true;
      hear();
      events.joined();
    } else if (type === CONNECT_ERROR) {
      end();
      const { message, data: more } = (data ?? {}) as Members;
      events.refused(String(message), more);
    } else if (first === EVENT_DRAIN) {
      end();
      events.refused(first, second);
    } else if (type === EVENT) {
      events.message(String(first), second, id ? () => { send(ACK, [], id); } : null);
    } else if (type === ACK) {
      pending.get(id)?.(first);
    } else if (type === DISCONNECT || type === CLOSE) {
      fail();
    }
  };

  hear();
  try {
    socket = open(`${url}?EIO=4&transport=websocket`);
    socket.onmessage = ({ data }) => {
      // All that an idle page hears: answered without a detour.
      if (data === PING) {
        if (joined) hear();
        send(PONG);
        events.pinged?.();
        return;
      }
      let packet: Packet;
      try {
        packet = decode(String(data));
      } catch {
        fail();
        return;
      }
      receive(packet);
    };
    // An error event is always followed by this one.
    socket.onclose = fail;
  } catch {
    // A Content-Security-Policy can throw here. The contract promises `refused`, but never before returning.
    clock.after(0, fail);
  }

  return {
    request: (name, payload) =>
      new Promise((resolve) => {
        const id = String(nextId++);
        const settle = (reply: unknown): void => {
          cancel();
          pending.delete(id);
          resolve(reply);
        };
        const cancel = clock.after(ACK_LIMIT, () => {
          settle(failed());
        });
        pending.set(id, settle);
        send(EVENT, payload === undefined ? [name] : [name, payload], id);
      }),
    alive: () => !over && clock.now() < silentAt,
    close() {
      if (over) return;
      if (joined) send(DISCONNECT);
      end();
    },
  };
}
