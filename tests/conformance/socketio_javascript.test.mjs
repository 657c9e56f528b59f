// socket.io-client, the newest and the first that speaks this protocol, over each transport and through the upgrade.
import assert from 'node:assert/strict';

import { io as newest } from 'socket.io-client';
import oldest from 'socket.io-client-3';

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

for (const transports of [['polling'], ['websocket']]) {
  testOnEcho(`With recovery a client that lost its ${transports} goes on as itself, and misses nothing`, ['--recovery'], async (url) => {
    const socket = newest(url, { transports, reconnectionDelay: 50, randomizationFactor: 0 });
    try {
      const [, offset] = await next(socket, 'auth');
      assert.equal(offset, '1');
      const { id } = socket;
      const received = [];
      let wake = () => {};
      socket.on('message-back', (value) => { received.push(value); wake(); });
      socket.emit('message', 'before');
      while (received.length < 1) await new Promise((resolve) => { wake = resolve; });
      const again = next(socket, 'connect');
      // The echo is on its way when the connection dies: what the client did not get is replayed.
      socket.emit('message', 'during');
      setImmediate(() => socket.io.engine.close());
      await again;
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, id);
      socket.emit('message', 'after');
      while (received.at(-1) !== 'after') await new Promise((resolve) => { wake = resolve; });
      assert.equal(new Set(received).size, received.length, `none twice: ${received}`);
    } finally {
      socket.disconnect();
    }
  });
}
