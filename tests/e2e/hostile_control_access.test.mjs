// Who may make which call of control's: every door with every kind of token, certificates, and what
// calls control in practice: the edge and the tool.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import test from 'node:test';

import { Program, program, run, testOn, until, within } from '../support/processes.mjs';
import { connect } from './clients.mjs';
import { Caller, Certificates, DOORS, status } from './grpc_doors.mjs';
import { events } from './publisher.mjs';
import { Keys, now } from './tokens.mjs';

const keys = new Keys();
const certificates = new Certificates();
test.after(() => {
  keys.close();
  certificates.close();
});

const VERBS = ['view', 'answer', 'list', 'publish', 'stream', 'attach', 'admin'];
const mine = randomUUID();
const theirs = randomUUID();

const forAll = (verbs, more = {}) => keys.good({ sessions: ['*'], verbs, ...more });
keys.write('edge.token', `${forAll(['attach'])}\n`);
const ASKING = {
  controlFlags: keys.flags,
  edgeFlags: [`--control_token_file=${keys.file('edge.token')}`],
};
// In one process the edge needs no token; it asks for tokens as control does.
const SERVING = { controlFlags: keys.flags };

const callerOf = (deployment, token, credentials) =>
  deployment.closeFirst(new Caller(deployment.grpc, token, credentials));
const topOf = async (as, sessionId) =>
  (await as.unary('getSession', { sessionId })).response.snapshot.position.sequence;

// Somebody who publishes and somebody who reads, with good tokens, beside the attackers.
async function beside(deployment) {
  const publisher = callerOf(deployment, forAll(['publish']));
  for (const sessionId of [mine, theirs]) {
    assert.equal((await publisher.publish(sessionId)).code, status.OK);
  }
  const { sessions, metadata } = callerOf(deployment, forAll(['stream'], { exp: now() + 3600 }));
  const seen = [];
  let failed;
  const reading = sessions
    .streamSession({ sessionId: mine }, metadata)
    .on('data', (response) => seen.push(...response.events))
    .on('error', (error) => (failed ??= error));
  deployment.closeFirst({ close: () => reading.cancel() });
  return {
    publisher,
    // All is well: what is published arrives, and nothing was stored but what was accepted.
    async check(stored) {
      assert.equal((await publisher.publish(mine)).code, status.OK);
      const top = await topOf(publisher, mine);
      if (stored !== undefined) assert.equal(top, stored + 2);
      await within(
        20_000,
        'what is published arrives',
        new Promise((resolve, reject) => {
          const look = () => {
            if (failed) reject(failed);
            if (seen.at(-1)?.position.sequence === top) resolve();
          };
          reading.on('data', look).on('error', look);
          look();
        }),
      );
    },
  };
}

const right = (door) => door.right ?? status.OK;

testOn(
  'serve',
  'Without a token that is good, nothing; and no detail',
  async (deployment) => {
    const { check } = await beside(deployment);
    const claims = { sessions: ['*'], verbs: VERBS };
    const tokens = { 'none at all': undefined, ...keys.bad(claims) };
    for (const [what, token] of Object.entries(tokens)) {
      const attacker = callerOf(deployment, token);
      for (const [name, door] of Object.entries(DOORS)) {
        const { code, details } = await door.call(attacker, mine);
        assert.equal(code, status.UNAUTHENTICATED, `${name} with a token that is ${what}`);
        assert.equal(details, 'a valid token is needed');
      }
      assert.equal((await attacker.health()).code, status.OK, 'health needs none');
    }
    const impostor = callerOf(deployment);
    impostor.metadata.set('sessioncast-in-process', randomUUID());
    assert.equal((await impostor.publish(mine)).code, status.UNAUTHENTICATED);
    await check(0);
    // The edge in this process needs none.
    assert.equal((await fetch(`${deployment.url}/readyz`)).status, 200);
    assert.doesNotMatch(deployment.control.log, /control is away/);
    for (const token of Object.values(tokens)) {
      if (token?.length > 20) assert.ok(!deployment.control.log.includes(token));
    }
  },
  SERVING,
);

