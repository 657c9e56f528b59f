// The echo server under test, and what each suite of stock clients asks of it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';

import { Program, program, within } from '../support/processes.mjs';

const PATIENCE_MS = 15_000;

// Runs `body(url, port)` with an echo server of its own, which must end cleanly (so it leaks nothing).
export function testOnEcho(name, flags, body) {
  test(name, { timeout: 60_000 }, async () => {
    const server = new Program(program('echo_server'), ['--listen=localhost:0', ...flags]);
    try {
      const [, port] = await server.line(/^listening on 127\.0\.0\.1:(\d+)/);
      await body(`http://localhost:${port}`, Number(port), server);
    } catch (error) {
      console.error(server.tail());
      await server.kill();
      throw error;
    }
    await server.stop();
  });
}

// Runs each of `tests`, by name a function of (url, port), side by side on one echo server.
export function suiteOnEcho(name, flags, tests) {
  test(name, { timeout: 60_000, concurrency: true }, async (t) => {
    const server = new Program(program('echo_server'), ['--listen=localhost:0', ...flags]);
    try {
      const [, port] = await server.line(/^listening on 127\.0\.0\.1:(\d+)/);
      await Promise.all(Object.entries(tests).map(([what, body]) => t.test(what, () => body(`http://localhost:${port}`, Number(port)))));
    } catch (error) {
      await server.kill();
      throw error;
    }
    await server.stop();
  });
}

// The arguments of the next event with this name.
export function next(emitter, name) {
  return within(PATIENCE_MS, `event ${name}`, once(emitter, name));
}

export const withBinary = ['text', 5, null, { deep: [Buffer.from([1, 2, 3])] }, Buffer.alloc(70_000, 7)];

// What a Socket.IO client of any version must be able to do; `io` is that version's.
export async function exercise(io, url, options) {
  const socket = io(url, { forceNew: true, reconnection: false, auth: { who: 'me' }, ...options });
  const custom = io(`${url}/custom`, { forceNew: false, ...options, multiplex: true, reconnection: false });
  const nowhere = io(`${url}/nowhere`, { forceNew: true, ...options, reconnection: false });
  try {
    const [[auth], , [refused]] = await Promise.all(
      [next(socket, 'auth'), next(custom, 'auth'), next(nowhere, 'connect_error')]);
    assert.deepEqual(auth, { who: 'me' });
    assert.equal(refused.message, 'Invalid namespace');

    const back = next(socket, 'message-back');
    socket.emit('message', ...withBinary);
    assert.deepEqual(await back, withBinary);
    const acked = await within(PATIENCE_MS, 'the ack', new Promise((resolve) => {
      socket.emit('message-with-ack', ...withBinary, (...received) => resolve(received));
    }));
    assert.deepEqual(acked, withBinary);
    // The order of many, across whatever the transport does meanwhile.
    const order = [];
    const all = new Promise((resolve) => {
      socket.on('message-back', (number) => order.push(number) === 200 && resolve());
    });
    for (let i = 0; i < 200; i += 1) socket.emit('message', i);
    await within(PATIENCE_MS, 'two hundred echoes', all);
    assert.deepEqual(order, [...Array(200).keys()]);
    return socket.io.engine.transport.name;
  } finally {
    for (const each of [socket, custom, nowhere]) each.disconnect();
  }
}
