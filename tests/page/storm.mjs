// The live page while 2,000 sessions end each second: `node storm.mjs CLOSEWATCH LOAD`. Run by tests/page/storm.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { check, freePort, launch } from './browser.mjs';

const [, , closewatch, load] = process.argv;
const RATE = 2000;
const SECONDS = 60;
/** The page answers a look, and obeys a control, within this. */
const USABLE_MS = 2000;
/** The heap may be so much larger at the end than once the page has all that it keeps. */
const GROWTH = 16 * 1024 * 1024;

const children = [];

function start(command, ...words) {
  const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(child);
  return child;
}

async function listening(port) {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const there = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false);
    socket.destroy();
    if (there) return;
    await sleep(50);
  }
}

const [backend, proxy, admin] = [await freePort(), await freePort(), await freePort()];
const at = (port) => `127.0.0.1:${port}`;
const activity = async () => (await fetch(`http://${at(admin)}/activity`)).json();
const { browser, quit } = await launch();
try {
  start(load, 'backend', at(backend));
  start(closewatch, '--listen', at(proxy), '--upstream', `http://${at(backend)}`, '--admin', at(admin), '--close-log', 'off', '--log-level', 'error');
  await Promise.all([backend, proxy, admin].map(listening));
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 1000 } })).newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`http://${at(admin)}/`);
  const debug = await page.context().newCDPSession(page);
  await debug.send('HeapProfiler.enable');
  const heap = async () => {
    await debug.send('HeapProfiler.collectGarbage');
    return (await debug.send('Runtime.getHeapUsage')).usedSize;
  };
  const storm = start(load, 'churn', at(proxy), '--rate', String(RATE * 1.1), '--seconds', String(SECONDS + 15));
  const rows = page.locator('.endings tbody tr');
  await rows.nth(50).waitFor();

  const began = { at: performance.now(), ...(await activity()) };
  let slowest = 0;
  let full;
  for (let second = 1; second <= SECONDS; second += 1) {
    const asked = performance.now();
    // The table is drawn anew under it; a control is used each time.
    await page.getByRole('textbox', { name: 'Client' }).fill(second % 2 ? '127.0.' : '');
    assert.ok((await rows.count()) <= 100, 'the table has its bound');
    slowest = Math.max(slowest, performance.now() - asked);
    if (second === 15) full = await heap();
    await sleep(Math.max(0, 1000 - (performance.now() - asked)));
  }
  const ended = { at: performance.now(), ...(await activity()) };
  const rate = (ended.ended - began.ended) / ((ended.at - began.at) / 1000);
  const grown = (await heap()) - full;
  console.log(`    ${Math.round(rate)} endings a second; a control took ${Math.round(slowest)} ms at most; the heap has ${Math.round(full / 1e6)} MB, and ${(grown / 1e6).toFixed(1)} MB more at the end`);

  await check(`${RATE} sessions ended each second`, () => assert.ok(rate >= RATE, `only ${Math.round(rate)}: the machine has other work`));
  await check('the page stayed usable', () => assert.ok(slowest < USABLE_MS, `${slowest} ms`));
  await check('its memory is bounded', () => assert.ok(grown < GROWTH, `${grown} bytes more`));
  await check('it says that it shows a sample', () => page.getByText(/Too many at once: \d+ of \d+ are shown/).waitFor());
  await check('its numbers count all', async () => {
    const shown = await page.locator('.tile', { hasText: 'Ended' }).locator('strong').innerText();
    assert.ok(Number(shown) > RATE / 2, `${shown} a second`);
  });
  await once(storm, 'exit');
  await check('nothing failed in it', () => assert.deepEqual(complaints, []));
} finally {
  await quit();
  for (const child of children) child.kill('SIGKILL');
}
