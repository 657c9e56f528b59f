// ./tools/run as a newcomer meets it, and its page in a real browser.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import test from 'node:test';

import { chromium } from 'playwright-core';

import { Program, ROOT, run, testOn, within } from '../support/processes.mjs';
import { events, publisherTo } from './publisher.mjs';

const RUN = path.join(ROOT, 'tools/run');
const BIN_FLAG = `--bin=${process.env.SESSIONCAST_BIN ?? path.join(ROOT, 'build/dev/bin')}`;
const ANY_PORTS = ['--http_listen=localhost:0', '--grpc_listen=localhost:0', '--store=memory'];
const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// A page in Chromium; closes with the returned browser. Errors that it logs are collected.
async function open(url) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: CHROMIUM_FLAGS,
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('requestfailed', (request) =>
    problems.push(`${request.url()}: ${request.failure()?.errorText}`),
  );
  await page.goto(url);
  return { browser, page, problems };
}

const text = (page, selector, pattern) =>
  page.locator(selector, { hasText: pattern }).first().waitFor();

test(
  './tools/run shows a demo session on the page, takes an answer there, and ends at Ctrl-C',
  { timeout: 170_000 },
  async () => {
    const demo = new Program(RUN, [BIN_FLAG, ...ANY_PORTS, '--pace=0.3']);
    let opened;
    try {
      const [, url] = await demo.line(/the page:\s+(http:\/\/localhost:\d+\/)/, { ms: 60_000 });
      opened = await open(url);
      const { page, problems } = opened;
      await text(page, '#connection', 'connected');
      await text(page, '#session-id', /^demo-\d{8}-\d{6}-\d+$/);
      await text(page, '#percent', /^[1-9]\d? %/);
      await text(page, '.model[data-status="processing"] .text', /\w+ \w+/);
      // The visitor answers; the rest of the session is made for that answer.
      await page.locator('.question[data-status="pending"] input').fill('lawyers');
      await page.locator('.question button').click();
      await text(page, '.question[data-status="answered"]', 'Answer: lawyers');
      await text(page, '#end-title', 'Completed');
      await text(page, '#end-text', '"audience": "lawyers"');
      assert.equal(await page.locator('.model[data-status="completed"]').count(), 3);
      await page.waitForFunction(() => document.querySelector('#bar').value === 100);
      // And again, with the next session.
      const first = await page.locator('#session-id').textContent();
      await page.waitForFunction(
        (shown) => document.querySelector('#session-id').textContent !== shown,
        first,
      );
      await text(page, '#percent', /^\d+ %/);
      assert.deepEqual(problems, []);

      demo.signal('SIGINT');
      await within(20_000, () => `it ends\n${demo.tail()}`, demo.ended);
      assert.deepEqual(demo.exit, { code: 0, signal: null }, demo.tail());
      await assert.rejects(fetch(url), 'the server ended too');
    } catch (error) {
      console.error(demo.tail());
      throw error;
    } finally {
      await opened?.browser.close();
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
    const { browser, page } = await open(deployment.url);
    try {
      await page.locator('#session').fill('no session id');
      await page.locator('#choose button').click();
      await text(page, '#percent', 'invalid session id');
      await page.locator('#session').fill(sessionId);
      await page.locator('#choose button').click();
      await text(page, '#percent', '30 %');
      await text(page, '.model .text', '<b>not markup</b>');
      await deployment.restartEdge();
      const again = publisherTo(deployment);
      await again.publish(sessionId, events.progress(40));
      await text(page, '#percent', '40 %');
      await again.publish(sessionId, events.error('the disk is full', true));
      await text(page, '#end-title', 'Failed');
      await text(page, '#end-text', 'the disk is full');
      const numbers = await page.locator('#events li').allTextContents();
      assert.deepEqual(numbers.map((line) => Number.parseInt(line, 10)).reverse(), [1, 2, 3, 4]);
    } finally {
      await browser.close();
    }
  },
);
