/** The stream: what happens, and the figures every two seconds. */

import type { AuditRow, Overview } from "./types.ts";

const ROWS = ["session.started", "session.claimed", "session.ended", "login.refused", "session.reported"];
const KEPT = 300;

export interface Listener {
  row?(row: AuditRow): void;
  overview?(told: Overview): void;
  /** The connection, or the store behind it, came or went. */
  state?(): void;
}

/** What the stream has told so far; it goes on while pages come and go. */
export class Live {
  readonly overviews: Overview[] = [];
  readonly rows: AuditRow[] = [];
  connected = false;
  storeAway = false;
  #source: EventSource | null = null;
  readonly #listeners = new Set<Listener>();

  /** `lost` is called when the server has ended the stream for good. */
  constructor(private readonly lost: () => void) {}

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  open(): void {
    this.close();
    const source = new EventSource("/admin/api/stream");
    this.#source = source;
    source.addEventListener("ready", () => {
      this.#is(true, this.storeAway);
    });
    source.addEventListener("unavailable", () => {
      this.#is(true, true);
    });
    source.addEventListener("overview", (event: MessageEvent<string>) => {
      const told = JSON.parse(event.data) as Overview;
      this.overviews.push(told);
      this.overviews.splice(0, this.overviews.length - KEPT);
      this.#is(true, false);
      for (const listener of this.#listeners) listener.overview?.(told);
    });
    for (const name of ROWS) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        const row = JSON.parse(event.data) as AuditRow;
        this.rows.unshift(row);
        this.rows.length = Math.min(this.rows.length, KEPT);
        for (const listener of this.#listeners) listener.row?.(row);
      });
    }
    source.addEventListener("error", () => {
      this.#is(false, this.storeAway);
      if (source.readyState === EventSource.CLOSED && this.#source === source) this.lost();
    });
  }

  close(): void {
    this.#source?.close();
    this.#source = null;
    this.connected = false;
  }

  #is(connected: boolean, storeAway: boolean): void {
    if (connected === this.connected && storeAway === this.storeAway) return;
    this.connected = connected;
    this.storeAway = storeAway;
    for (const listener of this.#listeners) listener.state?.();
  }
}
