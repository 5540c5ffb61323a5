/** Bundles every test file and runs it with node's own test runner. */

import { spawnSync } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { build } from "esbuild";
import { root, texts } from "./bundle.mjs";

const out = `${root}node_modules/.cache/session-guard-tests`;
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const tests = (await readdir(`${root}test`)).filter((name) => name.endsWith(".test.ts"));
await build({
  absWorkingDir: root,
  entryPoints: tests.map((name) => `test/${name}`),
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: "inline",
  external: ["react", "react-dom"],
  plugins: [texts],
});
const files = tests.map((name) => `${out}/${name.replace(/\.ts$/, ".mjs")}`);
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-reporter=spec", ...process.argv.slice(2), ...files], { stdio: "inherit", cwd: root });
process.exit(status ?? 1);
