// Who may do what at the edge: every door, with every kind of token.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';

import { Program, program, run, testOn, within } from '../support/processes.mjs';
import { Client, connect } from './clients.mjs';
import { events, publisherTo } from './publisher.mjs';
import { Keys, now } from './tokens.mjs';

const keys = new Keys();
test.after(() => keys.close());
const ASKING = { edgeFlags: keys.flags };
const UNAUTHORIZED = { error: 'unauthorized' };
const NOT_COVERED = 'the token does not cover this session';

const mine = randomUUID();
const theirs = randomUUID();
const viewer = (more) => ({ sessions: [mine], verbs: ['view', 'answer'], ...more });

// What the server says to a CONNECT that presents this: the error's message, or "connected".
async function outcomeOfConnect(deployment, options) {
  const { socket } = deployment.closeFirst(
    new Client(deployment.url, { reconnection: false, ...options }),
  );
  const outcome = new Promise((resolve) => {
    socket.on('connect', () => resolve('connected'));
    socket.on('connect_error', (error) => resolve(error.message));
  });
  return within(20_000, 'an answer to CONNECT', outcome).finally(() => socket.disconnect());
}

async function get(deployment, sessionId, headers = {}) {
  const response = await fetch(`${deployment.url}/api/wizard/session/${sessionId}`, { headers });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

async function list(deployment, headers = {}, query = '') {
  const response = await fetch(`${deployment.url}/api/wizard/sessions${query}`, { headers });
  return { status: response.status, body: await response.json() };
}

async function respond(deployment, body, headers = {}) {
  const response = await fetch(`${deployment.url}/api/wizard/clarifications/respond`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

const bearer = (token) => ({ authorization: `Bearer ${token}` });
const answerTo = (sessionId) => ({ sessionId, clarificationId: 'c-1', response: 'yes' });

async function publishBoth(deployment) {
  const publisher = publisherTo(deployment);
  for (const sessionId of [mine, theirs]) {
    await publisher.publish(sessionId, events.clarification('c-1', 'Really?'));
    await publisher.publish(sessionId, events.progress(10));
  }
  return publisher;
}

// A socket of a good token, subscribed to `mine`.
async function member(deployment, options = {}) {
  const client = connect(deployment, { auth: { token: keys.good(viewer()) }, ...options });
  assert.equal((await client.subscribe(mine)).ok, true);
  return client;
}

// What is not of the moment, of an error event.
const withoutTime = ({ timestamp, ...rest }) => rest;

testOn(
  'daemons',
  'A bad token, or none, opens no door',
  async (deployment) => {
    await publishBoth(deployment);
    const beside = await member(deployment);
    const recovering = await member(deployment, {
      auth: { token: keys.good(viewer()), recovery: true },
    });
    await recovering.event('progress');
    const { _pid: pid, _lastOffset: offset } = recovering.socket;
    assert.ok(pid && offset);

    const bad = { none: undefined, ...keys.bad(viewer()) };
    for (const [what, token] of Object.entries(bad)) {
      const authorization = token === undefined ? {} : bearer(token);
      for (const transports of [['websocket'], ['polling']]) {
        for (const options of [
          { auth: { token } },
          { auth: { token, pid, offset } },
          { extraHeaders: authorization },
          { query: { token: token ?? '' } },
        ]) {
          assert.equal(
            await outcomeOfConnect(deployment, { transports, ...options }),
            'unauthorized',
            `${what}: ${transports} ${Object.keys(options)}`,
          );
        }
      }
      const got = await get(deployment, mine, authorization);
      assert.deepEqual([got.status, got.body], [401, UNAUTHORIZED], what);
      assert.equal(got.headers.get('www-authenticate'), 'Bearer');
      const listed = await list(deployment, authorization);
      assert.deepEqual([listed.status, listed.body], [401, UNAUTHORIZED], what);
      const answered = await respond(deployment, answerTo(mine), authorization);
      assert.deepEqual([answered.status, answered.body], [401, UNAUTHORIZED], what);
      const inQuery = await fetch(`${deployment.url}/api/wizard/session/${mine}?token=${token}`);
      assert.equal(inQuery.status, 401, what);
      if (token !== undefined) {
        assert.deepEqual(await beside.emitWithAck('refresh_token', token), UNAUTHORIZED, what);
      }
    }
    for (const nothing of [[], [null], [5], [{ token: 'x' }], [['x']]]) {
      assert.deepEqual(await beside.emitWithAck('refresh_token', ...nothing), UNAUTHORIZED);
    }
    // One that is too big for a message ends the connection, as any such message does.
    for (const transports of [['websocket'], ['polling']]) {
      const { socket } = deployment.closeFirst(
        new Client(deployment.url, {
          transports,
          reconnection: false,
          auth: { token: 'x'.repeat(100_000) },
        }),
      );
      const closed = new Promise((resolve) => socket.io.on('close', resolve));
      assert.match(await within(20_000, 'the end', closed), /^transport (close|error)$/);
      assert.equal(socket.connected, false);
    }
    // Nobody has answered, and the good socket noticed nothing but its own refusals.
    const state = (await get(deployment, mine, bearer(keys.good(viewer())))).body;
    assert.equal(state.clarifications[0].outcome, undefined);
    assert.deepEqual(beside.disconnects, []);
    for (const token of Object.values(keys.bad(viewer()))) {
      if (token.length > 10) assert.ok(!deployment.edge.log.includes(token), 'a token is in the log');
    }
  },
  ASKING,
);

testOn(
  'daemons',
  'A good token of another kind, or for other sessions, gets nothing',
  async (deployment) => {
    const publisher = await publishBoth(deployment);
    const unknown = randomUUID();
    const client = connect(deployment, { auth: { token: keys.good(viewer()) } });
    await client.connected();

    // There, or not there: the same.
    for (const target of [theirs, unknown, { sessionId: theirs, after: { epoch: '', sequence: 0 } }]) {
      assert.deepEqual(await client.emitWithAck('subscribe', target), { error: NOT_COVERED });
    }
    const errors = client.named('error').map(withoutTime);
    assert.deepEqual(errors, [theirs, unknown, theirs].map((id) => ({ sessionId: id, error: NOT_COVERED })));
    for (const sessionId of [theirs, unknown]) {
      const answer = await client.emitWithAck('clarification_response', answerTo(sessionId));
      assert.deepEqual(answer, { error: NOT_COVERED });
      const headers = bearer(keys.good(viewer()));
      const got = await get(deployment, sessionId, headers);
      assert.deepEqual([got.status, got.body], [404, { error: NOT_COVERED }]);
      const answered = await respond(deployment, answerTo(sessionId), headers);
      assert.deepEqual([answered.status, answered.body], [404, { error: NOT_COVERED }]);
    }

    // Another's sessions in a cursor: dropped, with the error, and the rest goes on.
    const wide = connect(deployment, {
      auth: { token: keys.good(viewer({ sessions: ['*'] })), recovery: true },
    });
    for (const id of [mine, theirs]) await wide.subscribe(id);
    for (const id of [mine, theirs]) await wide.event('progress', { sessionId: id });
    wide.socket.auth = { token: keys.good(viewer()), recovery: true };
    wide.socket.io.engine.close();
    await wide.until(() => wide.disconnects.length === 1, 'the connection is gone');
    await wide.connected();
    assert.equal(wide.socket.recovered, true);
    assert.deepEqual(withoutTime(await wide.event('error')), { sessionId: theirs, error: NOT_COVERED });
    for (const id of [theirs, mine]) await publisher.publish(id, events.progress(50));
    await wide.event('progress', { sessionId: mine, count: 2 });
    assert.equal(wide.named('progress', theirs).length, 1);

    // The pid of one is nothing to another.
    const { _pid: pid, _lastOffset: offset } = wide.socket;
    const thief = connect(deployment, {
      auth: { token: keys.good(viewer({ sub: 'thief' })), pid, offset },
    });
    await thief.connected();
    assert.equal(thief.socket.recovered, false);

    // Verbs.
    const only = (...verbs) => keys.good({ sessions: ['*'], verbs });
    assert.equal(
      await outcomeOfConnect(deployment, { auth: { token: only('publish', 'stream', 'attach', 'admin') } }),
      'unauthorized',
    );
    const answerer = connect(deployment, { auth: { token: only('answer') } });
    await answerer.connected();
    assert.deepEqual(await answerer.emitWithAck('subscribe', mine), {
      error: "the token's verbs do not have 'view'",
    });
    assert.equal((await get(deployment, mine, bearer(only('answer')))).status, 403);
    assert.equal((await respond(deployment, answerTo(mine), bearer(only('view')))).status, 403);
    const refused = await list(deployment, bearer(only('view', 'answer', 'stream', 'admin')));
    assert.deepEqual(refused, { status: 403, body: { error: "the token's verbs do not have 'list'" } });
    assert.equal((await get(deployment, mine, bearer(only('list')))).status, 403);
    assert.equal(await outcomeOfConnect(deployment, { auth: { token: only('list') } }), 'unauthorized');
    const watcher = connect(deployment, { auth: { token: only('view') } });
    await watcher.subscribe(mine);
    assert.deepEqual(await watcher.emitWithAck('clarification_response', answerTo(mine)), {
      error: "the token's verbs do not have 'answer'",
    });
    const answered = await answerer.emitWithAck('clarification_response', answerTo(mine));
    assert.equal(answered.ok, true, JSON.stringify(answered));
  },
  ASKING,
);

testOn(
  'daemons',
  'A good token opens its doors, wherever it is shown',
  async (deployment) => {
    await publishBoth(deployment);
    for (const kid of ['hs', 'rs', 'es']) {
      const token = keys.good(viewer(), kid);
      for (const transports of [['websocket'], ['polling']]) {
        for (const options of [{ auth: { token } }, { extraHeaders: bearer(token) }, { query: { token } }]) {
          const client = connect(deployment, { transports, ...options });
          assert.equal((await client.subscribe(mine)).ok, true, `${kid} ${Object.keys(options)}`);
          await client.event('progress');
          client.close();
        }
      }
      assert.equal((await get(deployment, mine, bearer(token))).status, 200);
    }
    const prefix = keys.good(viewer({ sessions: [`${mine.slice(0, 8)}*`] }));
    assert.equal((await get(deployment, mine, bearer(prefix))).status, 200);
    assert.equal((await get(deployment, theirs, bearer(prefix))).status, 404);
    // The list has what the token covers, whatever page is asked for.
    for (const [sessions, shown] of [
      [['*'], [mine, theirs].sort()],
      [[mine], [mine]],
      [[`${theirs.slice(0, 9)}*`], [theirs]],
      [[randomUUID()], []],
      [undefined, []],
    ]) {
      const lister = bearer(keys.good({ sessions, verbs: ['list'] }));
      for (const pageSize of [1, 1000]) {
        const ids = [];
        let token = '';
        do {
          const query = `?page_size=${pageSize}&page_token=${token}`;
          const { status, body } = await list(deployment, lister, query);
          assert.equal(status, 200);
          assert.ok(body.sessions.length <= pageSize);
          ids.push(...body.sessions.map(({ sessionId }) => sessionId));
          token = body.nextPageToken;
          assert.ok(shown.includes(theirs) || token !== theirs);
        } while (token !== '');
        assert.deepEqual(ids, shown);
      }
    }
    const answered = await respond(deployment, answerTo(mine), bearer(keys.good(viewer())));
    assert.equal(answered.status, 200);
    assert.ok(!deployment.edge.log.includes('eyJ'), 'a token is in the log');
  },
  { edgeFlags: [...keys.flags, '--token_in_query'] },
);

testOn(
  'daemons',
  'A token is told of before it ends; with it the connection ends, and a new one goes on',
  async (deployment) => {
    const publisher = await publishBoth(deployment);
    let lifetimeSeconds = 4;
    const client = connect(deployment, {
      auth: (present) =>
        present({ token: keys.good(viewer({ exp: now() + lifetimeSeconds })), recovery: true }),
    });
    await client.subscribe(mine);
    const { expiresAt } = await client.event('token_expiring');
    lifetimeSeconds = 600;
    await client.until(() => client.disconnects.length === 1, 'the connection ends with its token');
    assert.ok(Date.now() >= Date.parse(expiresAt) - 5, 'not before it');
    assert.deepEqual(client.disconnects, ['transport close']);
    await publisher.publish(mine, events.progress(20));
    await client.until(() => client.named('progress', mine).length === 2, 'it goes on');
    assert.equal(client.socket.recovered, true);
    assert.equal(client.named('token_expiring').length, 1);
    // With the token that has ended there is no coming back.
    const stale = connect(deployment, { auth: { token: keys.good(viewer({ exp: now() + 5 })) } });
    const refusal = new Promise((resolve) => {
      stale.socket.on('connect_error', (error) => resolve(error.message));
    });
    await stale.subscribe(mine);
    assert.equal(await within(20_000, 'its token is refused', refusal), 'unauthorized');
    assert.deepEqual(stale.disconnects, ['transport close']);
    assert.equal(stale.socket.active, false);
  },
  ASKING,
);

testOn(
  'daemons',
  'refresh_token renews in place, for the same client and what the new token covers',
  async (deployment) => {
    const publisher = await publishBoth(deployment);
    const expiry = now() + 10;
    const client = connect(deployment, {
      auth: { token: keys.good(viewer({ sessions: [mine, theirs], exp: expiry })) },
    });
    await client.subscribe(mine);
    await client.subscribe(theirs);
    await client.event('token_expiring');
    assert.deepEqual(
      await client.emitWithAck('refresh_token', keys.good(viewer({ sub: 'another' }))),
      UNAUTHORIZED,
    );
    const later = now() + 600;
    const renewed = await client.emitWithAck('refresh_token', keys.good(viewer({ exp: later })));
    assert.deepEqual(renewed, { ok: true, expiresAt: new Date(later * 1000).toISOString() });
    assert.deepEqual(
      client.named('error', theirs).map(withoutTime),
      [{ sessionId: theirs, error: NOT_COVERED }],
    );
    // Past the first token's end: still there, with what the second covers.
    const other = connect(deployment, {
      auth: { token: keys.good(viewer({ exp: expiry + 1 })) },
      reconnection: false,
    });
    await other.connected();
    await other.until(() => other.disconnects.length === 1, 'a later token has ended');
    await publisher.publish(theirs, events.progress(30));
    await publisher.publish(mine, events.progress(30));
    await client.until(() => client.named('progress', mine).length === 2, 'it goes on');
    assert.equal(client.named('progress', theirs).length, 1);
    assert.deepEqual(client.disconnects, []);
  },
  ASKING,
);

testOn(
  'daemons',
  'SIGHUP reads the keys again, all or none',
  async (deployment) => {
    await publishBoth(deployment);
    const old = keys.good(viewer());
    const beside = await member(deployment);
    const reload = async (said) => {
      const from = deployment.edge.lines.length;
      deployment.edge.signal('SIGHUP');
      return deployment.edge.line(said, { from });
    };
    keys.write('hs', 'too short');
    await reload(/SIGHUP: all stays as it was: key hs: .*is a secret of 9 bytes, at least 32/);
    assert.equal((await get(deployment, mine, bearer(old))).status, 200);
    keys.setSecret('another secret, and as long as it has to be');
    await reload(/SIGHUP: keys and certificates are read again/);
    assert.equal((await get(deployment, mine, bearer(old))).status, 401);
    assert.equal((await get(deployment, mine, bearer(keys.good(viewer())))).status, 200);
    assert.deepEqual(beside.disconnects, []);
  },
  ASKING,
);

test('Where nobody is asked it listens on loopback only, unless told otherwise', async () => {
  const edge = program('sessioncast-edge');
  for (const address of ['0.0.0.0:0', '[::]:0']) {
    const { code, output } = await run(edge, [`--http_listen=${address}`]);
    assert.equal(code, 1, output);
    assert.match(output, /--http_listen=.*--token_key.*--insecure_listen/);
  }
  const { code, output } = await run(edge, ['--token_key=k:HS256:/nothing/is/here']);
  assert.equal(code, 1, output);
  assert.match(output, /cannot read \/nothing\/is\/here/);
});

test('It listens elsewhere with --insecure_listen, or when tokens are asked for', async () => {
  for (const flags of [['--insecure_listen'], keys.flags]) {
    const edge = new Program(program('sessioncast-edge'), [
      '--http_listen=0.0.0.0:0',
      '--control=localhost:1',
      ...flags,
    ]);
    await edge.line(/edge listening on 0\.0\.0\.0:\d+/);
    await edge.stop();
  }
});
