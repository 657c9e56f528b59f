// 10,000 events over 100 sessions, published by retrying publishers, while 200 stock clients come
// and go and control is killed half-way: every acknowledged event reaches every client of its
// session once, in order, from its position on.
//
// SESSIONCAST_SEED repeats a run's choices. A run that did not disturb enough is a failure: it
// proved nothing.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { testOn, within } from '../support/processes.mjs';
import { events, publisherTo, status } from './publisher.mjs';
import { random } from './random.mjs';

const EVENTS = 10_000;
const SESSIONS = 100;
const CLIENTS = 200;
const PROCESSES = 4;
const SESSIONS_A_CLIENT = 5;
const RECONNECTS_MIN = 50;
const DELIVERED_AFTER_KILL_MIN = 1_000;
const CONNECT_MS_MAX = 60_000;
const FINISH_MS_MAX = 90_000;
// What surely did not happen, or might not have: publish again with the same key.
const RETRIED = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.CANCELLED,
  status.INTERNAL,
  status.UNKNOWN,
  status.RESOURCE_EXHAUSTED,
]);

const sessionIds = Array.from({ length: SESSIONS }, (_, i) => `crash-${i}`);

// Two event kinds: one that is never superseded, and one that may be.
function eventOf(i) {
  return i % 4 === 0
    ? {
        name: 'progress',
        event: events.progress(i % 101, { result: { fields: { i: { numberValue: i } } } }),
      }
    : { name: 'token', event: events.custom('token', { i }) };
}

// Publishes each session's share one after the other, all sessions at once; retries until it is
// acknowledged.
class RetryingPublishers {
  acknowledged = 0;
  retries = 0;
  bySession = new Map(sessionIds.map((id) => [id, []])); // [sequence, epoch, name, i]
  #halfway;
  halfway = new Promise((resolve) => {
    this.#halfway = resolve;
  });

  constructor(publisher) {
    this.publisher = publisher;
  }

  async run() {
    await Promise.all(
      sessionIds.map(async (sessionId) => {
        for (let i = 0; i < EVENTS / SESSIONS; i += 1) await this.#publish(sessionId, i);
      }),
    );
  }

  async #publish(sessionId, i) {
    const { name, event } = eventOf(i);
    for (;;) {
      try {
        const { sequence, epoch } = await this.publisher.publish(sessionId, event, {
          key: `${i}`,
          ms: 3_000,
        });
        this.bySession.get(sessionId).push([sequence, epoch, name, i]);
        break;
      } catch (error) {
        if (!RETRIED.has(error.code)) throw error;
        this.retries += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    this.acknowledged += 1;
    if (this.acknowledged === EVENTS / 2) this.#halfway();
  }
}

// The processes of clients, as one.
class Crowd {
  delivered = 0;

