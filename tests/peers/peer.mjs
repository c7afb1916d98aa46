// What the Node peers share: their libraries from where tests/run put them, JSON lines, and the course of a client.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const installed = createRequire(new URL('../../.work/node/package.json', import.meta.url));

/** Bound on one session of a client: far above what one takes, below what a test waits for it. */
const SESSION_MS = 30_000;

/** An installed library; an absent one ends the process with what to do about it. */
export function library(name) {
  try {
    return installed(name);
  } catch (error) {
    console.error(`${name} cannot be loaded (${error.code}): run tests/run first`);
    process.exit(1);
  }
}

/** Writes one JSON line. */
export function print(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Ends a connection with RST. Of one with TLS node can only do so below it. */
export function reset(socket) {
  if (!socket.encrypted) {
    socket.resetAndDestroy();
    return;
  }
  const tcp = socket._parent?._handle ?? socket._handle._parent;
  tcp.reset(() => {});
  // It is closed already, and would not say so again.
  socket._handle = null;
  socket.destroy();
}

/** Runs `last` when standard input ends. */
export function whenInputEnds(last) {
  process.stdin.on('end', last).on('error', last).resume();
}

/** Watches the end of one `ws` session; resolves with what the library reports of it. */
export function closed(ws) {
  let error = null;
  // `ws` keeps errors of the transport to itself; the socket tells them to whoever listens.
  ws._socket.on('error', (cause) => (error ??= cause.code));
  ws.on('error', (cause) => (error ??= cause.code ?? cause.message));
  return new Promise((resolve) => {
    ws.addEventListener('close', ({ code, reason, wasClean }) =>
      resolve({ event: 'closed', code, reason, clean: wasClean, error }),
    );
  });
}

/**
 * Runs the sessions that the command line or standard input asks for, and prints what `session(url, action, parameters)`
 * resolves with. A session that fails, or takes too long, ends the process.
 */
export async function runClient(actions, session) {
  if (process.argv.length > 2) {
    return one(process.argv.slice(2));
  }
  for await (const line of createInterface({ input: process.stdin })) {
    await one(JSON.parse(line));
  }

  async function one([url, action, ...parameters]) {
    const overdue = setTimeout(() => fail(new Error(`${action} is not done after ${SESSION_MS} ms`)), SESSION_MS);
    try {
      if (!actions.includes(action)) {
        throw new Error(`usage: URL ${actions.join('|')} [CODE [REASON]]`);
      }
      print(await session(url, action, parameters));
    } catch (error) {
      fail(error);
    }
    clearTimeout(overdue);
  }
}

function fail(error) {
  print({ event: 'failed', error: error.message });
  process.exit(1);
}
