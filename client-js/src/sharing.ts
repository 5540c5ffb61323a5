/**
 * One socket for all tabs of a session: what the shared worker does. Pure but for the links it opens.
 *
 * To the server it is one page. Each tab has a port, and behind it a `Link` of its own (`shared.ts`): the worker hands on
 * what the socket says, and never tries anything again by itself. That is for the tabs, as with sockets of their own.
 */

import { EVENT_CHECK, EVENT_SESSION, verdict } from "./codes.ts";
import { failedCode } from "./core/wire.ts";
import { readTicket } from "./ticket.ts";
import type { Credentials, Link, OpenLink } from "./transport/link.ts";

export type ToWorker =
  /** `lock`: name of a Web Lock that the tab holds for as long as it lives. */
  | { readonly type: "open"; readonly address: string; readonly credentials: Credentials; readonly lock: string }
  | { readonly type: "request"; readonly id: number; readonly name: string; readonly payload: unknown }
  | { readonly type: "ack"; readonly id: number }
  | { readonly type: "close" };

export type ToTab =
  /** The worker works. */
  | { readonly type: "here" }
  | { readonly type: "joined" }
  | { readonly type: "pinged" }
  | { readonly type: "message"; readonly name: string; readonly payload: unknown; readonly ack: number | null }
  | { readonly type: "refused"; readonly code: string; readonly data: unknown }
  | { readonly type: "closed" }
  | { readonly type: "reply"; readonly id: number; readonly reply: unknown }
  | { readonly type: "failed"; readonly id: number };

/** The part of a `MessagePort` that is used. */
export interface Port<Out> {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: Out): void;
  close(): void;
}

interface Shared {
  readonly key: string;
  readonly link: Link;
  joined: boolean;
  /** Every tab, and whether it knows that it has joined. */
  readonly tabs: Map<Port<ToTab>, boolean>;
  /** What the server wants acknowledged: by the first tab that has stored it. */
  readonly acks: Map<number, () => void>;
}

/**
 * @param whenGone calls back once nobody holds the lock any more: the tab was closed, or has crashed
 * @returns what takes in the port of a new tab
 */
export function createSharing(openLink: (address: string) => OpenLink, whenGone: (lock: string, gone: () => void) => void): (port: Port<ToTab>) => void {
  const all = new Map<string, Shared>();
  let nextAck = 0;

  const forget = (shared: Shared): void => {
    if (all.get(shared.key) === shared) all.delete(shared.key);
  };
  const tell = (shared: Shared, message: ToTab): void => {
    for (const [port, joined] of shared.tabs) if (joined) port.postMessage(message);
  };
  /** The attempt of every tab is over. */
  const over = (shared: Shared, message: ToTab): void => {
    forget(shared);
    for (const port of shared.tabs.keys()) port.postMessage(message);
    shared.tabs.clear();
  };
  const lose = (shared: Shared): void => {
    shared.link.close();
    over(shared, { type: "closed" });
  };

  const begin = (key: string, address: string, credentials: Credentials): Shared => {
    const link = openLink(address)(credentials, {
      joined() {
        shared.joined = true;
        for (const port of shared.tabs.keys()) shared.tabs.set(port, true);
        tell(shared, { type: "joined" });
      },
      pinged() {
        tell(shared, { type: "pinged" });
      },
      message(name, payload, ack) {
        const id = ack && nextAck++;
        if (ack && id !== null) shared.acks.set(id, ack);
        tell(shared, { type: "message", name, payload, ack: id });
      },
      refused(code, data) {
        over(shared, code ? { type: "refused", code, data } : { type: "closed" });
      },
    });
    const shared: Shared = { key, link, joined: false, tabs: new Map(), acks: new Map() };
    all.set(key, shared);
    return shared;
  };

  /** A tab that comes to a joined socket: the server's answer shows that it is alive, and tells how long there is. */
  const welcome = (shared: Shared, port: Port<ToTab>): void => {
    shared.link.request(EVENT_CHECK, undefined).then(
      (reply) => {
        const code = failedCode(reply);
        if (code !== null && verdict(code) === "ended") {
          // The refusal of the next link says why.
          lose(shared);
        } else if (shared.tabs.has(port)) {
          shared.tabs.set(port, code === null);
          if (code === null) {
            port.postMessage({ type: "joined" });
            port.postMessage({ type: "message", name: EVENT_SESSION, payload: reply, ack: null });
          } else {
            shared.tabs.delete(port);
            port.postMessage({ type: "closed" });
          }
        }
      },
      () => {
        lose(shared);
      },
    );
  };

  return (port) => {
    let shared: Shared | null = null;

    const leave = (): void => {
      if (!shared?.tabs.delete(port) || shared.tabs.size) return;
      forget(shared);
      shared.link.close();
    };

    port.onmessage = ({ data }) => {
      const message = data as ToWorker;
      switch (message.type) {
        case "open": {
          const { address, credentials, lock } = message;
          const key = JSON.stringify([address, nameOf(credentials)]);
          const known = all.get(key);
          // The machine slept: no timer has said so yet.
          if (known && !known.link.alive()) lose(known);
          shared = all.get(key) ?? begin(key, address, credentials);
          shared.tabs.set(port, false);
          if (shared.joined) welcome(shared, port);
          whenGone(lock, leave);
          break;
        }
        case "request": {
          const { id, name, payload } = message;
          const asked = shared;
          if (!asked?.tabs.has(port)) {
            port.postMessage({ type: "failed", id });
            break;
          }
          asked.link.request(name, payload).then(
            (reply) => {
              port.postMessage({ type: "reply", id, reply });
            },
            () => {
              port.postMessage({ type: "failed", id });
              // It looks open and is dead, for all of them.
              lose(asked);
            },
          );
          break;
        }
        case "ack":
          shared?.acks.get(message.id)?.();
          shared?.acks.delete(message.id);
          break;
        case "close":
          leave();
      }
    };
    port.postMessage({ type: "here" });
  };
}

/** What two tabs must have in common to share: not the ticket, of which each may have another one, but its session. */
function nameOf(credentials: Credentials): unknown {
  return "ticket" in credentials ? (readTicket(credentials.ticket)?.session ?? credentials.ticket) : [credentials.room, credentials.session];
}
