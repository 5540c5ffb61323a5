/** The client, the cache and the plugins on a real server, whose address and key are in the environment. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fastifyCookie from "@fastify/cookie";
import fastifySession from "@fastify/session";
import express from "express";
import session from "express-session";
import Fastify from "fastify";
import { Enforcer, LiveSessions, Refused, SessionEnded, SessionLimit, Unauthorized, Unavailable } from "../src/index.js";
import { singleSession } from "../src/express.js";
import fastifySingleSession from "../src/fastify.js";
import { singleSession as nextSingleSession } from "../src/next.js";

/** `ENFORCER_LATE_URL`: the same server, but its stream takes 1.5 s more. */
const { ENFORCER_URL, ENFORCER_AUTHKEY, ENFORCER_LATE_URL } = process.env;
const SECRET = "s".repeat(32);

describe("on a real server", { skip: ENFORCER_URL === undefined && "no ENFORCER_URL" }, () => {
  const enforcer = new Enforcer({ url: ENFORCER_URL ?? "", key: ENFORCER_AUTHKEY ?? "" });

  it("has every call", async () => {
    const first = await enforcer.login("alice", { device: { user_agent: "curl" } });
    assert.equal((await enforcer.validate(first.session, "alice"))?.active, true);
    assert.equal(await enforcer.validate(first.session, "bob"), null);
    assert.equal(await enforcer.validate("unknown"), null);
    assert.equal((await enforcer.activity(first.session)).session, first.session);
    assert.match((await enforcer.ticket(first.session, 60)).elevated_ticket ?? "", /\./);
    assert.deepEqual((await enforcer.explain("alice")).would_end.map((row) => row.session), [first.session]);
    const again = await enforcer.login("alice", { request_id: "r1" });
    assert.deepEqual(again.displaced, [first.session]);
    assert.deepEqual((await enforcer.login("alice", { request_id: "r1" })).session, again.session);
    assert.deepEqual((await enforcer.sessions("alice")).map((row) => row.session), [again.session]);
    assert.deepEqual(await enforcer.endOthers("alice", again.session), []);
    assert.deepEqual(await enforcer.endAll("alice", "password_changed"), [again.session]);
    await enforcer.end(again.session);
    await enforcer.end("unknown");
    await assert.rejects(enforcer.ticket(again.session), (error) => error instanceof SessionEnded && error.reason === "password_changed");
  });

  it("says what was wrong by a kind and a code", async () => {
    await enforcer.login("bob");
    await assert.rejects(enforcer.login("bob", { policy: "reject" }), (error) => error instanceof SessionLimit && error.sessions.length === 1);
    await assert.rejects(enforcer.login(""), (error) => error instanceof Refused && error.code === "invalid-request");
    const stranger = new Enforcer({ url: ENFORCER_URL ?? "", key: "x".repeat(32) });
    await assert.rejects(stranger.sessions("bob"), Unauthorized);
    for (const url of ["http://127.0.0.1:9", `${ENFORCER_URL}/client/session-guard.js?`]) {
      const nowhere = new Enforcer({ url, key: "x".repeat(32), deadline: 300 });
      await assert.rejects(nowhere.validate("s"), (error) => error instanceof Unavailable || error instanceof Refused);
    }
  });

  it("answers from memory, and refuses from the moment of the end", async () => {
    /** @type {string[]} */
    const ended = [];
    const live = new LiveSessions(enforcer, { onEnd: (id) => ended.push(id) });
    const login = await enforcer.login("carol");
    while ((await live.isLive(login.session, "carol")) && typeof live.isLive(login.session, "carol") !== "boolean") await sleep(10);
    assert.equal(live.isLive(login.session, "carol"), true);
    assert.equal(live.isLive(login.session, "bob"), false);
    assert.equal(await live.isLive("unknown", "carol"), false);
    await enforcer.login("carol");
    const deadline = performance.now() + 10_000;
    while (!ended.includes(login.session)) {
      assert.ok(performance.now() < deadline, "the end does not come");
      await sleep(5);
    }
    assert.equal(live.isLive(login.session, "carol"), false);
    live.close();
  });

  it("does not believe a stream that is late, though rows come all the time", async (test) => {
    const late = new Enforcer({ url: ENFORCER_LATE_URL ?? "", key: ENFORCER_AUTHKEY ?? "" });
    /** @type {string[]} */
    const ended = [];
    const live = new LiveSessions(late, { maxStaleness: 1_000, onEnd: (id) => ended.push(id) });
    test.after(() => live.close());
    const said = async (/** @type {string} */ id) => {
      try {
        return await live.isLive(id, "late");
      } catch (error) {
        if (error instanceof Unavailable) return undefined; // the machine is busy
        throw error;
      }
    };
    const deadline = performance.now() + 30_000;
    while (ended.length === 0) {
      assert.ok(performance.now() < deadline, "no row comes");
      await late.login("somebody else");
    }
    const { session: id } = await late.login("late");
    while (!(await said(id))) assert.ok(performance.now() < deadline, "it is not called live");
    await late.end(id);
    const at = performance.now();
    for (;;) {
      await late.login("somebody else");
      const asked = performance.now();
      const answer = await said(id);
      if (answer === false) break;
      assert.ok(answer === undefined || asked - at <= 1_000, "called live for too long");
    }
  });

  for (const [framework, start] of [["Express", expressApp], ["Fastify", fastifyApp]]) {
    describe(framework, () => {
      /** @type {{url: string, close: () => Promise<unknown>}} */
      let site;
      const live = new LiveSessions(enforcer);
      before(async () => {
        site = await start(enforcer, live);
      });
      after(async () => {
        live.close();
        await site.close();
      });

      it("lets in who has a live session, and nobody else", async () => {
        const old = new Browser(site.url);
        assert.equal((await old.get("/")).headers.get("location"), "/login");
        assert.equal((await old.post("/login")).status, 303);
        assert.equal((await old.get("/")).status, 200);
        const newer = new Browser(site.url);
        await newer.post("/login");
        const deadline = performance.now() + 10_000;
        while ((await old.get("/")).status === 200) assert.ok(performance.now() < deadline, "the old one stays in");
        assert.equal((await newer.get("/")).status, 200);
        assert.equal((await newer.post("/logout", { "X-Enforcer-Session": "another" })).status, 409);
        assert.equal((await newer.get("/")).status, 200);
        assert.equal((await newer.post("/logout")).status, 204);
        assert.equal((await newer.get("/")).headers.get("location"), "/login");
      });

      it("changes the id of its own session, and replaces what the browser held", async () => {
        const browser = new Browser(site.url);
        await browser.post("/login");
        const held = browser.cookie;
        const before = await (await browser.get("/")).text();
        await browser.post("/login");
        assert.notEqual(browser.cookie, held);
        assert.equal((await enforcer.validate(before))?.["end_reason"], "replaced");
      });
    });

    it(`${framework} answers 503 when nobody can say, and logs nobody out`, async () => {
      const line = await proxy();
      const site = await start(new Enforcer({ url: line.url, key: ENFORCER_AUTHKEY ?? "", deadline: 2_000 }), undefined);
      const browser = new Browser(site.url);
      await browser.post("/login");
      line.cut(true);
      const answer = await browser.get("/");
      assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "2"]);
      line.cut(false);
      assert.equal((await browser.get("/")).status, 200);
      line.cut(true);
      const warned = once(process, "warning");
      assert.equal((await browser.post("/logout")).status, 204, "who logs out is logged out here");
      assert.match((await warned)[0].message, /still open/);
      line.cut(false);
      assert.equal((await browser.get("/")).headers.get("location"), "/login");
      line.close();
      await site.close();
    });
  }
});

