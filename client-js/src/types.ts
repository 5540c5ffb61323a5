/** The public types of `session-guard`. */

import type { OpenLink } from "./transport/link.ts";

/**
 * - `starting`: no answer from the server yet
 * - `active`: the session is live
 * - `prompted`: live, and so near its end that the user should be warned
 * - `unreachable`: the server was tried and did not answer; the guard goes on trying
 * - `expired`: the session has ended; final
 * - `stopped`: not started, stopped, or given up after a mistake in the set-up
 */
export type Phase = "starting" | "active" | "prompted" | "unreachable" | "expired" | "stopped";

/** Why a session ended. More reasons may come; treat an unknown one like `admin`. */
export type EndReason =
  | "displaced"
  | "replaced"
  | "idle"
  | "absolute"
  | "logout"
  | "logout_everywhere"
  | "password_changed"
  | "security"
  | "admin"
  | "lost"
  | "idp_logout"
  | "caep"
  | (string & Record<never, never>);

/** What is known about the end of a session. */
export interface SessionEnd {
  readonly session: string;
  readonly room: string;
  /** `lost` also stands for a session that the server does not know (any more). */
  readonly reason: EndReason;
  /** The server's own English sentence; may be empty. */
  readonly message: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /**
   * Whose login or log-out ended this one, where that is known. `self`: a page of this very session asked for it, so the
   * user knows.
   */
  readonly by: { readonly device: { readonly label: string | null; readonly class: string | null } | null; readonly self?: boolean } | null;
  /** Where the server wants the browser to go. */
  readonly redirect: string | null;
}

/** A snapshot; it never changes, a new one is made instead. */
export interface SessionState {
  readonly phase: Phase;
  /** The session's id; `null` until it is known. */
  readonly session: string | null;
  readonly room: string | null;
  /** Whether it is the newest login of its room; `null` until the server has said so. */
  readonly newest: boolean | null;
  /** `Date.now()`-based estimate in ms; `null` without an idle time-out. */
  readonly idleEndsAt: number | null;
  /** `Date.now()`-based estimate in ms; `null` without an absolute time-out. */
  readonly absoluteEndsAt: number | null;
  /** True only with a live socket. */
  readonly connected: boolean;
  /** Set in phase `expired`. */
  readonly end: SessionEnd | null;
}

/** The session will end soon unless the user shows up. */
export interface SessionWarning {
  /** `absolute` cannot be extended. */
  readonly kind: "idle" | "absolute";
  /** `Date.now()`-based estimate in ms. */
  readonly endsAt: number;
  /** Milliseconds left when the warning was made. */
  readonly remainingMs: number;
}

/**
 * `code` is the stable name: a code of the server (`ticket-expired`, `ticket-required`, …), or one of
 * `unreachable`, `stopped`, `ended`, `ticket-unavailable`, `logout-failed`, `bad-url`, `bad-redirect`, `callback`.
 */
export class SessionGuardError extends Error {
  override readonly name = "SessionGuardError";
  declare readonly code: string;

  constructor(code: string, message = "", options?: ErrorOptions) {
    super(message || code, options);
    this.code = code;
  }
}

/** Gets a ticket from the app; asked at the start, and once when the server refuses the ticket that it has. */
export type TicketSource = () => string | Promise<string>;

/** The texts on the screen; what is left out stays English, or what `lang` says. */
export interface Messages {
  /** BCP 47 tag of these texts: for dates, numbers, and the direction of writing. Default: the option `lang`. */
  readonly lang?: string;
  /** Title by end reason; `other` for the reasons without one. */
  readonly titles?: Readonly<Record<string, string>>;
  /** Explanation by end reason; default the server's own sentence. */
  readonly explanations?: Readonly<Record<string, string>>;
  readonly when?: string;
  readonly device?: string;
  readonly logInAgain?: string;
  readonly unreachableTitle?: string;
  readonly unreachable?: string;
  /** In place of "log in again" where the user is logged in already. */
  readonly goOn?: string;
  readonly warningTitle?: string;
  readonly warningIdle?: string;
  readonly warningAbsolute?: string;
  /** For screen readers; `{time}` stands for "2 minutes". */
  readonly warningLeft?: string;
  readonly stay?: string;
  /** Takes away a warning that cannot be helped. */
  readonly dismiss?: string;
  readonly leave?: string;
  /** The server did not answer to one of the buttons. */
  readonly stayFailed?: string;
  /** The notice's button for a user who did not do this. */
  readonly report?: string;
  /** In its place, once the server has it. */
  readonly reported?: string;
}

/** Path prefixes, in a string separated by blanks; what does not begin with a slash is left out. */
export type Paths = string | readonly string[];

/** `on`: all same-origin requests; or those of some paths, or `off`. `header` is a response header that means the same as a 401. */
export type WatchHttp = boolean | Paths | { readonly paths?: Paths; readonly header?: string };

/** Makes what opens links to the socket at `address`; `own` opens the page's own. */
export type SocketSource = (address: string, own: OpenLink) => OpenLink;

