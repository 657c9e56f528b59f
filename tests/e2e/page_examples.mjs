// The code blocks of a page of docs/, as they stand.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import ts from 'typescript';

import { ROOT } from '../support/processes.mjs';

// The first block of that language whose code has `marker` in it; exactly one block may.
export function example(page, language, marker) {
  const text = readFileSync(path.join(ROOT, page), 'utf8');
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(
    ([, found, code]) => found === language && code.includes(marker),
  );
  if (blocks.length !== 1)
    throw new Error(
      `${page} has ${blocks.length} ${language} blocks with ${JSON.stringify(marker)}`,
    );
  return blocks[0][2];
}

// Replaces what must be there.
export function replace(code, replacements) {
  for (const [from, to] of Object.entries(replacements)) {
    if (!code.includes(from)) throw new Error(`the example has no ${JSON.stringify(from)}`);
    code = code.replaceAll(from, to);
  }
  return code;
}

// JavaScript of TypeScript: types are dropped, nothing else changes.
export function withoutTypes(code) {
  return ts.transpileModule(code, {
    compilerOptions: { target: 'ES2022', module: 'ESNext', removeComments: false },
  }).outputText;
}

// A directory with these files in which npm packages of the tests can be imported; gone after
// close().
export class Workspace {
  constructor(files) {
    this.path = mkdtempSync(path.join(tmpdir(), 'sessioncast-example-'));
    symlinkSync(path.join(ROOT, 'tests/e2e/node_modules'), path.join(this.path, 'node_modules'));
    for (const [name, text] of Object.entries(files)) writeFileSync(this.file(name), text);
  }

  file(name) {
    return path.join(this.path, name);
  }

  close() {
    rmSync(this.path, { recursive: true, force: true });
  }
}
