"use client";

import { SessionGuardProvider, useSessionGuard } from "session-guard/react";

/** What is below leaves at once when its session has ended. */
export function Guard({ children, ...told }) {
  const options = { ...told, logoutUrl: "/logout", loginUrl: "/login" };
  return <SessionGuardProvider options={options}>{children}</SessionGuardProvider>;
}

export function Status() {
  const { state } = useSessionGuard();
  return <span role="status">{state.connected ? "live" : state.phase}</span>;
}
