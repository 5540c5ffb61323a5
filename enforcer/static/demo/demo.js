/** One window of the demo: logged out, logged in, or ended; and the list beside it. */

import { COLOURS, device, deviceClass, identity, invitation, remember, titled } from "./identity.js";
import { choose, chosen, current, displaces, plays, showRules, told } from "./rules.js";
import { clock, colourOf, fetchSessions, showSessions, windowOf } from "./sessions.js";

const $ = (id) => document.getElementById(id);
const POLL = 1_000;

let guard = null;
let latest = null;
let end = null;
let seen = ""; // the live sessions, at the last look
let askedHere = false; // this window has asked for its own logout

// ---- what is shown -------------------------------------------------------------------------------

function show(state, focus) {
  for (const name of ["out", "choose", "in", "ended"]) $(name).hidden = name !== state;
  $("window").dataset.state = state;
  focus?.focus({ preventScroll: true });
  $("window").scrollIntoView({ block: "nearest" });
}

const LEADS = {
  alone: "Log in here, then in a second window with the same name, and watch this one leave.",
  invited: (other) => `The ${other} is logged in as ${identity.name}. Log in here as well, and watch it leave.`,
  first: "Now open a second window and log in there, too. This one will leave at once.",
  newest: (other) => `The ${other} has just left: yours is the newest login. Open another window to go on.`,
};

/** Texts that depend on the other windows. */
function retell() {
  if (!latest) return;
  const { sessions } = latest;
  const others = sessions.filter((s) => s.id !== mine());
  const live = others.find((s) => s.live);
  const left = others.find((s) => s.by && s.reason === "displaced");
  showRules(latest);
  const { title, next } = told(latest);
  $("rule").textContent = title;
  $("out-lead").textContent = live && displaces(latest) ? LEADS.invited(windowOf(live.window)) : next ?? LEADS.alone;
  const justLeft = left && left.by.startsWith(titled(identity.colour)) ? LEADS.newest(windowOf(left.window)) : LEADS.first;
  $("in-lead").textContent = next ?? justLeft;

  const alive = sessions.filter((s) => s.live).map(({ id, online }) => id + online).join();
  if (alive !== seen) $("device-list").refresh?.(); // not before its file has come
  seen = alive;
  const count = sessions.filter((s) => s.live).length;
  $("count").textContent = `${count} live`;
  $("count").dataset.some = String(count > 0);
  $("empty").hidden = sessions.length > 0;
  const taken = [identity.colour, ...sessions.map(colourOf)].filter((colour) => COLOURS.includes(colour));
  $("second").href = invitation(new Set(taken).size < COLOURS.length ? taken : [identity.colour], plays() === "mobile" ? "desktop" : "mobile");
}

function showIn() {
  $("in-name").textContent = identity.name;
  document.title = `${identity.name} · ${titled(identity.colour)}`;
  show("in", $("in-title"));
}

