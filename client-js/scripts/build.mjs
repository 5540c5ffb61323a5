/** Writes dist/ and the copy that the server serves; with --verify it only compares that copy with the sources. */

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { committed, esm, iife, root } from "./bundle.mjs";

const script = await iife();

if (process.argv.includes("--verify")) {
  const served = await readFile(committed).catch(() => Buffer.alloc(0));
  if (!served.equals(Buffer.from(script))) {
    console.error("enforcer/static/session-guard.js is not what these sources build; run `npm run build`");
    process.exit(1);
  }
} else {
  await rm(`${root}dist`, { recursive: true, force: true });
  await mkdir(`${root}dist`, { recursive: true });
  await mkdir(dirname(committed), { recursive: true });
  await writeFile(`${root}dist/session-guard.js`, script);
  await writeFile(committed, script);
  for (const file of await esm()) await writeFile(file.path, file.contents);
}
