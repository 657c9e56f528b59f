// The SDK as it is staged, and the npm packages that it is used with.
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { ROOT, until } from '../../support/processes.mjs';

export const STAGE = process.env.SESSIONCAST_SDK_JS ?? path.join(ROOT, 'build/dev/sdk_js');

export const requireFromSdk = createRequire(path.join(STAGE, 'package.json'));
export const importFromSdk = (file) => import(pathToFileURL(path.join(STAGE, 'dist', file)));

const { SessionClient } = await importFromSdk('index.js');

// A client of this deployment's edge that ends with the deployment.
export function clientOf(deployment, options, url = deployment.url) {
  return deployment.closeFirst(new SessionClient(url, options));
}

// Everything that a session gives, in order: [kind, sequence], and what else is asked for.
export function recorded(session) {
  const events = [];
  session.on('event', (event) => events.push(event));
  session.on('resync', (payload) => events.push({ kind: 'resync', payload }));
  return events;
}

export const sequences = (events, kind) =>
  events.filter((event) => !kind || event.kind === kind).map(({ payload }) => payload.sequence);

export const upTo = (last, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

export const live = (session) => until(() => session.connection === 'live', `session ${session.id} is live`);
