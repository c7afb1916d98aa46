import { useEffect, useRef, useState } from 'preact/hooks';
import { explained } from './feed';
import { bytes, clock, duration, exactly } from './format';
import { kindOf, type Closed, type Ending, type Explanation, type HandshakeFailed, type Leg, type Word } from './model';
import { opened } from './state';
import { Timeline } from './timeline';

/** The whole record of one ending. */
export function RecordDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const ending = opened.value;
  useEffect(() => {
    if (ending) dialog.current?.showModal();
    else dialog.current?.close();
  }, [ending]);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="record-title"
      onClose={() => (opened.value = null)}
      onClick={(event) => {
        // Beside the record is the dialog's own backdrop.
        if (event.target === dialog.current) opened.value = null;
      }}
    >
      {ending && (
        <article>
          <header>
            <h2 id="record-title">
              <span class={`dot ${kindOf(ending)}`} aria-hidden="true" />
              {title(ending)}
            </h2>
            <button type="button" autofocus onClick={() => (opened.value = null)}>
              Close
            </button>
          </header>
          {ending.event === 'websocket.closed' ? <Session closed={ending} /> : <Handshake failed={ending} />}
          <details>
            <summary>The record as JSON</summary>
            <pre tabIndex={0}>{JSON.stringify(ending, null, 2)}</pre>
          </details>
        </article>
      )}
    </dialog>
  );
}

function title(ending: Ending): string {
  if (ending.event === 'websocket.closed') return `${ending.code ?? 'Code'} ${ending.code_name}, ${ending.class}`;
  return `Failed upgrade: ${ending.outcome}`;
}

function Session({ closed }: { closed: Closed }) {
  const by = { client: 'the client', upstream: 'the upstream', both: 'both at once', proxy: 'closewatch' };
  const initiator = by[closed.initiator as keyof typeof by] ?? 'somebody unknown';
  return (
    <>
      <p>
        On route <b>{closed.route}</b>, ended by <b>{initiator}</b> (<code>{closed.cause}</code>) at {clock(closed.time)},{' '}
        <b>{duration(closed.duration_ms)}</b> after it opened and <b>{duration(closed.idle_ms)}</b> after the last frame.
      </p>
      {closed.reason ? (
        <p>
          Reason: <q>{closed.reason}</q>
        </p>
      ) : null}
      <div class="legs">
        <LegFacts name="Client" leg={closed.client} />
        <LegFacts name="Upstream" leg={closed.upstream} />
      </div>
      <Timeline closed={closed} />
      {closed.hint !== null && <Behind word={closed.hint} title="Behind it, by the diagnosis:" />}
      {closed.code !== null && <Meaning code={closed.code} route={closed.route} />}
      <Behind word={closed.cause} title="The cause" />
      <h3>Request</h3>
      <Request ending={closed} />
    </>
  );
}

function Handshake({ failed }: { failed: HandshakeFailed }) {
  const { address, real_address, tls_version } = failed.client;
  const facts: Fact[] = [
    ['client', real_address ? `${real_address} by ${address}` : address],
    ['TLS', tls_version],
    ['TLS failed', failed.tls_error],
  ];
  return (
    <>
      <p>
        {failed.route === 'none' ? 'On no route' : <>On route <b>{failed.route}</b></>} at {clock(failed.time)}, after{' '}
        {exactly(failed.duration_ms)}. The client was given {failed.status === null ? 'no answer' : <b>{failed.status}</b>}; a browser
        reports that as 1006.
      </p>
      {failed.detail && (
        <p>
          Why: <q>{failed.detail}</q>
        </p>
      )}
      <Facts of={facts} />
      <Behind word={failed.outcome} title="The outcome" />
      <h3>Request</h3>
      <Request ending={failed} />
    </>
  );
}

type Fact = [term: string, value: string | null];

