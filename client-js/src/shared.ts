/**
 * `session-guard/shared`: one socket for all tabs of a session, held by a shared worker.
 *
 * For users with very many tabs, and servers that count sockets. Where there is no shared worker, or it does not answer,
 * each tab has its own socket, as without this.
 */

import type { Port, ToTab, ToWorker } from "./sharing.ts";
import { ACK_LIMIT, type Credentials, type Link, type LinkEvents } from "./transport/link.ts";
import type { SocketSource } from "./types.ts";

export type { SocketSource } from "./types.ts";

/** Milliseconds that the worker's file has to load and say that it is there. */
const HERE_LIMIT = 2_000;

/** @param worker address of `session-guard-shared-worker.js`, of the page's own origin */
export function sharedSocket(worker: string | URL): SocketSource {
  let usable = true;
  return (address, own) => (credentials, events) => {
    // Locks tell the worker which tabs have gone; they need https.
    if (!usable || typeof SharedWorker !== "function" || !(navigator.locks as LockManager | undefined)) return own(credentials, events);
    const unusable = (): void => {
      usable = false;
    };
    try {
      const shared = new SharedWorker(worker, "session-guard");
      const { link, fail } = portLink(shared.port, address, credentials, events, unusable);
      shared.onerror = fail;
      return link;
    } catch {
      // A policy forbids it.
      unusable();
      return own(credentials, events);
    }
  };
}

/** @param unusable told that there is no such worker; this attempt has failed then */
function portLink(port: Port<ToWorker>, address: string, credentials: Credentials, events: LinkEvents, unusable: () => void): { link: Link; fail: () => void } {
  let over = false;
  let nextId = 0;
  let release = (): void => undefined;
  const pending = new Map<number, (reply: unknown, error?: Error) => void>();

  const end = (): void => {
    over = true;
    clearTimeout(waiting);
    port.close();
    for (const settle of [...pending.values()]) settle(null, new Error("connection lost"));
    release();
  };
  const fail = (): void => {
    if (over) return;
    unusable();
    end();
    events.refused("");
  };
  const waiting = setTimeout(fail, HERE_LIMIT);

  port.onmessage = ({ data }) => {
    const message = data as ToTab;
    switch (message.type) {
      case "here":
        clearTimeout(waiting);
        break;
      case "joined":
        events.joined();
        break;
      case "pinged":
        events.pinged?.();
        break;
      case "message": {
        const { name, payload, ack: id } = message;
        events.message(name, payload, id === null ? null : () => { port.postMessage({ type: "ack", id }); });
        break;
      }
      case "reply":
        pending.get(message.id)?.(message.reply);
        break;
      case "failed":
        pending.get(message.id)?.(null, new Error("no answer"));
        break;
      case "refused":
        end();
        events.refused(message.code, message.data);
        break;
      case "closed":
        end();
        events.refused("");
    }
  };

  const lock = `session-guard/${Math.random().toString(36).slice(2)}${Date.now()}`;
  navigator.locks
    .request(
      lock,
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
          if (over) resolve();
          // Not before the lock is held, or the worker takes this tab for gone.
          else port.postMessage({ type: "open", address, credentials, lock });
        }),
    )
    .catch(fail);

  return {
    fail,
    link: {
      request: (name, payload) =>
        new Promise((resolve, reject) => {
          const id = nextId++;
          const settle = (reply: unknown, error?: Error): void => {
            clearTimeout(timer);
            pending.delete(id);
            if (error) reject(error);
            else resolve(reply);
          };
          const timer = setTimeout(() => {
            settle(null, new Error("no answer"));
          }, ACK_LIMIT);
          pending.set(id, settle);
          port.postMessage({ type: "request", id, name, payload });
        }),
      // After a sleep the next question tells: the worker answers for the socket.
      alive: () => !over,
      close() {
        if (over) return;
        port.postMessage({ type: "close" });
        end();
      },
    },
  };
}
