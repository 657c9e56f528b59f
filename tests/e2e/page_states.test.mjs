// What the page says when things do not go on as before: a position that is not kept, a token that ends, a session that does.
import assert from 'node:assert/strict';
import test from 'node:test';

import { testOn } from '../support/processes.mjs';
import { numbersTo, sequences, text, withBrowser } from './page_browser.mjs';
import { events, publisherTo } from './publisher.mjs';
import { Keys, now } from './tokens.mjs';

const keys = new Keys();
test.after(() => keys.close());

const STARTED_AGAIN = 'The server has no longer all that was shown here';

async function publishTokens(publisher, sessionId, how_many) {
  for (let i = 0; i < how_many; i += 1) await publisher.publish(sessionId, events.custom('token', { i }));
}

testOn(
  'daemons',
  'What was missed and is not kept any more: the state comes instead, and the page says so',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    await publisher.publish('s', events.progress(10));
    await publisher.publish('s', events.custom('token', { delta: 'only here', modelName: 'm' }));
    await withBrowser(async (browser) => {
      const page = await browser.open(`${deployment.url}/#s`);
      await text(page, '#percent', '10 %');
      await publisher.publish('s', events.custom('token', { delta: 'more', modelName: 'm' }));
      await text(page, '.model .text', 'more');
      assert.equal(await page.locator('#started-again').count(), 0);
      await deployment.edge.kill();
      await text(page, '#connection', 'coming back …');
      await publishTokens(publisher, 's', 40);
      await publisher.publish('s', events.progress(60));
      await deployment.startEdge();
      await text(page, '.return', 'What was missed is not kept any more: the state as it is now came instead.');
      await text(page, '#percent', '60 %');
      await text(page, '#started-again', STARTED_AGAIN);
      // Nothing of before is left: not the text that only its deltas had made, and not the old rows.
      assert.equal(await page.locator('.model').count(), 0);
      await text(page, '#events li[data-skipped="43"]', 'before it 43 events superseded, left out');
      assert.deepEqual(await sequences(page), [44]);
      await publisher.publish('s', events.progress(70));
      await text(page, '#percent', '70 %');
      await page.locator('#events li[data-sequence="45"]').waitFor();
      assert.deepEqual(await sequences(page), [44, 45]);
      assert.deepEqual(page.problems, []);
    });
  },
  { controlFlags: ['--history_kept_events_max=16'] },
);

testOn(
  'daemons',
  "A store that was replaced: the page shows the new session of that id, and nothing of the old one's",
  async (deployment) => {
    const publisher = publisherTo(deployment);
    await publisher.publish('s', events.progress(10));
    await publisher.publish('s', events.result('old', 'COMPLETED', 'of before'));
    await publisher.publish('s', events.clarification('c-1', 'Before?'));
    await withBrowser(async (browser) => {
      const page = await browser.open(`${deployment.url}/#s`);
      await text(page, '.question', 'Before?');
      await deployment.control.kill();
      deployment.loseStore();
      await deployment.startControl();
      const again = publisherTo(deployment);
      await again.publish('s', events.progress(20));
      await text(page, '#percent', '20 %');
      await text(page, '#started-again', STARTED_AGAIN);
      assert.equal(await page.locator('.model, .question').count(), 0);
      await page.waitForFunction(() => document.querySelectorAll('#events li').length === 1);
      assert.deepEqual(await sequences(page), [1]);
      // The connection was never lost.
      assert.equal(await page.locator('.return').count(), 0);
      assert.deepEqual(page.problems, []);
    });
  },
);

const give = async (page, token) => {
  await page.locator('.token input').fill(token);
  await page.locator('.token button').click();
};
const claims = (more) => ({ sub: 'me', sessions: ['s'], verbs: ['view', 'list'], ...more });

