// What /metrics says of control and edge while a stock client reads, and where it is not served.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';

import { program, run, testOn, testOnBoth, until } from '../support/processes.mjs';
import { connect } from './clients.mjs';
import { events, publisherTo } from './publisher.mjs';

const LISTEN = '--metrics_listen=localhost:0';
// `serve` has both parts' flags, and would not take one twice.
const FLAGS = { edgeFlags: [LISTEN] };

async function metricsUrl(started) {
  return (await started.line(/metrics listening on (http:\/\/127\.0\.0\.1:[1-9]\d*\/metrics)$/))[1];
}

// The numbers of one scrape by name, with the labels as they are written.
async function scrape(url) {
  const response = await fetch(url);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^text\/plain/);
  const samples = (await response.text()).split('\n').filter((line) => /^[a-z]/.test(line));
  return Object.fromEntries(
    samples.map((line) => {
      const [, name, value] = line.match(/^(\S+(?:\{.*\})?) (\S+)$/);
      return [name, Number(value)];
    }),
  );
}

// Scrapes until it says this; what it said.
async function scrapeUntil(url, wanted) {
  let said;
  const saysIt = async () => {
    said = await scrape(url);
    return Object.entries(wanted).every(([name, value]) => said[name] === value);
  };
  await until(saysIt, `${url} says ${JSON.stringify(wanted)}`).catch((error) => {
    throw new Error(`${error.message}; it says ${JSON.stringify(said)}`);
  });
  return said;
}

async function countsFollowAReader(deployment, controlUrl, edgeUrl) {
  const publisher = publisherTo(deployment);
  const sessionId = randomUUID();
  const before = await scrapeUntil(edgeUrl, {
    sessioncast_edge_connections: 0,
    sessioncast_edge_sessions: 0,
    'sessioncast_edge_subscriptions{state="live"}': 0,
    'sessioncast_edge_subscriptions{state="behind"}': 0,
    sessioncast_edge_queued_bytes: 0,
    sessioncast_edge_events_skipped_total: 0,
    sessioncast_edge_slow_consumers_total: 0,
  });
  assert.ok(before.sessioncast_edge_attach_streams >= 1);
  const age = Date.now() / 1000 - before.process_start_time_seconds;
  assert.ok(age > -5 && age < 600, `the process is ${age} s old`);

  const client = connect(deployment);
  await client.subscribe(sessionId);
  await publisher.publish(sessionId, events.progress(20));
  await publisher.publish(sessionId, events.progress(40));
  await publisher.publish(sessionId, events.progress(60));
  await client.event('progress', { count: 3 });

  await scrapeUntil(edgeUrl, {
    sessioncast_edge_connections: 1,
    sessioncast_edge_sessions: 1,
    'sessioncast_edge_subscriptions{state="live"}': 1,
    'sessioncast_edge_subscriptions{state="behind"}': 0,
    sessioncast_edge_queued_bytes: 0,
  });
  const control = await scrapeUntil(controlUrl, {
    sessioncast_control_events_appended_total: 3,
    sessioncast_control_sessions: 1,
    sessioncast_control_subscriptions: 1,
    sessioncast_control_publishes_in_flight_bytes: 0,
  });
  assert.ok(control.sessioncast_control_histories_bytes > 0);

  client.close();
  await scrapeUntil(edgeUrl, {
    sessioncast_edge_connections: 0,
    sessioncast_edge_sessions: 0,
    'sessioncast_edge_subscriptions{state="live"}': 0,
  });
  await scrapeUntil(controlUrl, { sessioncast_control_subscriptions: 0 });
  assert.equal((await fetch(`${deployment.url}/metrics`)).status, 404);
}

testOn(
  'serve',
  'One listener counts both parts; the public port has no metrics',
  async (deployment) => {
    const url = await metricsUrl(deployment.edge);
    await countsFollowAReader(deployment, url, url);
  },
  FLAGS,
);

testOn(
  'daemons',
  'Control and edge count, each at its own listener; the public port has no metrics',
  async (deployment) => {
    await countsFollowAReader(
      deployment,
      await metricsUrl(deployment.control),
      await metricsUrl(deployment.edge),
    );
  },
  { edgeFlags: [LISTEN], controlFlags: [LISTEN] },
);

testOn(
  'daemons',
  'Who loses control is behind, and the edge says that it is not attached',
  async (deployment) => {
    const publisher = publisherTo(deployment);
    const sessionId = randomUUID();
    const url = await metricsUrl(deployment.edge);
    const client = connect(deployment);
    await client.subscribe(sessionId);
    await publisher.publish(sessionId, events.progress(1));
    await client.event('progress');
    await scrapeUntil(url, { 'sessioncast_edge_subscriptions{state="live"}': 1 });
    await deployment.control.kill();
    await scrapeUntil(url, {
      sessioncast_edge_attach_streams: 0,
      'sessioncast_edge_subscriptions{state="live"}': 0,
      'sessioncast_edge_subscriptions{state="behind"}': 1,
    });
    await deployment.startControl();
    await scrapeUntil(url, {
      'sessioncast_edge_subscriptions{state="live"}': 1,
      'sessioncast_edge_subscriptions{state="behind"}': 0,
    });
  },
  FLAGS,
);

testOnBoth('Without the flag there are no metrics', async (deployment) => {
  assert.equal((await fetch(`${deployment.url}/metrics`)).status, 404);
  const { control, edge } = deployment;
  await deployment.restartEdge(); // so that their logs are whole
  if (control !== edge) {
    await control.stop();
    await deployment.startControl();
  }
  for (const started of [control, edge]) assert.doesNotMatch(started.log, /metrics listening/);
});

for (const [name, ...command] of [
  ['sessioncast-control', '--grpc_listen=localhost:0', '--store=memory'],
  ['sessioncast-edge', '--http_listen=localhost:0'],
  ['sessioncast', 'serve', '--grpc_listen=localhost:0', '--http_listen=localhost:0', '--store=memory'],
]) {
  test(`An address that cannot be listened on ends ${name} with the flag's name`, async () => {
    const { code, output } = await run(program(name), [...command, '--metrics_listen=localhost']);
    assert.equal(code, 1, output);
    assert.match(output, /metrics_listen: localhost: must be HOST:PORT/);
  });
}
