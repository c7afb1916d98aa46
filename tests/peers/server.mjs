// A `ws` server whose request path says how each session ends: see README.md.

import { library, print, whenInputEnds, closed } from './peer.mjs';

const { WebSocketServer } = library('ws');

const endings = {
  echo: () => {},
  close: (ws, [code, reason]) => ws.close(Number(code), reason),
  'close-empty': (ws) => ws.close(),
  terminate: (ws) => ws.terminate(),
  reset: (ws) => ws._socket.resetAndDestroy(),
  exit: () => process.kill(process.pid, 'SIGKILL'),
};

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  verifyClient: ({ req }, answer) => answer(endingOf(req.url).end !== undefined, 404),
});

server.on('listening', () => print({ listening: server.address().port }));
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
