/** The contract of `transport/link.ts`, held against both transports, and what only polling does. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encode, ACK, CONNECT, EVENT } from "../src/transport/packet.ts";
import type { Link, LinkEvents } from "../src/transport/link.ts";
import { ANSWER_LIMIT, POLL_EVERY, pollLink, type Answer } from "../src/http/poll.ts";
import { keepInReach } from "../src/transport/reach.ts";
import { sioLink, type Socket } from "../src/transport/sio-lite.ts";
import { endFor, FakeBrowser, FakeLink, FakeClock, payloadFor, settled, ticketFor } from "./world.ts";

/** The server's end of one link. */
interface Driver {
  readonly clock: FakeClock;
  readonly told: string[];
  readonly link: Link;
  /** Lets the page in. */
  readonly join: () => Promise<void>;
  readonly refuse: (code: string, data: object) => Promise<void>;
  /** Answers the latest request. */
  readonly reply: (body: Record<string, unknown>) => Promise<void>;
  readonly cut: () => Promise<void>;
}

const live = payloadFor("A", 10);

function recorder(): { told: string[]; events: LinkEvents } {
  const told: string[] = [];
  const events: LinkEvents = {
    joined: () => told.push("joined"),
    message: (name, payload) => told.push(`${name} ${(payload as { session: string }).session}`),
    refused: (code, data) => told.push(code ? `refused ${code} ${JSON.stringify(data)}` : "closed"),
  };
  return { told, events };
}

function overSocket(): Driver {
  const clock = new FakeClock();
  const sent: string[] = [];
  const socket: Socket = { onmessage: null, onclose: null, send: (text) => sent.push(text), close: () => undefined };
  const { told, events } = recorder();
  const link = sioLink("ws://e.example/socket.io/", () => socket, clock, { ticket: "t" }, events);
  const get = async (text: string): Promise<void> => {
    socket.onmessage?.({ data: text });
    await settled();
  };
  return {
    clock,
    told,
    link,
    join: async () => {
      await get('0{"pingInterval":25000,"pingTimeout":20000}');
      await get(encode(CONNECT, { sid: "x" }));
      await get(encode(EVENT, ["session", live]));
    },
    refuse: (code, data) => get(encode("44", { message: code, data })),
    reply: (body) => get(encode(ACK, [body], /^42(\d+)/.exec(sent.at(-1) ?? "")?.[1])),
    cut: async () => {
      socket.onclose?.();
      await settled();
    },
  };
}

interface Asked {
  readonly url: string;
  readonly ticket: string;
  readonly method: string;
  readonly body: unknown;
  answer(answer: Answer): void;
  fail(error: Error): void;
}

function overHttp(): Driver & { asked: Asked[] } {
  const clock = new FakeClock();
  const asked: Asked[] = [];
  const { told, events } = recorder();
  const link = pollLink(
    "https://e.example",
    (url, ticket, body) => new Promise((answer, fail) => asked.push({ url, ticket, method: body === undefined ? "GET" : "POST", body, answer, fail })),
    clock,
    () => 0.5,
    { ticket: "t" },
    events,
  );
  const answer = async (status: number, body: unknown): Promise<void> => {
    asked.at(-1)?.answer({ status, body, retryMs: 0 });
    await settled();
  };
  return {
    clock,
    told,
    link,
    asked,
    join: () => answer(200, live),
    refuse: (code, data) => answer(401, { type: "about:blank", title: "", status: 401, detail: "", code, ...data }),
    reply: (body) => (body["ok"] === false ? answer(409, { code: body["code"] }) : "ok" in body ? answer(204, null) : answer(200, body)),
    cut: async () => {
      asked.at(-1)?.fail(new Error("network"));
      await settled();
    },
  };
}

