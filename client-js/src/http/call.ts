/** The real `Call` of `poll.ts`. */

import type { Call } from "./poll.ts";

export const call: Call = async (url, ticket, method, body, limit) => {
  const response = await fetch(url, {
    method,
    headers: { "Authorization": `Bearer ${ticket}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    body: body === undefined ? null : JSON.stringify(body),
    // The ticket is all that counts there.
    credentials: "omit",
    cache: "no-store",
    signal: AbortSignal.timeout(limit),
  });
  const { status, headers } = response;
  return { status, body: await response.json().catch(() => null), retryMs: Number(headers.get("Retry-After")) * 1_000 || 0 };
};
