// An edge whose control sends what it should not: nothing of it ends the edge, a socket, or the
// reading of a session.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Client } from '../e2e/clients.mjs';
import { encode, EPOCH, LyingControl } from '../e2e/lying_control.mjs';
import { Program, program, until } from '../support/processes.mjs';

async function withEdge(body) {
  const control = await new LyingControl().start();
  const edge = new Program(program('sessioncast-edge'), [
    '--http_listen=localhost:0',
    `--control=127.0.0.1:${control.port}`,
  ]);
  const clients = [];
  try {
    const port = (await edge.line(/edge listening on 127\.0\.0\.1:(\d+)/))[1];
    await edge.line(/attached to control/);
    const connect = (options) => {
      clients.push(new Client(`http://127.0.0.1:${port}`, options));
      return clients.at(-1);
    };
    await body({ control, edge, connect });
    for (const client of clients) assert.deepEqual(client.disconnects, [], 'it stayed connected');
  } finally {
    for (const client of clients) client.close();
    control.close();
    await edge.stop();
  }
}

const good = (session, sequence) => encode(session, sequence, { error: { message: `e${sequence}` } });

function badUtf8(session, sequence) {
  const bytes = good(session, sequence);
  bytes[bytes.lastIndexOf(`e${sequence}`)] = 0xff;
  return bytes;
}

// A field of bytes, as protobuf writes it.
function field(number, bytes) {
  const head = [(number << 3) | 2];
  let size = bytes.length;
  for (; size >= 0x80; size >>= 7) head.push((size & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, size]), bytes]);
}

// An event whose result has so many structs in each other; protobufjs would not write it.
function nested(session, sequence, depth) {
  let struct = Buffer.alloc(0);
  for (let i = 0; i < depth; i += 1) {
    struct = field(1, Buffer.concat([field(1, Buffer.from('k')), field(2, field(5, struct))]));
  }
  const number = encode(session, sequence, { completed: {} }).at(-2) >> 3;
  return Buffer.concat([encode(session, sequence, {}), field(number, field(1, struct))]);
}

const POISONS = {
  'bytes that are no message': () => Buffer.from('ffffffffff', 'hex'),
  nothing: () => Buffer.alloc(0),
  'bad UTF-8': badUtf8,
  'cut off': (session, sequence) => good(session, sequence).subarray(0, -1),
  'an unknown kind': (session, sequence) =>
    Buffer.concat([encode(session, sequence, {}), Buffer.from('c23e020801', 'hex')]),
  'too deep': (session, sequence) => nested(session, sequence, 60),
  "Socket.IO's own name": (session, sequence) =>
    encode(session, sequence, { custom: { name: 'disconnect' } }),
  'too many bytes as JSON': (session, sequence) =>
    encode(session, sequence, { error: { message: '\x01'.repeat(1_250_000) } }),
};

test('A poisonous event is skipped, declared and told once, live and read', { timeout: 100_000 }, () =>
  withEdge(async ({ control, edge, connect }) => {
    const live = connect();
    await live.connected();
    for (const [index, [what, make]] of Object.entries(POISONS).entries()) {
      const session = `poisoned-${index}`;
      control.publish(session, good(session, 1));
      await live.subscribe(session);
      await live.event('error', { sessionId: session });
      control.publish(session, make(session, 2));
      control.publish(session, good(session, 3));
      control.publish(session, make(session, 4));
      control.publish(session, make(session, 5));
      control.publish(session, good(session, 6));
      await live.event('error', { sessionId: session, count: 3 });
      const seen = live.named('error', session).map(({ sequence, skipped = 0 }) => [sequence, skipped]);
      assert.deepEqual(seen, [[1, 0], [3, 1], [6, 2]], what);

      for (const transports of [['websocket'], ['polling']]) {
        const late = connect({ transports });
        await late.connected();
        const begin = late.emitWithAck('subscribe', {
          sessionId: session,
          after: { epoch: '', sequence: 0 },
        });
        await begin;
        await late.event('error', { sessionId: session, count: 3 });
        assert.deepEqual(
          late.named('error', session).map(({ sequence, skipped = 0 }) => [sequence, skipped]),
          seen,
          `${what}, by ${transports}`,
        );
      }
    }
    const told = edge.lines.filter((line) => /cannot be shown/.test(line));
    const sessions = told.map((line) => line.match(/session (\S+):/)[1]);
    assert.deepEqual(sessions.length, new Set(sessions).size, told.join('\n'));
    assert.ok(told.length >= 1, edge.log);
    assert.doesNotMatch(edge.log, /libprotobuf/, 'it has no log of its own');
    // Nobody asks for it again and again: a read for each who came late, and a few that met a race.
    assert.ok(control.reads < 8 * Object.keys(POISONS).length, `${control.reads} reads`);
  }),
);

test('Pages that lead nowhere are not asked for in a tight circle', { timeout: 60_000 }, () =>
  withEdge(async ({ control, connect }) => {
    const lies = {
      'a fold that is out of range': () => ({ outcome: 'OUTCOME_OUT_OF_RANGE', top: { epoch: EPOCH, sequence: 9 } }),
      'an outcome that is none': () => ({ outcome: 'OUTCOME_UNSPECIFIED' }),
      'no progress': () => ({ outcome: 'OUTCOME_PAGE', top: { epoch: EPOCH, sequence: 9 }, throughSequence: 0 }),
    };
    for (const [index, [what, lie]] of Object.entries(lies).entries()) {
      const session = `nowhere-${index}`;
      control.publish(session, good(session, 1));
      control.lie = lie;
      const before = control.reads;
      const client = connect();
      await client.connected();
      client.socket.emit('subscribe', session);
      await until(() => control.reads > before, 'it reads');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      assert.ok(control.reads - before < 30, `${what}: ${control.reads - before} reads in a second`);
      control.lie = null;
    }
  }),
);

test('What Attach says of nothing is passed over', { timeout: 60_000 }, () =>
  withEdge(async ({ control, edge, connect }) => {
    const session = 'beside';
    control.publish(session, good(session, 1));
    const client = connect();
    await client.subscribe(session);
    await client.event('error');
    const huge = 'x'.repeat(100_000);
    control.say({ batches: [{ interestId: 4_000_000_000, announced: { epoch: huge, sequence: 1 } }] });
    control.say({ batches: [{ interestId: 4_000_000_000, events: [good(session, 2)] }] });
    control.say({ batches: [{ interestId: 0 }] });
    control.say({ batches: [] });
    control.publish(session, good(session, 2));
    assert.equal((await client.event('error', { count: 2 })).sequence, 2);
    assert.equal(edge.exit, null);
  }),
);
