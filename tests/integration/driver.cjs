// Socket.IO pages for the tests: one JSON object a line, commands on stdin, what happened on stdout.
//
// open  {page, client, url, transports, upgrade, auth, query, acks}   a page connects; `acks`: it confirms kicks
// emit  {page, call, event, args}                                     its ack comes back with the same `call`
// close {page}
"use strict";

const path = require("node:path");
const client = path.join(__dirname, "../../client-js");
const PATIENCE = 10000;

const openers = {
  "npm-3": npm(require("socket.io-client-3")),
  "npm-4": npm(require("socket.io-client-4")),
  "session-guard": ownLink,
};
const pages = new Map();

function tell(message) {
  process.stdout.write(JSON.stringify(message) + "\n");
}

function npm({ io }) {
  return ({ url, transports, upgrade, auth, query, acks }, happened) => {
    const socket = io(url, { transports, upgrade, auth, query, reconnection: false, forceNew: true, timeout: PATIENCE });
    socket.io.engine.once("upgrade", (transport) => happened("upgrade", transport.name));
    socket.on("connect", () => happened("connect", socket.io.engine.transport.name));
    socket.on("connect_error", (error) => happened("connect_error", { message: error.message, data: error.data ?? null }));
    socket.on("disconnect", (reason) => happened("disconnect", reason));
    socket.onAny((event, ...args) => {
      const ack = typeof args[args.length - 1] === "function" ? args.pop() : null;
      happened(event, args[0] ?? null);
      if (ack !== null && acks) ack();
    });
    return socket;
  };
}

/** The browser client's own WebSocket way, as its pages use it. */
function ownLink({ url, auth, query, acks }, happened) {
  const { sioLink } = ownSource();
  const clock = {
    now: Date.now,
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  };
  const more = new URLSearchParams(query).toString();
  const open = (address) => new WebSocket(more ? `${address}&${more}` : address);
  let joined = false;
  const link = sioLink(`${url.replace("http", "ws")}/socket.io/`, open, clock, auth, {
    joined: () => {
      joined = true;
      happened("connect", "websocket");
    },
    message: (name, payload, ack) => {
      happened(name, payload ?? null);
      if (ack !== null && acks) ack();
    },
    refused: (code, data) => (joined ? happened("disconnect", code) : happened("connect_error", { message: code, data: data ?? null })),
  });
  return {
    emit: (event, ...args) => {
      const answered = args.pop();
      link.request(event, args[0], PATIENCE).then(answered, () => undefined);
    },
    close: () => link.close(),
  };
}

let source = null;

function ownSource() {
  if (source === null) {
    const { buildSync } = require(path.join(client, "node_modules/esbuild"));
    const entryPoints = [path.join(client, "src/transport/sio-lite.ts")];
    const [{ text }] = buildSync({ entryPoints, bundle: true, format: "cjs", target: "node20", write: false }).outputFiles;
    const module = { exports: {} };
    new Function("module", "exports", text)(module, module.exports);
    source = module.exports;
  }
  return source;
}

function open(command) {
  const { page } = command;
  pages.set(page, openers[command.client](command, (kind, data = null) => tell({ page, kind, data })));
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
