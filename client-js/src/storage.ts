/** `localStorage` and `sessionStorage`, which may be missing, full or forbidden: then a memory that lasts as long as the page. */

import { isMembers, type Members } from "./core/wire.ts";

/** Contract: nothing here throws. What was set is read back by this page at least. */
export interface Store {
  get(key: string): string | null;
  /** @returns whether other tabs and later pages will read it, too */
  set(key: string, value: string): boolean;
  remove(key: string): void;
  keys(): readonly string[];
}

/** @param open gets the browser's storage; touching it may throw already */
export function safeStore(open: () => Storage): Store {
  const memory = new Map<string, string>();
  const attempt = <T>(work: (storage: Storage) => T): T | undefined => {
    try {
      return work(open());
    } catch {
      return undefined;
    }
  };
  return {
    get: (key) => memory.get(key) ?? attempt((storage) => storage.getItem(key)) ?? null,
    set(key, value) {
      memory.set(key, value);
      attempt((storage) => {
        storage.setItem(key, value);
        // What the browser holds now can be changed by other tabs, so the memory must not hide it.
        memory.delete(key);
      });
      return !memory.has(key);
    },
    remove(key) {
      memory.delete(key);
      attempt((storage) => {
        storage.removeItem(key);
      });
    },
    keys: () => [...memory.keys(), ...(attempt((storage) => Object.keys(storage)) ?? [])],
  };
}

/** The value, or `null` for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A stored JSON object, or `null` when there is none or when it is not one. */
export function readJson(store: Store, key: string): Members | null {
  const value = parseJson(store.get(key) ?? "");
  return isMembers(value) ? value : null;
}
