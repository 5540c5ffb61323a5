/** A user: who is live, what was, ending sessions, and what a login would do. */

import { change, read } from "../api.ts";
import { h, moment, named, put } from "../dom.ts";
import type { Live } from "../live.ts";
import { actor, deviceText, fact, problem, reason } from "../rows.ts";
import { T } from "../texts.ts";
import type { Explanation, Page, Session } from "../types.ts";

const AT_ONCE = "25";
const SETTLES_MS = 300;
const REASONS = ["admin", "security", "password_changed", "logout", "logout_everywhere"];

/** `room` is the user, `chosen` the session that was searched for. Returns what stops it. */
export function userPage(into: HTMLElement, live: Live, room: string, chosen: string): () => void {
  const heading = h("h1", { tabindex: "-1", class: "who" }, named(room));
  const told = h("p", { class: "told", role: "status" });
  const now = h("section", { class: "card" });
  const history = h("section", { class: "card" });
  const past = h("ol", { class: "timeline" });
  const more = h("div", {});
  let timer = 0;
  put(into, heading, told, now, explaining(room), history);

  async function sessions(itself: boolean): Promise<void> {
    try {
      const { sessions } = await read<{ sessions: Session[] }>("user", { room }, itself);
      put(
        now,
        h("div", { class: "head" }, h("h2", {}, T.user.live), sessions.length > 0 && h("button", { class: "danger", onclick: () => { endAll(sessions.length); } }, T.user.endAll)),
        sessions.length ? h("ul", { class: "cards" }, ...sessions.map((session) => card(session, session.session === chosen, () => { endOne(session); }))) : h("p", { class: "empty" }, T.user.none),
      );
      await older("", itself);
    } catch (error) {
      put(now, problem(error, () => void sessions(false)));
    }
  }

  async function older(cursor: string, itself: boolean): Promise<void> {
    const page = await read<Page<Session>>("sessions", { room, open: "false", limit: AT_ONCE, ...(cursor ? { cursor } : {}) }, itself);
    const items = page.items.map(ended);
    if (cursor) past.append(...items);
    else put(past, ...items);
    const next = page.next;
    put(more, next !== null && h("button", { onclick: () => void older(next, false) }, T.user.older));
    put(history, h("h2", {}, T.user.history), past.childElementCount || next !== null ? past : h("p", { class: "empty" }, T.user.noHistory), more);
  }

  function endOne(session: Session): void {
    confirmed(T.user.ending, h("p", {}, deviceText(session.device)), T.user.end, (why) => end({ session: session.session, reason: why }));
  }

  function endAll(n: number): void {
    confirmed(T.user.endingAll(n), h("p", {}, named(room)), T.user.endAll, (why) => end({ room, reason: why }));
  }

  async function end(body: Record<string, string>): Promise<void> {
    try {
      const { ended } = await change<{ ended: string[] }>("api/end", body);
      told.textContent = T.user.ended(ended.length);
      heading.focus();
      await sessions(false);
    } catch (error) {
      put(now, problem(error, () => void sessions(false)));
    }
  }

  void sessions(false);
  const stop = live.listen({
    row: (row) => {
      if (row.room !== room) return;
      window.clearTimeout(timer);
      timer = window.setTimeout(() => void sessions(true), SETTLES_MS);
    },
  });
  return () => {
    window.clearTimeout(timer);
    stop();
  };
}

function card(session: Session, chosen: boolean, end: () => void): HTMLElement {
  const marks = [session.newest && T.user.newest, session.exempt && T.user.exempt, session.slot, session.impersonated_by !== null && T.user.support(session.impersonated_by)];
  return h(
    "li",
    { class: `session${chosen ? " chosen" : ""}` },
    h("h3", {}, h("span", { class: `dot ${session.online ? "on" : "off"}`, "aria-hidden": "true" }), deviceText(session.device)),
    h("p", { class: "marks" }, ...marks.map((mark) => (mark ? h("span", { class: "mark" }, named(mark)) : null))),
    h(
      "dl",
      {},
      fact(T.user.state, session.online ? T.user.online : T.user.offline),
      fact(T.user.since, moment(session.started_at)),
      fact(T.user.seen, moment(session.last_seen_at)),
      session.device?.ip !== undefined && fact("IP", named(session.device.ip)),
      fact(T.log.session, h("code", {}, named(session.session))),
    ),
    h("button", { class: "danger", onclick: end }, T.user.end),
  );
}

function ended(session: Session): HTMLElement {
  return h("li", {}, h("div", {}, reason(session.end_reason), " ", moment(session.ended_at)), h("div", {}, deviceText(session.device)), h("div", { class: "faint" }, T.user.since, " ", moment(session.started_at), " · ", T.log.by, " ", actor(session.ended_by), session.delivery !== null && ` · ${T.log.delivery}: ${T.delivery[session.delivery] ?? session.delivery}`));
}

/** Asks before something ends; `then` is called with the reason. */
function confirmed(question: string, about: HTMLElement, yes: string, then: (reason: string) => Promise<void>): void {
  const why = h("select", { id: "why" }, ...REASONS.map((name) => h("option", { value: name }, T.reasons[name] ?? name)));
  const dialog = h(
    "dialog",
    { "aria-labelledby": "question" },
    h(
      "form",
      {
        method: "dialog",
        onsubmit: (event) => {
          if ((event as SubmitEvent).submitter?.getAttribute("value") === "yes") void then(why.value);
        },
      },
      h("h2", { id: "question" }, question),
      about,
      h("p", { class: "faint" }, T.user.endingMore),
      h("label", { for: "why" }, T.user.reason),
      why,
      h("div", { class: "buttons" }, h("button", { value: "no" }, T.user.cancel), h("button", { value: "yes", class: "danger" }, yes)),
    ),
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}

function explaining(room: string): HTMLElement {
  const slot = h("input", { id: "slot", placeholder: T.user.slotHint, maxlength: 64, autocomplete: "off" });
  const answer = h("div", { role: "status" });
  const ask = async (): Promise<void> => {
    try {
      const told = await change<Explanation>("api/explain", { room, ...(slot.value.trim() ? { slot: slot.value.trim() } : {}) });
      put(answer, h("p", { class: "verdict" }, told.outcome === "admitted" ? T.user.admitted : T.user.refused), h("ul", {}, ...told.why.map((why) => h("li", {}, named(why)))));
    } catch (error) {
      put(answer, problem(error, () => void ask()));
    }
  };
  return h(
    "section",
    { class: "card" },
    h("h2", {}, T.user.explain),
    h(
      "form",
      {
        class: "line",
        onsubmit: (event) => {
          event.preventDefault();
          void ask();
        },
      },
      h("label", { for: "slot" }, T.user.slot),
      slot,
      h("button", {}, T.user.ask),
    ),
    answer,
  );
}
