import { clock } from './format';
import type { Finding } from './model';
import { findings } from './state';

/** Findings that are open from the start; the rest is behind one click. */
const OPEN = 3;

/** Who is cutting sessions, how, since when, and what to do. Absent if the diagnosis is off. */
export function Findings() {
  const found = findings.value;
  if (found === null) return null;
  const [first, rest] = [found.slice(0, OPEN), found.slice(OPEN)];
  return (
    <section class="findings" aria-labelledby="findings-title">
      <h2 id="findings-title">Findings</h2>
      {found.length === 0 ? (
        <p class="empty">None in the last 15 minutes.</p>
      ) : (
        <>
          <List findings={first} />
          {rest.length > 0 && (
            <details>
              <summary>{rest.length} more</summary>
              <List findings={rest} />
            </details>
          )}
        </>
      )}
    </section>
  );
}

function List({ findings }: { findings: readonly Finding[] }) {
  return (
    <ol>
      {findings.map((finding) => (
        <li key={`${finding.route} ${finding.culprit} ${finding.mechanism}`}>
          <p class="sentence">{finding.sentence}</p>
          <p>{finding.action}</p>
          <p class="hint">
            {[
              finding.mechanism,
              `culprit ${[finding.culprit, ...finding.or].join(' or ')}`,
              `since ${clock(finding.first_at)}`,
              `${Math.round(100 * finding.confidence)} % sure`,
              ...finding.evidence.map(({ fact, value }) => `${fact}: ${value}`),
            ].join(' · ')}
          </p>
        </li>
      ))}
    </ol>
  );
}
