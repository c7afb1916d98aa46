import { duration, exactly } from './format';
import type { Closed, Leg } from './model';

interface Step {
  at: number;
  client: string;
  upstream: string;
  /** The ending event. */
  end?: boolean;
  /** A state of things when the ending event came. */
  before?: boolean;
}

const ENDS: Record<string, string> = {
  fin: 'FIN',
  reset: 'reset',
  timeout: 'timeout: answers nothing',
  tls_truncated: 'FIN without close_notify',
  local: 'ended by closewatch',
};

/** What is known of one peer, with the pings that it was sent beside the peer that sent them. */
function stepsOf(closed: Closed, side: 'client' | 'upstream'): Step[] {
  const [leg, other]: [Leg, 'client' | 'upstream'] =
    side === 'client' ? [closed.client, 'upstream'] : [closed.upstream, 'client'];
  const steps: Step[] = [];
  const add = (at: number | null | undefined, text: string) => {
    if (at !== null && at !== undefined) steps.push({ at, client: '', upstream: '', [side]: text });
  };
  add(leg.last_message_at_ms, 'last message');
  const pong = leg.since_answered_ping_ms === null ? null : Math.max(0, closed.duration_ms - leg.since_answered_ping_ms);
  if (pong !== null && leg.ping_rtt_ms !== null) {
    steps.push({ at: Math.max(0, pong - leg.ping_rtt_ms), client: '', upstream: '', [other]: 'last answered ping' });
    add(pong, `its pong, after ${exactly(leg.ping_rtt_ms)}`);
  }
  if (pong === null || Math.abs((leg.last_pong_at_ms ?? pong) - pong) > 1) add(leg.last_pong_at_ms, 'last pong, unasked');
  if (leg.unanswered_pings > 0) {
    const pings = leg.unanswered_pings === 1 ? 'a ping' : `${leg.unanswered_pings} pings`;
    steps.push({ at: closed.duration_ms, client: '', upstream: '', [side]: `${pings} unanswered by then`, before: true });
  }
  if (leg.last_frame_at_ms !== leg.last_message_at_ms && leg.last_frame_at_ms !== leg.last_pong_at_ms) {
    // A Close is a frame as well.
    if (leg.close === null || Math.abs((leg.last_frame_at_ms ?? 0) - leg.close.at_ms) > 1) {
      add(leg.last_frame_at_ms, 'last frame');
    }
  }
  if (leg.close) {
    const text = `Close ${leg.close.code ?? 'without a code'}${leg.close.reason ? ` “${leg.close.reason}”` : ''}`;
    add(leg.close.at_ms, text);
  }
  add(leg.end_at_ms, ENDS[leg.end] ?? leg.end);
  return steps;
}

function startedBy({ initiator }: Closed, step: Step): boolean {
  if (initiator === 'client' || initiator === 'both') return step.client !== '';
  return initiator === 'upstream' && step.upstream !== '';
}

/** The two legs beside each other, from the opening to the record. */
export function Timeline({ closed }: { closed: Closed }) {
  const steps: Step[] = [
    { at: 0, client: 'open', upstream: 'open' },
    ...stepsOf(closed, 'client'),
    ...stepsOf(closed, 'upstream'),
  ];
  // The ending event is a step of the one who began it; of nobody if closewatch did.
  const begun = (step: Step) => step.at > 0 && !step.before && Math.abs(step.at - closed.duration_ms) < 0.002 && startedBy(closed, step);
  const ending = steps.find(begun);
  if (ending) ending.end = true;
  else steps.push({ at: closed.duration_ms, client: closed.cause, upstream: closed.cause, end: true });
  // Of steps at the same time, those that are not the ending event followed from it.
  const order = ({ end, before }: Step) => (before ? 0 : end ? 1 : 2);
  steps.sort((one, other) => one.at - other.at || order(one) - order(other));
  return (
    <section>
      <h3 id="timeline-title">Time line</h3>
      <table class="timeline" aria-labelledby="timeline-title">
        <thead>
          <tr>
            <th scope="col">after</th>
            <th scope="col">client</th>
            <th scope="col">upstream</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step, number) => {
            const gap = step.at - (steps[number - 1]?.at ?? step.at);
            return (
              <tr key={number} class={`${step.end ? 'end' : ''} ${gap >= 1000 ? 'gap' : ''}`}>
                <th scope="row">
                  {exactly(step.at)}
                  {gap >= 1000 && <span> +{duration(gap)}</span>}
                </th>
                <td class={step.client ? 'step' : ''}>
                  {step.client}
                  {step.end && step.client && <em> the end</em>}
                </td>
                <td class={step.upstream ? 'step' : ''}>
                  {step.upstream}
                  {step.end && step.upstream && <em> the end</em>}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
