// useSession in a real React, against real servers.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { testOn, until } from '../../support/processes.mjs';
import { events, publisherTo } from '../../e2e/publisher.mjs';
import { clientOf, importFromSdk, requireFromSdk } from './sdk.mjs';

const React = requireFromSdk('react');
const TestRenderer = requireFromSdk('react-test-renderer');
const { useSession } = await importFromSdk('react.js');

globalThis.IS_REACT_ACT_ENVIRONMENT = false;

// Renders a component that uses the session; `current` is what the hook returned last, `renders` all of it.
async function render(client, sessionId, { strict = false } = {}) {
  const shown = { current: null, renders: [] };
  const Component = ({ id }) => {
    shown.current = useSession(client, id);
    shown.renders.push({ id, ...shown.current });
    return null;
  };
  const element = (id) => {
    const component = React.createElement(Component, { id });
    return strict ? React.createElement(React.StrictMode, null, component) : component;
  };
  let root;
  await TestRenderer.act(async () => (root = TestRenderer.create(element(sessionId), { unstable_isConcurrent: true })));
  shown.id = (id) => TestRenderer.act(async () => root.update(element(id)));
  shown.unmount = () => TestRenderer.act(async () => root.unmount());
  return shown;
}

const told = (deployment, what) => deployment.edge.lines.filter((line) => line.includes(what)).length;

testOn('daemons', 'A component shows a session through a drop, and answers its question', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.progress(10));
  const client = clientOf(deployment);
  const shown = await render(client, sessionId);
  try {
    assert.deepEqual([shown.renders[0].connection, shown.renders[0].state.progress], ['connecting', undefined]);
    await until(() => shown.current.state.progress?.progress === 10, 'the state');
    assert.equal(shown.current.connection, 'live');
    await deployment.edge.kill();
    await until(() => shown.current.connection === 'reconnecting', 'the drop is shown');
    assert.equal(shown.current.state.progress.progress, 10);
    await publisher.publish(sessionId, events.clarification('q', 'Which?'));
    await deployment.startEdge();
    await until(() => shown.current.state.clarifications.length === 1, 'the question');
    const { answer } = shown.current;
    await answer('q', 'German');
    await until(() => shown.current.state.clarifications[0].response === 'German', 'the answer');
    assert.equal(shown.current.answer, answer, 'it stays the same function');
    await publisher.publish(sessionId, events.completed({}));
    await until(() => shown.current.connection === 'ended', 'the end');
    assert.equal(shown.current.state.status, 'COMPLETED');
  } finally {
    await shown.unmount();
  }
});

testOn('serve', 'In StrictMode a component subscribes once, and leaves nothing when it goes', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.progress(10));
  const client = clientOf(deployment);
  // Connected before, so that nothing hides what mounting twice sends.
  const other = client.session(randomUUID());
  await until(() => other.connection === 'live', 'another session is live');
  const shown = await render(client, sessionId, { strict: true });
  await until(() => shown.current.state.progress?.progress === 10, 'the state');
  await shown.unmount();
  await deployment.edge.line(`unsubscribed from session ${sessionId}`);
  await until(() => client.viewOf(sessionId).state.progress === undefined, 'the client has forgotten it');
  assert.equal(told(deployment, ` subscribed to session ${sessionId}`), 1);
  assert.equal(told(deployment, `unsubscribed from session ${sessionId}`), 1);
  const renders = shown.renders.length;
  await publisher.publish(sessionId, events.progress(20));
  await publisher.publish(other.id, events.progress(1));
  await until(() => other.state.progress, 'what comes later is there');
  assert.equal(shown.renders.length, renders);
});

testOn('serve', 'Another id shows the other session alone, and none shows nothing', async (deployment) => {
  const publisher = publisherTo(deployment);
  const [one, two] = [randomUUID(), randomUUID()];
  await publisher.publish(one, events.progress(1));
  await publisher.publish(two, events.progress(2));
  const client = clientOf(deployment);
  const shown = await render(client, one);
  await until(() => shown.current.state.progress?.progress === 1, 'the first');
  await shown.id(two);
  await until(() => shown.current.state.progress?.progress === 2, 'the second');
  for (const { id, state } of shown.renders) {
    if (state.progress) assert.equal(state.progress.sessionId, id);
  }
  await deployment.edge.line(`unsubscribed from session ${one}`);
  await shown.id(null);
  assert.equal(shown.current.state.progress, undefined);
  await assert.rejects(shown.current.answer('q', 'x'), /no session id/);
  await deployment.edge.line(`unsubscribed from session ${two}`);
  await shown.unmount();
});

testOn('serve', 'Two components of one session share its subscription', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.progress(10));
  const client = clientOf(deployment);
  const [one, two] = [await render(client, sessionId), await render(client, sessionId)];
  await until(() => two.current.state.progress?.progress === 10, 'the state');
  assert.equal(one.current.state, two.current.state);
  await one.unmount();
  await publisher.publish(sessionId, events.progress(20));
  await until(() => two.current.state.progress.progress === 20, 'the other goes on');
  assert.equal(told(deployment, ` subscribed to session ${sessionId}`), 1);
  await two.unmount();
});
