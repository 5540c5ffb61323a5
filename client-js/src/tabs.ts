/** News between the tabs of this browser. Every message names its room and session, so that none reaches the wrong login. */

import { isEnd, namesSession } from "./core/wire.ts";
import type { Login } from "./newest.ts";
import type { Store } from "./storage.ts";
import type { SessionEnd } from "./types.ts";

/** A login that is the newest of its room here, the end of one (`end`), or that its user was there (`activeAt`). */
export type TabMessage =
  | Login
  | { readonly room: string; readonly session: string; readonly end: SessionEnd }
  | { readonly room: string; readonly session: string; readonly activeAt: number; readonly reported: boolean };

export interface Tabs {
  /** Reaches every other tab of the same space that listens; never the sender. */
  publish(message: TabMessage): void;
  close(): void;
}

export type OpenTabs = (space: string, receive: (message: TabMessage) => void) => Tabs;

/** The part of a `BroadcastChannel` that is used. */
export interface Channel {
  onmessage: unknown;
  postMessage(message: unknown): void;
  close(): void;
}

/**
 * @param openChannel makes the channel; `null` when the browser has none
 * @param onStorage calls back with every key and value that another tab has stored; returns its unsubscribe
 */
export function createTabs(
  space: string,
  openChannel: ((name: string) => Channel) | null,
  store: Store,
  onStorage: (changed: (key: string, value: string) => void) => () => void,
  receive: (message: TabMessage) => void,
): Tabs {
  const accept = (data: unknown): void => {
    if (isTabMessage(data)) receive(data);
  };
  if (openChannel) {
    const channel = openChannel(space);
    channel.onmessage = ({ data }: { data: unknown }) => {
      accept(data);
    };
    return {
      publish(message) {
        channel.postMessage(message);
      },
      close() {
        channel.close();
      },
    };
  }
  const key = `${space}/message`;
  return {
    publish(message) {
      store.set(key, JSON.stringify(message));
      // Removed at once: the same message twice must be an event twice, and nothing may lie about.
      store.remove(key);
    },
    close: onStorage((changed, value) => {
      if (changed === key) accept(JSON.parse(value));
    }),
  };
}

function isTabMessage(data: unknown): data is TabMessage {
  if (!namesSession(data)) return false;
  const { end, epoch, activeAt } = data;
  return end === undefined ? typeof (activeAt ?? epoch) === "number" : isEnd(end) && end.session === data.session;
}
