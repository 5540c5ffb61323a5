/** What is loaded only where it is needed, so that the main file stays small. How depends on where that came from. */

import type * as Credentials from "./credentials/index.ts";
import type * as Http from "./http/index.ts";
import type { Messages } from "./types.ts";
import type * as Warning from "./ui/warning.ts";

/** Each of the functions rejects when the part could not be loaded, and may then be called again. */
export interface Parts {
  http(): Promise<typeof Http>;
  credentials(): Promise<typeof Credentials>;
  warning(): Promise<typeof Warning>;
  /** Texts by the primary subtag of a language; `null` when there are none. */
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
    credentials: () => load("credentials"),
    warning: () => load("warning"),
    texts: async (language) => (LANGUAGES.includes(language) ? (await load<{ default: Messages }>(language)).default : null),
    worker: `${directory}session-guard-worker.js`,
  };
}
