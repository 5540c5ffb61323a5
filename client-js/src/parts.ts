/**
 * What is loaded only where it is needed, so that the main file stays small. How depends on where that came from.
 *
 * A page that stays open for days may load a part of a newer version: what script and parts say to each other is not
 * renamed.
 */

import type * as Credentials from "./credentials/index.ts";
import type * as Deadline from "./deadline/index.ts";
import type * as Http from "./http/index.ts";
import type * as Tabs from "./storage-channel.ts";
import type { Messages } from "./types.ts";

/** The parts by the names of their files. */
export interface PartsByName {
  readonly credentials: typeof Credentials;
  readonly deadline: typeof Deadline;
  readonly http: typeof Http;
  readonly tabs: typeof Tabs;
}

export interface Parts {
  /** Rejects when the part could not be loaded, and may then be called again. */
  load<Name extends keyof PartsByName>(name: Name): Promise<PartsByName[Name]>;
  /** Texts by the primary subtag of a language; `null` when there are none. Rejects when they could not be loaded. */
  texts(language: string): Promise<Messages | null>;
  /** Address of the worker's file, `null` when there is no such file. */
  readonly worker: string | null;
}

/** Languages that have a file in `lang/`. English is built in. */
export const LANGUAGES: readonly string[] = ["ar", "de", "es", "fr", "it", "pl", "pt"];

/** @param directory of the script's file, where the others lie beside it; ends in a slash */
export function partsBeside(directory: string): Parts {
  const load = async (name: string): Promise<unknown> => import(`${directory}session-guard-${name}.js`);
  return {
    load: load as Parts["load"],
    texts: async (language) => (LANGUAGES.includes(language) ? ((await load(language)) as { default: Messages }).default : null),
    worker: `${directory}session-guard-worker.js`,
  };
}
