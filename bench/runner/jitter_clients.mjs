// Stock clients whose TCP connections die again and again, as on a train; one process of several.
//
// Configured by one line of JSON on stdin: {url, sessions: [id of each client], killed_every_s, away_s}.
// Then told {"calm": true} (nothing is killed any more) and {"published": {id: n}}: at that all is
// counted once each client has its session's last event, or 10 s later. Says how far it is, a line of
// JSON every 200 ms; the last has `counted`.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { io } = createRequire(new URL('../peers/node/package.json', import.meta.url))(
  'socket.io-client',
);

const STATUS_EVERY_MS = 200;
const LAST_EVENT_MS_MAX = 10_000;
const STAMP = /stamp:(\d{20}):(\d{10}):/;

class Client {
  kills = 0;
  recovered = 0;
  connects = 0;
  subscribed = false;
  first = null; // the number of the first event that came
  next = 0;
  missing = new Set();
  duplicates = 0;
  outOfOrder = 0;
  replayMs = []; // of what was published while it was away: from then until it arrived
  #connectedNs = 0n;

  constructor(url, sessionId, awayMs) {
    this.sessionId = sessionId;
    this.socket = io(url, {
      forceNew: true,
      transports: ['websocket'],
      auth: { recovery: true },
      reconnectionDelay: awayMs,
      reconnectionDelayMax: awayMs,
      randomizationFactor: 0,
    });
    this.socket.on('connect', () => {
      this.connects += 1;
      this.#connectedNs = process.hrtime.bigint();
      if (this.socket.recovered) this.recovered += 1;
      else this.socket.emit('subscribe', sessionId);
    });
    this.socket.on('subscribed', () => {
      this.subscribed = true;
    });
    this.socket.on('token', ({ data }) => this.#saw(data.text));
  }

  // Without a word to either side's Engine.IO.
  kill() {
    const { ws } = this.socket.io.engine?.transport ?? {};
    if (!this.socket.connected || !ws) return;
    this.kills += 1;
    ws.terminate();
  }

  #saw(text) {
    const [, time, digits] = text.match(STAMP);
    const number = Number(digits);
    if (this.connects > 1 && BigInt(time) < this.#connectedNs) {
      this.replayMs.push(Number((process.hrtime.bigint() - BigInt(time)) / 1_000_000n));
    }
    if (this.first === null) this.first = this.next = number;
    if (number < this.next) {
      if (this.missing.delete(number)) this.outOfOrder += 1;
      else this.duplicates += 1;
      return;
    }
    for (; this.next < number; this.next += 1) this.missing.add(this.next);
    this.next = number + 1;
  }

  hasLast(published) {
    return this.next === published[this.sessionId];
  }

  // What never came: gaps, and what was published behind the last that came.
  lost(published) {
    return this.missing.size + published[this.sessionId] - this.next;
  }

  expected(published) {
    return published[this.sessionId] - (this.first ?? 0);
  }
}

let clients = [];
let published = null;
let countAtMs = 0;
let killing;

const sum = (value) => clients.reduce((total, client) => total + value(client), 0);

function count() {
  return {
    counted: true,
    expected: sum((client) => client.expected(published)),
    lost: sum((client) => client.lost(published)),
    duplicates: sum((client) => client.duplicates),
    out_of_order: sum((client) => client.outOfOrder),
    replay_ms: clients.flatMap((client) => client.replayMs),
  };
}

function report() {
  const isOver =
    published && (clients.every((client) => client.hasLast(published)) || Date.now() > countAtMs);
  const status = {
    connected: clients.filter(({ socket }) => socket.connected).length,
    subscribed: clients.filter(({ subscribed }) => subscribed).length,
    kills: sum((client) => client.kills),
    recovered: sum((client) => client.recovered),
    ...(isOver ? count() : {}),
  };
  process.stdout.write(`${JSON.stringify(status)}\n`, () => {
    if (isOver) process.exit(0);
  });
}

// Each client on its own, half to one and a half of that time after it was killed last.
function killAgainAndAgain(everyMs) {
  const dueMs = clients.map(() => Date.now() + Math.random() * everyMs);
  killing = setInterval(() => {
    const nowMs = Date.now();
    clients.forEach((client, i) => {
      if (dueMs[i] > nowMs) return;
      dueMs[i] = nowMs + everyMs * (0.5 + Math.random());
      client.kill();
    });
  }, 50);
}

function begin({ url, sessions, killed_every_s: everyS, away_s: awayS }) {
  clients = sessions.map((sessionId) => new Client(url, sessionId, awayS * 1000));
  const starting = setInterval(() => {
    if (!clients.every(({ subscribed }) => subscribed)) return;
    clearInterval(starting);
    killAgainAndAgain(everyS * 1000);
  }, 100);
  setInterval(report, STATUS_EVERY_MS);
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const message = JSON.parse(line);
    if (message.url) begin(message);
    if (message.calm) clearInterval(killing);
    if (message.published) {
      ({ published } = message);
      countAtMs = Date.now() + LAST_EVENT_MS_MAX;
    }
  })
  .on('close', () => process.exit(1));
