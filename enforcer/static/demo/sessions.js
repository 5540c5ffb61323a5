/** The live list: every session of the user, the ended ones with why. */

import { COLOURS } from "./identity.js";

const list = document.getElementById("sessions");
const rows = new Map();

const WHY = {
  displaced: (by) => (by ? `displaced by ${by}` : "displaced"),
  replaced: () => "replaced by the same browser",
  logout: (by) => (by ? `logged out from the ${by}` : "logged out"),
  logout_everywhere: (by) => (by ? `logged out everywhere, from the ${by}` : "logged out everywhere"),
  password_changed: () => "the password was changed",
  security: () => "ended to protect the account",
  idle: () => "inactive for too long",
  absolute: () => "its longest time was over",
  admin: () => "ended by an administrator",
  lost: () => "not seen for a long time",
};

export async function fetchSessions(name) {
  const response = await fetch(`demo/sessions?${new URLSearchParams({ name })}`, { cache: "no-store" });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

/** "Teal window · Firefox on Linux" → its parts. */
function parts(label) {
  const [window = "A window", device = ""] = (label ?? "A window").split(" · ");
  return { window, device, colour: window.split(" ")[0].toLowerCase() };
}

export const colourOf = (session) => parts(session.window).colour;
export const windowOf = (label) => parts(label).window;

export const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function span(from, to) {
  const seconds = Math.max(0, Math.floor((to - from) / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function makeRow() {
  const row = element("li", "session");
  const swatch = row.appendChild(element("span", "swatch"));
  swatch.ariaHidden = "true";
  const who = row.appendChild(element("p", "who"));
  const parts = {
    window: who.appendChild(element("b", "")),
    here: who.appendChild(element("span", "here")),
    device: row.appendChild(element("p", "what")),
    state: row.appendChild(element("span", "state")),
    when: row.appendChild(element("p", "when")),
  };
  return { row, ...parts };
}

/** Only what has changed is touched: a screen reader or a selection is not disturbed every second. */
function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** @param mine the id of this window's session, as far as it is listed; or null */
export function showSessions({ now, sessions }, mine) {
  const server = Date.parse(now);
  const gone = new Set(rows.keys());
  sessions.forEach((session, place) => {
    gone.delete(session.id);
    const known = rows.get(session.id) ?? makeRow();
    rows.set(session.id, known);
    const { window, device, colour } = parts(session.window);
    known.row.dataset.live = String(session.live);
    known.row.dataset.colour = COLOURS.includes(colour) ? colour : "none";
    write(known.window, window);
    write(known.here, session.id === mine ? "this window" : "");
    write(known.device, session.slot ? `${device} · plays a ${session.slot === "mobile" ? "phone" : "desktop"}` : device);
    if (session.live) {
      write(known.state, session.online ? "live" : "away");
      write(known.when, `since ${clock(session.started_at)} · ${span(Date.parse(session.started_at), server)}`);
    } else {
      const why = WHY[session.reason]?.(session.by && windowOf(session.by)) ?? session.reason;
      const told = session.told_in_ms === null ? "" : ` · told in ${session.told_in_ms} ms`;
      write(known.state, "ended");
      write(known.when, `${clock(session.ended_at)} · ${why}${told}`);
    }
    if (list.children[place] !== known.row) list.insertBefore(known.row, list.children[place] ?? null);
  });
  for (const id of gone) {
    rows.get(id).row.remove();
    rows.delete(id);
  }
}
