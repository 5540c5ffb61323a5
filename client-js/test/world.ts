/** Fakes of the seams: one browser with tabs, its storage, and the server's end of every link. */

import type { Clock } from "../src/clock.ts";
import type { Environment, Prompt, ScreenActions, Wake } from "../src/environment.ts";
import { createGuard } from "../src/guard.ts";
import type { Answer } from "../src/http/poll.ts";
import type { Store } from "../src/storage.ts";
import type { TabMessage } from "../src/tabs.ts";
import { ACK_LIMIT, type Credentials, type Link, type LinkEvents } from "../src/transport/link.ts";
import type { SessionEnd, SessionGuard, SessionGuardOptions, WatchHttp } from "../src/types.ts";

export const START = Date.UTC(2026, 10, 21, 8, 30);

/** Lets everything run that waits for no timer. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeClock implements Clock {
  time = START;
  private timers: { at: number; run: () => void }[] = [];

  now = (): number => this.time;

  after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.time + Math.max(0, ms), run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  };

  get waiting(): number {
    return this.timers.length;
  }

  /** Time passes and timers fire, each at its moment. */
  async pass(ms: number): Promise<void> {
    const until = this.time + ms;
    for (;;) {
      await settled();
      const next = this.timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.at);
      next.run();
    }
    this.time = until;
    await settled();
  }

  /** Time passes and no timer fires, as while a laptop sleeps. */
  sleep(ms: number): void {
    this.time += ms;
  }
}

export class FakeStore implements Store {
  durable = true;
  /** As the browser keeps them: JSON. */
  readonly entries = new Map<string, string>();
  get = (key: string): unknown => {
    try {
      return JSON.parse(this.entries.get(key) ?? "null");
    } catch {
      return null;
    }
  };
  onSet: (key: string) => void = () => undefined;
  set = (key: string, value: unknown): boolean => {
    this.entries.set(key, JSON.stringify(value));
    this.onSet(key);
    return this.durable;
  };
  remove = (key: string): void => {
    this.entries.delete(key);
  };
  keys = (): string[] => [...this.entries.keys()];
}

export class FakeLink {
  readonly requests: { name: string; payload: unknown; reply: (reply: unknown) => void; fail: () => void }[] = [];
  closedByPage = false;
  isAlive = true;

  constructor(
    readonly credentials: Credentials,
    readonly events: LinkEvents,
  ) {}

  join(payload: unknown): void {
    this.events.joined();
    this.events.message("session", payload, null);
  }

  /** The server's kick. @returns whether the page acked it */
  end(end: SessionEnd, event = "force-logout"): boolean {
    const ack = { received: false };
    this.events.message(event, end, () => {
      ack.received = true;
    });
    return ack.received;
  }

  take(name: string): FakeLink["requests"][number] {
    const index = this.requests.findIndex((request) => request.name === name);
    const [found] = index < 0 ? [] : this.requests.splice(index, 1);
    if (!found) throw new Error(`the page has not sent ${name}, but ${this.requests.map((r) => r.name).join(", ") || "nothing"}`);
    return found;
  }
}

export class FakeTab {
  readonly links: FakeLink[] = [];
  /** Links over HTTP. */
  readonly polls: FakeLink[] = [];
  /** Whether attempts over HTTP are left to the test; else they fail. */
  http = false;
  readonly events: string[] = [];
  readonly screen: string[] = [];
  readonly sessionStore = new FakeStore();
  base = "https://app.example/account";
  wake: (how: Wake) => void = () => undefined;
  input: (written?: boolean) => void = () => undefined;
  /** The warning on the screen, and its buttons. */
  prompt: Prompt | null = null;
  actions: ScreenActions | null = null;
  /** What the page's own requests are watched for. */
  watched: WatchHttp | null = null;
  noticed: () => void = () => undefined;
  closed = false;
  prevent = false;
  loadedAgain = false;
  answersPost = false;
  how = "navigate";
  receive: ((message: TabMessage) => void) | null = null;
  readonly guard: SessionGuard;

  constructor(
    readonly browser: FakeBrowser,
    options: SessionGuardOptions,
  ) {
    this.guard = createGuard(
      {
        onError: (error) => {
          this.events.push(`error ${error.code}`);
        },
        ...options,
      },
      () => this.environment(),
    );
  }

  get link(): FakeLink {
    const link = this.links.at(-1);
    if (!link) throw new Error("no link was opened");
    return link;
  }

