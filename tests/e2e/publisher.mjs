// Publishes and reads over gRPC with stubs made from proto/ when the test starts.
import path from 'node:path';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

import { ROOT } from '../support/processes.mjs';

const definition = protoLoader.loadSync('sessioncast/v1/session_service.proto', {
  includeDirs: [path.join(ROOT, 'proto')],
  longs: Number,
  enums: String,
  oneofs: true,
  defaults: false,
});
const { SessionService } = grpc.loadPackageDefinition(definition).sessioncast.v1;

export const { status } = grpc;
const CALL_MS_MAX = 20_000;

// A google.protobuf.Struct of a plain object, as protobufjs takes it.
export function struct(object) {
  return {
    fields: Object.fromEntries(
      Object.entries(object).map(([key, value]) => [key, structValue(value)]),
    ),
  };
}

function structValue(value) {
  if (value === null) return { nullValue: 'NULL_VALUE' };
  if (Array.isArray(value)) return { listValue: { values: value.map(structValue) } };
  switch (typeof value) {
    case 'string':
      return { stringValue: value };
    case 'number':
      return { numberValue: value };
    case 'boolean':
      return { boolValue: value };
    default:
      return { structValue: struct(value) };
  }
}

// Events in short.
export const events = {
  progress: (percent, more = {}) => ({
    progress: { percent, status: 'SESSION_STATUS_PROCESSING', ...more },
  }),
  result: (modelName, state, result, more = {}) => ({
    modelResult: {
      modelName,
      status: `MODEL_RESULT_STATUS_${state}`,
      result,
      durationMs: 1200,
      ...more,
    },
  }),
  clarification: (clarificationId, question, more = {}) => ({
    clarification: { clarificationId, question, status: 'CLARIFICATION_STATUS_PENDING', ...more },
  }),
  completed: (result) => ({ completed: { result: struct(result) } }),
  error: (message, final = false) => ({ error: { message, final } }),
  custom: (name, data) => ({ custom: { name, data: struct(data) } }),
};

export class Publisher {
  #client;

  constructor(address) {
    // A connection of its own, tried again soon: a new publisher does not wait for what an older
    // one has met.
    this.#client = new SessionService(address, grpc.credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 500,
    });
  }

  // A unary call; rejects with grpc's error (code, details).
  call(name, request, { ms = CALL_MS_MAX } = {}) {
    return new Promise((resolve, reject) => {
      this.#client[name](request, { deadline: Date.now() + ms }, (error, response) =>
        error ? reject(error) : resolve(response),
      );
    });
  }

  // The position of the event.
  async publish(sessionId, event, { key = '', ms } = {}) {
    const request = { event: { sessionId, ...event }, idempotencyKey: key };
    return (await this.call('publishEvent', request, { ms })).position;
  }

  // Sends the messages (PublishEventsRequest) on one stream; all its responses, once it has ended.
  stream(messages, { ms = CALL_MS_MAX } = {}) {
    return new Promise((resolve, reject) => {
      const responses = [];
      const call = this.#client
        .publishEvents({ deadline: Date.now() + ms })
        .on('data', (response) => responses.push(response))
        .on('error', reject)
        .on('end', () => resolve(responses));
      for (const message of messages) call.write(message);
      call.end();
    });
  }

  ask(sessionId, clarificationId, question, more = {}, options = { ms: 60_000 }) {
    return this.call(
      'askClarification',
      { sessionId, clarificationId, question, ...more },
      options,
    );
  }

  close() {
    this.#client.close();
  }
}

// A publisher to this deployment's control that ends with the deployment.
export function publisherTo(deployment) {
  return deployment.closeFirst(new Publisher(deployment.grpc));
}
