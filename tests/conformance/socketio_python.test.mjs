// python-socketio, as Debian has it.
import assert from 'node:assert/strict';
import path from 'node:path';

import { ROOT, run } from '../support/processes.mjs';
import { testOnEcho } from './echo.mjs';

for (const transports of ['polling', 'websocket', 'polling,websocket']) {
  testOnEcho(`python-socketio exchanges events, acks and binary by ${transports}`, [], async (url) => {
    const { code, output } = await run('/usr/bin/python3', [path.join(ROOT, 'tests/conformance/python_client.py'), url, transports]);
    assert.equal(code, 0, output);
  });
}

for (const transports of ['polling', 'websocket']) {
  testOnEcho(`python-socketio, which knows nothing of recovery, is unharmed by it by ${transports}`, ['--recovery'], async (url) => {
    const { code, output } = await run('/usr/bin/python3', [path.join(ROOT, 'tests/conformance/python_client.py'), url, transports, '1']);
    assert.equal(code, 0, output);
  });
}
