// A publisher of bench/run, for what bench_load does not do. Configured by one line of JSON on stdin:
//
//   {control, sessions: [id, …], fill: N}          one event to each in turn, N in all; then it ends
//   {control, sessions: [id, …], rate: N}          N events a second in each, until it is told {"end": true}
//
// Each event's text is `stamp:TIME:NUMBER:`, as bench_load's: the intended time (CLOCK_MONOTONIC, ns), the
// session's counter from 0. At its end it prints {"published": {id: n}, "tops": {id: [epoch, sequence]}}.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));
const TEXT_BYTES = 250;
const FILL_BATCH = 500;
const TICK_MS = 10;

const require = createRequire(new URL('../peers/node/package.json', import.meta.url));
const grpc = require('@grpc/grpc-js');
const definition = require('@grpc/proto-loader').loadSync('sessioncast/v1/session_service.proto', {
  includeDirs: [PROTO],
  longs: Number,
  enums: String,
  oneofs: true,
});
const { SessionService } = grpc.loadPackageDefinition(definition).sessioncast.v1;

function request(sessionId, number, timeNs) {
  const stamp = `stamp:${String(timeNs).padStart(20, '0')}:${String(number).padStart(10, '0')}:`;
  const custom = {
    name: 'token',
    data: { fields: { text: { stringValue: stamp.padEnd(TEXT_BYTES, '.') } } },
  };
  return { event: { sessionId, custom } };
}

const published = {};
const tops = {};

function next(sessionId, timeNs) {
  const number = published[sessionId] ?? 0;
  published[sessionId] = number + 1;
  return request(sessionId, number, timeNs);
}

function fill(client, sessions, count) {
  return new Promise((resolve, reject) => {
    const stream = client.publishEvents();
    let at = 0;
    let answered = 0;
    const more = () => {
      if (at === count) return;
      const events = [];
      while (events.length < FILL_BATCH && at < count) {
        events.push(next(sessions[at % sessions.length], process.hrtime.bigint()));
        at += 1;
      }
      stream.write({ events });
      if (at === count) stream.end();
    };
    stream.on('data', ({ outcomes }) => {
      answered += outcomes.length;
      if (outcomes.some(({ refused }) => refused)) reject(new Error('an event was refused'));
      if (answered % FILL_BATCH === 0) more();
    });
    stream.on('error', reject);
    stream.on('end', resolve);
    more();
    more();
  });
}

// One after the other within a session, so that numbers and sequences go together; a session whose
// publish takes long is late, and its events say so by their intended times.
async function keepOn(client, sessions, rate, ended) {
  const begin = process.hrtime.bigint();
  const periodNs = BigInt(Math.round(1e9 / rate));
  const publish = (message) =>
    new Promise((resolve, reject) => {
      client.publishEvent(message, (error, response) => (error ? reject(error) : resolve(response)));
    });
  await Promise.all(
    sessions.map(async (sessionId, i) => {
      let intended = begin + (periodNs * BigInt(i)) / BigInt(sessions.length);
      while (!ended()) {
        if (process.hrtime.bigint() < intended) {
          await new Promise((resolve) => setTimeout(resolve, TICK_MS));
          continue;
        }
        const { position } = await publish(next(sessionId, intended));
        if (position) tops[sessionId] = [position.epoch, position.sequence];
        intended += periodNs;
      }
    }),
  );
}

const lines = createInterface({ input: process.stdin });
let hasEnded = false;
lines.once('line', async (line) => {
  const { control, sessions, fill: count, rate } = JSON.parse(line);
  lines.on('line', () => {
    hasEnded = true;
  });
  lines.on('close', () => {
    hasEnded = true;
  });
  const client = new SessionService(control, grpc.credentials.createInsecure());
  if (count) await fill(client, sessions, count);
  else await keepOn(client, sessions, rate, () => hasEnded);
  // Not before all of it is in the pipe.
  process.stdout.write(`${JSON.stringify({ published, tops })}\n`, () => process.exit(0));
});
