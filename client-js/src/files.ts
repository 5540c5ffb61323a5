/** What few pages need: files of their own beside the script. How they are found depends on where that came from. */

import type * as Ticker from "./worker.ts";
import type { Messages } from "./types.ts";

export interface Files {
  /** Texts by the primary subtag of a language; `null` when there are none. Rejects when they could not be loaded. */
  texts(language: string): Promise<Messages | null>;
  /** Address of the worker's file. */
  readonly worker: string;
}

/** Languages that have a file in `lang/`. English is built in. */
export const LANGUAGES: readonly string[] = ["ar", "de", "es", "fr", "it", "pl", "pt"];

/** @param directory of the script; ends in a slash */
export function filesBeside(directory: string): Files {
  return {
    texts: async (language) => (LANGUAGES.includes(language) ? ((await import(`${directory}session-guard-${language}.js`)) as { default: Messages }).default : null),
    worker: `${directory}session-guard-worker.js`,
  };
}

/** For bundlers: there a language is the option `messages`. */
export const NO_FILES: Files = { texts: () => Promise.resolve(null), worker: "session-guard-worker.js" };

/** The page's half of the worker, out of the worker's own file. */
export function loadTicker(file: string): Promise<typeof Ticker> {
  return import(file) as Promise<typeof Ticker>;
}