testOn(
  'serve',
  'Each call needs its verb, and says which',
  async (deployment) => {
    const { check } = await beside(deployment);
    for (const verb of VERBS) {
      const caller = callerOf(deployment, forAll([verb]));
      for (const [name, door] of Object.entries(DOORS)) {
        const { code, details } = await door.call(caller, mine);
        if (verb === 'admin' || door.verbs.includes(verb)) {
          assert.equal(code, right(door), `${name} with the verb ${verb}: ${details}`);
        } else {
          assert.equal(code, status.PERMISSION_DENIED, `${name} with the verb ${verb}`);
          const needed = [...door.verbs, 'admin'].join(' or ');
          assert.equal(details, `${name}: the token does not have the verb ${needed}`);
        }
      }
      assert.equal((await caller.health()).code, status.OK);
    }
    const none = callerOf(deployment, keys.good({ sessions: ['*'] }));
    assert.equal((await none.publish(mine)).code, status.PERMISSION_DENIED);
    await check();
  },
  SERVING,
);

testOn(
  'serve',
  'A token opens the sessions that it covers, and no others, there or not',
  async (deployment) => {
    const { check, publisher } = await beside(deployment);
    const stored = await topOf(publisher, theirs);
    for (const verb of ['publish', 'stream', 'attach', 'admin']) {
      const thief = callerOf(deployment, keys.good({ sessions: [mine, 'team-*'], verbs: [verb] }));
      for (const [name, door] of Object.entries(DOORS)) {
        if (verb !== 'admin' && !door.verbs.includes(verb)) continue;
        if (!door.one) {
          const { code, details } = await door.call(thief, mine);
          const needsAll = name !== 'ServerReflection' && name !== 'GetServer';
          assert.equal(code, needsAll ? status.PERMISSION_DENIED : status.OK, name);
          if (needsAll) assert.equal(details, `${name}: the token does not cover all sessions ('*')`);
          continue;
        }
        for (const sessionId of [theirs, randomUUID(), 'team', '']) {
          const { code, details } = await door.call(thief, sessionId);
          assert.equal(code, status.PERMISSION_DENIED, `${name} of '${sessionId}' with ${verb}`);
          assert.equal(details, `${name}: the token does not cover this session`);
        }
        assert.equal((await door.call(thief, mine)).code, right(door), `${name} with ${verb}`);
      }
    }
    assert.equal(await topOf(publisher, theirs), stored);
    const member = callerOf(deployment, keys.good({ sessions: ['team-*'], verbs: ['publish'] }));
    assert.equal((await member.publish('team-7')).code, status.OK);
    await check();
  },
  SERVING,
);

testOn(
  'serve',
  'A call that lasts longer than its token ends when that does',
  async (deployment) => {
    const { check } = await beside(deployment);
    const expiry = now() + 3;
    const caller = callerOf(deployment, forAll(['publish', 'stream', 'attach'], { exp: expiry }));
    const silent = randomUUID();
    const lasting = {
      StreamSession: caller.sessions.streamSession({ sessionId: silent }, caller.metadata),
      PublishEvents: caller.sessions.publishEvents(caller.metadata),
      Attach: caller.edges.attach(caller.metadata),
    };
    const ends = Object.entries(lasting).map(async ([name, call]) => {
      const { code, details } = await new Promise((resolve) => {
        call.on('data', () => {}).on('error', () => {}).on('status', resolve);
      });
      assert.equal(code, status.UNAUTHENTICATED, `${name}: ${details}`);
      assert.match(details, /expired/);
      assert.ok(Date.now() >= expiry * 1000, `${name} ended before its token`);
    });
    const question = { sessionId: mine, clarificationId: 'lasting', question: 'Really?' };
    ends.push(
      caller.unary('askClarification', question).then(({ code }) => {
        assert.equal(code, status.UNAUTHENTICATED);
      }),
    );
    await within(20_000, 'all have ended', Promise.all(ends));
    const { response } = await callerOf(deployment, forAll(['stream'])).unary('getSession', {
      sessionId: mine,
    });
    const open = response.snapshot.events.find((event) => event.clarification);
    assert.equal(open.clarification.status, 'CLARIFICATION_STATUS_PENDING');
    await check();
  },
  SERVING,
);

