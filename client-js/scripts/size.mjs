/** Sizes after gzip -9, each against its budget in bytes. */

import { gzipSync } from "node:zlib";
import { modules, react, served } from "./bundle.mjs";

const zipped = (code) => gzipSync(code, { level: 9 }).length;
const sizes = Object.fromEntries((await served()).map(([name, code]) => [name, zipped(code)]));
const script = sizes["session-guard.js"];
const deadline = sizes["session-guard-deadline.js"];
const budgets = [
  ["core + sio-lite", zipped(await modules("core/machine.ts", "transport/connection.ts", "transport/sio-lite.ts")), 6_000],
  ["script with notice (IIFE), one language", script, 10_000],
  ["deadline part with warning, cover and worker, loaded where a session ends by itself", deadline, 1_850],
  ["these two together", script + deadline, 11_850],
  ["worker", sizes["session-guard-worker.js"], 400],
  ["React", zipped(await react()), 600],
  ["credentials part, loaded where it is needed", sizes["session-guard-credentials.js"], 700],
  ["HTTP part, loaded where it is needed", sizes["session-guard-http.js"], 1_600],
  ["tabs part, loaded where it is needed", sizes["session-guard-tabs.js"], 300],
  ["German, loaded where it is needed", sizes["session-guard-de.js"], 800],
];

for (const [name, size, budget] of budgets) {
  const over = size > budget;
  console.log(`${name}: ${size} of ${budget} bytes${over ? " - too big" : ""}`);
  if (over) process.exitCode = 1;
}
