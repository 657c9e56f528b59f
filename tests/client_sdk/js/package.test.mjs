// The package as a stranger has it: packed by npm, installed in a project outside of the tree, compiled strictly, run.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Deployment, Program, ROOT, run, testWith } from '../../support/processes.mjs';
import { events, publisherTo } from '../../e2e/publisher.mjs';

const SOURCE = path.join(ROOT, 'client_sdk/js');
const TSC = path.join(SOURCE, 'node_modules/typescript/bin/tsc');

const PROGRAM = `
import { AnswerError, SessionClient, type Progress, type SessionEvent, type SessionState } from '@sessioncast/client';

const [url, id] = process.argv.slice(2) as [string, string];
const client = new SessionClient(url, { token: async () => 'none is asked for', io: { reconnectionDelay: 50 } });
const session = client.session(id);
session.on('progress', (progress: Progress) => console.log(\`progress \${progress.progress.toFixed(1)}\`));
session.on('change', ({ state, connection }) => show(state, connection));
function show(state: SessionState, connection: string): void {
  console.log(\`\${connection}: \${state.modelResults.map(({ modelName }) => modelName).join()}\`);
}
function text(event: SessionEvent): string {
  switch (event.kind) {
    case 'model_result': return event.payload.result;
    case 'custom': return \`\${event.name} \${JSON.stringify(event.payload.data)}\`;
    default: return event.kind;
  }
}
try {
  await session.answer('q', 'x');
} catch (error) {
  if (error instanceof AnswerError) console.log(\`answer: \${error.reason}\`);
}
for await (const item of session) if (item.kind !== 'resync') console.log(\`event \${text(item)}\`);
client.close();
`;

const COMPONENT = `
import { useSession } from '@sessioncast/client/react';
import { SessionClient } from '@sessioncast/client';

const client = new SessionClient('http://localhost:3000');
export function Percent({ id }: { id: string | null }) {
  const { state, connection, answer } = useSession(client, id);
  return { percent: state.progress?.progress, connection, skip: () => answer('q', '') };
}
// @ts-expect-error: an id is a string
useSession(client, 5);
// @ts-expect-error: there is no such event
client.session('s').on('progres', () => {});
`;

const link = (project, ...names) => {
  for (const name of names) {
    const target = path.join(project, 'node_modules', name);
    mkdirSync(path.dirname(target), { recursive: true });
    symlinkSync(path.join(SOURCE, 'node_modules', name), target);
  }
};

async function succeeds(command, args, options) {
  const { code, output } = await run(command, args, { ms: 600_000, ...options });
  assert.equal(code, 0, `${command} ${args.join(' ')}\n${output}`);
  return output;
}

// npm pack, as one runs it in client_sdk/js; in a copy, since it builds.
async function packed(directory) {
  const copy = path.join(directory, 'copy');
  const left = ['node_modules', 'dist'].map((name) => path.join(SOURCE, name));
  cpSync(SOURCE, copy, { recursive: true, filter: (from) => !left.includes(from) });
  symlinkSync(path.join(SOURCE, 'node_modules'), path.join(copy, 'node_modules'));
  await succeeds('npm', ['pack', '--pack-destination', directory], { cwd: copy });
  return readdirSync(directory).find((name) => name.endsWith('.tgz'));
}

const tsc = (project, module, ...files) =>
  succeeds(
    process.execPath,
    [TSC, '--strict', '--exactOptionalPropertyTypes', '--target', 'ES2022', ...module, '--types', 'node', ...files],
    { cwd: project },
  );
const NODE_NEXT = ['--module', 'NodeNext'];
const BUNDLER = ['--module', 'ESNext', '--moduleResolution', 'bundler', '--noEmit', '--skipLibCheck'];

async function works(deployment) {
  const directory = mkdtempSync(path.join(tmpdir(), 'sessioncast-stranger-'));
  deployment.closeFirst({ close: () => rmSync(directory, { recursive: true, force: true }) });
  const tarball = await packed(directory);
  const project = path.join(directory, 'project');
  mkdirSync(project);
  writeFileSync(path.join(project, 'package.json'), JSON.stringify({ name: 'stranger', type: 'module', private: true }));
  // Its peers are linked, so that the test asks no registry.
  await succeeds('npm', ['install', '--offline', '--legacy-peer-deps', '--no-audit', '--no-fund', `../${tarball}`], { cwd: project });
  const installed = path.join(project, 'node_modules/@sessioncast/client');
  const files = readdirSync(installed, { recursive: true }).filter((name) => /\.\w+$/.test(name)).sort();
  assert.deepEqual(files.filter((name) => !/^dist\/\w+(\.generated)?(\.d\.ts|\.js)$/.test(name)), ['README.md', 'package.json']);
  assert.ok(files.includes('dist/index.d.ts') && files.includes('dist/react.d.ts'));
  assert.doesNotMatch(readFileSync(path.join(installed, 'dist/client.d.ts'), 'utf8'), /viewOf/, 'what is internal is not told');

  // Without React.
  link(project, 'socket.io-client', '@types/node', 'undici-types');
  writeFileSync(path.join(project, 'program.ts'), PROGRAM);
  await tsc(project, NODE_NEXT, 'program.ts');
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  await publisher.publish(sessionId, events.progress(12.5));
  const running = new Program(process.execPath, ['program.js', deployment.url, sessionId], { cwd: project });
  deployment.closeFirst({ close: () => running.signal('SIGKILL') });
  await running.line('progress 12.5');
  await running.line('answer: unknown');
  await publisher.publish(sessionId, events.result('a', 'COMPLETED', 'Hello'));
  await publisher.publish(sessionId, events.custom('token', { delta: 'Hel' }));
  await publisher.publish(sessionId, events.completed({}));
  for (const line of ['event Hello', 'live: a', 'event token {"delta":"Hel"}', 'event completed', 'ended: a']) {
    await running.line(`^${line}$`);
  }
  await running.ended;
  assert.deepEqual(running.exit, { code: 0, signal: null }, running.tail());

  // With React.
  link(project, 'react', '@types/react');
  writeFileSync(path.join(project, 'component.ts'), COMPONENT);
  await tsc(project, BUNDLER, 'program.ts', 'component.ts');
}

testWith(() => new Deployment('serve'), "The package works in a stranger's project", works, 850_000);