testOn(
  'serve',
  'What is logged of refusals is limited, and SIGHUP reads the keys again',
  async (deployment) => {
    const attacker = callerOf(deployment, 'garbage');
    const started = performance.now();
    for (let i = 0; i < 300; i += 1) await attacker.publish(mine);
    const lines = deployment.control.lines.filter((line) => /is refused/.test(line)).length;
    assert.ok(lines >= 1 && lines <= 11 + (performance.now() - started) / 1000, `${lines} lines`);
    const old = callerOf(deployment, forAll(['publish']));
    assert.equal((await old.publish(mine)).code, status.OK);
    keys.setSecret('another secret, and as long as it has to be');
    deployment.control.signal('SIGHUP');
    await deployment.control.line(/SIGHUP: keys and certificates are read again/);
    assert.equal((await old.publish(mine)).code, status.UNAUTHENTICATED);
    const fresh = callerOf(deployment, forAll(['publish']));
    assert.equal((await fresh.publish(mine)).code, status.OK);
    keys.write('edge.token', forAll(['attach']));
  },
  SERVING,
);

testOn(
  'daemons',
  'An edge with a token goes on when it is replaced, and may not publish',
  async (deployment) => {
    const publisher = callerOf(deployment, forAll(['publish']));
    const client = connect(deployment);
    await client.subscribe(mine);
    await publisher.publish(mine, events.progress(10));
    await client.event('progress');
    // The one it has has ended: control has it come again, with the one that is there by then.
    const expiry = now() + 8;
    keys.write('edge.token', forAll(['attach'], { exp: expiry }));
    await deployment.edge.stop();
    await deployment.startEdge();
    await client.connected();
    await client.subscribe(mine);
    keys.write('edge.token', forAll(['attach']));
    await deployment.edge.line(/control is away .*expired/);
    const from = deployment.edge.lines.findIndex((line) => /control is away/.test(line));
    await deployment.edge.line(/attached to control/, { from });
    assert.ok(Date.now() >= expiry * 1000);
    await publisher.publish(mine, events.progress(20));
    await client.until(
      () => client.named('progress', mine).some(({ progress }) => progress === 20),
      'what is published after the change',
    );
    keys.write('wrong.token', forAll(['publish']));
    const refused = new Program(program('sessioncast-edge'), [
      '--http_listen=localhost:0',
      `--control=${deployment.grpc}`,
      `--control_token_file=${keys.file('wrong.token')}`,
    ]);
    await refused.line(/control does not let this edge attach: .*the verb attach or admin/);
    await refused.stop();
    const asEdge = callerOf(deployment, forAll(['attach']));
    assert.equal((await asEdge.publish(mine)).code, status.PERMISSION_DENIED);
    assert.equal((await asEdge.publishMany(mine)).code, status.PERMISSION_DENIED);
  },
  ASKING,
);

// What the tool says of a publish, and with which exit code it ends.
const tool = (deployment, ...flags) =>
  run(program('sessioncast'), [
    'publish',
    mine,
    '--progress=1',
    `--control=${deployment.grpc}`,
    '--retry_for_ms=0',
    ...flags,
  ]);

