// Control's calls by hand, each with whatever token: what became of one, and the files of TLS.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

import { ROOT } from '../support/processes.mjs';
import { events } from './publisher.mjs';

const definition = protoLoader.loadSync(
  ['session', 'edge', 'server'].map((name) => `sessioncast/v1/${name}_service.proto`),
  { includeDirs: [path.join(ROOT, 'proto')], longs: Number, enums: String, oneofs: true },
);
const { SessionService, EdgeService, ServerService } = grpc.loadPackageDefinition(definition).sessioncast.v1;
const REFLECTION = '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo';
const HEALTH = '/grpc.health.v1.Health/Check';
const LIST_SERVICES = Buffer.from([0x3a, 0x01, 0x2a]); // list_services: "*"
const CALL_MS_MAX = 20_000;

export const { status } = grpc;
const same = (bytes) => bytes;

// What a stream says first, or how it ends: {code, details, response}.
function first(call, requests) {
  return new Promise((resolve) => {
    call
      .on('data', (response) => {
        resolve({ code: status.OK, response });
        call.cancel();
      })
      .on('error', () => {})
      .on('status', ({ code, details }) => resolve({ code, details }));
    for (const request of requests) call.write(request);
  });
}

// One caller of control, with its token ('': none at all).
export class Caller {
  constructor(address, token, credentials = grpc.credentials.createInsecure()) {
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    this.sessions = new SessionService(address, credentials, options);
    this.edges = new EdgeService(address, credentials, options);
    this.server = new ServerService(address, credentials, options);
    this.raw = new grpc.Client(address, credentials, options);
    this.metadata = new grpc.Metadata();
    if (token !== undefined) this.metadata.set('authorization', `Bearer ${token}`);
  }

  get options() {
    return { deadline: Date.now() + CALL_MS_MAX };
  }

  unary(name, request, stub = this.sessions) {
    return new Promise((resolve) => {
      stub[name](request, this.metadata, this.options, (error, response) =>
        resolve({ code: error?.code ?? status.OK, details: error?.details, response }),
      );
    });
  }
  publish(sessionId, event = events.progress(1)) {
    return this.unary('publishEvent', { event: { sessionId, ...event } });
  }
  async publishMany(sessionId) {
    const call = this.sessions.publishEvents(this.metadata, this.options);
    const ended = await first(call, [{ events: [{ event: { sessionId, ...events.progress(2) } }] }]);
    const refused = ended.response?.outcomes[0].refused;
    return refused ? { code: refused.code, details: refused.message } : ended;
  }
  stream(sessionId) {
    return first(this.sessions.streamSession({ sessionId }, this.metadata, this.options), []);
  }
  attach(sessionId) {
    return first(this.edges.attach(this.metadata, this.options), [
      { begin: [{ interestId: 1, sessionId }] },
    ]);
  }
  reflect() {
    const call = this.raw.makeBidiStreamRequest(REFLECTION, same, same, this.metadata, this.options);
    return first(call, [LIST_SERVICES]);
  }
  health() {
    return new Promise((resolve) => {
      this.raw.makeUnaryRequest(HEALTH, same, same, Buffer.alloc(0), this.metadata, this.options,
        (error, response) => resolve({ code: error?.code ?? status.OK, response }),
      );
    });
  }

  close() {
    for (const stub of [this.sessions, this.edges, this.server, this.raw]) stub.close();
  }
}

let asked = 0;
// Each call of control: the verbs of which one suffices, whether it names a session, and how it ends
// when it may be made (for a clarification that is not there: NOT_FOUND).
export const DOORS = {
  PublishEvent: { verbs: ['publish'], one: true, call: (as, id) => as.publish(id) },
  PublishEvents: { verbs: ['publish'], one: true, call: (as, id) => as.publishMany(id) },
  AskClarification: {
    verbs: ['publish'],
    one: true,
    call: (as, sessionId) =>
      as.unary('askClarification', {
        sessionId,
        clarificationId: `q-${(asked += 1)}`,
        question: 'Really?',
        timeLimit: { seconds: 0, nanos: 1_000_000 },
      }),
  },
  CancelClarification: {
    verbs: ['publish'],
    one: true,
    right: status.NOT_FOUND,
    call: (as, sessionId) =>
      as.unary('cancelClarification', { sessionId, clarificationId: 'nobody-asked' }),
  },
  GetSession: {
    verbs: ['publish', 'stream', 'attach'],
    one: true,
    call: (as, sessionId) => as.unary('getSession', { sessionId }),
  },
  StreamSession: { verbs: ['stream'], one: true, call: (as, id) => as.stream(id) },
  ListSessions: { verbs: ['stream', 'attach'], call: (as) => as.unary('listSessions', {}) },
  AnswerClarification: {
    verbs: ['stream', 'attach'],
    one: true,
    right: status.NOT_FOUND,
    call: (as, sessionId) =>
      as.unary('answerClarification', { sessionId, clarificationId: 'nobody-asked', response: '' }),
  },
  Attach: { verbs: ['attach'], call: (as, id) => as.attach(id) },
  ReadEvents: {
    verbs: ['attach'],
    one: true,
    call: (as, sessionId) => as.unary('readEvents', { sessionId, fold: {} }, as.edges),
  },
  GetServer: {
    verbs: ['publish', 'stream', 'attach'],
    call: (as) => as.unary('getServer', {}, as.server),
  },
  ServerReflection: { verbs: [], call: (as) => as.reflect() },
};

// Certificates, in a directory that goes with close(): `ca` has signed `server` and `client`, `other`
// has signed `stranger`.
export class Certificates {
  constructor() {
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'sessioncast-certificates-'));
    writeFileSync(this.file('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    for (const ca of ['ca', 'other']) this.#openssl('req', '-x509', ...this.#request(ca, 'pem'));
    this.sign('server', 'ca');
    this.sign('client', 'ca');
    this.sign('stranger', 'other');
  }

  file(name) {
    return path.join(this.directory, name);
  }
  read(name) {
    return readFileSync(this.file(name));
  }
  #openssl(...args) {
    execFileSync('openssl', args, { cwd: this.directory, stdio: 'pipe' });
  }
  #request(name, suffix) {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    return [...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.${suffix}`];
  }
  sign(name, ca) {
    this.#openssl('req', ...this.#request(name, 'csr'));
    const by = ['-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial'];
    const names = ['-extfile', 'names'];
    this.#openssl('x509', '-req', '-in', `${name}.csr`, ...by, ...names, '-out', `${name}.pem`);
  }

  // Control's flags; with `clients`, one must show a certificate.
  flags({ clients = false } = {}) {
    const own = [`--tls_cert=${this.file('server.pem')}`, `--tls_key=${this.file('server.key')}`];
    return clients ? [...own, `--tls_client_ca=${this.file('ca.pem')}`] : own;
  }
  // A client's, by Node's gRPC.
  credentials({ ca = 'ca', own } = {}) {
    if (!own) return grpc.credentials.createSsl(this.read(`${ca}.pem`));
    const key = this.read(`${own}.key`);
    return grpc.credentials.createSsl(this.read(`${ca}.pem`), key, this.read(`${own}.pem`));
  }

  close() {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
