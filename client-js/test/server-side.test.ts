/** Rendering on a server: no window, no document, and nothing is touched. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { SessionGuardElement } from "../src/element.ts";
import { createSessionGuard } from "../src/index.ts";
import { SessionGuardProvider, useSessionGuard } from "../src/react.ts";

describe("on a server", () => {
  it("a guard can be created and asked", () => {
    assert.equal(typeof window, "undefined");
    assert.equal(createSessionGuard({ ticket: "t" }).getState().phase, "stopped");
  });

  it("the element is only text", () => {
    assert.ok(SessionGuardElement.observedAttributes.includes("ticket"));
  });

  it("React renders the state before the start", () => {
    const Phase = (): string => useSessionGuard().state.phase;
    assert.equal(renderToString(createElement(SessionGuardProvider, { options: { ticket: "t" } }, createElement(Phase))), "stopped");
  });

  it("the hook says so when its provider is missing", () => {
    const Lost = (): string => useSessionGuard().state.phase;
    assert.throws(() => renderToString(createElement(Lost)), /SessionGuardProvider/);
  });
});