testOn(
  'daemons',
  'mTLS: a certificate of the right authority is all that is needed; edge and tool show theirs',
  async (deployment) => {
    const callerWith = (credentials) => callerOf(deployment, undefined, credentials);
    const good = callerWith(certificates.credentials({ own: 'client' }));
    for (const [name, door] of Object.entries(DOORS)) {
      assert.equal((await door.call(good, mine)).code, right(door), name);
    }
    for (const [what, credentials] of Object.entries({
      'no TLS': undefined,
      'no certificate': certificates.credentials(),
      'a certificate of another authority': certificates.credentials({ own: 'stranger' }),
    })) {
      const attacker = callerWith(credentials);
      assert.equal((await attacker.publish(mine)).code, status.UNAVAILABLE, what);
      assert.notEqual((await attacker.health()).code, status.OK, what);
    }
    const client = connect(deployment);
    await client.subscribe(mine);
    const ca = `--ca=${certificates.file('ca.pem')}`;
    const own = (name) => [
      `--cert=${certificates.file(`${name}.pem`)}`,
      `--key=${certificates.file(`${name}.key`)}`,
    ];
    assert.equal((await tool(deployment, ca, ...own('client'))).code, 0);
    await client.event('progress');
    assert.equal((await tool(deployment)).code, 3);
    assert.equal((await tool(deployment, ca)).code, 3);
    assert.equal((await tool(deployment, ca, ...own('stranger'))).code, 3);
    // What gRPC says of each handshake is in our log's form, and limited.
    const started = deployment.control.lines.length;
    const begun = performance.now();
    for (let i = 0; i < 30; i += 1) {
      assert.equal((await callerWith(certificates.credentials()).health()).code, status.UNAVAILABLE);
    }
    const said = deployment.control.lines.slice(started);
    assert.ok(said.length <= 11 + (performance.now() - begun) / 1000, said.join('\n'));
    assert.ok(deployment.control.lines.some((line) => /warn.*gRPC: /.test(line)));
    assert.ok(!deployment.control.lines.some((line) => /^E\d{4} /.test(line)));
    const other = `--ca=${certificates.file('other.pem')}`;
    assert.equal((await tool(deployment, other, ...own('client'))).code, 3);
  },
  {
    controlFlags: certificates.flags({ clients: true }),
    edgeFlags: [
      `--control_ca=${certificates.file('ca.pem')}`,
      `--control_cert=${certificates.file('client.pem')}`,
      `--control_key=${certificates.file('client.key')}`,
    ],
  },
);

testOn(
  'daemons',
  'A certificate and a token: both are needed',
  async (deployment) => {
    const own = certificates.credentials({ own: 'client' });
    const token = forAll(['publish']);
    assert.equal((await callerOf(deployment, token, own).publish(mine)).code, status.OK);
    assert.equal(
      (await callerOf(deployment, undefined, own).publish(mine)).code,
      status.UNAUTHENTICATED,
    );
    const without = callerOf(deployment, token, certificates.credentials());
    assert.equal((await without.publish(mine)).code, status.UNAVAILABLE);
  },
  {
    controlFlags: [...certificates.flags({ clients: true }), ...keys.flags],
    edgeFlags: [
      `--control_ca=${certificates.file('ca.pem')}`,
      `--control_cert=${certificates.file('client.pem')}`,
      `--control_key=${certificates.file('client.key')}`,
      `--control_token_file=${keys.file('edge.token')}`,
    ],
  },
);

testOn(
  'serve',
  'A question asked by the tool outlasts its token when the file has the next one',
  async (deployment) => {
    const sessionId = randomUUID();
    const expiry = now() + 4;
    keys.write('asking.token', forAll(['publish'], { exp: expiry }));
    const asking = new Program(program('sessioncast'), [
      'ask',
      sessionId,
      '--question=Which?',
      '--clarification_id=c-1',
      `--control=${deployment.grpc}`,
      `--token_file=${keys.file('asking.token')}`,
    ]);
    deployment.closeFirst({ close: () => asking.exit ?? asking.signal('SIGKILL') });
    const caller = callerOf(deployment, forAll(['publish', 'stream', 'answer']));
    const { sessions, metadata } = caller;
    const reading = sessions.streamSession({ sessionId }, metadata).on('error', () => {});
    deployment.closeFirst({ close: () => reading.cancel() });
    await within(20_000, 'it is asked', once(reading, 'data'));
    keys.write('asking.token', forAll(['publish']));
    await until(async () => Date.now() > (expiry + 1) * 1000, 'its first token has ended');
    const { code } = await caller.unary('answerClarification', {
      sessionId,
      clarificationId: 'c-1',
      response: 'this one',
    });
    assert.equal(code, status.OK);
    await asking.line(/this one/);
    await asking.ended;
    assert.equal(asking.exit.code, 0);
  },
  SERVING,
);

