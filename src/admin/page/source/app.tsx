import { Bars } from './bars';
import { Chart } from './chart';
import { moment } from './format';
import { resume } from './feed';
import { Findings } from './findings';
import { Now } from './now';
import { Recent } from './recent';
import { RecordDialog } from './record';
import { LiveSessions } from './sessions';
import { activity, connection, findings, paused, stale, waiting } from './state';

const PATHS = ['closes', 'sessions', 'activity', 'diagnosis', 'metrics'];

export function App() {
  const numbers = activity.value;
  return (
    <>
      <header>
        <h1>closewatch</h1>
        <span class="instance">{numbers ? `${numbers.instance ?? ''} · ${numbers.version}` : ''}</span>
        <Status />
        <button
          type="button"
          class="pause"
          aria-pressed={paused.value}
          onClick={() => (paused.value ? resume() : (paused.value = true))}
        >
          {paused.value ? `Resume${waiting.value > 0 ? ` (${waiting.value} new)` : ''}` : 'Pause'}
        </button>
        {stale.value !== null && !paused.value && (
          <p class="stale" role="alert">
            No answer from this address. All below is as it was at {moment(stale.value)}.
          </p>
        )}
      </header>
      <main>
        <Findings />
        <Now />
        <Chart />
        <div class="pair">
          <Bars
            id="idle"
            title="Idle time at the end"
            hint="Silence before a session ended, last 15 minutes. A limit that was found is marked."
            bars={numbers?.idle ?? []}
            findings={findings.value}
          />
          <Bars
            id="lifetime"
            title="Lifetime at the end"
            hint="Age of sessions that ended, last 15 minutes. A limit that was found is marked."
            bars={numbers?.lifetime ?? []}
            findings={findings.value}
          />
        </div>
        <Recent />
        <LiveSessions />
      </main>
      <footer>
        Behind this page: {PATHS.map((path) => [<a key={path} href={path}>{path}</a>, ' '])}
      </footer>
      <RecordDialog />
    </>
  );
}

function Status() {
  const state = paused.value ? 'paused' : connection.value;
  const text = {
    connecting: 'connecting',
    live: 'live',
    lost: 'connection lost, trying again',
    refused: 'no room for another stream: numbers only',
    paused: 'paused',
  }[state];
  return (
    <span role="status" class={`status ${state}`}>
      {text}
    </span>
  );
}
