// Where tokens are asked for: one that is refused, one that ends, one that covers less.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { Deployment, testWith, until } from '../../support/processes.mjs';
import { events, publisherTo } from '../../e2e/publisher.mjs';
import { Keys, now } from '../../e2e/tokens.mjs';
import { clientOf, importFromSdk, live, recorded, sequences } from './sdk.mjs';

const { AnswerError, TokenRefusedError } = await importFromSdk('index.js');

const ALL = { sessions: ['*'], verbs: ['view', 'answer'] };

// The edge asks for tokens, control does not.
function testWithKeys(name, body) {
  const keys = new Keys();
  const make = () => {
    const deployment = new Deployment('daemons', { edgeFlags: keys.flags });
    deployment.closeFirst(keys);
    return deployment;
  };
  testWith(make, name, (deployment) => body(deployment, keys), 150_000);
}

testWithKeys('A client that is refused waits until it is asked to try again', async (deployment, keys) => {
  let token = 'garbage';
  let asked = 0;
  const client = clientOf(deployment, {
    token: async () => {
      asked += 1;
      return token;
    },
  });
  const session = client.session(randomUUID());
  await until(() => session.connection === 'refused', 'refused');
  assert.equal(session.refusal, 'unauthorized');
  const late = client.session(randomUUID());
  await until(() => late.connection === 'refused', 'one that comes later, too');
  assert.equal(asked, 1);
  token = keys.good(ALL);
  client.connect();
  await live(session);
  await live(late);
  assert.equal(session.refusal, undefined);
});

testWithKeys('A token that ends is renewed in place, and the connection stays', async (deployment, keys) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const lives = [6, 600]; // seconds: the first is told of at once
  const presented = [];
  const client = clientOf(deployment, {
    token: () => {
      const seconds = lives[Math.min(presented.length, 1)];
      presented.push(seconds);
      return keys.good({ ...ALL, exp: now() + seconds });
    },
  });
  const session = client.session(sessionId);
  const seen = recorded(session);
  await live(session);
  const { id } = client.socket;
  await until(() => presented.length === 2, 'another token is asked for');
  const expired = now() + 7;
  await until(() => now() > expired, 'the first has ended');
  await publisher.publish(sessionId, events.progress(10));
  await until(() => seen.length === 1, 'an event');
  assert.equal(client.socket.id, id);
  assert.deepEqual(presented, [6, 600]);
});

testWithKeys('A token that nobody renews ends its connection; the next is shown a fresh one', async (deployment, keys) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  let asked = 0;
  const client = clientOf(deployment, {
    token: () => {
      asked += 1;
      // At the first connection, and at token_expiring.
      if (asked === 1 || asked === 3) throw new Error('the page has none now');
      return keys.good({ ...ALL, exp: now() + (asked < 4 ? 3 : 600) });
    },
  });
  const session = client.session(sessionId);
  const seen = recorded(session);
  await live(session);
  await publisher.publish(sessionId, events.progress(10));
  await until(() => asked >= 4 && session.connection === 'live', 'a new connection');
  await publisher.publish(sessionId, events.progress(20));
  await until(() => seen.length === 2, 'the second event');
  assert.deepEqual(sequences(seen), [1, 2]);
});

testWithKeys('The token that is about to end is not shown again', async (deployment, keys) => {
  const token = keys.good({ ...ALL, exp: now() + 4 });
  let asked = 0;
  const client = clientOf(deployment, {
    token: () => {
      asked += 1;
      return token;
    },
  });
  const sent = [];
  client.socket.onAnyOutgoing((name) => sent.push(name));
  const session = client.session(randomUUID());
  await until(() => session.connection === 'refused', 'the token has ended');
  assert.deepEqual(sent, ['subscribe']);
  assert.equal(asked, 3, 'for the connection, at token_expiring, and for the next connection');
});

testWithKeys('Tokens that live shortly are renewed as often as half of their time is over', async (deployment, keys) => {
  let asked = 0;
  const client = clientOf(deployment, {
    token: () => keys.good({ ...ALL, exp: now() + 8, jti: String((asked += 1)) }),
  });
  const session = client.session(randomUUID());
  await live(session);
  const { id } = client.socket;
  const end = now() + 12;
  await until(() => now() >= end, 'the first has ended');
  assert.equal(client.socket.id, id);
  assert.ok(asked >= 2 && asked <= 5, `asked ${asked} times in 12 s`);
});

testWithKeys('Another token is shown at once when the program says so, and the connection stays', async (deployment, keys) => {
  let token;
  const client = clientOf(deployment, { token: () => token });
  const [mine, other] = [client.session('mine-1'), client.session('other-1')];
  await until(() => mine.connection === 'refused', 'refused: there is no token');
  token = keys.good({ sub: 'me', sessions: ['mine-*'], verbs: ['view'] });
  await client.refreshToken(); // connects
  await live(mine);
  await until(() => other.connection === 'refused', 'refused: not covered');
  const { id } = client.socket;
  token = keys.good({ sub: 'me', ...ALL });
  await client.refreshToken();
  await live(other);
  for (const useless of ['garbage', undefined]) {
    token = useless;
    await assert.rejects(client.refreshToken(), TokenRefusedError);
  }
  assert.deepEqual([mine.connection, other.connection, client.socket.id], ['live', 'live', id]);
});

testWithKeys('A session that the token does not cover is refused alone; a wider token opens it', async (deployment, keys) => {
  let claims = { sessions: ['mine-*'], verbs: ['view'] };
  const client = clientOf(deployment, { token: () => keys.good({ sub: 'me', ...claims }) });
  const [mine, other] = [client.session('mine-1'), client.session('other-1')];
  await live(mine);
  await until(() => other.connection === 'refused', 'refused');
  assert.match(other.refusal, /does not cover/);
  await assert.rejects(mine.answer('q', 'no'), (error) => error instanceof AnswerError && error.reason === 'unauthorized');
  assert.equal(mine.connection, 'live');
  claims = ALL;
  client.connect(); // asks again for what was refused: with the same token, so it stays
  await until(() => other.connection === 'refused', 'refused again');
  client.socket.io.engine.close(); // the next connection shows the wider token
  await live(other);
  await live(mine);
});

testWithKeys('A renewed token that covers less ends the sessions that it does not cover', async (deployment, keys) => {
  let claims = { ...ALL, exp: now() + 30 };
  const client = clientOf(deployment, {
    token: () => {
      const token = keys.good({ sub: 'me', ...claims });
      claims = { sessions: ['mine-*'], verbs: ['view'] };
      return token;
    },
  });
  const [mine, other] = [client.session('mine-1'), client.session('other-1')];
  await until(() => other.connection === 'refused', 'refused');
  await live(mine);
});
