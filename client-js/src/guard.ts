/** The public face of a guard: it can be created anywhere, and started, stopped and started again in a browser. */

import { NOTHING_YET } from "./core/machine.ts";
import type { Environment } from "./environment.ts";
import { createRun, type Run } from "./run.ts";
import { SessionGuardError, type SessionGuard, type SessionGuardOptions, type SessionState } from "./types.ts";

export type Listener = (state: SessionState) => void;

/** @param environment makes the outside world; called by `start()`, so that creating a guard touches nothing */
export function createGuard(options: SessionGuardOptions, environment: () => Environment): SessionGuard {
  let shown = NOTHING_YET;
  let run: Run | null = null;
  // First in the set, so that every other listener finds `getState()` up to date.
  const listeners = new Set<Listener>([
    (state) => {
      shown = state;
    },
  ]);

  /** @throws SessionGuardError */
  const started = (): Run => {
    if (!run || shown.phase === "stopped") throw new SessionGuardError("stopped");
    return run;
  };

  return {
    start() {
      if (shown.phase !== "stopped") return;
      // One that gave up still covers its page.
      run?.stop();
      run = createRun(options, environment(), listeners);
      run.start();
    },
    stop() {
      run?.stop();
      if (shown.phase === "stopped") run = null;
    },
    getState: () => shown,
    subscribe(listener) {
      // Wrapped, so that one function subscribed twice is told twice.
      const mine: Listener = (state) => {
        listener(state);
      };
      listeners.add(mine);
      return () => {
        listeners.delete(mine);
      };
    },
    check: async () => started().check(),
    extend: async () => started().extend(),
    reportActivity() {
      run?.reportActivity();
    },
    logout: async (scope) => started().logout(scope),
  };
}
