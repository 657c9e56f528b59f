// Engine.IO v4 as the protocol's own suite asks for it, by fetch and ws.
import assert from 'node:assert/strict';

import { until } from '../support/processes.mjs';
import { suiteOnEcho } from './echo.mjs';
import { Polling, Socket } from './packets.mjs';

const PATH = '/engine.io/';
const RAW = ['--raw_engineio', `--path=${PATH}`];
const PING_INTERVAL_MS = 300;
const PING_TIMEOUT_MS = 200;
// What the best of many may be late by, client and network included.
const LATE_MS_MAX = 10;

const openPolling = (url) => Polling.open(url, PATH);

async function openSocket(url) {
  const socket = new Socket(url, PATH);
  socket.handshake = JSON.parse((await socket.next()).slice(1));
  return socket;
}

async function upgraded(url) {
  const polling = await openPolling(url);
  const socket = await new Socket(url, PATH, `EIO=4&transport=websocket&sid=${polling.handshake.sid}`).opened();
  socket.send('2probe');
  assert.equal(await socket.next(), '3probe');
  socket.send('5');
  return { polling, socket };
}

async function expectRefused(response, code) {
  assert.equal(response.status, 400);
  assert.equal((await response.json()).code, code);
}

async function expectGone(polling) {
  await expectRefused(await polling.get(), 1);
}

const handshakes = {
  async 'Polling opens a session'(url) {
    const response = await fetch(`${url}${PATH}?EIO=4&transport=polling`);
    assert.equal(response.status, 200);
    const content = await response.text();
    assert.equal(content[0], '0');
    const { sid, ...rest } = JSON.parse(content.slice(1));
    assert.match(sid, /^[\w-]{20}$/);
    assert.deepEqual(rest, { upgrades: ['websocket'], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 });
  },
  async 'WebSocket opens a session that offers no upgrade'(url) {
    const socket = await openSocket(url);
    const { sid, ...rest } = socket.handshake;
    assert.match(sid, /^[\w-]{20}$/);
    assert.deepEqual(rest, { upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 });
    socket.close();
  },
  async 'Another revision is refused on both transports'(url) {
    for (const query of ['', 'EIO=&', 'EIO=abc&', 'EIO=3&', 'EIO=5&', 'EIO=44&', 'eio=4&']) {
      await expectRefused(await fetch(`${url}${PATH}?${query}transport=polling`), 5);
      assert.equal(await new Socket(url, PATH, `${query}transport=websocket`).end(), 1006, query);
    }
  },
  async 'Another transport is refused, by polling and by an upgrade request'(url) {
    for (const query of ['EIO=4', 'EIO=4&transport=', 'EIO=4&transport=abc', 'EIO=4&transport=Polling', 'EIO=4&transport=websockets']) {
      await expectRefused(await fetch(`${url}${PATH}?${query}`), 0);
      const socket = new Socket(url, PATH, query);
      assert.equal(await socket.end(), 1006, query);
      assert.match(String(socket.error), /400/);
    }
  },
  async 'Another method than GET opens nothing'(url) {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      await expectRefused(await fetch(`${url}${PATH}?EIO=4&transport=polling`, { method }), 2);
    }
  },
};

