/** A React app in StrictMode, for the browser tests: shows the phase, and can leave and come back. */

import { createElement, StrictMode, useState, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { SessionGuardProvider, useSessionGuard } from "../../src/react.ts";

function Phase(): ReactNode {
  const { state, check } = useSessionGuard();
  return createElement("button", { id: "phase", onClick: () => void check() }, state.phase);
}

function App(): ReactNode {
  const [shown, setShown] = useState(true);
  const { url, ticket } = document.body.dataset;
  return createElement(
    "main",
    null,
    createElement("button", { id: "toggle", onClick: () => { setShown(!shown); } }, "toggle"),
    shown && createElement(SessionGuardProvider, { options: { url: url ?? "", ticket: ticket ?? "" } }, createElement(Phase)),
  );
}

createRoot(document.body).render(createElement(StrictMode, null, createElement(App)));
