// The tool `sessioncast` as a person and as a program use it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { Program, program, run, testOn, testOnBoth } from '../support/processes.mjs';

const OK = 0;
const REFUSED = 1;
const USAGE = 2;
const UNAVAILABLE = 3;

const tool = (deployment, ...args) =>
  run(program('sessioncast'), [...args, `--control=${deployment.grpc}`]);

testOnBoth('Each kind of event can be published by flags, and watched', async (deployment) => {
  const sessionId = randomUUID();
  const watching = new Program(program('sessioncast'), [
    'watch',
    sessionId,
    '--json',
    `--control=${deployment.grpc}`,
  ]);
  deployment.closeFirst({ close: () => watching.exit ?? watching.signal('SIGKILL') });
  const events = [
    [['--progress=45', '--status=PROCESSING'], /"progress"/],
    [
      [
        '--model_result=llama3.1:8b',
        '--result=Hello',
        '--status=completed',
        '--duration_ms=1200',
        '--provider=ollama',
      ],
      /llama3\.1:8b/,
    ],
    [['--clarification=c-1', '--question=Which?'], /Which\?/],
    [['--custom=token', '--payload={"delta":"Hel"}', '--idempotency_key=k'], /delta/],
    [['--error=a model is away'], /a model is away/],
    [['--completed={"pages":3}'], /pages/],
  ];
  for (const [flags, seen] of events) {
    const published = await tool(deployment, 'publish', sessionId, ...flags);
    assert.equal(published.code, OK, published.output);
    await watching.line(seen);
  }
  await watching.ended;
  assert.deepEqual(
    watching.exit,
    { code: OK, signal: null },
    'the session has ended, and so does watching it',
  );
  for (const args of [
    ['get', sessionId, '--json'],
    ['list', '--json'],
    ['get', sessionId],
    ['list'],
  ]) {
    const read = await tool(deployment, ...args);
    assert.equal(read.code, OK, read.output);
    assert.match(read.output, new RegExp(sessionId));
    assert.match(read.output, /COMPLETED/);
  }
});

testOn('serve', 'JSON lines from stdin become events in their order', async (deployment) => {
  const sessionId = randomUUID();
  const lines = Array.from({ length: 200 }, (_, i) =>
    JSON.stringify({ custom: { name: 'token', data: { i } }, idempotencyKey: `k${i}` }),
  );
  const args = ['publish', sessionId, `--control=${deployment.grpc}`];
  for (const attempt of ['first', 'again, with the same keys']) {
    const published = await run(program('sessioncast'), args, { input: `${lines.join('\n')}\n` });
    assert.equal(published.code, OK, `${attempt}: ${published.output}`);
  }
  assert.equal((await tool(deployment, 'publish', sessionId, '--completed={}')).code, OK);
  const watched = await tool(deployment, 'watch', sessionId, '--json');
  const numbers = [...watched.output.matchAll(/"i":\s*(\d+)/g)].map((match) => Number(match[1]));
  assert.deepEqual(
    numbers,
    Array.from({ length: 200 }, (_, i) => i),
  );
});

testOn('serve', 'A question is asked and answered from the terminal', async (deployment) => {
  const sessionId = randomUUID();
  const asking = new Program(program('sessioncast'), [
    'ask',
    sessionId,
    '--question=Which?',
    '--clarification_id=c-1',
    '--json',
    `--control=${deployment.grpc}`,
  ]);
  deployment.closeFirst({ close: () => asking.exit ?? asking.signal('SIGKILL') });
  const watching = new Program(program('sessioncast'), [
    'watch',
    sessionId,
    `--control=${deployment.grpc}`,
  ]);
  deployment.closeFirst({ close: () => watching.signal('SIGKILL') });
  await watching.line(/Which\?/);
  assert.equal((await tool(deployment, 'answer', sessionId, 'c-1', 'this one')).code, OK);
  await asking.line(/this one/);
  await asking.ended;
  assert.equal(asking.exit.code, OK);
  assert.equal((await tool(deployment, 'answer', sessionId, 'c-1', 'late')).code, REFUSED);
});

testOn(
  'daemons',
  'Exit codes tell refused, wrongly used and unavailable apart',
  async (deployment) => {
    assert.equal(
      (await tool(deployment, 'publish', '../x', '--progress=1', '--status=ACTIVE')).code,
      REFUSED,
    );
    assert.equal((await tool(deployment, 'get', randomUUID())).code, REFUSED);
    const wrong = await tool(deployment, 'publish', 'a', '--no_such_flag=1');
    assert.equal(wrong.code, USAGE);
    assert.match(wrong.output, /no_such_flag/);
    assert.equal((await run(program('sessioncast'), ['--help'])).code, OK);
    await deployment.control.kill();
    const away = await tool(
      deployment,
      'publish',
      'a',
      '--progress=1',
      '--status=ACTIVE',
      '--retry_for_ms=500',
    );
    assert.equal(away.code, UNAVAILABLE, away.output);
    await deployment.startControl();
  },
);
