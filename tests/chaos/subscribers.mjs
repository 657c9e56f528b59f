// Stock JavaScript clients of a chaos run, in one process; each writes its own history
// (tests/support/HISTORY.md).
//
// Configured by one line of JSON on stdin, then told {"tops": {session: [epoch, sequence]}} and
// {"end": true}, a line each. {"strike": n} begins a count: `back` are the clients that connected
// since, `back_recovered` those of them that recovered then. Says how far it is, a line of JSON every
// 200 ms.
//
// Three rules, as people write clients: `resume` subscribes after the last position; `fold` by id at
// each connection; `recovering` by id, with an acknowledgement, and then leaves it to connection state
// recovery: what was once acknowledged or `subscribed` it never asks for again while it recovers.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { random } from '../e2e/random.mjs';

const { io } = createRequire(new URL('../e2e/package.json', import.meta.url))('socket.io-client');

const STATUS_EVERY_MS = 200;
const MISSING_SHOWN_MAX = 100;
const ABOUT_THE_CONNECTION = new Set(['connected', 'token_expiring']);

// What identifies an event for the checker.
function identity(name, data) {
  const parts = (() => {
    switch (name) {
      case 'progress':
        return ['progress', '', data.status, `${data.progress} ${data.result?.text ?? ''}`];
      case 'model_result':
        return ['model_result', `${data.modelName}/${data.runId ?? ''}`, data.status, data.result];
      case 'clarification':
        return [
          'clarification',
          data.clarificationId,
          data.outcome ?? data.status,
          `${data.question}|${data.response ?? ''}`,
        ];
      case 'completed':
        return ['completed', '', '', data.result.text ?? ''];
      case 'error':
        return ['error', '', data.final ? 'final' : '', data.error];
      default:
        return ['custom', name, '', data.data?.text ?? ''];
    }
  })();
  const [kind, of, status] = parts;
  const hash = createHash('sha256').update(parts.join('\x1f')).digest('hex').slice(0, 16);
  return { kind, of, status, hash };
}

class Recorder {
  #file;

  constructor(directory, who, kind) {
    this.#file = createWriteStream(path.join(directory, `${who}.jsonl`));
    this.write('participant', { who, role: 'observer', kind });
  }

  write(what, fields = {}) {
    this.#file.write(
      `${JSON.stringify({ t: Number(process.hrtime.bigint()), what, ...fields })}\n`,
    );
  }

  end() {
    this.write('end');
    return new Promise((resolve) => this.#file.end(resolve));
  }
}

class Subscriber {
  delivered = 0;
  connects = 0;
  recovered = 0;
  refused = [];
  back = null; // since the last strike: whether it recovered when it came back; null: it has not
  #sessions = new Map(); // id: {position, open, leaving}
  #history;
  #ending = false;
  #heard = new Set(); // sessions of which this connection brought an event
  #url;
  #options;

