// `sessioncast doctor`: finds nothing wrong where nothing is, and each thing that can be wrong by its name.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

import { Deployment, Program, program, run, testOn, testOnBoth, testWith } from '../support/processes.mjs';
import { Certificates } from './grpc_doors.mjs';
import { Keys } from './tokens.mjs';

const OK = 0;
const REFUSED = 1;
const USAGE = 2;

// {code, checks: [{group, check, outcome, seen, advice}], sum}
async function doctor({ control = 'localhost:1', edges = ['http://localhost:1'], flags = [] }) {
  const ran = await run(program('sessioncast'), [
    'doctor',
    '--json',
    `--control=${control}`,
    ...edges.map((url) => `--edge=${url}`),
    ...flags,
  ]);
  const checks = ran.output.split('\n').map((line) => JSON.parse(line));
  const sum = checks.pop();
  const wrong = checks.filter(({ outcome }) => outcome === 'failed');
  assert.equal(sum.failed, wrong.length, ran.output);
  assert.equal(ran.code, wrong.length > 0 ? REFUSED : OK, ran.output);
  return { checks, wrong, output: ran.output };
}

const of = (deployment, flags = []) => ({
  control: deployment.grpc,
  edges: [deployment.url],
  flags,
});

const named = ({ checks }, name) => checks.filter(({ check }) => check === name);

// That `check` fails, what was seen and what is advised.
function assertFails(result, check, seen, advice) {
  const found = result.wrong.filter((one) => one.check === check);
  assert.ok(found.length > 0, `${check} does not fail\n${result.output}`);
  assert.ok(
    found.some((one) => seen.test(one.seen) && advice.test(one.advice)),
    `${check}: ${JSON.stringify(found)}`,
  );
}

async function listen(deployment, server) {
  const sockets = new Set();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, 'localhost');
  await once(server, 'listening');
  deployment.closeFirst({
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
  return server.address().port;
}

// A proxy that passes requests to one of `ports` after the other, and no websocket.
function forwarder(ports, { tls, change = (response) => response } = {}) {
  let next = 0;
  const handle = (request, response) => {
    const { method, url } = request;
    const { upgrade: _, connection: __, ...headers } = request.headers; // of one hop, RFC 9110
    const port = ports[next++ % ports.length];
    const passed = http.request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode, change(answer.headers));
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  };
  return tls ? https.createServer(tls, handle) : http.createServer(handle);
}

// The same with websockets: bytes to bytes, behind TLS or not.
function tunnel(port, { idleMs = 0 } = {}) {
  return net.createServer((socket) => {
    const edge = net.connect(port, '127.0.0.1');
    for (const [from, to] of [
      [socket, edge],
      [edge, socket],
    ]) {
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
      from.pipe(to);
    }
    if (idleMs) socket.setTimeout(idleMs, () => socket.destroy());
  });
}

testOnBoth('Nothing is wrong with a deployment that runs', async (deployment) => {
  const result = await doctor(of(deployment, ['--origin=http://localhost:5173']));
  assert.deepEqual(result.wrong, [], result.output);
  for (const check of ['port', 'health', 'version', 'clock', 'limits', 'ready', 'polling', 'websocket',
    'upgrade', 'origin', 'publish', 'recovery', 'REST']) {
    assert.ok(named(result, check).length > 0, `${check}\n${result.output}`);
    for (const { outcome } of named(result, check)) assert.equal(outcome, 'ok', result.output);
  }
  assert.equal(named(result, 'deliver').length, 3, result.output);
});

testOn('serve', 'For people it is a line a check, and a sum', async (deployment) => {
  const ran = await run(program('sessioncast'), [
    'doctor', `--control=${deployment.grpc}`, `--edge=${deployment.url}`, '--session_id=mine',
  ]);
  assert.equal(ran.code, OK, ran.output);
  assert.match(ran.output, /^ {2}ok {4}health {8}SERVING, [\d.]+ ms$/m);
  assert.match(ran.output, /^round trip, in session mine$/m);
  assert.match(ran.output, /^\d+ ok, 0 to look at, 0 failed, 1 skipped$/m);
  const session = await fetch(`${deployment.url}/api/wizard/session/mine`).then((r) => r.json());
  assert.equal(session.status, 'COMPLETED', 'it ends what it began');
});

