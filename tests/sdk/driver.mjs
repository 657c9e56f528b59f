// Reads a session with the JavaScript SDK for the scenario harness, a JSON line for each thing that it is given:
//
//   driver.mjs read --edge=URL --session=ID [--after_epoch=E --after_sequence=N] [--pause_ms=P]
//
// {"epoch", "sequence", "kind", "n" (a custom event's data.n), "skipped" (if above 0)}, {"resync": {"epoch", "sequence"}}, and at the
// session's end {"end": true}. Without a position it reads from the first event. With --pause_ms it is busy for so long with each event,
// as a page is: it blocks its thread, and takes nothing from its connection meanwhile.
import { existsSync, writeSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = process.env.SESSIONCAST_ROOT ?? fileURLToPath(new URL('../..', import.meta.url));
// As it is staged by the build: beside the programs, if they are of a build directory.
const SDK = [
  process.env.SESSIONCAST_SDK_JS,
  process.env.SESSIONCAST_BIN && path.join(process.env.SESSIONCAST_BIN, '../sdk_js'),
  path.join(ROOT, 'build/dev/sdk_js'),
].find((directory) => directory && existsSync(directory));
const { SessionClient } = await import(pathToFileURL(path.join(SDK, 'dist/index.js')));

const USAGE = 'usage: driver.mjs read --edge=URL --session=ID [--after_epoch=E --after_sequence=N] [--pause_ms=P]';

function fail(message) {
  console.error(message);
  process.exit(2);
}

function options() {
  const text = { type: 'string' };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { edge: text, session: text, after_epoch: text, after_sequence: text, pause_ms: text },
  });
  if (positionals.join() !== 'read' || !values.edge || !values.session) fail(USAGE);
  const after = { epoch: values.after_epoch ?? '', sequence: Number(values.after_sequence ?? 0) };
  return { ...values, after, pauseMs: Number(values.pause_ms ?? 0) };
}

function print(line) {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

const cell = new Int32Array(new SharedArrayBuffer(4));

function beBusy(ms) {
  if (ms > 0) Atomics.wait(cell, 0, 0, ms);
}

function lineOf({ kind, payload: { epoch, sequence, skipped, data } }) {
  return { epoch, sequence, kind, ...(data?.n !== undefined && { n: data.n }), ...(skipped && { skipped }) };
}

const { edge, session: id, after, pauseMs } = options();
const client = new SessionClient(edge);
const session = client.session(id, { after });
session.on('event', (event) => {
  print(lineOf(event));
  beBusy(pauseMs);
});
session.on('resync', ({ epoch, sequence }) => print({ resync: { epoch, sequence } }));
session.on('change', ({ connection }) => {
  if (connection === 'refused') fail(`refused: ${session.refusal}`);
  if (connection !== 'ended') return;
  print({ end: true });
  client.close();
});
