/**
 * A link that asks over HTTP, again and again, for where no socket gets through. Contract: `transport/link.ts`.
 *
 * An end that the server tells in the answer to a question comes as a refusal. Asking never extends the session.
 */

import type { Clock } from "../clock.ts";
import { EVENT_CHECK, EVENT_SESSION, RATE_LIMITED, UNREACHABLE, verdict } from "../codes.ts";
import { failedCode, isSession, waitAsked, type Members } from "../core/wire.ts";
import type { Credentials, Link, LinkEvents } from "../transport/link.ts";

/** Milliseconds between two questions, before jitter. */
export const POLL_EVERY = 20_000;
/** Milliseconds for one answer. */
export const ANSWER_LIMIT = 5_000;

export interface Answer {
  /** 0 when there was none in time. */
  readonly status: number;
  /** The parsed JSON; `null` when it was none. */
  readonly body?: unknown;
  /** `Retry-After` in ms, 0 without one. */
  readonly retryMs?: number;
}

/** A `POST` to the server with the page's ticket, or without a body a `GET`; never rejects */
export type Call = (url: string, ticket: string, body: unknown) => Promise<Answer>;

/** @param server address of the server, without `/session/` */
export function pollLink(server: string, call: Call, clock: Clock, random: () => number, credentials: Credentials, events: LinkEvents): Link {
  let over = false;
  let joined = false;
  let heardAt = clock.now();
  let cancelNext = (): void => undefined;
  let ticket = "ticket" in credentials ? credentials.ticket : "";

  const end = (): void => {
    over = true;
    cancelNext();
  };
  const fail = (): void => {
    if (over) return;
    end();
    events.refused("");
  };

  /** One question; resolves as the ack of a socket would. */
  const ask = async (name: string, payload?: unknown): Promise<unknown> => {
    // What a socket says by an event has a path of the same name, but for the question.
    const { status, body, retryMs } = await call(`${server}/session/${name === EVENT_CHECK ? "status" : name}`, ticket, payload);
    heardAt = clock.now();
    if (status === 204) return { ok: true };
    if (status === 200) {
      if (!isSession(body)) throw new Error("not Enforcer");
      ticket = body.ticket ?? ticket;
      return body;
    }
    // The problem's own members are of no concern; what is left is what `force-logout` would carry.
    const { code = UNREACHABLE, type: _type, title: _title, status: _status, detail: _detail, ...data } = (body ?? {}) as Members;
    const judged = String(code);
    // This page has said too much: it is heard again, so the way to the server is not lost.
    if (judged === RATE_LIMITED) return { ok: false, code: judged, retry_ms: retryMs, ...data };
    // Only 401 judges the ticket and the session; a code that came with anything else is of this one call.
    if (!over && (status === 401 || verdict(judged) === "retry")) {
      end();
      events.refused(judged, status === 401 ? data : { retry_ms: retryMs });
    }
    return { ok: false, code: judged };
  };

  const poll = (): void => {
    ask(EVENT_CHECK).then(
      (reply) => {
        const code = failedCode(reply);
        if (code !== null && code !== RATE_LIMITED) fail();
        if (over) return;
        let next = POLL_EVERY * (0.75 + random() / 2);
        if (code !== null) next = waitAsked(reply) || POLL_EVERY;
        else {
          if (!joined) {
            joined = true;
            events.joined();
          }
          events.message(EVENT_SESSION, reply, null);
        }
        cancelNext = clock.after(next, poll);
      },
      fail,
    );
  };
  poll();

  return {
    request: ask,
    // One question may be on its way when the next would be due.
    alive: () => !over && clock.now() < heardAt + POLL_EVERY * 1.25 + ANSWER_LIMIT,
    close: end,
  };
}
