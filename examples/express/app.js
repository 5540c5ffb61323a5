/** A small site with Passport, kept to one live session per user by Enforcer. README.md says how to run it. */

import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import { fileURLToPath } from "node:url";
import express from "express";
import session from "express-session";
import passport from "passport";
import { Strategy } from "passport-local";
import { Enforcer, LiveSessions, Unavailable } from "session-enforcer";
import { singleSession } from "session-enforcer/express";
import { goodbyePage, homePage, loginPage } from "./pages.js";

const { ENFORCER_URL, ENFORCER_AUTHKEY, SECRET_KEY, PORT = "3000" } = process.env;

const enforcer = new Enforcer({ url: ENFORCER_URL, key: ENFORCER_AUTHKEY });
const single = singleSession(enforcer, { live: new LiveSessions(enforcer), loginPath: "/goodbye" });

const SALT = randomBytes(16);
const USERS = new Map(["alice", "bob"].map((name) => [name, { id: name, password: hashed(`${name}-demo`) }]));
const NOBODY = { password: hashed(randomBytes(16)) };

/** @param {string | Buffer} password */
function hashed(password) {
  return scryptSync(password, SALT, 32);
}

passport.use(
  new Strategy({ usernameField: "user" }, (name, password, done) => {
    const right = timingSafeEqual(hashed(password), (USERS.get(name) ?? NOBODY).password);
    done(null, (right && USERS.get(name)) || false);
  }),
);
passport.serializeUser((user, done) => done(null, user.id));
passport.deserializeUser((id, done) => done(null, USERS.get(id) ?? false));

const app = express();
app.use(express.static(fileURLToPath(new URL("static", import.meta.url))));
app.use(express.urlencoded({ extended: false }));
app.use(session({ secret: SECRET_KEY, resave: false, saveUninitialized: false, cookie: { httpOnly: true, sameSite: "lax" } }));
app.use(passport.session());

/** CSRF: browsers say where a POST comes from, so a form of another site cannot log anybody in or out. */
app.use((request, response, next) => {
  const { origin, host } = request.headers;
  const foreign = request.method === "POST" && origin !== undefined && origin.replace(/^https?:\/\//, "") !== host;
  return foreign ? response.sendStatus(403) : next();
});

app.get("/login", (request, response) => response.send(loginPage("wrong" in request.query)));
// `keepSessionInfo`: which session this browser held before, so that its other tabs come along instead of being ended.
app.post("/login", passport.authenticate("local", { failureRedirect: "/login?wrong", keepSessionInfo: true }), async (request, response) => {
  await single.login(request, request.user.id);
  response.redirect(303, "/");
});
app.post("/logout", async (request, response) => {
  await single.logout(request);
  if ("x-enforcer-session" in request.headers) response.sendStatus(204);
  else response.redirect(303, "/goodbye");
});
app.get("/goodbye", (request, response) => response.send(goodbyePage()));

// Everything below is for who has a live session.
app.use(single.required);
app.get("/", (request, response) => response.set("Cache-Control", "no-store").send(homePage(ENFORCER_URL, request.user.id, request.session.enforcer)));

app.use((error, request, response, next) => {
  if (!(error instanceof Unavailable)) return next(error);
  return response.status(503).set("Retry-After", "2").send("Nobody can log in or out at the moment; please try again.");
});

app.listen(Number(PORT), "127.0.0.1", () => console.log(`Notebook is at http://127.0.0.1:${PORT}`));
