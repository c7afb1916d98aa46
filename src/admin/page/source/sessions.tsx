import { bytes, duration } from './format';
import type { LiveSession } from './model';
import { sessions } from './state';

function sent(messages: number, size: number): string {
  return `${messages} · ${bytes(size)}`;
}

/** Times for which each side took nothing, and whether that goes on. */
function stalls({ client_stalled_ms, upstream_stalled_ms, stalled_now }: LiveSession): string {
  const sides: [string, number][] = [
    ['client', client_stalled_ms],
    ['upstream', upstream_stalled_ms],
  ];
  const stalled = sides.filter(([, ms]) => ms > 0).map(([side, ms]) => `${side} ${duration(ms)}`);
  if (stalled.length === 0) return stalled_now ? 'now' : '–';
  return stalled.join(', ') + (stalled_now ? ', now' : '');
}

/** The oldest sessions that are up. */
export function LiveSessions() {
  const live = sessions.value;
  return (
    <section aria-labelledby="sessions-title">
      <h2 id="sessions-title">Live sessions</h2>
      <p class="hint">
        {live ? `${live.count} now${live.count > live.sessions.length ? `, the oldest ${live.sessions.length} below` : ''}.` : ''}
      </p>
      {live && live.sessions.length > 0 ? (
        <div class="scroll" tabIndex={0} role="region" aria-labelledby="sessions-title">
          <table class="sessions">
            <thead>
              <tr>
                <th scope="col">Route</th>
                <th scope="col">Client</th>
                <th scope="col" class="number">
                  Age
                </th>
                <th scope="col" class="number">
                  Idle
                </th>
                <th scope="col" class="number">
                  <abbr title="Messages and bytes that the client sent">From client</abbr>
                </th>
                <th scope="col" class="number">
                  <abbr title="Messages and bytes that the upstream sent">From upstream</abbr>
                </th>
                <th scope="col" class="number">
                  <abbr title="How long client and upstream took no bytes that were there for them">Stalled</abbr>
                </th>
                <th scope="col">Path</th>
                <th scope="col">Session</th>
              </tr>
            </thead>
            <tbody>
              {live.sessions.map((session) => (
                <tr key={session.session}>
                  <td>{session.route}</td>
                  <td>{session.real_address ?? session.client}</td>
                  <td class="number">{duration(session.age_ms)}</td>
                  <td class="number">{duration(session.idle_ms)}</td>
                  <td class="number">{sent(session.messages_from_client, session.bytes_from_client)}</td>
                  <td class="number">{sent(session.messages_from_upstream, session.bytes_from_upstream)}</td>
                  <td class={session.stalled_now ? 'number stalled' : 'number'}>{stalls(session)}</td>
                  <td class="path">{session.path}</td>
                  <td class="id">{session.session}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <p class="empty">No session is up.</p>
      )}
    </section>
  );
}
