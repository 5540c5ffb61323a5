/** Runs as a shared worker: see `sharing.ts`. */

import { createClock } from "./clock.ts";
import { createSharing } from "./sharing.ts";
import { sioLink, type Socket } from "./transport/sio-lite.ts";

const clock = createClock();
const take = createSharing(
  (address) => (credentials, events) => sioLink(address, (url) => new WebSocket(url) as Socket, clock, credentials, events),
  (lock, gone) => {
    navigator.locks.request(lock, gone).catch(gone);
  },
);

addEventListener("connect", (event) => {
  const [port] = (event as MessageEvent).ports;
  if (port) take(port);
});
