// REST, health, the client bundle and who may use them from a browser.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { ROOT, testOn, testOnBoth } from '../support/processes.mjs';
import { connect } from './clients.mjs';
import { events, publisherTo } from './publisher.mjs';

async function get(deployment, target, headers = {}) {
  const response = await fetch(`${deployment.url}${target}`, { headers });
  const text = await response.text();
  const json = (response.headers.get('content-type') ?? '').startsWith('application/json')
    ? JSON.parse(text)
    : undefined;
  return { code: response.status, headers: response.headers, text, json };
}

testOnBoth(
  'GET of a session is its state, with the payloads that browsers see',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    const client = connect(deployment);
    await client.subscribe(sessionId);
    await publisher.publish(sessionId, events.progress(20));
    await publisher.publish(sessionId, events.result('a', 'PROCESSING', 'He'));
    await publisher.publish(sessionId, events.result('a', 'COMPLETED', 'Hello'));
    await publisher.publish(
      sessionId,
      events.result('b', 'FAILED', '', { error: 'out of memory' }),
    );
    await publisher.publish(sessionId, events.clarification('c-1', 'Which?'));
    const { epoch } = await publisher.publish(sessionId, events.progress(60));
    await client.event('progress', { count: 2 });

    const { code, json } = await get(deployment, `/api/wizard/session/${sessionId}`);
    assert.equal(code, 200);
    assert.deepEqual(Object.keys(json).sort(), [
      'clarifications',
      'clarificationsLeftOut',
      'completed',
      'createdAt',
      'epoch',
      'error',
      'modelResults',
      'modelResultsLeftOut',
      'progress',
      'sequence',
      'sessionId',
      'status',
      'updatedAt',
    ]);
    assert.deepEqual(
      [json.sessionId, json.epoch, json.sequence, json.status, json.completed, json.error],
      [sessionId, epoch, 6, 'PROCESSING', null, null],
    );
    // Exactly what the socket saw: the same event, the same payload.
    const bySequence = (sequence) =>
      client.events.find(({ data }) => data.sequence === sequence).data;
    assert.deepEqual(json.progress, bySequence(6));
    assert.deepEqual(json.modelResults, [bySequence(3), bySequence(4)]);
    assert.deepEqual(json.clarifications, [bySequence(5)]);
    assert.equal(json.createdAt, bySequence(1).timestamp);
    assert.equal(json.updatedAt, bySequence(6).timestamp);

    await publisher.publish(sessionId, events.completed({ ok: true }));
    await client.event('completed');
    const ended = (await get(deployment, `/api/wizard/session/${sessionId}`)).json;
    assert.equal(ended.status, 'COMPLETED');
    assert.deepEqual(ended.completed, bySequence(8));
    assert.equal(ended.clarifications[0].outcome, 'cancelled');
  },
);

testOnBoth('The list has every session once, page by page, as GET of each has it', async (deployment) => {
  const publisher = publisherTo(deployment);
  const empty = await get(deployment, '/api/wizard/sessions');
  assert.deepEqual([empty.code, empty.json], [200, { sessions: [], nextPageToken: '' }]);
  const ids = ['b', 'a', 'c', 'd', 'e'].map((name) => `${name}-${randomUUID()}`);
  for (const id of ids) await publisher.publish(id, events.progress(20));
  await publisher.publish(ids[0], events.completed({ ok: true }));
  const all = (await get(deployment, '/api/wizard/sessions')).json;
  assert.equal(all.nextPageToken, '');
  assert.deepEqual(all.sessions.map(({ sessionId }) => sessionId), [...ids].sort());
  for (const listed of all.sessions) {
    const { json } = await get(deployment, `/api/wizard/session/${listed.sessionId}`);
    const { sessionId, status, epoch, sequence, createdAt, updatedAt } = json;
    assert.deepEqual(listed, { sessionId, status, epoch, sequence, createdAt, updatedAt });
  }
  const paged = [];
  let token = '';
  do {
    const { json } = await get(deployment, `/api/wizard/sessions?page_size=2&page_token=${token}`);
    assert.ok(json.sessions.length <= 2);
    paged.push(...json.sessions);
    token = json.nextPageToken;
  } while (token !== '');
  assert.deepEqual(paged, all.sessions);
});

testOnBoth('What a list cannot be asked for is said with its limit', async (deployment) => {
  const list = '/api/wizard/sessions';
  for (const size of ['0', '1001', '-1', 'x', '']) {
    const { code, json } = await get(deployment, `${list}?page_size=${size}`);
    assert.deepEqual([code, json], [400, { error: 'page_size: must be a number from 1 to 1000' }], size);
  }
  for (const token of ['a%20b', 'x'.repeat(129)]) {
    const { code, json } = await get(deployment, `${list}?page_token=${token}`);
    assert.equal(code, 400);
    assert.match(json.error, /^page_token: /);
  }
  const posted = await fetch(`${deployment.url}${list}`, { method: 'POST' });
  assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET']);
  assert.equal((await get(deployment, `${list}/`)).code, 404);
});

