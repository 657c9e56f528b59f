// A question to the human: asked over gRPC, seen by every browser, answered by one of them, and
// returned to who asked.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { testOn, testOnBoth, until } from '../support/processes.mjs';
import { connect } from './clients.mjs';
import { events, publisherTo, status } from './publisher.mjs';

async function respond(deployment, body) {
  const response = await fetch(`${deployment.url}/api/wizard/clarifications/respond`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { code: response.status, body: await response.json() };
}

const rejected = (promise) =>
  promise.then(
    () => assert.fail('it was accepted'),
    (error) => error,
  );

testOnBoth('An answer by REST reaches who asked, and every viewer', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const clarificationId = randomUUID();
  const viewers = [connect(deployment), connect(deployment, { transports: ['polling'] })];
  for (const viewer of viewers) await viewer.subscribe(sessionId);
  const asking = publisher.ask(sessionId, clarificationId, 'Which language?');
  for (const viewer of viewers) {
    const question = await viewer.event('clarification');
    assert.deepEqual(
      [question.clarificationId, question.question, question.status],
      [clarificationId, 'Which language?', 'pending'],
    );
  }

  assert.deepEqual(await respond(deployment, { sessionId, clarificationId, response: 'German' }), {
    code: 200,
    body: { ok: true, sessionId, clarificationId },
  });
  const answer = await asking;
  assert.deepEqual([answer.status, answer.response], ['CLARIFICATION_STATUS_ANSWERED', 'German']);
  for (const viewer of viewers) {
    const closed = await viewer.event('clarification', { count: 2 });
    assert.deepEqual(
      [closed.status, closed.outcome, closed.response, closed.question],
      ['answered', 'answered', 'German', 'Which language?'],
    );
  }
});

testOnBoth('An answer by the socket is acknowledged', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const client = connect(deployment);
  await client.subscribe(sessionId);
  const asking = publisher.ask(sessionId, 'c-1', 'Which?');
  await client.event('clarification');
  const answer = { sessionId, clarificationId: 'c-1', response: 'this one' };
  assert.equal((await client.emitWithAck('clarification_response', answer)).ok, true);
  assert.equal((await asking).response, 'this one');
  assert.equal(typeof (await client.emitWithAck('clarification_response', answer)).error, 'string');
  assert.equal(
    typeof (
      await client.emitWithAck('clarification_response', {
        sessionId,
        clarificationId: 'c-2',
        response: '',
      })
    ).error,
    'string',
  );
});

testOnBoth('Of many answers one wins, and the others hear which', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const asking = publisher.ask(sessionId, 'c-1', 'Which?');
  const client = connect(deployment);
  await client.subscribe(sessionId);
  await client.event('clarification');
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, i) =>
      respond(deployment, { sessionId, clarificationId: 'c-1', response: `answer ${i}` }),
    ),
  );
  assert.deepEqual(replies.map((reply) => reply.code).sort(), [200, ...Array(9).fill(409)]);
  const { response } = await asking;
  for (const reply of replies.filter(({ code }) => code === 409)) {
    assert.ok(
      JSON.stringify(reply.body).includes(response),
      `${JSON.stringify(reply.body)} names the winner: ${response}`,
    );
  }
  const refusal = await rejected(
    publisher.call('answerClarification', { sessionId, clarificationId: 'c-1', response: 'late' }),
  );
  assert.equal(refusal.code, status.ALREADY_EXISTS);
});

testOnBoth('At its time limit a question ends with its default', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const client = connect(deployment);
  await client.subscribe(sessionId);
  const answer = await publisher.ask(sessionId, 'c-1', 'Which?', {
    timeLimit: { nanos: 300e6 },
    defaultResponse: 'any',
  });
  assert.deepEqual([answer.status, answer.response], ['CLARIFICATION_STATUS_EXPIRED', 'any']);
  const closed = await client.event('clarification', { count: 2 });
  assert.deepEqual(
    [closed.status, closed.outcome, closed.response],
    ['answered', 'expired', 'any'],
  );
  assert.equal(
    (await respond(deployment, { sessionId, clarificationId: 'c-1', response: 'late' })).code,
    410,
  );
});

testOnBoth('A withdrawn question is gone', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const client = connect(deployment);
  await client.subscribe(sessionId);
  const asking = publisher.ask(sessionId, 'c-1', 'Which?');
  await client.event('clarification');
  await publisher.call('cancelClarification', { sessionId, clarificationId: 'c-1' });
  assert.equal((await asking).status, 'CLARIFICATION_STATUS_CANCELLED');
  const closed = await client.event('clarification', { count: 2 });
  assert.deepEqual([closed.status, closed.outcome], ['answered', 'cancelled']);
  assert.equal(
    (await respond(deployment, { sessionId, clarificationId: 'c-1', response: 'late' })).code,
    410,
  );
});

testOnBoth('REST says what is wrong with an answer', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.clarification('c-1', 'Which?'));
  const good = { sessionId, clarificationId: 'c-1', response: 'x' };
  assert.equal((await respond(deployment, { ...good, clarificationId: 'c-2' })).code, 404);
  assert.equal((await respond(deployment, { ...good, sessionId: randomUUID() })).code, 404);
  for (const [field, value] of [
    ['sessionId', '../x'],
    ['sessionId', undefined],
    ['clarificationId', 5],
    ['clarificationId', ''],
    ['response', undefined],
    ['response', { a: 1 }],
  ]) {
    const reply = await respond(deployment, { ...good, [field]: value });
    assert.equal(reply.code, 400, `${field}: ${JSON.stringify(value)}`);
    assert.match(
      reply.body.error,
      new RegExp(`${field}|${field.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}`),
    );
  }
  assert.equal((await respond(deployment, good)).code, 200);
});

testOn(
  'daemons',
  'Asking again with the same id finds the question, also after control was killed',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    const client = connect(deployment);
    await client.subscribe(sessionId);
    const first = rejected(publisher.ask(sessionId, 'c-1', 'Which?'));
    await client.event('clarification');
    await deployment.control.kill();
    await first;
    await deployment.startControl();
    const again = publisherTo(deployment);
    const asking = again.ask(sessionId, 'c-1', 'Which?');
    // The edge comes back to control by itself.
    const answer = { sessionId, clarificationId: 'c-1', response: 'this' };
    await until(
      async () => (await client.emitWithAck('clarification_response', answer)).ok,
      'an answer is taken again',
    );
    assert.equal((await asking).response, 'this');
    await client.event('clarification', { count: 2 });
    assert.equal(client.named('clarification').length, 2, 'the question was not asked twice');
  },
);

testOn('serve', 'Another question under the same id is refused', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.clarification('c-1', 'Which?'));
  const refusal = await rejected(publisher.ask(sessionId, 'c-1', 'Another one?'));
  assert.equal(refusal.code, status.ALREADY_EXISTS);
});
