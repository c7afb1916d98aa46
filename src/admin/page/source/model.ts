// The answers of the admin address, as far as the page reads them. docs/record.md has all fields of a record.

export const CLASSES = [
  'clean',
  'planned',
  'application',
  'policy',
  'protocol',
  'overload',
  'abnormal',
  'unknown',
] as const;

/** A class, or `handshake` for an upgrade that failed. */
export type Kind = (typeof CLASSES)[number] | 'handshake';
export const KINDS: readonly Kind[] = [...CLASSES, 'handshake'];

export interface Leg {
  address: string;
  real_address?: string | null;
  name?: string;
  close: { code: number | null; reason: string | null; at_ms: number } | null;
  end: string;
  end_at_ms: number | null;
  saw: { code: number | null; clean: boolean; certain: boolean };
  text_messages: number;
  binary_messages: number;
  bytes: number;
  pings: number;
  pongs: number;
  last_frame_at_ms: number | null;
  last_message_at_ms: number | null;
  last_pong_at_ms: number | null;
  since_answered_ping_ms: number | null;
  ping_rtt_ms: number | null;
  unanswered_pings: number;
  violations: Record<string, number>;
  stalled_ms: number;
  stalled_at_end_ms: number;
  undelivered_bytes: number;
  tls_alert: string | null;
  tls_version: string | null;
}

export interface UpgradeRequest {
  path: string;
  host: string | null;
  user_agent: string | null;
}

interface Common {
  time: string;
  instance: string | null;
  route: string;
  request: UpgradeRequest;
}

export interface Closed extends Common {
  event: 'websocket.closed';
  session: string;
  class: Kind;
  code: number | null;
  code_name: string;
  initiator: string;
  cause: string;
  handshake: string;
  reason: string | null;
  duration_ms: number;
  filed_ms: number;
  idle_ms: number;
  client: Leg;
  upstream: Leg;
  hint: string | null;
}

export interface HandshakeFailed extends Common {
  event: 'websocket.handshake_failed';
  outcome: string;
  status: number | null;
  client: { address: string; real_address?: string | null; tls_version: string | null };
  duration_ms: number;
  tls_error: string | null;
  detail: string | null;
}

export type Ending = Closed | HandshakeFailed;

/** An ending with the id of its event, which no other one has. */
export interface Entry {
  id: string;
  ending: Ending;
}

export interface Bar {
  from_ms: number;
  to_ms: number | null;
  count: number;
  mean_ms: number;
}

export interface Activity {
  instance: string | null;
  version: string;
  sessions: number;
  ended: number;
  slot_seconds: number;
  endings: Record<Kind, number[]>;
  lifetime: Bar[];
  idle: Bar[];
}

export interface LiveSession {
  session: string;
  route: string;
  client: string;
  real_address: string | null;
  upstream: string;
  age_ms: number;
  idle_ms: number;
  messages_from_client: number;
  messages_from_upstream: number;
  client_stalled_ms: number;
  upstream_stalled_ms: number;
  stalled_now: boolean;
  bytes_from_client: number;
  bytes_from_upstream: number;
  path: string;
}

export interface Sessions {
  count: number;
  sessions: LiveSession[];
}

export interface Explanation {
  code: number;
  name: string;
  class: Kind;
  meaning: string;
  sent_by: string;
  seen_when: string;
  client: string;
  server: string;
  operator: string;
  presets: { title: string; name: string; meaning: string }[];
  products: { product: string; meaning: string }[];
  /** By the configuration of the instance. */
  classes: { route: string; class: Kind }[];
}

/** Another word of a record: a cause, an outcome, a hint. */
export interface Word {
  field: string;
  word: string;
  meaning: string;
  seen_when: string;
  action: string;
}

/** A finding of the diagnosis; docs/diagnosis.md has all of its fields. */
export interface Finding {
  culprit: string;
  or: string[];
  mechanism: string;
  route: string | null;
  limit_s: number | null;
  sessions: number;
  confidence: number;
  first_at: string;
  last_at: string;
  /** Sessions. */
  examples: string[];
  evidence: { fact: string; value: number | string }[];
  sentence: string;
  action: string;
}

/** The identity of a finding. One route can have two of the same mechanism: two timers. */
export function keyOf({ route, culprit, mechanism, limit_s }: Finding): string {
  return [route, culprit, mechanism, limit_s].join(' ');
}

export interface Diagnosis {
  windows: { window_s: number; findings: Finding[] }[];
}

export function sum(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** A kind as people read it. */
export function nameOf(kind: string): string {
  return kind === 'handshake' ? 'failed upgrade' : kind;
}

export function kindOf(ending: Ending): Kind {
  return ending.event === 'websocket.closed' ? ending.class : 'handshake';
}

/** Address of the client: of the one that a trusted source names, if there is one. */
export function clientOf(ending: Ending): string {
  return ending.client.real_address ?? ending.client.address;
}

/** Both codes if the two sides saw different ones. */
export function mismatch(ending: Ending): string | null {
  if (ending.event !== 'websocket.closed') return null;
  const [client, upstream] = [ending.client.saw.code, ending.upstream.saw.code];
  return client === upstream ? null : `${client ?? '?'}/${upstream ?? '?'}`;
}

/** Every code that stands in a record, of either side; the status of a failed handshake. */
export function codesOf(ending: Ending): number[] {
  const codes =
    ending.event === 'websocket.closed'
      ? [ending.code, ...[ending.client, ending.upstream].flatMap((leg) => [leg.saw.code, leg.close?.code ?? null])]
      : [ending.status];
  return [...new Set(codes.filter((code) => code !== null))];
}
