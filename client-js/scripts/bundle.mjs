/** The bundles, made in memory: the same bytes on every machine, because the bundler's version is pinned exactly. */

import { readdir, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { build, transform } from "esbuild";
import { minify } from "terser";

export const root = new URL("..", import.meta.url).pathname;
export const servedFrom = new URL("../../enforcer/static/client/", import.meta.url).pathname;
export const consoleFrom = new URL("../../enforcer/static/console/", import.meta.url).pathname;

/** Style sheets, and what is imported with `?text`, become minified text. */
export const texts = {
  name: "texts",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /\?text$/ }, ({ path, resolveDir }) => ({ path: resolve(resolveDir, path.slice(0, -5)), namespace: "text" }));
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

/** Found by measuring. `unsafe` believes that nobody has changed what `String` or `Error` do. */
export const MINIFY = {
  ecma: 2022,
  compress: {
    hoist_funs: true,
    inline: 1,
    keep_fargs: false,
    lhs_constants: false,
    passes: 6,
    pure_getters: true,
    sequences: false,
    unsafe: true,
    unsafe_arrows: true,
  },
};
const { version } = JSON.parse(await readFile(`${root}package.json`, "utf8"));

/** What pages, the server, a language, or another version in the next tab know by its name, or what is stored. */
const OUTSIDE = ["types.ts", "attributes.ts", "auto.ts", "core/wire.ts", "newest.ts", "tabs.ts", "ticket.ts", "transport/link.ts", "transport/packet.ts"];

/** Names that browsers have, too, but on nothing that the script touches. */
const OURS = ["after", "base", "button", "checking", "clock", "dialog", "exclusive", "flush", "forget", "heading", "live", "local", "login", "look", "offer", "page", "payload", "prompt", "read", "run", "show", "source", "texts", "wake"];

const wordsOf = (code) => code.replace(/\/\*[^]*?\*\/|\/\/.*/g, "").match(/[a-z]\w*/gi) ?? [];
/** Names in `object["name"]` and `"name" in object`. */
const quotedOf = (code) => [...code.matchAll(/\["(\w+)"\]|"(\w+)" in /g)].map(([, index, key]) => index ?? key);

/**
 * Names of properties that are shortened in the script, because it alone uses them. Not those that the language, the
 * browser or anybody outside says as well, nor snake_case, which is the wire's.
 */
async function own() {
  const library = `${root}node_modules/typescript/lib/`;
  const others = (await readdir(library)).filter((name) => /^lib\.(es5|es20(1\d|2[012])|dom)\b.*\.d\.ts$/.test(name)).map((name) => library + name);
  const sources = (await readdir(`${root}src`, { recursive: true })).filter((name) => name.endsWith(".ts"));
  const apart = sources.filter((name) => /^lang\/|^elements\/|^worker/.test(name));
  const read = (names) => Promise.all(names.map((name) => readFile(name, "utf8")));
  const [told, script] = await Promise.all([
    read([...others, ...[...OUTSIDE, ...apart].map((name) => `${root}src/${name}`)]),
    read(sources.filter((name) => !apart.includes(name)).map((name) => `${root}src/${name}`)),
  ]);
  const known = new Set([...told.flatMap(wordsOf), ...script.flatMap(quotedOf)]);
  const names = new Set(script.flatMap(wordsOf).filter((name) => !known.has(name) && !name.includes("_")));
  return new RegExp(`^(${[...names, ...OURS].join("|")})$`);
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
    // Nothing in it is different in strict mode.
    tsconfigRaw: { compilerOptions: { alwaysStrict: false } },
    mangleProps: await own(),
  });
  return squeeze(file.text);
}

/** What the bundler's own minifier leaves: about 5 % after gzip. */
async function squeeze(text, name = `session-guard ${version}`) {
  const { code } = await minify(text, MINIFY);
  return Buffer.from(`/*! ${name} | MIT */\n${code}\n`);
}

/** For bundlers: readable, with source maps. */
export async function esm() {
  const languages = (await readdir(`${root}src/lang`)).map((name) => `src/lang/${name}`);
  const modules = ["src/index.ts", "src/element.ts", "src/elements/devices.ts", "src/elements/choose.ts", "src/react.ts", "src/shared.ts", ...languages];
  return bundle({ entryPoints: modules, external: ["react", "session-guard"], format: "esm", sourcemap: true, splitting: true, outbase: "src", outdir: "dist" });
}

/** Everything that the server serves under /client/: pairs of file name and contents. */
export async function served() {
  const languages = await Promise.all(
    (await readdir(`${root}src/lang`)).map(async (name) => {
      const [file] = await bundle({ entryPoints: [`src/lang/${name}`], format: "esm", minify: true });
      return [`session-guard-${name.replace(".ts", "")}.js`, await squeeze(file.text)];
    }),
  );
  const others = await Promise.all(
    ["worker", "elements/devices", "elements/choose"].map(async (name) => {
      const [file] = await bundle({ entryPoints: [`src/${name}.ts`], format: "esm", minify: true });
      return [`session-guard-${name.replace(/.*\//, "")}.js`, await squeeze(file.text)];
    }),
  );
  return [["session-guard.js", await iife()], ...others, ...languages];
}

/** The console of the server, whose page and icon stand beside these files: pairs of file name and contents. */
export async function adminConsole() {
  const [script] = await bundle({ entryPoints: ["console/main.ts"], format: "esm", minify: true });
  const { code } = await transform(await readFile(`${root}console/console.css`, "utf8"), { loader: "css", minify: true });
  return [["console.js", await squeeze(script.text, "enforcer console")], ["console.css", Buffer.from(`/*! enforcer console | MIT */\n${code}`)]];
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
