// Socket.IO pages for the tests: one JSON object a line, commands on stdin, what happened on stdout.
//
// open  {page, version, url, transports, upgrade, auth, query, acks}   a page connects; `acks`: it confirms kicks
// emit  {page, call, event, args}                                      its ack comes back with the same `call`
// close {page}
"use strict";

const clients = { 3: require("socket.io-client-3"), 4: require("socket.io-client-4") };
const pages = new Map();

function tell(message) {
  process.stdout.write(JSON.stringify(message) + "\n");
}

function open({ page, version, url, transports, upgrade, auth, query, acks }) {
  const socket = clients[version].io(url, {
    transports, upgrade, auth, query, reconnection: false, forceNew: true, timeout: 10000,
  });
  pages.set(page, socket);
  const happened = (kind, data = null) => tell({ page, kind, data });
  socket.io.engine.once("upgrade", (transport) => happened("upgrade", transport.name));
  socket.on("connect", () => happened("connect", socket.io.engine.transport.name));
  socket.on("connect_error", (error) => happened("connect_error", { message: error.message, data: error.data ?? null }));
  socket.on("disconnect", (reason) => happened("disconnect", reason));
  socket.onAny((event, ...args) => {
    const ack = typeof args[args.length - 1] === "function" ? args.pop() : null;
    happened(event, args[0] ?? null);
    if (ack !== null && acks) ack();
  });
}

function emit({ page, call, event, args }) {
  pages.get(page).emit(event, ...args, (answer) => tell({ page, kind: "ack", call, data: answer }));
}

require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line);
  if (command.do === "open") open(command);
  else if (command.do === "emit") emit(command);
  else pages.get(command.page).close();
}).on("close", () => process.exit(0));

tell({ kind: "ready" });
