/** The bundles, made in memory: the same bytes on every machine, because the bundler's version is pinned exactly. */

import { readdir, readFile } from "node:fs/promises";
import { build, transform } from "esbuild";
import { minify } from "terser";

export const root = new URL("..", import.meta.url).pathname;
export const servedFrom = new URL("../../enforcer/static/client/", import.meta.url).pathname;

/** Style sheets, and what is imported with `?text`, become minified text. */
export const texts = {
  name: "texts",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /\?text$/ }, ({ path, resolveDir }) => ({ path: `${resolveDir}/${path.slice(2, -5)}`, namespace: "text" }));
    onLoad({ filter: /./, namespace: "text" }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "ts", minify: true });
      return { contents: (await minify(code, MINIFY)).code, loader: "text" };
    });
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

export const MINIFY = { ecma: 2022, compress: { passes: 3, unsafe_arrows: true, pure_getters: true, keep_fargs: false, inline: 1, sequences: false, hoist_funs: true, lhs_constants: false } };
const { version } = JSON.parse(await readFile(`${root}package.json`, "utf8"));

/**
 * Names of properties that only the script itself uses, shortened in it. Not here: what pages, the server, the parts that
 * are loaded later or another version in the next tab know by its name, and what is stored.
 */
const OWN = [
  "asking", "checkQuietly", "checkSoon", "cloak", "dropped", "durable", "heard", "human", "mine",
  "onInput", "onWake", "openLink", "openPoll", "openTabs", "reached", "releaseLogout", "renewed", "restart",
  "restored", "seenAt", "settle", "takeLogout", "wake", "warnMs", "wasReloaded",
];
const PUBLIC = ["types.ts", "core/wire.ts", "tabs.ts", "newest.ts", "transport/link.ts", "transport/packet.ts", "clock.ts", "http/poll.ts", "http/watch.ts"];

/** @throws Error when a name is also somebody else's */
async function own() {
  const browser = `${root}node_modules/typescript/lib/lib.dom.d.ts`;
  for (const file of [browser, ...PUBLIC.map((name) => `${root}src/${name}`)]) {
    const words = new Set((await readFile(file, "utf8")).match(/\w+(?=[?]?[:(,}])/g));
    const shared = OWN.filter((name) => words.has(name));
    if (shared.length) throw new Error(`not to be shortened, because ${file} says them: ${shared}`);
  }
  return new RegExp(`^(${OWN.join("|")})$`);
}

async function bundle(options) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    bundle: true,
    write: false,
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    plugins: [texts],
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
    mangleProps: await own(),
  });
  return squeeze(file.text);
}

/** What the bundler's own minifier leaves: about 5 % after gzip. */
async function squeeze(text) {
  const { code } = await minify(text, MINIFY);
  return Buffer.from(`/*! session-guard ${version} | MIT */\n${code}\n`);
}

/** For bundlers: readable, with source maps; what is loaded only where it is needed stays a file of its own. */
export async function esm() {
  const languages = (await readdir(`${root}src/lang`)).map((name) => `src/lang/${name}`);
  const modules = ["src/index.ts", "src/element.ts", "src/react.ts", "src/shared.ts", ...languages];
  return bundle({ entryPoints: modules, external: ["react", "session-guard"], format: "esm", sourcemap: true, splitting: true, outbase: "src", outdir: "dist" });
}

/** Everything that the server serves under /client/: pairs of file name and contents. */
export async function served() {
  return [["session-guard.js", await iife()], ...(await parts())];
}

/** What the script loads only where it is needed, by file name: beside it, minified. */
export async function parts() {
  const languages = (await readdir(`${root}src/lang`)).map((name) => [name.replace(".ts", ""), `src/lang/${name}`]);
  const named = [["http", "src/http/index.ts"], ["credentials", "src/credentials/index.ts"], ["warning", "src/ui/warning.ts"], ...languages];
  const files = await Promise.all(
    named.map(async ([name, entry]) => {
      const [file] = await bundle({ entryPoints: [entry], format: "esm", minify: true });
      return [`session-guard-${name}.js`, await squeeze(file.text)];
    }),
  );
  const [worker] = await bundle({ entryPoints: ["src/worker.ts"], format: "esm", minify: true });
  return [["session-guard-worker.js", await squeeze(worker.text)], ...files];
}

/** For pages that share one socket between their tabs; they serve it themselves, so it is of the package alone. */
export async function sharedWorker() {
  const [worker] = await bundle({ entryPoints: ["src/shared-worker.ts"], format: "iife", minify: true });
  return squeeze(worker.text);
}

/** Only for measuring: the React part, without React and without what it is for. */
export async function react() {
  const [file] = await bundle({ entryPoints: ["src/react.ts"], external: ["react", "session-guard"], format: "esm", minify: true });
  return file.contents;
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
