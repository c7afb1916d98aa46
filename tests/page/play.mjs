// Looks at the live page with a browser, beside a demo: `node play.mjs CLOSEWATCH [SCREENSHOTS]`. Run by tests/page/run.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { axe, check, freePort, launch } from './browser.mjs';

const [, , closewatch, screenshots] = process.argv;

const HOSTILE = '<img src=x onerror="window.hacked=1"> <b>4&amp;2</b> \u202e';

/** A demo, and its addresses. */
async function demo(admin) {
  const child = spawn(closewatch, ['demo', '--admin', `127.0.0.1:${admin}`, '--rate', '20'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const found = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const address = line.match(/^ +(proxy|metrics) +(?:ws|http):\/\/([0-9.:]+)/);
    if (address) found[address[1]] = address[2];
    if (line.startsWith('TIME ')) break;
  }
  child.stdout.resume();
  const stop = async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { proxy: found.proxy, admin: found.metrics, stop };
}

async function endings(admin) {
  const answer = await fetch(`http://${admin}/closes?limit=1000`);
  return (await answer.text()).trim().split('\n').map((line) => JSON.parse(line));
}

async function accessible(page, state) {
  // By the debugger: the page's policy lets no script in but its own.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => node.html).join(' ').slice(0, 300)}`);
  });
  const serious = found.filter((line) => /^(serious|critical) /.test(line));
  assert.deepEqual(serious, [], state);
}

const port = await freePort();
let running = await demo(port);
const { admin } = running;
const { browser, quit } = await launch();

