// ./tools/run as a newcomer meets it, and its page in a real browser.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import test from 'node:test';

import { Program, ROOT, run, testOn, within } from '../support/processes.mjs';
import { Browser, DESKTOP, fits, PHONE, numbersTo, screenshot, sequences, text, withBrowser } from './page_browser.mjs';
import { events, publisherTo } from './publisher.mjs';

const RUN = path.join(ROOT, 'tools/run');
const BIN_FLAG = `--bin=${process.env.SESSIONCAST_BIN ?? path.join(ROOT, 'build/dev/bin')}`;
const ANY_PORTS = ['--http_listen=localhost:0', '--grpc_listen=localhost:0', '--store=memory'];
const QUESTION = '.question[data-status="pending"]';

test(
  './tools/run shows a demo session on the page, takes an answer there, and ends at Ctrl-C',
  { timeout: 220_000 },
  async () => {
    const demo = new Program(RUN, [BIN_FLAG, ...ANY_PORTS, '--pace=0.5']);
    let browser;
    try {
      const [, url] = await demo.line(/the page:\s+(http:\/\/localhost:\d+\/)/, { ms: 60_000 });
      browser = await Browser.start();
      const page = await browser.open(url, { ...DESKTOP, colorScheme: 'light' });
      // Whoever comes too late for what one session shows sees it in the next.
      page.setDefaultTimeout(70_000);
      await text(page, '#connection', 'connected');
      await text(page, '#session-id', /^demo-\d{8}-\d{6}-\d+$/);
      const phone = await browser.open(url, PHONE);
      await text(page, '#percent', /^[1-9]\d? %/);
      await text(page, '.model[data-status="processing"] .text', /\w+ \w+/);
      await page.locator(QUESTION).waitFor();
      const first = await page.locator('#session-id').textContent();
      await text(page, '.list [aria-current="page"]', first);
      await screenshot(page, 'page_light');
      await phone.evaluate((id) => (location.hash = id), first);
      await text(phone, '#session-id', first);
      await phone.locator('.question').waitFor();
      await fits(phone);
      await screenshot(phone, 'page_phone', { isWhole: true });
      // The visitor answers, by the keyboard; the rest of the session is made for that answer.
      await page.locator(`${QUESTION} input`).fill('lawyers');
      await page.keyboard.press('Enter');
      await text(page, '.question[data-status="answered"]', 'Answer: lawyers');
      await text(page, '.own', 'Yours is the answer that counts.');
      await text(page, '#end-title', 'Completed');
      await text(page, '#end-text', '"audience": "lawyers"');
      assert.equal(await page.locator('.model[data-status="completed"]').count(), 3);
      await page.waitForFunction(() => document.querySelector('#bar').value === 100);
      const dark = await browser.open(`${url}#${first}`, { ...DESKTOP, colorScheme: 'dark' });
      await text(dark, '#end-title', 'Completed');
      await screenshot(dark, 'page_dark');
      // And again, with the next session.
      await page.waitForFunction(
        (shown) => document.querySelector('#session-id')?.textContent !== shown,
        first,
      );
      await text(page, '#percent', /^\d+ %/);
      await text(phone, '#end-title', 'Completed');
      for (const each of [page, dark, phone]) assert.deepEqual(each.problems, []);

      demo.signal('SIGINT');
      await within(20_000, () => `it ends\n${demo.tail()}`, demo.ended);
      assert.deepEqual(demo.exit, { code: 0, signal: null }, demo.tail());
      await assert.rejects(fetch(url), 'the server ended too');
    } catch (error) {
      console.error(demo.tail());
      throw error;
    } finally {
      await browser?.close();
      if (!demo.exit) {
        demo.signal('SIGTERM');
        await within(20_000, 'it ends', demo.ended).catch(() => demo.kill());
      }
    }
  },
);

test('./tools/run says which port is taken, and what to do', { timeout: 60_000 }, async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  try {
    await once(taken, 'listening');
    const { port } = taken.address();
    const { code, output } = await run(RUN, [
      BIN_FLAG,
      ...ANY_PORTS,
      `--http_listen=localhost:${port}`,
    ]);
    assert.equal(code, 1, output);
    assert.match(output, new RegExp(`port ${port} is taken`));
    assert.match(output, /--http_listen=localhost:\d+/);
  } finally {
    taken.close();
  }
});

