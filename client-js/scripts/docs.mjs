/** The documentation that the server shows: the viewer of its API, as its makers publish it, and what went wrong. */

import { readFile } from "node:fs/promises";
import { Marked } from "marked";
import { root } from "./bundle.mjs";

export const docsFrom = new URL("../../enforcer/static/docs/", import.meta.url).pathname;
const VIEWER = `${root}node_modules/swagger-ui-dist/`;

/** A page for each code is where the `type` of an error leads; the manual's other pages are not served. */
const marked = new Marked({
  renderer: {
    heading({ tokens, depth, text }) {
      return `<h${depth} id="${text.toLowerCase().replace(/[^a-z0-9 -]/g, "").replaceAll(" ", "-")}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
    },
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens);
      return href.startsWith("#") ? `<a href="${href}">${text}</a>` : text;
    },
  },
});

/** Pairs of file name and contents, for `enforcer/static/docs/`. */
export async function documentation() {
  const manual = await readFile(`${root}../docs/troubleshooting.md`, "utf8");
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Enforcer · What went wrong</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/docs.css">
<nav><a href="/docs">HTTP API</a></nav>
<main class="manual">
${marked.parse(manual)}</main>
</html>
`;
  return [
    ["swagger-ui.js", await readFile(`${VIEWER}swagger-ui-bundle.js`)],
    ["swagger-ui.css", await readFile(`${VIEWER}swagger-ui.css`)],
    ["swagger-ui.LICENSE.txt", await readFile(`${VIEWER}LICENSE`)],
    ["troubleshooting.html", Buffer.from(page)],
  ];
}
