// The page's connections to the admin address: a stream of endings, and three answers that are polled.

import { effect } from '@preact/signals';
import { keyOf, type Activity, type Diagnosis, type Ending, type Entry, type Sessions } from './model';
import {
  KEPT,
  activity,
  connection,
  earlier,
  entries,
  filters,
  findings,
  notice,
  opened,
  paused,
  rates,
  sessions,
  stale,
  takes,
  waiting,
  type Filters,
} from './state';

/** Pause between two polls. */
const POLL_MS = 2000;
/** Pause before a refused stream is asked for again. The browser itself resumes a lost one behind its last event. */
const RETRY_MS = 3000;
/** Pause before endings that came are shown: a storm must not have the table drawn anew for each. */
const SHOW_MS = 250;
/** Pause after a change of the filters before the instance is asked: somebody may still be typing. */
const TYPING_MS = 300;

/** Endings that are not shown yet, the newest last. */
let pending: Entry[] = [];
/** Timers of `show`, of the next `ask` or `connect`, and of the next `poll`. */
let showing = 0;
let asking = 0;
let polling = 0;
let stream: EventSource | null = null;
/** Counts of the poll before, for the rates. */
let last: { at: number; began: number; ended: number } | null = null;
/** Time of the last answer. */
let answered: string | null = null;

export function start(): void {
  // The endings that a busy instance keeps are those of some seconds, so what a filter takes has to be asked for.
  let asked: string | null = null;
  effect(() => {
    const query = queryOf(filters.value);
    if (query === asked) return;
    const first = asked === null;
    asked = query;
    clearTimeout(asking);
    asking = window.setTimeout(ask, first ? 0 : TYPING_MS, query);
  });
  void poll();
}

/** The filters that the instance knows. */
function queryOf(filters: Filters): string {
  const query = new URLSearchParams({ limit: '200' });
  const { class: kind, code, cause, initiator, route, client, hint, mismatch } = filters;
  if (kind !== 'handshake') add('class', kind);
  if (/^\d{4}$/.test(code)) add('code', code);
  add('cause', cause);
  add('initiator', initiator);
  add('route', route);
  add('hint', hint);
  // The instance takes whole addresses, the table also a part of one.
  if (/^(\d{1,3}(\.\d{1,3}){3}|[\da-f:]+:[\da-f:]*)$/i.test(client)) add('client', client);
  if (mismatch) add('mismatch', '1');
  return query.toString();

  function add(key: string, value: string): void {
    if (value !== '') query.append(key, value);
  }
}

/** Keeps the entries that the filters still take, and asks for the rest. */
function ask(query: string): void {
  stream?.close();
  entries.value = entries.value.filter((entry) => takes(filters.peek(), entry.ending));
  notice.value = '';
  connect(query);
}

/** Shows the endings that came while the page was paused, and goes on. */
export function resume(): void {
  paused.value = false;
  show();
  void poll();
}

function connect(query: string): void {
  const source = new EventSource(`closes/stream?${query}`);
  stream = source;
  stream.onopen = () => {
    connection.value = 'live';
  };
  stream.onerror = () => {
    connection.value = 'lost';
    if (source.readyState !== EventSource.CLOSED) return;
    // Answered, but not by a stream: the browser does not try again by itself.
    connection.value = 'refused';
    asking = window.setTimeout(connect, RETRY_MS, query);
  };
  stream.onmessage = (message) => {
    add({ id: message.lastEventId, ending: JSON.parse(message.data) as Ending });
  };
  stream.addEventListener('missed', (message) => {
    const { missed } = JSON.parse(message.data) as { missed: number };
    notice.value = `${missed} endings are missing here: they came too fast, or while there was no connection.`;
  });
  stream.addEventListener('sampled', (message) => {
    const { shown, of } = JSON.parse(message.data) as { shown: number; of: number };
    notice.value = `Too many at once: ${shown} of ${of} are shown. The numbers above count all.`;
  });
}

function add(entry: Entry): void {
  pending.push(entry);
  if (pending.length > 2 * KEPT) pending = pending.slice(-KEPT);
  if (paused.value) waiting.value += 1;
  else if (showing === 0) showing = window.setTimeout(show, SHOW_MS);
}

function show(): void {
  showing = 0;
  if (paused.value) return;
  const known = new Set(entries.value.map((entry) => entry.id));
  const fresh = pending.filter((entry) => !known.has(entry.id)).reverse();
  pending = [];
  waiting.value = 0;
  // After a change of filters, endings come that are older than those that are here.
  const all = [...fresh, ...entries.value];
  all.sort((one, other) => (one.ending.time < other.ending.time ? 1 : one.ending.time > other.ending.time ? -1 : 0));
  entries.value = all.slice(0, KEPT);
}

async function poll(): Promise<void> {
  if (paused.value) return;
  try {
    const [numbers, live, diagnosis] = await Promise.all([
      json<Activity>('activity'),
      json<Sessions>('sessions?limit=100'),
      optional<Diagnosis>('diagnosis'),
    ]);
    const now = { at: performance.now(), began: numbers.ended + numbers.sessions, ended: numbers.ended };
    if (last && now.ended >= last.ended) {
      const secs = (now.at - last.at) / 1000;
      rates.value = { opened: Math.max(0, now.began - last.began) / secs, ended: (now.ended - last.ended) / secs };
    }
    last = now;
    activity.value = numbers;
    sessions.value = live;
    findings.value = diagnosis?.windows[0]?.findings ?? null;
    const present = new Set(findings.value?.map(keyOf));
    earlier.value = diagnosis?.windows.at(-1)?.findings.filter((finding) => !present.has(keyOf(finding))) ?? [];
    answered = new Date().toISOString();
    stale.value = null;
  } catch {
    last = null;
    stale.value = answered;
  }
  clearTimeout(polling);
  polling = window.setTimeout(poll, POLL_MS);
}

async function json<T>(path: string): Promise<T> {
  const answer = await fetch(path, { headers: { accept: 'application/json' } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return (await answer.json()) as T;
}

/** Opens the record of a session. Says whether the page or the instance still has it. */
export async function openSession(session: string): Promise<boolean> {
  const here = entries.peek().find(({ ending }) => ending.event === 'websocket.closed' && ending.session === session);
  opened.value = here?.ending ?? (await optional<Ending>(`closes?limit=1&session=${session}`));
  return opened.value !== null;
}

/** The explanation of a code, or of another word of a record; null if there is none. */
export function explained<T>(word: number | string): Promise<T | null> {
  return optional(`explain/${word}`);
}

async function optional<T>(path: string): Promise<T | null> {
  try {
    return await json<T>(path);
  } catch {
    return null;
  }
}
