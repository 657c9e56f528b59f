// Chromium, for what only a browser does: preflight, upgrade, a tab that is closed in mid-poll, two tabs on one origin.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { ROOT, until } from '../support/processes.mjs';
import { testOnEcho } from './echo.mjs';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const CLIENT = readFileSync(path.join(ROOT, 'tests/conformance/node_modules/socket.io-client/dist/socket.io.min.js'));

// A browser, and a page on another origin than the server's, with the client in it.
async function withPages(body) {
  const site = createServer((request, response) => {
    const isClient = request.url === '/client.js';
    response.setHeader('Content-Type', isClient ? 'text/javascript' : 'text/html');
    response.end(isClient ? CLIENT : '<!doctype html><script src="/client.js"></script>');
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
  const context = await browser.newContext();
  const newTab = async () => {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    await page.goto(`http://localhost:${site.address().port}/`.replace('localhost', '127.0.0.1'));
    return page;
  };
  try {
    await body(newTab);
  } finally {
    await browser.close();
    site.closeAllConnections();
    site.close();
  }
}

// Connects in the page; window.socket is there then.
function connect(page, url, options) {
  return page.evaluate(([to, how]) => new Promise((resolve, reject) => {
    window.socket = window.io(to, { reconnection: false, ...how });
    window.socket.on('connect_error', (error) => reject(new Error(error.message)));
    window.socket.on('auth', () => resolve());
  }), [url, options]);
}

// Sends numbers and waits until they are back, in order.
function exchange(page, count) {
  return page.evaluate((total) => new Promise((resolve) => {
    const echoes = [];
    const take = (value) => {
      echoes.push(value);
      if (echoes.length < total) return;
      window.socket.off('message-back', take);
      resolve(echoes);
    };
    window.socket.on('message-back', take);
    for (let i = 0; i < total; i += 1) window.socket.emit('message', i);
  }), count);
}

const numbers = (count) => [...Array(count).keys()];

// What the browser's network does for a page: each request {type, method, url, status, connectionId}, also those that the
// page does not see (preflights).
async function watchNetwork(page) {
  const session = await page.context().newCDPSession(page);
  const requests = new Map();
  const of = (id) => {
    if (!requests.has(id)) requests.set(id, {});
    return requests.get(id);
  };
  session.on('Network.requestWillBeSent', ({ requestId, type, request }) =>
    Object.assign(of(requestId), { type, method: request.method, url: request.url }));
  session.on('Network.responseReceived', ({ requestId, response }) =>
    Object.assign(of(requestId), { status: response.status, connectionId: response.connectionId }));
  session.on('Network.webSocketHandshakeResponseReceived', ({ requestId, response }) =>
    Object.assign(of(requestId), { type: 'WebSocket', status: response.status }));
  await session.send('Network.enable');
  return () => [...requests.values()];
}

testOnEcho('A page of another origin connects after a preflight, and upgrades', [], async (url) => {
  await withPages(async (newTab) => {
    const page = await newTab();
    const network = await watchNetwork(page);
    // A header that is not a simple one: the browser asks first, by OPTIONS.
    await connect(page, url, { extraHeaders: { 'x-asked': '1' }, withCredentials: true });
    await page.waitForFunction(() => window.socket.io.engine.transport.name === 'websocket');
    assert.deepEqual(await exchange(page, 50), numbers(50));
    const answer = await page.evaluate(async (to) => {
      const response = await fetch(`${to}/socket.io/?EIO=4&transport=polling`, { headers: { 'x-asked': '1' } });
      return response.status;
    }, url);
    assert.equal(answer, 200);
    const preflights = network().filter(({ method }) => method === 'OPTIONS');
    assert.ok(preflights.length > 0, JSON.stringify(network()));
    for (const { status } of preflights) assert.equal(status, 204);
    assert.ok(network().some(({ method, status }) => method === 'POST' && status === 200));
    assert.ok(network().some(({ type, status }) => type === 'WebSocket' && status === 101));
  });
});

testOnEcho('Two tabs that share a TCP connection each get their own events, in order', ['--io_threads=2'], async (url) => {
  await withPages(async (newTab) => {
    const [one, two] = [await newTab(), await newTab()];
    const networks = [await watchNetwork(one), await watchNetwork(two)];
    for (const page of [one, two]) await connect(page, url, { transports: ['polling'] });
    // Until both have used one keep-alive TCP connection, at different times. Which one a request gets is Chromium's
    // choice; while the other tab is quiet, that tab's are among the idle ones.
    const sharesOne = () => {
      const [ofOne, ofTwo] = networks.map((network) =>
        new Set(network().filter(({ url: to, connectionId }) => to?.startsWith(url) && connectionId > 0)
          .map(({ connectionId }) => connectionId)));
      return [...ofOne].some((id) => ofTwo.has(id));
    };
    await until(async () => {
      const results = await Promise.all([exchange(one, 100), exchange(two, 100)]);
      assert.deepEqual(results, [numbers(100), numbers(100)]);
      for (const page of [one, two]) assert.deepEqual(await exchange(page, 5), numbers(5));
      return sharesOne();
    }, 'a TCP connection that both tabs used', 20_000);
  });
});

testOnEcho('A tab that is closed in mid-poll disturbs nobody, and its session is gone', ['--io_threads=2'], async (url) => {
  await withPages(async (newTab) => {
    const [stays, goes] = [await newTab(), await newTab()];
    for (const page of [stays, goes]) await connect(page, url, { transports: ['polling'] });
    const sid = await goes.evaluate(() => window.socket.io.engine.id);
    await goes.close();
    await until(async () => {
      const response = await fetch(`${url}/socket.io/?EIO=4&transport=websocket&sid=${sid}`);
      return (await response.json()).code === 1;
    }, 'the session of the closed tab is unknown, long before a ping timeout', 10_000);
    assert.deepEqual(await exchange(stays, 50), numbers(50));
  });
});
