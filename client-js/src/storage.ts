/** `localStorage` and `sessionStorage`, which may be missing, full or forbidden: then a memory that lasts as long as the page. */

/** Values are JSON. Contract: nothing here throws. What was set is read back by this page at least. */
export interface Store {
  /** `null` when there is nothing, or what is no JSON: other applications of the origin write here, too. */
  get(key: string): unknown;
  /** @returns whether other tabs and later pages will read it, too */
  set(key: string, value: unknown): boolean;
  remove(key: string): void;
  keys(): readonly string[];
}

/** @param open gets the browser's storage; touching it may throw already */
export function safeStore(open: () => Storage): Store {
  const memory = new Map<string, unknown>();
  const attempt = <T>(work: (storage: Storage) => T): T | undefined => {
    try {
      return work(open());
    } catch {
      return undefined;
    }
  };
  return {
    get: (key) => (memory.has(key) ? memory.get(key) : attempt((storage) => JSON.parse(storage.getItem(key) ?? "null") as unknown)) ?? null,
    set(key, value) {
      memory.set(key, value);
      attempt((storage) => {
        storage.setItem(key, JSON.stringify(value));
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
