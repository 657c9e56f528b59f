// The SDK's pure parts: by which rule an event counts, what a state is made of, how often, how many may wait.
import assert from 'node:assert/strict';
import test from 'node:test';

import { importFromSdk } from './sdk.mjs';

const { arrivalAt } = await importFromSdk('position.js');
const { EMPTY_STATE, endsSession, stateAfter } = await importFromSdk('state.js');
const { Rate } = await importFromSdk('rate.js');
const { EventQueue } = await importFromSdk('event_queue.js');
const { Emitter } = await importFromSdk('emitter.js');
const { SharedSession } = await importFromSdk('shared_session.js');
const { EventsOverflowError } = await importFromSdk('index.js');

const at = (sequence, epoch = 'AAAAAAAA') => ({ epoch, sequence });

test('An event is next, seen, or shows that something is missing', () => {
  for (const [position, event, expected] of [
    [at(5), at(6), 'next'],
    [at(5), at(5), 'seen'],
    [at(5), at(1), 'seen'],
    [at(5), at(7), 'missing'],
    [at(5), { ...at(9), skipped: 3 }, 'next'],
    [at(5), { ...at(10), skipped: 3 }, 'missing'],
    [at(5), { ...at(7), skipped: 3 }, 'next'], // some of what was skipped had been seen
    [at(0, ''), at(1), 'next'],
    [at(0, ''), at(2), 'missing'],
    [at(5), at(6, 'BBBBBBBB'), 'missing'],
  ]) {
    assert.equal(arrivalAt(position, event), expected, JSON.stringify([position, event]));
  }
});

const result = (modelName, status, more = {}) => ({ kind: 'model_result', payload: { modelName, status, ...more } });
const question = (clarificationId, status) => ({ kind: 'clarification', payload: { clarificationId, status } });
const folded = (events) => events.reduce(stateAfter, EMPTY_STATE);

test("A state has each model's last result in place, and each question's end", () => {
  const state = folded([
    result('a', 'processing'),
    result('b', 'processing'),
    result('a', 'processing', { runId: '2' }),
    result('a', 'completed'),
    question('q', 'pending'),
    question('r', 'pending'),
    question('q', 'answered'),
  ]);
  assert.deepEqual(
    state.modelResults.map(({ modelName, runId, status }) => [modelName, runId, status]),
    [['a', undefined, 'completed'], ['b', undefined, 'processing'], ['a', '2', 'processing']],
  );
  assert.deepEqual(
    state.clarifications.map(({ clarificationId, status }) => [clarificationId, status]),
    [['q', 'answered'], ['r', 'pending']],
  );
});

test('A state never changes, and what is no part of it makes no other', () => {
  const before = folded([result('a', 'processing')]);
  const after = stateAfter(before, result('a', 'completed'));
  assert.equal(before.modelResults[0].status, 'processing');
  assert.notEqual(before.modelResults, after.modelResults);
  assert.ok(Object.isFrozen(after) && Object.isFrozen(after.modelResults));
  assert.equal(stateAfter(after, { kind: 'custom', name: 'token', payload: { data: {} } }), after);
  assert.equal(stateAfter(after, { kind: 'error', payload: { error: 'a model is away' } }), after);
});

test('A state is bounded: of 1,001 results the oldest leaves, of 1,001 questions the oldest that has ended', () => {
  const numbers = [...Array(1_001).keys()];
  const results = folded(numbers.map((i) => result(`m${i}`, 'completed'))).modelResults;
  assert.deepEqual([results.length, results[0].modelName], [1_000, 'm1']);
  const questions = folded(numbers.map((i) => question(`q${i}`, i === 7 ? 'answered' : 'pending'))).clarifications;
  assert.deepEqual([questions.length, questions[0].clarificationId], [1_000, 'q0']);
  assert.ok(!questions.some(({ clarificationId }) => clarificationId === 'q7'));
});

