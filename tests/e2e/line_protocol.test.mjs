// The protocol typed by hand into wscat, as docs/PROTOCOL.md shows it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import path from 'node:path';

import { Program, ROOT, testOnBoth } from '../support/processes.mjs';
import { events, publisherTo } from './publisher.mjs';

testOnBoth('A session can be watched with wscat', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const url = `ws://localhost:${deployment.httpPort}/socket.io/?EIO=4&transport=websocket`;
  const wscat = new Program(process.execPath, [
    path.join(ROOT, 'tests/e2e/node_modules/.bin/wscat'),
    '-c',
    url,
  ]);
  deployment.closeFirst({ close: () => wscat.signal('SIGKILL') });

  const [, open] = await wscat.line(/0(\{"sid".*\})/);
  const handshake = JSON.parse(open);
  assert.deepEqual(Object.keys(handshake).sort(), [
    'maxPayload',
    'pingInterval',
    'pingTimeout',
    'sid',
    'upgrades',
  ]);
  assert.deepEqual(
    [handshake.upgrades, handshake.pingInterval, handshake.pingTimeout, handshake.maxPayload],
    [[], 25_000, 20_000, 16_384],
  );
  assert.match(handshake.sid, /^[\w-]{20}$/);

  wscat.stdin.write('40\n');
  const [, connect] = await wscat.line(/40(\{.*\})/);
  const { sid } = JSON.parse(connect);
  assert.match(sid, /^[\w-]{20}$/);
  assert.notEqual(sid, handshake.sid);
  const [, connected] = await wscat.line(/42(\["connected",.*\])/);
  assert.equal(JSON.parse(connected)[1].socketId, sid);

  wscat.stdin.write(`42["subscribe","${sessionId}"]\n`);
  const [, subscribed] = await wscat.line(/42(\["subscribed",.*\])/);
  assert.equal(JSON.parse(subscribed)[1].sessionId, sessionId);
  await publisher.publish(sessionId, events.progress(45));
  const [, progress] = await wscat.line(/42(\["progress",.*\])/);
  assert.equal(JSON.parse(progress)[1].progress, 45);

  wscat.stdin.write(`420["unsubscribe","${sessionId}"]\n`);
  await wscat.line(/42\["unsubscribed",/);
  const [, ack] = await wscat.line(/430(\[.*\])/);
  assert.equal(JSON.parse(ack)[0].ok, true);
});
