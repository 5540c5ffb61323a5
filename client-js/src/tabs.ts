/** News between the tabs of this browser. Every message names its room and session, so that none reaches the wrong login. */

import { namesSession, readEnd } from "./core/wire.ts";
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
    const message = readTabMessage(data);
    if (message) receive(message);
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

/** `null` for what is none of ours: whoever shares the origin can write here. */
function readTabMessage(data: unknown): TabMessage | null {
  if (!namesSession(data)) return null;
  const { room, session, activeAt, reported } = data;
  if (data["end"] !== undefined) {
    const end = readEnd(data["end"]);
    return end?.session === session && end.room === room ? { room, session, end } : null;
  }
  if (activeAt !== undefined) return Number.isFinite(activeAt) ? { room, session, activeAt: activeAt as number, reported: reported === true } : null;
  return isLogin(data) ? data : null;
}
