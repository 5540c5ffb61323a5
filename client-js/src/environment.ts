/** Everything that the guard needs of the outside, as seams. `browser.ts` has the real ones, the tests bring their own. */

import type { Clock } from "./clock.ts";
import type { PartsByName } from "./parts.ts";
import type { Store } from "./storage.ts";
import type { OpenTabs } from "./tabs.ts";
import type { OpenLink } from "./transport/link.ts";
import type { SessionEnd, WatchHttp } from "./types.ts";

export interface Page {
  /** Relative addresses are meant against this. */
  readonly base: string;
  readonly location: Pick<Location, "href" | "reload" | "assign">;
  /** Whether this page came into being by a reload. */
  wasReloaded(): boolean;
  /** Fires a DOM event on `document`. @returns whether a listener prevented its default */
  emit(name: string, detail: unknown, cancelable?: boolean): boolean;
  /** Calls back when the page may have missed something; `restored`: it comes from the back-forward cache. */
  onWake(woke: (restored: boolean) => void): void;
  /** Calls back at every human input; with `media` also while sound or film is playing. */
  onInput(human: () => void, media: boolean): void;
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

/** What the user can do about it; both reject when it did not work. */
export interface PromptActions {
  stay(): Promise<unknown>;
  leave(): Promise<unknown>;
}

/** What the user gets to see. Contract: nothing here throws, and every call may come at any time. */
export interface Screen {
  /** Hides the content, with or without saying why, or shows it again. */
  cloak(how: "off" | "checking" | "unreachable"): void;
  /** Shows, brings up to date, or (`null`) takes away the warning. */
  prompt(prompt: Prompt | null, actions: PromptActions): void;
  /** Whether the warning is on the screen and waits for the user's decision. */
  asking(): boolean;
  /** @param loginUrl a safe target of "log in again", or `null` for a reload */
  ended(end: SessionEnd, loginUrl: string | null): void;
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
  /** What a page needs that does not bring its ticket along. Rejects when it could not be loaded. */
  readonly credentials: () => Promise<PartsByName["credentials"]>;
  /** @param address from `socketAddress` */
  openLink(address: string): OpenLink;
  /** @param server http(s) address of the server, without a slash at its end */
  openPoll(server: string): OpenLink;
  /** The session will end by itself: what that needs is loaded now, because then the server may be out of reach. */
  expectDeadline(): void;
  /** Calls back whenever an answer to the page's own requests says that the session may be over. */
  watchHttp(watched: WatchHttp, noticed: () => void): void;
  readonly locks: Locks;
  /** A form POST to the app with its cookies. Resolves to the status (0 for a redirect); rejects when it could not be made. */
  post(url: string, headers: Readonly<Record<string, string>>, form: Readonly<Record<string, string>>): Promise<number>;
  readonly page: Page;
  readonly screen: Screen;
  /** The guard has stopped: nothing of this is used any more, and nothing calls back. */
  close(): void;
}
