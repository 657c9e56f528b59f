// Connection state recovery with socket.io-client from npm: nothing is kept of a socket that has gone, and it goes on
// all the same, on this edge or on another process.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { testOn, testOnBoth } from '../support/processes.mjs';
import { connect } from './clients.mjs';
import { events, publisherTo } from './publisher.mjs';

const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']];
// What a browser sends by itself.
const AS_BROWSER = { extraHeaders: { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64)' } };

// Events of these kinds end in the cursor; they are counted by sequence.
const sequences = (client, sessionId) =>
  client.named('progress', sessionId).map((data) => data.sequence);
const upTo = (count) => [...Array(count).keys()].map((i) => i + 1);

async function publishProgress(publisher, sessionId, count) {
  for (let i = 0; i < count; i += 1) await publisher.publish(sessionId, events.progress(i));
}

// The connection dies, as a network does it, and comes back; `meanwhile` happens while it is away.
async function loseConnection(client, meanwhile) {
  const { socket } = client;
  const times = client.disconnects.length;
  socket.io.reconnection(false);
  socket.io.engine.close();
  await client.until(() => client.disconnects.length > times, 'the client is away');
  await meanwhile();
  socket.io.reconnection(true);
  socket.connect();
  await client.connected();
}

for (const transports of TRANSPORTS) {
  testOnBoth(`A browser goes on after a lost connection over ${transports.join(' then ')}`, async (deployment) => {
    const publisher = publisherTo(deployment);
    const [one, two, left] = [randomUUID(), randomUUID(), randomUUID()];
    const client = connect(deployment, { ...AS_BROWSER, transports });
    for (const id of [one, two, left]) await client.subscribe(id);
    const { id } = client.socket;
    await publishProgress(publisher, one, 5);
    await client.event('progress', { sessionId: one, count: 5 });
    await client.emitWithAck('unsubscribe', left);
    for (let round = 1; round <= 3; round += 1) {
      await loseConnection(client, async () => {
        await publishProgress(publisher, one, 5);
        await publishProgress(publisher, two, 3);
        await publishProgress(publisher, left, 1);
      });
      assert.equal(client.socket.recovered, true);
      assert.equal(client.socket.id, id);
      await client.event('progress', { sessionId: two, count: 3 * round });
    }
    await publishProgress(publisher, one, 1);
    await client.event('progress', { sessionId: one, count: 21 });
    assert.deepEqual(sequences(client, one), upTo(21));
    assert.deepEqual(sequences(client, two), upTo(9));
    assert.deepEqual(sequences(client, left), []);
    assert.equal(client.named('resync').length, 0);
    assert.equal(client.named('subscribed').length, 3);
  });
}

testOnBoth('A browser that subscribed before the first event gets it though its connection was lost', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const client = connect(deployment, AS_BROWSER);
  await client.subscribe(sessionId);
  await client.event('subscribed');
  await loseConnection(client, () => publishProgress(publisher, sessionId, 2));
  assert.equal(client.socket.recovered, true);
  await client.event('progress', { sessionId, count: 2 });
  assert.deepEqual(sequences(client, sessionId), [1, 2]);
});

testOn('daemons', 'A browser goes on at an edge that was killed and started anew', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const client = connect(deployment, { ...AS_BROWSER, transports: ['websocket'] });
  await client.subscribe(sessionId);
  await publishProgress(publisher, sessionId, 3);
  await client.event('progress', { count: 3 });
  const times = client.disconnects.length;
  await deployment.edge.kill();
  await client.until(() => client.disconnects.length > times, 'the client is away');
  await publishProgress(publisher, sessionId, 3);
  await deployment.startEdge();
  await client.connected();
  assert.equal(client.socket.recovered, true);
  await client.event('progress', { count: 6 });
  assert.deepEqual(sequences(client, sessionId), upTo(6));
});

testOn('serve', 'A cursor of another life of the log is answered by resync and the fold', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publishProgress(publisher, sessionId, 4);
  const first = connect(deployment, AS_BROWSER);
  await first.subscribe(sessionId);
  const auth = { pid: first.socket._pid, offset: `1;${sessionId}~AAAAAAAA~40` };
  const client = connect(deployment, { auth });
  await client.event('progress', { sessionId });
  const [connected, resync, progress] = client.events;
  assert.equal(connected.name, 'connected');
  assert.deepEqual([resync.name, resync.data.sequence], ['resync', 0]);
  assert.deepEqual([progress.name, progress.data.sequence, progress.data.skipped], ['progress', 4, 3]);
});

testOn('serve', 'A client that does not carry a whole cursor is a new one', async (deployment) => {
  const first = connect(deployment, { auth: { recovery: true } });
  await first.event('connected');
  const pid = first.socket._pid;
  assert.match(pid, /^[\w-]{32}$/);
  const sessionId = randomUUID();
  for (const auth of [
    { pid },
    { pid, offset: '1' },
    { pid, offset: `1;${sessionId}~AAAAAAAA~-1` },
    { pid: 'A'.repeat(32), offset: `1;${sessionId}~AAAAAAAA~1` },
  ]) {
    const client = connect(deployment, { auth });
    await client.event('connected');
    assert.notEqual(client.socket._pid, pid);
    assert.notEqual(client.socket.id, first.socket.id);
    assert.equal(client.socket._lastOffset, '1');
  }
});

testOn('serve', 'Events of a client that does not recover do not end in a cursor', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const argumentsOf = async (options) => {
    const client = connect(deployment, options);
    const counts = [];
    client.socket.onAny((name, ...values) => counts.push([name, values.length]));
    await client.subscribe(sessionId);
    await client.event('progress', { sessionId });
    return { counts, pid: client.socket._pid };
  };
  await publishProgress(publisher, sessionId, 1);
  const plain = await argumentsOf({});
  assert.deepEqual(plain.counts, [['connected', 1], ['subscribed', 1], ['progress', 1]]);
  assert.equal(plain.pid, undefined);
  const declined = await argumentsOf({ ...AS_BROWSER, auth: { recovery: false } });
  assert.deepEqual(declined.counts, plain.counts);
  const browser = await argumentsOf(AS_BROWSER);
  assert.deepEqual(browser.counts, [['connected', 2], ['subscribed', 2], ['progress', 2]]);
});

testOn('serve', 'A subscribe that could push the cursor past its size is refused by its limit', async (deployment) => {
  const client = connect(deployment, AS_BROWSER);
  await client.connected();
  const idOf = (i) => `${i}`.padEnd(128, 'x');
  const answers = [];
  for (let i = 0; i < 53; i += 1) answers.push(client.emitWithAck('subscribe', idOf(i)));
  const refused = (await Promise.all(answers)).filter((answer) => answer.error);
  assert.ok(refused.length > 0 && refused.length < 10, `${refused.length} refused`);
  assert.match(refused[0].error, /cursor_bytes_max/);
  const without = connect(deployment, {});
  await without.connected();
  for (let i = 0; i < 53; i += 1) assert.equal((await without.emitWithAck('subscribe', idOf(i))).ok, true);
});