const messages = {
  async 'One text comes back in the next poll'(url) {
    const polling = await openPolling(url);
    const post = await polling.post('4hello');
    assert.equal(post.status, 200);
    assert.equal(await post.text(), 'ok');
    assert.deepEqual(await polling.packets(), ['4hello']);
  },
  async 'Several texts of one payload come back in one payload'(url) {
    const polling = await openPolling(url);
    const sent = ['4test1', '4test2', '4ü€😀', '4'];
    assert.equal((await polling.post(sent.join('\u001e'))).status, 200);
    assert.deepEqual(await polling.packets(), sent);
  },
  async 'Texts and bytes mix in a payload'(url) {
    const polling = await openPolling(url);
    const sent = ['4hello', 'bAQIDBA==', '4between', 'b'];
    assert.equal((await polling.post(sent.join('\u001e'))).status, 200);
    assert.deepEqual(await polling.packets(), sent);
  },
  async 'A pong that nobody asked for is ignored on both transports'(url) {
    const polling = await openPolling(url);
    assert.equal((await polling.post('3')).status, 200);
    assert.equal((await polling.post('4hello\u001e3')).status, 200);
    assert.deepEqual(await polling.packets(), ['4hello']);
    const socket = await openSocket(url);
    assert.equal(await socket.send('3', '4hello').next(), '4hello');
    socket.close();
  },
  async 'What is no packet is answered 400 and ends the session'(url) {
    for (const body of ['abc', '', '4a\u001e', '9', ' 4a']) {
      const polling = await openPolling(url);
      assert.equal((await polling.post(body)).status, 400, body);
      await expectGone(polling);
    }
  },
  async 'A second poll is refused, the first ends with a close, and the session is over'(url) {
    const polling = await openPolling(url);
    const first = await polling.pending();
    const second = await polling.get();
    assert.equal(second.status, 400);
    assert.equal(await second.text(), '');
    assert.deepEqual(await first.answer, { status: 200, text: '1' });
    await expectGone(polling);
  },
  async 'A text and bytes come back by WebSocket'(url) {
    const socket = await openSocket(url);
    assert.equal(await socket.send('4hello').next(), '4hello');
    assert.deepEqual(await socket.send(Buffer.from([1, 2, 3, 4])).next(), Buffer.from([1, 2, 3, 4]));
    assert.equal(await socket.send('4a\u001e4b').next(), '4a\u001e4b', 'a payload is nothing to a WebSocket');
    socket.close();
  },
  async 'What is no packet ends a WebSocket'(url) {
    for (const text of ['abc', '', '9']) assert.equal(await (await openSocket(url)).send(text).end(), 1005, text);
  },
  async 'A message of the limit passes on both transports, and one byte more on neither'(url) {
    const most = `4${'x'.repeat(999_999)}`;
    const socket = await openSocket(url);
    assert.equal((await socket.send(most).next()).length, 1_000_000);
    assert.equal(await socket.send(`${most}x`).end(), 1009);
    const polling = await openPolling(url);
    assert.equal((await polling.post(`${most}x`)).status, 413);
    assert.equal((await polling.post(most)).status, 200);
    assert.equal((await polling.packets())[0].length, 1_000_000);
  },
};

const closes = {
  async 'A close by POST answers the poll with noop, and the session is over'(url) {
    const polling = await openPolling(url);
    const poll = await polling.pending();
    assert.equal((await polling.post('1')).status, 200);
    assert.deepEqual(await poll.answer, { status: 200, text: '6' });
    await expectGone(polling);
  },
  async 'A close by WebSocket closes it'(url) {
    assert.equal(await (await openSocket(url)).send('1').end(), 1005);
  },
};

const upgrades = {
  async 'Polling becomes a WebSocket'(url) {
    const { socket } = await upgraded(url);
    assert.equal(await socket.send('4hello').next(), '4hello');
    socket.close();
  },
  async 'A poll that is pending at the probe, and one that comes after it, end with noop'(url) {
    const polling = await openPolling(url);
    const pending = await polling.pending();
    const socket = await new Socket(url, PATH, `EIO=4&transport=websocket&sid=${polling.handshake.sid}`).opened();
    assert.equal(await socket.send('2probe').next(), '3probe');
    assert.equal((await pending.answer).text, '6');
    assert.deepEqual(await polling.packets(), ['6']);
    assert.equal(await socket.send('5', '4hello').next(), '4hello');
    socket.close();
  },
  async 'HTTP with the sid of an upgraded session is refused, right behind the 5, and disturbs nothing'(url) {
    const { polling, socket } = await upgraded(url);
    const answers = await Promise.all([polling.get(), polling.post('4late')]);
    for (const answer of answers) await expectRefused(answer, 3);
    assert.equal(await socket.send('4hello').next(), '4hello');
    socket.close();
  },
  async 'A WebSocket with the sid of an upgraded session is closed, and disturbs nothing'(url) {
    const { polling, socket } = await upgraded(url);
    const second = new Socket(url, PATH, `EIO=4&transport=websocket&sid=${polling.handshake.sid}`);
    assert.equal(await second.end(), 1005);
    assert.equal(await socket.send('4hello').next(), '4hello');
    socket.close();
  },
};

