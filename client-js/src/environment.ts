/** Everything that the guard needs of the outside, as seams. `browser.ts` has the real ones, the tests bring their own. */

import type { Clock } from "./clock.ts";
import type { Cover } from "./core/machine.ts";
import type { Call } from "./http/poll.ts";
import type { Store } from "./storage.ts";
import type { OpenTabs } from "./tabs.ts";
import type { OpenLink } from "./transport/link.ts";
import type { SessionEnd, WatchHttp } from "./types.ts";

/** The page may have missed something (`awake`), goes into the back-forward cache, or comes out of it. */
export type Wake = "awake" | "stored" | "restored";

/** Its functions need no `this`. Those that go somewhere only ask the browser to; nothing says that it does. */
export interface Page {
  /** Relative addresses are meant against this. */
  readonly base: string;
  /** Whether an address is this page's own, whatever the fragment. */
  isHere(url: string): boolean;
  /** Loads the page at the address, also if it is this one. */
  readonly go: (url: string) => void;
  /** Whether this page is what a `GET` of its address brings: not if it was made by a script, or is the answer to a `POST`. */
  canLoadAgain(): boolean;
  /** A `GET` of the page's own address; nothing that was sent is sent again. */
  readonly loadAgain: () => void;
  /** Whether this page may have come into being by `loadAgain`. */
  wasLoadedAgain(): boolean;
  /** How this page was reached: `reload`, `back_forward` (by way of the history, maybe out of a cache), or anything else. */
  readonly how: string;
  /** Fires the DOM event `session-guard:<name>` on `document`. @returns whether a listener prevented its default, as it can of `expired` */
  emit(name: string, detail: unknown): boolean;
  onWake(woke: (how: Wake) => void): void;
  /**
   * Calls back at every human input; with `media` also while sound or film is playing.
   *
   * @param human `written`: text, into the page itself
   */
  onInput(human: (written: boolean) => void, media: boolean): void;
}

export interface Locks {
  /**
   * Runs `work` while no other tab of this browser runs work of the same name; waits for them.
   * After `limit` ms of waiting it gives up without having run it (a frozen tab keeps its locks).
   */
  exclusive(name: string, limit: number, work: () => Promise<void>): Promise<void>;
}

/** What the user is warned of. */
export interface Prompt {
  readonly kind: "idle" | "absolute";
  /** `Date.now()`-based ms. */
  readonly endsAt: number;
}

/** What the user can do about it; all reject when it did not work, and none needs a `this`. */
export interface ScreenActions {
  readonly stay: () => Promise<unknown>;
  readonly leave: () => Promise<unknown>;
  /** "This was not me", of the end. */
  readonly report: () => Promise<unknown>;
}

/** What the user gets to see. Contract: nothing here throws, and every call may come at any time. */
export interface Screen {
  /** Hides the content, or shows it again. */
  cover(how: Cover): void;
  /** Shows, brings up to date, or (`null`) takes away the warning. */
  prompt(prompt: Prompt | null): void;
  /** Whether the warning is on the screen and waits for the user's decision. */
  asking(): boolean;
  /** Hides the content for good, and says why. @param loginUrl a safe target of "log in again", `null`: this page's address */
  ended(end: SessionEnd, loginUrl: string | null): void;
  /** The page is its owner's again. */
  clear(): void;
}

export interface Environment {
  readonly clock: Clock;
  /** Evenly distributed in [0, 1). */
  readonly random: () => number;
  readonly local: Store;
  /** Of this tab alone. */
  readonly session: Store;
  readonly openTabs: OpenTabs;
  /** Makes an unguessable id. */
  readonly newId: () => string;
  /** @param address from `socketAddress` */
  openLink(address: string): OpenLink;
  /** @param server http(s) address of the server, without a slash at its end */
  openPoll(server: string): OpenLink;
  /** Calls back whenever an answer to the page's own requests says that the session may be over. */
  watchHttp(watched: WatchHttp, noticed: () => void): void;
  readonly locks: Locks;
  /** A form POST to the app with its cookies. Resolves to the status (0 for a redirect); rejects when it could not be made. */
  readonly post: (url: string, headers: Readonly<Record<string, string>>, form: Readonly<Record<string, string>>) => Promise<number>;
  readonly page: Page;
  openScreen(actions: ScreenActions): Screen;
  /** A call to the server at `url`, with a page's ticket: see `Call`. */
  readonly call: Call;
  /** The guard has stopped: nothing of this is used any more, and nothing calls back. */
  close(): void;
}
