/** News between tabs by `localStorage`, for browsers without a `BroadcastChannel`. */

import { parseJson, type Store } from "./storage.ts";
import type { Channel } from "./tabs.ts";

/** @param page where storage events arrive */
export function storageChannel(name: string, store: Store, page: Pick<Window, "addEventListener" | "removeEventListener">): Channel {
  const key = `${name}/message`;
  const heard = ({ key: changed, newValue }: StorageEvent): void => {
    if (changed === key && newValue !== null) channel.onmessage?.({ data: parseJson(newValue) } as MessageEvent);
  };
  page.addEventListener("storage", heard);
  const channel: Channel = {
    onmessage: null,
    postMessage(message) {
      store.set(key, JSON.stringify(message));
      // Removed at once: the same message twice must be an event twice, and nothing may lie about.
      store.remove(key);
    },
    close() {
      page.removeEventListener("storage", heard);
    },
  };
  return channel;
}
