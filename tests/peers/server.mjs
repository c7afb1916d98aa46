// A `ws` server. The request path says how each session ends: see README.md.

import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { library, print, whenInputEnds, closed, reset } from './peer.mjs';

const { WebSocketServer } = library('ws');

const endings = {
  echo: () => {},
  close: (ws, [code, reason]) => ws.close(Number(code), reason),
  'close-empty': (ws) => ws.close(),
  terminate: (ws) => ws.terminate(),
  reset: (ws) => reset(ws._socket),
  exit: () => process.kill(process.pid, 'SIGKILL'),
};

const { PEER_TLS_CERT, PEER_TLS_KEY } = process.env;
const listener = PEER_TLS_CERT
  ? https.createServer({ cert: readFileSync(PEER_TLS_CERT), key: readFileSync(PEER_TLS_KEY) })
  : http.createServer();

const server = new WebSocketServer({
  server: listener,
  verifyClient: ({ req }, answer) => answer(endingOf(req.url).end !== undefined, 404),
});

listener.listen(0, '127.0.0.1', () => print({ listening: listener.address().port }));
server.on('connection', (ws, request) => {
  const { path, end, parameters } = endingOf(request.url);
  closed(ws).then((report) => print({ path, ...report }));
  ws.on('message', (data, binary) => {
    if (String(data) === 'go') {
      end(ws, parameters);
    } else {
      ws.send(data, { binary });
    }
  });
});

whenInputEnds(() => process.exit(0));

function endingOf(url) {
  const path = url.split('?', 1)[0];
  const [name, ...parameters] = path.slice(1).split('/').map(decodeURIComponent);
  return { path, end: Object.hasOwn(endings, name) ? endings[name] : undefined, parameters };
}
