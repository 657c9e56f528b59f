// Very many sessions, and texts that nobody expects: the page stays what it is.
import assert from 'node:assert/strict';

import { testOn } from '../support/processes.mjs';
import { DESKTOP, fits, PHONE, text, withBrowser } from './page_browser.mjs';
import { events, publisherTo } from './publisher.mjs';

const SESSIONS = 6_000; // more than the page asks for
const LISTED_MAX = 5_000;
const ROWS_MAX = 100;
const ELEMENTS_MAX = 1_500;
const PER_MESSAGE = 500;

async function publishSessions(publisher) {
  const message = (from) => ({
    events: Array.from({ length: PER_MESSAGE }, (_, i) => ({
      event: { sessionId: `session-${String(from + i).padStart(4, '0')}`, ...events.progress(5) },
    })),
  });
  const messages = Array.from({ length: SESSIONS / PER_MESSAGE }, (_, i) => message(i * PER_MESSAGE));
  await publisher.stream(messages, { ms: 60_000 });
}

testOn('serve', `Of ${SESSIONS} sessions the list shows the newest that it knows, finds others, and stays small`, async (deployment) => {
  await publishSessions(publisherTo(deployment));
  await withBrowser(async (browser) => {
    const page = await browser.open(deployment.url);
    await text(page, '.list h2', `${LISTED_MAX.toLocaleString('en')}+`);
    await text(page, '.list', `and ${(LISTED_MAX - ROWS_MAX).toLocaleString('en')} more; search for them by id`);
    const rows = () => page.locator('.list li').count();
    const elements = () => page.evaluate(() => document.querySelectorAll('*').length);
    assert.equal(await rows(), ROWS_MAX);
    assert.ok((await elements()) < ELEMENTS_MAX, `${await elements()} elements`);
    const { sessions } = await (await fetch(`${deployment.url}/api/wizard/sessions?page_size=1000`)).json();
    const known = sessions[500].sessionId;
    await page.locator('.list input').fill(known.toUpperCase());
    await text(page, '.list li', known);
    assert.equal(await rows(), 1);
    // One that is not among those is opened by its id.
    await page.locator('.list input').fill('session-none');
    await text(page, '.why', 'No id has this in it. Open looks for a session of exactly this id.');
    for (const id of ['session-0000', `session-${SESSIONS - 1}`]) {
      await page.locator('.list input').fill(id);
      await page.keyboard.press('Enter');
      await text(page, '#session-id', id);
      await text(page, '#percent', '5 %');
    }
    await page.locator('.list input').fill('');
    await text(page, '.list', 'more; search for them by id');
    assert.equal(await rows(), ROWS_MAX);
    assert.ok((await elements()) < ELEMENTS_MAX, `${await elements()} elements`);
    assert.deepEqual(page.problems, []);
  });
});

const MARKUP = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script><a href="javascript:hacked=1">';
const TURNED = '\u202Ednammoc\u2066\u202D \u0007\u001B[31m\uFEFF';
const WORD = 'W'.repeat(64 * 1024);
const LONG = WORD.slice(0, 16 * 1024); // where no more is allowed
const NAME = WORD.slice(0, 256);

async function publishHostile(publisher, [short, long, longest]) {
  const publish = (event) => publisher.publish('s', event);
  await publish(events.progress(10));
  await publish(events.result(short, 'COMPLETED', longest, { provider: short, runId: short }));
  await publish(events.result(`b ${short.slice(2)}`, 'FAILED', longest, { error: long, provider: short }));
  await publish(events.clarification('c-1', long));
  await publish(events.clarification('c-2', long));
  await publisher.call('answerClarification', { sessionId: 's', clarificationId: 'c-2', response: long });
}

// What only those see who are there.
async function publishHostileLive(publisher, [short, long, longest]) {
  const publish = (event) => publisher.publish('s', event);
  await publish(events.custom('token', { delta: longest, modelName: long }));
  await publish(events.custom('note', { [short]: longest }));
  await publish(events.error(long));
}

for (const [what, texts] of [
  ['markup', [MARKUP, MARKUP, MARKUP]],
  ['texts of another direction', [TURNED, TURNED.repeat(50), TURNED.repeat(50)]],
  ['one word of 64 KB', [NAME, LONG, WORD]],
]) {
  testOn('serve', `Hostile texts: ${what}`, async (deployment) => {
    const publisher = publisherTo(deployment);
    await publishHostile(publisher, texts);
    await withBrowser(async (browser) => {
      for (const screen of [DESKTOP, PHONE]) {
        const page = await browser.open(`${deployment.url}/#s`, screen);
        await text(page, '.question[data-status="pending"]', texts[1].slice(0, 20));
        await publishHostileLive(publisher, texts);
        await text(page, '#events li .name', /^error$/);
        await fits(page);
        // All of it is text, and each text stays in its place and its direction.
        const found = await page.evaluate(() => ({
          hacked: window.hacked,
          foreign: document.querySelectorAll('#page img, #page script, #page iframe, #page [href^="javascript"]').length,
          wide: [...document.querySelectorAll('.text, .own, .timeline, h3, pre')]
            .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
            .map(({ className }) => className),
          high: [...document.querySelectorAll('.card')].map(({ className, offsetHeight }) => [className, offsetHeight]),
          statuses: [...document.querySelectorAll('.model')].map((model) => {
            const [card, status] = [model, model.querySelector('.status')].map((part) => part.getBoundingClientRect());
            return status.right <= card.right && status.left >= card.left && status.top >= card.top;
          }),
        }));
        assert.equal(found.hacked, undefined);
        assert.equal(found.foreign, 0);
        assert.deepEqual(found.wide, [], 'nothing has to be scrolled to sideways');
        assert.ok(found.statuses.length >= 3 && found.statuses.every(Boolean), JSON.stringify(found.statuses));
        for (const [card, height] of found.high) assert.ok(height < 900, `${card}: ${height} px`);
        assert.deepEqual(page.problems, []);
      }
      // It is answered as any other.
      const page = await browser.open(`${deployment.url}/#s`);
      await page.locator('.question[data-status="pending"] input').fill(texts[0]);
      await page.keyboard.press('Enter');
      await text(page, '.question[data-id="c-1"] .own', 'Yours is the answer that counts.');
      await publisher.publish('s', events.error(texts[1], true));
      await text(page, '#end-title', 'Failed');
      await fits(page);
      assert.equal(await page.evaluate(() => window.hacked), undefined);
      assert.deepEqual(page.problems, []);
    });
  });
}

testOn('serve', 'A duration stays where it is, whatever the direction of what stands before it', async (deployment) => {
  const publisher = publisherTo(deployment);
  await publisher.publish('s', events.result('plain', 'COMPLETED', 'x', { provider: 'abc', runId: 'def' }));
  await publisher.publish('s', events.result('turned', 'COMPLETED', 'x', { provider: '\u202Eabc', runId: '\u202Edef' }));
  await withBrowser(async (browser) => {
    const page = await browser.open(`${deployment.url}/#s`);
    await text(page, '.model', 'turned');
    const places = await page.locator('.model').evaluateAll((models) =>
      models.map((model) => {
        const line = model.querySelector('.about');
        return Math.round(line.lastElementChild.getBoundingClientRect().left - line.getBoundingClientRect().left);
      }),
    );
    assert.equal(places.length, 2);
    assert.equal(places[0], places[1]);
  });
});
