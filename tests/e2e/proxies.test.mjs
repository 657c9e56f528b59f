// Two edges behind nginx and HAProxy, configured as docs/operations/ says: TLS, websocket and polling, a lost edge, an
// edge that drains. Stock clients, over https and wss only.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import https from 'node:https';
import path from 'node:path';
import test, { after, before } from 'node:test';

import { chromium } from 'playwright-core';

import { ROOT, program, run, testWith, until, within } from '../support/processes.mjs';
import { Certificates, NAMES, PROXY_NAMES, ProxiedDeployment, configuration } from '../support/proxies.mjs';
import { Client } from './clients.mjs';
import { events, publisherTo } from './publisher.mjs';

const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']];
// Debian's and the newest, and the ways of the client with asyncio, for which the newest lacks a library.
const PYTHONS = {
  '/usr/bin/python3': TRANSPORTS.map((way) => way.join('+')),
  [path.join(ROOT, '.cache/python/bin/python')]: [],
};
const CLIENTS = 4;
const EVENTS = 40; // more than one poll brings
const DRAIN_MS = 2_000;
// What a browser sends by itself: recovery is on.
const AS_BROWSER = { extraHeaders: { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64)' } };
const POLLING = '/socket.io/?EIO=4&transport=polling';
const WEBSOCKET = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};

const certificates = new Certificates();
before(() => certificates.make());
after(() => certificates.close());

function testBehind(proxyName, name, body, options = {}) {
  const deployment = () => new ProxiedDeployment(proxyName, certificates, options);
  testWith(deployment, `${name} (${proxyName})`, body, 120_000);
}

function connect(deployment, options = {}) {
  // Not by name: localhost may be ::1 first.
  return deployment.closeFirst(new Client(deployment.url, { ca: deployment.authority, ...options }));
}

// The edge that a client, or the answer to a handshake, is of.
const edgeOf = (client) => client.socket.io.engine.id.split('.')[1];
const edgeOfHandshake = ({ body }) => JSON.parse(body.slice(1)).sid.split('.')[1];

const sequences = (client, sessionId) => client.named('token', sessionId).map(({ sequence }) => sequence);
const upTo = (count) => [...Array(count).keys()].map((i) => i + 1);

async function publish(publisher, sessionId, count) {
  for (let i = 0; i < count; i += 1) await publisher.publish(sessionId, events.custom('token', { i }));
}

// Clients over these transports that each get what is published, and lose no connection; the edges that they are on.
async function followOver(deployment, transports) {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const clients = Array.from({ length: CLIENTS }, () => connect(deployment, { transports, reconnection: false }));
  await Promise.all(clients.map((client) => client.subscribe(sessionId)));
  await publish(publisher, sessionId, EVENTS);
  await Promise.all(clients.map((client) => client.event('token', { sessionId, count: EVENTS })));
  for (const client of clients) {
    await client.until(() => client.transport() === transports.at(-1), `it goes over to ${transports.at(-1)}`);
    assert.deepEqual(sequences(client, sessionId), upTo(EVENTS));
    assert.deepEqual(client.disconnects, []);
  }
  return clients.map(edgeOf);
}

// Of some connections, each CONNECT and poll: all are answered, or the first refusal.
async function pollsByHand(deployment) {
  let answer;
  for (let i = 0; i < 4 * CLIENTS; i += 1) {
    const { sid } = JSON.parse((await deployment.get(POLLING)).body.slice(1));
    const target = `${POLLING}&sid=${sid}`;
    for (const options of [{ method: 'POST', body: '40' }, {}]) {
      answer = await deployment.get(target, options);
      if (answer.status !== 200) return answer;
    }
  }
  return answer;
}

// Connects and reads all of a session, from its first event. The client with threads by polling only: it reads its
// websocket in one thread and writes it in another, which Python's TLS did not allow before 3.13 (once in some hundred
// connections to a bare TLS server a packet is lost). Its handlers run in threads too: in no order.
const PYTHON_CLIENT = `
import faulthandler
faulthandler.dump_traceback_later(80, exit=True)  # says where it stands

import asyncio, ssl, sys, threading
import requests, socketio

url, authority, session_id, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
from_the_start = {'sessionId': session_id, 'after': {'epoch': '', 'sequence': 0}}

def with_threads():
    http = requests.Session()
    http.trust_env = False  # REQUESTS_CA_BUNDLE would win
    http.verify = authority
    sio = socketio.Client(http_session=http, reconnection=False)
    seen = []
    done = threading.Event()

    @sio.on('token')
    def on_token(data):
        seen.append(data['sequence'])
        if len(seen) == count:
            done.set()

    sio.connect(url, transports=['polling'], wait_timeout=20)
    answer = sio.call('subscribe', from_the_start)
    assert answer['ok'], answer
    assert done.wait(20), seen
    assert sorted(seen) == list(range(1, count + 1)), seen
    sio.disconnect()

async def with_asyncio(transports):
    import aiohttp
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=authority))
    async with aiohttp.ClientSession(connector=connector) as http:
        sio = socketio.AsyncClient(http_session=http, reconnection=False)
        seen = []
        done = asyncio.Event()

        @sio.on('token')
        def on_token(data):
            seen.append(data['sequence'])
            if len(seen) == count:
                done.set()

        await sio.connect(url, transports=transports, wait_timeout=20)
        answer = await sio.call('subscribe', from_the_start)
        assert answer['ok'], answer
        await asyncio.wait_for(done.wait(), 20)
        assert seen == list(range(1, count + 1)), seen
        assert sio.transport() == transports[-1], sio.transport()
        await sio.disconnect()

with_threads()
print('all seen polling', flush=True)
for transports in sys.argv[5:]:
    asyncio.run(with_asyncio(transports.split('+')))
    print('all seen', transports, flush=True)
`;

