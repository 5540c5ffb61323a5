/** News between the tabs of this browser. Every message names its room and session, so that none reaches the wrong login. */

import { isEnd, namesSession } from "./core/wire.ts";
import { isLogin, type Login } from "./newest.ts";
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
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

export function createTabs(channel: Channel, receive: (message: TabMessage) => void): Tabs {
  channel.onmessage = ({ data }) => {
    if (isTabMessage(data)) receive(data);
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

/** Whoever shares the origin can write here. */
function isTabMessage(data: unknown): data is TabMessage {
  if (!namesSession(data)) return false;
  const { end, activeAt, room, session } = data;
  if (end !== undefined) return isEnd(end) && end.session === session && end.room === room;
  return Number.isFinite(activeAt) || isLogin(data);
}
