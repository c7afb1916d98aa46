// A bun server. The request path says how each session ends: see README.md. The library is bun itself.

const endings = {
  echo: () => {},
  close: (ws, [code, reason]) => ws.close(Number(code), reason),
  terminate: (ws) => ws.terminate(),
  exit: () => process.kill(process.pid, 'SIGKILL'),
};

const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, self) {
    const path = new URL(request.url).pathname;
    const [name, ...parameters] = path.slice(1).split('/').map(decodeURIComponent);
    if (!Object.hasOwn(endings, name)) {
      return new Response('no such ending\n', { status: 404 });
    }
    return self.upgrade(request, { data: { path, name, parameters } }) ? undefined : new Response('', { status: 400 });
  },
  websocket: {
    message(ws, message) {
      if (message === 'go') {
        endings[ws.data.name](ws, ws.data.parameters);
      } else {
        ws.send(message);
      }
    },
    close: (ws, code, reason) => print({ event: 'closed', path: ws.data.path, code, reason, clean: null, error: null }),
  },
});
print({ listening: server.port });
for await (const _ of Bun.stdin.stream()) {
  // The server lives until standard input ends.
}
process.exit(0);
