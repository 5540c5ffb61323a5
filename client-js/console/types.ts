/** What the server tells, as far as the console shows it. */

export interface Device {
  label?: string;
  class?: string;
  ip?: string;
}

export interface Actor {
  kind: string;
  session?: string;
  key?: string;
  name?: string;
  device?: Device;
}

export interface Session {
  session: string;
  room: string;
  active: boolean;
  newest: boolean;
  online: boolean;
  started_at: string;
  last_seen_at: string;
  device: Device | null;
  ended_at: string | null;
  end_reason: string | null;
  ended_by: Actor | null;
  delivery: string | null;
  slot: string | null;
  exempt: boolean;
  impersonated_by: string | null;
}

export interface AuditRow {
  seq: string;
  at: string;
  event: string;
  room: string;
  session: string | null;
  reason: string | null;
  by: Actor | null;
  device: Device | null;
  note: string | null;
}

export interface Node {
  node: string;
  version: string;
  uptime_s: number;
  sockets: number;
  online: number;
}

export interface Overview {
  open_sessions: number;
  online: number;
  sockets: number;
  logins_per_minute: number;
  ends_per_minute: Record<string, number>;
  kick_ms: { p50: number | null; p99: number | null };
  store: string;
  /** Those that do not stand well. */
  webhooks: Webhook[];
  nodes: Node[];
  version: string;
  uptime_s: number;
}

export interface Page<Row> {
  items: Row[];
  next: string | null;
  /** There: what is older was not looked at, since it would have taken too long. */
  searched_to?: string;
}

export interface Webhook {
  name: string;
  url: string;
  state: "ok" | "failing" | "off";
  lag: number;
  failing_since: string | null;
  dead: number;
  last_status: number | null;
}

export interface DeadLetter {
  id: string;
  at: string;
  room: string;
  tries: number;
  last_tried_at: string | null;
  last_status: number | null;
  last_error: string | null;
  body: unknown;
}

export interface Explanation {
  outcome: "admitted" | "refused";
  why: string[];
}

export interface Setting {
  name: string;
  value: unknown;
  source: string;
  meaning: string;
}

/** Who has logged in to the console. */
export interface Login {
  key: string;
  csrf: string;
  expires_in: number;
}
