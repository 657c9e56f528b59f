// What a program sees of sessions: state, events, sharing, iteration, answers.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { testOn, testOnBoth, until } from '../../support/processes.mjs';
import { events, publisherTo } from '../../e2e/publisher.mjs';
import { clientOf, importFromSdk, live, recorded, sequences, upTo } from './sdk.mjs';

const { AnswerError, EventsOverflowError, SessionRefusedError } = await importFromSdk('index.js');

testOnBoth('Who joins late has the state, then what happens, by name and all together', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.custom('token', { n: 1 }));
  await publisher.publish(sessionId, events.progress(10));
  await publisher.publish(sessionId, events.result('a', 'COMPLETED', 'Hello'));
  const session = clientOf(deployment).session(sessionId);
  assert.deepEqual([session.connection, session.position], ['connecting', undefined]);
  const seen = recorded(session);
  const percents = [];
  const takeAway = session.on('progress', ({ progress }) => percents.push([progress, session.state.progress.progress]));
  const views = [];
  session.on('change', (view) => views.push(view));
  await until(() => seen.length === 2, 'the state');
  assert.equal(seen[0].payload.skipped, 1);
  await publisher.publish(sessionId, events.progress(20));
  await publisher.publish(sessionId, events.custom('token', { n: 2 }));
  await until(() => seen.length === 4, 'what happens');
  assert.deepEqual(seen.map(({ kind, name }) => [kind, name]).at(-1), ['custom', 'token']);
  assert.deepEqual(percents, [[10, 10], [20, 20]]);
  takeAway();
  const before = session.state;
  await publisher.publish(sessionId, events.error('the disk is full', true));
  await until(() => session.connection === 'ended', 'the end');
  assert.deepEqual(percents.length, 2);
  assert.deepEqual([before.status, session.state.status], ['PROCESSING', 'FAILED']);
  assert.equal(session.state.error.error, 'the disk is full');
  assert.equal(session.position.sequence, 6);
  assert.equal(views.at(-1).state, session.state);
  assert.equal(new Set(views).size, views.length, 'each change makes another view');
  await deployment.edge.line(`unsubscribed from session ${sessionId}`);
});

testOn('serve', 'From the first event, and from a position', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  for (const n of upTo(5)) await publisher.publish(sessionId, events.custom('token', { n }));
  const all = recorded(clientOf(deployment).session(sessionId, { after: { epoch: '', sequence: 0 } }));
  await until(() => all.length === 5, 'all');
  assert.deepEqual(sequences(all), upTo(5));
  const { epoch } = all[0].payload;
  const some = recorded(clientOf(deployment).session(sessionId, { after: { epoch, sequence: 3 } }));
  await until(() => some.length === 2, 'the rest');
  assert.deepEqual(sequences(some), [4, 5]);
});

testOn('serve', 'A session is shared; the last one to close it unsubscribes; its state stays', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.progress(10));
  const client = clientOf(deployment);
  const [one, two] = [client.session(sessionId), client.session(sessionId)];
  const seen = [recorded(one), recorded(two)];
  await until(() => one.state.progress, 'the state');
  assert.equal(one.state, two.state);
  one.close();
  one.close(); // is once
  assert.equal(one.state.progress.progress, 10);
  await publisher.publish(sessionId, events.progress(20));
  await until(() => seen[1].length === 2, 'the other goes on');
  assert.equal(seen[0].length, 1);
  two.close();
  await deployment.edge.line(`unsubscribed from session ${sessionId}`);
  const subscribes = () => deployment.edge.lines.filter((line) => line.includes(`subscribed to session ${sessionId}`));
  assert.equal(subscribes().length, 1);
  // Closed and opened in one turn it stays.
  const three = client.session(sessionId);
  await until(() => three.state.progress?.progress === 20, 'again');
  three.close();
  const four = client.session(sessionId);
  const again = recorded(four);
  assert.equal(four.state.progress.progress, 20);
  await publisher.publish(sessionId, events.progress(30));
  await until(() => again.length === 1, 'it goes on');
  assert.equal(subscribes().length, 2);
});

testOn('serve', 'One that is closed and opened again before the server has answered sees each event once', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const client = clientOf(deployment);
  for (const n of upTo(20)) await publisher.publish(sessionId, events.custom('token', { n }));
  for (let round = 1; round <= 10; round += 1) {
    const session = client.session(sessionId, { after: { epoch: '', sequence: 0 } });
    const seen = recorded(session);
    if (round % 2) await new Promise((resolve) => setImmediate(resolve));
    else await until(() => seen.length === 20, 'all');
    session.close();
    assert.deepEqual(sequences(seen), upTo(seen.length));
    await Promise.resolve(); // the pump has unsubscribed
  }
});

