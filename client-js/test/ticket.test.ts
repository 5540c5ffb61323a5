import assert from "node:assert/strict";
import { it } from "node:test";
import { NoTicket, readTicket, ticketFrom } from "../src/ticket.ts";
import { ticketFor } from "./world.ts";

it("reads what a ticket names, also beyond ASCII", () => {
  assert.deepEqual(readTicket(ticketFor("abc", "zoë ✓", 1_700_000_000)), { session: "abc", room: "zoë ✓", epoch: 1_700_000_000_000_000 });
});

it("reads nothing from what is no ticket", () => {
  for (const text of ["", "a.b.c", "onlyone", `x.${Buffer.from('{"sub":1}').toString("base64url")}.y`, `x.${Buffer.from("null").toString("base64url")}.y`]) {
    assert.equal(readTicket(text), null, text);
  }
});

const answering = (status: number, body: string): typeof fetch => () => Promise.resolve(new Response(body, { status }));

it("gives the first ticket without asking, then asks the app", async () => {
  const source = ticketFrom("/ticket", "first", answering(200, '{"ticket": "second"}'));
  assert.equal(await source(), "first");
  assert.equal(await source(), "second");
});

it("knows an app without a session from one that is ill", async () => {
  for (const [status, body] of [[401, "{}"], [404, "nothing here"], [200, "{}"], [200, "<html>log in</html>"]] as const) {
    await assert.rejects(ticketFrom("/ticket", null, answering(status, body))(), NoTicket);
  }
  for (const status of [500, 503, 429]) {
    await assert.rejects(ticketFrom("/ticket", null, answering(status, ""))(), (error) => !(error instanceof NoTicket));
  }
});
