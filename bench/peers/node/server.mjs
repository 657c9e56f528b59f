// What a user would run today: Socket.IO, and a gRPC endpoint in the same process by which backends publish.
//
// An event goes to its session's room under our edge's name and with our edge's payload, less what this
// server has not: it keeps nothing, so there is no sequence, no recovery, no durability. A publish is
// answered at once. Settings are Socket.IO's own: websocket and polling, no compression.
//
//   node server.mjs [--http_port=N] [--redis=URL]
//
// --redis: rooms span servers, by @socket.io/redis-adapter. Prints `grpc PORT` and `http PORT` once it
// serves, on 127.0.0.1; serves until SIGTERM.
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const PROTO = fileURLToPath(new URL('../../../proto', import.meta.url));

// As proto/sessioncast/v1/event.proto's browser_word.
const RESULT_STATUS = {
  MODEL_RESULT_STATUS_PROCESSING: 'processing',
  MODEL_RESULT_STATUS_COMPLETED: 'completed',
  MODEL_RESULT_STATUS_FAILED: 'failed',
};

// A plain object of a google.protobuf.Struct.
function object(struct) {
  return Object.fromEntries(
    Object.entries(struct?.fields ?? {}).map(([key, value]) => [key, plain(value)]),
  );
}

function plain(value) {
  switch (value.kind) {
    case 'structValue':
      return object(value.structValue);
    case 'listValue':
      return (value.listValue.values ?? []).map(plain);
    case 'nullValue':
      return null;
    default:
      return value[value.kind];
  }
}

function emit(io, event) {
  const { sessionId } = event;
  const timestamp = new Date().toISOString();
  if (event.kind === 'modelResult') {
    const { modelName, provider, durationMs, result, status, error, runId } = event.modelResult;
    io.to(sessionId).emit('model_result', {
      sessionId,
      modelName,
      provider,
      duration: durationMs ?? 0,
      result: result ?? '',
      status: RESULT_STATUS[status],
      error,
      runId,
      timestamp,
    });
  } else {
    const { name, data } = event.custom;
    io.to(sessionId).emit(name, { sessionId, data: object(data), timestamp });
  }
}

// Whether this server knows what to do with it: the kinds that bench/load publishes.
function isKnown(event) {
  return event?.kind === 'modelResult' || event?.kind === 'custom';
}

const REFUSED = { code: grpc.status.INVALID_ARGUMENT, message: 'a ModelResult or a Custom' };

function services(io) {
  return {
    publishEvent({ request: { event } }, answer) {
      if (!isKnown(event)) {
        answer({ code: REFUSED.code, details: REFUSED.message });
        return;
      }
      emit(io, event);
      answer(null, {});
    },
    publishEvents(call) {
      call.on('data', ({ events }) => {
        const outcomes = events.map(({ event }) => {
          if (!isKnown(event)) return { refused: REFUSED };
          emit(io, event);
          return { accepted: {} };
        });
        call.write({ outcomes });
      });
      call.on('end', () => call.end());
    },
  };
}

async function adapter(url) {
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return createAdapter(publisher, subscriber);
}

function serveSockets(io) {
  io.on('connection', (socket) => {
    socket.on('subscribe', (sessionId) => {
      socket.join(sessionId);
      socket.emit('subscribed', { sessionId, timestamp: new Date().toISOString() });
    });
    socket.on('unsubscribe', (sessionId) => socket.leave(sessionId));
  });
}

function listenForPublishers(io) {
  const definition = protoLoader.loadSync('sessioncast/v1/session_service.proto', {
    includeDirs: [PROTO],
    longs: Number,
    enums: String,
    oneofs: true,
  });
  const server = new grpc.Server();
  const { SessionService } = grpc.loadPackageDefinition(definition).sessioncast.v1;
  server.addService(SessionService.service, services(io));
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

async function main() {
  const { values: flags } = parseArgs({
    options: { redis: { type: 'string' }, http_port: { type: 'string', default: '0' } },
  });
  const http = createServer();
  const io = new Server(http, flags.redis ? { adapter: await adapter(flags.redis) } : {});
  serveSockets(io);
  console.log(`grpc ${await listenForPublishers(io)}`);
  http.listen(Number(flags.http_port), '127.0.0.1', () => {
    console.log(`http ${http.address().port}`);
  });
}

process.on('SIGTERM', () => process.exit(0));
await main();