describe("Next.js", { skip: ENFORCER_URL === undefined && "no ENFORCER_URL" }, () => {
  const line = { url: ENFORCER_URL ?? "", key: ENFORCER_AUTHKEY ?? "", deadline: 2_000 };
  let made = 0;
  /** What `cookies()` gives to one browser's requests. */
  const browser = () => {
    const own = { enforcer: undefined, save: async () => undefined, destroy: () => void (own.enforcer = undefined) };
    const next = nextSingleSession({
      enforcer: () => (made++, new Enforcer(line)),
      session: async () => own,
      headers: async () => new Headers({ "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" }),
      cache: (ask) => ask,
    });
    return { ...next, own };
  };
  const shared = Symbol.for("session-enforcer/next");
  after(() => globalThis[shared]?.live.close());

  it("knows who has a live session, and asking is no activity", async () => {
    const enforcer = new Enforcer(line);
    const [old, newer] = [browser(), browser()];
    assert.equal(await old.current(), null);
    const first = await old.login("frank");
    const before = await enforcer.validate(first.session);
    assert.notEqual(before?.["last_active_at"], undefined);
    assert.equal(before?.["device"]?.label, "Firefox on Linux");
    for (let n = 0; n < 5; n++) assert.deepEqual(await old.current(), first);
    assert.equal((await enforcer.validate(first.session))?.["last_active_at"], before?.["last_active_at"]);
    await newer.login("frank");
    const deadline = performance.now() + 10_000;
    while ((await old.current()) !== null) {
      assert.ok(performance.now() < deadline, "the old one stays in");
      await sleep(5);
    }
    assert.equal(made, 1, "one client and one stream a process");
    const again = await newer.login("frank");
    assert.equal(await newer.logout(first.session), false);
    assert.deepEqual(await newer.current(), again);
    assert.equal(await newer.logout(null), true);
    assert.deepEqual([await newer.current(), newer.own.enforcer], [null, undefined]);
  });

  it("says that nobody can say, and logs nobody out", async () => {
    const kept = globalThis[shared];
    globalThis[shared] = { client: new Enforcer({ ...line, url: "http://127.0.0.1:9" }), live: undefined };
    const visitor = browser();
    visitor.own.enforcer = { session: "s", room: "r", ticket: "t" };
    await assert.rejects(visitor.current(), Unavailable);
    assert.equal(visitor.own.enforcer.session, "s");
    const warned = once(process, "warning");
    assert.equal(await visitor.logout(null), true);
    assert.match((await warned)[0].message, /still open/);
    assert.equal(visitor.own.enforcer, undefined);
    globalThis[shared] = kept;
  });
});