  constructor(directory, url, { who, rule, transports, sessions, options, steady }) {
    this.who = who;
    this.rule = rule;
    this.steady = Boolean(steady); // its sessions stay the same
    this.#history = new Recorder(directory, who, `javascript ${transports.join('+')} ${rule}`);
    for (const id of sessions) this.#hold(id);
    this.#url = url;
    this.#options = {
      transports,
      forceNew: true,
      reconnectionDelay: 100,
      reconnectionDelayMax: 500,
      timeout: 4_000,
      ...options,
    };
    this.#open();
  }

  // A socket that remembers nothing: a page that was loaded.
  #open() {
    this.socket = io(this.#url, this.#options);
    this.socket.on('connect', () => this.#connected());
    this.socket.on('disconnect', (reason) => {
      if (!this.#ending) this.#history.write('disconnected', { reason });
    });
    this.socket.onAny((name, data) => this.#saw(name, data));
  }

  #hold(id) {
    this.#sessions.set(id, { position: { epoch: '', sequence: 0 }, open: false, leaving: false });
  }

  #connected() {
    this.connects += 1;
    const recovered = Boolean(this.socket.recovered);
    if (recovered) this.recovered += 1;
    this.back ??= recovered;
    this.#history.write('connected', { recovered });
    this.#heard.clear();
    // A recovered connection has what this client held: it believes so even if it saw nothing of it.
    const believes = recovered && ![...this.#sessions.values()].some(({ open }) => open);
    for (const [id, session] of this.#sessions) {
      if (believes) break;
      if (session.leaving) {
        if (recovered) this.socket.emit('unsubscribe', id);
        else this.#sessions.delete(id);
      } else if (!recovered || !session.open) {
        session.open = session.asked = false;
        if (!this.steady || recovered) this.#subscribe(id);
      }
    }
    if (this.steady && !recovered) this.#subscribeNext();
  }

  // A steady client asks for one session after another, each once the one before has spoken.
  #subscribeNext() {
    const [id] = [...this.#sessions].find(([, { asked, open }]) => !asked && !open) ?? [];
    if (id) this.#subscribe(id);
  }

  #subscribe(session, after) {
    const { position } = this.#sessions.get(session);
    this.#sessions.get(session).asked = true;
    const from = this.rule === 'resume' ? (after ?? position) : null;
    this.#history.write('subscribe', { session, after: from });
    const what = from ? { sessionId: session, after: from } : session;
    if (this.rule !== 'recovering') {
      this.socket.emit('subscribe', what);
      return;
    }
    this.socket.emit('subscribe', what, (answer) => {
      const held = this.#sessions.get(session);
      if (held && !answer?.error) held.open = true;
    });
  }

  #saw(name, data) {
    if (ABOUT_THE_CONNECTION.has(name)) return;
    if (name === 'error' && data.sequence === undefined) {
      this.refused.push(data);
      this.#history.write('refused', { session: data.sessionId ?? '', error: data.error });
      return;
    }
    const { sessionId: session, epoch, sequence } = data;
    const held = this.#sessions.get(session);
    if (name === 'unsubscribed') {
      this.#history.write('unsubscribed', { session });
      this.#sessions.delete(session);
      return;
    }
    if (name === 'subscribed' || name === 'resync') {
      this.#history.write(name, { session, epoch, sequence });
      if (held) Object.assign(held, { position: { epoch, sequence }, open: true });
      return;
    }
    this.delivered += 1;
    this.#heard.add(session);
    if (this.steady) this.#subscribeNext();
    const skipped = data.skipped ?? 0;
    const time = Date.parse(data.timestamp);
    this.#history.write('event', {
      session,
      epoch,
      sequence,
      skipped,
      time,
      ...identity(name, data),
    });
    if (held && !(held.position.epoch === epoch && sequence <= held.position.sequence)) {
      held.position = { epoch, sequence };
    }
  }

  // As stir(), of a client whose sessions stay: asks for what it holds, or is loaded again. Not while a
  // session is silent: what recovery lost is to be seen at the end.
  #stirSteady(next) {
    const ids = [...this.#sessions.keys()];
    const id = ids[Math.floor(next() * ids.length)];
    if (next() < 0.3) {
      if (this.#sessions.get(id).open) this.#subscribe(id);
    } else if (ids.every((one) => this.#heard.has(one))) {
      this.socket.disconnect();
      for (const one of ids) this.#hold(one);
      this.#open();
    }
  }

  // Not amid an upgrade: then the stock client closes once that is done, between a poll's packets and
  // their handlers, hands those on at its next connection, and has asked for them again.
  #closeAsANetwork() {
    const { engine } = this.socket.io;
    if (!engine?.upgrading) engine?.close();
  }

  // Something that a user's page does now and then; `next` is the seeded source.
  stir(next, allSessions) {
    const id = allSessions[Math.floor(next() * allSessions.length)];
    const held = this.#sessions.get(id);
    const chance = next();
    if (!this.socket.connected) return;
    if (this.steady) {
      this.#stirSteady(next);
    } else if (chance < 0.4) {
      this.#closeAsANetwork();
    } else if (!held) {
      this.#hold(id);
      this.#subscribe(id);
    } else if (chance < 0.6 && held.open && !held.leaving && this.#sessions.size > 2) {
      held.leaving = true;
      this.#history.write('unsubscribe', { session: id });
      this.socket.emit('unsubscribe', id);
    } else if (this.rule === 'recovering' && held.open && !held.leaving) {
      this.#subscribe(id); // to what it holds: nothing changes
    } else if (this.rule === 'resume' && held.open && !held.leaving && held.position.sequence > 3) {
      // Reads its last events again.
      held.open = false;
      this.#subscribe(id, { ...held.position, sequence: held.position.sequence - 3 });
    }
  }

  // What it still waits for, in words.
  missing(tops) {
    const transport = this.socket.io.engine?.transport?.name;
    const state = this.socket.connected ? `connected over ${transport}` : 'not connected';
    return [...this.#sessions]
      .filter(([, { leaving }]) => !leaving)
      .filter(([id, { position, open }]) => {
        const [epoch, sequence] = tops[id];
        return !open || position.epoch !== epoch || position.sequence !== sequence;
      })
      .map(
        ([id, { position, open }]) =>
          `${this.who} ${id}: ${open ? '' : 'not subscribed, '}at ${position.sequence} of ${tops[id][1]}, ${state}`,
      );
  }

  end() {
    this.#ending = true;
    this.socket.disconnect();
    return this.#history.end();
  }
}

let subscribers = [];
let tops = null;
let strike = 0;
let stirring;
let reporting;

function report() {
  const sum = (field) => subscribers.reduce((total, client) => total + client[field], 0);
  const status = {
    delivered: sum('delivered'),
    connects: sum('connects'),
    recovered: sum('recovered'),
    connected: subscribers.filter((client) => client.socket.connected).length,
    strike,
    back: subscribers.filter((client) => client.back !== null).length,
    back_recovered: subscribers.filter((client) => client.back === true).length,
    refused: subscribers.flatMap((client) => client.refused).slice(0, 3),
  };
  if (tops) status.missing = subscribers.flatMap((client) => client.missing(tops)).slice(0, MISSING_SHOWN_MAX);
  process.stdout.write(`${JSON.stringify(status)}\n`);
}

function start({ directory, url, clients, sessions, seed, stir_ms: stirMs }) {
  const next = random(seed);
  subscribers = clients.map((client) => new Subscriber(directory, client.url ?? url, client));
  if (stirMs) {
    stirring = setInterval(
      () => subscribers[Math.floor(next() * subscribers.length)].stir(next, sessions),
      stirMs,
    );
  }
  reporting = setInterval(report, STATUS_EVERY_MS);
}

async function end() {
  clearInterval(reporting);
  await Promise.all(subscribers.map((client) => client.end()));
  process.exit(0);
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const message = JSON.parse(line);
    if (message.clients) start(message);
    if (message.strike) {
      strike = message.strike;
      for (const client of subscribers) client.back = null;
    }
    if (message.calm) clearInterval(stirring);
    if (message.tops) tops = message.tops;
    if (message.end) end();
  })
  .on('close', end);
