import { useState } from 'preact/hooks';
import { openSession } from './feed';
import { moment } from './format';
import { keyOf, type Finding } from './model';
import { earlier, findings } from './state';

/** Findings that are open from the start; the rest is behind one click. */
const OPEN = 3;
/** Sessions that a finding names, each one click from its record. */
const EXAMPLES = 3;

/** Findings of the diagnosis: the culprit, the mechanism, since when, and what to do. Absent if the diagnosis is off. */
export function Findings() {
  const found = findings.value;
  if (found === null) return null;
  return (
    <section class="findings" aria-labelledby="findings-title">
      <h2 id="findings-title">Findings</h2>
      {found.length === 0 ? (
        <p class="empty">None in the last 15 minutes.</p>
      ) : (
        <List findings={found.slice(0, OPEN)} />
      )}
      <Folded what="more" findings={found.slice(OPEN)} start={OPEN + 1} />
      <Folded what="in the last day, over by now" findings={earlier.value} />
    </section>
  );
}

function Folded({ what, findings, start }: { what: string; findings: readonly Finding[]; start?: number }) {
  if (findings.length === 0) return null;
  return (
    <details>
      <summary>
        {findings.length} {what}
      </summary>
      <List findings={findings} start={start ?? 1} />
    </details>
  );
}

function List({ findings, start = 1 }: { findings: readonly Finding[]; start?: number }) {
  return (
    <ol start={start}>
      {findings.map((finding) => (
        <li key={keyOf(finding)}>
          <p class="sentence">{finding.sentence}</p>
          <p>{finding.action}</p>
          <p class="hint">
            <a href={`explain/${finding.mechanism}`}>{finding.mechanism}</a>
            {[
              '',
              `culprit ${[finding.culprit, ...finding.or].join(' or ')}`,
              `since ${moment(finding.first_at)}`,
              `last at ${moment(finding.last_at)}`,
              `${Math.round(100 * finding.confidence)} % sure`,
              ...finding.evidence.map(({ fact, value }) => `${fact}: ${value}`),
            ].join(' · ')}
          </p>
          {finding.examples.length > 0 && (
            <p class="hint">
              For example{' '}
              {finding.examples.slice(0, EXAMPLES).map((session) => (
                <Example key={session} session={session} />
              ))}
            </p>
          )}
        </li>
      ))}
    </ol>
  );
}

/** A session that opens its record, for as long as the instance keeps that. */
function Example({ session }: { session: string }) {
  const [gone, setGone] = useState(false);
  return (
    <>
      <button type="button" class="open id" aria-label={`Open the record of ${session}`} disabled={gone} onClick={() => void openSession(session).then((kept) => setGone(!kept))}>
        {session}
      </button>
      {gone && ' (in the close log only) '}
    </>
  );
}
