// The page by axe-core (WCAG 2.2 A and AA) in light and dark, by the keyboard alone, and without motion.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';

import { testOn, until } from '../support/processes.mjs';
import { DESKTOP, PHONE, text, withBrowser } from './page_browser.mjs';
import { events, publisherTo } from './publisher.mjs';
import { Keys, now } from './tokens.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const RULES = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
const CONTRAST_CHECKED_MIN = 20;

const keys = new Keys();
test.after(() => keys.close());

// On a screen that has all of it: what is scrolled away has no colours to judge.
const SCREENS = [
  ['desktop', { ...DESKTOP, viewport: { width: 1280, height: 3000 } }],
  ['phone', { ...PHONE, viewport: { width: 360, height: 4000 } }],
];

// What axe finds wrong, and the contrast that it cannot judge. Returns how many texts' contrast is good enough. The page's Content-Security-Policy lets no script in but by a debugger.
async function assertAccessible(page, where) {
  if (!(await page.evaluate(() => 'axe' in window))) {
    const debug = await page.context().newCDPSession(page);
    await debug.send('Page.setBypassCSP', { enabled: true });
    await page.reload();
    await page.addScriptTag({ path: AXE });
  }
  const result = await page.evaluate((rules) => window.axe.run(document, rules), RULES);
  const isContrast = ({ id }) => id === 'color-contrast';
  const problems = [...result.violations, ...result.incomplete.filter(isContrast)].flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}\n${failureSummary}`),
  );
  assert.deepEqual(problems, [], `${where}: ${problems.join('\n')}`);
  return result.passes.find(isContrast)?.nodes.length ?? 0;
}

const LONG = 'A long text, of which a part is seen. '.repeat(40);

// A session with all that the page can show at once.
async function publishAll(publisher, sessionId) {
  const publish = (event) => publisher.publish(sessionId, event);
  const prompts = { total: 8, completed: 3, processing: 2, pending: 2, failed: 1 };
  for (const percent of [10, 20]) await publish(events.progress(percent, { prompts }));
  await publish(events.result('a', 'COMPLETED', LONG, { provider: 'ollama', runId: '1' }));
  await publish(events.result('b', 'PROCESSING', 'Hel'));
  await publish(events.result('c', 'FAILED', '', { error: 'out of memory' }));
  await publish(events.clarification('c-1', 'Red or blue?'));
  await publish(events.clarification('c-2', LONG));
  await publisher.call('answerClarification', { sessionId, clarificationId: 'c-2', response: LONG });
}

for (const colorScheme of ['light', 'dark']) {
  testOn('serve', `axe-core finds nothing, in ${colorScheme}`, async (deployment) => {
    const publisher = publisherTo(deployment);
    for (const id of ['s', 'with-error', 'with-result']) await publishAll(publisher, id);
    await publisher.publish('with-error', events.error(LONG, true));
    await publisher.publish('with-result', events.completed({ ok: true }));
    await withBrowser(async (browser) => {
      for (const [how, screen] of SCREENS) {
        const page = await browser.open(`${deployment.url}/#s`, { ...screen, colorScheme });
        await text(page, '.question[data-status="pending"]', 'Red or blue?');
        await text(page, '.list li', 'with-result');
        await assertAccessible(page, how); // loads it anew, with axe
        await text(page, '.question[data-status="pending"]', 'Red or blue?');
        await text(page, '.list li', 'with-result');
        const contrast = await assertAccessible(page, `${how}, a session`);
        assert.ok(contrast >= CONTRAST_CHECKED_MIN, `the contrast of ${contrast} texts`);
        for (const [id, title] of [['with-error', 'Failed'], ['with-result', 'Completed']]) {
          await page.evaluate((id) => (location.hash = id), id);
          await text(page, '#end-title', title);
          await text(page, '.list [aria-current="page"]', id);
          await assertAccessible(page, `${how}, ${id}`);
        }
        await page.evaluate(() => (location.hash = 'no session id'));
        await text(page, '.refusal', 'invalid session id');
        await assertAccessible(page, `${how}, refused`);
        await page.evaluate(() => (location.hash = ''));
        await text(page, '.welcome', 'Choose a session');
        await assertAccessible(page, `${how}, nothing chosen`);
      }
    });
  });

  testOn(
    'daemons',
    `axe-core finds nothing where a token is asked for or ends, nor after a loss, in ${colorScheme}`,
    async (deployment) => {
      const publisher = publisherTo(deployment);
      await publisher.publish('s', events.progress(10));
      await withBrowser(async (browser) => {
        const page = await browser.open(`${deployment.url}/#s`, { ...DESKTOP, colorScheme });
        await text(page, '.token', 'This server asks for a token.');
        await assertAccessible(page, 'no token');
        await text(page, '.token', 'This server asks for a token.');
        const give = async (seconds) => {
          const token = keys.good({ sub: 'me', sessions: ['*'], verbs: ['view', 'list'], exp: now() + seconds });
          await page.locator('.token input').fill(token);
          await page.keyboard.press('Enter');
        };
        await give(30);
        await text(page, '.token', 'Your token ends at');
        await text(page, '#percent', '10 %');
        await assertAccessible(page, 'a token that ends');
        await give(600);
        await page.locator('.token').waitFor({ state: 'hidden' });
        await deployment.edge.kill();
        await text(page, '#connection[data-state="disconnected"]', 'coming back …');
        await text(page, '.why', 'Not up to date: The server is away.');
        await assertAccessible(page, 'away');
        await deployment.startEdge();
        await text(page, '.return', 'Nothing was missed.');
        await assertAccessible(page, 'back');
      });
    },
    { edgeFlags: keys.flags },
  );
}

