// The Node server that bench/run compares with does what is compared: each published event reaches its
// session's subscribers, in order, with the payload that our edge gives it, less the sequence.
import assert from 'node:assert/strict';
import path from 'node:path';
import test, { after, before } from 'node:test';

import { Client } from '../e2e/clients.mjs';
import { events, Publisher } from '../e2e/publisher.mjs';
import { Program, ROOT, within } from '../support/processes.mjs';

const ANSWER_MS_MAX = 20_000;

const peer = new Program(path.join(ROOT, 'bench/peers/node/start'), []);
const used = [];
let publisher;
let url;

before(async () => {
  publisher = new Publisher(`127.0.0.1:${(await peer.line(/^grpc (\d+)$/))[1]}`);
  used.push(publisher);
  url = `http://127.0.0.1:${(await peer.line(/^http (\d+)$/))[1]}`;
});

after(async () => {
  for (const one of used) one.close();
  await peer.stop();
});

function connect(options) {
  const client = new Client(url, options);
  used.push(client);
  return client;
}

async function subscribed(client, sessionId) {
  client.socket.emit('subscribe', sessionId);
  await client.event('subscribed', { sessionId });
}

test('a result reaches its session alone, by websocket and by polling', async () => {
  const clients = [connect({ transports: ['websocket'] }), connect({ transports: ['polling'] })];
  const other = connect();
  await Promise.all(clients.map((client) => subscribed(client, 'bench-1')));
  await subscribed(other, 'bench-2');
  await publisher.publish('bench-1', events.result('llama', 'COMPLETED', 'stamp:1:2:'));
  await publisher.publish('bench-2', events.custom('last', {}));

  for (const client of clients) {
    const { timestamp, ...payload } = await client.event('model_result');
    assert.deepEqual(payload, {
      sessionId: 'bench-1',
      modelName: 'llama',
      duration: 1200,
      result: 'stamp:1:2:',
      status: 'completed',
    });
    assert.equal(new Date(timestamp).toISOString(), timestamp);
  }
  await other.event('last');
  assert.deepEqual(other.named('model_result'), []);
});

test('a stream of batches is answered event by event, and arrives in order', async () => {
  const client = connect();
  await subscribed(client, 'bench-0');
  const texts = Array.from({ length: 30 }, (_, i) => `stamp:${i}`);
  const batches = [0, 10, 20].map((from) => ({
    events: texts.slice(from, from + 10).map((delta) => ({
      event: { sessionId: 'bench-0', ...events.custom('token', { delta }) },
    })),
  }));
  const answers = await within(ANSWER_MS_MAX, 'the stream ends', publisher.stream(batches));
  assert.deepEqual(
    answers.map(({ outcomes }) => outcomes.map(({ accepted }) => Boolean(accepted))),
    batches.map((batch) => batch.events.map(() => true)),
  );
  await client.event('token', { count: 30 });
  assert.deepEqual(
    client.named('token').map(({ data }) => data.delta),
    texts,
  );
});

test('a kind that is not measured is refused', async () => {
  await assert.rejects(publisher.publish('bench-0', events.progress(5)), {
    details: 'a ModelResult or a Custom',
  });
});
