import { roughly } from './format';
import { keyOf, sum, type Bar, type Finding } from './model';

/** The axis goes from a tenth of a second over six decades, with a bar for what is below and one for what is above. */
const PER_DECADE = 8;
const COUNT = 6 * PER_DECADE + 2;
const TICKS: [number, string][] = [
  [100, '0.1 s'],
  [1000, '1 s'],
  [10_000, '10 s'],
  [60_000, '1 min'],
  [600_000, '10 min'],
  [3_600_000, '1 h'],
  [36_000_000, '10 h'],
];

/** A bar that is higher than chance explains. */
interface Cluster {
  at: number;
  bar: Bar;
}

/** Mechanisms whose limit is a silence, and those whose limit is an age. */
const SILENCES = ['idle_cut', 'silent_drop', 'heartbeat_timeout', 'keepalive_timeout'];
const AGES = ['max_lifetime', 'auth_expired'];
const MECHANISMS = { idle: SILENCES, lifetime: AGES };

/** A time at which a finding says that sessions end. */
interface Limit {
  ms: number;
  finding: Finding;
}

/** Where a time stands on the axis, in bars. */
function place(ms: number): number {
  return Math.log10(ms / 100) * PER_DECADE + 1;
}

function position(bar: Bar): number {
  return bar.from_ms === 0 ? 0 : Math.round(place(bar.from_ms));
}

function limits(of: keyof typeof MECHANISMS, findings: readonly Finding[]): Limit[] {
  return findings.flatMap((finding) =>
    finding.limit_s !== null && MECHANISMS[of].includes(finding.mechanism)
      ? [{ ms: finding.limit_s * 1000, finding }]
      : [],
  );
}

/** Whether a limit is in this bar, or so close to its edge that some of its sessions are. */
function holds(at: number, { ms }: Limit): boolean {
  return at >= Math.floor(place(0.97 * ms)) && at <= Math.floor(place(1.03 * ms));
}

/** Without diagnosis: bars that hold at least a tenth of all, five sessions, and three times what their neighbours hold on average. */
function clusters(counts: number[], bars: Bar[]): Cluster[] {
  const all = sum(counts);
  const found = bars.flatMap((bar) => {
    const at = position(bar);
    const near = [-3, -2, 2, 3].map((by) => counts[at + by] ?? 0);
    const usual = sum(near) / near.length;
    const highest = bar.count >= (counts[at - 1] ?? 0) && bar.count > (counts[at + 1] ?? 0);
    const stands = at > 0 && highest && bar.count >= 5 && bar.count >= all / 10 && bar.count >= 3 * usual;
    return stands ? [{ at, bar }] : [];
  });
  return found.sort((one, other) => other.bar.count - one.bar.count).slice(0, 3);
}

/** The highest bars, for those who do not see them. */
function described(title: string, bars: Bar[]): string {
  const highest = bars.toSorted((one, other) => other.count - one.count).slice(0, 5);
  const told = highest.toSorted((one, other) => one.mean_ms - other.mean_ms).map((bar) => `${bar.count} around ${roughly(bar.mean_ms)}`);
  return `${title}: ${told.join(', ') || 'no session yet'}`;
}

interface Props {
  id: keyof typeof MECHANISMS;
  title: string;
  hint: string;
  bars: Bar[];
  /** Null if there is no diagnosis. */
  findings: readonly Finding[] | null;
}

/** Times as bars. The limits that diagnosis has found are marked; without diagnosis, bars that stand out. */
export function Bars({ id, title, hint, bars, findings }: Props) {
  const counts = new Array<number>(COUNT).fill(0);
  for (const bar of bars) counts[position(bar)] = bar.count;
  const most = Math.max(1, ...counts);
  const all = sum(counts);
  const known = limits(id, findings ?? []);
  const found = findings === null ? clusters(counts, bars) : [];
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <p class="hint">{hint}</p>
      <svg class="bars" viewBox={`0 0 ${COUNT * 10} 120`} preserveAspectRatio="none" role="img" aria-label={described(title, bars)}>
        {bars.map((bar) => {
          const at = position(bar);
          const height = Math.max(2, (110 * bar.count) / most);
          const marked = found.some((cluster) => cluster.at === at) || known.some((limit) => holds(at, limit));
          return (
            <rect key={at} class={marked ? 'marked' : ''} x={at * 10 + 1} y={120 - height} width={8} height={height} />
          );
        })}
      </svg>
      <div class="axis" aria-hidden="true">
        {TICKS.map(([ms, name]) => (
          <span key={ms} style={{ left: `${(place(ms) / COUNT) * 100}%` }}>
            {name}
          </span>
        ))}
      </div>
      {all === 0 ? (
        <p class="empty">No session has ended yet.</p>
      ) : (
        <ul class="clusters">
          {found.map(({ at, bar }) => (
            <li key={at}>
              <b>{bar.count}</b> of {all} around <b>{roughly(bar.mean_ms)}</b>
            </li>
          ))}
          {known.map(({ ms, finding }) => (
            <li key={keyOf(finding)}>
              <b>{finding.sessions}</b> at <b>{roughly(ms)}</b>: {finding.mechanism}
            </li>
          ))}
          {found.length + known.length === 0 && <li>{all} sessions, no limit found</li>}
        </ul>
      )}
    </section>
  );
}
