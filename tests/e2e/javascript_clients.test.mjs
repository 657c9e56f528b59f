// socket.io-client from npm, over each transport: what the contract promises to every stock client.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { testOnBoth } from '../support/processes.mjs';
import { connect } from './clients.mjs';
import { events, publisherTo } from './publisher.mjs';

const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']];

// The names of the fields, in no order.
const fields = (data) => Object.keys(data).sort();

for (const transports of TRANSPORTS) {
  testOnBoth(
    `All eight server events arrive over ${transports.join(' then ')}`,
    async (deployment) => {
      const publisher = publisherTo(deployment);
      const sessionId = randomUUID();
      const client = connect(deployment, { transports });

      const connected = await client.event('connected');
      assert.equal(connected.socketId, client.socket.id);
      assert.ok(!Number.isNaN(Date.parse(connected.timestamp)));

      client.socket.emit('subscribe', sessionId);
      const subscribed = await client.event('subscribed');
      assert.equal(subscribed.sessionId, sessionId);

      await publisher.publish(
        sessionId,
        events.progress(45, {
          prompts: { total: 3, completed: 1, processing: 1, pending: 1, failed: 0 },
        }),
      );
      const progress = await client.event('progress');
      assert.deepEqual(
        { ...progress, timestamp: '', epoch: '' },
        {
          sessionId,
          status: 'PROCESSING',
          progress: 45,
          prompts: { total: 3, completed: 1, processing: 1, pending: 1, failed: 0 },
          hasClarifications: false,
          clarificationCount: 0,
          hasResult: false,
          timestamp: '',
          sequence: 1,
          epoch: '',
        },
      );
      assert.match(progress.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.match(progress.epoch, /^[A-Za-z0-9_-]{8}$/);

      await publisher.publish(
        sessionId,
        events.result('llama3.1:8b', 'COMPLETED', 'Hello', { provider: 'ollama' }),
      );
      const result = await client.event('model_result');
      assert.deepEqual(
        { ...result, timestamp: '', epoch: '' },
        {
          sessionId,
          modelName: 'llama3.1:8b',
          provider: 'ollama',
          duration: 1200,
          result: 'Hello',
          status: 'completed',
          timestamp: '',
          sequence: 2,
          epoch: '',
        },
      );

      await publisher.publish(sessionId, events.clarification('c-1', 'Which?'));
      const clarification = await client.event('clarification');
      assert.deepEqual(
        { ...clarification, timestamp: '', epoch: '' },
        {
          sessionId,
          clarificationId: 'c-1',
          question: 'Which?',
          status: 'pending',
          timestamp: '',
          sequence: 3,
          epoch: '',
        },
      );

      await publisher.publish(sessionId, events.error('a model is away'));
      const error = await client.event('error');
      assert.deepEqual(fields(error), ['epoch', 'error', 'sequence', 'sessionId', 'timestamp']);
      assert.equal(error.error, 'a model is away');

      await publisher.publish(sessionId, events.custom('token', { delta: 'Hel' }));
      const custom = await client.event('token');
      assert.deepEqual(
        { ...custom, timestamp: '', epoch: '' },
        { sessionId, data: { delta: 'Hel' }, timestamp: '', sequence: 5, epoch: '' },
      );

      await publisher.publish(sessionId, events.completed({ pages: 3, title: 'Größe ☃' }));
      const completed = await client.event('completed');
      // The open clarification is cancelled just before the end.
      assert.deepEqual(
        { ...completed, timestamp: '', epoch: '' },
        {
          sessionId,
          result: { pages: 3, title: 'Größe ☃' },
          timestamp: '',
          sequence: 7,
          epoch: '',
        },
      );
      const cancelled = await client.event('clarification', { count: 2 });
      assert.deepEqual(
        [cancelled.status, cancelled.outcome, cancelled.sequence],
        ['answered', 'cancelled', 6],
      );

      client.socket.emit('unsubscribe', sessionId);
      const unsubscribed = await client.event('unsubscribed');
      assert.equal(unsubscribed.sessionId, sessionId);
      assert.equal(client.transport(), transports.at(-1));
      assert.deepEqual(client.disconnects, []);
    },
  );
}

testOnBoth(
  'The upgrade from polling to websocket is seen, and events go on over it',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    const client = connect(deployment, { transports: ['polling', 'websocket'] });
    const { engine } = client.socket.io;
    assert.equal(engine.transport.name, 'polling');
    const upgraded = new Promise((resolve) =>
      engine.once('upgrade', (transport) => resolve(transport.name)),
    );
    await client.subscribe(sessionId);
    // While the upgrade may be under way.
    for (let percent = 1; percent <= 20; percent += 1)
      await publisher.publish(sessionId, events.progress(percent));
    assert.equal(await upgraded, 'websocket');
    await client.event('progress', { count: 20 });
    await publisher.publish(sessionId, events.progress(21));
    await client.event('progress', { count: 21 });
    assert.deepEqual(
      client.named('progress').map((data) => data.sequence),
      Array.from({ length: 21 }, (_, i) => i + 1),
    );
  },
);