suiteOnEcho('Handshakes', RAW, handshakes);
suiteOnEcho('Messages', RAW, messages);
suiteOnEcho('Closes', RAW, closes);
suiteOnEcho('Upgrades', [...RAW, '--io_threads=2'], upgrades);

// Answering in time is the client's part: a machine under load gets more of it than 200 ms.
suiteOnEcho('Pings', [...RAW, `--ping_interval_ms=${PING_INTERVAL_MS}`, '--ping_timeout_ms=10000'], {
  async 'By polling each pong is followed by the next ping'(url) {
    let begin = performance.now();
    const polling = await openPolling(url);
    for (let pings = 0; pings < 3; pings += 1) {
      assert.deepEqual(await polling.packets(), ['2']);
      assert.ok(performance.now() - begin >= PING_INTERVAL_MS, 'an interval after the pong');
      begin = performance.now();
      assert.equal((await polling.post('3')).status, 200);
    }
  },
  async 'By WebSocket each pong is followed by the next ping'(url) {
    let begin = performance.now();
    const socket = await openSocket(url);
    for (let pings = 0; pings < 3; pings += 1) {
      assert.equal(await socket.next(), '2');
      assert.ok(performance.now() - begin >= PING_INTERVAL_MS, 'an interval after the pong');
      begin = performance.now();
      socket.send('3');
    }
    socket.close();
  },
});

// How long after its deadline a session that never answers is seen to end: the shortest of many, in milliseconds. A
// machine under load is late: it is asked again, a while. `open`: {answered, ended}.
async function leastLateness(open) {
  const giveUp = performance.now() + 20_000;
  let least = Infinity;
  const one = async () => {
    const asked = performance.now();
    const session = await open();
    if ((await session.ended) === 'missed') return;
    assert.ok(performance.now() - asked >= PING_INTERVAL_MS + PING_TIMEOUT_MS, 'never before the deadline');
    least = Math.min(least, performance.now() - session.answered - PING_INTERVAL_MS - PING_TIMEOUT_MS);
  };
  while (least > LATE_MS_MAX && performance.now() < giveUp) await Promise.all([one(), one(), one(), one()]);
  return least;
}

suiteOnEcho('Ping timeouts',
  [...RAW, `--ping_interval_ms=${PING_INTERVAL_MS}`, `--ping_timeout_ms=${PING_TIMEOUT_MS}`], {
    async 'A WebSocket that never answers is closed at its deadline'(url) {
      const late = await leastLateness(async () => {
        const socket = await openSocket(url);
        return { answered: performance.now(), ended: socket.end() };
      });
      assert.ok(late < LATE_MS_MAX, `${late} ms late, at best`);
    },
    async 'A poll that is pending at the deadline is answered with a close'(url) {
      const late = await leastLateness(async () => {
        const polling = await openPolling(url);
        const answered = performance.now();
        const first = await polling.packets();
        const last = first[0] === '2' ? await polling.packets() : first;
        // A machine under load polls too late.
        if (last[0].includes('unknown')) return { answered, ended: 'missed' };
        assert.deepEqual([first, last], [['2'], ['1']]);
        return { answered, ended: true };
      });
      assert.ok(late < LATE_MS_MAX, `${late} ms late, at best`);
    },
    async 'A session that nobody polls is gone after its deadline'(url) {
      const polling = await openPolling(url);
      await new Promise((resolve) => { setTimeout(resolve, PING_INTERVAL_MS + PING_TIMEOUT_MS + 1); });
      // A server under load is late, and answers what it has.
      await until(async () => (await polling.get()).status === 400, 'the session is gone');
      await expectGone(polling);
    },
  });
