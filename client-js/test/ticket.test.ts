import assert from "node:assert/strict";
import { it } from "node:test";
import { optionsFrom } from "../src/attributes.ts";
import { fetchTicket, NoTicket } from "../src/credentials/fetch-ticket.ts";
import { readTicket } from "../src/ticket.ts";
import { ticketFor } from "./world.ts";

it("reads what a ticket names, also beyond ASCII", () => {
  assert.deepEqual(readTicket(ticketFor("abc", "zoë ✓", 1_700_000_000)), { session: "abc", room: "zoë ✓", epoch: 1_700_000_000_000_000, at: 0 });
});

it("reads nothing from what is no ticket", () => {
  for (const text of ["", "a.b.c", "onlyone", `x.${Buffer.from('{"sub":1}').toString("base64url")}.y`, `x.${Buffer.from("null").toString("base64url")}.y`]) {
    assert.equal(readTicket(text), null, text);
  }
});

const answering = (status: number, body: string): typeof fetch => () => Promise.resolve(new Response(body, { status }));

it("gives the first ticket without asking, then asks the app", async (t) => {
  const asked: unknown[] = [];
  t.mock.method(globalThis, "fetch", (url: string) => {
    asked.push(url);
    return Promise.resolve(new Response('{"ticket": "second"}'));
  });
  const { ticket: source } = optionsFrom({ ticket: "first", ticketUrl: "/ticket" });
  assert.ok(typeof source === "function");
  assert.equal(await source(), "first");
  assert.deepEqual(asked, []);
  assert.equal(await source(), "second");
  assert.deepEqual(asked, ["/ticket"]);
});

it("takes the ticket out of the app's answer", async () => {
  assert.equal(await fetchTicket("/ticket", answering(200, '{"ticket": "second"}')), "second");
});

it("knows an app without a session from one that is ill", async () => {
  for (const [status, body] of [[401, "{}"], [404, "nothing here"], [200, "{}"], [200, "<html>log in</html>"]] as const) {
    await assert.rejects(fetchTicket("/ticket", answering(status, body)), (error) => error instanceof NoTicket && error.ended === (status === 401));
  }
  for (const status of [500, 503, 429]) {
    await assert.rejects(fetchTicket("/ticket", answering(status, "")), (error) => !(error instanceof NoTicket));
  }
});