  private environment(): Environment {
    const { browser } = this;
    const address = (): string => this.base;
    return {
      clock: browser.clock,
      random: () => 0.5,
      newId: () => `made-${++browser.made}`,
      local: browser.local,
      session: this.sessionStore,
      openTabs: (space, receive) => {
        const mine = { space, receive };
        browser.channels.push(mine);
        return {
          postMessage(message) {
            const copy = structuredClone(message);
            for (const other of browser.channels) if (other !== mine && other.space === space) setImmediate(() => { other.receive(copy); });
          },
          close() {
            browser.channels = browser.channels.filter((other) => other !== mine);
          },
        };
      },
      openLink: () => (credentials, events) => browser.open(this.links, credentials, events),
      openPoll: () => (credentials, events) => {
        const link = browser.open(this.polls, credentials, events);
        if (!this.http) setImmediate(() => { events.refused(""); });
        return link;
      },
      watchHttp: (watched, noticed) => {
        this.watched = watched;
        this.noticed = noticed;
      },
      close: () => {
        this.closed = true;
        this.wake = this.input = this.noticed = () => undefined;
        this.watched = null;
      },
      locks: {
        exclusive: (name, _limit, work) => {
          const turn = (browser.locks.get(name) ?? Promise.resolve()).then(work);
          browser.locks.set(name, turn.catch(() => undefined));
          return turn;
        },
      },
      post: (url, headers, form) => {
        browser.posts.push({ url, headers, form });
        this.events.push("logoutUrl");
        return browser.answer();
      },
      page: {
        get base() {
          return address();
        },
        isHere: (url) => url === address(),
        go: (url) => {
          this.events.push(`go ${url}`);
        },
        canLoadAgain: () => !this.answersPost,
        loadAgain: () => {
          this.events.push("load again");
        },
        wasLoadedAgain: () => this.loadedAgain,
        how: this.how,
        emit: (name) => {
          if (name === "expired") this.events.push("event");
          return this.prevent;
        },
        onWake: (woke) => {
          this.wake = woke;
        },
        onInput: (human) => {
          this.input = (written = false) => {
            human(written);
          };
        },
      },
      call: (url, ticket, body) => {
        browser.calls.push({ url, ticket, body });
        return browser.answerCall();
      },
      openScreen: (actions) => {
        this.actions = actions;
        let cover = "off";
        return {
          cover: (how) => {
            if (how !== cover) this.screen.push(`cover ${how}`);
            cover = how;
          },
          ended: (end, loginUrl) => {
            this.events.push(`notice ${end.reason}`);
            this.screen.push(`notice ${end.reason} ${String(loginUrl)}`);
          },
          prompt: (prompt) => {
            this.prompt = prompt;
          },
          asking: () => this.prompt !== null,
          clear: () => this.screen.push("clear"),
        };
      },
    };
  }
}

export class FakeBrowser {
  readonly clock = new FakeClock();
  readonly local = new FakeStore();
  readonly posts: { url: string; headers: Readonly<Record<string, string>>; form: Readonly<Record<string, string>> }[] = [];
  readonly locks = new Map<string, Promise<void>>();
  channels: { space: string; receive: (message: TabMessage) => void }[] = [];
  made = 0;
  answer: () => Promise<number> = () => Promise.resolve(204);
  readonly calls: { url: string; ticket: string; body: unknown }[] = [];
  answerCall: () => Promise<Answer> = () => Promise.resolve({ status: 204, body: null, retryMs: 0 });

  /** The page's end of a link, whose other end is kept in `links`. */
  open(links: FakeLink[], credentials: Credentials, events: LinkEvents): Link {
    const link = new FakeLink(credentials, events);
    links.push(link);
    return {
      request: (name, payload) =>
        new Promise((resolve, reject) => {
          const fail = (): void => {
            reject(new Error("no answer"));
          };
          this.clock.after(ACK_LIMIT, fail);
          link.requests.push({ name, payload, reply: resolve, fail });
        }),
      alive: () => link.isAlive,
      close() {
        link.closedByPage = true;
      },
    };
  }

  tab(options: SessionGuardOptions): FakeTab {
    return new FakeTab(this, options);
  }

  /** A tab whose session is live. */
  async liveTab(options: SessionGuardOptions, payload: unknown): Promise<FakeTab> {
    const tab = this.tab(options);
    tab.guard.start();
    await settled();
    tab.link.join(payload);
    await settled();
    return tab;
  }
}

/** A ticket as the server makes them, but for its signature. */
export function ticketFor(session: string, room = "alice", iat = START / 1000): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256" })}.${part({ iss: "enforcer", aud: "enforcer:page", sub: room, sid: session, iat })}.signature`;
}

export function payloadFor(session: string, epoch: number, more: object = {}): Record<string, unknown> {
  return {
    session,
    room: "alice",
    active: true,
    claimed: true,
    newest: true,
    epoch,
    idle_ms: null,
    warn_ms: 120_000,
    absolute_ms: null,
    server_now: "2026-11-21T08:30:00.000Z",
    ...more,
  };
}

export function endFor(session: string, reason = "displaced", more: Partial<SessionEnd> = {}): SessionEnd {
  return {
    session,
    room: "alice",
    reason,
    message: "You have been logged out because you logged in somewhere else.",
    at: "2026-11-21T08:30:00.123Z",
    by: { device: { label: "Firefox on Linux", class: "desktop" } },
    redirect: null,
    ...more,
  };
}
