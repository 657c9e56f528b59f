// Whatever happens to the connection, an edge or control: nothing is missing, nothing comes twice.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { testOn, testOnBoth, until } from '../../support/processes.mjs';
import { events, publisherTo } from '../../e2e/publisher.mjs';
import { random } from '../../e2e/random.mjs';
import { Middleman } from './middleman.mjs';
import { clientOf, live, recorded, sequences, upTo } from './sdk.mjs';

const tokens = async (publisher, sessionId, from, to) => {
  for (let n = from; n <= to; n += 1) await publisher.publish(sessionId, events.custom('token', { n }));
};
const connectionIs = (session, connection) =>
  until(() => session.connection === connection, `${connection}, is ${session.connection}`);

for (const recovery of [false, true]) {
  const how = recovery ? 'recovered' : 'new';
  testOn('daemons', `An edge that is killed: goes on after its position, on a ${how} connection`, async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    const client = clientOf(deployment, { recovery });
    const session = client.session(sessionId);
    const seen = recorded(session);
    const connections = [];
    session.on('change', ({ connection }) => connections.at(-1) !== connection && connections.push(connection));
    await live(session);
    await tokens(publisher, sessionId, 1, 5);
    await until(() => seen.length === 5, 'five events');
    for (let round = 1; round <= 2; round += 1) {
      await deployment.edge.kill();
      await connectionIs(session, 'reconnecting');
      await tokens(publisher, sessionId, 1, 5);
      await deployment.startEdge();
      await live(session);
      assert.equal(client.socket.recovered === true, recovery);
      await tokens(publisher, sessionId, 1, 5);
      await until(() => seen.length >= 5 + 10 * round, 'ten events more');
    }
    await publisher.publish(sessionId, events.completed({}));
    await connectionIs(session, 'ended');
    assert.deepEqual(sequences(seen), upTo(26));
    assert.deepEqual(connections, ['live', 'reconnecting', 'live', 'reconnecting', 'live', 'ended']);
  });
}

testOn('daemons', 'Control that is killed: the socket stays, and it goes on', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const client = clientOf(deployment);
  const session = client.session(sessionId);
  const seen = recorded(session);
  await live(session);
  const { id } = client.socket;
  await tokens(publisher, sessionId, 1, 3);
  await deployment.control.kill();
  const early = client.session(randomUUID()); // waits for control
  await deployment.startControl();
  const again = publisherTo(deployment);
  await tokens(again, sessionId, 4, 6);
  await until(() => seen.length === 6, 'six events');
  await live(early);
  assert.deepEqual(sequences(seen), upTo(6));
  assert.equal(client.socket.id, id);
});

testOn('serve', 'What is lost on the way is noticed and read again; what comes twice is dropped', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  let tampered = 0;
  const middleman = await Middleman.before(deployment, (frame) => {
    const [, sequence] = frame.match(/^42\["token",.*"sequence":(\d+)/) ?? [];
    if (sequence === '3' && tampered++ === 0) return [];
    return sequence ? [frame, frame] : [frame];
  });
  const session = clientOf(deployment, {}, middleman.url).session(sessionId);
  const seen = recorded(session);
  await live(session);
  await tokens(publisher, sessionId, 1, 6);
  await until(() => seen.length >= 6, 'six events');
  await tokens(publisher, sessionId, 7, 7);
  await until(() => seen.length >= 7, 'seven events');
  assert.deepEqual(sequences(seen), upTo(7));
  assert.equal(tampered, 2, 'the third was lost once, and asked for again');
});

