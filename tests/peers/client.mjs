// A `ws` client that ends its sessions as asked, or waits for the server to: see README.md.

import { once } from 'node:events';
import { library, closed, offered, reset, runClient } from './peer.mjs';

const WebSocket = library('ws');

const actions = {
  close: (ws, [code, reason]) => ws.close(Number(code), reason),
  'close-empty': (ws) => ws.close(),
  terminate: (ws) => ws.terminate(),
  reset: (ws) => reset(ws._socket),
  wait: (ws) => ws.send('go'),
  'half-close': (ws) => ws._socket.end(),
  kill: () => process.kill(process.pid, 'SIGKILL'),
};

await runClient(Object.keys(actions), async (url, action, parameters) => {
  const ws = new WebSocket(url, offered());
  await once(ws, 'open');
  const end = closed(ws);

  const echo = once(ws, 'message');
  ws.send('hello');
  const early = await Promise.race([echo, end]);
  if (early.event) {
    throw new Error(`ended before the echo: ${JSON.stringify(early)}`);
  }

  actions[action](ws, parameters);
  return end;
});
