// Keys and tokens (JWT) made by Node's own crypto: good ones, and what an attacker makes of them.
import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
export const now = () => Math.floor(Date.now() / 1000);

const hmac = (secret) => (text) => createHmac('sha256', secret).update(text).digest('base64url');
const signature = (key) => (text) =>
  createSign('sha256').update(text).sign({ key, dsaEncoding: 'ieee-p1363' }, 'base64url');

// A token of these claims, signed by whatever function.
export function sign(header, claims, signed) {
  const text = `${base64url({ typ: 'JWT', ...header })}.${base64url(claims)}`;
  return `${text}.${signed(text)}`;
}

const publicPem = ({ publicKey }) => publicKey.export({ type: 'spki', format: 'pem' });

// Keys of a deployment, in a directory that goes with close(): a secret `hs`, pairs `rs` and `es`.
export class Keys {
  constructor() {
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'sessioncast-keys-'));
    this.rs = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.es = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.foreign = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.write('rs', publicPem(this.rs));
    this.write('es', publicPem(this.es));
    this.setSecret('the secret of this deployment, of 32 bytes or more');
  }

  file(name) {
    return path.join(this.directory, name);
  }

  write(name, text) {
    writeFileSync(this.file(name), text);
  }

  setSecret(secret) {
    this.secret = secret;
    this.write('hs', secret);
  }

  get flags() {
    return [
      ...['hs:HS256', 'rs:RS256', 'es:ES256'].map(
        (key) => `--token_key=${key}:${this.file(key.slice(0, 2))}`,
      ),
      '--token_issuer=us',
      '--token_audience=sessioncast',
    ];
  }

  claims(more = {}) {
    return { iss: 'us', aud: 'sessioncast', sub: 'me', iat: now(), exp: now() + 600, ...more };
  }

  good(more = {}, kid = 'hs') {
    const claims = this.claims(more);
    if (kid === 'rs') return sign({ alg: 'RS256', kid }, claims, signature(this.rs.privateKey));
    if (kid === 'es') return sign({ alg: 'ES256', kid }, claims, signature(this.es.privateKey));
    return sign({ alg: 'HS256', kid }, claims, hmac(this.secret));
  }

  // Everything that is no token of ours, by what it is; but for the flaw it would allow `claims`.
  bad(claims) {
    const good = this.good(claims);
    const [header, , signed] = good.split('.');
    const all = this.claims(claims);
    return {
      garbage: 'garbage',
      'an empty string': '',
      expired: this.good({ ...claims, exp: now() - 1 }),
      'without an expiry': this.good({ ...claims, exp: undefined }),
      'not valid yet': this.good({ ...claims, nbf: now() + 300 }),
      'of another issuer': this.good({ ...claims, iss: 'them' }),
      'for another audience': this.good({ ...claims, aud: 'another' }),
      'alg none': sign({ alg: 'none', kid: 'hs' }, all, () => ''),
      'HS256 made with the public key': sign(
        { alg: 'HS256', kid: 'rs' },
        all,
        hmac(publicPem(this.rs)),
      ),
      're-signed with a foreign key': sign(
        { alg: 'RS256', kid: 'rs' },
        all,
        signature(this.foreign.privateKey),
      ),
      're-signed with another secret': sign({ alg: 'HS256', kid: 'hs' }, all, hmac('x'.repeat(40))),
      'of a key that is unknown': sign({ alg: 'HS256', kid: 'old' }, all, hmac(this.secret)),
      'with other claims than were signed': `${header}.${base64url({ ...all, sub: 'root' })}.${signed}`,
      'cut short': good.slice(0, -5),
      'over 6 KiB': this.good({ ...claims, padding: 'x'.repeat(5000) }),
    };
  }

  close() {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
