// Makes the pictures of the dashboards: `node draw.mjs RECORD.json OUT`, run in the folder where the page was built.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { chromium } from 'playwright-core';

const [record, out] = process.argv.slice(2);
const recorded = JSON.parse(fs.readFileSync(record, 'utf8'));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };

// Grafana's components request their icons at this path; the files are in the same package.
const ICONS = 'node_modules/@grafana/ui/dist/public/img/';
const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  const file = pathname.startsWith('/public/build/img/') ? ICONS + pathname.slice('/public/build/img/'.length) : `built${pathname}`;
  const found = !file.includes('..') && fs.existsSync(file) && fs.statSync(file).isFile();
  response.writeHead(found ? 200 : 404, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
  response.end(found ? fs.readFileSync(file) : '');
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
let failures = 0;
try {
  for (const [file, answers] of Object.entries(recorded)) {
    const page = await browser.newPage({ viewport: { width: 1240, height: 2800 } });
    page.on('pageerror', (error) => {
      failures += 1;
      console.error(`draw: ${file}: ${error}`);
    });
    await page.addInitScript(`window.__grafana_public_path__ = '/public/'; window.recorded = ${JSON.stringify(answers)};`);
    await page.goto(`http://127.0.0.1:${server.address().port}/index.html`);
    const dashboard = page.locator('#dashboard');
    await dashboard.waitFor();
    await page.evaluate(() => document.fonts.ready);
    await page.waitForTimeout(1500);
    const blank = await page.evaluate(() => [...document.querySelectorAll('[data-panel]')].filter((panel) => panel.innerText.includes('No data')).map((panel) => panel.dataset.panel));
    if (blank.length > 0) {
      failures += 1;
      console.error(`draw: ${file}: without data: ${blank.join(', ')}`);
    }
    const picture = path.join(out, `dashboard-${file.replace('.json', '.png')}`);
    await dashboard.screenshot({ path: picture });
    console.log(`draw: ${picture}, ${Math.round(fs.statSync(picture).size / 1024)} KiB`);
    await page.close();
  }
} finally {
  await browser.close();
  server.close();
}
process.exit(failures > 0 ? 1 : 0);
