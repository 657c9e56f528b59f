// engine.io-client against the engine alone.
import assert from 'node:assert/strict';

import { Socket } from 'engine.io-client';

import { next, testOnEcho } from './echo.mjs';

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  testOnEcho(`engine.io-client gets its texts and bytes back by ${transports.join(', then ')}`,
    ['--raw_engineio', '--path=/engine.io/'], async (url) => {
      const socket = new Socket(url, { transports });
      try {
        await next(socket, 'open');
        if (transports.length > 1) await next(socket, 'upgrade');
        const texts = ['a', 'ü€😀', 'x'.repeat(100_000), 'a\u001eb'];
        for (const text of transports.includes('websocket') ? texts : texts.slice(0, 3)) {
          const answer = next(socket, 'message');
          socket.send(text);
          assert.deepEqual(await answer, [text]);
        }
        const bytes = Buffer.from([0, 1, 2, 255]);
        const answer = next(socket, 'message');
        socket.send(bytes);
        assert.deepEqual(Buffer.from((await answer)[0]), bytes);
        const closed = next(socket, 'close');
        socket.close();
        assert.equal((await closed)[0], 'forced close');
      } finally {
        socket.close();
      }
    });
}