try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, colorScheme: 'light' });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`http://${admin}/`);
  const rows = page.locator('.endings tbody tr');

  await check('endings, numbers and sessions come', async () => {
    await rows.nth(20).waitFor();
    await page.locator('.sessions tbody tr').first().waitFor();
    await page.locator('.status.live').waitFor();
    assert.match(await page.locator('.tile').first().innerText(), /^Sessions now\n\d+/);
  });

  await check('findings come first, in sentences', async () => {
    const findings = page.getByRole('region', { name: 'Findings' });
    // The demo fails in every way: the diagnosis needs ten sessions of a kind, and looks every five seconds.
    await findings.getByRole('listitem').first().waitFor({ timeout: 60_000 });
    assert.match(await findings.locator('.sentence').first().innerText(), /^\d+ (sessions|failed handshakes).*\.$/);
    assert.match(await findings.locator('.hint').first().innerText(), /culprit .*since \d\d:\d\d:\d\d.*% sure/);
    const top = async (name) => (await page.getByRole('heading', { name }).boundingBox()).y;
    assert.ok((await top('Findings')) < (await top('Endings in the last 15 minutes')));
  });

  await check('a finding names sessions, each one click from its record, and its word is explained', async () => {
    const findings = page.getByRole('region', { name: 'Findings' });
    const example = findings.locator('button.id').first();
    const session = await example.innerText();
    await example.click();
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    assert.ok((await dialog.innerText()).includes(session));
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    const explained = await page.request.get(await findings.locator('a').first().evaluate((link) => link.href));
    assert.equal(explained.status(), 200);
  });

  await check('an ending shows within two seconds, with its session', async () => {
    const client = await context.newPage();
    await client.evaluate(
      ([url, reason]) =>
        new Promise((resolve, reject) => {
          const socket = new WebSocket(url);
          socket.onopen = () => socket.close(4321, reason);
          socket.onclose = resolve;
          setTimeout(reject, 10_000);
        }),
      [`ws://${running.proxy}/chat/echo`, HOSTILE],
    );
    const ended = Date.now();
    const row = rows.filter({ hasText: '4321' });
    await row.waitFor({ timeout: 2000 });
    console.log(`    after ${Date.now() - ended} ms`);
    await client.close();
    // A table that goes on moves rows from under the mouse.
    await page.getByRole('button', { name: 'Pause' }).click();
    const record = (await endings(admin)).find((ending) => ending.code === 4321);
    await row.click();
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    assert.ok((await dialog.innerText()).includes(record.session));
  });

  await check('a reason is text, whatever a peer wrote there', async () => {
    const dialog = page.getByRole('dialog');
    assert.equal(await dialog.locator('q').textContent(), HOSTILE);
    assert.equal(await rows.filter({ hasText: '4321' }).locator('.reason').textContent(), HOSTILE);
    assert.equal(await page.locator('img, b:has-text("4&2")').count(), 0);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  });

  await check('a record says what each side saw, when, and what the code means', async () => {
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('link', { name: '4321' }).waitFor();
    const text = await dialog.innerText();
    for (const part of ['Client', 'Upstream', 'Close 4321', 'Time line', 'open', 'operator', '/chat/echo', 'class here']) {
      assert.ok(text.includes(part), `${part} in\n${text}`);
    }
    // The explanation of the cause comes with it.
    await dialog.getByRole('link', { name: 'close_handshake' }).waitFor();
    await dialog.getByText('The record as JSON').click();
    assert.equal(JSON.parse(await dialog.locator('pre').innerText()).code, 4321);
    await accessible(page, 'a record');
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'hidden' });
    // A click beside the record closes it as well.
    await rows.filter({ hasText: '4321' }).click();
    await dialog.waitFor();
    await page.mouse.click(3, 3);
    await dialog.waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: /^Resume/ }).click();
  });

  await check('a row opens by keyboard, and the focus comes back', async () => {
    await page.getByRole('button', { name: 'Pause' }).click();
    await rows.nth(1).getByRole('button').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    assert.ok(await rows.nth(1).getByRole('button').evaluate((button) => button === document.activeElement));
  });

  await check('a paused page stands still, and then catches up', async () => {
    const before = await rows.first().innerText();
    const resume = page.getByRole('button', { name: /^Resume \(\d{2,} new\)$/ });
    await resume.waitFor();
    assert.equal(await rows.first().innerText(), before);
    await resume.click();
    await page.waitForFunction((before) => document.querySelector('.endings tbody tr').innerText !== before, before);
  });

  await check('a time line has pings with their pongs, and what was left unanswered', async () => {
    const filter = page.getByRole('form', { name: 'Filters' });
    await filter.getByRole('textbox', { name: 'Code' }).fill('1011');
    await filter.getByRole('combobox', { name: 'Cause', exact: true }).selectOption('client_unresponsive');
    await rows.first().waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await rows.first().getByRole('button').press('Enter');
    const line = page.getByRole('table', { name: 'Time line' });
    await line.waitFor();
    const [first, ...rest] = await line.locator('tbody tr').all();
    assert.match(await first.innerText(), /^0ms\s+open\s+open$/);
    const told = (await Promise.all(rest.map((row) => row.innerText()))).join('\n');
    for (const part of [/last answered ping/, /its pong, after \d/, /a ping unanswered by then/, /Close 1011 .*the end/s]) {
      assert.match(told, part);
    }
    assert.ok(told.indexOf('unanswered') < told.indexOf('Close 1011'), told);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Resume/ }).click();
    await filter.getByRole('button', { name: 'Clear' }).click();
  });

  await check('an upgrade that failed says what the client was given, and why', async () => {
    const filter = page.getByRole('form', { name: 'Filters' });
    await filter.getByRole('combobox', { name: 'Cause', exact: true }).selectOption('bad_response');
    await rows.first().waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await rows.first().getByRole('button').press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('link', { name: 'bad_response' }).waitFor();
    assert.match(await dialog.innerText(), /Failed upgrade: bad_response.*On route chat at .*was given 502; a browser/s);
    assert.match(await dialog.locator('q').innerText(), /101 is not a valid WebSocket handshake/);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Resume/ }).click();
    await filter.getByRole('button', { name: 'Clear' }).click();
  });

  await check('each filter leaves what it takes', async () => {
    // The page may have to ask the instance for the endings that a filter takes.
    const column = async (name) => {
      await rows.first().waitFor();
      return [...new Set(await rows.locator(`.${name}`).allInnerTexts())];
    };
    const filter = page.getByRole('form', { name: 'Filters' });
    const clear = filter.getByRole('button', { name: 'Clear' });
    for (const [label, value, cell] of [
      ['Class', 'abnormal', 'class'],
      ['Cause', 'close_handshake', 'cause'],
      ['Initiator', 'upstream', 'initiator'],
      ['Route', 'feed', 'route'],
    ]) {
      await filter.getByRole('combobox', { name: label, exact: true }).selectOption(value);
      assert.deepEqual(await column(cell), [value]);
      await clear.click();
    }
    await filter.getByRole('textbox', { name: 'Code' }).fill('1012');
    assert.deepEqual(await column('code'), ['1012']);
    await clear.click();
    await filter.getByRole('textbox', { name: 'Client' }).fill('no such address');
    await page.getByText('None that all filters take.').waitFor();
    await clear.click();
    // A whole address is asked of the instance, a part of one looked for in the table.
    for (const client of ['127.0.0.1', '127.0.']) {
      await filter.getByRole('textbox', { name: 'Client' }).fill(client);
      await rows.first().waitFor();
      assert.ok((await column('client')).every((address) => address.startsWith(client)));
      await clear.click();
    }
    // 1006 of either side: what a side saw or sent, though the code of the record is another.
    await filter.getByRole('textbox', { name: 'Code' }).fill('1006');
    await filter.getByRole('combobox', { name: 'Class', exact: true }).selectOption('abnormal');
    await page.waitForFunction(() =>
      [...document.querySelectorAll('.endings tbody tr')].some((row) => row.querySelector('.code').innerText !== '1006'),
    );
    for (const row of await rows.all()) assert.match(await row.innerText(), /1006/);
    await clear.click();
    await filter.getByRole('combobox', { name: 'Hint' }).selectOption({ index: 1 });
    const hint = await filter.getByRole('combobox', { name: 'Hint' }).inputValue();
    assert.deepEqual(await column('hint-word'), [hint]);
    await rows.first().getByRole('button').press('Enter');
    await page.getByRole('dialog').getByRole('link', { name: hint, exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await clear.click();
    await filter.getByLabel('Sides saw different codes').check();
    // The demo has one such scene, which takes a while.
    await rows.first().waitFor();
    assert.ok((await column('saw')).every((codes) => /^\d+\/\d+$/.test(codes)));
    await clear.click();
    const legend = page.getByRole('button', { name: /^clean \d+/ });
    await legend.click();
    assert.deepEqual(await column('class'), ['clean']);
    await legend.click();
    await page.waitForFunction(() => {
      const kinds = [...document.querySelectorAll('.endings tbody .class')].map((cell) => cell.innerText);
      return new Set(kinds).size > 1;
    });
  });

  await check('live sessions say what they have sent and whether somebody takes nothing', async () => {
    const heads = await page.locator('.sessions thead th').allInnerTexts();
    for (const head of ['Age', 'Idle', 'From client', 'From upstream', 'Stalled']) assert.ok(heads.includes(head), head);
    const cells = await page.locator('.sessions tbody tr').first().locator('td').allInnerTexts();
    assert.match(cells[heads.indexOf('From client')], /^\d+ · \d+(\.\d+)? [KMGT]?i?B$/);
  });

  await check('the limit that a finding names is marked among the idle times', async () => {
    const idle = page.getByRole('region', { name: 'Idle time at the end' });
    await idle.getByText(/^\d+ at \d(\.\d)? s: idle_cut$/).waitFor({ timeout: 60_000 });
    assert.ok((await idle.locator('rect.marked').count()) > 0);
  });

  await check('more findings are behind one click', async () => {
    const more = page.getByRole('region', { name: 'Findings' }).locator('summary');
    if ((await more.count()) === 0) {
      const found = await page.getByRole('region', { name: 'Findings' }).getByRole('listitem').count();
      assert.ok(found <= 3, `${found} findings, and no more of them`);
      return;
    }
    const before = await page.getByRole('region', { name: 'Findings' }).getByRole('listitem').count();
    await more.click();
    assert.ok((await page.getByRole('region', { name: 'Findings' }).locator('li:visible').count()) > 3, `of ${before}`);
  });

  await check('bars and chart have what ended', async () => {
    assert.ok((await page.locator('.bars rect').count()) > 4);
    assert.match(await page.locator('.bars').first().getAttribute('aria-label'), /^Idle time at the end: \d+ around \d/);
    assert.match(await page.locator('.plot').getAttribute('aria-label'), /15 minutes: \d+ clean, /);
    const green = await page.locator('.plot canvas').evaluate((canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      // That of class clean: much more green than red and blue.
      let count = 0;
      for (let at = 0; at < data.length; at += 4) count += data[at + 1] > data[at] + 60 && data[at + 1] > data[at + 2] + 60;
      return count;
    });
    assert.ok(green > 50, `${green} pixels of class clean`);
  });

  await check('it fits from 390 to 2560 pixels, light and dark, without a serious finding of axe', async () => {
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      for (const width of [390, 768, 1440, 2560]) {
        await page.setViewportSize({ width, height: width < 500 ? 844 : 1000 });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${wide} pixels beyond ${width}`);
        if (width === 390 || width === 1440) await accessible(page, `${colorScheme}, ${width}`);
        if (screenshots) await picture(page, `${width}-${colorScheme}`);
      }
    }
  });

  await check('nothing was refused by the policy, and nothing failed', () => assert.deepEqual(complaints, []));

  await check('a record of which little is known opens, too', async () => {
    const odd = await context.newPage();
    const failures = [];
    odd.on('pageerror', (error) => failures.push(String(error)));
    const events = little(await endings(admin)).map((ending, id) => `id: ${id}\ndata: ${JSON.stringify(ending)}\n\n`);
    await odd.route('**/closes/stream?*', (route) => route.fulfill({ contentType: 'text/event-stream', body: events.join('') }));
    await odd.goto(`http://${admin}/`);
    const rows = odd.locator('.endings tbody tr');
    const opens = async (text, ...parts) => {
      await rows.filter({ hasText: text }).first().getByRole('button').press('Enter');
      // The meaning of the cause comes last, from the instance.
      await odd.getByRole('dialog').getByText('seen when').waitFor();
      const said = await odd.getByRole('dialog').innerText();
      for (const part of parts) assert.match(said, part);
      await accessible(odd, text);
      if (screenshots) await odd.screenshot({ path: join(screenshots, `odd-${text}.png`) });
      await odd.keyboard.press('Escape');
    };
    await opens('client_timeout', /Code Unknown, unknown/, /ended by the client/, /ping RTT\s+none/, /client_timeout\s+the end/);
    await opens('tls_failed', /On no route/, /given no answer/, /TLS failed\s+unknown_ca/);
    assert.deepEqual(failures, []);
    await odd.close();
  });

  await check('without room for another stream the page says so, and still counts', async () => {
    const held = [];
    // The page that looks on has one of the sixteen.
    while (held.length < 15) held.push(await follow(admin));
    const other = await context.newPage();
    await other.goto(`http://${admin}/`);
    await other.locator('.status.refused').waitFor();
    await other.locator('.tile strong', { hasText: /^\d/ }).first().waitFor();
    held.forEach((stream) => stream.destroy());
    await other.locator('.status.live').waitFor({ timeout: 20_000 });
    await other.close();
  });

  await check('it finds an instance again that was started anew', async () => {
    await running.stop();
    await page.locator('.status.lost').waitFor();
    await page.getByRole('alert').getByText(/No answer from this address. All below is as it was at \d/).waitFor();
    if (screenshots) await page.screenshot({ path: join(screenshots, 'lost.png') });
    running = await demo(port);
    await page.getByRole('alert').waitFor({ state: 'hidden' });
    await page.locator('.status.live').waitFor({ timeout: 20_000 });
    const latest = async () => (await endings(admin)).at(-1)?.time;
    await page.waitForFunction(async (latest) => latest !== undefined, await latest());
    await rows.nth(5).waitFor();
  });

  await check('curl gets the list of paths', async () => {
    const answer = await fetch(`http://${admin}/`);
    assert.match(answer.headers.get('content-type'), /^text\/plain/);
    assert.match(await answer.text(), /\/metrics/);
  });
} finally {
  await quit();
  await running.stop();
}

/** A session and an upgrade of which closewatch knows as little as it can. */
function little(records) {
  const closed = records.find((record) => record.event === 'websocket.closed');
  const failed = records.find((record) => record.event === 'websocket.handshake_failed');
  const leg = (end) => ({
    ...closed.client,
    close: null,
    end,
    end_at_ms: end === 'local' ? null : closed.duration_ms,
    saw: { code: null, clean: false, certain: false },
    last_frame_at_ms: null,
    last_message_at_ms: null,
    last_pong_at_ms: null,
    ping_rtt_ms: null,
    ping_rtt_max_ms: null,
    since_answered_ping_ms: null,
    unanswered_pings: 0,
    tcp: null,
  });
  const request = { ...closed.request, host: null, user_agent: null, path: '' };
  return [
    {
      ...closed,
      ...{ class: 'unknown', code: null, code_name: 'Unknown', initiator: 'client', cause: 'client_timeout', reason: null },
      ...{ hint: null, request, client: leg('local'), upstream: leg('local') },
    },
    {
      ...failed,
      ...{ route: 'none', outcome: 'tls_failed', status: null, tls_error: 'unknown_ca', detail: null, request },
    },
  ];
}

/** A stream that is held, once it has begun. */
async function follow(admin) {
  const [host, port] = admin.split(':');
  const stream = connect(port, host);
  stream.on('error', () => {});
  stream.write(`GET /closes/stream HTTP/1.1\r\nHost: ${admin}\r\n\r\n`);
  await once(stream, 'data');
  return stream;
}

/** Pictures of the page and of an abnormal record. */
async function picture(page, name) {
  mkdirSync(screenshots, { recursive: true });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(screenshots, `page-${name}.png`) });
  if (!/^(390|1440)/.test(name)) return;
  await page.screenshot({ path: join(screenshots, `whole-${name}.png`), fullPage: true });
  await page.locator('.endings tbody tr', { hasText: 'upstream_reset' }).first().getByRole('button').press('Enter');
  await page.getByRole('dialog').getByText('seen when').first().waitFor();
  await page.screenshot({ path: join(screenshots, `record-${name}.png`) });
  await page.keyboard.press('Escape');
}
