// Three edges are restarted one after the other while events flow: each stock client is soon with
// another one, and its handlers see every event once, in order.
//
// A client comes through a balancer of its own, which stays with an edge as long as it is ready.
import assert from 'node:assert/strict';
import net from 'node:net';
import { performance } from 'node:perf_hooks';

import { Program, program, testOn, until } from '../support/processes.mjs';
import { Client } from './clients.mjs';
import { publisherTo } from './publisher.mjs';
import { SteadyPublisher } from './steady_publisher.mjs';

const EDGES = 3;
const CLIENTS = 24;
const SESSIONS = 4;
const WITHOUT_EDGE_MS_MAX = 8_000;
const STOP_MS_MAX = 2 * 2_000; // twice what is promised: sanitizers, a busy machine
const START_MS_MAX = 2 * 3_000;
const READINESS_EVERY_MS = 50;
const DRAIN_MS = 250;

// An edge that keeps its port over restarts, and what its /readyz last said.
class Edge {
  constructor(control) {
    this.control = control;
    this.port = 0;
    this.ready = false;
  }

  async start() {
    this.program = new Program(program('sessioncast-edge'), [
      `--http_listen=127.0.0.1:${this.port}`,
      `--control=${this.control}`,
      `--drain_ms=${DRAIN_MS}`,
    ]);
    const [, port] = await this.program.line(/edge listening on 127\.0\.0\.1:(\d+)/);
    this.port = Number(port);
    await until(() => this.look(), 'the edge is ready');
    return this;
  }

  async look() {
    try {
      const response = await fetch(`http://127.0.0.1:${this.port}/readyz`, {
        headers: { connection: 'close' },
      });
      await response.arrayBuffer();
      this.ready = response.status === 200;
    } catch {
      this.ready = false;
    }
    return this.ready;
  }

  close() {
    if (!this.program.exit) this.program.signal('SIGKILL');
  }
}

// Looks at the edges' readiness now and then.
class Readiness {
  constructor(edges) {
    this.#timer = setInterval(() => edges.forEach((edge) => edge.look()), READINESS_EVERY_MS);
  }

  #timer;

  close() {
    clearInterval(this.#timer);
  }
}

// Carries one client's connections to the edge it is with, or to the next one that is ready.
class Balancer {
  constructor(edges, first) {
    this.#edges = edges;
    this.#at = first;
    this.#server = net.createServer((socket) => this.#carry(socket));
  }

  #edges;
  #at;
  #server;

  async listen() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.#server.address().port;
  }

  #carry(client) {
    for (let i = 0; i < EDGES && !this.#edges[this.#at].ready; i += 1) {
      this.#at = (this.#at + 1) % EDGES;
    }
    const edge = net.connect(this.#edges[this.#at].port, '127.0.0.1');
    for (const [from, to] of [
      [client, edge],
      [edge, client],
    ]) {
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  }

  close() {
    this.#server.close();
  }
}

// A stock client with a stock client's delays, that notes how long it had no edge.
class Follower {
  constructor(port, sessionId, { transports, recovery }) {
    this.sessionId = sessionId;
    this.withoutMs = []; // by disconnection
    this.recovered = 0;
    this.client = new Client(`http://127.0.0.1:${port}`, {
      transports,
      auth: { recovery },
      reconnectionDelay: 1_000,
      reconnectionDelayMax: 5_000,
    });
    const { socket } = this.client;
    let lost = null;
    socket.on('disconnect', () => {
      lost = performance.now();
    });
    socket.on('connect', () => {
      if (lost !== null) this.withoutMs.push(Math.round(performance.now() - lost));
      lost = null;
      if (socket.recovered) this.recovered += 1;
      else socket.emit('subscribe', { sessionId, after: this.#position() });
    });
  }

  get seen() {
    return this.client.named('token', this.sessionId);
  }

  #position() {
    const { epoch, sequence } = this.seen.at(-1) ?? { epoch: '', sequence: 0 };
    return { epoch, sequence };
  }

  close() {
    this.client.close();
  }
}

async function follow(deployment, edges, sessionIds) {
  const transports = [['websocket'], ['polling'], ['polling', 'websocket']];
  return Promise.all(
    Array.from({ length: CLIENTS }, async (_, i) => {
      const port = await deployment.closeFirst(new Balancer(edges, i % EDGES)).listen();
      const sessionId = sessionIds[i % SESSIONS];
      const options = {
        transports: transports[Math.floor(i / EDGES) % transports.length],
        recovery: i < CLIENTS / 2, // as a browser; the others say where they are
      };
      return deployment.closeFirst(new Follower(port, sessionId, options));
    }),
  );
}

async function restart(edge, t) {
  const begin = performance.now();
  await edge.program.stop();
  const stopMs = Math.round(performance.now() - begin);
  await edge.start();
  const startMs = Math.round(performance.now() - begin) - stopMs;
  t.diagnostic(`an edge was out in ${stopMs} ms, and ready ${startMs} ms after its start`);
  assert.ok(stopMs <= STOP_MS_MAX, `out in ${stopMs} ms`);
  assert.ok(startMs <= START_MS_MAX, `ready in ${startMs} ms`);
}

testOn(
  'daemons',
  'A rolling restart of three edges leaves no client without one for 8 s, and nothing is missing or twice',
  async (deployment, t) => {
    const edges = await Promise.all(
      Array.from({ length: EDGES }, () =>
        deployment.closeFirst(new Edge(deployment.grpc)).start(),
      ),
    );
    deployment.closeFirst(new Readiness(edges));
    const sessionIds = Array.from({ length: SESSIONS }, (_, i) => `rolling-${i}`);
    const followers = await follow(deployment, edges, sessionIds);
    await Promise.all(followers.map(({ client }) => client.connected()));
    const publishers = sessionIds.map((id) =>
      deployment.closeFirst(new SteadyPublisher(publisherTo(deployment), id, { pauseMs: 5 })),
    );
    const flows = async () => {
      const before = followers.map(({ seen }) => seen.length);
      await Promise.all(
        followers.map((follower, i) =>
          follower.client.until(() => follower.seen.length > before[i], 'events arrive'),
        ),
      );
    };

    await flows();
    for (const edge of edges) {
      await restart(edge, t);
      await Promise.all(followers.map(({ client }) => client.connected()));
      await flows();
    }
    const published = new Map();
    for (const publisher of publishers) published.set(publisher.sessionId, await publisher.stop());
    await Promise.all(
      followers.map((follower) =>
        follower.client.until(
          () => follower.seen.length >= published.get(follower.sessionId).size,
          `all of ${follower.sessionId}`,
        ),
      ),
    );

    const gaps = followers.flatMap(({ withoutMs }) => withoutMs);
    const recovered = followers.reduce((sum, follower) => sum + follower.recovered, 0);
    t.diagnostic(
      `${gaps.length} times a client had no edge, for ${Math.max(...gaps)} ms at the most; ${recovered} recovered`,
    );
    assert.ok(
      followers.every(({ withoutMs }) => withoutMs.length > 0),
      'not every client lost its edge: the run does not count',
    );
    assert.ok(recovered >= CLIENTS / 2, 'too few recovered');
    assert.ok(Math.max(...gaps) < WITHOUT_EDGE_MS_MAX, `without an edge for ${Math.max(...gaps)} ms`);
    for (const { seen, sessionId } of followers) {
      const wanted = [...published.get(sessionId)].map(([i, { sequence }]) => [i, sequence]);
      assert.deepEqual(
        seen.map(({ data, sequence }) => [data.i, sequence]),
        wanted,
        sessionId,
      );
    }
    for (const edge of edges) await edge.program.stop();
  },
);
