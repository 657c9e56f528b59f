// `sessioncast token`, checked by another library than the one that signs: Node's own crypto.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { program, run } from '../support/processes.mjs';

const USAGE = 2;
const SECRET = 'x'.repeat(32);

const pem = { type: 'pkcs8', format: 'pem' };
const KEYS = {
  HS256: {
    file: `${SECRET}\n`,
    isGood: (text, signature) =>
      createHmac('sha256', SECRET).update(text).digest('base64url') === signature,
  },
  RS256: pair('rsa', { modulusLength: 2048 }),
  ES256: pair('ec', { namedCurve: 'P-256' }),
};

function pair(type, options) {
  const { privateKey, publicKey } = generateKeyPairSync(type, options);
  return {
    file: privateKey.export(pem),
    isGood: (text, signature) =>
      verify('sha256', text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')),
  };
}

const decoded = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());

test('Each algorithm signs what the flags say', async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'sessioncast-token-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const sign = (key, ...flags) => run(program('sessioncast'), ['token', `--key=${key}`, ...flags]);
  for (const [algorithm, { file, isGood }] of Object.entries(KEYS)) {
    const name = path.join(directory, algorithm);
    writeFileSync(name, file);
    const { code, output } = await sign(
      `main:${algorithm}:${name}`,
      '--subject=me',
      '--session=job-1',
      '--session=team-*',
      '--verb=view',
      '--verb=answer',
      '--lifetime_s=60',
      '--issuer=us',
      '--audience=them',
    );
    assert.equal(code, 0, output);
    const [header, claims, signature] = output.trim().split('.');
    assert.deepEqual(decoded(header), { alg: algorithm, kid: 'main', typ: 'JWT' });
    const { iat, exp, ...rest } = decoded(claims);
    assert.deepEqual(rest, {
      sub: 'me',
      sessions: ['job-1', 'team-*'],
      verbs: ['view', 'answer'],
      iss: 'us',
      aud: 'them',
    });
    assert.equal(exp - iat, 60);
    assert.ok(Math.abs(iat - Date.now() / 1000) < 60);
    assert.ok(isGood(`${header}.${claims}`, signature), algorithm);
  }
  const hs = path.join(directory, 'HS256');
  for (const [key, flags, said] of [
    [`main:RS256:${hs}`, [], /is no private key in PEM/],
    [`main:HS256:${path.join(directory, 'none')}`, [], /cannot read/],
    ['main', [], /KID:ALGORITHM:FILE/],
    [`main:HS256:${hs}`, ['--verb=fly'], /fly/],
    [`main:HS256:${hs}`, ['--lifetime_s=0'], /lifetime_s/],
    [`main:HS256:${hs}`, Array.from({ length: 300 }, (_, i) => `--session=a-session-${i}`), /prefix/],
  ]) {
    const refused = await sign(key, ...flags);
    assert.equal(refused.code, USAGE, refused.output);
    assert.match(refused.output, said);
  }
});
