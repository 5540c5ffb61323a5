/** The parts for bundlers, which find each import and make a file of it. Languages are the option `messages`. */

import type { Parts, PartsByName } from "./parts.ts";

const IMPORTS: { readonly [Name in keyof PartsByName]: () => Promise<PartsByName[Name]> } = {
  credentials: () => import("./credentials/index.ts"),
  deadline: () => import("./deadline/index.ts"),
  http: () => import("./http/index.ts"),
  tabs: () => import("./storage-channel.ts"),
};

export const PARTS: Parts = {
  load: (name) => IMPORTS[name](),
  texts: () => Promise.resolve(null),
  worker: null,
};
