import { bytes, duration } from './format';
import { sessions } from './state';

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
                  From client
                </th>
                <th scope="col" class="number">
                  From upstream
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
                  <td class="number">{bytes(session.bytes_from_client)}</td>
                  <td class="number">{bytes(session.bytes_from_upstream)}</td>
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
