// socket.io-client, the newest and the first that speaks this protocol, over each transport and through the upgrade.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

import { io as newest } from 'socket.io-client';
import oldest from 'socket.io-client-3';

import { within } from '../support/processes.mjs';
import { exercise, next, testOnEcho } from './echo.mjs';

const WAYS = [['polling'], ['websocket'], ['polling', 'websocket']];

for (const [version, io] of [['4', newest], ['3', oldest.io ?? oldest]]) {
  for (const transports of WAYS) {
    testOnEcho(`socket.io-client ${version} exchanges events, acks and binary by ${transports.join(', then ')}`, [], async (url) => {
      const used = await exercise(io, url, { transports });
      assert.equal(used, transports.at(-1));
    });
  }
}

testOnEcho('A client survives many heartbeats on each transport', ['--ping_interval_ms=50', '--ping_timeout_ms=2000'], async (url) => {
  for (const transports of WAYS) {
    const socket = newest(url, { transports, forceNew: true, reconnection: false });
    try {
      await next(socket, 'connect');
      for (let pings = 0; pings < 5; pings += 1) await next(socket.io, 'ping');
      assert.equal(socket.connected, true);
    } finally {
      socket.disconnect();
    }
  }
});

const CUTS = 12;
const BURST = 30;

// A relay to the server that cuts every connection after a random number of the server's bytes, in the middle of whatever
// they are, and is patient after `cuts` of them.
async function cuttingRelay(port, cuts) {
  const open = new Set();
  const relay = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    for (const [from, to] of [[client, server], [server, client]]) {
      open.add(from);
      from.on('error', () => {});
      from.on('close', () => { open.delete(from); to.destroy(); });
    }
    client.pipe(server);
    server.on('data', (bytes) => {
      if (bytes.length <= relay.left) {
        relay.left -= bytes.length;
        client.write(bytes);
        return;
      }
      // What is before the cut arrives, what is behind it is lost.
      const before = bytes.subarray(0, relay.left);
      relay.cut();
      client.end(before);
      server.destroy();
      for (const each of [...open]) if (each !== client) each.destroy();
    });
    server.on('end', () => client.end());
  }).listen(0, '127.0.0.1');
  relay.cuts = 0;
  relay.left = Infinity;
  relay.begin = () => { relay.left = Math.floor(Math.random() * 4_000); };
  relay.cut = () => {
    relay.cuts += 1;
    relay.left = Infinity;
    if (relay.cuts < cuts) relay.begin();
  };
  await once(relay, 'listening');
  return relay;
}

for (const transports of WAYS) {
  testOnEcho(`With recovery a client that is cut off again and again stays itself and gets each event once, in order, by ${transports.join(', then ')}`, ['--recovery'], async (url, port) => {
    const relay = await cuttingRelay(port, CUTS);
    const socket = newest(`http://127.0.0.1:${relay.address().port}`,
      { transports, reconnectionDelay: 10, reconnectionDelayMax: 20, timeout: 3_000, auth: { who: 'me' } });
    try {
      const offsets = [];
      const values = [];
      let sent = 0;
      let sentBefore = 0;
      let replayed = 0;
      const send = (count) => { for (let i = 0; i < count; i += 1) socket.emit('message', sent += 1); };
      socket.onAny((name, ...parts) => offsets.push(parts.at(-1)));
      await next(socket, 'auth');
      const { id } = socket;
      const lives = [];
      let finish;
      const finished = new Promise((resolve) => { finish = resolve; });
      socket.on('connect', () => {
        lives.push({ id: socket.id, recovered: socket.recovered });
        sentBefore = sent;
        if (relay.cuts < CUTS) send(BURST); else socket.emit('message', 'last');
      });
      socket.on('message-back', (value) => {
        if (value === 'last') return finish();
        values.push(value);
        if (value <= sentBefore) replayed += 1;
        return send(1);
      });
      relay.begin();
      send(BURST);
      await within(40_000, () => `the end; ${relay.cuts} cuts, ${values.length} events`, finished);
      assert.equal(relay.cuts, CUTS);
      assert.ok(lives.length > 0);
      for (const life of lives) assert.deepEqual(life, { id, recovered: true });
      // The server numbers what it sends: none is missing, none came twice.
      assert.deepEqual(offsets, offsets.map((_, i) => String(i + 1)));
      assert.deepEqual(values, [...new Set(values)].sort((a, b) => a - b));
      assert.ok(replayed > 0, 'something was lost on the way, and sent again');
    } finally {
      socket.disconnect();
      relay.close();
    }
  });
}
