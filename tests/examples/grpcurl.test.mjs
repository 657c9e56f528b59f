// examples/grpcurl.sh as it stands, by grpcurl itself: a browser's client sees what it publishes, and answers it.
import assert from 'node:assert/strict';
import path from 'node:path';

import { connect } from '../e2e/clients.mjs';
import { Keys } from '../e2e/tokens.mjs';
import { Deployment, ENVIRONMENT, Program, ROOT, run, testOn, testWith, within } from '../support/processes.mjs';

const EXAMPLE = path.join(ROOT, 'examples/grpcurl.sh');
const RUN_MS_MAX = 60_000;

if ((await run('grpcurl', ['-version'])).code === 0) {
  testOn('serve', 'A job by hand: seen, answered, ended', async (deployment) => {
    const client = connect(deployment);
    await client.subscribe('job-1');
    const script = new Program('bash', [EXAMPLE, 'job-1', deployment.grpc]);
    deployment.closeFirst({ close: () => script.exit ?? script.signal('SIGKILL') });
    const { sessionId, clarificationId, status } = await client.event('clarification');
    assert.equal(status, 'pending');
    const answered = await fetch(`${deployment.url}/api/wizard/clarifications/respond`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ sessionId, clarificationId, response: 'German' }),
    });
    assert.equal(answered.status, 200);
    await within(RUN_MS_MAX, 'the script ends', script.ended);
    assert.equal(script.exit.code, 0, script.log);
    assert.match(script.log, /"duplicate": true/);
    assert.match(script.log, /"response": "German"/);
    assert.equal((await client.event('completed')).result.pages, 3);
    const seen = ['progress', 'model_result', 'clarification', 'page_read', 'completed'];
    assert.deepEqual(seen.map((name) => client.named(name, 'job-1').length), [1, 2, 2, 1, 1]);
    assert.equal(script.log.match(/"sequence": "7"/g).length, 2, 'published, and read from the log');
  });

  const keys = new Keys();
  testWith(
    () => new Deployment('serve', { controlFlags: keys.flags }),
    'With a token where one is asked for, and not without (serve)',
    async (deployment) => {
      deployment.closeFirst(keys);
      const token = keys.good({ sessions: ['*'], verbs: ['admin'] });
      const by = (flags) =>
        new Program('bash', [EXAMPLE, 'job-2', deployment.grpc], {
          env: { ...ENVIRONMENT, GRPCURL_FLAGS: flags },
        });
      const good = by(`-plaintext -H 'authorization: Bearer ${token}'`);
      await within(RUN_MS_MAX, 'the script ends', good.ended);
      assert.equal(good.exit.code, 0, good.log);
      assert.match(good.log, /"response": "English"/, 'nobody answered');
      const bad = by('-plaintext');
      await within(RUN_MS_MAX, 'the script ends', bad.ended);
      assert.notEqual(bad.exit.code, 0);
      assert.match(bad.log, /valid token is needed/);
    },
    150_000,
  );
}
