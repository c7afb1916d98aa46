// Shared by the Node peers: loading the libraries that tests/run has installed, JSON lines, and the main loop of a client.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const installed = createRequire(new URL('../../.work/node/package.json', import.meta.url));

/** Longest session of a client: far longer than a session takes, shorter than a test waits for it. */
const SESSION_MS = 30_000;

/** Loads an installed library. If it is missing, says what to do and exits. */
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

/** Ends a connection with RST. With TLS, node offers that only for the TCP handle below it. */
export function reset(socket) {
  if (!socket.encrypted) {
    socket.resetAndDestroy();
    return;
  }
  const tcp = socket._parent?._handle ?? socket._handle._parent;
  tcp.reset(() => {});
  // The handle is closed already. Without it, destroy() does not wait for a second close event.
  socket._handle = null;
  socket.destroy();
}

/** The subprotocols that a client offers. */
export function offered() {
  return process.env.PEER_SUBPROTOCOL ? [process.env.PEER_SUBPROTOCOL] : [];
}

/** Runs `last` when standard input ends. */
export function whenInputEnds(last) {
  process.stdin.on('end', last).on('error', last).resume();
}

/** Resolves with the report of the `ws` library when a session has ended. */
export function closed(ws) {
  let error = null;
  // `ws` does not report errors of the transport; the socket does.
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
