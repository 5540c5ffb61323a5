/**
 * What is loaded where a session ends by itself, as soon as the server has said so, which is long before anything of it is
 * needed: the warning, the cover, and the worker that keeps time in hidden tabs.
 */

export { showCover } from "./cover.ts";
export { createPrompter } from "./prompter.ts";
export { startTicker } from "./ticker.ts";
