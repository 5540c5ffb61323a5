/**
 * `session-guard/react`: one guard for the tree under the provider.
 *
 * Safe where React mounts twice (StrictMode): the guard is stopped one macrotask after the last unmount, so that one
 * that is mounted again at once goes on. Safe on a server: nothing is touched before the effects run.
 */

import { createContext, createElement, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore, type FunctionComponent, type ReactNode } from "react";
import { createSessionGuard, type SessionGuard, type SessionGuardOptions, type SessionState } from "session-guard";

const Context = createContext<SessionGuard | null>(null);

export interface SessionGuardProviderProps {
  /** Read once; for another session give the provider another `key`. */
  readonly options: SessionGuardOptions;
  readonly children?: ReactNode;
}

export const SessionGuardProvider: FunctionComponent<SessionGuardProviderProps> = ({ options, children }) => {
  const [guard] = useState(() => createSessionGuard(options));
  const mounts = useRef(0);
  useEffect(() => {
    mounts.current++;
    guard.start();
    return () => {
      mounts.current--;
      setTimeout(() => {
        if (mounts.current === 0) guard.stop();
      });
    };
  }, [guard]);
  return createElement(Context.Provider, { value: guard }, children);
};

export interface UseSessionGuard extends Pick<SessionGuard, "extend" | "check" | "logout"> {
  readonly state: SessionState;
}

/** @throws Error outside of a provider */
export function useSessionGuard(): UseSessionGuard {
  const guard = useContext(Context);
  if (!guard) throw new Error("useSessionGuard needs a SessionGuardProvider");
  const state = useSyncExternalStore(guard.subscribe, guard.getState, guard.getState);
  return useMemo(() => ({ state, extend: guard.extend, check: guard.check, logout: guard.logout }), [guard, state]);
}
