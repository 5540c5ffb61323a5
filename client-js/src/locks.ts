/** One tab at a time: by Web Locks, and on pages served over plain http, which have none, by `localStorage`. */

import { sleep, type Clock } from "./clock.ts";
import type { Locks } from "./environment.ts";
import type { Store } from "./storage.ts";

/** Milliseconds within which every tab sees what another one has stored. */
export const SEEN = 150;

/**
 * @param locks what the browser has; some pages have the property, and nothing in it
 * @param newId tells the tabs apart
 */
export function createLocks(locks: LockManager | undefined, clock: Clock, store: Store, newId: () => string): Locks {
  /** Whoever writes last into a free place has it; all that wrote wait until they can all see who that was. */
  const byStorage: Locks["exclusive"] = async (name, limit, work) => {
    const me = newId();
    for (const until = clock.now() + limit; clock.now() < until; ) {
      if (store.get(name) === null) store.set(name, me);
      await sleep(clock, SEEN);
      if (store.get(name) === me) {
        return work().finally(() => {
          store.remove(name);
        });
      }
    }
  };
  return {
    async exclusive(name, limit, work) {
      if (!locks) return byStorage(name, limit, work);
      const signal = AbortSignal.timeout(limit);
      const kept = async (): Promise<void> => {
        await work();
        await sleep(clock, SEEN); // a lock passes on faster than what its holder has stored
      };
      return locks.request(name, { signal }, kept).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    },
  };
}
