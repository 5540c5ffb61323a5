/** Whether the built package is one that every tool can use: publint, and types that resolve (are the types wrong?). */

import { spawnSync } from "node:child_process";
import { root } from "./bundle.mjs";

const run = (...command) => {
  const { status } = spawnSync("npx", ["--no-install", ...command], { stdio: "inherit", cwd: root });
  if (status !== 0) process.exitCode = 1;
};
run("publint", "--strict");
run("attw", "--pack", ".", "--profile", "esm-only", "--exclude-entrypoints", "session-guard.js", "session-guard-worker.js", "session-guard-devices.js", "session-guard-choose.js", "session-guard-shared-worker.js", "--format", "ascii");