testOn(
  'serve',
  "The page shows a session of a person's choice, through a restart, and how it failed",
  async (deployment) => {
    const sessionId = randomUUID();
    const publisher = publisherTo(deployment);
    await publisher.publish(sessionId, events.progress(30));
    await publisher.publish(sessionId, events.result('a', 'COMPLETED', '<b>not markup</b>'));
    await withBrowser(async (browser) => {
      const page = await browser.open(deployment.url);
      const open = async (id) => {
        await page.locator('.list input').fill(id);
        await page.locator('.list button').click();
      };
      await open('no session id');
      await text(page, '.refusal', 'invalid session id');
      await open(sessionId);
      await text(page, '#percent', '30 %');
      await text(page, '.model .text', '<b>not markup</b>');
      await page.locator('#events li[data-sequence="2"]').waitFor();
      assert.deepEqual(await sequences(page), numbersTo(2));
      await deployment.restartEdge();
      const again = publisherTo(deployment);
      await again.publish(sessionId, events.progress(40));
      await text(page, '#percent', '40 %');
      await again.publish(sessionId, events.error('the disk is full', true));
      await text(page, '#end-title', 'Failed');
      await text(page, '#end-text', 'the disk is full');
      await page.locator('#events li[data-sequence="4"]').waitFor();
      assert.deepEqual(await sequences(page), numbersTo(4));
    });
  },
);

testOn('serve', 'The list is live, the newest first, searched and opened by keyboard', async (deployment) => {
  const publisher = publisherTo(deployment);
  await withBrowser(async (browser) => {
    const page = await browser.open(deployment.url);
    await text(page, '.list', 'There is no session yet.');
    const ids = () => page.locator('.list li .id').allTextContents();
    for (const id of ['b-first', 'a-second', 'c-third']) await publisher.publish(id, events.progress(5));
    await text(page, '.list li', 'c-third');
    assert.deepEqual(await ids(), ['c-third', 'a-second', 'b-first']);
    await publisher.publish('b-first', events.completed({ ok: true }));
    await text(page, '.list li', /b-first.*completed.*2 events/);
    await page.locator('.list input').fill('SECOND');
    await page.waitForFunction(() => document.querySelectorAll('.list li').length === 1);
    assert.deepEqual(await ids(), ['a-second']);
    for (let pressed = 0; pressed < 2; pressed += 1) await page.keyboard.press('Tab');
    assert.match(await page.evaluate(() => document.activeElement.textContent), /^a-second/);
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, 'solid', 'the focus is to be seen');
    await page.keyboard.press('Enter');
    await text(page, '#session-id', 'a-second');
    assert.equal(new URL(page.url()).hash, '#a-second');
    assert.equal(await page.locator('.list [aria-current="page"] .id').textContent(), 'a-second');
    assert.deepEqual(page.problems, []);
  });
});

testOn('serve', 'A late visitor is told what was superseded, and sees how it stands', async (deployment) => {
  const publisher = publisherTo(deployment);
  const prompts = { total: 8, completed: 3, processing: 2, pending: 2, failed: 1 };
  for (const percent of [10, 20, 30]) await publisher.publish('s', events.progress(percent, { prompts }));
  await publisher.publish('s', events.result('a', 'FAILED', '', { error: 'out of memory', provider: 'vllm' }));
  await withBrowser(async (browser) => {
    const page = await browser.open(`${deployment.url}/#/s`);
    await text(page, '#percent', '30 %');
    await text(page, '#events li[data-skipped="2"]', 'before it 2 events superseded, left out');
    await text(page, '.model[data-status="failed"]', /vllm · 1\.2 s.*out of memory/);
    const shown = await page.locator('.prompts dl div').allTextContents();
    assert.deepEqual(shown, ['prompts8', 'completed3', 'processing2', 'pending2', 'failed1']);
    // Deltas of the backend's own events go behind what a model has, and its next result replaces all.
    for (const delta of ['Hel', 'lo']) {
      await publisher.publish('s', events.custom('token', { delta, modelName: 'b' }));
    }
    await text(page, '.model[data-status="processing"] .text', /^Hello$/);
    await publisher.publish('s', events.result('b', 'COMPLETED', 'Hello you'));
    await text(page, '.model[data-status="completed"] .text', /^Hello you$/);
    assert.deepEqual(page.problems, []);
  });
});
