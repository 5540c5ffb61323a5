/** Writes dist/ and the files that the server serves; with --verify it only compares those with the sources. */

import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { docsFrom, documentation } from "./docs.mjs";
import { esm, root, served, servedFrom, sharedWorker } from "./bundle.mjs";

const files = await served();
const documents = (await documentation()).map(([name, contents]) => [docsFrom + name, contents]);
/** The documentation shows the hash of the very file that is served (W3C Subresource Integrity). */
const manual = new URL("../../docs/client.md", import.meta.url).pathname;
const documented = await readFile(manual, "utf8");
const integrity = `integrity="sha384-${createHash("sha384").update(files[0][1]).digest("base64")}"`;
const hashed = documented.replace(/integrity="sha384-[^"]*"/, integrity);

if (process.argv.includes("--verify")) {
  for (const [path, contents] of [...files.map(([name, contents]) => [servedFrom + name, contents]), ...documents]) {
    const committed = await readFile(path).catch(() => Buffer.alloc(0));
    if (!committed.equals(contents)) {
      console.error(`${path.replace(/.*(?=enforcer\/static)/, "")} is not what these sources build; run \`npm run build\``);
      process.exitCode = 1;
    }
  }
  if (hashed !== documented || !documented.includes(integrity)) {
    console.error("docs/client.md shows another hash than that of session-guard.js; run `npm run build`");
    process.exitCode = 1;
  }
} else {
  await writeFile(manual, hashed);
  for (const [path, contents] of documents) await writeFile(path, contents);
  await rm(`${root}dist`, { recursive: true, force: true });
  await mkdir(`${root}dist`, { recursive: true });
  for (const [name, contents] of files) {
    await writeFile(`${root}dist/${name}`, contents);
    await writeFile(servedFrom + name, contents);
  }
  await writeFile(`${root}dist/session-guard-shared-worker.js`, await sharedWorker());
  for (const file of await esm()) {
    await mkdir(dirname(file.path), { recursive: true });
    await writeFile(file.path, file.contents);
  }
}
