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
  postMessage(message: TabMessage): void;
  close(): void;
}

/** `null` where the browser keeps nothing for this page: then each tab has the server alone to learn from. */
export type OpenTabs = (space: string, receive: (message: TabMessage) => void) => Tabs | null;

/** The part of a `BroadcastChannel` that is used. */
export interface Channel extends Tabs {
  onmessage: ((event: MessageEvent) => void) | null;
}

/** @param open may throw */
export function createTabs(open: () => Channel, receive: (message: TabMessage) => void): Tabs | null {
  try {
    const channel = open();
    channel.onmessage = ({ data }) => {
      if (isTabMessage(data)) receive(data);
    };
    return channel;
  } catch {
    return null;
  }
}

/** Whoever shares the origin can write here. */
function isTabMessage(data: unknown): data is TabMessage {
  if (!namesSession(data)) return false;
  const { end, activeAt, room, session } = data;
  if (end !== undefined) return isEnd(end) && end.session === session && end.room === room;
  return Number.isFinite(activeAt) || isLogin(data);
}
