// The Debian package, made of the programs that are built: what is in it, its units, and their command lines run by a user
// without privileges. `tools/package --try` installs, upgrades and removes it in a bare Debian.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';

import { Program, ROOT, run, until } from '../support/processes.mjs';

const BIN = process.env.SESSIONCAST_BIN ?? path.join(ROOT, 'build/dev/bin');
const VERSION = '0.1.0~test';
const UNITS = ['sessioncast-control.service', 'sessioncast-edge.service', 'sessioncast-edge@.service'];
// Of 10, by systemd-analyze, which calls it OK below 4; times 10.
const EXPOSURE_MAX = 20;
const NOBODY = 65_534;

const directory = mkdtempSync(path.join(tmpdir(), 'sessioncast-package-'));
const root = path.join(directory, 'root'); // the package, unpacked
const control = path.join(directory, 'control'); // its control files
let listing = '';
after(() => rmSync(directory, { recursive: true, force: true }));

async function succeed(command, args) {
  const { code, output } = await run(command, args, { ms: 120_000 });
  assert.equal(code, 0, `${command} ${args.join(' ')}\n${output}`);
  return output;
}

before(async () => {
  chmodSync(directory, 0o755);
  await succeed(path.join(ROOT, 'tools/package'), [`--version=${VERSION}`, `--build=${path.dirname(BIN)}`,
    `--out=${directory}`, '--compression=none', '--libraries=no']);
  const [file] = readdirSync(directory).filter((name) => name.endsWith('.deb'));
  const deb = path.join(directory, file);
  assert.match(file, /^sessioncast_0\.1\.0~test_\w+\.deb$/);
  await succeed('dpkg-deb', ['-x', deb, root]);
  await succeed('dpkg-deb', ['-e', deb, control]);
  listing = await succeed('dpkg-deb', ['-c', deb]);
  // Where the unpacked units are to be run from.
  for (const unit of UNITS) {
    const unitFile = path.join(root, 'usr/lib/systemd/system', unit);
    writeFileSync(path.join(directory, unit), readFileSync(unitFile, 'utf8').replaceAll('/usr/bin/', `${root}/usr/bin/`));
  }
});

const unitText = (unit) => readFileSync(path.join(directory, unit), 'utf8');

test('The package has the programs, units, flags and documents, all of them root\'s, and no more rights than needed', () => {
  const files = [...listing.matchAll(/^(-\S+) root\/root +\d+ \S+ \S+ \.(\S+)$/gm)].map(([, mode, name]) => ({ mode, name }));
  assert.equal(files.length, listing.split('\n').filter((line) => !line.startsWith('d')).length, listing);
  for (const { mode, name } of files) {
    assert.equal(mode, name.startsWith('/usr/bin/') ? '-rwxr-xr-x' : '-rw-r--r--', name);
  }
  const names = files.map(({ name }) => name);
  for (const name of [
    ...['', '-control', '-edge'].map((part) => `/usr/bin/sessioncast${part}`),
    ...UNITS.map((unit) => `/usr/lib/systemd/system/${unit}`),
    ...['OPERATIONS.md', 'operations/nginx.conf', 'operations/haproxy.cfg'].map((name) => `/usr/share/doc/sessioncast/${name}`),
    '/usr/share/sessioncast/proto/sessioncast/v1/session_service.proto',
  ]) {
    assert.ok(names.includes(name), name);
  }
  const conffiles = readFileSync(path.join(control, 'conffiles'), 'utf8').trim().split('\n').sort();
  assert.deepEqual(conffiles, names.filter((name) => name.startsWith('/etc/')).sort());
});

test('Its version is as asked for, and its scripts are shell', async () => {
  const about = readFileSync(path.join(control, 'control'), 'utf8');
  assert.match(about, new RegExp(`^Version: ${VERSION}$`, 'm'));
  assert.match(about, /^Depends: .*\badduser\b/m);
  for (const script of ['postinst', 'prerm', 'postrm']) {
    assert.equal(statSync(path.join(control, script)).mode & 0o777, 0o755);
    await succeed('sh', ['-n', path.join(control, script)]);
  }
});

