// --web_root: somebody's own page in place of ours, on the doors that ours uses.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { program, run, testOnBoth } from '../support/processes.mjs';

const base = mkdtempSync(path.join(os.tmpdir(), 'sessioncast-web-root-'));
const root = path.join(base, 'root');
test.after(() => rmSync(base, { recursive: true, force: true }));
mkdirSync(path.join(root, 'assets'), { recursive: true });
writeFileSync(path.join(base, 'secret.txt'), 'secret');
writeFileSync(path.join(root, 'index.html'), '<h1>mine</h1>');
writeFileSync(path.join(root, '.env'), 'secret');
writeFileSync(path.join(root, 'healthz'), 'mine');
writeFileSync(path.join(root, 'assets/app.js'), 'mine()');
writeFileSync(path.join(root, 'assets/a b.svg'), '<svg/>');

// The path as it is, which fetch would tidy.
function getRaw(deployment, target) {
  return new Promise((resolve, reject) => {
    request({ port: deployment.httpPort, host: 'localhost', path: target }, (response) => {
      let text = '';
      response.on('data', (data) => (text += data));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    })
      .on('error', reject)
      .end();
  });
}

testOnBoth(
  'Files of --web_root are served with their types, and nothing that is not in it',
  async (deployment) => {
    for (const [target, text, type] of [
      ['/', '<h1>mine</h1>', 'text/html; charset=utf-8'],
      ['/index.html', '<h1>mine</h1>', 'text/html; charset=utf-8'],
      ['/assets/app.js', 'mine()', 'text/javascript; charset=utf-8'],
      ['/assets/app.js?v=2', 'mine()', 'text/javascript; charset=utf-8'],
      ['/assets/a%20b.svg', '<svg/>', 'image/svg+xml'],
    ]) {
      const { status, headers, text: got } = await getRaw(deployment, target);
      assert.deepEqual([status, got, headers['content-type']], [200, text, type], target);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['content-security-policy'], undefined, 'what a page of others may do is theirs to say');
    }
    for (const target of [
      '/../secret.txt',
      '/assets/../../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/assets/..%5c..%5csecret.txt',
      '//secret.txt',
      `/${base}/secret.txt`,
      '/.env',
      '/assets',
      '/assets/',
      '/page.js',
    ]) {
      const { status, text } = await getRaw(deployment, target);
      assert.equal(status, 404, `${target}: ${text}`);
      assert.ok(!text.includes('secret'), target);
    }
    // Its own doors stay.
    assert.match((await getRaw(deployment, '/healthz')).text, /^\{"ok":true,"version":"\d+\.\d+\.\d+"\}$/);
    assert.equal((await getRaw(deployment, '/api/wizard/sessions')).status, 200);
    assert.equal((await getRaw(deployment, '/socket.io/socket.io.js')).status, 200);
    const posted = await fetch(`${deployment.url}/assets/app.js`, { method: 'POST' });
    assert.equal(posted.status, 405);
  },
  { edgeFlags: [`--web_root=${root}`] },
);

test('A directory that cannot be served ends the start, which names the flag', async () => {
  const edge = program('sessioncast-edge');
  const start = (...flags) => run(edge, ['--http_listen=localhost:0', ...flags]);
  const missing = await start(`--web_root=${base}/nothing`);
  assert.equal(missing.code, 1);
  assert.match(missing.output, /--web_root=\S+\/nothing: No such file or directory/);
  const without = await start(`--web_root=${base}`);
  assert.equal(without.code, 1);
  assert.match(without.output, /--web_root=\S+: there is no index\.html in it/);
  const tooBig = await start(`--web_root=${root}`, '--web_root_bytes_max=20');
  assert.equal(tooBig.code, 1);
  assert.match(tooBig.output, /more than 20 bytes \(--web_root_bytes_max\)/);
  symlinkSync('../secret.txt', path.join(root, 'out.txt'));
  const linked = await start(`--web_root=${root}`);
  assert.equal(linked.code, 1);
  assert.match(linked.output, /--web_root=\S+: out\.txt: a link that leads out of it/);
});