testOnBoth('A final error ends a session as FAILED', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.error('broken', true));
  const { json } = await get(deployment, `/api/wizard/session/${sessionId}`);
  assert.deepEqual(
    [json.status, json.error.error, json.error.final, json.progress],
    ['FAILED', 'broken', true, null],
  );
});

testOnBoth('What is not there, or not well asked, is said in JSON', async (deployment) => {
  const unknown = await get(deployment, `/api/wizard/session/${randomUUID()}`);
  assert.equal(unknown.code, 404);
  assert.equal(typeof unknown.json.error, 'string');
  const malformed = await get(deployment, '/api/wizard/session/a%20b');
  assert.equal(malformed.code, 400);
  assert.equal(typeof malformed.json.error, 'string');
  assert.equal((await get(deployment, '/nothing/here')).code, 404);
  const wrongBody = await fetch(`${deployment.url}/api/wizard/clarifications/respond`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"sessionId":',
  });
  assert.equal(wrongBody.status, 400);
  assert.equal(typeof (await wrongBody.json()).error, 'string');
});

testOnBoth('Health and readiness answer', async (deployment) => {
  assert.equal((await get(deployment, '/healthz')).code, 200);
  assert.equal((await get(deployment, '/readyz')).code, 200);
});

testOn(
  'daemons',
  'An edge is not ready before its first control, and says so; losing control later shows in the body',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    await publisher.publish(sessionId, events.progress(1));
    const withControl = (await get(deployment, '/readyz')).text;
    await deployment.control.kill();
    const client = connect(deployment);
    await client.connected();
    const reply = await fetch(`${deployment.url}/api/wizard/clarifications/respond`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ sessionId, clarificationId: 'c-1', response: 'x' }),
    });
    assert.equal(reply.status, 503);
    const list = await get(deployment, '/api/wizard/sessions');
    assert.deepEqual([list.code, list.json], [503, { error: 'control is away' }]);
    const later = await get(deployment, '/readyz');
    assert.equal(later.code, 200);
    assert.notEqual(later.text, withControl);

    await deployment.edge.stop();
    await deployment.startEdge({ waitUntilReady: false });
    assert.equal((await get(deployment, '/readyz')).code, 503);
    assert.equal((await get(deployment, '/healthz')).code, 200);
    await deployment.startControl();
    await deployment.ready();
  },
);

testOnBoth('The client bundle is served as the reference server serves it', async (deployment) => {
  const dist = path.join(ROOT, 'edge/web/node_modules/socket.io-client/dist');
  for (const file of ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js']) {
    const served = await get(deployment, `/socket.io/${file}`);
    assert.equal(served.code, 200);
    assert.equal(served.text, readFileSync(path.join(dist, file), 'utf8'));
    assert.match(served.headers.get('content-type'), /javascript/);
    assert.equal(served.headers.get('etag'), '"4.8.4"');
    assert.equal(
      (await get(deployment, `/socket.io/${file}`, { 'If-None-Match': '"4.8.4"' })).code,
      304,
    );
  }
});

testOnBoth('The page and what it needs come from the edge alone', async (deployment) => {
  const page = await get(deployment, '/');
  assert.equal(page.code, 200);
  assert.match(page.headers.get('content-type'), /^text\/html/);
  assert.match(page.headers.get('content-security-policy'), /^default-src 'none'; script-src 'self';/);
  const needed = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)]
    .map((match) => match[1])
    .filter((target) => !target.startsWith('data:'));
  assert.deepEqual(needed.sort(), ['/page.css', '/page.js']);
  for (const target of needed) assert.equal((await get(deployment, target)).code, 200, target);
});

testOnBoth(
  'Browsers of other origins are refused by default, loopback ones are not',
  async (deployment) => {
    const handshake = '/socket.io/?EIO=4&transport=polling';
    const loopback = await get(deployment, handshake, { Origin: 'http://localhost:5173' });
    assert.equal(loopback.code, 200);
    assert.equal(loopback.headers.get('access-control-allow-origin'), 'http://localhost:5173');
    const foreign = await get(deployment, handshake, { Origin: 'https://evil.example' });
    assert.deepEqual([foreign.code, foreign.json?.code], [403, 4]);
    assert.equal(foreign.headers.get('access-control-allow-origin'), null);
  },
);