testOnBoth('A loop over a session has each event, and ends with it', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const session = clientOf(deployment).session(sessionId);
  const publishing = (async () => {
    for (const n of upTo(5)) await publisher.publish(sessionId, events.custom('token', { n }));
    await publisher.publish(sessionId, events.completed({ pages: 3 }));
  })();
  const seen = [];
  for await (const event of session) seen.push(event);
  await publishing;
  assert.equal(seen.at(-1).kind, 'completed');
  assert.deepEqual(seen.at(-1).payload.result, { pages: 3 });
  for await (const event of session) assert.fail(`nothing follows: ${event.kind}`);
});

testOn('serve', 'A loop that is too slow is told, and can go on where it was', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const client = clientOf(deployment, { bufferedEventsMax: 3 });
  const session = client.session(sessionId, { after: { epoch: '', sequence: 0 } });
  const loop = session[Symbol.asyncIterator]();
  const arrived = recorded(session);
  for (const n of upTo(6)) await publisher.publish(sessionId, events.custom('token', { n }));
  await until(() => arrived.length === 6, 'six events');
  const seen = [];
  await assert.rejects(async () => {
    for await (const event of loop) seen.push(event);
  }, EventsOverflowError);
  assert.deepEqual(sequences(seen), [1, 2, 3]);
  session.close();
  await Promise.resolve();
  const rest = client.session(sessionId, { after: seen.at(-1).payload });
  const more = recorded(rest);
  await until(() => more.length === 3, 'the rest');
  assert.deepEqual(sequences(more), [4, 5, 6]);
});

testOn('serve', 'A loop ends when its session is closed, and left alone it leaves nothing behind', async (deployment) => {
  const client = clientOf(deployment);
  const session = client.session(randomUUID());
  const waiting = session[Symbol.asyncIterator]().next();
  await live(session);
  session.close();
  assert.equal((await waiting).done, true);
  assert.equal((await session[Symbol.asyncIterator]().next()).done, true);
  client.close();
  assert.throws(() => client.session('s'), /the client is closed/);
});

testOn('serve', 'An id that is none is refused, and the others stay', async (deployment) => {
  const client = clientOf(deployment);
  const good = client.session(randomUUID());
  const bad = client.session('no id');
  await until(() => bad.connection === 'refused', 'refused');
  assert.equal(bad.refusal, 'invalid session id');
  await assert.rejects(bad[Symbol.asyncIterator]().next(), SessionRefusedError);
  await live(good);
});

testOnBoth('An answer resolves when it counts; who comes second is told', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.clarification('q', 'Which language?'));
  await publisher.publish(sessionId, events.clarification('r', 'Which tone?'));
  const [one, two] = [clientOf(deployment), clientOf(deployment)].map((client) => client.session(sessionId));
  await until(() => one.state.clarifications.length === 2, 'the questions');
  await one.answer('q', 'German');
  await until(() => one.state.clarifications[0].status === 'answered', 'the answer');
  assert.equal(one.state.clarifications[0].response, 'German');
  await two.answer('q', 'German'); // the answer that counts
  await assert.rejects(two.answer('q', 'French'), (error) => {
    assert.ok(error instanceof AnswerError);
    assert.deepEqual([error.reason, error.response], ['answered', 'German']);
    return /someone else was first/.test(error.message);
  });
  await publisher.call('cancelClarification', { sessionId, clarificationId: 'r' });
  await assert.rejects(one.answer('r', 'dry'), { reason: 'cancelled' });
  await assert.rejects(one.answer('s', 'dry'), { reason: 'unknown' });
  await assert.rejects(one.answer('q', 'x'.repeat(16 * 1024 + 1)), { reason: 'invalid' });
});

testOn('daemons', 'An answer waits for control and for an edge, and stays the same', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  for (const id of ['q', 'r', 's']) await publisher.publish(sessionId, events.clarification(id, 'Which?'));
  const session = clientOf(deployment).session(sessionId);
  await until(() => session.state.clarifications.length === 3, 'the questions');
  await deployment.control.kill();
  const first = session.answer('q', 'while control was away');
  await deployment.startControl();
  await first;
  await deployment.edge.kill();
  const second = session.answer('r', 'while the edge was away');
  const third = session.answer('s', 'never');
  const other = clientOf(deployment).session(sessionId);
  const closed = other.answer('s', 'closed');
  other.close();
  await assert.rejects(closed, { reason: 'closed' });
  await deployment.startEdge();
  await Promise.all([second, third]);
  await until(() => session.state.clarifications.every(({ status }) => status === 'answered'), 'the answers');
  assert.deepEqual(
    session.state.clarifications.map(({ response }) => response),
    ['while control was away', 'while the edge was away', 'never'],
  );
});
