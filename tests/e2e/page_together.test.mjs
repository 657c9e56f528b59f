// Several people at the page: one question, one answer that counts; and what a token opens there.
import assert from 'node:assert/strict';
import test from 'node:test';

import { testOn, until } from '../support/processes.mjs';
import { text, withBrowser } from './page_browser.mjs';
import { events, publisherTo } from './publisher.mjs';
import { Keys } from './tokens.mjs';

const keys = new Keys();
test.after(() => keys.close());

const OPEN = '.question[data-status="pending"]';
const CLOSED = '.question[data-status="answered"]';

async function stateOf(deployment, sessionId) {
  const response = await fetch(`${deployment.url}/api/wizard/session/${sessionId}`);
  return response.json();
}

testOn('serve', 'Of two tabs that answer one question exactly one counts, and the other says so', async (deployment) => {
  const publisher = publisherTo(deployment);
  await publisher.publish('s', events.clarification('c-1', 'Red or blue?'));
  await withBrowser(async (browser) => {
    const first = await browser.open(`${deployment.url}/#s`);
    // What the server says to the second arrives late: what happens, and the reply to what it sends.
    let held = null;
    const second = await browser.open('about:blank');
    let reply = null;
    await second.route(/clarifications\/respond/, async (route) => {
      const response = await route.fetch();
      reply = () => route.fulfill({ response });
    });
    await second.routeWebSocket(/socket\.io/, (socket) => {
      const server = socket.connectToServer();
      socket.onMessage((message) => server.send(message));
      server.onMessage((message) => (held ? held.push(() => socket.send(message)) : socket.send(message)));
    });
    await second.goto(`${deployment.url}/?session=s`);
    await second.locator(`${OPEN} input`).fill('blue');
    held = [];
    await first.locator(`${OPEN} input`).fill('red');
    await first.locator(`${OPEN} button`).click();
    await text(first, `${CLOSED} .own[data-counts="yes"]`, 'Yours is the answer that counts.');
    await second.locator(`${OPEN} button`).click();
    await text(second, OPEN, 'Sending …');
    await until(() => reply, 'the server has replied');
    const late = held;
    held = null;
    for (const send of late) send();
    await text(second, CLOSED, 'Answer: red');
    await reply();
    await text(second, '.own[data-counts="no"]', 'Someone else was first. Your answer “blue” does not count.');
    for (const page of [first, second]) assert.deepEqual(page.problems, []);
  });
});

testOn('daemons', 'Whoever of two answers at once, both tabs show the answer that the session has', async (deployment) => {
  const publisher = publisherTo(deployment);
  await withBrowser(async (browser) => {
    const pages = [await browser.open(`${deployment.url}/#/s`), await browser.open(`${deployment.url}/#s`)];
    for (const id of ['c-1', 'c-2', 'c-3', 'c-4', 'c-5']) {
      await publisher.publish('s', events.clarification(id, `Question ${id}?`));
      const card = `.question[data-id="${id}"]`;
      await Promise.all(pages.map((page, i) => page.locator(`${card} input`).fill(`answer ${i}`)));
      // Not by the mouse: it would wait for a form that is gone.
      const submit = (page) => page.locator(`${card} form`).evaluate((form) => form.requestSubmit());
      await Promise.allSettled(pages.map((page) => submit(page).catch(() => {})));
      const closed = `${card}[data-status="answered"]`;
      await Promise.all(pages.map((page) => text(page, closed, 'Answer: ')));
      const { response } = (await stateOf(deployment, 's')).clarifications.find(
        ({ clarificationId }) => clarificationId === id,
      );
      for (const [i, page] of pages.entries()) {
        await text(page, closed, `Answer: ${response}`);
        const counts = response === `answer ${i}`;
        if (counts) await text(page, `${card} .own`, 'Yours is the answer that counts.');
        else assert.equal(await page.locator(`${card} .own[data-counts="yes"]`).count(), 0);
      }
    }
  });
});

testOn(
  'daemons',
  'Where tokens are asked for the page takes one, for its tab, and shows what it opens',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    for (const id of ['mine', 'theirs']) {
      await publisher.publish(id, events.progress(10));
      await publisher.publish(id, events.clarification('c-1', 'Really?'));
    }
    await withBrowser(async (browser) => {
      const page = await browser.open(`${deployment.url}/#mine`);
      const give = async (token) => {
        await page.locator('.token input').fill(token);
        await page.locator('.token button').click();
      };
      await text(page, '#connection', 'a token is needed');
      await text(page, '.list', 'The list needs a token.');
      await text(page, '.token', 'This server asks for a token.');
      await give('garbage');
      await text(page, '.token', 'The server does not accept this token.');
      await give(keys.good({ sessions: ['mine'], verbs: ['view', 'list'] }));
      await text(page, '#connection', 'connected');
      await text(page, '#percent', '10 %');
      await text(page, '.list li', 'mine');
      assert.equal(await page.locator('.list li').count(), 1);
      assert.equal(await page.locator('.token').count(), 0);
      await page.locator(`${OPEN} input`).fill('yes');
      await page.locator(`${OPEN} button`).click();
      await text(page, OPEN, "the token's verbs do not have 'answer'");
      // By id, to one that it does not cover.
      await page.locator('.list input').fill('theirs');
      await page.locator('.list button').click();
      await text(page, '.refusal', 'the token does not cover this session');
      const [inTab, beyond] = await page.evaluate(() => [
        Object.keys(sessionStorage).length,
        Object.keys(localStorage).length + document.cookie.length,
      ]);
      assert.deepEqual([inTab, beyond], [1, 0]);
      // It is there after a reload, and in no other tab.
      await page.reload();
      await text(page, '#connection', 'connected');
      const other = await page.context().newPage();
      await other.goto(`${deployment.url}/`);
      await text(other, '.token', 'This server asks for a token.');
      await other.locator('.token input').fill(keys.good({ sessions: ['*'], verbs: ['view'] }));
      await other.locator('.token button').click();
      await text(other, '.list', 'This token may not list sessions. Open one by its id.');
      await other.locator('.list input').fill('theirs');
      await other.locator('.list button').click();
      await text(other, '#percent', '10 %');
      assert.deepEqual(page.problems, []);
    });
    assert.ok(!deployment.edge.log.includes('eyJ'), 'a token is in the log');
  },
  { edgeFlags: keys.flags },
);