testOn('daemons', 'Control is away', async (deployment) => {
  await deployment.control.kill();
  const result = await doctor(of(deployment));
  assertFails(result, 'port', /refused/, /start control/);
  assertFails(result, 'ready', /"control":"away"/, /has lost control/);
  assert.equal(named(result, 'websocket')[0].outcome, 'ok', 'sockets still connect');
  assert.equal(named(result, 'publish')[0].outcome, 'skipped');
  await deployment.startControl();
});

testOn('daemons', 'An edge has not found its control, and another is not there', async (deployment) => {
  const lost = new Program(program('sessioncast-edge'), ['--http_listen=localhost:0', '--control=localhost:1']);
  deployment.closeFirst({ close: () => lost.signal('SIGKILL') });
  const port = (await lost.line(/edge listening on 127\.0\.0\.1:(\d+)/))[1];
  const result = await doctor({
    control: deployment.grpc,
    edges: [deployment.url, `http://localhost:${port}`, 'http://localhost:1'],
    flags: ['--step_timeout_ms=1000'],
  });
  assertFails(result, 'ready', /503/, /has not reached control yet/);
  assertFails(result, 'port', /refused/, /start an edge/);
  const delivered = named(result, 'deliver').filter(({ outcome }) => outcome === 'ok');
  assert.equal(delivered.length, 3, 'the good edge delivers all the same');
});

