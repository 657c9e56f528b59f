// Stock clients that behave, beside those that do not: one by websocket, one by polling, in a
// session into which something is published all the time. At the end of its input it tells what
// they noticed, as one line of JSON.

import { Client } from '../e2e/clients.mjs';
import { events, Publisher } from '../e2e/publisher.mjs';
import { until } from '../support/processes.mjs';

const [url, grpc] = process.argv.slice(2);
const PAUSE_MS = 25;
const PUBLISHED_MIN = 20;
const session = 'witness'; // rows know it
const publisher = new Publisher(grpc);
const clients = ['websocket', 'polling'].map((transport) => {
  const client = new Client(url, { transports: [transport] });
  client.gaps = 0;
  client.ages = [];
  client.last = 0;
  client.socket.on('tick', (event) => {
    if (event.sequence !== client.last + 1) client.gaps += 1;
    client.last = event.sequence;
    client.ages.push(Date.now() - event.data.at);
    client.events.length = 0;
  });
  return client;
});
await Promise.all(clients.map((client) => client.subscribe(session)));

let stopped = false;
let published = 0;
const publishing = (async () => {
  while (!stopped) {
    published = (await publisher.publish(session, events.custom('tick', { at: Date.now() }))).sequence;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
})();
await until(() => clients.every((client) => client.last > 0), 'both have the first tick');
console.log('witnessing');

process.stdin.resume();
await new Promise((resolve) => process.stdin.on('end', resolve));
// A table may be over in no time: they are looked at for a while after it, too.
await until(() => published >= PUBLISHED_MIN, `${PUBLISHED_MIN} ticks are published`);
stopped = true;
await publishing;
await until(() => clients.every((client) => client.last >= published), 'both have the last tick');
const at = (ages, part) => ages.sort((a, b) => a - b)[Math.floor((ages.length - 1) * part)];
console.log(
  JSON.stringify({
    published,
    clients: clients.map(({ gaps, disconnects, ages, socket }) => ({
      transport: socket.io.engine.transport.name,
      gaps,
      disconnects,
      half_ms: at(ages, 0.5),
      most_ms: at(ages, 0.99),
      last_ms: at(ages, 1),
    })),
  }),
);
for (const client of clients) client.close();
publisher.close();
