// examples/websocket-client.ts as it stands: compiled strictly, run in Node and in a browser, through the loss of its edge.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { pathToFileURL } from 'node:url';

import { Deployment, program, ROOT, run, testOn, testWith, until } from '../support/processes.mjs';
import { events, publisherTo } from '../e2e/publisher.mjs';
import { Keys } from '../e2e/tokens.mjs';
import { bundled, compile, open, shows } from './browser.mjs';

const EXAMPLE = path.join(ROOT, 'examples/websocket-client.ts');
const workspace = mkdtempSync(path.join(tmpdir(), 'sessioncast-example-'));
after(() => rmSync(workspace, { recursive: true }));
const file = (name) => path.join(workspace, name);
copyFileSync(EXAMPLE, file('websocket-client.ts'));
writeFileSync(file('package.json'), '{"type": "module"}');
symlinkSync(path.join(ROOT, 'examples/react/node_modules'), file('node_modules'));
await compile(
  ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noUnusedLocals', '--skipLibCheck', '--target', 'ES2022',
    '--module', 'NodeNext', 'websocket-client.ts'],
  workspace,
);
const { SessionWatcher } = await import(pathToFileURL(file('websocket-client.js')));

// A running watcher; `shown` is what it has rendered, in order.
function watch(deployment, sessionId, path, token) {
  const shown = [];
  const watcher = new SessionWatcher(deployment.url, sessionId, (...arguments_) => shown.push(arguments_), path, token);
  deployment.closeFirst({ close: () => watcher.stop() });
  watcher.start();
  const has = (what, condition) => until(() => shown.length > 0 && condition(...shown.at(-1)), what);
  return { watcher, shown, has };
}

testOn('daemons', 'It shows a session, loses its edge, and goes on with what it has not seen', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.progress(10));
  await publisher.publish(sessionId, events.result('a', 'PROCESSING', 'He'));
  const { watcher, shown, has } = watch(deployment, sessionId);
  await has('the state', (state, connection) => state.modelResults.length === 1 && connection === 'live');
  for (let round = 1; round <= 2; round += 1) {
    await deployment.edge.kill();
    await has('that the edge is away', (state, connection) => connection === 'reconnecting');
    await publisher.publish(sessionId, events.progress(10 + round));
    await publisher.publish(sessionId, events.clarification(`q-${round}`, 'Which?'));
    await deployment.startEdge();
    await has('what happened meanwhile', (state, connection) => state.clarifications.length === round && connection === 'live');
  }
  assert.deepEqual(deployment.edge.lines.filter((line) => /subscribed to session/.test(line)).length, 1);
  await publisher.publish(sessionId, events.result('a', 'COMPLETED', 'Hello'));
  await has('the result', ({ modelResults }) => modelResults.length === 1 && modelResults[0].result === 'Hello');

  await deployment.control.kill();
  const answered = watcher.respond('q-1', 'German');
  await deployment.startControl();
  assert.equal(await answered, true);
  assert.equal(await watcher.respond('q-1', 'French'), false);
  assert.equal(await watcher.respond('q-1', 'German'), true, 'as after a reply that was lost');
  await assert.rejects(watcher.respond('nobody-asked', 'Yes'), /no such|unknown|nobody-asked/);
  await has('the answer', ({ clarifications }) => clarifications[0].response === 'German');
  const again = publisherTo(deployment);
  await again.publish(sessionId, events.completed({ pages: 3 }));
  await has('the end', ({ completed }) => completed?.result.pages === 3);
  // In step, and never backwards.
  const sequences = shown.map(([state]) => state.progress?.sequence ?? 0);
  assert.deepEqual(sequences, [...sequences].sort((a, b) => a - b));
});

const keys = new Keys();
after(() => keys.close());
testWith(
  () => new Deployment('serve', { controlFlags: keys.flags }),
  'Where the server asks for a token it shows one, at each of its doors (serve)',
  async (deployment) => {
    writeFileSync(keys.file('runner'), keys.good({ sessions: ['*'], verbs: ['publish'] }));
    const sessionId = randomUUID();
    for (const event of [['--progress=10'], ['--clarification=q', '--question=Which?']]) {
      const flags = [`--control=${deployment.grpc}`, `--token_file=${keys.file('runner')}`];
      assert.equal((await run(program('sessioncast'), ['publish', sessionId, ...event, ...flags])).code, 0);
    }
    const token = () => keys.good({ sessions: [sessionId], verbs: ['view', 'answer'] });
    const { watcher, has } = watch(deployment, sessionId, undefined, token);
    await has('the state', (state, connection) => connection === 'live' && state.clarifications.length === 1);
    assert.equal(await watcher.respond('q', 'German'), true);
    await has('the answer', ({ clarifications }) => clarifications[0].response === 'German');
  },
  150_000,
);

testOn('serve', 'A burst is shown in few steps, and another life of the session anew', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const { watcher, shown, has } = watch(deployment, sessionId);
  await has('live', (state, connection) => connection === 'live');
  const before = shown.length;
  const burst = Array.from({ length: 500 }, (_, i) => ({ event: { sessionId, ...events.progress(i / 5) }, idempotencyKey: '' }));
  await publisher.stream([{ events: burst }]);
  await has('the last of the burst', ({ progress }) => progress?.sequence === 500);
  assert.ok(shown.length - before < 250, `${shown.length - before} renderings of 500 events`);
  watcher.position = { epoch: 'AAAAAAAA', sequence: 7 }; // as of a log that is gone
  watcher.socket.io.engine.close();
  await has('the state, anew', ({ progress }, connection) => connection === 'live' && progress?.sequence === 500);
  assert.ok(shown.slice(before).some(([{ progress }, connection]) => progress === null && connection === 'live'), 'it began anew');
});

testOn('serve', 'Where no socket can be had it shows the state by REST', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.progress(10));
  const { has } = watch(deployment, sessionId, '/nothing/');
  await has('the state', (state, connection, problem) => connection === 'polling' && state.progress.progress === 10 && problem !== '');
  await publisher.publish(sessionId, events.progress(20));
  await has('what follows', ({ progress }) => progress.progress === 20);
});

testOn('daemons', 'In a browser it renders the session into an element, through the loss of its edge', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.progress(10));
  const script = await bundled({
    stdin: {
      contents: `import { renderInto, SessionWatcher } from ${JSON.stringify(file('websocket-client.ts'))};
        const asked = new URLSearchParams(location.search);
        new SessionWatcher(asked.get('server'), asked.get('session'), renderInto(document.querySelector('#session'))).start();`,
      resolveDir: workspace,
    },
  });
  const html = '<!doctype html><title>A session</title><div id="session"></div><script type="module" src="dist/main.js"></script>';
  const { page, problems } = await open(deployment, { html, script, query: `?server=${deployment.url}&session=${sessionId}` });
  await shows(page, '#session p', '10 % PROCESSING');
  await deployment.edge.kill();
  await shows(page, '#session p', /^reconnecting/);
  await publisher.publish(sessionId, events.result('a', 'COMPLETED', '<b>not markup</b>'));
  await deployment.startEdge();
  await shows(page, '#session p', 'a (completed): <b>not markup</b>');
  await shows(page, '#session p', /^live$/);
  await publisher.publish(sessionId, events.error('the disk is full', true));
  await shows(page, '#session p', 'Failed: the disk is full');
  assert.deepEqual(problems, []);
});
