// The Python of docs/PROTOCOL.md with python-socketio: Debian's, and the newest. As it stands
// (polling, then the upgrade), and told to use one transport.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import path from 'node:path';

import { Program, ROOT, testOnBoth, within } from '../support/processes.mjs';
import { example, replace, Workspace } from './page_examples.mjs';
import { events, publisherTo } from './publisher.mjs';

const PYTHONS = {
  "Debian's": '/usr/bin/python3',
  'the newest': path.join(ROOT, '.cache/python/bin/python'),
};
const CONNECT_END = "socketio_path='/socket.io/')";
const TRANSPORTS = {
  'as it stands': CONNECT_END,
  'over websocket': "socketio_path='/socket.io/', transports=['websocket'])",
  'over polling': "socketio_path='/socket.io/', transports=['polling'])",
};

for (const [version, python] of Object.entries(PYTHONS)) {
  for (const [way, connectEnd] of Object.entries(TRANSPORTS)) {
    testOnBoth(`The Python example with ${version} python-socketio ${way}`, async (deployment) => {
      const publisher = publisherTo(deployment);
      const sessionId = randomUUID();
      const code = replace(example('docs/PROTOCOL.md', 'python', 'sio.wait()'), {
        'http://localhost:3000': deployment.url,
        'your-session-id': sessionId,
        [CONNECT_END]: connectEnd,
      });
      const workspace = deployment.closeFirst(new Workspace({ 'example.py': code }));
      const running = new Program(python, ['-u', workspace.file('example.py')]);
      deployment.closeFirst({ close: () => running.signal('SIGKILL') });

      await running.line(/^Connected to WebSocket$/);
      await deployment.edge.line(new RegExp(`subscribed to session ${sessionId}`));
      await publisher.publish(sessionId, events.progress(45));
      await running.line(/^Progress: 45%$/);
      await running.line(/^Status: PROCESSING$/);
      await publisher.publish(sessionId, events.result('llama3.1:8b', 'COMPLETED', 'Grüße'));
      await running.line(/^Model llama3\.1:8b: completed$/);
      await running.line(/^Result: Grüße$/);
      await publisher.publish(sessionId, events.completed({ ok: true }));
      await running.line(/^Session completed!$/);
      // It disconnects at the end, so it ends by itself.
      await within(20_000, () => `the example ends\n${running.tail()}`, running.ended);
      assert.deepEqual(running.exit, { code: 0, signal: null }, running.tail());
      assert.ok(!running.log.includes('Traceback'), running.tail());
    });
  }
}
