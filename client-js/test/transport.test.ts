import { ACK_LIMIT } from "../src/transport/link.ts";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LONGEST_WAIT, SHORTEST_WAIT, waitBefore } from "../src/transport/backoff.ts";
import { GOOD_LINK, keepConnected, LINGER } from "../src/transport/connection.ts";
import { ACK, CONNECT, decode, encode, EVENT } from "../src/transport/packet.ts";
import { JOIN_LIMIT, sioLink, type Socket } from "../src/transport/sio-lite.ts";
import { FakeClock, FakeLink, settled } from "./world.ts";

describe("packets", () => {
  it("writes what Socket.IO v5 reads", () => {
    assert.equal(encode(CONNECT, { ticket: "t" }), '40{"ticket":"t"}');
    assert.equal(encode(EVENT, ["activity", { idle_for_ms: 0 }], 12), '4212["activity",{"idle_for_ms":0}]');
    assert.equal(encode(ACK, [], "7"), "437[]");
  });

  it("reads what the server sends", () => {
    assert.deepEqual(decode('0{"sid":"x","pingInterval":25000}'), { type: "0", id: "", data: { sid: "x", pingInterval: 25000 } });
    assert.deepEqual(decode("2"), { type: "2", id: "", data: undefined });
    assert.deepEqual(decode('425["force-logout",{"session":"a\\nb"}]'), { type: "42", id: "5", data: ["force-logout", { session: "a\nb" }] });
    assert.deepEqual(decode('44{"message":"session-ended"}'), { type: "44", id: "", data: { message: "session-ended" } });
    assert.deepEqual(decode("41"), { type: "41", id: "", data: undefined });
  });

  it("finds nothing in another namespace's packet, and refuses what is none", () => {
    assert.deepEqual(decode('42/admin,7["force-logout"]'), { type: "42", id: "", data: undefined });
    for (const text of ["", "hello", "42[", '40{"a"']) assert.throws(() => decode(text), Error, text);
  });
});

describe("waits", () => {
  it("double up to 30 s, spread over the whole range", () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 1000].map((failures) => waitBefore(failures, 0.999999)), [1000, 2000, 4000, 8000, 16000, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]);
    assert.equal(waitBefore(3, 0.25), 2000);
    assert.equal(waitBefore(9, 0), SHORTEST_WAIT);
  });

  it("come on top of what the server asks for", () => {
    assert.equal(waitBefore(0, 0.5, 5_000), 5_500);
  });
});

