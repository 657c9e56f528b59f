// A page of an example in Chromium: what it is bundled from, served on a port that the system picks.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

import { Browser, text } from '../e2e/page_browser.mjs';
import { ROOT, run } from '../support/processes.mjs';

const esbuild = createRequire(path.join(ROOT, 'examples/react/package.json'))('esbuild');

// The script, compiled and bundled with what it imports.
export async function bundled(options) {
  const { outputFiles } = await esbuild.build({ bundle: true, write: false, jsx: 'automatic', format: 'esm', ...options });
  return outputFiles[0].text;
}

// tsc as a user runs it; fails with what it says.
export async function compile(args, cwd) {
  const tsc = path.join(ROOT, 'examples/react/node_modules/typescript/bin/tsc');
  const { code, output } = await run(process.execPath, [tsc, ...args], { cwd, ms: 600_000 });
  if (code !== 0) throw new Error(`tsc ${args.join(' ')}\n${output}`);
}

// Opens `html`, whose `dist/main.js` is `script`, for the deployment's lifetime. Errors that the page throws are in `problems`.
export async function open(deployment, { html, script, query = '' }) {
  const server = createServer((request, response) => {
    const isScript = request.url.startsWith('/dist/main.js');
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : html);
  }).listen(0, 'localhost');
  await once(server, 'listening');
  deployment.closeFirst(server);
  const browser = await Browser.start();
  deployment.closeFirst({ close: () => browser.close().catch(() => {}) });
  const page = await browser.open(`http://localhost:${server.address().port}/${query}`);
  return { page, problems: page.problems };
}

export const shows = text;
