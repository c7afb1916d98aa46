// `echo.mjs ws|undici|chromium|bun` (bun runs the last one itself): reads URLs, each a JSON string on a line of standard input, and
// echoes there until the session ends. Then it prints how the session ended.

import { createInterface } from 'node:readline';
import { library, print } from '../peers/peer.mjs';

const name = process.argv[2];
const session = await {
  ws: () => (url) => echo(url, library('ws').WebSocket),
  undici: () => (url) => echo(url, library('undici').WebSocket),
  bun: () => (url) => echo(url, WebSocket),
  chromium: inChromium,
}[name]();

for await (const url of createInterface({ input: process.stdin })) {
  print(await session(JSON.parse(url)));
}
process.exit(0);

/** Echoes until the session ends. It is in the page in Chromium, so it uses nothing from outside. */
function echo(url, Socket) {
  const socket = new (Socket ?? WebSocket)(url);
  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({ data }) => socket.send(data);
  socket.onerror = () => {};
  return new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, clean: wasClean });
  });
}

async function inChromium() {
  const browser = await library('playwright-core').chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--no-proxy-server',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const page = await browser.newPage();
  return (url) => page.evaluate(echo, url);
}
