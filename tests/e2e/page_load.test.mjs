// 1,000 events a second for 5 s, on the page and beside it on an empty one: it does not freeze, and draws once a frame, not once
// an event. How often it draws is counted, so that a busy machine neither hides nor makes a failure.
import assert from 'node:assert/strict';

import { testOn } from '../support/processes.mjs';
import { text, withBrowser } from './page_browser.mjs';
import { events, publisherTo } from './publisher.mjs';

const SECONDS = 5;
const BATCHES_PER_S = 20;
const EVENTS_PER_BATCH = 50;
const EVENTS = SECONDS * BATCHES_PER_S * EVENTS_PER_BATCH;
const MODELS = ['a', 'b', 'c', 'd'];
const GAP_MS_MAX = 500;
// Of the frames that an empty page has; on a machine with nine programs for each core it was 0.28.
const FRAMES_SHARE_MIN = 0.1;
const TIMELINE_INTERVAL_MS = 250;

// From now on: the longest time between two animation frames, in window.longestGapMs.
function watchFrames(page) {
  return page.evaluate(() => {
    window.longestGapMs = 0;
    window.frames_ = 0;
    let last = performance.now();
    const frame = () => {
      const now = performance.now();
      window.longestGapMs = Math.max(window.longestGapMs, now - last);
      window.frames_ += 1;
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}

// From now on, in window.drawn: how often what the session says of itself was drawn, and the timeline; how many rows were put into
// it, and how many that were there were changed.
function watchDrawing(page) {
  return page.evaluate(() => {
    const drawn = (window.drawn = { session: 0, timeline: 0, rowsPut: 0, rowsChanged: 0 });
    const sinceMs = performance.now();
    drawn.ms = () => performance.now() - sinceMs;
    new MutationObserver((records) => (drawn.session += records.length)).observe(document.querySelector('#events-shown'), {
      attributeFilter: ['data-count'],
    });
    const events = document.querySelector('#events');
    new MutationObserver((records) => {
      const put = records.filter(({ type, target }) => type === 'childList' && target === events);
      drawn.timeline += 1;
      drawn.rowsPut += put.reduce((sum, { addedNodes }) => sum + addedNodes.length, 0);
      drawn.rowsChanged += records.length - put.length;
    }).observe(events, { subtree: true, childList: true, characterData: true, attributes: true });
  });
}

const drawnOf = (page) => page.evaluate(() => ({ ...window.drawn, ms: window.drawn.ms(), frames: window.frames_ }));

const framesOf = (page) =>
  page.evaluate(() => ({ longestGapMs: window.longestGapMs, frames: window.frames_ }));

// Every model's text is "0 1 2 …".
function batch(number) {
  const requests = [];
  for (let i = 0; i < EVENTS_PER_BATCH; i += 1) {
    const at = number * EVENTS_PER_BATCH + i;
    const delta = `${Math.floor(at / MODELS.length)} `;
    const event = events.custom('token', { delta, modelName: MODELS[at % MODELS.length] });
    requests.push({ event: { sessionId: 's', ...event } });
  }
  return { events: requests };
}

async function publishAtRate(publisher) {
  const start = performance.now();
  const answers = [];
  let order = Promise.resolve();
  for (let i = 0; i < SECONDS * BATCHES_PER_S; i += 1) {
    const wait = start + (i * 1000) / BATCHES_PER_S - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    order = order.then(() => publisher.stream([batch(i)]));
    answers.push(order);
  }
  await Promise.all(answers);
  return performance.now() - start;
}

testOn('serve', 'The page stays alive at 1,000 events a second, and shows every one', async (deployment, t) => {
  const publisher = publisherTo(deployment);
  await publisher.publish('s', events.progress(0));
  await withBrowser(async (browser) => {
    const empty = await browser.open('about:blank');
    const page = await browser.open(`${deployment.url}/#s`);
    await text(page, '#percent', '0 %');
    await text(page, '.list li', 's');
    await Promise.all([watchFrames(empty), watchFrames(page)]);
    await watchDrawing(page);
    const tookMs = await publishAtRate(publisher);
    await page.locator(`#events-shown[data-count="${EVENTS + 1}"]`).waitFor();
    await page.locator(`#events li[data-sequence="${EVENTS + 1}"]`).waitFor();
    const [ofEmpty, ofPage, drawn] = [await framesOf(empty), await framesOf(page), await drawnOf(page)];
    t.diagnostic(
      `${EVENTS} events in ${Math.round(tookMs)} ms; the page: ${JSON.stringify(ofPage)}, an empty one: ${JSON.stringify(ofEmpty)}; ` +
        `drawn: ${JSON.stringify(drawn)}`,
    );
    assert.ok(drawn.session > 0 && drawn.session <= drawn.frames + 1, 'the session is drawn once a frame at most');
    assert.ok(drawn.timeline <= drawn.ms / TIMELINE_INTERVAL_MS + 1, 'the timeline is drawn four times a second at most');
    assert.ok(drawn.rowsPut <= EVENTS + 1, 'a row is put in once');
    assert.equal(drawn.rowsChanged, 0, 'a row that is there stays as it is');
    // A machine that is busy with other things holds up an empty page too.
    const limitMs = GAP_MS_MAX + 3 * ofEmpty.longestGapMs;
    assert.ok(ofPage.longestGapMs <= limitMs, `${ofPage.longestGapMs} ms > ${limitMs} ms`);
    assert.ok(ofPage.frames >= FRAMES_SHARE_MIN * ofEmpty.frames, `${ofPage.frames} of ${ofEmpty.frames} frames`);

    // Nothing was lost on the way, and what is in the document is bounded.
    const whole = Array.from({ length: EVENTS / MODELS.length }, (_, i) => `${i} `).join('');
    for (const [i, name] of MODELS.entries()) {
      const shown = await page.locator('.model .text').nth(i).evaluate((element) => element.textContent);
      assert.equal(shown, whole, `the text of ${name}`);
    }
    assert.equal(await page.locator('#events li').count(), 500);
    assert.deepEqual(page.problems, []);
  });
});
