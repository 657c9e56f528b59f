// Socket.IO v5 as the protocol's own suite asks for it, by ws and fetch.
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';

import { suiteOnEcho } from './echo.mjs';
import { Polling, Socket } from './packets.mjs';

const PATH = '/socket.io/';
const CONNECT_TIMEOUT_MS = 1_500;
const hasIpv6 = Object.values(networkInterfaces()).flat().some(({ address }) => address === '::1');

// A websocket that has read its open packet; it sends and reads Socket.IO's packets, without the 4.
async function open(url) {
  const socket = new Socket(url, PATH);
  assert.equal((await socket.next())[0], '0');
  return socket;
}

// One that is a member of "/" and has read what it is greeted with.
async function join(url) {
  const socket = await open(url);
  await expectJoined(socket.send('40'), '40', '42["auth",{}]');
  return socket;
}

async function expectJoined(socket, prefix, greeting) {
  const packet = await socket.next();
  assert.equal(packet.slice(0, prefix.length), prefix);
  const payload = JSON.parse(packet.slice(prefix.length));
  assert.deepEqual(Object.keys(payload), ['sid']);
  assert.match(payload.sid, /^[\w-]{20}$/);
  assert.equal(await socket.next(), greeting);
  return payload.sid;
}

async function expectEcho(socket) {
  assert.equal(await socket.send('42["message",1]').next(), '42["message-back",1]');
}

const connects = {
  async 'To the main namespace, without and with a payload'(url) {
    await expectJoined((await open(url)).send('40'), '40', '42["auth",{}]');
    await expectJoined((await open(url)).send('40{"token":"123"}'), '40', '42["auth",{"token":"123"}]');
  },
  async 'To a custom namespace, without and with a payload'(url) {
    await expectJoined((await open(url)).send('40/custom,'), '40/custom,', '42/custom,["auth",{}]');
    await expectJoined((await open(url)).send('40/custom'), '40/custom,', '42/custom,["auth",{}]');
    await expectJoined((await open(url)).send('40/custom,{"token":"abc"}'), '40/custom,', '42/custom,["auth",{"token":"abc"}]');
  },
  async 'To both, with ids of their own'(url) {
    const socket = await open(url);
    const ids = [await expectJoined(socket.send('40'), '40', '42["auth",{}]'),
      await expectJoined(socket.send('40/custom,'), '40/custom,', '42/custom,["auth",{}]')];
    assert.notEqual(ids[0], ids[1]);
  },
  async 'To a namespace that does not exist is refused, and the connection stays'(url) {
    const socket = await open(url);
    assert.equal(await socket.send('40/random').next(), '44/random,{"message":"Invalid namespace"}');
    assert.equal(await socket.send('40/custom?token=1,').next(), '44/custom?token=1,{"message":"Invalid namespace"}');
    await expectJoined(socket.send('40'), '40', '42["auth",{}]');
  },
  async 'With what is no CONNECT closes the connection'(url) {
    for (const packet of ['4abc', '4', '42["message"]', '41', '43[]', '44{}', '40[]', '40null', '40"a"', '40{', '40custom,']) {
      assert.equal(await (await open(url)).send(packet).end(), 1005, packet);
    }
  },
  async 'Twice to one namespace closes the connection'(url) {
    assert.equal(await (await join(url)).send('40').end(), 1005);
  },
  async 'And an event in one payload are both handled'(url) {
    const polling = await Polling.open(url, PATH);
    assert.equal((await polling.post('40\u001e42["message",1]')).status, 200);
    const packets = await polling.packets();
    assert.equal(packets[0].slice(0, 3), '40{');
    assert.deepEqual(packets.slice(1), ['42["auth",{}]', '42["message-back",1]']);
  },
};

const disconnects = {
  async 'From the main namespace leaves the connection, for another to join or to join again'(url) {
    const socket = await join(url);
    await expectJoined(socket.send('41', '40/custom,'), '40/custom,', '42/custom,["auth",{}]');
    await expectJoined(socket.send('40'), '40', '42["auth",{}]');
    await expectEcho(socket);
  },
  async 'From a custom namespace leaves the others'(url) {
    const socket = await join(url);
    await expectJoined(socket.send('40/custom,'), '40/custom,', '42/custom,["auth",{}]');
    await expectEcho(socket.send('41/custom,'));
  },
  async 'And an event to the namespace after it closes the connection'(url) {
    assert.equal(await (await join(url)).send('41', '42["message",1]').end(), 1005);
  },
};

