// Starts and stops the built programs for tests, and waits for what their logs say.
//
// Every wait has a deadline. A program that ends by itself, or with another exit code than 0 when
// it is asked to stop (a sanitizer's report, for example), fails the test that uses it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

export const ROOT =
  process.env.SESSIONCAST_ROOT ?? fileURLToPath(new URL('../..', import.meta.url));
const BIN = process.env.SESSIONCAST_BIN ?? path.join(ROOT, 'build/dev/bin');

// Leaks in libraries that are not ours; a leak of ours makes the program's exit code 1. With grpcurl, which tools/setup
// has put there.
export const ENVIRONMENT = {
  ...process.env,
  PATH: `${process.env.PATH}:${path.join(ROOT, '.cache/python/bin')}`,
  LSAN_OPTIONS: `suppressions=${path.join(ROOT, 'tests/support/leaks_of_libraries.txt')}:print_suppressions=0`,
};

const START_MS_MAX = 30_000;
const STOP_MS_MAX = 20_000;
const LOG_LINES_SHOWN = 80;

export function program(name) {
  return path.join(BIN, name);
}

// Rejects with `what` when the promise has not settled after `ms`.
export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not within ${ms} ms: ${typeof what === 'function' ? what() : what}`)),
      ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// A running program.
export class Program {
  constructor(command, args, options = {}) {
    this.name = path.basename(command);
    this.lines = [];
    this.exit = null; // {code, signal} once it has ended
    this.#child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: ENVIRONMENT,
      ...options,
    });
    this.ended = once(this.#child, 'close')
      .catch((error) => [String(error)])
      .then(([code, signal]) => {
        this.exit = { code, signal }; // or why it did not start
        this.#wake();
      });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.#wake();
      });
    }
    this.#child.stdin.on('error', () => {}); // it may end before it has read everything
  }

  #child;
  #waiting = new Set();

  get pid() {
    return this.#child.pid;
  }
  get stdin() {
    return this.#child.stdin;
  }
  get log() {
    return this.lines.join('\n');
  }

  #wake() {
    for (const look of this.#waiting) look();
  }

  // The match of the first line, from the `from`th on, that fits.
  line(pattern, { ms = START_MS_MAX, from = 0 } = {}) {
    let look;
    const found = new Promise((resolve, reject) => {
      let next = from;
      look = () => {
        for (; next < this.lines.length; next += 1) {
          const match = this.lines[next].match(pattern);
          if (match) return resolve(match);
        }
        if (this.exit)
          reject(
            new Error(
              `${this.name} ended (${JSON.stringify(this.exit)}) before it said ${pattern}\n${this.tail()}`,
            ),
          );
      };
      this.#waiting.add(look);
      look();
    });
    return within(ms, () => `${this.name} says ${pattern}\n${this.tail()}`, found).finally(() =>
      this.#waiting.delete(look),
    );
  }

  tail() {
    return this.lines
      .slice(-LOG_LINES_SHOWN)
      .map((line) => `  ${this.name}| ${line}`)
      .join('\n');
  }

  signal(name) {
    this.#child.kill(name);
  }

  // As a crash: no chance to say goodbye.
  async kill() {
    this.signal('SIGKILL');
    await this.ended;
  }

  async stop() {
    if (this.exit) {
      assert.fail(`${this.name} had ended by itself: ${JSON.stringify(this.exit)}\n${this.tail()}`);
    }
    this.signal('SIGTERM');
    try {
      await within(STOP_MS_MAX, () => `${this.name} stops\n${this.tail()}`, this.ended);
    } finally {
      if (!this.exit) await this.kill();
    }
    assert.deepEqual(
      this.exit,
      { code: 0, signal: null },
      `how ${this.name} ended\n${this.tail()}`,
    );
  }
}

// Runs a program to its end: {code, output}.
export async function run(command, args, { input, ms = 60_000, ...options } = {}) {
  const started = new Program(command, args, options);
  started.stdin.end(input ?? '');
  try {
    await within(ms, () => `${started.name} ends\n${started.tail()}`, started.ended);
  } finally {
    if (!started.exit) await started.kill();
  }
  return { code: started.exit.code, output: started.log };
}

async function port(started, part) {
  return Number((await started.line(new RegExp(`${part} listening on 127\\.0\\.0\\.1:(\\d+)`)))[1]);
}

// Control and edge: either `serve`, one process for both, or the two daemons.
export class Deployment {
  constructor(kind, { edgeFlags = [], controlFlags = [] } = {}) {
    this.kind = kind;
    this.#edgeFlags = edgeFlags;
    this.#controlFlags = controlFlags;
    this.#directory = mkdtempSync(path.join(tmpdir(), 'sessioncast-e2e-'));
    this.#store = `rocksdb:${path.join(this.#directory, 'store')}`;
    this.httpPort = 0;
    this.grpcPort = 0;
  }

  #edgeFlags;
  #controlFlags;
  #directory;
  #store;
  #closeFirst = [];
  control = null; // with `serve`: the same program as the edge
  edge = null;

  get url() {
    return `http://localhost:${this.httpPort}`;
  }
  get grpc() {
    return `localhost:${this.grpcPort}`;
  }

  async start() {
    if (this.kind === 'serve') {
      await this.startServe();
    } else {
      await this.startControl();
      await this.startEdge();
    }
    return this;
  }

  async startServe() {
    this.edge = new Program(program('sessioncast'), [
      'serve',
      `--grpc_listen=localhost:${this.grpcPort}`,
      `--http_listen=localhost:${this.httpPort}`,
      `--store=${this.#store}`,
      ...this.#controlFlags,
      ...this.#edgeFlags,
    ]);
    this.control = this.edge;
    this.grpcPort = await port(this.control, 'control');
    this.httpPort = await port(this.edge, 'edge');
    await this.ready();
  }

  // While control does not run: it will start with an empty store.
  loseStore() {
    rmSync(path.join(this.#directory, 'store'), { recursive: true, force: true });
  }

  // On the port it had, when it had one.
  async startControl() {
    this.control = new Program(program('sessioncast-control'), [
      `--grpc_listen=localhost:${this.grpcPort}`,
      `--store=${this.#store}`,
      ...this.#controlFlags,
    ]);
    this.grpcPort = await port(this.control, 'control');
  }

  async startEdge({ waitUntilReady = true } = {}) {
    this.edge = new Program(program('sessioncast-edge'), [
      `--http_listen=localhost:${this.httpPort}`,
      `--control=localhost:${this.grpcPort}`,
      ...this.#edgeFlags,
    ]);
    this.httpPort = await port(this.edge, 'edge');
    if (waitUntilReady) await this.ready();
  }

  // What uses this deployment (clients, publishers) and ends before it does, however the test goes.
  closeFirst(user) {
    this.#closeFirst.push(user);
    return user;
  }

  async restartEdge() {
    await this.edge.stop();
    await (this.kind === 'serve' ? this.startServe() : this.startEdge());
  }

  async ready() {
    await until(
      async () => (await fetch(`${this.url}/readyz`)).status === 200,
      'the edge is ready',
    );
  }

  async stop() {
    for (const user of this.#closeFirst.splice(0)) user.close();
    const running = new Set(
      [this.edge, this.control].filter((started) => started && !started.exit?.signal),
    );
    try {
      for (const started of running) await started.stop();
    } finally {
      for (const started of running) if (!started.exit) await started.kill();
      rmSync(this.#directory, { recursive: true, force: true });
    }
  }

  logs() {
    return [...new Set([this.control, this.edge])]
      .filter(Boolean)
      .map((started) => started.tail())
      .join('\n');
  }
}

// Asks again until the answer is true; for what cannot tell by itself when it changes (an HTTP
// status, a file).
export async function until(condition, what, ms = START_MS_MAX) {
  const deadline = Date.now() + ms;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// One test with a deployment of its own, whose logs are shown when it fails.
export function testWith(makeDeployment, name, body, ms) {
  test(name, { timeout: ms }, async (t) => {
    const deployment = makeDeployment();
    try {
      await deployment.start();
      await body(deployment, t);
    } catch (error) {
      console.error(deployment.logs());
      await deployment.stop().catch(() => {});
      throw error;
    }
    await deployment.stop();
  });
}

export function testOn(kind, name, body, flags = {}) {
  testWith(() => new Deployment(kind, flags), `${name} (${kind})`, body, 150_000);
}

export function testOnBoth(name, body, flags = {}) {
  for (const kind of ['serve', 'daemons']) testOn(kind, name, body, flags);
}
