/** Sizes after gzip -9, each against its budget in bytes. */

import { gzipSync } from "node:zlib";
import { iife, modules } from "./bundle.mjs";

const budgets = [
  ["core + sio-lite", await modules("core/machine.ts", "transport/connection.ts", "transport/sio-lite.ts"), 6_000],
  ["everything but the notice", await modules("guard.ts", "browser.ts"), 8_000],
  ["script (IIFE)", await iife(), 10_000],
];

for (const [name, code, budget] of budgets) {
  const size = gzipSync(code, { level: 9 }).length;
  const over = size > budget;
  console.log(`${name}: ${size} of ${budget} bytes${over ? " - too big" : ""}`);
  if (over) process.exitCode = 1;
}
