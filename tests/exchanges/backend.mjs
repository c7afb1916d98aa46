// A Node application (http and ws) for tests/exchanges: see README.md.

import * as http from 'node:http';
import { library, print, whenInputEnds } from '../peers/peer.mjs';

const { WebSocketServer } = library('ws');

// By connection: `user` it belongs to, `rounds` of NTLM so far, and whether it has `answered` before.
const connections = new WeakMap();
const of = (socket) => connections.get(socket) ?? connections.set(socket, { rounds: 0 }).get(socket);

const routes = {
  // As NTLM: what is proved once, belongs to the connection.
  '/user': (request, response) => {
    const connection = of(request.socket);
    const said = request.headers.authorization;
    if (said === 'NTLM hello') {
      connection.rounds = 1;
      response.writeHead(401, { 'WWW-Authenticate': 'NTLM challenge' }).end();
    } else if (said === 'NTLM proof' && connection.rounds === 1) {
      connection.user = 'alice';
      response.end('alice');
    } else if (connection.user) {
      response.end(connection.user);
    } else {
      response.writeHead(401, { 'WWW-Authenticate': 'NTLM' }).end();
    }
  },
  '/secure': (request, response) => {
    if (request.headers['x-forwarded-proto'] !== 'https') {
      response.writeHead(301, { Location: `https://${request.headers.host}/secure` }).end();
    } else {
      response.end(`${request.headers['x-forwarded-for']} ${request.headers['x-forwarded-host']}`);
    }
  },
  '/hints': (_, response) => {
    response.writeProcessing();
    response.writeEarlyHints({ link: '</a.css>; rel=preload; as=style' });
    setImmediate(() => response.end('hints'));
  },
  '/target': (request, response) => response.end(request.url),
  '/websocket-only': (_, response) =>
    response.writeHead(426, { Upgrade: 'websocket', Connection: 'Upgrade', 'Content-Type': 'text/plain' }).end('upgrade'),
  '/upload': async (request, response) => {
    let length = 0;
    for await (const chunk of request) {
      length += chunk.length;
    }
    response.end(String(length));
  },
  '/refused-upload': (_, response) => response.writeHead(413, { Connection: 'close' }).end('too much'),
  // Its connection ends, if it has answered before.
  '/once': (request, response) => {
    const connection = of(request.socket);
    if (connection.answered) {
      request.socket.destroy();
    } else {
      connection.answered = true;
      response.end('once');
    }
  },
  '/events': (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: 1\n\n');
    setImmediate(() => response.end('data: 2\n\n'));
  },
  '/empty': (_, response) => response.writeHead(204).end(),
  '*': (_, response) => response.writeHead(200, { Allow: 'GET, OPTIONS' }).end(),
};

function answer(request, response) {
  const route = routes[request.url.split('?', 1)[0]];
  if (route === undefined) {
    response.writeHead(404).end();
  } else {
    route(request, response);
  }
}

const server = http.createServer(answer);
server.on('checkContinue', (request, response) => {
  if (request.url !== '/refused-upload') {
    response.writeContinue();
  }
  answer(request, response);
});

const sockets = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => {
  const { user } = of(socket);
  if (request.url === '/user' && !user) {
    socket.end('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  sockets.handleUpgrade(request, socket, head, (session) => session.close(1000, user ?? request.url));
});

server.listen(0, process.argv[2] ?? '127.0.0.1', () => print({ listening: server.address().port }));
whenInputEnds(() => process.exit(0));