// What is tried with one deployment, one after the other.
const PARTS = {
  'A sid, by hand, stays with its edge': async (deployment) => {
    assert.equal((await pollsByHand(deployment)).status, 200);
  },

  'socket.io-client over each transport': async (deployment) => {
    const edges = new Set();
    for (const transports of TRANSPORTS) {
      for (const edge of await followOver(deployment, transports)) edges.add(edge);
    }
    assert.deepEqual([...edges].sort(), NAMES);
  },

  'python-socketio over each transport': async (deployment) => {
    const sessionId = randomUUID();
    await publish(publisherTo(deployment), sessionId, EVENTS);
    await Promise.all(
      Object.entries(PYTHONS).map(async ([python, ways]) => {
        const args = ['-c', PYTHON_CLIENT, deployment.url, certificates.authorityFile, sessionId, `${EVENTS}`, ...ways];
        const { code, output } = await run(python, args, { ms: 100_000 });
        assert.equal(code, 0, output);
        assert.deepEqual(output.match(/^all seen .*$/gm), ['polling', ...ways].map((way) => `all seen ${way}`));
      }),
    );
  },

  'The page in Chromium: its own origin may connect, and it upgrades': async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    await publisher.publish(sessionId, events.progress(37));
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    try {
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      const page = await context.newPage();
      page.setDefaultTimeout(30_000);
      await page.goto(deployment.url);
      await page.addScriptTag({ url: '/socket.io/socket.io.min.js' });
      const progress = await page.evaluate((id) => new Promise((resolve) => {
        window.followed = window.io({ transports: ['polling', 'websocket'], forceNew: true });
        window.followed.on('connect', () => window.followed.emit('subscribe', id));
        window.followed.on('progress', (data) => resolve(data.progress));
      }), sessionId);
      assert.equal(progress, 37);
      await page.waitForFunction(() => window.followed.io.engine.transport.name === 'websocket');
    } finally {
      await browser.close();
    }
  },

  'The edge knows the address of each client, whatever the client says': async (deployment) => {
    for (const transports of [['websocket'], ['polling']]) {
      const agent = new https.Agent({ localAddress: '127.0.0.2', ca: deployment.authority });
      const client = connect(deployment, {
        transports,
        agent,
        extraHeaders: { 'X-Forwarded-For': '192.0.2.9' },
      });
      await client.connected();
      const edge = deployment.edges[edgeOf(client)];
      const [, address] = await edge.line(new RegExp(`connected: ${client.socket.id} from (\\S+)`));
      assert.equal(address, '127.0.0.2');
      agent.destroy();
    }
  },

  'REST, and what is too large': async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    await publisher.publish(sessionId, events.clarification('c-1', 'Which?'));
    const state = await deployment.get(`/api/wizard/session/${sessionId}`);
    assert.equal(state.status, 200);
    assert.equal(JSON.parse(state.body).clarifications[0].question, 'Which?');
    assert.equal((await deployment.get('/api/wizard/session/nobody')).status, 404);
    const respond = (response) =>
      deployment.get('/api/wizard/clarifications/respond', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ sessionId, clarificationId: 'c-1', response }),
      });
    assert.equal((await respond('x'.repeat(65_537))).status, 413);
    assert.equal((await respond('this one')).status, 200);
    const answered = await deployment.get(`/api/wizard/session/${sessionId}`);
    assert.equal(JSON.parse(answered.body).clarifications[0].response, 'this one');
  },

  "A page's own origin is the public name; another one is refused": async (deployment) => {
    // The port is the one of https, as browsers leave it out, or another one.
    for (const host of ['sessions.example.com', `localhost:${deployment.port}`]) {
      const ask = async (origin, headers = {}) => {
        const target = headers.Upgrade ? POLLING.replace('polling', 'websocket') : POLLING;
        const { status } = await deployment.get(target, { headers: { ...headers, Host: host, Origin: origin } });
        return status;
      };
      assert.equal(await ask(`https://${host}`), 200);
      assert.equal(await ask(`https://${host}`, WEBSOCKET), 101);
      for (const other of ['https://other.example', `https://${host.split(':')[0]}.other.example`]) {
        assert.equal(await ask(other), 403, other);
        assert.equal(await ask(other, WEBSOCKET), 400, other);
      }
    }
  },
};

