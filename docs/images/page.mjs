// Draws page.png and page-record.png of the documentation: the live page beside a demo, in Chromium.
//
//     tests/page/run && PAGE_PACKAGES=.work/page-test node docs/images/page.mjs target/debug/closewatch
//
// The demo runs as it does by default, until diagnosis has named its balancer and a client has vanished.

import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { freePort, launch } from '../../tests/page/browser.mjs';

const here = import.meta.dirname;
const admin = `127.0.0.1:${await freePort()}`;
const demo = spawn(process.argv[2], ['demo', '--admin', admin], { stdio: ['ignore', 'pipe', 'ignore'] });
const { browser, quit } = await launch();
try {
  // Its first output says that it listens; the rest of it is read and dropped.
  await new Promise((resolve) => demo.stdout.on('data', resolve));
  const page = await browser.newPage({ viewport: { width: 1440, height: 1180 }, colorScheme: 'light' });
  await page.goto(`http://${admin}/`);
  const rows = page.locator('.endings tbody tr');
  await page.getByText(/^\d+ at 3 s: idle_cut$/).waitFor({ timeout: 120_000 });
  await rows.filter({ hasText: 'client_unresponsive' }).first().waitFor({ timeout: 120_000 });
  await page.screenshot({ path: join(here, 'page.png') });
  await page.getByRole('button', { name: 'Pause' }).click();
  await rows.filter({ hasText: 'client_unresponsive' }).first().getByRole('button').press('Enter');
  await page.getByRole('dialog').getByText('seen when').first().waitFor();
  await page.screenshot({ path: join(here, 'page-record.png') });
} finally {
  await quit();
  demo.kill();
}