test('Completed, a final error and an expiry end a session; nothing else does', () => {
  assert.ok(endsSession({ kind: 'completed', payload: {} }));
  assert.ok(endsSession({ kind: 'error', payload: { final: true } }));
  assert.ok(endsSession({ kind: 'progress', payload: { status: 'EXPIRED' } }));
  assert.ok(!endsSession({ kind: 'error', payload: {} }));
  for (const status of ['ACTIVE', 'PROCESSING', 'COMPLETED', 'FAILED']) {
    assert.ok(!endsSession({ kind: 'progress', payload: { status } }));
  }
});

test('A rate gives its burst, then one after the other', () => {
  const rate = new Rate(10, 3);
  assert.deepEqual([rate.take(1e6), rate.take(1e6), rate.take(1e6)], [0, 0, 0]);
  const waitMs = rate.take(1e6);
  assert.ok(waitMs > 0 && waitMs <= 100, `${waitMs}`);
  assert.ok(rate.take(1e6 + waitMs - 2) > 0);
  assert.equal(rate.take(1e6 + waitMs + 1), 0);
  assert.ok(rate.take(1e6 + waitMs + 1) > 0);
});

test('A queue gives what waits, then says that it was too much', async () => {
  let returned = 0;
  const queue = new EventQueue(2, () => (returned += 1));
  for (const value of [1, 2, 3, 4]) queue.push(value);
  assert.equal(returned, 1);
  assert.deepEqual(await queue.next(), { done: false, value: 1 });
  assert.deepEqual(await queue.next(), { done: false, value: 2 });
  await assert.rejects(queue.next(), (error) => error instanceof EventsOverflowError && /bufferedEventsMax/.test(error.message));
  assert.equal((await queue.next()).done, true);
});

test('A queue wakes who waits for it, and lets one wait at a time', async () => {
  const queue = new EventQueue(2, () => {});
  const first = queue.next();
  await assert.rejects(queue.next(), /one event after the other/);
  queue.push(1);
  assert.deepEqual(await first, { done: false, value: 1 });
  const second = queue.next();
  queue.end();
  assert.equal((await second).done, true);
});

test('What a handler throws keeps nothing from the others, and is not lost', async () => {
  const uncaught = new Promise((resolve) => process.prependOnceListener('uncaughtException', resolve));
  const own = process.listeners('uncaughtException').slice(1);
  own.forEach((listener) => process.off('uncaughtException', listener)); // the test runner's
  try {
    const emitter = new Emitter();
    const seen = [];
    const offThrowing = emitter.on('event', () => {
      throw new Error('of the first');
    });
    const off = emitter.on('event', (value) => seen.push(value));
    emitter.emit('event', 1);
    offThrowing();
    off();
    emitter.emit('event', 2);
    assert.deepEqual(seen, [1]);
    assert.equal((await uncaught).message, 'of the first');
  } finally {
    own.forEach((listener) => process.on('uncaughtException', listener));
  }
});

test('A session asks by id until it has an event, then after its position', () => {
  const session = new SharedSession('s', undefined);
  assert.equal(session.request(), 's');
  assert.equal(session.subscribed({ sessionId: 's', ...at(0) }), true);
  assert.equal(session.request(), 's');
  session.arrived('progress', { sessionId: 's', status: 'ACTIVE', ...at(4), skipped: 3 });
  assert.deepEqual(session.request(), { sessionId: 's', after: at(4) });
  session.resynced({ sessionId: 's', ...at(0, 'BBBBBBBB') });
  assert.equal(session.request(), 's');
  assert.equal(session.view.state, EMPTY_STATE);
  const all = new SharedSession('s', at(0, ''));
  assert.deepEqual(all.request(), { sessionId: 's', after: at(0, '') });
});

test('An answer that lies ahead of what was seen is a hole; one behind it takes nothing back', () => {
  const session = new SharedSession('s', at(5));
  assert.equal(session.subscribed({ sessionId: 's', ...at(7) }), false);
  assert.deepEqual(session.position, at(5));
  session.arrived('progress', { sessionId: 's', status: 'ACTIVE', ...at(6) });
  assert.equal(session.subscribed({ sessionId: 's', ...at(5) }), true);
  assert.deepEqual(session.position, at(6));
});