test('The tool shows a token in plaintext; without, it is refused at once', async () => {
  const control = new Program(program('sessioncast-control'), [
    '--grpc_listen=localhost:0',
    '--store=memory',
    ...keys.flags,
  ]);
  const [, port] = await control.line(/control listening on 127\.0\.0\.1:(\d+)/);
  const deployment = { grpc: `localhost:${port}` };
  keys.write('my.token', forAll(['publish']));
  const shown = await tool(deployment, `--token_file=${keys.file('my.token')}`);
  assert.equal(shown.code, 0, shown.output);
  const refused = await tool(deployment);
  assert.equal(refused.code, 1, refused.output);
  assert.match(refused.output, /a valid token is needed/);
  await control.stop();
});

test('A certificate that is replaced counts for the next connection', async () => {
  const replaced = new Certificates();
  test.after(() => replaced.close());
  const control = new Program(program('sessioncast-control'), [
    '--grpc_listen=localhost:0',
    '--store=memory',
    ...replaced.flags(),
  ]);
  const [, port] = await control.line(/control listening on 127\.0\.0\.1:(\d+)/);
  const publish = async (ca) => {
    const caller = new Caller(`localhost:${port}`, undefined, replaced.credentials({ ca }));
    const { code } = await caller.publish(mine);
    caller.close();
    return code;
  };
  assert.equal(await publish('ca'), status.OK);
  assert.equal(await publish('other'), status.UNAVAILABLE);
  replaced.sign('server', 'other');
  await within(
    30_000,
    'the new certificate is shown',
    (async () => {
      while ((await publish('other')) !== status.OK);
    })(),
  );
  assert.equal(await publish('ca'), status.UNAVAILABLE);
  control.signal('SIGHUP'); // as one does; it was read already
  await control.line(/SIGHUP: keys and certificates are read again/);
  await control.stop();
});

test('A file that cannot be used is named at the start, with its flag', async () => {
  const file = (name) => certificates.file(name);
  const pair = certificates.flags();
  for (const [name, flags, said] of [
    ['control', ['--tls_cert=/nothing/is/here', pair[1]], /--tls_cert=\/nothing\/is\/here/],
    ['control', [pair[0], `--tls_key=${file('client.key')}`], /--tls_key=.*is not the key of/],
    ['control', [pair[0]], /--tls_cert and --tls_key/],
    ['control', [...pair, `--tls_client_ca=${file('ca.key')}`], /--tls_client_ca=.*no certificate/],
    ['control', ['--token_key=k:HS256:/nothing/is/here'], /cannot read \/nothing\/is\/here/],
    ['edge', [`--control_ca=${file('ca.key')}`], /--control_ca=.*no certificate/],
    ['edge', [`--control_cert=${file('client.pem')}`], /--control_cert=.*needs --control_ca/],
    ['edge', ['--control_token_file=/nothing/is/here'], /control_token_file/],
  ]) {
    const listen = name === 'control' ? ['--grpc_listen=localhost:0', '--store=memory'] : [];
    const { code, output } = await run(program(`sessioncast-${name}`), [...listen, ...flags]);
    assert.ok(code === 1 || code === 2, output);
    assert.match(output, said);
  }
});

test('Where nobody is asked it listens on loopback only, unless told otherwise', async () => {
  const flags = ['--grpc_listen=0.0.0.0:0', '--store=memory'];
  const control = program('sessioncast-control');
  for (const more of [[], certificates.flags()]) {
    const { code, output } = await run(control, [...flags, ...more]);
    assert.equal(code, 1, output);
    assert.match(output, /--grpc_listen=.*--token_key.*--insecure_listen/);
  }
  const asks = [['--insecure_listen'], keys.flags, certificates.flags({ clients: true })];
  for (const more of asks) {
    const started = new Program(control, [...flags, ...more]);
    await started.line(/control listening on 0\.0\.0\.0:\d+/);
    await started.stop();
  }
});
