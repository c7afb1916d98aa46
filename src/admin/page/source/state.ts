import { computed, signal } from '@preact/signals';
import {
  clientOf,
  codesOf,
  kindOf,
  mismatch,
  type Activity,
  type Ending,
  type Entry,
  type Finding,
  type Sessions,
} from './model';

/** Endings that the page keeps, whatever comes: about a megabyte. */
export const KEPT = 500;
/** Endings in the table at once. */
export const SHOWN = 100;

/** `refused`: the instance answers, and has no room for another stream. */
export type Connection = 'connecting' | 'live' | 'lost' | 'refused';

export interface Filters {
  class: string;
  code: string;
  cause: string;
  initiator: string;
  route: string;
  client: string;
  hint: string;
  mismatch: boolean;
}

export const NO_FILTERS: Filters = {
  class: '',
  code: '',
  cause: '',
  initiator: '',
  route: '',
  client: '',
  hint: '',
  mismatch: false,
};

export const connection = signal<Connection>('connecting');
/** Time of the last numbers, if none have come since. */
export const stale = signal<string | null>(null);
export const paused = signal(false);
/** Endings that came while the page was paused. */
export const waiting = signal(0);
/** The latest first. */
export const entries = signal<readonly Entry[]>([]);
/** The stream's last word about endings that it left out. */
export const notice = signal('');
export const filters = signal<Filters>(NO_FILTERS);
export const opened = signal<Ending | null>(null);
export const activity = signal<Activity | null>(null);
/** Sessions opened and ended a second, between the last two polls. */
export const rates = signal<{ opened: number; ended: number } | null>(null);
export const sessions = signal<Sessions | null>(null);
/** Findings of the shortest window; null if there is no diagnosis. */
export const findings = signal<readonly Finding[] | null>(null);
/** Findings of the longest window that the shortest has no more. */
export const earlier = signal<readonly Finding[]>([]);

export function causeOf(ending: Ending): string {
  return ending.event === 'websocket.closed' ? ending.cause : ending.outcome;
}

export function initiatorOf(ending: Ending): string {
  return ending.event === 'websocket.closed' ? ending.initiator : '';
}

export function hintOf(ending: Ending): string {
  return ending.event === 'websocket.closed' ? (ending.hint ?? '') : '';
}

/** Whether the filters take an ending. */
export function takes(filters: Filters, ending: Ending): boolean {
  const same = (wanted: string, value: string) => wanted === '' || wanted === value;
  return (
    same(filters.class, kindOf(ending)) &&
    (filters.code === '' || codesOf(ending).some((code) => String(code).startsWith(filters.code))) &&
    same(filters.cause, causeOf(ending)) &&
    same(filters.initiator, initiatorOf(ending)) &&
    same(filters.route, ending.route) &&
    same(filters.hint, hintOf(ending)) &&
    clientOf(ending).includes(filters.client) &&
    (!filters.mismatch || mismatch(ending) !== null)
  );
}

export const taken = computed(() => entries.value.filter((entry) => takes(filters.value, entry.ending)));

/** The different values of the kept endings, for a filter's choices. */
export function choices(value: (ending: Ending) => string): string[] {
  return [...new Set(entries.value.map((entry) => value(entry.ending)))].filter((one) => one !== '').sort();
}
