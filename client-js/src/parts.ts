/** What is loaded only where it is needed, so that the main file stays small. How depends on where that came from. */

import type * as Http from "./http/index.ts";
import type { Messages } from "./types.ts";

export interface Parts {
  http(): Promise<typeof Http>;
  /** Texts by the primary subtag of a language; `null` when there are none. Rejects when they could not be loaded. */
  texts(language: string): Promise<Messages | null>;
  /** Address of the worker's file, `null` when there is no such file. */
  readonly worker: string | null;
}

/** Languages that have a file in `lang/`. English is built in. */
export const LANGUAGES: readonly string[] = ["ar", "de", "es", "fr", "it", "pl", "pt"];

/** @param directory of the script's file, where the others lie beside it; ends in a slash */
export function partsBeside(directory: string): Parts {
  const load = async <Part>(name: string): Promise<Part> => (await import(`${directory}session-guard-${name}.js`)) as Part;
  return {
    http: () => load("http"),
    texts: async (language) => (LANGUAGES.includes(language) ? (await load<{ default: Messages }>(language)).default : null),
    worker: `${directory}session-guard-worker.js`,
  };
}