class FakeSocket implements Socket {
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  readonly sent: string[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
  get(text: string): void {
    this.onmessage?.({ data: text });
  }
}

function openSio(): { clock: FakeClock; socket: FakeSocket; told: string[]; link: ReturnType<typeof sioLink>; acks: (() => void)[]; urls: string[] } {
  const clock = new FakeClock();
  const socket = new FakeSocket();
  const told: string[] = [];
  const acks: (() => void)[] = [];
  const urls: string[] = [];
  const link = sioLink(
    "wss://e.example/socket.io/",
    (url) => {
      urls.push(url);
      return socket;
    },
    clock,
    { ticket: "t" },
    {
      joined: () => told.push("joined"),
      pinged: () => told.push("pinged"),
      message: (name, payload, ack) => {
        told.push(`${name} ${JSON.stringify(payload)}`);
        if (ack) acks.push(ack);
      },
      refused: (code, data) => told.push(code ? `refused ${code} ${JSON.stringify(data)}` : "closed"),
    },
  );
  return { clock, socket, told, link, acks, urls };
}

const OPEN = '0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}';

describe("one link over a WebSocket", () => {
  it("joins with its credentials, hears events, and acks them", () => {
    const { socket, told, acks, urls } = openSio();
    assert.deepEqual(urls, ["wss://e.example/socket.io/?EIO=4&transport=websocket"]);
    socket.get(OPEN);
    assert.deepEqual(socket.sent, ['40{"ticket":"t"}']);
    socket.get('40{"sid":"y"}');
    socket.get('42["session",{"epoch":1}]');
    socket.get('423["force-logout",{"reason":"idle"}]');
    assert.deepEqual(told, ["joined", 'session {"epoch":1}', 'force-logout {"reason":"idle"}']);
    assert.equal(acks.length, 1);
    acks[0]?.();
    assert.equal(socket.sent.at(-1), "433[]");
  });

  it("closes itself when the server is about to end", () => {
    const { socket, told, link } = openSio();
    socket.get(OPEN);
    socket.get("40{}");
    socket.get('42["drain",{"retry_ms":7}]');
    assert.deepEqual(told, ["joined", 'refused drain {"retry_ms":7}']);
    assert.ok(socket.closed);
    assert.ok(!link.alive());
  });

  it("gives each request the answer that is its own", async () => {
    const { socket, link } = openSio();
    socket.get(OPEN);
    socket.get("40{}");
    const check = link.request("check", undefined);
    const activity = link.request("activity", { idle_for_ms: 5 });
    assert.deepEqual(socket.sent.slice(1), ['420["check"]', '421["activity",{"idle_for_ms":5}]']);
    socket.get('431[{"b":2}]');
    socket.get('430[{"a":1}]');
    assert.deepEqual(await check, { a: 1 });
    assert.deepEqual(await activity, { b: 2 });
  });

  it("rejects a request that gets no answer, and all of them when it is lost", async () => {
    const { socket, link, clock } = openSio();
    socket.get(OPEN);
    socket.get("40{}");
    const late = assert.rejects(link.request("check", undefined), /not connected/);
    await clock.pass(ACK_LIMIT);
    await late;
    const lost = assert.rejects(link.request("check", undefined), /not connected/);
    socket.onclose?.();
    await lost;
  });

  it("tells of a refusal, and of nothing after it", () => {
    const { socket, told } = openSio();
    socket.get(OPEN);
    socket.get('44{"message":"session-ended","data":{"reason":"admin"}}');
    socket.get("40{}");
    socket.onclose?.();
    assert.deepEqual(told, ['refused session-ended {"reason":"admin"}']);
    assert.ok(socket.closed);
  });

  it("answers pings, and is closed when they stay away", async () => {
    const { socket, told, link, clock } = openSio();
    socket.get(OPEN);
    socket.get("40{}");
    await clock.pass(25_000);
    socket.get("2");
    assert.equal(socket.sent.at(-1), "3");
    await clock.pass(44_999);
    assert.ok(link.alive());
    assert.deepEqual(told, ["joined", "pinged"]);
    await clock.pass(1);
    assert.deepEqual(told, ["joined", "pinged", "closed"]);
  });

  it("knows by the wall clock that it died while the machine slept", () => {
    const { socket, link, clock } = openSio();
    socket.get(OPEN);
    socket.get("40{}");
    clock.sleep(3_600_000);
    assert.equal(link.alive(), false);
  });

  it("gives up when the server neither lets it in nor refuses", async () => {
    const { socket, told, clock } = openSio();
    socket.get(OPEN);
    await clock.pass(JOIN_LIMIT);
    assert.deepEqual(told, ["closed"]);
    assert.ok(socket.closed);
  });

  it("closes on what is not Socket.IO, on the server's goodbye, and quietly by itself", () => {
    for (const goodbye of ["<html>", "41", "1"]) {
      const { socket, told } = openSio();
      socket.get(OPEN);
      socket.get(goodbye);
      assert.deepEqual(told, ["closed"], goodbye);
    }
    const { socket, told, link } = openSio();
    socket.get(OPEN);
    socket.get("40{}");
    link.close();
    assert.equal(socket.sent.at(-1), "41");
    assert.deepEqual(told, ["joined"]);
  });

  it("is closed, and not before it is returned, when no socket can be made", async () => {
    const clock = new FakeClock();
    const told: string[] = [];
    sioLink("wss://e.example/", () => { throw new Error("blocked by the page's policy"); }, clock, { ticket: "t" }, {
      joined: () => told.push("joined"),
      message: () => told.push("message"),
      refused: (code) => told.push(code || "closed"),
    });
    assert.deepEqual(told, []);
    await clock.pass(0);
    assert.deepEqual(told, ["closed"]);
  });
});

describe("the connection", () => {
  const keep = (random = 0.5) => {
    const clock = new FakeClock();
    const links: FakeLink[] = [];
    const told: string[] = [];
    const connection = keepConnected(
      (credentials, events) => {
        const link = new FakeLink(credentials, events);
        links.push(link);
        return {
          request: () => Promise.resolve(null),
          alive: () => link.isAlive,
          close: () => { link.closedByPage = true; },
        };
      },
      () => ({ ticket: "t" }),
      clock,
      (failures, floor) => waitBefore(failures, random, floor),
      {
        joined: () => told.push("joined"),
        message: (name) => told.push(name),
        dropped: () => told.push("dropped"),
        unreachable: () => told.push("unreachable"),
        refused: (code) => told.push(`refused ${code}`),
      },
    );
    return { clock, links, told, connection };
  };

  it("asks nothing of a link that has not joined, or is over", async () => {
    const { connection, links } = keep();
    const asked = () => connection.request("check", undefined);
    await assert.rejects(asked, /not connected/);
    connection.connect();
    await assert.rejects(asked, /not connected/);
    links[0]?.events.joined();
    assert.equal(await asked(), null);
    links[0]?.events.refused("");
    await assert.rejects(asked, /not connected/);
    connection.close();
    await assert.rejects(asked, /not connected/);
  });

  it("tries again, later and later", async () => {
    const { clock, links, connection } = keep();
    connection.connect();
    const gaps: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      const before = clock.time;
      links.at(-1)?.events.refused("");
      while (links.length === attempt + 1) await clock.pass(100);
      gaps.push(clock.time - before);
    }
    assert.deepEqual(gaps, [500, 1000, 2000, 4000, 8000, 15000, 15000]);
  });

  it("starts small again only after a link that lasted", async () => {
    const { clock, links, connection } = keep();
    connection.connect();
    for (let i = 0; i < 4; i++) {
      links.at(-1)?.events.refused("");
      await clock.pass(30_000);
    }
    assert.equal(links.length, 5);
    links.at(-1)?.events.joined();
    links.at(-1)?.events.refused("");
    await clock.pass(7_999);
    assert.equal(links.length, 5);
    await clock.pass(1);
    links.at(-1)?.events.joined();
    await clock.pass(GOOD_LINK);
    links.at(-1)?.events.refused("");
    await clock.pass(500);
    assert.equal(links.length, 7);
  });

  it("tells an attempt that failed from a link that was lost", () => {
    const { links, told, connection } = keep();
    connection.connect();
    links[0]?.events.refused("");
    connection.wake();
    links[1]?.events.joined();
    links[1]?.events.refused("");
    assert.deepEqual(told, ["unreachable", "joined", "dropped"]);
  });

  it("stays away as long as the server asks, even when it is woken", async () => {
    const { clock, links, connection } = keep();
    connection.connect();
    links[0]?.events.refused("unavailable", { retry_ms: 5_000 });
    await clock.pass(4_999);
    connection.wake();
    assert.equal(links.length, 1);
    await clock.pass(501);
    assert.equal(links.length, 2);
  });

  it("leaves a server that is about to end, and comes back when it says", async () => {
    const { clock, links, told, connection } = keep();
    connection.connect();
    links[0]?.events.joined();
    links[0]?.events.refused("drain", { retry_ms: 5_000 });
    await clock.pass(5_499);
    assert.equal(links.length, 1);
    await clock.pass(1);
    assert.equal(links.length, 2);
    assert.deepEqual(told, ["joined", "dropped"]);
  });

  it("does not come back after a refusal for good", async () => {
    for (const code of ["session-ended", "session-unknown", "ticket-expired", "ticket-invalid", "ticket-required", "room-required"]) {
      const { clock, links, told, connection } = keep();
      connection.connect();
      links[0]?.events.refused(code, null);
      connection.wake();
      connection.restart();
      await clock.pass(600_000);
      assert.equal(links.length, 1, code);
      assert.deepEqual(told, [`refused ${code}`]);
    }
  });

  it("starts afresh when it wakes on a dead link, and leaves a live one alone", () => {
    const { links, told, connection } = keep();
    connection.connect();
    links[0]?.events.joined();
    connection.wake();
    assert.equal(links.length, 1);
    links[0]!.isAlive = false;
    connection.wake();
    assert.equal(links.length, 2);
    assert.ok(links[0]?.closedByPage);
    links[0].events.refused("");
    assert.deepEqual(told, ["joined", "dropped"]);
  });

  it("leaves the closing of an ended session's link to the server for a moment", async () => {
    const { clock, links, connection } = keep();
    connection.connect();
    links[0]?.events.joined();
    connection.close(true);
    assert.equal(links[0]?.closedByPage, false);
    await clock.pass(LINGER);
    assert.ok(links[0].closedByPage);
    await clock.pass(600_000);
    assert.equal(links.length, 1);
  });

  it("leaves no timer behind", async () => {
    const { clock, links, connection } = keep();
    connection.connect();
    links[0]?.events.refused("");
    connection.close();
    await settled();
    assert.equal(clock.waiting, 0);
  });
});