for (const [name, open] of Object.entries({ "a socket": overSocket, HTTP: overHttp })) {
  describe(`a link over ${name}`, () => {
    it("joins once, and before every message", async () => {
      const { told, join } = open();
      assert.deepEqual(told, []);
      await join();
      assert.deepEqual(told, ["joined", "session A"]);
    });

    it("tells a refusal with its data, and nothing after it", async () => {
      const { told, refuse, cut, clock } = open();
      const { session, room, reason, message, at, by, redirect } = endFor("A");
      await refuse("session-ended", endFor("A"));
      await cut();
      await clock.pass(120_000);
      assert.deepEqual(told, [`refused session-ended ${JSON.stringify({ session, room, reason, message, at, by, redirect })}`]);
    });

    it("is closed once when it is cut", async () => {
      const { told, cut, clock, link } = open();
      await cut();
      await cut();
      await clock.pass(120_000);
      assert.deepEqual(told, ["closed"]);
      assert.equal(link.alive(), false);
    });

    it("says nothing after close()", async () => {
      const { told, join, link, cut, clock } = open();
      await join();
      link.close();
      link.close();
      await cut();
      await clock.pass(120_000);
      assert.deepEqual(told, ["joined", "session A"]);
      assert.equal(clock.waiting, 0);
    });

    it("brings a request's answer, be it the session, a plain yes or a no", async () => {
      const { join, link, reply } = open();
      await join();
      for (const [event, body] of [["activity", live], ["check", live], ["logout", { ok: true }], ["logout", { ok: false, code: "invalid-request" }]] as const) {
        const answer = link.request(event, event === "check" ? undefined : {});
        await settled();
        await reply(body);
        assert.deepEqual(await answer, body);
      }
    });

    it("knows by the wall clock that it slept", async () => {
      const { join, link, clock } = open();
      await join();
      assert.ok(link.alive());
      clock.sleep(3_600_000);
      assert.equal(link.alive(), false);
    });
  });
}

describe("polling", () => {
  it("asks the three calls of the API with the ticket, and goes on with a fresh one", async () => {
    const { asked, link, clock } = overHttp();
    asked[0]?.answer({ status: 200, body: { ...live, ticket: "fresh" }, retryMs: 0 });
    await settled();
    link.request("activity", { idle_for_ms: 3 }).catch(() => undefined);
    link.request("logout", { everywhere: true }).catch(() => undefined);
    await clock.pass(POLL_EVERY);
    assert.deepEqual(asked.map(({ method, url, ticket, body }) => [method, url, ticket, body]), [
      ["GET", "https://e.example/session/status", "t", undefined],
      ["POST", "https://e.example/session/activity", "fresh", { idle_for_ms: 3 }],
      ["POST", "https://e.example/session/logout", "fresh", { everywhere: true }],
      ["GET", "https://e.example/session/status", "fresh", undefined],
    ]);
  });

  it("takes no word but the server's: other pages' answers close it or are tried again", async () => {
    const portal = overHttp();
    portal.asked[0]?.answer({ status: 200, body: null, retryMs: 0 });
    const busy = overHttp();
    busy.asked[0]?.answer({ status: 503, body: { code: "unavailable" }, retryMs: 7_000 });
    const gone = overHttp();
    gone.asked[0]?.answer({ status: 404, body: { code: "session-ended" }, retryMs: 0 });
    await settled();
    assert.deepEqual(portal.told, ["closed"]);
    assert.deepEqual(busy.told, ['refused unavailable {"retry_ms":7000}']);
    assert.deepEqual(gone.told, ["closed"], "only 401 ends a page");
  });

  it("is asked to say less, and does: that is no reason to give the way up", async () => {
    const { asked, link, clock, told } = overHttp();
    const limited = { status: 429, body: { code: "rate-limited", title: "t" }, retryMs: 3_000 };
    asked[0]?.answer(limited);
    await clock.pass(2_999);
    assert.equal(asked.length, 1);
    await clock.pass(1);
    asked[1]?.answer({ status: 200, body: live, retryMs: 0 });
    await settled();
    const answer = link.request("activity", { idle_for_ms: 0 });
    asked[2]?.answer({ ...limited, body: { ...limited.body, retry_ms: 700 } });
    assert.deepEqual(await answer, { ok: false, code: "rate-limited", retry_ms: 700 });
    assert.deepEqual(told, ["joined", "session A"]);
    assert.ok(link.alive());
  });

  it("is dead when the answer to a question stays away", async () => {
    const { join, link, clock } = overHttp();
    await join();
    clock.sleep(POLL_EVERY * 1.25 + ANSWER_LIMIT);
    assert.equal(link.alive(), false);
  });
});

