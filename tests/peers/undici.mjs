// An undici client that ends its sessions as asked, or waits for the server to: see README.md.

import { library, runClient } from './peer.mjs';

const { WebSocket } = library('undici');

const actions = {
  close: (ws, [code, reason]) => ws.close(Number(code), reason),
  'close-empty': (ws) => ws.close(),
  wait: (ws) => ws.send('go'),
  kill: () => process.kill(process.pid, 'SIGKILL'),
};

await runClient(Object.keys(actions), (url, action, parameters) => {
  const ws = new WebSocket(url);
  return new Promise((resolve, reject) => {
    let met = false;
    ws.onopen = () => ws.send('hello');
    ws.onmessage = () => {
      met = true;
      actions[action](ws, parameters);
    };
    ws.onclose = ({ code, reason, wasClean }) =>
      met
        ? resolve({ event: 'closed', code, reason, clean: wasClean, error: null })
        : reject(new Error(`ended before the echo: ${code} ${reason}`));
  });
});
process.exit(0);
