// examples/react as it stands: compiled strictly, bundled, and used in a browser.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { ROOT, testOn } from '../support/processes.mjs';
import { events, publisherTo } from '../e2e/publisher.mjs';
import { bundled, compile, open, shows } from './browser.mjs';

const DIRECTORY = path.join(ROOT, 'examples/react');
await compile(['-p', '.', '--skipLibCheck'], DIRECTORY);

testOn('daemons', 'The app shows a session, takes an answer, and goes on after its edge was killed', async (deployment) => {
  const script = await bundled({ entryPoints: [path.join(DIRECTORY, 'src/main.tsx')] });
  const html = readFileSync(path.join(DIRECTORY, 'index.html'), 'utf8');
  const publisher = publisherTo(deployment);
  const [sessionId, other] = [randomUUID(), randomUUID()];
  await publisher.publish(sessionId, events.progress(10));
  await publisher.publish(sessionId, events.result('a', 'PROCESSING', 'He'));
  const { page, problems } = await open(deployment, { html, script, query: `?server=${deployment.url}&session=${sessionId}` });
  await shows(page, '#connection', /^connected$/);
  await shows(page, '#progress', '10 % PROCESSING');
  await shows(page, '.model[data-status="processing"]', 'He');

  await deployment.edge.kill();
  await shows(page, '#connection', /^not connected$/);
  await publisher.publish(sessionId, events.result('a', 'COMPLETED', 'Hello'));
  await publisher.publish(sessionId, events.clarification('q', 'Which language?'));
  await deployment.startEdge();
  await shows(page, '.model[data-status="completed"]', 'Hello');
  assert.equal(await page.locator('.model').count(), 1);

  await page.locator('.question[data-status="pending"] input').fill('German');
  await page.locator('.question button').click();
  await shows(page, '.question[data-status="answered"]', 'Answer: German');
  await publisher.publish(sessionId, events.completed({}));
  await shows(page, '#end', 'Completed');

  await publisher.publish(other, events.progress(70));
  await page.locator('#choose input').fill(other);
  await page.locator('#choose button').click();
  await shows(page, '#progress', '70 % PROCESSING');
  assert.equal(await page.locator('.model, .question, #end').count(), 0, 'nothing of the other session');
  await page.locator('#choose input').fill('no id');
  await page.locator('#choose button').click();
  await shows(page, '[role="alert"]', 'invalid session id');
  assert.deepEqual(problems, []);
});