/** A list of terms; those without a value are left out. */
function Facts({ of, prose }: { of: Fact[]; prose?: boolean }) {
  return (
    <dl class={prose ? 'facts meaning' : 'facts'}>
      {of
        .filter(([, value]) => value)
        .map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

function LegFacts({ name, leg }: { name: string; leg: Leg }) {
  const facts: Fact[] = [
    ['saw', `${leg.saw.code ?? 'unknown'}, ${leg.saw.clean ? 'clean' : 'not clean'}${leg.saw.certain ? '' : ', not certain'}`],
    ['Close', leg.close ? `${leg.close.code ?? 'without a code'} ${leg.close.reason ?? ''}`.trim() : 'none'],
    ['transport', leg.end],
    ['messages', `${leg.text_messages} text, ${leg.binary_messages} binary, ${bytes(leg.bytes)}`],
    ['pings, pongs', `${leg.pings}, ${leg.pongs}${leg.unanswered_pings ? `; ${leg.unanswered_pings} unanswered` : ''}`],
    ['ping RTT', leg.ping_rtt_ms === null ? 'none' : `${leg.ping_rtt_ms} ms`],
    ['stalled', leg.stalled_ms === 0 ? 'never' : duration(leg.stalled_ms)],
    ['undelivered', bytes(leg.undelivered_bytes)],
    ['address', leg.real_address ? `${leg.real_address} by ${leg.address}` : leg.address],
  ];
  if (leg.stalled_at_end_ms > 0) facts.push(['stalled at the end', duration(leg.stalled_at_end_ms)]);
  if (leg.tls_version) facts.push(['TLS', leg.tls_version]);
  if (leg.tls_alert) facts.push(['TLS alert', leg.tls_alert]);
  const violations = Object.entries(leg.violations).map(([kind, count]) => `${kind} ${count}`);
  if (violations.length > 0) facts.push(['violations', violations.join(', ')]);
  return (
    <section>
      <h3>{name}</h3>
      <Facts of={facts} />
    </section>
  );
}

function Request({ ending }: { ending: Ending }) {
  const { path, host, user_agent } = ending.request;
  const facts: Fact[] = [
    ['path', path],
    ['host', host],
    ['user agent', user_agent],
    ['session', ending.event === 'websocket.closed' ? ending.session : null],
    ['instance', ending.instance],
  ];
  return <Facts of={facts} />;
}

/** The instance's explanation of a word; null until it has come. */
function useExplained<T>(word: number | string): T | null {
  const [known, setKnown] = useState<T | null>(null);
  useEffect(() => {
    let current = true;
    setKnown(null);
    void explained<T>(word).then((answer) => current && setKnown(answer));
    return () => {
      current = false;
    };
  }, [word]);
  return known;
}

/** A cause, an outcome or a hint, explained. */
function Behind({ word, title }: { word: string; title: string }) {
  const known = useExplained<Word[]>(word);
  if (!known) return null;
  return (
    <section>
      <h3>
        {title} <a href={`explain/${word}`}>{word}</a>
      </h3>
      {known.map(({ field, meaning, seen_when, action }) => (
        <Facts key={field} prose of={[['meaning', meaning], ['seen when', seen_when], ['operator', action]]} />
      ))}
    </section>
  );
}

function Meaning({ code, route }: { code: number; route: string }) {
  const known = useExplained<Explanation>(code);
  if (!known) return null;
  const configured = known.classes.find((one) => one.route === route);
  const texts: Fact[] = [
    ['meaning', known.meaning],
    ['sent by', known.sent_by],
    ['seen when', known.seen_when],
    ['client', known.client],
    ['server', known.server],
    ['operator', known.operator],
    ...known.products.map(({ product, meaning }): Fact => [product, meaning]),
    ['class here', `${configured?.class ?? known.class}, on route ${route}`],
    ...known.presets.map((preset): Fact => [preset.title, `${preset.name}: ${preset.meaning}`]),
  ];
  return (
    <section>
      <h3>
        What <a href={`explain/${code}`}>{code}</a> means
      </h3>
      <Facts prose of={texts} />
    </section>
  );
}
