import { logout } from "../../lib/session.js";

/** Called by the page's guard, which names the session that is over: the browser may have logged in again since. */
export async function POST(request) {
  await logout(request.headers.get("x-enforcer-session"));
  return new Response(null, { status: 204 });
}
