/** The bundles, made in memory: the same bytes on every machine, because the bundler's version is pinned exactly. */

import { readFile } from "node:fs/promises";
import { build, transform } from "esbuild";

export const root = new URL("..", import.meta.url).pathname;
export const committed = new URL("../../enforcer/static/session-guard.js", import.meta.url).pathname;

/** Style sheets become minified text. */
export const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

const { version } = JSON.parse(await readFile(`${root}package.json`, "utf8"));

async function bundle(options) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    bundle: true,
    write: false,
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    plugins: [styles],
    ...options,
  });
  return outputFiles;
}

/** For the `<script>` line: minified, everything inside. */
export async function iife() {
  const [file] = await bundle({
    entryPoints: ["src/auto.ts"],
    format: "iife",
    minify: true,
    banner: { js: `/*! session-guard ${version} | MIT */` },
  });
  return file.contents;
}

/** For bundlers: readable, with a source map beside it. */
export function esm() {
  return bundle({ entryPoints: ["src/index.ts"], format: "esm", sourcemap: true, outdir: "dist" });
}

/** Only for measuring: the named modules of src/, minified. */
export async function modules(...names) {
  const [file] = await bundle({
    stdin: { contents: names.map((name) => `export * from "./${name}";`).join(""), resolveDir: `${root}src`, loader: "ts" },
    format: "esm",
    minify: true,
  });
  return file.contents;
}
