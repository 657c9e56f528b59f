// gRPC as a person uses it, by reflection: with grpcurl (where tools/setup has one for the machine), and with buf curl.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import path from 'node:path';

import { Program, ROOT, run, testOn, testOnBoth } from '../support/processes.mjs';
import { connect } from './clients.mjs';
import { example } from './page_examples.mjs';

const SERVICE = 'sessioncast.v1.SessionService';
const BUF = path.join(ROOT, 'tests/e2e/node_modules/.bin/buf');

// What the two programs have in common: an invocation for each thing that a person asks.
const buf = {
  list: (address) => [
    BUF,
    ['curl', '--protocol=grpc', '--http2-prior-knowledge', '--list-services', `http://${address}`],
  ],
  methods: (address) => [
    BUF,
    ['curl', '--protocol=grpc', '--http2-prior-knowledge', '--list-methods', `http://${address}`],
  ],
  call: (address, method, body) => [
    BUF,
    [
      'curl',
      '--protocol=grpc',
      '--http2-prior-knowledge',
      '-d',
      JSON.stringify(body),
      `http://${address}/${SERVICE}/${method}`,
    ],
  ],
};
const grpcurl = {
  list: (address) => ['grpcurl', ['-plaintext', address, 'list']],
  methods: (address) => ['grpcurl', ['-plaintext', address, 'list', SERVICE]],
  call: (address, method, body) => [
    'grpcurl',
    ['-plaintext', '-d', JSON.stringify(body), address, `${SERVICE}/${method}`],
  ],
};
const haveGrpcurl = (await run('grpcurl', ['-version'])).code === 0;
const PROGRAMS = { 'buf curl': buf, ...(haveGrpcurl ? { grpcurl } : {}) };

const KINDS = {
  progress: { progress: 45, status: 'SESSION_STATUS_PROCESSING' },
  modelResult: {
    modelName: 'llama3.1:8b',
    duration: 1200,
    result: 'Hello',
    status: 'MODEL_RESULT_STATUS_COMPLETED',
  },
  clarification: {
    clarificationId: 'c-1',
    question: 'Which?',
    status: 'CLARIFICATION_STATUS_PENDING',
  },
  error: { error: 'a model is away' },
  custom: { name: 'token', data: { delta: 'Hel' } },
  completed: { result: { pages: 3 } },
};

for (const [name, tool] of Object.entries(PROGRAMS)) {
  testOnBoth(
    `${name}: list, an event of each kind, the stream, a wrong field`,
    async (deployment) => {
      const services = await run(...tool.list(deployment.grpc));
      assert.equal(services.code, 0, services.output);
      for (const service of [SERVICE, 'sessioncast.v1.EdgeService', 'grpc.health.v1.Health']) {
        assert.ok(services.output.includes(service), services.output);
      }
      const methods = await run(...tool.methods(deployment.grpc));
      for (const method of [
        'PublishEvent',
        'PublishEvents',
        'StreamSession',
        'GetSession',
        'ListSessions',
        'AskClarification',
        'AnswerClarification',
        'CancelClarification',
      ]) {
        assert.match(methods.output, new RegExp(`SessionService[/.]${method}\\b`));
      }

      const sessionId = randomUUID();
      let sequence = 0;
      for (const [kind, body] of Object.entries(KINDS)) {
        const published = await run(
          ...tool.call(deployment.grpc, 'PublishEvent', { event: { sessionId, [kind]: body } }),
        );
        assert.equal(published.code, 0, published.output);
        sequence = Number(JSON.parse(published.output).position.sequence);
      }
      assert.equal(sequence, 7, 'the open clarification was cancelled just before the end');

      const stream = await run(...tool.call(deployment.grpc, 'StreamSession', { sessionId }));
      assert.equal(stream.code, 0, 'the stream of a session that has ended ends with OK');
      // By reflection grpcurl shows the proto's own names, buf curl the JSON ones.
      for (const shown of [
        /"model_?[nN]ame"/,
        /"llama3.1:8b"/,
        /"delta"/,
        /"pages"/,
        /a model is away/,
      ]) {
        assert.match(stream.output, shown);
      }

      const refused = await run(
        ...tool.call(deployment.grpc, 'PublishEvent', {
          event: {
            sessionId: randomUUID(),
            progress: { progress: 101, status: 'SESSION_STATUS_PROCESSING' },
          },
        }),
      );
      assert.notEqual(refused.code, 0);
      assert.match(refused.output, /invalid_argument|InvalidArgument/);
      assert.match(refused.output, /progress|percent/);
      assert.match(refused.output, /100/);
      const misspelt = await run(
        ...tool.call(deployment.grpc, 'PublishEvent', { event: { sessionId, progres: {} } }),
      );
      assert.notEqual(misspelt.code, 0);
      assert.match(misspelt.output, /progres/);
    },
  );

  testOn(
    'serve',
    `${name}: a stream shows what is published while it is open`,
    async (deployment) => {
      const sessionId = randomUUID();
      const watching = new Program(...tool.call(deployment.grpc, 'StreamSession', { sessionId }));
      deployment.closeFirst({ close: () => watching.signal('SIGKILL') });
      for (const percent of [10, 20]) {
        const progress = { progress: percent, status: 'SESSION_STATUS_PROCESSING' };
        assert.equal(
          (
            await run(
              ...tool.call(deployment.grpc, 'PublishEvent', { event: { sessionId, progress } }),
            )
          ).code,
          0,
        );
        await watching.line(new RegExp(`"progress":\\s*${percent}\\b`));
      }
    },
  );
}

if (haveGrpcurl) {
  testOn('serve', 'grpcurl describes each message', async (deployment) => {
    for (const symbol of [SERVICE, 'sessioncast.v1.Event', 'sessioncast.v1.Clarification']) {
      const described = await run('grpcurl', ['-plaintext', deployment.grpc, 'describe', symbol]);
      assert.equal(described.code, 0, described.output);
    }
  });
}

testOn('serve', "The README's grpcurl example arrives in a browser", async (deployment) => {
  const command = example('README.md', 'bash', 'grpcurl -plaintext');
  const [, body] = command.match(/-d '([^']+)'/);
  const { sessionId } = JSON.parse(body).event;
  const client = connect(deployment);
  await client.subscribe(sessionId);
  const called = haveGrpcurl
    ? await run('bash', ['-euc', command.replaceAll('localhost:50051', deployment.grpc)])
    : await run(...buf.call(deployment.grpc, 'PublishEvent', JSON.parse(body)));
  assert.equal(called.code, 0, called.output);
  assert.equal((await client.event('progress')).sessionId, sessionId);
});
