// The examples of README.md, as they stand but for the address.
import { Program, testOn } from '../support/processes.mjs';
import { example, replace, Workspace } from './page_examples.mjs';
import { events, publisherTo } from './publisher.mjs';

const LANGUAGES = {
  javascript: { file: 'example.mjs', command: process.execPath, flags: [] },
  python: { file: 'example.py', command: '/usr/bin/python3', flags: ['-u'] },
};

for (const [language, { file, command, flags }] of Object.entries(LANGUAGES)) {
  testOn('serve', `The README's ${language} subscribes`, async (deployment) => {
    const code = replace(example('README.md', language, 'my-session'), {
      'http://localhost:3000': deployment.url,
    });
    const workspace = deployment.closeFirst(new Workspace({ [file]: code }));
    const running = new Program(command, [...flags, workspace.file(file)]);
    deployment.closeFirst({ close: () => running.signal('SIGKILL') });
    await deployment.edge.line(/subscribed to session my-session/);
    await publisherTo(deployment).publish('my-session', events.progress(45));
    await running.line(/^45% PROCESSING$/);
  });
}
