/** What the guard asks the server: events with an ack, and the check, which whatever answer settles. */

import { sleep, type Clock } from "./clock.ts";
import { EVENT_CHECK, RATE_LIMITED, verdict } from "./codes.ts";
import { failedCode, waitAsked } from "./core/wire.ts";
import type { Connection } from "./transport/connection.ts";
import { SessionGuardError } from "./types.ts";

/** Milliseconds for a check as a whole, reconnecting included. */
export const CHECK_LIMIT = 10_000;
/** Milliseconds between two checks that come in bursts. */
export const BURST = 1_000;
/** Milliseconds that a page stays silent which has said too much, whatever the server names. */
export const LEAST_SILENCE = 100;
export const MOST_SILENCE = 60_000;

export interface Asking {
  /**
   * Sends one event and waits for its ack. A server that has heard too much is told later, at the time that it names.
   *
   * @param payload made anew for each attempt
   * @throws SessionGuardError `unreachable`, `ended`, or the server's code
   */
  request(name: string, payload?: () => unknown): Promise<void>;
  /**
   * Resolves with the next answer about the session, whichever way it comes, but not before that has been taken in.
   *
   * @throws SessionGuardError `unreachable`, `stopped`, or the server's code
   */
  check(): Promise<void>;
  /** For those who only want it to be asked, and come in bursts: at once, and once more after the burst. */
  readonly checkSoon: () => void;
  /** An answer has come or, with an error, there will be none. */
  settle(error?: SessionGuardError): void;
  /** Forgets what was to be asked soon. */
  stop(): void;
}

/**
 * @param way to the server
 * @param reached whether it answers at present
 * @param answered takes in what an ack says about the session
 */
export function createAsking(clock: Clock, way: Pick<Connection, "request" | "restart" | "wake">, reached: () => boolean, answered: (reply: unknown) => void): Asking {
  let asked: Promise<void> | null = null;
  let settle: (error?: SessionGuardError) => void = () => undefined;
  let lastAt = 0;
  let cancelSoon = (): void => undefined;

  const request = async (name: string, payload?: () => unknown): Promise<void> => {
    let reply: unknown;
    try {
      reply = await way.request(name, payload?.());
    } catch (cause) {
      // It looks open and is dead, as after a sleep. The next link tells.
      if (reached()) way.restart();
      throw new SessionGuardError("unreachable", "", { cause });
    }
    const code = failedCode(reply);
    if (code === null) {
      answered(reply);
      return;
    }
    if (code === RATE_LIMITED) {
      await sleep(clock, Math.min(Math.max(waitAsked(reply), LEAST_SILENCE), MOST_SILENCE));
      return request(name, payload);
    }
    const ended = verdict(code) === "ended";
    // The ack says only that it has ended; the refusal of the next link says why.
    if (ended) way.restart();
    throw new SessionGuardError(ended ? "ended" : code);
  };

  const check = (): Promise<void> => {
    if (asked) return asked;
    const answer = new Promise<void>((resolve, reject) => {
      const cancel = clock.after(CHECK_LIMIT, () => {
        settle(new SessionGuardError("unreachable"));
      });
      settle = (error) => {
        settle = () => undefined;
        asked = null;
        cancel();
        if (error) reject(error);
        else resolve();
      };
    });
    asked = answer;
    // Only now: either may settle it at once.
    if (!reached()) way.wake();
    else {
      request(EVENT_CHECK).catch((error: unknown) => {
        const failure = error as SessionGuardError;
        // After these two the next link brings the answer.
        if (!["unreachable", "ended"].includes(failure.code)) settle(failure);
      });
    }
    return answer;
  };

  const checkSoon = (): void => {
    cancelSoon();
    const wait = lastAt + BURST - clock.now();
    if (wait > 0 && wait <= BURST) {
      cancelSoon = clock.after(wait, checkSoon);
      return;
    }
    lastAt = clock.now();
    check().catch(() => undefined);
  };

  return {
    request,
    check,
    checkSoon,
    settle(error) {
      settle(error);
    },
    stop() {
      cancelSoon();
    },
  };
}
