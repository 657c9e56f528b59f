// What the contract says of errors: a bad session id, an unknown event, an ended session, and
// control being away.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { testOn, testOnBoth } from '../support/processes.mjs';
import { connect } from './clients.mjs';
import { events, publisherTo, status } from './publisher.mjs';

const rejected = (promise) =>
  promise.then(
    () => assert.fail('it was accepted'),
    (error) => error,
  );

testOnBoth('A bad session id is an error event, and the connection stays', async (deployment) => {
  const publisher = publisherTo(deployment);
  const client = connect(deployment);
  await client.connected();
  const bad = [
    undefined,
    5,
    null,
    {},
    'x'.repeat(10_000),
    '../x',
    '',
    '__proto__',
    { sessionId: 'ok', after: { epoch: '', sequence: -1 } },
  ];
  for (const [index, target] of bad.entries()) {
    if (target === undefined) client.socket.emit('subscribe');
    else client.socket.emit('subscribe', target);
    const error = await client.event('error', { count: index + 1 });
    assert.equal(typeof error.error, 'string');
    assert.equal(error.sequence, undefined, 'it is of no session');
  }
  assert.match(client.named('error')[0].error, /invalid session id/i);
  const ack = await client.emitWithAck('subscribe', '../x');
  assert.match(ack.error, /invalid session id/i);

  const sessionId = randomUUID();
  await client.subscribe(sessionId);
  await publisher.publish(sessionId, events.progress(1));
  await client.event('progress');
  assert.deepEqual(client.disconnects, []);
});

testOnBoth('An unknown event is ignored', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const client = connect(deployment);
  await client.connected();
  client.socket.emit('no_such_event', { a: 1 });
  client.socket.emit('progress', { sessionId, progress: 100 });
  await client.subscribe(sessionId);
  await publisher.publish(sessionId, events.progress(1));
  assert.equal((await client.event('progress')).progress, 1);
  assert.deepEqual(client.disconnects, []);
  assert.deepEqual(client.named('error'), []);
});

testOnBoth('Publishers hear which field is wrong, and nothing is stored', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const refusals = [
    ['../x', events.progress(1), /session_id/],
    [sessionId, events.progress(101), /(progress|percent).*100/],
    [sessionId, events.progress(-1), /progress|percent/],
    [sessionId, { progress: { percent: 1 } }, /status/],
    [sessionId, {}, /kind/],
    [sessionId, events.result('', 'COMPLETED', 'x'), /model_name/],
    [sessionId, events.custom('progress', {}), /name/],
    [sessionId, events.error(''), /message|error/],
    [sessionId, events.progress(1, { status: 'SESSION_STATUS_EXPIRED' }), /EXPIRED|status/],
    [
      sessionId,
      {
        clarification: {
          clarificationId: 'c',
          question: 'q',
          status: 'CLARIFICATION_STATUS_ANSWERED',
        },
      },
      /status|PENDING/,
    ],
  ];
  for (const [id, event, named] of refusals) {
    const error = await rejected(publisher.publish(id, event));
    assert.equal(error.code, status.INVALID_ARGUMENT, error.message);
    assert.match(error.details, named);
  }
  assert.equal(
    (await rejected(publisher.call('getSession', { sessionId }))).code,
    status.NOT_FOUND,
  );
});

testOnBoth(
  'A retry with its key is stored once; another event under the key is refused',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    const first = await publisher.publish(sessionId, events.progress(10), { key: 'k' });
    const again = await publisher.call('publishEvent', {
      event: { sessionId, ...events.progress(10) },
      idempotencyKey: 'k',
    });
    assert.deepEqual([again.position, again.duplicate], [first, true]);
    const other = await rejected(publisher.publish(sessionId, events.progress(11), { key: 'k' }));
    assert.equal(other.code, status.ALREADY_EXISTS);
  },
);

testOnBoth(
  'After its end a session takes nothing but a retry of what it has',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    const end = await publisher.publish(sessionId, events.completed({ ok: true }), { key: 'end' });
    assert.deepEqual(
      await publisher.publish(sessionId, events.completed({ ok: true }), { key: 'end' }),
      end,
    );
    const late = await rejected(publisher.publish(sessionId, events.progress(1)));
    assert.equal(late.code, status.FAILED_PRECONDITION);
  },
);

testOn(
  'daemons',
  'While control is away sockets stay, subscribes are kept, and publishes are UNAVAILABLE',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const [before, during] = [randomUUID(), randomUUID()];
    await publisher.publish(before, events.progress(10));
    const client = connect(deployment);
    const poller = connect(deployment, { transports: ['polling'] });
    for (const each of [client, poller]) {
      await each.subscribe(before);
      await each.event('progress', { sessionId: before });
    }
    const { id } = client.socket;

    await deployment.control.kill();
    assert.equal(
      (await rejected(publisher.publish(before, events.progress(20), { ms: 5_000 }))).code,
      status.UNAVAILABLE,
    );
    // Asked for while nobody can answer.
    for (const each of [client, poller]) each.socket.emit('subscribe', during);
    const newcomer = connect(deployment);
    await newcomer.connected();
    newcomer.socket.emit('subscribe', before);

    await deployment.startControl();
    const again = publisherTo(deployment);
    await again.publish(before, events.progress(30));
    for (const each of [client, poller]) {
      const progress = await each.event('progress', { sessionId: before, count: 2 });
      assert.deepEqual([progress.progress, progress.sequence], [30, 2]);
      await each.event('subscribed', { sessionId: during });
    }
    await again.publish(during, events.custom('token', { i: 1 }));
    for (const each of [client, poller]) {
      assert.equal((await each.event('token', { sessionId: during })).data.i, 1);
      assert.deepEqual(each.disconnects, [], 'its connection stayed');
    }
    assert.equal(client.socket.id, id);
    await newcomer.until(
      () => newcomer.named('progress', before).some((data) => data.progress === 30),
      'the newcomer sees it',
    );
  },
);
