// A control that says what a test wants: the edge's side of gRPC, with events as raw bytes.
import path from 'node:path';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

import { ROOT } from '../support/processes.mjs';

const PROTOS = path.join(ROOT, 'proto');
const definition = protoLoader.loadSync('sessioncast/v1/edge_service.proto', {
  includeDirs: [PROTOS],
  longs: Number,
  enums: String,
});
const { EdgeService } = grpc.loadPackageDefinition(definition).sessioncast.v1;
const root = new protobuf.Root();
root.resolvePath = (_, target) =>
  target.startsWith('google/') ? target : path.join(PROTOS, path.relative(PROTOS, path.resolve(PROTOS, target)));
root.loadSync('sessioncast/v1/event.proto', { keepCase: false });
const Event = root.lookupType('sessioncast.v1.Event');

export const EPOCH = 'epoch--1';

// A serialized Event; `more`: its kind, and what else it says.
export function encode(sessionId, sequence, more) {
  return Buffer.from(
    Event.encode(
      Event.fromObject({ sessionId, position: { epoch: EPOCH, sequence }, time: { seconds: 1 }, ...more }),
    ).finish(),
  );
}

export class LyingControl {
  logs = new Map(); // session → serialized events, of sequence 1, 2, 3 ...
  reads = 0;
  // What ReadEvents answers; null: the truth.
  lie = null;
  #interests = new Map(); // session → {call, id}[]
  #server = new grpc.Server();

  async start() {
    this.#server.addService(EdgeService.service, {
      attach: (call) => this.#attach(call),
      readEvents: (call, callback) => callback(null, this.#read(call.request)),
    });
    this.port = await new Promise((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    return this;
  }

  #log(session) {
    if (!this.logs.has(session)) this.logs.set(session, []);
    return this.logs.get(session);
  }

  #attach(call) {
    call.sendMetadata(new grpc.Metadata());
    call.on('data', (request) => {
      for (const { interestId, sessionId } of request.begin ?? []) {
        const interests = this.#interests.get(sessionId) ?? [];
        interests.push({ call, interestId });
        this.#interests.set(sessionId, interests);
        const announced = { epoch: EPOCH, sequence: this.#log(sessionId).length };
        call.write({ batches: [{ interestId, announced, events: [] }] });
      }
    });
    call.on('end', () => call.end());
    call.on('error', () => {});
  }

  #read(request) {
    this.reads += 1;
    if (this.lie) return this.lie(request);
    const log = this.#log(request.sessionId);
    const after = request.after?.sequence ?? request.fold?.afterSequence ?? 0;
    return {
      outcome: 'OUTCOME_PAGE',
      top: { epoch: EPOCH, sequence: log.length },
      throughSequence: log.length,
      events: log.slice(after),
    };
  }

  // Appends these bytes as the session's next event.
  publish(session, bytes) {
    this.#log(session).push(bytes);
    for (const { call, interestId } of this.#interests.get(session) ?? []) {
      call.write({ batches: [{ interestId, events: [bytes] }] });
    }
  }

  // A message of the Attach streams, whatever it says.
  say(response) {
    for (const { call } of [...this.#interests.values()].flat()) call.write(response);
  }

  close() {
    this.#server.forceShutdown();
  }
}