  constructor(url, seed) {
    const next = random(seed);
    const transports = [['websocket'], ['polling'], ['polling', 'websocket']];
    this.#processes = Array.from({ length: PROCESSES }, (_, process) => {
      const child = fork(fileURLToPath(new URL('crash_clients.mjs', import.meta.url)));
      const descriptions = Array.from({ length: CLIENTS / PROCESSES }, (_, i) => ({
        transports: transports[i % transports.length],
        sessions: [...sessionIds]
          .map((id) => [next(), id])
          .sort()
          .slice(0, SESSIONS_A_CLIENT)
          .map(([, id]) => id),
      }));
      child.send({ start: { url, descriptions, seed: seed + process } });
      return this.#listen(child);
    });
  }

  #processes;
  #changed = new Set();

  #listen(child) {
    const state = { child, delivered: 0, connected: 0, report: null, missing: null };
    child.on('message', (message) => {
      Object.assign(state, message);
      for (const look of this.#changed) look();
    });
    return state;
  }

  sum(field) {
    return this.#processes.reduce((total, state) => total + state[field], 0);
  }

  #until(condition) {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.#changed.delete(look);
        resolve();
      };
      this.#changed.add(look);
      look();
    });
  }

  connected() {
    return within(
      CONNECT_MS_MAX,
      () => `${this.sum('connected')} of ${CLIENTS} clients are connected`,
      this.#until(() => this.sum('connected') > CLIENTS * 0.9),
    );
  }

  // Each client's report, once it has everything up to these tops.
  async finish(tops) {
    for (const { child } of this.#processes) child.send({ finish: tops });
    try {
      await within(
        FINISH_MS_MAX,
        'every client has everything',
        this.#until(() => this.#processes.every((state) => state.report)),
      );
    } catch (error) {
      for (const { child } of this.#processes) child.send({ explain: true });
      await within(
        5_000,
        'the clients explain',
        this.#until(() => this.#processes.every((state) => state.missing)),
      );
      throw new Error(
        `${error.message}\n${this.#processes.flatMap((state) => state.missing).join('\n')}`,
      );
    }
    return this.#processes.flatMap((state) => state.report);
  }

  close() {
    for (const { child } of this.#processes) child.kill('SIGKILL');
  }
}

// What is wrong with what one client saw of one session; `log`: what was acknowledged, by sequence.
function* wrongs(id, seen, log) {
  let last = 0;
  for (const [sequence, skipped, epoch, name, i] of seen) {
    if (sequence !== last + 1 + skipped)
      yield `${id}: ${sequence} (skipped ${skipped}) came after ${last}`;
    for (let left = last + 1; left < sequence; left += 1) {
      if (log[left]?.name !== 'progress')
        yield `${id}: ${left} was left out, and nothing supersedes it`;
    }
    const acknowledged = log[sequence];
    if (!acknowledged) yield `${id}: ${sequence} was never acknowledged`;
    else if (acknowledged.name !== name || acknowledged.i !== i || acknowledged.epoch !== epoch) {
      yield `${id}: ${sequence} is ${name} ${i} ${epoch}, acknowledged was ${JSON.stringify(acknowledged)}`;
    }
    last = sequence;
  }
  if (last !== log.length - 1) yield `${id}: ends at ${last} of ${log.length - 1}`;
}

function logsOf(publishers) {
  return Object.fromEntries(
    [...publishers.bySession].map(([id, acknowledged]) => {
      const log = [null];
      for (const [sequence, epoch, name, i] of acknowledged) {
        assert.equal(log[sequence], undefined, `${id}: ${sequence} was acknowledged twice`);
        log[sequence] = { epoch, name, i };
      }
      assert.equal(
        log.filter(Boolean).length,
        EVENTS / SESSIONS,
        `${id}: its numbers have no gaps`,
      );
      assert.equal(log.length, EVENTS / SESSIONS + 1, `${id}: each key was stored once`);
      return [id, log];
    }),
  );
}

testOn(
  'daemons',
  'Every acknowledged event arrives once and in order, also when control is killed',
  async (deployment, t) => {
    const seed = Number(process.env.SESSIONCAST_SEED ?? Date.now() % 1e9);
    t.diagnostic(`SESSIONCAST_SEED=${seed}`);
    const crowd = deployment.closeFirst(new Crowd(deployment.url, seed));
    await crowd.connected();
    const publishers = new RetryingPublishers(publisherTo(deployment));
    const published = publishers.run();
    await Promise.race([publishers.halfway, published]);
    await deployment.control.kill();
    const deliveredBefore = crowd.sum('delivered');
    await deployment.startControl();
    await published;

    const logs = logsOf(publishers);
    const reports = await crowd.finish(
      Object.fromEntries(sessionIds.map((id) => [id, EVENTS / SESSIONS])),
    );
    const delivered = reports
      .flatMap((report) => report.sessions)
      .reduce((sum, { seen }) => sum + seen.length, 0);
    const reconnects = reports.reduce((sum, report) => sum + report.connects - 1, 0);
    t.diagnostic(
      `${delivered} delivered, ${delivered - deliveredBefore} after the kill; ${reconnects} reconnects; ${publishers.retries} retries`,
    );

    assert.equal(reports.length, CLIENTS);
    assert.deepEqual(reports.flatMap((report) => report.problems).slice(0, 5), []);
    const wrong = reports.flatMap((report) =>
      report.sessions.flatMap(({ id, seen }) => [...wrongs(id, seen, logs[id])]),
    );
    assert.deepEqual(wrong.slice(0, 10), [], `${wrong.length} in all`);
    assert.ok(
      reconnects >= RECONNECTS_MIN,
      `only ${reconnects} reconnects: the run does not count`,
    );
    assert.ok(
      delivered - deliveredBefore >= DELIVERED_AFTER_KILL_MIN,
      'too little after the kill: the run does not count',
    );
    assert.ok(publishers.retries > 0, 'no publisher noticed the kill: the run does not count');
  },
);
