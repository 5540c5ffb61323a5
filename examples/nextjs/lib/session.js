/** Who is logged in, by a live session. Pages and actions ask here; so does everything in `notes.js`. */

import "server-only";
import { getIronSession } from "iron-session";
import { cookies, headers } from "next/headers";
import { cache } from "react";
import { Enforcer } from "session-enforcer";
import { singleSession } from "session-enforcer/next";

const { ENFORCER_URL, ENFORCER_AUTHKEY, SECRET_KEY, SECURE_COOKIES } = process.env;
const cookie = { cookieName: "notebook", password: SECRET_KEY, cookieOptions: { secure: SECURE_COOKIES === "1" } };

export const { current, login, logout } = singleSession({
  enforcer: () => new Enforcer({ url: ENFORCER_URL, key: ENFORCER_AUTHKEY }),
  session: async () => getIronSession(await cookies(), cookie),
  headers,
  cache,
});