// What `sessioncast doctor` finds wrong: {code, output, failed}.
async function doctor(deployment) {
  const { code, output } = await run(program('sessioncast'), [
    'doctor', '--json', `--control=${deployment.grpc}`, `--edge=${deployment.url}`, `--edge_ca=${certificates.authorityFile}`,
  ]);
  const checks = output.split('\n').map((line) => JSON.parse(line));
  return { code, output, failed: checks.filter(({ outcome }) => outcome === 'failed') };
}
PARTS['doctor finds nothing wrong'] = async (deployment) => {
  const { code, output } = await doctor(deployment);
  assert.equal(code, 0, output);
  assert.match(output, /certificate trusted/);
};

for (const proxyName of PROXY_NAMES) {
  testBehind(proxyName, 'Stock clients, a browser and REST', async (deployment, t) => {
    for (const [name, part] of Object.entries(PARTS)) {
      await t.test(name, { timeout: 110_000 }, async () => part(deployment));
    }
  });

  testBehind(
    proxyName,
    'Without the rules by sid, polls go to edges that do not know it',
    async (deployment) => {
      const { status, body } = await pollsByHand(deployment);
      assert.deepEqual([status, body], [400, '{"code":1,"message":"Session ID unknown"}']);
      const { output, failed } = await doctor(deployment);
      const ways = failed.filter(({ advice }) => /different edges/.test(advice)).map(({ check }) => check);
      assert.ok(ways.includes('polling') || ways.includes('upgrade'), output);
    },
    { change: (text) => text.replace(/^ *("~\\.[ab]\$" .*|use-server .*)\n/gm, '') },
  );

  testBehind(proxyName, 'When an edge is killed its clients go on at the other one, with nothing missing', async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    const clients = [...TRANSPORTS, ...TRANSPORTS].map((transports) => connect(deployment, { ...AS_BROWSER, transports }));
    await Promise.all(clients.map((client) => client.subscribe(sessionId)));
    await publish(publisher, sessionId, 20);
    await Promise.all(clients.map((client) => client.event('token', { sessionId, count: 20 })));
    const lost = clients.filter((client) => edgeOf(client) === 'a');
    assert.ok(lost.length > 0, 'nobody is on the edge that is killed: the run does not count');
    await deployment.edges.a.kill();
    await publish(publisher, sessionId, 20);
    await Promise.all(clients.map((client) => client.event('token', { sessionId, count: 40 })));
    for (const client of clients) {
      assert.deepEqual(sequences(client, sessionId), upTo(40));
      assert.equal(edgeOf(client), 'b');
      assert.equal(client.socket.recovered, lost.includes(client));
    }
  });

  testBehind(
    proxyName,
    'While an edge drains no handshake fails, and its clients go on at the other one',
    async (deployment, t) => {
      const sessionId = randomUUID();
      const clients = TRANSPORTS.flatMap((transports) =>
        [1, 2].map(() => connect(deployment, { ...AS_BROWSER, transports })));
      await Promise.all(clients.map((client) => client.subscribe(sessionId)));
      const edge = deployment.edges.a;
      const handshakes = []; // edges, in the order in which they answered
      const stopped = edge.stop();
      while (!edge.exit) {
        const answer = await deployment.get(POLLING);
        assert.equal(answer.status, 200, answer.body);
        handshakes.push(edgeOfHandshake(answer));
      }
      await stopped;
      const afterLast = handshakes.length - 1 - handshakes.lastIndexOf('a');
      t.diagnostic(`${handshakes.length} handshakes while it drained, ${afterLast} of them after the last one at it`);
      if (proxyName === 'haproxy') {
        // It asks /readyz: nobody came to the edge any more, long before its listener closed.
        assert.ok(afterLast > handshakes.length / 2, handshakes.join(''));
      }
      assert.equal(edgeOfHandshake(await deployment.get(POLLING)), 'b');
      await until(() => clients.every((client) => client.socket.connected && edgeOf(client) === 'b'), 'all are on the other edge');
      await publish(publisherTo(deployment), sessionId, 5);
      await Promise.all(clients.map((client) => client.event('token', { sessionId, count: 5 })));
    },
    { edgeFlags: [`--drain_ms=${DRAIN_MS}`] },
  );
}

test("The proxies' time-outs are longer than a ping and its answer may take", { timeout: 20_000 }, async () => {
  const { output } = await within(15_000, 'help', run(program('sessioncast-edge'), ['--help']));
  const silenceMs = ['ping_interval_ms', 'ping_timeout_ms']
    .map((flag) => Number(output.match(new RegExp(`--${flag} \\S+=(\\d+) `))[1]))
    .reduce((a, b) => a + b);
  const seconds = [
    ...configuration('nginx.conf').matchAll(/proxy_(?:read|send)_timeout (\d+)s/g),
    ...configuration('haproxy.cfg').matchAll(/timeout (?:client|server|tunnel) (\d+)s/g),
  ].map(([, value]) => Number(value));
  assert.equal(seconds.length, 5);
  for (const value of seconds) assert.ok(value * 1_000 > silenceMs, `${value} s, ${silenceMs} ms`);
});
