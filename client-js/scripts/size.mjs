/** Sizes after gzip -9, and of the script after brotli too, each against its budget in bytes. */

import { brotliCompressSync, gzipSync } from "node:zlib";
import { adminConsole, modules, react, served } from "./bundle.mjs";

const zipped = (code) => gzipSync(code, { level: 9 }).length;
const files = new Map(await served());
const script = files.get("session-guard.js");
const budgets = [
  // Less than socket.io-client alone.
  ["the script, with everything but other languages", zipped(script), 13_000],
  ["the same after brotli", brotliCompressSync(script).length, 11_700],
  ["core + sio-lite", zipped(await modules("core/machine.ts", "transport/connection.ts", "transport/sio-lite.ts")), 6_000],
  ["worker and the page's half of it, only where `data-worker` asks for it", zipped(files.get("session-guard-worker.js")), 700],
  ["React", zipped(await react()), 600],
  ["the list of devices, in eight languages", zipped(files.get("session-guard-devices.js")), 4_000],
  ["the choice at the limit, in eight languages", zipped(files.get("session-guard-choose.js")), 4_000],
  ["the console, script and style", (await adminConsole()).reduce((sum, [, contents]) => sum + zipped(contents), 0), 60_000],
  ["German, loaded where it is needed", zipped(files.get("session-guard-de.js")), 900],
];

for (const [name, size, budget] of budgets) {
  const over = size > budget;
  console.log(`${name}: ${size} of ${budget} bytes${over ? " - too big" : ""}`);
  if (over) process.exitCode = 1;
}
