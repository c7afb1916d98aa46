import { clock, duration } from './format';
import { KINDS, clientOf, kindOf, mismatch, nameOf, type Entry } from './model';
import {
  NO_FILTERS,
  SHOWN,
  causeOf,
  choices,
  entries,
  filters,
  hintOf,
  initiatorOf,
  notice,
  opened,
  taken,
  type Filters,
} from './state';

/** The latest endings that the filters take. */
export function Recent() {
  const rows = taken.value;
  return (
    <section aria-labelledby="recent-title">
      <h2 id="recent-title">Recent endings</h2>
      <FilterBar />
      <p class="hint">
        {rows.length} of the last {entries.value.length}
        {rows.length > SHOWN ? `, the latest ${SHOWN} below` : ''}. {notice.value}
      </p>
      {rows.length === 0 ? (
        <p class="empty">{entries.value.length === 0 ? 'No session has ended yet.' : 'None that all filters take.'}</p>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-labelledby="recent-title">
          <table class="endings">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Route</th>
                <th scope="col">Class</th>
                <th scope="col">Code</th>
                <th scope="col">Initiator</th>
                <th scope="col">Cause</th>
                <th scope="col" class="number">
                  After
                </th>
                <th scope="col">
                  <abbr title="Codes that client and upstream saw, where they differ">Saw</abbr>
                </th>
                <th scope="col">Reason</th>
                <th scope="col">
                  <abbr title="Mechanism that the diagnosis names for this end">Hint</abbr>
                </th>
                <th scope="col">Client</th>
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, SHOWN).map((entry) => (
                <Row key={entry.id} entry={entry} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Row({ entry: { ending } }: { entry: Entry }) {
  const kind = kindOf(ending);
  const closed = ending.event === 'websocket.closed';
  const code = closed ? (ending.code_name === 'Invalid' ? 'invalid' : (ending.code ?? 'unknown')) : (ending.status ?? '–');
  return (
    <tr onClick={() => (opened.value = ending)}>
      <td class="time">
        <button type="button" class="open" aria-label={`Open the record of ${clock(ending.time)}, ${causeOf(ending)}`}>
          {clock(ending.time)}
        </button>
      </td>
      <td class="route">{ending.route}</td>
      <td class="class">
        <span class={`dot ${kind}`} aria-hidden="true" />
        {nameOf(kind)}
      </td>
      <td class="code">{code}</td>
      <td class="initiator">{initiatorOf(ending) || '–'}</td>
      <td class="cause">{causeOf(ending)}</td>
      <td class="number after">{duration(ending.duration_ms)}</td>
      <td class="saw">{mismatch(ending)}</td>
      <td class="reason">{closed ? ending.reason : ending.detail}</td>
      <td class="hint-word">{hintOf(ending)}</td>
      <td class="client">{clientOf(ending)}</td>
    </tr>
  );
}

function FilterBar() {
  const now = filters.value;
  const set = (changed: Partial<Filters>) => (filters.value = { ...now, ...changed });
  const chosen = JSON.stringify(now) !== JSON.stringify(NO_FILTERS);
  const choice = (name: 'class' | 'cause' | 'initiator' | 'route' | 'hint', label: string, values: readonly string[]) => {
    // A value that was chosen stays a choice when no ending has it any more.
    const all = now[name] === '' || values.includes(now[name]) ? values : [now[name], ...values];
    return (
      <label>
        {label}
        <select value={now[name]} onChange={(event) => set({ [name]: event.currentTarget.value })}>
          <option value="">any</option>
          {all.map((value) => (
            <option key={value} value={value}>
              {nameOf(value)}
            </option>
          ))}
        </select>
      </label>
    );
  };
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      {choice('class', 'Class', KINDS)}
      <label>
        Code
        <input
          type="text"
          inputMode="numeric"
          size={6}
          placeholder="any"
          title="Of either side; the first digits are enough"
          value={now.code}
          onInput={(event) => set({ code: event.currentTarget.value.trim() })}
        />
      </label>
      {choice('cause', 'Cause', choices(causeOf))}
      {choice('initiator', 'Initiator', choices(initiatorOf))}
      {choice('route', 'Route', choices((ending) => ending.route))}
      {choice('hint', 'Hint', choices(hintOf))}
      <label>
        Client
        <input
          type="text"
          size={12}
          placeholder="any"
          value={now.client}
          onInput={(event) => set({ client: event.currentTarget.value.trim() })}
        />
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={now.mismatch}
          onChange={(event) => set({ mismatch: event.currentTarget.checked })}
        />
        Sides saw different codes
      </label>
      <button type="button" disabled={!chosen} onClick={() => (filters.value = NO_FILTERS)}>
        Clear
      </button>
    </form>
  );
}
