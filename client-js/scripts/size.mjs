/** Sizes after gzip -9, each against its budget in bytes. */

import { gzipSync } from "node:zlib";
import { modules, react, served } from "./bundle.mjs";

const files = Object.fromEntries(await served());
const budgets = [
  ["core + sio-lite", await modules("core/machine.ts", "transport/connection.ts", "transport/sio-lite.ts"), 6_000],
  ["script with dialog (IIFE)", files["session-guard.js"], 11_700],
  ["worker", files["session-guard-worker.js"], 400],
  ["React", await react(), 600],
  ["HTTP part, loaded where it is needed", files["session-guard-http.js"], 1_600],
  ["German, loaded where it is needed", files["session-guard-de.js"], 800],
];

for (const [name, code, budget] of budgets) {
  const size = gzipSync(code, { level: 9 }).length;
  const over = size > budget;
  console.log(`${name}: ${size} of ${budget} bytes${over ? " - too big" : ""}`);
  if (over) process.exitCode = 1;
}