test('systemd understands the units, and has little to fear of them', async () => {
  for (const unit of UNITS) {
    const file = path.join(directory, unit.replace('@.', '@a.'));
    writeFileSync(file, unitText(unit));
    const { code, output } = await run('systemd-analyze', ['verify', '--man=no', file]);
    const complaints = output.split('\n').filter((line) => line.includes('sessioncast'));
    assert.deepEqual([code, complaints], [0, []], output);
    await succeed('systemd-analyze', ['security', '--no-pager', '--offline=true', `--threshold=${EXPOSURE_MAX}`, file]);
  }
});

test('The command lines of the units run as they are, by a user without privileges', { timeout: 90_000 }, async () => {
  const state = path.join(directory, 'state');
  mkdirSync(state);
  // The checkout may be root's alone.
  const suppressions = path.join(directory, 'leaks_of_libraries.txt');
  copyFileSync(path.join(ROOT, 'tests/support/leaks_of_libraries.txt'), suppressions);
  chmodSync(suppressions, 0o644);
  const env = { ...process.env, LSAN_OPTIONS: `suppressions=${suppressions}:print_suppressions=0` };
  const user = process.getuid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (user.uid) await succeed('chown', [`${NOBODY}:${NOBODY}`, state]);
  // The files of flags as they are but for ports and directories.
  const start = (unit, replacements) => {
    const [, line] = unitText(unit).match(/^ExecStart=(.*)$/m);
    const [command, ...args] = line.replaceAll('%i', 'a').split(' ');
    const at = args.indexOf('--config') + 1;
    const flags = readFileSync(path.join(root, args[at].replace('edge-a.conf', 'edge.conf')), 'utf8');
    args[at] = path.join(directory, path.basename(args[at]));
    writeFileSync(args[at], Object.entries(replacements).reduce((text, [from, to]) => {
      assert.ok(text.includes(from), from);
      return text.replace(from, to);
    }, flags));
    return new Program(command, args, { ...user, env });
  };
  const running = [];
  try {
    const orders = start('sessioncast-control.service', {
      'localhost:50051': 'localhost:0', 'localhost:9101': 'localhost:0', '/var/lib/sessioncast': state });
    running.push(orders);
    const [, grpcPort] = await orders.line(/control listening on 127\.0\.0\.1:(\d+)/);
    for (const unit of ['sessioncast-edge.service', 'sessioncast-edge@.service']) {
      const edge = start(unit, {
        'localhost:3000': 'localhost:0', 'localhost:9102': 'localhost:0', 'localhost:50051': `localhost:${grpcPort}`, 'drain_ms=2000': 'drain_ms=0' });
      running.unshift(edge);
      const [, port] = await edge.line(/edge listening on 127\.0\.0\.1:(\d+)/);
      const url = `http://127.0.0.1:${port}`;
      await until(async () => (await fetch(`${url}/readyz`)).status === 200, `${unit} is ready`);
      const opened = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text();
      assert.match(opened, unit.includes('@') ? /"sid":"[\w-]{20}\.a"/ : /"sid":"[\w-]{20}"/);
    }
    assert.deepEqual(readdirSync(state), ['store']);
    for (const started of running) await started.stop();
  } finally {
    for (const started of running) if (!started.exit) await started.kill();
  }
});

test('A name in a file of flags that is not one of them is an error that names it', async () => {
  const file = path.join(directory, 'wrong.conf');
  writeFileSync(file, 'grpc_lisen=localhost:0\n');
  for (const name of ['sessioncast-control', 'sessioncast-edge']) {
    const { code, output } = await run(path.join(root, 'usr/bin', name), ['--config', file]);
    assert.equal(code, 2, output);
    assert.match(output, /grpc_lisen/);
  }
});
