// What the page keeps of a session beside its state, and what of a state it shows (edge/web/src/session_log.ts).
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
const { SessionLog, TIMELINE_ENTRIES_MAX, endOf, questionsOf } = await import(`data:text/javascript;base64,${source}`);

const KINDS = ['progress', 'model_result', 'clarification', 'completed', 'error'];
const add = (log, name, sequence, more = {}) =>
  log.add({
    kind: KINDS.includes(name) ? name : 'custom',
    name,
    payload: { sessionId: 's', epoch: 'aaaaaaaa', sequence, timestamp: '2026-11-28T12:00:00.000Z', ...more },
  });
const token = (log, sequence, delta, more = {}) => add(log, 'token', sequence, { data: { delta, modelName: 'm' }, ...more });
const shownOf = (log) => log.timeline.map(({ sequence }) => sequence);
const textOf = (log) => log.models.get('m\n')?.text;

test('It counts what came and what was superseded, and begins anew after a resync', () => {
  const log = new SessionLog();
  token(log, 1, 'a');
  token(log, 5, 'b', { skipped: 3 });
  assert.deepEqual([log.eventsShown, log.eventsSkipped], [2, 3]);
  assert.deepEqual(shownOf(log), [1, 5]);
  assert.equal(textOf(log), 'ab');
  log.startAgain();
  assert.deepEqual([log.models.size, log.timeline], [0, []]);
  token(log, 9, 'z', { epoch: 'bbbbbbbb', skipped: 8 });
  assert.equal(textOf(log), 'z');
  assert.deepEqual(shownOf(log), [9]);
});

test('A result replaces what deltas have made, and runs of one model are apart', () => {
  const log = new SessionLog();
  const result = (sequence, more) =>
    add(log, 'model_result', sequence, { modelName: 'm', duration: 5, status: 'processing', result: 'whole', ...more });
  token(log, 1, 'Hel');
  result(2, {});
  assert.equal(textOf(log), 'whole');
  token(log, 3, ' more');
  assert.equal(textOf(log), 'whole more');
  result(4, { runId: 'r-2', result: 'other', status: 'failed', error: 'out of memory' });
  assert.deepEqual([...log.models.keys()], ['m\n', 'm\nr-2']);
  // Without a model's name the event's own is the card's.
  add(log, 'reasoning', 5, { data: { delta: 'so' } });
  assert.equal(log.models.get('reasoning\n').text, 'so');
  // What is no delta is only in the timeline.
  add(log, 'cost', 6, { data: { cents: 5 } });
  assert.equal(log.timeline.at(-1).summary, '{"cents":5}');
  assert.equal(log.models.size, 3);
});

test('All of it is bounded, however much comes', () => {
  const log = new SessionLog();
  const long = 'x'.repeat(50_000);
  for (let i = 1; i < 5000; i += 1) {
    token(log, i, '', { data: { delta: `${long.slice(0, 100)}${i}`, modelName: `m-${i % 1000}` } });
  }
  token(log, 5000, '', { data: { delta: 'x', modelName: long, runId: long, provider: long } });
  assert.ok([...log.models.values()].every(({ key, name, provider }) => `${key}${name}${provider}`.length <= 1100));
  add(log, 'clarification', 5001, { clarificationId: 'c', question: long, status: 'pending' });
  add(log, 'model_result', 5002, { modelName: 'm', duration: 1, status: 'completed', result: `${long}end` });
  assert.ok(log.timeline.length <= 2 * TIMELINE_ENTRIES_MAX);
  assert.deepEqual(shownOf(log).slice(-3), [5000, 5001, 5002]);
  assert.ok(log.timeline.every(({ summary }) => summary.length <= 160));
  assert.ok(log.models.size <= 200);
  assert.ok(textOf(log).length <= 32 * 1024 && textOf(log).endsWith('xend'));
  const end = endOf({ completed: { result: { long } } });
  assert.ok(end.kind === 'completed' && end.text.length <= 32 * 1024);
});

test('Of questions those that wait come first, and the oldest that have ended are left out', () => {
  const clarifications = Array.from({ length: 300 }, (_, i) => ({
    clarificationId: `c-${i}`,
    status: i % 100 === 0 ? 'pending' : 'answered',
  }));
  const shown = questionsOf({ clarifications }).map(({ clarificationId }) => clarificationId);
  assert.deepEqual(shown.slice(0, 3), ['c-0', 'c-100', 'c-200']);
  assert.equal(shown.length, 200);
  assert.equal(shown.at(-1), 'c-299');
  assert.ok(!shown.includes('c-1'));
});

test('An end is the result, why it failed, or that it expired', () => {
  const kinds = (state) => endOf(state)?.kind;
  assert.equal(kinds({ progress: { status: 'PROCESSING' } }), undefined);
  assert.equal(kinds({}), undefined);
  assert.equal(kinds({ error: { error: 'the disk is full' } }), 'failed');
  assert.equal(kinds({ progress: { status: 'EXPIRED' } }), 'expired');
  assert.deepEqual(endOf({ completed: { result: { ok: true } } }), { kind: 'completed', text: '{\n  "ok": true\n}' });
});
