// A process of stock clients for crash_of_control.test.mjs: they come and go, and write down what
// their handlers saw.
//
// Told over IPC: {start: {url, clients, seed}}, {finish: {session: top}}. Tells: {subscribed},
// {delivered: count} now and then, and at the end {report}.
import { io } from 'socket.io-client';

import { random } from './random.mjs';

const BOUNCE_EVERY_MS = 150;
const REPORT_EVERY_MS = 50;

class CrashClient {
  constructor(url, { transports, sessions }) {
    this.connects = 0;
    // By session: the position that the handlers last saw, and [sequence, skipped, epoch, name, i]
    // of each event.
    this.sessions = new Map(
      sessions.map((id) => [id, { after: { epoch: '', sequence: 0 }, seen: [] }]),
    );
    this.problems = [];
    this.socket = io(url, {
      transports,
      forceNew: true,
      reconnectionDelay: 100,
      reconnectionDelayMax: 400,
      timeout: 5_000,
    });
    this.socket.on('connect', () => {
      this.connects += 1;
      for (const [sessionId, { after }] of this.sessions)
        this.socket.emit('subscribe', { sessionId, after });
    });
    for (const name of ['progress', 'token']) this.socket.on(name, (data) => this.#saw(name, data));
    for (const name of ['resync', 'error'])
      this.socket.on(name, (data) => this.problems.push([name, data]));
  }

  #saw(name, data) {
    const session = this.sessions.get(data.sessionId);
    if (!session) {
      this.problems.push(['not subscribed', data.sessionId]);
      return;
    }
    session.after = { epoch: data.epoch, sequence: data.sequence };
    session.seen.push([
      data.sequence,
      data.skipped ?? 0,
      data.epoch,
      name,
      data.data?.i ?? data.result?.i,
    ]);
  }

  // As a network does it: the client notices, and comes back by itself.
  bounce() {
    this.socket.io.engine?.close();
  }

  has(tops) {
    return [...this.sessions].every(([id, { after }]) => after.sequence >= tops[id]);
  }

  report() {
    return {
      connects: this.connects,
      problems: this.problems,
      sessions: [...this.sessions].map(([id, { seen }]) => ({ id, seen })),
    };
  }
}

let clients = [];
let tops = null;
let bouncing;

function start({ url, descriptions, seed }) {
  const next = random(seed);
  clients = descriptions.map((description) => new CrashClient(url, description));
  bouncing = setInterval(
    () => clients[Math.floor(next() * clients.length)].bounce(),
    BOUNCE_EVERY_MS,
  );
  const reporting = setInterval(() => {
    const delivered = clients.reduce(
      (sum, client) =>
        sum +
        [...client.sessions.values()].reduce((seen, session) => seen + session.seen.length, 0),
      0,
    );
    process.send({
      delivered,
      connected: clients.filter((client) => client.socket.connected).length,
    });
    if (tops && clients.every((client) => client.has(tops))) {
      clearInterval(reporting);
      clearInterval(bouncing);
      process.send({ report: clients.map((client) => client.report()) });
    }
  }, REPORT_EVERY_MS);
}

process.on('message', (message) => {
  if (message.start) start(message.start);
  if (message.finish) tops = message.finish;
  if (message.explain) process.send({ missing: clients.flatMap(missing).slice(0, 10) });
});

// What a client still waits for, in words.
function missing(client) {
  const transport = client.socket.io.engine?.transport?.name;
  const state = client.socket.connected ? `connected over ${transport}` : 'not connected';
  return [...client.sessions]
    .filter(([id, { after }]) => after.sequence < tops[id])
    .map(([id, { after }]) => `${id}: at ${after.sequence} of ${tops[id]}, ${state}`);
}
