// The JavaScript of docs/PROTOCOL.md, taken from the page; only the address and the placeholder id
// are replaced.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

import React from 'react';
import TestRenderer, { act } from 'react-test-renderer';

import { Program, testOn, testOnBoth, until } from '../support/processes.mjs';
import { example, replace, withoutTypes, Workspace } from './page_examples.mjs';
import { events, publisherTo } from './publisher.mjs';

const PAGE = 'docs/PROTOCOL.md';
const DONE = '// Unsubscribe when done';
// The example subscribes and unsubscribes in one breath; here it waits at that comment until it is
// told to go on.
const WAIT = "await new Promise((resolve) => process.stdin.once('data', resolve));\n";

// Runs a module as a program of its own that ends with the deployment.
function runModule(deployment, code) {
  const workspace = deployment.closeFirst(new Workspace({ 'example.mjs': code }));
  const running = new Program(process.execPath, [workspace.file('example.mjs')]);
  deployment.closeFirst({ close: () => running.signal('SIGKILL') });
  return running;
}

function mainExample(deployment, sessionId) {
  return withoutTypes(
    replace(example(PAGE, 'typescript', DONE), {
      'http://localhost:3000': deployment.url,
      'your-session-id': sessionId,
    }),
  );
}

testOnBoth('The JavaScript example prints what happens', async (deployment) => {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const running = runModule(
    deployment,
    mainExample(deployment, sessionId).replace(DONE, `${WAIT}${DONE}`),
  );
  await running.line(/^Connected to WebSocket: [\w-]{20}$/);
  await running.line(`Subscribed to session: ${sessionId}`);

  await publisher.publish(
    sessionId,
    events.progress(45, { prompts: { total: 2, completed: 1, pending: 1 } }),
  );
  await running.line(/^Progress: 45%$/);
  await running.line(/^Prompts: \{/);
  await running.line(/^Status: PROCESSING$/);
  await publisher.publish(
    sessionId,
    events.result('llama3.1:8b', 'COMPLETED', 'Hello', { provider: 'ollama' }),
  );
  for (const line of [
    /^Model: llama3\.1:8b$/,
    /^Provider: ollama$/,
    /^Duration: 1200ms$/,
    /^Status: completed$/,
    /^Result: Hello$/,
  ]) {
    await running.line(line);
  }
  await publisher.publish(
    sessionId,
    events.result('mistral:7b', 'FAILED', '', { error: 'out of memory' }),
  );
  await running.line(/^Error: out of memory$/);
  await publisher.publish(sessionId, events.clarification('c-1', 'Which language?'));
  for (const line of [
    /^Clarification needed:$/,
    /^Question: Which language\?$/,
    /^Clarification ID: c-1$/,
  ])
    await running.line(line);
  await publisher.publish(sessionId, events.error('a model is away'));
  await running.line(/^Session error: a model is away$/);
  await publisher.publish(sessionId, events.completed({ pages: 3 }));
  await running.line(/^Session completed!$/);
  await running.line(/^Result: \{ pages: 3 \}$/);

  running.stdin.write('go on\n');
  await deployment.edge.stop();
  await running.line(/^Disconnected from WebSocket$/);
  await (deployment.kind === 'serve' ? deployment.startServe() : deployment.startEdge());
});

testOnBoth(
  'The JavaScript example as it stands subscribes and unsubscribes',
  async (deployment) => {
    const sessionId = randomUUID();
    const running = runModule(deployment, mainExample(deployment, sessionId));
    await running.line(/^Connected to WebSocket: [\w-]{20}$/);
    await running.line(`Subscribed to session: ${sessionId}`);
  },
);

testOnBoth(
  'The examples for reconnection, errors, several sessions and REST work together',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    await publisher.publish(sessionId, events.progress(10));
    const code = [
      "import { io } from 'socket.io-client';",
      `const sessionId = '${sessionId}';`,
      'const updateProgressBar = (percent) => console.log(`Bar: ${percent}`);',
      replace(example(PAGE, 'typescript', '// Reconnection strategy'), {
        'http://localhost:3000': deployment.url,
      }),
      example(PAGE, 'typescript', "console.error('Connection error:', error)"),
      example(PAGE, 'typescript', '// Subscribe to multiple sessions'),
      replace(example(PAGE, 'typescript', '// Initial data fetch via REST'), {
        '`/api/': `\`${deployment.url}/api/`,
      }),
      'console.log(`Fetched: ${session.progress.progress}`);',
    ].join('\n');
    const running = runModule(deployment, withoutTypes(code));
    await running.line(/^Fetched: 10$/);
    await running.line(/^Bar: 10$/);
    for (const id of ['session-1', 'session-2', 'session-3']) {
      await deployment.edge.line(new RegExp(`subscribed to session ${id}`));
      await publisher.publish(id, events.progress(5));
      await running.line(new RegExp(`^Progress for ${id}: 5$`));
    }
  },
);

// The hook in a real React, without a browser: what it returns at each render.
async function renderHook(useHook, argument) {
  const rendered = { current: null };
  const Component = () => {
    rendered.current = useHook(argument);
    return null;
  };
  let root;
  await act(async () => {
    root = TestRenderer.create(React.createElement(Component));
  });
  return { rendered, unmount: () => act(async () => root.unmount()) };
}

for (const kind of ['serve', 'daemons']) {
  testOn(
    kind,
    'The React hook shows a session, and goes on after the edge was restarted',
    async (deployment) => {
      globalThis.IS_REACT_ACT_ENVIRONMENT = false;
      const publisher = publisherTo(deployment);
      const sessionId = randomUUID();
      const code = replace(example(PAGE, 'typescript', 'useSessionWebSocket'), {
        'http://localhost:3000': deployment.url,
      });
      const workspace = deployment.closeFirst(new Workspace({ 'hook.mjs': withoutTypes(code) }));
      const { useSessionWebSocket } = await import(pathToFileURL(workspace.file('hook.mjs')));
      const { rendered, unmount } = await renderHook(useSessionWebSocket, sessionId);
      try {
        await deployment.edge.line(new RegExp(`subscribed to session ${sessionId}`));
        await publisher.publish(sessionId, events.progress(10));
        await until(() => rendered.current.progress?.progress === 10, 'the hook has the progress');

        await deployment.restartEdge();
        const again = publisherTo(deployment);
        await again.publish(sessionId, events.progress(20));
        await again.publish(sessionId, events.result('a', 'COMPLETED', 'Hello'));
        await again.publish(sessionId, events.clarification('c-1', 'Which?'));
        await again.publish(sessionId, events.completed({}));
        await until(() => rendered.current.isCompleted, 'the hook sees the end');
        assert.equal(rendered.current.progress.progress, 20);
        assert.equal(rendered.current.modelResults[0].result, 'Hello');
        assert.equal(rendered.current.clarifications[0].clarificationId, 'c-1');
      } finally {
        await unmount();
      }
    },
  );
}