testOnBoth(
  'Several sessions on one socket are told apart, and unsubscribe stops one of them',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
    const client = connect(deployment);
    for (const id of [first, second, third]) await client.subscribe(id);
    for (const id of [first, second, third])
      await publisher.publish(id, events.custom('token', { of: id }));
    for (const id of [first, second, third]) {
      assert.equal((await client.event('token', { sessionId: id })).data.of, id);
    }

    assert.deepEqual(await client.emitWithAck('unsubscribe', second), {
      ok: true,
      sessionId: second,
    });
    await publisher.publish(second, events.custom('token', { of: second, late: true }));
    await publisher.publish(first, events.custom('token', { of: first, late: true }));
    // What comes to the first shows that the second's would have been here.
    await client.event('token', { sessionId: first, count: 2 });
    assert.equal(client.named('token', second).length, 1);
  },
);

testOnBoth(
  'Who comes late sees the state at once, with what was superseded declared',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    for (const percent of [10, 20, 30])
      await publisher.publish(sessionId, events.progress(percent));
    await publisher.publish(sessionId, events.result('a', 'PROCESSING', 'He'));
    await publisher.publish(sessionId, events.result('a', 'COMPLETED', 'Hello'));
    await publisher.publish(sessionId, events.clarification('c-1', 'Which?'));
    const client = connect(deployment);
    const ack = await client.subscribe(sessionId);
    assert.deepEqual([ack.ok, ack.sessionId, ack.sequence], [true, sessionId, 0]);
    await client.event('clarification');
    const seen = client.events.filter(
      (event) => event.name !== 'connected' && event.name !== 'subscribed',
    );
    assert.deepEqual(
      seen.map(({ name, data }) => [name, data.sequence, data.skipped ?? 0]),
      [
        ['progress', 3, 2],
        ['model_result', 5, 1],
        ['clarification', 6, 0],
      ],
    );
    await publisher.publish(sessionId, events.progress(40));
    const live = await client.event('progress', { count: 2 });
    assert.deepEqual([live.sequence, live.skipped ?? 0], [7, 0]);
  },
);

testOnBoth('Subscribe after a position goes on there, and nowhere else', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const positions = [];
  for (let i = 1; i <= 5; i += 1)
    positions.push(await publisher.publish(sessionId, events.custom('token', { i })));
  const { epoch } = positions[0];

  const client = connect(deployment);
  const ack = await client.subscribe({ sessionId, after: { epoch, sequence: 3 } });
  assert.deepEqual(ack, { ok: true, sessionId, epoch, sequence: 3 });
  await client.event('token', { count: 2 });
  assert.deepEqual(
    client.named('token').map((data) => data.sequence),
    [4, 5],
  );

  const fromStart = connect(deployment);
  await fromStart.subscribe({ sessionId, after: { epoch: '', sequence: 0 } });
  await fromStart.event('token', { count: 5 });
  assert.deepEqual(
    fromStart.named('token').map((data) => data.sequence),
    [1, 2, 3, 4, 5],
  );

  const lost = connect(deployment);
  await lost.subscribe({ sessionId, after: { epoch: 'AAAAAAAA', sequence: 3 } });
  const resync = await lost.event('resync');
  assert.equal(resync.sessionId, sessionId);
  assert.equal(resync.epoch, epoch);
});

testOnBoth(
  'A session that nobody has published to yet can be subscribed to',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    const client = connect(deployment);
    assert.deepEqual(await client.subscribe(sessionId), {
      ok: true,
      sessionId,
      epoch: '',
      sequence: 0,
    });
    const { epoch } = await publisher.publish(sessionId, events.progress(1));
    const progress = await client.event('progress');
    assert.deepEqual([progress.epoch, progress.sequence], [epoch, 1]);
  },
);

testOnBoth('Subscribing by id to what is held answers only', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.progress(10));
  const client = connect(deployment);
  await client.subscribe(sessionId);
  await client.event('progress');
  await client.subscribe(sessionId);
  await client.event('subscribed', { count: 2 });
  await publisher.publish(sessionId, events.progress(20));
  await client.event('progress', { count: 2 });
  assert.deepEqual(
    client.named('progress').map((data) => data.sequence),
    [1, 2],
  );
});

testOnBoth(
  'The log says who connects and who subscribes, as the contract shows it',
  async (deployment) => {
    const client = connect(deployment);
    const sessionId = randomUUID();
    await deployment.edge.line(/🔌 WebSocket server ready at ws:\/\/localhost:\d+\/socket\.io\//);
    await client.subscribe(sessionId);
    await deployment.edge.line(new RegExp(`WebSocket client connected: ${client.socket.id}`));
    await deployment.edge.line(
      new RegExp(`Socket ${client.socket.id} subscribed to session ${sessionId}`),
    );
  },
);
