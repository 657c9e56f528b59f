// The edge dies under an open page: the page comes back, shows each event once, and says what
// happened.
import assert from 'node:assert/strict';

import { testOn, until } from '../support/processes.mjs';
import { numbersTo, sequences, text, withBrowser } from './page_browser.mjs';
import { events, publisherTo } from './publisher.mjs';
import { SteadyPublisher } from './steady_publisher.mjs';

const shown = (page) => page.locator('#events-shown').getAttribute('data-count').then(Number);

async function untilShown(page, sequence) {
  await page.locator(`#events li[data-sequence="${sequence}"]`).waitFor();
}

testOn(
  'daemons',
  'An edge that is killed and started again: nothing is missing, nothing is there twice, and the page says so',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    await publisher.publish('s', events.progress(1));
    await withBrowser(async (browser) => {
      const page = await browser.open(`${deployment.url}/#s`);
      await text(page, '#percent', '1 %');
      const steady = deployment.closeFirst(new SteadyPublisher(publisher, 's', { pauseMs: 50 }));
      await untilShown(page, 10);
      for (const round of [1, 2]) {
        await deployment.edge.kill();
        await text(page, '#connection', 'coming back …');
        const published = steady.positions.size;
        // Something happens while there is no edge.
        await until(() => steady.positions.size >= published + 20, 'the publisher goes on');
        await deployment.startEdge();
        await text(page, '#connection[data-state="connected"]', `edge edge-7`);
        await page.locator('.return[data-recovered="true"][data-caught-up="true"]').waitFor();
        const said = await page.locator('.return').textContent();
        const [, missed] = said.match(
          /^The connection was recovered after .* at edge edge-7\. ([\d,]+) events happened meanwhile: all caught up\.$/,
        ) ?? assert.fail(`round ${round}: ${said}`);
        assert.ok(Number(missed.replace(',', '')) >= 20, said);
      }
      const positions = await steady.stop();
      const last = Math.max(...[...positions.values()].map(({ sequence }) => sequence));
      await untilShown(page, last);
      // Each was taken once, and the timeline has the last of them without a gap.
      assert.equal(await shown(page), last);
      assert.deepEqual(await sequences(page), numbersTo(last).slice(-500));
      assert.equal(await page.locator('#events li[data-skipped]').count(), 0);
      assert.deepEqual(page.problems, []);
    });
  },
  { edgeFlags: ['--sid_suffix=edge-7'] },
);
