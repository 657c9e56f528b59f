// Publishes results of a model, each as long as a line of its input says ({"sessionId", "bytes"}), one after another.

import readline from 'node:readline';

import { events, Publisher } from '../e2e/publisher.mjs';

const publisher = new Publisher(process.argv[2]);
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { sessionId, bytes } = JSON.parse(line);
  await publisher.publish(sessionId, events.result('m', 'PROCESSING', 'r'.repeat(bytes)));
}
publisher.close();