function made(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

const ENDINGS = {
  displaced: ["You were logged out", (by) => `${by ? `The ${by}` : "Another window"} has just logged in as ${identity.name}${latest && current(latest) === "ask" ? ", and chose to log this window out." : ". The newest login stays, so this window has left."}`],
  logout: ["You are logged out", (by) => (by ? `You have logged this window out from the ${by}.` : "You have logged out in this window.")],
  logout_everywhere: ["You are logged out", (by) => `You have logged out everywhere, ${by ? `from the ${by}` : "from another window"}.`],
};

/** What the end is called where a word must do. */
const ENDED = {
  displaced: "Ended by a newer login",
  logout: "Ended by your logout",
  logout_everywhere: "Ended by your logout everywhere",
  idle: "Ended after inactivity",
  absolute: "Ended after its longest time",
  admin: "Ended by an administrator",
};

function showEnded() {
  const by = end.by?.device?.label;
  const other = by && !askedHere && !end.by.self ? windowOf(by) : null; // two windows may have drawn the same colour
  const [title, lead] = ENDINGS[end.reason] ?? ["Your session has ended", () => end.message || "The server does not know it any more."];
  $("ended-status").textContent = ENDED[end.reason] ?? "Session ended";
  $("ended-title").textContent = title;
  if (!$("ended-lead").textContent) $("ended-lead").textContent = lead(other); // an alert is spoken at every change
  const facts = [["When", clock(end.at)]];
  if (other) facts.push([end.reason === "displaced" ? "New login" : "From", by]);
  const told = latest?.sessions.find((s) => s.id === end.session.slice(0, 8))?.told_in_ms;
  // From the commit of the new login to this window's word that it knows, by the server's clock alone.
  if (typeof told === "number") facts.push(["Told in", `${told} ms`]);
  const [known, wanted] = [$("ended-facts").textContent, facts.flat().join("")];
  if (known !== wanted) $("ended-facts").replaceChildren(...facts.flatMap(([label, value]) => [made("dt", label), made("dd", value)]));
  document.title = `Logged out · ${titled(identity.colour)}`;
}

// ---- the list ------------------------------------------------------------------------------------

const mine = () => (identity.session ?? end?.session)?.slice(0, 8) ?? null;

let asking = false;
let askAgain = false;

async function refresh() {
  askAgain = asking;
  if (asking) return;
  asking = true;
  const name = $("out").hidden ? identity.name : $("name").value.trim();
  try {
    latest = name ? await fetchSessions(name) : { ...latest, rule: null, sessions: [] };
    $("list-title").textContent = name ? `Sessions of ${name}` : "Sessions";
    showSessions(latest, mine());
    retell();
    if (end) showEnded();
  } catch {
    $("count").textContent = "no connection";
    $("count").dataset.some = "false";
  }
  asking = false;
  if (askAgain) void refresh();
}

// ---- logging in and out --------------------------------------------------------------------------

/** @param ends the sessions that the user has chosen to log out for this one */
async function login(ends = []) {
  $("login-problem").textContent = "";
  const body = { name: identity.name, window: `${titled(identity.colour)} · ${device()}`, class: chosen() === "phone-desktop" ? plays() : deviceClass(), rule: chosen(), ends };
  const headers = { "Content-Type": "application/json" };
  let answer;
  try {
    const response = await fetch("demo/login", { method: "POST", headers, body: JSON.stringify(body) });
    answer = await response.json();
    if (answer.code === "session-limit" && answer.rule === "ask") return showChoice(answer);
    if (!response.ok) throw new Error(answer.code === "session-limit" ? `Another window is logged in as ${identity.name}, and this server keeps the first login.` : answer.detail);
  } catch (error) {
    leave();
    $("login-problem").textContent = error instanceof TypeError ? "The server does not answer. Try again." : error.message;
    return;
  }
  remember({ session: answer.session, ticket: answer.ticket, elevated: answer.elevated_ticket, invited: false });
  watch();
}

/** Where an application would be once the password was right. */
function showChoice({ sessions, max_sessions: most }) {
  $("chooser").setAttribute("max", most);
  $("chooser").setAttribute("sessions", JSON.stringify(sessions));
  show("choose", $("choose-title"));
  void refresh();
}

/** From here on it is what any page does with its ticket. */
function watch() {
  end = null;
  askedHere = false;
  guard?.stop();
  guard = window.SessionGuard.createSessionGuard({
    url: ".",
    ticket: identity.ticket,
    scope: identity.scope, // two windows of one browser count as two browsers here
    notice: "off", // this page has a place of its own for it
    onStateChange({ phase, connected }) {
      $("in-status").textContent = connected ? "Live session" : phase === "unreachable" ? "No connection, trying again" : "Connecting";
      $("window").dataset.connected = String(connected);
      void refresh();
    },
    onSessionExpired(told) {
      end = told;
      $("ended-lead").textContent = "";
      remember({ session: null, ticket: null, elevated: null });
      showEnded();
      show("ended", $("ended-title"));
      void refresh();
      setTimeout(refresh, 150); // by then the server has this window's ack
    },
  });
  showIn();
  const devices = $("device-list");
  if (identity.elevated) devices.setAttribute("elevated-ticket", identity.elevated);
  else devices.removeAttribute("elevated-ticket");
  devices.guard = guard;
  guard.start();
  void refresh();
}

function leave() {
  guard?.stop();
  guard = end = null;
  remember({ session: null, ticket: null, elevated: null });
  document.title = "Enforcer demo";
  $("name").value = identity.name;
  show("out", $("name"));
  void refresh();
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  if (!name) return;
  remember({ name, plays: plays(), rule: chosen() });
  void login();
});
$("login").addEventListener("change", () => latest && retell());
$("choice").addEventListener("submit", (event) => {
  event.preventDefault();
  void login(new FormData($("choice")).getAll("ends"));
});
$("cancel").addEventListener("click", leave);
$("again").addEventListener("click", () => void login());
$("other").addEventListener("click", leave);
$("name").addEventListener("input", () => void refresh());
for (const [id, options] of [["logout", {}], ["everywhere", { everywhere: true }]]) {
  $(id).addEventListener("click", () => {
    askedHere = true;
    guard?.logout(options).catch(() => {
      askedHere = false;
      $("in-status").textContent = "Not possible now, try again";
    });
  });
}
$("second").addEventListener("click", (event) => {
  // Where there is room for it, beside this one; a modified click is left to the browser.
  const { availWidth, availHeight, availLeft = 0, availTop = 0 } = screen;
  if (availWidth < 1000 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const width = Math.min(760, Math.round(availWidth / 2));
  const height = Math.min(900, availHeight);
  const place = `left=${availLeft + availWidth - width},top=${availTop},width=${width},height=${height}`;
  window.open(event.currentTarget.href, "_blank", `noopener,${place}`);
});

// ---- start ---------------------------------------------------------------------------------------

document.documentElement.dataset.colour = identity.colour;
$("window-name").textContent = titled(identity.colour);
$("window-device").textContent = device();
$("name").value = identity.name;
choose(identity.rule, identity.plays ?? deviceClass());
if (identity.ticket) watch();
else {
  if (identity.invited) $("login").querySelector("button").focus();
  void refresh();
}
setInterval(() => document.hidden || refresh(), POLL);
document.addEventListener("visibilitychange", refresh);
