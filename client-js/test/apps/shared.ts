/** A page whose socket is shared with the other tabs, for the browser tests. */

import { createSessionGuard } from "../../src/index.ts";
import { sharedSocket } from "../../src/shared.ts";

const { url = "", ticket = "", worker = "" } = document.body.dataset;
window.sessionGuard = createSessionGuard({ url, ticket, logoutUrl: "/logout", socket: sharedSocket(worker) });
window.sessionGuard.start();