export interface SessionGuardOptions {
  /** The server; relative to the page. Default: where the script came from, or (as a module) the page's origin. */
  url?: string;
  /** Path of the socket under `url`. Default `/socket.io/`. */
  path?: string;
  /** The page's ticket, or a function that gets one. */
  ticket?: string | TicketSource;
  /** Instead of a ticket, for servers with `join: "open"`. */
  room?: string;
  /** With `room`: this page is the first one after a log-in, so it makes a new session id. Default false. */
  freshLogin?: boolean;
  /** Called once per ended session by one tab of this browser, naming the ended session. */
  logoutUrl?: string;
  logout?: {
    /** `POST` (default) calls in the background; `GET` navigates there, as the very last step. */
    method?: "POST" | "GET";
    /** Further headers of the `POST`, for example the CSRF token. */
    headers?: Readonly<Record<string, string>>;
  };
  /** Where to go after the end; the server's own target wins. Default: stay, with the notice. */
  redirect?: string;
  /** The built-in notice at the end. Default true. */
  notice?: boolean | "on" | "off";
  /** A button in the notice by which the user says "this was not me". Default false. */
  report?: boolean | "on" | "off";
  /** The built-in warning before the end, with a countdown. Default true. */
  warn?: boolean | "on" | "off";
  /** The notice's "log in again". Default: the redirect, else the page's own address. */
  loginUrl?: string;
  /** Report human activity (at most every 5 s); `media`: playing sound or film counts, too. Default true. */
  activity?: boolean | "on" | "off" | "media";
  /** Check the session when one of the page's own same-origin requests is answered 401. Default off. */
  watchHttp?: WatchHttp;
  /**
   * Keeps time in hidden tabs to the second, by a worker: address of `session-guard-worker.js`, or `on` for the one beside
   * the script. From another origin than the page's it is made of a blob. Default: none, and the server's pings keep time to
   * half a minute.
   */
  worker?: string;
  /** Another way to the server's socket than one of this page's own: `sharedSocket()` of `session-guard/shared`. */
  socket?: SocketSource;
  /** BCP 47 tag of what the user gets to see, and of your own `messages`. Default: the page's. */
  lang?: string;
  messages?: Messages;
  /** Tabs act together only within one scope. Default `""`. */
  scope?: string;
  /** The session is over (never called for `replaced`, nor when this browser already holds a newer session). */
  onSessionExpired?: (end: SessionEnd) => void;
  onWarning?: (warning: SessionWarning) => void;
  onStateChange?: (state: SessionState) => void;
  onError?: (error: SessionGuardError) => void;
  /**
   * A last chance to save work. Awaited until `deadline` (`Date.now()`-based ms, 5 s ahead), then the end goes on.
   * The session itself has already ended: the server may refuse its requests.
   */
  beforeForcedLogout?: (end: SessionEnd, chance: { readonly deadline: number }) => unknown;
}

/** Its functions need no `this`: they can be taken out and passed on. */
export interface SessionGuard {
  /** Starts guarding; nothing happens when it runs or has ended. Needs a browser. */
  readonly start: () => void;
  /** Stops quietly: nobody is logged out. Nothing happens when it is stopped; an end that has begun goes on. */
  readonly stop: () => void;
  readonly getState: () => SessionState;
  /** Calls `listener` at every change of the state; returns its unsubscribe. */
  readonly subscribe: (listener: (state: SessionState) => void) => () => void;
  /**
   * Asks the server whether the session is live; never extends it. Resolves also when it has ended.
   *
   * @throws SessionGuardError `unreachable` or `stopped`.
   */
  readonly check: () => Promise<SessionState>;
  /**
   * The user says "still here". Resolves when the server has moved the deadline.
   *
   * @throws SessionGuardError `ended`, `unreachable` or `stopped`.
   */
  readonly extend: () => Promise<SessionState>;
  /** Counts as human input; for what the page cannot see itself: iframes, games, video. */
  readonly reportActivity: () => void;
  /**
   * Ends this session, or with `everywhere` all sessions of the user, and then this page like any other end.
   *
   * @throws SessionGuardError `unreachable`, `stopped`, or the server's code (`ticket-required` in open mode).
   */
  readonly logout: (options?: { everywhere?: boolean }) => Promise<void>;
  /**
   * Of a session that has ended: the user says that it was somebody else. Ends nothing; the server's audit log has it.
   *
   * @param note up to 500 characters of the user's
   * @throws SessionGuardError `unreachable`, `stopped`, `ticket-required` (open mode) or the server's code: `session-live`, `too-late`
   */
  readonly report: (note?: string) => Promise<void>;
  /** The user's own sessions, this one included. Needs a ticket, not open mode. */
  readonly devices: Devices;
}

/**
 * The sessions of this page's user: a list, and what ends them. Ending another session than this one needs an elevated
 * ticket, which the app asks of the server after it has asked for the password again (OWASP ASVS 5.0, 7.5.2).
 *
 * All throw SessionGuardError: `unreachable`, `stopped`, `ticket-required`, or the server's code, such as
 * `elevation-required`, `not-allowed` or `session-unknown`.
 */
export interface Devices {
  readonly list: () => Promise<DeviceList>;
  /** One session. @param options the elevated ticket */
  readonly end: (session: string, options?: { ticket?: string }) => Promise<Ended>;
  /** All but this one. @param options the elevated ticket */
  readonly endOthers: (options?: { ticket?: string }) => Promise<Ended>;
}

export interface Ended {
  /** Ids of the sessions that this call has ended. */
  readonly ended: readonly string[];
}

export interface DeviceList {
  /** The one seen last comes first; at most 100. */
  readonly sessions: readonly Device[];
  /** How many there are beyond these. */
  readonly more: number;
  readonly max_sessions: number;
  /** Whether the ticket of this page may end others now. */
  readonly may_end: boolean;
}

export interface Device {
  readonly session: string;
  /** The page's own. */
  readonly current: boolean;
  readonly device: { readonly label: string | null; readonly class: string | null } | null;
  readonly slot: string | null;
  /** ISO 8601, UTC. */
  readonly started_at: string;
  /** ISO 8601, UTC. */
  readonly last_seen_at: string;
  /** Whether it has a live socket. */
  readonly online: boolean;
  /** Opened by the support of the app in the user's name. */
  readonly support?: boolean;
}
