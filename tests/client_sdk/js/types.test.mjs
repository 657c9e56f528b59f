// The generated types, held to what a real server sends: every field of every payload is in its type, with that type, and every
// field of the types has been sent.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';

import { Deployment, testWith, until } from '../../support/processes.mjs';
import { events, publisherTo, struct } from '../../e2e/publisher.mjs';
import { Keys, now } from '../../e2e/tokens.mjs';
import { clientOf, live, requireFromSdk, STAGE } from './sdk.mjs';

const ts = requireFromSdk('typescript');
const directory = mkdtempSync(path.join(tmpdir(), 'sessioncast-types-'));
after(() => rmSync(directory, { recursive: true }));
let written = 0;
const DECLARATIONS = path.join(STAGE, 'dist/index.js');

// The type of each payload by the event's name; of a backend's own events Custom.
const TYPES = {
  connected: 'Connected',
  subscribed: 'Subscribed',
  unsubscribed: 'Unsubscribed',
  resync: 'Resync',
  token_expiring: 'TokenExpiring',
  progress: 'Progress',
  model_result: 'ModelResult',
  clarification: 'Clarification',
  completed: 'Completed',
  error: 'SessionError',
};
const typeOf = (name, payload) => (name === 'error' && payload.sequence === undefined ? 'Refusal' : TYPES[name] ?? 'Custom');

// Compiles a program that writes each payload as a literal of its type: TypeScript refuses fields that the type does not have, that
// it lacks, and that have another type.
function check(payloads) {
  const names = [...new Set(payloads.map(([type]) => type))];
  const text = [
    `import type { ${names.join(', ')} } from ${JSON.stringify(DECLARATIONS)};`,
    ...payloads.map(([type, payload], i) => `export const payload${i}: ${type} = ${JSON.stringify(payload)};`),
  ].join('\n');
  const file = path.join(directory, `payloads-${(written += 1)}.ts`);
  writeFileSync(file, text);
  const program = ts.createProgram([file], {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
  });
  const problems = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  return { problems, fieldsOf: (type) => fieldsOf(program, file, type) };
}

function fieldsOf(program, file, type) {
  const checker = program.getTypeChecker();
  let found;
  ts.forEachChild(program.getSourceFile(file), (node) => {
    if (!ts.isVariableStatement(node)) return;
    const [declaration] = node.declarationList.declarations;
    if (declaration.type.getText() === type) found = checker.getTypeFromTypeNode(declaration.type);
  });
  return found.getProperties().map(({ name }) => name);
}

// Everything that a server can send, of every shape.
async function publishAll(deployment, client, sessionId) {
  const publisher = publisherTo(deployment);
  const publish = (event) => publisher.publish(sessionId, event);
  await publish(events.progress(12.5, { status: 'SESSION_STATUS_ACTIVE' }));
  await publish(events.progress(50, { result: struct({ a: [1, null, { b: true }] }), prompts: { total: 2, failed: 1 } }));
  await publish(events.result('a', 'PROCESSING', 'He'));
  await publish(events.result('a', 'COMPLETED', 'Hello', { provider: 'ollama', runId: '1' }));
  await publish(events.result('b', 'FAILED', '', { error: 'out of memory' }));
  await publish(events.clarification('q', 'Which?'));
  await publish(events.clarification('r', 'How?'));
  await publish(events.clarification('s', 'When?', { timeLimit: { nanos: 1e6 }, defaultResponse: 'now' }));
  await publisher.call('answerClarification', { sessionId, clarificationId: 'q', response: 'this' });
  await publisher.call('cancelClarification', { sessionId, clarificationId: 'r' });
  await publish(events.custom('token', { delta: 'Hel' }));
  await publish(events.error('a model is away'));
  const session = client.session(sessionId);
  await until(() => session.state.clarifications.every(({ status }) => status === 'answered'), 'the questions end');
  await publish(events.error('the disk is full', true));
  await publisher.publish(`${sessionId}-2`, events.completed({ pages: 3 }));
}

function testWithKeys(name, body) {
  const keys = new Keys();
  testWith(
    () => {
      const deployment = new Deployment('daemons', { edgeFlags: keys.flags });
      deployment.closeFirst(keys);
      return deployment;
    },
    name,
    (deployment) => body(deployment, keys),
    200_000,
  );
}

testWithKeys('Every field of every payload is in its type, with that type', async (deployment, keys) => {
  const sessionId = randomUUID();
  const claims = { sessions: [`${sessionId}*`], verbs: ['view'] };
  const token = keys.good(claims);
  const seen = [];
  const client = clientOf(deployment, { token });
  client.socket.onAny((name, payload) => seen.push([name, payload]));
  const listening = client.session(sessionId, { after: { epoch: 'AAAAAAAA', sequence: 1 } });
  await live(listening);
  await publishAll(deployment, client, sessionId);
  const ended = client.session(`${sessionId}-2`);
  await until(() => ended.connection === 'ended' && listening.connection === 'ended', 'both have ended');
  const late = clientOf(deployment, { token });
  late.socket.onAny((name, payload) => seen.push([name, payload]));
  await until(() => late.session(sessionId).connection === 'ended', 'who comes late, with skipped');
  // Half of its time over, a token is told of.
  const short = clientOf(deployment, { token: keys.good({ ...claims, exp: now() + 14 }) });
  short.socket.onAny((name, payload) => seen.push([name, payload]));
  short.session(`${sessionId}-3`);
  await until(() => seen.some(([name]) => name === 'token_expiring'), 'token_expiring');
  client.session('not covered');
  client.session('not-covered');
  await until(() => seen.some(([name, { error }]) => name === 'error' && /does not cover/.test(error)), 'a refusal');
  await until(() => seen.some(([name]) => name === 'unsubscribed'), 'unsubscribed');

  const payloads = seen.map(([name, payload]) => [typeOf(name, payload), payload]);
  for (const type of [...Object.values(TYPES), 'Refusal', 'Custom']) {
    assert.ok(payloads.some(([found]) => found === type), `${type} has been sent`);
  }
  const { problems, fieldsOf: fields } = check(payloads);
  assert.deepEqual(problems, []);
  for (const type of new Set(payloads.map(([found]) => found))) {
    const sent = new Set(payloads.filter(([found]) => found === type).flatMap(([, payload]) => Object.keys(payload)));
    // What every event can have, some have had.
    assert.deepEqual(fields(type).filter((field) => !sent.has(field) && field !== 'skipped'), [], `${type}: never sent`);
  }
  assert.ok(payloads.some(([, { skipped }]) => skipped > 0), 'skipped: never sent');

  // The check finds what it is for.
  const [, progress] = payloads.find(([type]) => type === 'Progress');
  const broken = [
    [{ ...progress, percent: 10 }, /percent\W* does not exist in type 'Progress'/],
    [{ ...progress, status: 'LATE' }, /Type '"LATE"' is not assignable/],
    [{ ...progress, prompts: undefined }, /'prompts' is missing/],
    [{ ...progress, sequence: '1' }, /'string' is not assignable to type 'number'/],
  ];
  const found = check(broken.map(([payload]) => ['Progress', payload])).problems;
  assert.equal(found.length, broken.length, found.join('\n'));
  broken.forEach(([, says], i) => assert.match(found[i], says));
});
