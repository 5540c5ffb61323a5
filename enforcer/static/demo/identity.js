/**
 * What makes a window of this demo a browser of its own: a colour, a name to log in with, and the login it holds.
 *
 * Kept in `sessionStorage`, so that it outlives a reload and is not shared with the next window.
 */

export const COLOURS = ["coral", "teal", "violet", "amber", "blue", "rose", "green"];

const KEY = "enforcer-demo";
const ADJECTIVES = ["amber", "brave", "calm", "clever", "gentle", "happy", "lucky", "mellow", "quick", "quiet", "sunny", "witty"];
const ANIMALS = ["badger", "dolphin", "falcon", "hedgehog", "heron", "ibex", "lynx", "otter", "panda", "robin", "seal", "wombat"];

const any = (words) => words[crypto.getRandomValues(new Uint32Array(1))[0] % words.length];
const hex = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** With a number, so that two visitors of a public demo do not throw each other out. */
const anyName = () => `${any(ADJECTIVES)}-${any(ANIMALS)}-${any(Array.from({ length: 90 }, (_, i) => i + 10))}`;

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null; // forbidden storage: the window lives as long as its page
  }
}

/** `#window=teal&name=…` is how one window opens the next; some browsers hand their storage over with it. */
function asked() {
  const wishes = new URLSearchParams(location.hash.slice(1));
  const colour = wishes.get("window");
  if (!COLOURS.includes(colour)) return null;
  history.replaceState(null, "", location.pathname);
  const [name, plays] = [wishes.get("name")?.slice(0, 64) || anyName(), wishes.get("plays") === "mobile" ? "mobile" : "desktop"];
  return { scope: hex(), colour, name, plays, invited: true };
}

/** `{scope, colour, name, plays?, rule?, invited?, session?, ticket?, elevated?}` */
export const identity = asked() ?? stored() ?? { scope: hex(), colour: any(COLOURS), name: anyName() };

export function remember(changes) {
  Object.assign(identity, changes);
  try {
    sessionStorage.setItem(KEY, JSON.stringify(identity));
  } catch {
    // as above
  }
}

export const titled = (colour) => `${colour[0].toUpperCase()}${colour.slice(1)} window`;

/** What a site would tell Enforcer about the browser, roughly. */
export function device() {
  const agent = navigator.userAgent;
  const find = (pairs) => pairs.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = find([[/Edg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/Chrome\//, "Chrome"], [/Safari\//, "Safari"]]);
  const system = find([[/Windows/, "Windows"], [/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Mac OS/, "macOS"], [/Linux/, "Linux"]]);
  return `${browser ?? "A browser"} on ${system ?? "some device"}`;
}

export const deviceClass = () => (/Mobi|Android/.test(navigator.userAgent) ? "mobile" : "desktop");

/** The next window's address; `taken` are colours to leave out. */
export function invitation(taken, plays) {
  const free = COLOURS.filter((colour) => !taken.includes(colour));
  const next = free[COLOURS.indexOf(identity.colour) % free.length];
  return `${location.pathname}#${new URLSearchParams({ window: next, name: identity.name, plays })}`;
}

remember({});
