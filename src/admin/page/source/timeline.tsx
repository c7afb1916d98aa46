import { duration } from './format';
import type { Closed, Leg } from './model';

interface Step {
  at: number;
  client: string;
  upstream: string;
  /** The ending event. */
  end?: boolean;
}

const ENDS: Record<string, string> = {
  fin: 'FIN',
  reset: 'reset',
  timeout: 'timeout: answers nothing',
  tls_truncated: 'FIN without close_notify',
  local: 'ended by closewatch',
};

function stepsOf(leg: Leg, side: 'client' | 'upstream'): Step[] {
  const steps: Step[] = [];
  const add = (at: number | null | undefined, text: string) => {
    if (at !== null && at !== undefined) steps.push({ at, client: '', upstream: '', [side]: text });
  };
  add(leg.last_message_at_ms, 'last message');
  add(leg.last_pong_at_ms, 'last pong');
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
    ...stepsOf(closed.client, 'client'),
    ...stepsOf(closed.upstream, 'upstream'),
  ];
  // The ending event is a step of the one who began it; of nobody if closewatch did.
  const begun = (step: Step) => step.at > 0 && Math.abs(step.at - closed.duration_ms) < 0.002 && startedBy(closed, step);
  const ending = steps.find(begun);
  if (ending) ending.end = true;
  else steps.push({ at: closed.duration_ms, client: closed.cause, upstream: closed.cause, end: true });
  // What has the same time came of the end.
  steps.sort((one, other) => one.at - other.at || Number(other.end ?? false) - Number(one.end ?? false));
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
                  {duration(step.at)}
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
