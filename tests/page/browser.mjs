// Chromium, as the tests of the live page use it.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const installed = createRequire(join(process.env.PAGE_PACKAGES, 'package.json'));
const { chromium } = installed('playwright-core');

export const axe = readFileSync(installed.resolve('axe-core'), 'utf8');

// As of tests/peers/browser.mjs: no sandbox, because tests run as root, and no traffic but that of the pages.
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
];

/** A browser, and how to end it so that nothing of it stays. */
export async function launch() {
  const scratch = mkdtempSync(join(tmpdir(), 'closewatch-page-'));
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: FLAGS,
    env: { ...process.env, TMPDIR: scratch },
  });
  const quit = async () => {
    await browser.close();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 10 });
  };
  return { browser, quit };
}

/** A port that the system gave, for a process that has to be told one. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

export async function check(what, holds) {
  await holds();
  console.log(`ok: ${what}`);
}
