/** The real `Call` of `poll.ts`. */

import { ANSWER_LIMIT, type Call } from "./poll.ts";

export const call: Call = async (url, ticket, body) => {
  const json = JSON.stringify(body);
  try {
    const response = await fetch(url, {
      method: json ? "POST" : "GET",
      headers: { "Authorization": `Bearer ${ticket}`, "Content-Type": "application/json" },
      body: json,
      // The ticket is all that counts there.
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_LIMIT),
    });
    const { status, headers } = response;
    return { status, body: await response.json().catch(() => null), retryMs: Number(headers.get("Retry-After")) * 1_000 || 0 };
  } catch {
    return { status: 0 };
  }
};