const events = {
  async 'Any arguments come back, in an event and in an ack'(url) {
    const socket = await join(url);
    for (const values of ['1,"2",{"3":[true]}', 'null,[],{},-1.5', '"ü€😀\\n\\u001e"', '']) {
      const rest = values && `,${values}`;
      assert.equal(await socket.send(`42["message"${rest}]`).next(), `42["message-back"${rest}]`);
      assert.equal(await socket.send(`42456["message-with-ack"${rest}]`).next(), `43456[${values}]`);
    }
  },
  async 'Bytes come back, in an event and in an ack'(url) {
    const socket = await join(url);
    const holders = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
    for (const [sent, received] of [[`452-["message",${holders}]`, `452-["message-back",${holders}]`],
      [`452-789["message-with-ack",${holders}]`, `462-789[${holders}]`]]) {
      socket.send(sent, Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6]));
      assert.equal(await socket.next(), received);
      assert.deepEqual([await socket.next(), await socket.next()], [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])]);
    }
  },
  async 'Bytes come back by polling, in a payload or in several'(url) {
    const polling = await Polling.open(url, PATH);
    await polling.post('40');
    await polling.packets();
    const holder = '{"_placeholder":true,"num":0}';
    for (const posts of [[`451-["message",${holder}]\u001ebAQI=`], [`451-["message",${holder}]`, 'bAQI=']]) {
      for (const body of posts) assert.equal((await polling.post(body)).status, 200);
      assert.deepEqual(await polling.packets(), [`451-["message-back",${holder}]`, 'bAQI=']);
    }
  },
  async 'Packets of another form close the connection'(url) {
    for (const packet of ['4abc', '49', '42', '42{}', '42[]', '42[null]', '42[{}]', '42"a"', '42["a"', '42["a"]b', '42["disconnect"]',
      '42abc["message-with-ack",1]', '42-1["message"]', '43', '43{}', '44{"message":"no"}', '41[]',
      '450-["message"]', '45-["message"]', '45a-["message"]', '45["message"]', '4511-["message"]', '42/other,["message"]']) {
      assert.equal(await (await join(url)).send(packet).end(), 1005, packet);
    }
  },
  async 'Attachments where none are due, and none where they are, close the connection'(url) {
    assert.equal(await (await join(url)).send(Buffer.from([1])).end(), 1005);
    const header = '451-["message",{"_placeholder":true,"num":0}]';
    assert.equal(await (await join(url)).send(header, '42["message"]').end(), 1005);
    assert.equal(await (await join(url)).send(header.replace('0}', '1}'), Buffer.from([1])).end(), 1005);
  },
};

suiteOnEcho('A client connects', [], connects);
suiteOnEcho('A client disconnects', [], disconnects);
suiteOnEcho('A client sends and receives', [], events);

suiteOnEcho('A client that does not connect in time', [`--connect_timeout_ms=${CONNECT_TIMEOUT_MS}`], {
  async 'is closed, also if it was refused'(url) {
    const begin = performance.now();
    const [idle, refused] = [await open(url), (await open(url)).send('40/random')];
    assert.equal((await refused.next()).slice(0, 2), '44');
    for (const socket of [idle, refused]) assert.equal(await socket.end(), 1005);
    assert.ok(performance.now() - begin >= CONNECT_TIMEOUT_MS);
  },
  async 'stays if it has connected once, even if it left'(url) {
    const socket = (await join(url)).send('41');
    const other = await open(url);
    await other.end();
    await expectJoined(socket.send('40'), '40', '42["auth",{}]');
  },
});

suiteOnEcho('A server under another path', ['--path=/my/path'], {
  async 'is there, with a slash behind it, and nowhere else'(url) {
    assert.equal((await fetch(`${url}/my/path/?EIO=4&transport=polling`)).status, 200);
    assert.equal((await fetch(`${url}/my/path?EIO=4&transport=polling`)).status, 404);
    assert.equal((await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).status, 404);
  },
});

suiteOnEcho('A server on localhost', [], {
  async 'is there by both address families'(url, port) {
    for (const host of hasIpv6 ? ['127.0.0.1', '[::1]'] : ['127.0.0.1']) {
      assert.equal((await fetch(`http://${host}:${port}${PATH}?EIO=4&transport=polling`)).status, 200);
    }
  },
});

suiteOnEcho('A server with another limit', ['--max_payload_bytes=1000'], {
  async 'announces it and keeps it'(url) {
    const polling = await Polling.open(url, PATH);
    assert.equal(polling.handshake.maxPayload, 1000);
    const connect = (bytes) => `40{"a":"${'x'.repeat(bytes - 10)}"}`;
    assert.equal((await polling.post(connect(1001))).status, 413);
    assert.equal((await polling.post(connect(1000))).status, 200);
    assert.equal((await polling.packets())[0].slice(0, 3), '40{');
    assert.equal(await (await open(url)).send(connect(1001)).end(), 1009);
    assert.equal((await (await open(url)).send(connect(1000)).next()).slice(0, 3), '40{');
  },
});