describe("reach", () => {
  const reach = () => {
    const clock = new FakeClock();
    const sockets: FakeLink[] = [];
    const polls: FakeLink[] = [];
    const told: string[] = [];
    const open = (links: FakeLink[]) => (credentials: { ticket: string } | { room: string; session: string }, events: LinkEvents) => {
      const link = new FakeLink(credentials, events);
      links.push(link);
      return { request: (name: string) => Promise.resolve(`${links === sockets ? "socket" : "http"} ${name}`), alive: () => link.isAlive, close: () => { link.closedByPage = true; } };
    };
    const connection = keepInReach(open(sockets), open(polls), () => ({ ticket: "t" }), clock, () => 0.5, {
      joined: (byLive) => told.push(byLive ? "live" : "http"),
      message: (name) => told.push(name),
      dropped: () => told.push("dropped"),
      unreachable: () => told.push("unreachable"),
      refused: (code) => told.push(code),
    });
    connection.connect();
    return { clock, sockets, polls, told, connection };
  };

  it("asks over HTTP while no socket gets through, and leaves that when one does", async () => {
    const { clock, sockets, polls, told, connection } = reach();
    sockets[0]?.events.refused("");
    polls[0]?.events.joined();
    assert.equal(await connection.request("check", null), "http check");
    await clock.pass(60_000);
    assert.ok(sockets.length > 1, "the socket is tried on");
    sockets.at(-1)?.events.joined();
    assert.ok(polls[0]?.closedByPage);
    assert.equal(await connection.request("check", null), "socket check");
    assert.deepEqual(told, ["http", "live"]);
    sockets.at(-1)?.events.refused("");
    assert.equal(polls.length, 1, "first the socket again");
  });

  it("is unreachable when neither way works, and tries both on", async () => {
    const { clock, sockets, polls, told } = reach();
    sockets[0]?.events.refused("");
    polls[0]?.events.refused("");
    assert.deepEqual(told, ["unreachable"]);
    await clock.pass(5_000);
    assert.equal(polls.length, 2);
    assert.ok(sockets.length > 1);
  });

  it("is over when either way says so", async () => {
    for (const over of ["sockets", "polls"] as const) {
      const all = reach();
      all.sockets[0]?.events.refused("");
      await all.clock.pass(2_000);
      all[over].at(-1)?.events.refused("session-ended", null);
      const count = all.sockets.length + all.polls.length;
      await all.clock.pass(600_000);
      assert.deepEqual(all.told, ["session-ended"]);
      assert.equal(all.sockets.length + all.polls.length, count);
      assert.equal(all.clock.waiting, 0);
    }
  });
});

describe("a guard whose sockets are blocked", () => {
  it("is active and not connected, reports activity, and ends with the same outcome", async () => {
    const browser = new FakeBrowser();
    const tab = browser.tab({ ticket: ticketFor("A"), logoutUrl: "/logout" });
    tab.http = true;
    tab.guard.start();
    tab.link.events.refused("");
    tab.polls[0]?.join(live);
    await settled();
    const { phase, connected } = tab.guard.getState();
    assert.deepEqual([phase, connected], ["active", false]);
    tab.input();
    await settled();
    tab.polls[0]?.take("activity").reply(live);
    tab.polls[0]?.events.refused("session-ended", endFor("A"));
    await settled();
    assert.deepEqual(tab.guard.getState().end, endFor("A"));
    assert.deepEqual(tab.events, ["notice displaced", "logoutUrl", "event"]);
  });

  it("stays out of reach in open mode, where HTTP needs a ticket", async () => {
    const tab = new FakeBrowser().tab({ room: "alice" });
    tab.guard.start();
    await settled();
    tab.link.events.refused("");
    await settled();
    assert.equal(tab.guard.getState().phase, "unreachable");
    assert.equal(tab.polls.length, 0);
  });
});