testOn('serve', 'Something else answers', async (deployment) => {
  const web = http.createServer((_, response) => response.end('<h1>Hello</h1>'));
  const silent = net.createServer(() => {});
  const result = await doctor({
    control: `localhost:${await listen(deployment, web)}`,
    edges: [`http://localhost:${web.address().port}`, `http://localhost:${await listen(deployment, silent)}`],
    flags: ['--step_timeout_ms=500'],
  });
  assertFails(result, 'health', /./, /no gRPC answers/);
  assert.equal(named(result, 'ready')[0].outcome, 'warning', result.output);
  assertFails(result, 'polling', /not as Engine\.IO 4/, /pass \/socket\.io\//);
  assertFails(result, 'websocket', /handshake is answered by 200/, /does not pass websocket/);
  assertFails(result, 'ready', /nothing in time/, /firewall|away/);
});

testOn('serve', 'Something else answers in JSON, of whatever types', async (deployment) => {
  const body = '{"ready":1,"control":{},"draining":"no","version":2,"sequence":"x","sid":[]}';
  const web = http.createServer((_, response) => response.end(body));
  const edges = [`http://localhost:${await listen(deployment, web)}`];
  const result = await doctor({ control: deployment.grpc, edges, flags: ['--step_timeout_ms=500'] });
  assertFails(result, 'ready', /"control":\{\}/, /has lost control/);
  assert.equal(named(result, 'version').at(-1).outcome, 'warning');
  assertFails(result, 'polling', /not as Engine\.IO 4/, /pass/);
});

testOn('serve', 'A session that has ended is not published into: another id is advised', async (deployment) => {
  const flags = ['--session_id=once'];
  assert.deepEqual((await doctor(of(deployment, flags))).wrong, []);
  assertFails(await doctor(of(deployment, flags)), 'publish', /ended/, /another --session_id/);
});

testOn('serve', 'A proxy passes no websocket', async (deployment) => {
  const port = await listen(deployment, forwarder([deployment.httpPort]));
  const result = await doctor({ control: deployment.grpc, edges: [`http://localhost:${port}`] });
  assert.deepEqual(result.wrong.map(({ check }) => check), ['websocket', 'upgrade'], result.output);
  assertFails(result, 'websocket', /./, /proxy/);
  assert.equal(named(result, 'deliver').length, 1, 'by polling it works');
});

testOn('daemons', 'A balancer sends the requests of one client to two edges', async (deployment) => {
  const second = new Program(program('sessioncast-edge'), [
    '--http_listen=localhost:0', `--control=${deployment.grpc}`,
  ]);
  deployment.closeFirst({ close: () => second.signal('SIGKILL') });
  const other = (await second.line(/edge listening on 127\.0\.0\.1:(\d+)/))[1];
  await second.line(/attached to control/);
  const port = await listen(deployment, forwarder([deployment.httpPort, other]));
  const result = await doctor({ control: deployment.grpc, edges: [`http://localhost:${port}`] });
  assertFails(result, 'polling', /Session ID unknown/, /different edges/);
});

testOn('serve', 'The origin of a page may not connect, or a proxy changes what is said of it', async (deployment) => {
  const origin = 'https://app.example.com';
  assertFails(await doctor(of(deployment, [`--origin=${origin}`])), 'origin', /403/, /--cors_origins/);
  const change = (headers) => ({ ...headers, 'access-control-allow-origin': 'https://else.example' });
  const port = await listen(deployment, forwarder([deployment.httpPort], { change }));
  const edges = [`http://localhost:${port}`];
  const allowed = await doctor({ control: deployment.grpc, edges, flags: ['--origin=http://localhost:5173'] });
  assertFails(allowed, 'origin', /else\.example/, /a proxy changes/);
});

testOn('serve', 'Something closes connections that are idle', async (deployment) => {
  const port = await listen(deployment, tunnel(deployment.httpPort, { idleMs: 300 }));
  const flags = ['--hold_ms=2500'];
  const result = await doctor({ control: deployment.grpc, edges: [`http://localhost:${port}`], flags });
  const idle = result.wrong.filter(({ group }) => group.startsWith('idle'));
  assert.equal(idle.length, 2, result.output);
  for (const { advice } of idle) assert.match(advice, /closes idle connections/);
  const well = await doctor(of(deployment, flags));
  assert.deepEqual(well.wrong, [], well.output);
}, { edgeFlags: ['--ping_interval_ms=1000'] });

testOn('serve', 'TLS before an edge: a certificate that is not trusted, the wrong scheme', async (deployment) => {
  const certificates = new Certificates();
  deployment.closeFirst(certificates);
  const tls = { key: certificates.read('server.key'), cert: certificates.read('server.pem') };
  const port = await listen(deployment, forwarder([deployment.httpPort], { tls }));
  const edges = [`https://localhost:${port}`];
  const strange = await doctor({ control: deployment.grpc, edges });
  assertFails(strange, 'port', /not trusted/, /--edge_ca/);
  const ca = [`--edge_ca=${certificates.file('ca.pem')}`];
  const known = await doctor({ control: deployment.grpc, edges, flags: ca });
  assert.deepEqual(known.wrong.map(({ check }) => check), ['websocket', 'upgrade'], known.output);
  const plain = await doctor({ control: deployment.grpc, edges: [`https://localhost:${deployment.httpPort}`] });
  assertFails(plain, 'port', /TLS/, /http:\/\/ rather than https/);
});

const keys = new Keys();
testWith(
  () => new Deployment('serve', { controlFlags: keys.flags }),
  'Tokens: none, one that lacks a verb, one of other sessions, a good one',
  async (deployment) => {
    deployment.closeFirst(keys);
    const withToken = (claims) => {
      writeFileSync(keys.file('token'), keys.good(claims));
      return doctor(of(deployment, [`--token_file=${keys.file('token')}`]));
    };
    const verbs = ['publish', 'view'];
    const none = await doctor(of(deployment));
    assertFails(none, 'version', /token/, /--token_file/);
    assertFails(none, 'websocket', /CONNECT is refused/, /verb view/);
    const cannotConnect = await withToken({ sessions: ['*'], verbs: ['publish'] });
    assertFails(cannotConnect, 'websocket', /unauthorized/, /verb view/);
    assert.equal(named(cannotConnect, 'deliver')[0].outcome, 'skipped');
    const cannotView = await withToken({ sessions: ['*'], verbs: ['publish', 'answer'] });
    assertFails(cannotView, 'subscribe', /view/, /verb view/);
    const cannotPublish = await withToken({ sessions: ['*'], verbs: ['view'] });
    assertFails(cannotPublish, 'version', /verb/, /verb publish/);
    const elsewhere = await withToken({ sessions: ['other-*'], verbs });
    assertFails(elsewhere, 'subscribe', /./, /must cover the session/);
    assertFails(elsewhere, 'publish', /cover/, /must cover the session/);
    const good = await withToken({ sessions: ['sessioncast-doctor-*'], verbs });
    assert.deepEqual(good.wrong, [], good.output);
  },
  150_000,
);

testOn('serve', 'Wrong flags are named', async () => {
  for (const url of ['localhost:3000', 'ftp://x', 'http://', 'http://x:0', 'http://x/path', 'http://[::1', 'http://::1']) {
    const ran = await run(program('sessioncast'), ['doctor', `--edge=${url}`]);
    assert.equal(ran.code, USAGE, ran.output);
    assert.match(ran.output, /--edge/);
  }
});