/** Keeps the cookie of one site. */
class Browser {
  cookie = "";
  /** @param {string} url */
  constructor(url) {
    this.url = url;
  }
  /** @param {string} path */
  get(path) {
    return this.#send("GET", path, {});
  }
  /** @param {string} path @param {Record<string, string>} headers */
  post(path, headers = {}) {
    return this.#send("POST", path, headers);
  }
  /** @param {string} method @param {string} path @param {Record<string, string>} headers */
  async #send(method, path, headers) {
    const answer = await fetch(this.url + path, { method, redirect: "manual", headers: { Cookie: this.cookie, ...headers } });
    for (const cookie of answer.headers.getSetCookie()) this.cookie = cookie.split(";")[0] ?? "";
    return answer;
  }
}

/** A line to the server that can be cut. */
async function proxy() {
  let broken = false;
  /** @type {Set<import("node:net").Socket>} */
  const open = new Set();
  const { hostname, port } = new URL(ENFORCER_URL ?? "");
  const line = createServer((near) => {
    if (broken) return near.destroy();
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) open.add(socket.on("error", () => undefined).on("close", () => open.delete(socket)));
    near.pipe(far).pipe(near);
  });
  await new Promise((resolve) => line.listen(0, "127.0.0.1", () => resolve(undefined)));
  const cut = (/** @type {boolean} */ now) => {
    broken = now;
    for (const socket of open) socket.destroy();
  };
  return { url: `http://127.0.0.1:${line.address().port}`, cut, close: () => (cut(true), line.close()) };
}

/** @param {Enforcer} enforcer @param {LiveSessions | undefined} live */
async function expressApp(enforcer, live) {
  const single = singleSession(enforcer, { live });
  const app = express();
  app.use(session({ secret: SECRET, resave: false, saveUninitialized: false }));
  app.post("/login", async (request, response) => {
    await single.login(request, "dave");
    response.redirect(303, "/");
  });
  app.post("/logout", async (request, response) => response.sendStatus((await single.logout(request)) ? 204 : 409));
  app.get("/", single.required, (request, response) => response.send(request.session.enforcer.session));
  /** @type {import("node:http").Server} */
  const server = await new Promise((resolve) => {
    const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  };
}

/** @param {Enforcer} enforcer @param {LiveSessions | undefined} live */
async function fastifyApp(enforcer, live) {
  const app = Fastify({ forceCloseConnections: true });
  await app.register(fastifyCookie);
  await app.register(fastifySession, { secret: SECRET, cookie: { secure: false }, saveUninitialized: false });
  await app.register(fastifySingleSession, { enforcer, live });
  app.post("/login", async (request, reply) => {
    await request.claim("erin");
    return reply.redirect("/", 303);
  });
  app.post("/logout", async (request, reply) => reply.code((await request.release()) ? 204 : 409).send());
  app.get("/", { preHandler: app.singleSession }, async (request) => request.session.enforcer.session);
  return { url: await app.listen({ port: 0, host: "127.0.0.1" }), close: () => app.close() };
}
