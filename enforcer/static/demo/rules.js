/** Who may stay: the rules that the demo can show, and the switches that choose one. */

const $ = (id) => document.getElementById(id);

/** `title` is in the top of the page, `next` says what comes of another login. */
const RULES = {
  "one": { title: "One user, one live session" },
  "two": { title: "One user, at most 2 live sessions", next: "2 live sessions may stay. With one more, the oldest leaves." },
  "phone-desktop": { title: "One user, one phone and one desktop", next: "A phone and a desktop may stay. A second phone ends the first phone, and never the desktop." },
  "ask": { title: "One user, one live session: the newcomer is asked", next: "One live session may stay. A second window is asked whether to log the first one out." },
};

/** As the settings of the server say. */
function asSet({ policy, max_sessions: most }) {
  const title = most === 1 ? RULES.one.title : `One user, at most ${most} live sessions`;
  if (policy === "reject") return { title, next: "This server keeps the first login. A second window is turned away until the first has logged out." };
  return most === 1 ? { title } : { title, next: `This server allows ${most} live sessions of a user. With one more, the oldest leaves.` };
}

/** What the server's settings come to, if one of the rules says the same. */
const usual = ({ policy, max_sessions: most }) => (policy === "displace" && ["one", "two"][most - 1]) || "server";

export const told = (latest) => RULES[current(latest)] ?? asSet(latest);

/** That of the name's live sessions; else what was chosen, else what the server is set to. */
export const current = (latest) => latest.rule ?? chosen();

/** Whether another login by this rule ends the one that is there. */
export const displaces = (latest) => current(latest) === "one" || (current(latest) === "server" && !asSet(latest).next);

/** @returns the class of the device that this window plays */
export const plays = () => $("login").elements.plays.value;

/** @returns the rule that is chosen */
export const chosen = () => $("login").elements.rule.value || "server";

/** Brings the switches up to date; a rule is chosen while nobody is logged in. */
export function showRules(latest) {
  const { rule, plays: played } = $("login").elements;
  document.querySelector("#rule-switch [value=server]").parentElement.hidden = usual(latest) !== "server" && latest.rule !== "server";
  if (latest.rule) rule.value = latest.rule;
  else if (!rule.value) rule.value = usual(latest);
  $("rule-switch").disabled = Boolean(latest.rule);
  $("rule-hint").hidden = !latest.rule;
  $("plays-switch").hidden = rule.value !== "phone-desktop";
  if (!played.value) played.value = "desktop";
}

/** Sets what another window, or this one before a reload, has chosen. */
export function choose(rule, device) {
  const { rule: rules, plays: played } = $("login").elements;
  if (rule) rules.value = rule;
  played.value = device;
}
