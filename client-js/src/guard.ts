/** The public face of a guard: it can be created anywhere, and started, stopped and started again in a browser. */

import { NOTHING_YET } from "./core/machine.ts";
import type { Environment } from "./environment.ts";
import { createRun, type Run } from "./run.ts";
import { SessionGuardError, type DeviceList, type Ended, type SessionGuard, type SessionGuardOptions, type SessionState } from "./types.ts";

export type Listener = (state: SessionState) => void;

/** @param environment makes the outside world; called by `start()`, so that creating a guard touches nothing */
export function createGuard(options: SessionGuardOptions, environment: () => Environment): SessionGuard {
  let run: Run | null = null;
  const listeners = new Set<Listener>();
  const getState = (): SessionState => run?.getState() ?? NOTHING_YET;

  /** @throws SessionGuardError */
  const started = (): Run => {
    if (!run || getState().phase === "stopped") throw new SessionGuardError("stopped");
    return run;
  };

  const call: Run["call"] = async (...what) => started().call(...what);

  return {
    start() {
      if (getState().phase !== "stopped") return;
      // One that gave up still covers its page.
      run?.stop();
      run = createRun(options, environment(), listeners);
      run.start();
    },
    stop() {
      run?.stop();
    },
    getState,
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
    report: async (note) => {
      await call("report", { note });
    },
    devices: {
      list: async () => (await call("devices")) as DeviceList,
      end: async (session, { ticket } = {}) => (await call("devices/end", { session }, ticket)) as Ended,
      endOthers: async ({ ticket } = {}) => (await call("devices/end", { others: true }, ticket)) as Ended,
    },
  };
}