// What has the focus, by its text or its name.
const focused = (page) =>
  page.evaluate(() => {
    const { activeElement: at } = document;
    return at.name || (/^:/.test(at.id) ? '' : at.id) || at.className.trim() || at.tagName;
  });

testOn('serve', 'By the keyboard alone: in order, to be seen, and a question is answered', async (deployment) => {
  const publisher = publisherTo(deployment);
  await publishAll(publisher, 's');
  await withBrowser(async (browser) => {
    const page = await browser.open(`${deployment.url}/#s`);
    await text(page, '.question[data-status="pending"]', 'Red or blue?');
    await page.locator('.list li').first().waitFor();
    // To the question over what skips the head.
    await page.keyboard.press('Tab');
    assert.equal(await focused(page), 'skip');
    assert.ok(await page.locator('.skip').evaluate((link) => link.getBoundingClientRect().left >= 0), 'it is seen');
    await page.keyboard.press('Enter');
    assert.equal(await focused(page), 'main');
    await page.keyboard.press('Tab');
    assert.equal(await focused(page), 'answer');
    await page.keyboard.type('blue');
    await page.keyboard.press('Enter');
    await text(page, '.question[data-id="c-1"] .own', 'Yours is the answer that counts.');
    // The form is gone, and what had the focus with it: it is at the answer now, not at the page's top.
    await until(async () => (await page.evaluate(() => document.activeElement.dataset.id)) === 'c-1', 'the focus is at the answer');

    // From there to the end, and in the document's order: what can be done, and what can be scrolled.
    await page.reload();
    await text(page, '.question[data-id="c-1"]', 'Answer: blue');
    await page.locator('.list li').first().waitFor();
    await page.locator('#events li').first().waitFor();
    const order = [];
    for (;;) {
      await page.keyboard.press('Tab');
      const at = await focused(page);
      if (at === 'BODY' || order.length > 20) break;
      order.push(at);
      const ring = await page.evaluate(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        return `${outlineStyle} ${outlineWidth}`;
      });
      assert.equal(ring, 'solid 3px', `the focus is seen at ${at}`);
    }
    // Skip, the name; the closed question's text and answer; the long result; the events; the list's search, its one session.
    assert.deepEqual(order, ['skip', 'brand', 'text', 'text', 'text', 'events', 'session', 'A']);
    const places = await page.locator('.skip, .brand, .text[tabindex], #events, .list input, .list a').evaluateAll(
      (elements) => elements.length,
    );
    assert.equal(places, order.length);
    // Long texts and the timeline are scrolled by it.
    const scrolled = page.locator('.model .text[tabindex]');
    await scrolled.focus();
    await page.keyboard.press('End');
    await page.waitForFunction((text) => text.scrollTop > 0, await scrolled.elementHandle());
    assert.deepEqual(page.problems, []);
  });
});

testOn('serve', 'Nothing moves for those who want no motion', async (deployment) => {
  const publisher = publisherTo(deployment);
  await publisher.publish('s', events.progress(10));
  await withBrowser(async (browser) => {
    // Of a progress bar's inner parts only a debugger is told.
    const movements = async (reducedMotion) => {
      const page = await browser.open(`${deployment.url}/#s`, { ...DESKTOP, reducedMotion });
      const moved = [];
      const debug = await page.context().newCDPSession(page);
      debug.on('Animation.animationStarted', ({ animation }) => moved.push(animation.type));
      await debug.send('Animation.enable');
      await text(page, '#percent', /\d %/);
      return { page, moved };
    };
    const [moving, still] = [await movements('no-preference'), await movements('reduce')];
    await until(async () => {
      const percent = 20 + Math.floor(Math.random() * 70);
      await publisher.publish('s', events.progress(percent));
      for (const { page } of [moving, still]) await text(page, '#percent', `${percent} %`);
      return moving.moved.length > 0;
    }, 'the bar moves for those who did not say so');
    assert.deepEqual(still.moved, []);
  });
});
