// nginx and HAProxy as docs/operations/ configures them, in front of two edges and one control: the files as they are,
// with this machine's ports, paths and certificates in place of theirs. Nothing of the system's own nginx or HAProxy is
// used but the program.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Deployment, Program, ROOT, program, run, until, within } from './processes.mjs';

const PORT_ATTEMPTS = 10;
const NO_PORT = /address already in use|cannot bind socket/i;
// Debian has both where only root's PATH looks.
const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

export const NAMES = ['a', 'b']; // the edges' --sid_suffix

export const configuration = (file) =>
  readFileSync(path.join(ROOT, 'docs/operations', file), 'utf8');

// Each of the texts is there, and replaced wherever it is.
function substituted(text, replacements) {
  for (const [from, to] of replacements) {
    assert.ok(text.includes(from), `the configuration has "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}

// A port that is free now, and maybe not a moment later.
async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function openssl(...args) {
  const { code, output } = await run('openssl', args);
  assert.equal(code, 0, output);
}

// A certificate for localhost, and the authority that signed it.
export class Certificates {
  constructor() {
    this.directory = mkdtempSync(path.join(tmpdir(), 'sessioncast-certificates-'));
    this.authorityFile = this.#file('ca.pem');
    this.certificateFile = this.#file('fullchain.pem');
    this.keyFile = this.#file('privkey.pem');
    this.bothFile = this.#file('both.pem');
  }

  #file(name) {
    return path.join(this.directory, name);
  }

  async make() {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const authority = ['-keyout', this.#file('ca.key'), '-out', this.authorityFile];
    await openssl('req', '-x509', '-days', '2', ...key, '-subj', '/CN=Test authority', ...authority,
      '-addext', 'keyUsage=critical,keyCertSign');
    const asked = this.#file('server.csr');
    await openssl('req', ...key, '-subj', '/CN=localhost', '-keyout', this.keyFile, '-out', asked);
    const extensions = this.#file('extensions');
    writeFileSync(extensions, 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n');
    await openssl('x509', '-req', '-days', '2', '-in', asked, '-CA', this.authorityFile, '-CAkey', this.#file('ca.key'),
      '-CAcreateserial', '-extfile', extensions, '-out', this.certificateFile);
    this.authority = readFileSync(this.authorityFile);
    writeFileSync(this.bothFile, readFileSync(this.certificateFile) + readFileSync(this.keyFile));
    return this;
  }

  close() {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

// What each proxy is started with: the files it reads, written into `directory`, and its command line.
const PROXIES = {
  nginx: ({ directory, port, edges, certificates, change }) => {
    const site = substituted(change(configuration('nginx.conf')), [
      ['listen 443 ', `listen 127.0.0.1:${port} `],
      ['server_name sessions.example.com', 'server_name localhost'],
      ['/etc/ssl/sessioncast/fullchain.pem', certificates.certificateFile],
      ['/etc/ssl/sessioncast/privkey.pem', certificates.keyFile],
      ...edges,
    ]);
    const file = path.join(directory, 'sessioncast.conf');
    writeFileSync(file, site);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (part) => `${part}_temp_path ${path.join(directory, part)};`,
    );
    // As root it would give its worker to a user who cannot read the directory.
    const user = process.getuid() === 0 ? 'user root;' : '';
    writeFileSync(
      path.join(directory, 'nginx.conf'),
      `${user} daemon off; pid ${path.join(directory, 'pid')}; worker_processes 2; error_log stderr notice;
       events { worker_connections 1000; }
       http { access_log off; ${temporary.join(' ')} include ${file}; }`,
    );
    return ['nginx', ['-p', directory, '-e', 'stderr', '-c', path.join(directory, 'nginx.conf')]];
  },
  haproxy: ({ directory, port, edges, certificates, change }) => {
    const file = path.join(directory, 'haproxy.cfg');
    const text = substituted(change(configuration('haproxy.cfg')), [
      ['bind :443 ', `bind 127.0.0.1:${port} `],
      ['/etc/ssl/sessioncast/haproxy.pem', certificates.bothFile],
      ['log /dev/log local0 notice', 'log stdout format raw local0 notice'],
      ['    user haproxy\n', ''],
      ['    group haproxy\n', ''],
      ['maxconn 100000 ', 'maxconn 1000 '],
      ...edges,
    ]);
    writeFileSync(file, text);
    return ['haproxy', ['-db', '-f', file]];
  },
};

export const PROXY_NAMES = Object.keys(PROXIES);

// One control, the edges `a` and `b`, and a proxy in front of them.
export class ProxiedDeployment {
  constructor(proxyName, certificates, { edgeFlags = ['--drain_ms=0'], change = (text) => text } = {}) {
    this.#proxyName = proxyName;
    this.#certificates = certificates;
    this.#edgeFlags = edgeFlags;
    this.#change = change;
    this.#control = new Deployment('daemons');
    this.#directory = mkdtempSync(path.join(tmpdir(), 'sessioncast-proxy-'));
  }

  #proxyName;
  #certificates;
  #edgeFlags;
  #change;
  #control;
  #directory;
  #closeFirst = [];
  #ports = {};
  edges = {}; // by name
  proxy = null;
  port = 0;

  // The name in the certificate; the proxy listens on IPv4.
  get url() {
    return `https://localhost:${this.port}`;
  }
  get grpc() {
    return this.#control.grpc;
  }
  get authority() {
    return this.#certificates.authority;
  }

  async start() {
    await this.#control.startControl();
    await Promise.all(NAMES.map((name) => this.#startEdge(name)));
    await this.#startProxy();
    return this;
  }

  async #startEdge(name) {
    const edge = new Program(program('sessioncast-edge'), [
      '--http_listen=127.0.0.1:0',
      `--control=${this.grpc}`,
      `--sid_suffix=${name}`,
      '--trusted_proxies=127.0.0.1/32',
      ...this.#edgeFlags,
    ]);
    this.edges[name] = edge;
    this.#ports[name] = Number((await edge.line(/edge listening on 127\.0\.0\.1:(\d+)/))[1]);
    await until(async () => {
      const response = await fetch(`http://127.0.0.1:${this.#ports[name]}/readyz`);
      await response.arrayBuffer();
      return response.status === 200;
    }, `edge ${name} is ready`);
  }

  // Again with another port when somebody was quicker.
  async #startProxy() {
    for (let attempt = 1; ; attempt += 1) {
      this.port = await freePort();
      const [command, args] = PROXIES[this.#proxyName]({
        directory: this.#directory,
        port: this.port,
        edges: NAMES.map((name, i) => [`10.0.0.${11 + i}:3000`, `127.0.0.1:${this.#ports[name]}`]),
        certificates: this.#certificates,
        change: this.#change,
      });
      this.proxy = new Program(command, args, { env: ENVIRONMENT });
      if (await this.#proxyAnswers()) return;
      assert.match(this.proxy.log, NO_PORT);
      assert.ok(attempt < PORT_ATTEMPTS, this.proxy.tail());
    }
  }

  // Whether it is there; not if it ended.
  async #proxyAnswers() {
    await until(async () => {
      if (this.proxy.exit) return true;
      try {
        return (await this.get('/readyz')).status === 200;
      } catch {
        return false; // nobody listens, or somebody else does, whose certificate is not ours
      }
    }, () => `${this.#proxyName} answers\n${this.proxy.tail()}`);
    return this.proxy.exit === null;
  }

  // Its open connections do not hold it up. A SIGKILL would leave nginx's workers.
  async #stopProxy() {
    if (!this.proxy || this.proxy.exit) return;
    this.proxy.signal('SIGTERM');
    await within(10_000, () => `${this.#proxyName} ends\n${this.proxy.tail()}`, this.proxy.ended);
  }

  // One request over a TCP connection of its own: {status, headers, body}.
  get(target, { method = 'GET', headers = {}, body = '' } = {}) {
    const answered = new Promise((resolve, reject) => {
      const asked = request(
        { host: '127.0.0.1', servername: 'localhost', port: this.port, path: target, method, agent: false,
          ca: this.authority, headers: { Host: `localhost:${this.port}`, ...headers } },
        (response) => {
          const pieces = [];
          response.on('data', (piece) => pieces.push(piece));
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces).toString() }),
          );
        },
      );
      asked.on('error', reject);
      asked.on('upgrade', (response, socket) => {
        socket.destroy();
        resolve({ status: response.statusCode, headers: response.headers, body: '' });
      });
      asked.end(body);
    });
    return within(10_000, `${method} ${target} is answered`, answered);
  }

  closeFirst(user) {
    this.#closeFirst.push(user);
    return user;
  }

  async stop() {
    for (const user of this.#closeFirst.splice(0)) user.close();
    const running = Object.values(this.edges).filter(({ exit }) => exit === null);
    try {
      await this.#stopProxy();
      await Promise.all(running.map((edge) => edge.stop()));
    } finally {
      for (const edge of running) if (!edge.exit) await edge.kill();
      await this.#control.stop();
      rmSync(this.#directory, { recursive: true, force: true });
    }
  }

  logs() {
    return [this.#control.control, ...Object.values(this.edges), this.proxy]
      .filter(Boolean)
      .map((started) => started.tail())
      .join('\n');
  }
}
