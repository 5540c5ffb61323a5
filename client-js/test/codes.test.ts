import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import * as codes from "../src/codes.ts";

it("knows the same codes and events as the server", () => {
  const protocol = readFileSync(`${process.cwd()}/../enforcer/protocol.py`, "utf8");
  for (const name of ["ENDING_CODES", "TICKET_CODES", "SETUP_CODES", "RETRY_CODES"] as const) {
    const [, list = ""] = new RegExp(`^${name} = frozenset\\(\\{(.*?)\\}\\)`, "ms").exec(protocol) ?? [];
    const served = [...list.matchAll(/"([^"]+)"/g)].map(([, code]) => code);
    assert.ok(served.length > 0, `${name} is not in protocol.py`);
    assert.deepEqual([...codes[name]].sort(), served.sort(), name);
  }
  for (const name of ["EVENT_SESSION", "EVENT_DRAIN", "EVENT_ACTIVITY", "EVENT_CHECK", "EVENT_LOGOUT"] as const) {
    assert.match(protocol, new RegExp(`^${name} = "${codes[name]}"$`, "m"));
  }
});
