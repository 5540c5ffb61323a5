/** The parts for bundlers, which find each import and make a file of it. Languages are the option `messages`. */

import type { Parts } from "./parts.ts";

export const PARTS: Parts = {
  http: () => import("./http/index.ts"),
  credentials: () => import("./credentials/index.ts"),
  warning: () => import("./ui/warning.ts"),
  texts: () => Promise.resolve(null),
  worker: null,
};
