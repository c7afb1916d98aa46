// Chromium as a WebSocket client, in pages of an ordinary origin: see README.md.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { library, offered, runClient, whenInputEnds } from './peer.mjs';

const { chromium } = library('playwright-core');

const EXECUTABLE = '/usr/bin/chromium';

// No sandbox, because tests run as root. No proxy, and no traffic of the browser itself: only that of the pages.
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-proxy-server',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--ignore-certificate-errors',
];

// These run in the page, on the open socket. `window.ending` resolves with the CloseEvent.
const inPage = {
  close: ([code = 1000, reason]) => window.socket.close(Number(code), reason),
  'close-empty': () => window.socket.close(),
  wait: () => window.socket.send('go'),
};

// After these no page is left to see the end. If only the page is gone, the browser still closes its socket.
const aroundPage = {
  'close-tab': (page) => page.close(),
  navigate: (page) => page.goto('about:blank'),
  kill,
};

const pages = createServer((_request, response) => {
  response.setHeader('content-type', 'text/html');
  response.end('<!doctype html><title>peer</title>');
}).listen(0, '127.0.0.1');
await once(pages, 'listening');
const origin = `http://127.0.0.1:${pages.address().port}/`;

let running = null;
let pageIsGone = false;

await runClient([...Object.keys(inPage), ...Object.keys(aroundPage)], async (url, action, parameters) => {
  running ??= await launch();
  const page = await running.browser.newPage();
  await page.goto(origin);
  await page.evaluate(open, [url, offered()]);

  if (Object.hasOwn(aroundPage, action)) {
    await aroundPage[action](page);
    pageIsGone = running !== null;
    return { event: 'gone' };
  }
  await page.evaluate(inPage[action], parameters);
  return { event: 'closed', ...(await page.evaluate(() => window.ending)) };
});

if (pageIsGone) {
  await new Promise(whenInputEnds);
}
await running?.server.close();
process.exit(0);

/** Starts a browser: the leader of a process group of its own, with a new profile. */
async function launch() {
  const scratch = mkdtempSync(join(tmpdir(), 'closewatch-browser-'));
  const env = { ...process.env, TMPDIR: scratch };
  const server = await chromium.launchServer({ executablePath: EXECUTABLE, args: FLAGS, env });
  // Registered after the handler of playwright, which ends the browser, and so runs after it.
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true, maxRetries: 10 }));
  return { server, browser: await chromium.connect(server.wsEndpoint()) };
}

async function kill() {
  const { server } = running;
  running = null;
  const ended = once(server, 'close');
  process.kill(-server.process().pid, 'SIGKILL');
  await ended;
}

/** Runs in the page: opens the socket and exchanges one message. */
async function open([url, subprotocols]) {
  const socket = (window.socket = new WebSocket(url, subprotocols));
  window.ending = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, clean: wasClean });
  });
  socket.onopen = () => socket.send('hello');
  const echo = new Promise((resolve) => {
    socket.onmessage = () => resolve(null);
  });
  const early = await Promise.race([echo, window.ending]);
  if (early) {
    throw new Error(`ended before the echo: ${JSON.stringify(early)}`);
  }
}
