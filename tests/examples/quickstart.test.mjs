// docs/QUICKSTART.md and docs/FROM_SOCKET_IO.md as a newcomer follows them: their code as it stands, but for the addresses.
// (C++: sdk_cpp_package.)
import assert from 'node:assert/strict';
import path from 'node:path';

import { connect } from '../e2e/clients.mjs';
import { example, replace, Workspace } from '../e2e/page_examples.mjs';
import { ENVIRONMENT, Program, ROOT, program, run, testOn } from '../support/processes.mjs';
import { bundled, open, shows } from './browser.mjs';

const PAGE = 'docs/QUICKSTART.md';
const STEPS = Array.from({ length: 21 }, (_, i) => 5 * i);
const PYTHON = process.env.SESSIONCAST_PYTHON;
const RUN_MS_MAX = 60_000;

const code = (deployment, language, marker, page = PAGE) => {
  const found = example(page, language, marker);
  const replacements = { 'http://localhost:3000': deployment.url, 'localhost:50051': deployment.grpc };
  const present = Object.entries(replacements).filter(([from]) => found.includes(from));
  return replace(found, Object.fromEntries(present));
};

// The shell's loop.
async function moveTheBar(deployment) {
  const loop = replace(example(PAGE, 'bash', 'seq 0 5 100'), { 'build/release/bin/sessioncast': program('sessioncast') });
  const ran = await run('bash', ['-euc', loop], { env: { ...ENVIRONMENT, SESSIONCAST_CONTROL: deployment.grpc } });
  assert.equal(ran.code, 0, ran.output);
}

async function assertBarMoves(deployment, page, bar) {
  const values = await page.evaluateHandle((selector) => {
    const seen = [];
    const look = () => seen.push(document.querySelector(selector)?.value);
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    return seen;
  }, bar);
  await moveTheBar(deployment);
  await page.waitForFunction((selector) => document.querySelector(selector)?.value === 100, bar);
  const seen = [...new Set((await values.jsonValue()).filter((value) => value !== undefined))];
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b), 'it moves forwards');
  assert.ok(seen.length > 5, `it moves: ${seen}`);
}

testOn('serve', 'A shell moves the bar of the page in JavaScript', async (deployment) => {
  const { page, problems } = await open(deployment, { html: code(deployment, 'html', 'type="module"'), script: '' });
  await deployment.edge.line(/subscribed to session my-session/);
  await assertBarMoves(deployment, page, '#bar');
  await shows(page, '#text', '100 % PROCESSING');
  const ended = ['publish', 'my-session', '--completed={}', `--control=${deployment.grpc}`];
  assert.equal((await run(program('sessioncast'), ended)).code, 0);
  await shows(page, '#text', 'done');
  assert.deepEqual(problems, []);
});

testOn('serve', 'A shell moves the bar of the page in React, which answers a question', async (deployment) => {
  const modules = path.join(ROOT, 'examples/react/node_modules');
  const script = await bundled({
    stdin: { contents: code(deployment, 'tsx', 'useSession'), loader: 'tsx', resolveDir: path.join(ROOT, 'examples/react') },
    alias: {
      '@sessioncast/client': path.join(ROOT, 'client_sdk/js/src/index.ts'),
      '@sessioncast/client/react': path.join(ROOT, 'client_sdk/js/src/react.ts'),
      // One React, and one socket.io-client, as npm installs them for a stranger.
      react: path.join(modules, 'react'),
      'socket.io-client': path.join(modules, 'socket.io-client'),
    },
  });
  const html = replace(example(PAGE, 'html', 'id="app"'), { 'main.js': '/dist/main.js' });
  const { page, problems } = await open(deployment, { html, script });
  await deployment.edge.line(/subscribed to session my-session/);
  await assertBarMoves(deployment, page, 'progress');
  const asking = new Program(program('sessioncast'), ['ask', 'my-session', '--question=Well?', `--control=${deployment.grpc}`]);
  deployment.closeFirst({ close: () => asking.exit ?? asking.signal('SIGKILL') });
  await page.locator('button', { hasText: 'Well?' }).click();
  await asking.line(/^yes$/);
  assert.deepEqual(problems, []);
});

testOn('serve', 'Python moves the bar, and shows it', async (deployment) => {
  const workspace = deployment.closeFirst(
    new Workspace({
      'moves.py': code(deployment, 'python', 'Publisher('),
      'shows.py': code(deployment, 'python', 'SessionStream('),
    }),
  );
  const client = connect(deployment);
  await client.subscribe('my-session');
  const showing = new Program(PYTHON, ['-u', workspace.file('shows.py')]);
  deployment.closeFirst({ close: () => showing.exit ?? showing.signal('SIGKILL') });
  const moved = await run(PYTHON, ['-u', workspace.file('moves.py')], { ms: RUN_MS_MAX });
  assert.equal(moved.code, 0, moved.output);
  assert.match(moved.output, /answered: no/, 'nobody answered');
  await showing.line(/^#{50} 100(\.0)? %$/);
  assert.deepEqual(client.named('progress', 'my-session').map(({ progress }) => progress), STEPS);
});

testOn('serve', 'A Node backend publishes what it emitted before, and asks', async (deployment) => {
  const publish = replace(code(deployment, 'javascript', 'loadPackageDefinition', 'docs/FROM_SOCKET_IO.md'), {
    "'proto'": JSON.stringify(path.join(ROOT, 'proto')),
  });
  const workspace = deployment.closeFirst(new Workspace({ 'backend.mjs': publish }));
  const client = connect(deployment);
  await client.subscribe('my-session');
  const backend = new Program(process.execPath, [workspace.file('backend.mjs')]);
  deployment.closeFirst({ close: () => backend.exit ?? backend.signal('SIGKILL') });
  assert.equal((await client.event('progress')).progress, 45);
  const { sessionId, clarificationId } = await client.event('clarification');
  const answered = await fetch(`${deployment.url}/api/wizard/clarifications/respond`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ sessionId, clarificationId, response: 'German' }),
  });
  assert.equal(answered.status, 200);
  assert.deepEqual((await client.event('completed')).result, { language: 'German' });
  await backend.ended;
  assert.equal(backend.exit.code, 0, backend.log);
});