testOn(
  'daemons',
  'A token that is about to end is replaced, and the connection stays',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    await publisher.publish('s', events.progress(10));
    await withBrowser(async (browser) => {
      const page = await browser.open(`${deployment.url}/#s`);
      const ends = now() + 15;
      const first = keys.good(claims({ exp: ends }));
      await give(page, first);
      await text(page, '#percent', '10 %');
      await text(page, '.token', /Your token ends at \d\d:\d\d:\d\d\. With another one the connection stays\./);
      await give(page, 'garbage');
      await text(page, '.token [role="status"]', 'unauthorized');
      assert.deepEqual(await page.evaluate(() => Object.values(sessionStorage)), [first], 'the one before still counts');
      await text(page, '#connection', 'connected');
      await give(page, keys.good(claims()));
      await page.locator('.token').waitFor({ state: 'detached' });
      await page.waitForFunction((ends) => Date.now() / 1000 > ends + 1, ends);
      await publisher.publish('s', events.progress(20));
      await text(page, '#percent', '20 %');
      assert.equal(await page.locator('.return').count(), 0);
      assert.deepEqual(page.problems, []);
    });
  },
  { edgeFlags: keys.flags },
);

for (const [sub, how] of [
  ['me', 'The connection was recovered after'],
  ['somebody else', 'A new connection was made after'],
]) {
  testOn(
    'daemons',
    `A token that has ended: what was there stays, and with one of ${sub} it goes on (${how})`,
    async (deployment) => {
      const publisher = publisherTo(deployment);
      await publisher.publish('s', events.progress(10));
      await withBrowser(async (browser) => {
        const page = await browser.open(`${deployment.url}/#s`);
        await give(page, keys.good(claims({ exp: now() + 20 })));
        await text(page, '#percent', '10 %');
        // Once all is there, one that ends soon takes its place.
        await text(page, '.token', 'Your token ends at');
        await give(page, keys.good(claims({ exp: now() + 6 })));
        await text(page, '#connection[data-state="unauthorized"]', 'a token is needed');
        await text(page, '.token', 'The server does not accept this token. It may have ended.');
        await text(page, '#percent', '10 %');
        assert.equal(await page.locator('.refusal').count(), 0, 'it is said once');
        await publishTokens(publisher, 's', 3);
        await give(page, keys.good(claims({ sub })));
        await text(page, '.return', how);
        await text(page, '.return', '3 events happened meanwhile: all caught up.');
        assert.equal(await page.locator('.return').getAttribute('data-recovered'), String(sub === 'me'));
        await page.locator('#events li[data-sequence="4"]').waitFor();
        assert.deepEqual(await sequences(page), numbersTo(4));
        assert.equal(await page.locator('.token, #started-again').count(), 0);
        assert.deepEqual(page.problems, []);
      });
    },
    { edgeFlags: keys.flags },
  );
}

testOn(
  'serve',
  'Errors: one on the way is an event like others, the last one is the end, and an open question is withdrawn',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    await publisher.publish('s', events.progress(40));
    await publisher.publish('s', events.clarification('c-1', 'Go on?'));
    await withBrowser(async (browser) => {
      const page = await browser.open(`${deployment.url}/#s`);
      await text(page, '.question[data-status="pending"]', 'Go on?');
      await publisher.publish('s', events.error('a model is away'));
      await text(page, '#events li', /error.*a model is away/);
      assert.equal(await page.locator('.end').count(), 0);
      await publisher.publish('s', events.error('the disk is full', true));
      await text(page, '.end[data-kind="failed"] #end-title', 'Failed');
      await text(page, '#end-text', 'the disk is full');
      await text(page, '.progress .status[data-status="failed"]', 'failed');
      await text(page, '.question[data-status="answered"]', 'The question was withdrawn.');
      assert.equal(await page.locator('.question form').count(), 0);
      // Whoever comes later sees the same.
      const late = await browser.open(`${deployment.url}/#s`);
      await text(late, '.end[data-kind="failed"] #end-text', 'the disk is full');
      await text(late, '#percent', '40 %');
    });
  },
);

testOn(
  'serve',
  'A session that nobody publishes to expires, and the page says what that is',
  async (deployment) => {
    await publisherTo(deployment).publish('s', events.progress(40));
    await withBrowser(async (browser) => {
      const page = await browser.open(`${deployment.url}/#s`);
      await text(page, '.end[data-kind="expired"] #end-title', 'Expired');
      await text(page, '#end-text', 'Nobody published to this session for its time to live.');
      await text(page, '.progress .status', 'expired');
      await text(page, '.list li .status', 'expired');
    });
  },
  { controlFlags: ['--session_time_to_live_ms=1500'] },
);