testOn('serve', 'What a recovery gives and is lost on the way is read again', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const lost = new Set();
  const middleman = await Middleman.before(deployment, (frame) => {
    const [, sequence] = frame.match(/^42\["token",.*"sequence":(\d+)/) ?? [];
    if (!['3', '4'].includes(sequence) || lost.has(sequence)) return [frame];
    lost.add(sequence);
    return [];
  });
  const client = clientOf(deployment, { recovery: true }, middleman.url);
  const session = client.session(sessionId);
  const seen = recorded(session);
  await live(session);
  await tokens(publisher, sessionId, 1, 2);
  await until(() => seen.length === 2, 'two events');
  client.socket.io.reconnection(false);
  middleman.cut();
  await connectionIs(session, 'reconnecting');
  await tokens(publisher, sessionId, 3, 4);
  client.socket.io.reconnection(true);
  client.connect();
  // Where they were sent behind the answer, only what follows shows that they are missing.
  await until(() => lost.size === 2, 'two events lost');
  assert.equal(client.socket.recovered, true);
  await tokens(publisher, sessionId, 5, 5);
  await until(() => seen.length === 5, 'all events');
  assert.deepEqual(sequences(seen), upTo(5));
});

for (const recovery of [false, true]) {
  testOn('serve', `Closed and opened again while away it has the state (recovery: ${recovery})`, async (deployment) => {
    const publisher = publisherTo(deployment);
    const [sessionId, left] = [randomUUID(), randomUUID()];
    await publisher.publish(sessionId, events.progress(10));
    const client = clientOf(deployment, { recovery });
    const [first, other] = [client.session(sessionId), client.session(left)];
    await until(() => first.state.progress, 'the state');
    await live(other);
    client.socket.io.reconnection(false);
    client.socket.io.engine.close();
    await connectionIs(first, 'reconnecting');
    first.close();
    other.close();
    await new Promise((resolve) => setImmediate(resolve)); // the pump has seen it
    client.socket.io.reconnection(true);
    const second = client.session(sessionId);
    client.connect();
    await until(() => second.state.progress?.progress === 10, 'the state again');
    assert.equal(client.socket.recovered === true, recovery);
    await publisher.publish(sessionId, events.progress(20));
    await until(() => second.state.progress.progress === 20, 'it goes on');
    if (recovery) await deployment.edge.line(`unsubscribed from session ${left}`);
  });
}

testOn('serve', 'One that waits to be unsubscribed and is opened again has the state', async (deployment) => {
  const publisher = publisherTo(deployment);
  await publisher.publish('session-100', events.progress(10));
  const client = clientOf(deployment);
  const sessions = upTo(100).map((i) => client.session(`session-${i}`));
  await until(() => sessions[99].state.progress, 'the state of the last');
  await Promise.all(sessions.map(live));
  for (const session of sessions) session.close();
  await new Promise((resolve) => setImmediate(resolve)); // the pump has unsubscribed as many as it may
  const again = client.session('session-100');
  assert.equal(again.state.progress, undefined);
  await until(() => again.state.progress?.progress === 10, 'the state again');
});

for (const recovery of [false, true]) {
  testOn('serve', `Frames lost or repeated, connections cut, at random: each event once (recovery: ${recovery})`, async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionIds = [randomUUID(), randomUUID(), randomUUID()];
    const seed = Number(process.env.SESSIONCAST_SEED ?? Math.floor(Math.random() * 2 ** 32));
    const next = random(seed);
    const cut = { now: () => {} };
    const middleman = await Middleman.before(deployment, (frame) => {
      if (!/^42\["(token|progress)",/.test(frame)) return [frame];
      const luck = next();
      if (luck < 0.02) cut.now();
      if (luck < 0.1) return [];
      return luck < 0.2 ? [frame, frame] : [frame];
    });
    cut.now = () => middleman.cut();
    const client = clientOf(deployment, { recovery }, middleman.url);
    const sessions = sessionIds.map((id) => client.session(id, { after: { epoch: '', sequence: 0 } }));
    const seen = sessions.map(recorded);
    for (let n = 1; n <= 100; n += 1) {
      for (const id of sessionIds) await publisher.publish(id, n % 3 ? events.custom('token', { n }) : events.progress(n));
    }
    for (const id of sessionIds) await publisher.publish(id, events.completed({}));
    const where = () => JSON.stringify({ seed, at: sessions.map(({ position, connection }) => [position, connection]) });
    try {
      await until(() => sessions.every(({ connection }) => connection === 'ended'), 'all have ended');
      for (const each of seen) {
        let last = 0;
        for (const { kind, payload } of each) {
          assert.notEqual(kind, 'resync');
          assert.ok(payload.sequence > last && payload.sequence <= last + 1 + (payload.skipped ?? 0));
          last = payload.sequence;
        }
        assert.equal(last, 101);
      }
    } catch (error) {
      console.error(where());
      throw error;
    }
  });
}

