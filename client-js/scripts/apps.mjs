/** Bundles the small apps of test/apps/ for the browser tests, and what they load, into the directory that is its argument. */

import { readdir, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { root, sharedWorker, texts } from "./bundle.mjs";

const [outdir] = process.argv.slice(2);
await build({
  absWorkingDir: root,
  entryPoints: (await readdir(`${root}test/apps`)).map((name) => `test/apps/${name}`),
  bundle: true,
  format: "esm",
  target: "es2022",
  define: { "process.env.NODE_ENV": '"development"' },
  plugins: [texts],
  outdir,
});
await writeFile(`${outdir}/session-guard-shared-worker.js`, await sharedWorker());
