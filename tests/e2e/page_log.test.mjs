// What the page knows of a session (edge/web/src/session_log.ts), by the rule of docs/PROTOCOL.md.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';

import { ROOT } from '../support/processes.mjs';

const web = path.join(ROOT, 'edge/web');
const { buildSync } = createRequire(path.join(web, 'package.json'))('esbuild');
const { outputFiles } = buildSync({
  entryPoints: [path.join(web, 'src/session_log.ts')],
  bundle: true,
  format: 'esm',
  write: false,
});
const source = Buffer.from(outputFiles[0].text).toString('base64');
const { SessionLog, TIMELINE_ENTRIES_MAX } = await import(`data:text/javascript;base64,${source}`);

const at = (sequence, more = {}) => ({
  sessionId: 's',
  epoch: 'aaaaaaaa',
  sequence,
  timestamp: '2026-11-28T12:00:00.000Z',
  ...more,
});
const token = (sequence, delta, more = {}) => at(sequence, { data: { delta, modelName: 'm' }, ...more });
const shownOf = (log) => log.timeline.map(({ sequence }) => sequence);
const textOf = (log) => log.models.get('m\n')?.text;

test('Each event is shown once, in order, and a gap is not stepped over', () => {
  const log = new SessionLog('s');
  log.moveTo({ epoch: 'aaaaaaaa', sequence: 0 });
  assert.equal(log.add('token', token(1, 'a')), 'shown');
  assert.equal(log.add('token', token(1, 'a')), 'known');
  assert.equal(log.add('token', token(3, 'c')), 'gap');
  assert.equal(textOf(log), 'a');
  assert.equal(log.add('token', token(2, 'b')), 'shown');
  assert.equal(log.add('token', token(3, 'c')), 'shown');
  // What was superseded is no gap; one more than that is.
  assert.equal(log.add('token', token(7, 'd', { skipped: 2 })), 'gap');
  assert.equal(log.add('token', token(7, 'd', { skipped: 3 })), 'shown');
  assert.deepEqual(shownOf(log), [1, 2, 3, 7]);
  assert.equal(textOf(log), 'abcd');
  assert.deepEqual([log.eventsShown, log.eventsSkipped], [4, 3]);
});

test('Another epoch begins anew, and so does a resync', () => {
  const log = new SessionLog('s');
  log.add('token', token(5, 'a'));
  assert.equal(log.add('token', token(1, 'b', { epoch: 'bbbbbbbb' })), 'shown');
  log.add('completed', at(2, { epoch: 'bbbbbbbb', result: { ok: true } }));
  assert.equal(log.end.kind, 'completed');
  log.startAgain({ epoch: 'cccccccc', sequence: 0 });
  assert.deepEqual([log.models.size, log.end, log.timeline], [0, null, []]);
  assert.equal(log.add('token', token(9, 'z', { epoch: 'cccccccc' })), 'gap');
  assert.equal(log.add('token', token(9, 'z', { epoch: 'cccccccc', skipped: 8 })), 'shown');
  // Nobody has published yet: there is no position to be behind.
  log.moveTo({ epoch: '', sequence: 0 });
  assert.equal(log.position, null);
});

test('A result replaces what deltas have made, and runs of one model are apart', () => {
  const log = new SessionLog('s');
  const result = (sequence, more) =>
    log.add('model_result', at(sequence, { modelName: 'm', duration: 5, status: 'processing', result: 'whole', ...more }));
  log.add('token', token(1, 'Hel'));
  result(2, {});
  assert.equal(textOf(log), 'whole');
  log.add('token', token(3, ' more'));
  assert.equal(textOf(log), 'whole more');
  result(4, { runId: 'r-2', result: 'other', status: 'failed', error: 'out of memory' });
  assert.deepEqual([...log.models.keys()], ['m\n', 'm\nr-2']);
  // Without a model's name the event's own is the card's.
  log.add('reasoning', at(5, { data: { delta: 'so' } }));
  assert.equal(log.models.get('reasoning\n').text, 'so');
  // What is no delta is only in the timeline.
  log.add('cost', at(6, { data: { cents: 5 } }));
  assert.equal(log.timeline.at(-1).summary, '{"cents":5}');
  assert.equal(log.models.size, 3);
});

test('All of it is bounded, however much comes', () => {
  const log = new SessionLog('s');
  const long = 'x'.repeat(50_000);
  for (let i = 1; i <= 5000; i += 1) {
    log.add('token', at(i, { data: { delta: `${long.slice(0, 100)}${i}`, modelName: `m-${i % 1000}` } }));
  }
  for (let i = 5001; i <= 6000; i += 1) {
    log.add('clarification', at(i, { clarificationId: `c-${i}`, question: long, status: 'pending' }));
  }
  log.add('model_result', at(6001, { modelName: 'm', duration: 1, status: 'completed', result: `${long}end` }));
  assert.ok(log.timeline.length <= 2 * TIMELINE_ENTRIES_MAX);
  assert.deepEqual(shownOf(log).slice(-3), [5999, 6000, 6001]);
  assert.ok(log.timeline.every(({ summary }) => summary.length <= 160));
  assert.ok(log.models.size <= 200 && log.questions.size <= 200);
  assert.ok(log.questions.has('c-6000') && !log.questions.has('c-5001'));
  assert.ok(textOf(log).length <= 32 * 1024 && textOf(log).endsWith('xend'));
});