testOnBoth('A position of another epoch: resync, and the state begins anew', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.progress(10));
  await publisher.publish(sessionId, events.result('a', 'COMPLETED', 'Hello'));
  const session = clientOf(deployment).session(sessionId, { after: { epoch: 'AAAAAAAA', sequence: 40 } });
  const seen = recorded(session);
  await until(() => session.state.modelResults.length === 1, 'the state');
  assert.deepEqual(seen.map(({ kind }) => kind), ['resync', 'progress', 'model_result']);
  assert.equal(session.position.sequence, 2);
  await publisher.publish(sessionId, events.progress(20));
  await until(() => session.state.progress.progress === 20, 'it goes on');
});

testOn('daemons', 'A position that is not kept any more after a drop: resync, and no state of before', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const session = clientOf(deployment).session(sessionId);
  const seen = recorded(session);
  await publisher.publish(sessionId, events.clarification('q', 'Which?'));
  await until(() => session.state.clarifications.length === 1, 'the question');
  await deployment.edge.kill();
  await connectionIs(session, 'reconnecting');
  await publisher.call('cancelClarification', { sessionId, clarificationId: 'q' });
  await tokens(publisher, sessionId, 1, 40);
  const states = [];
  session.on('resync', () => states.push(session.state));
  await deployment.startEdge();
  await until(() => session.state.clarifications[0]?.status === 'answered', 'how the question ended');
  assert.equal(states.length, 1);
  assert.deepEqual(states[0].clarifications, []);
  assert.ok(seen.some(({ kind }) => kind === 'resync'));
}, { controlFlags: ['--history_kept_events_max=16'] });

testOn('daemons', 'A hundred sessions come back after a drop within what the server allows', async (deployment) => {
  const publisher = publisherTo(deployment);
  const client = clientOf(deployment);
  const sessions = upTo(100).map((i) => client.session(`session-${i}`));
  const refusals = [];
  client.socket.on('error', (refusal) => refusals.push(refusal));
  await Promise.all(sessions.map(live));
  await deployment.edge.kill();
  await connectionIs(sessions[99], 'reconnecting');
  await deployment.startEdge();
  await Promise.all(sessions.map(live));
  const last = recorded(sessions[99]);
  await publisher.publish('session-100', events.progress(1));
  await until(() => last.length === 1, 'an event of the last');
  assert.deepEqual(refusals, []);
});

testOn('serve', 'An edge that allows less than expected is asked again later', async (deployment) => {
  const client = clientOf(deployment);
  const sessions = upTo(4).map((i) => client.session(`session-${i}`));
  await Promise.all(sessions.map(live));
  sessions[0].close();
  const fifth = client.session('session-5');
  await live(fifth);
}, { edgeFlags: ['--sessions_max=4', '--subscribes_per_s_max=1'] });

testOn('serve', 'Sessions that come and go are no more than the server allows', async (deployment) => {
  const client = clientOf(deployment);
  const refusals = [];
  client.socket.on('error', (refusal) => refusals.push(refusal));
  for (const batch of upTo(13)) {
    const sessions = upTo(10).map((i) => client.session(`session-${batch}-${i}`));
    await Promise.all(sessions.map(live));
    for (const session of sessions) session.close();
  }
  assert.deepEqual(refusals, []);
});
