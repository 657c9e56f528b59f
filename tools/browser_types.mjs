#!/usr/bin/env node
// tools/browser_types.mjs [--check]: writes client_sdk/js/src/events.generated.ts, the events as browsers see them, from proto/.
//
// Names are the proto's json_name, words its browser_word, comments its own. What edge/wire.cc does beside is in the tables
// below; tests/client_sdk/js holds the outcome to what a real server sends. --check only says whether the file is as it would
// be written, and exits 1 if not.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PROTO = 'sessioncast/v1/event.proto';
const OUTPUT = path.join(ROOT, 'client_sdk/js/src/events.generated.ts');
const BROWSER_WORD = 50111; // EnumValueOptions.browser_word

// --- What the edge shows otherwise than the proto has it: by full name, a field's is MESSAGE.FIELD.

const NAMES = { Error: 'SessionError' }; // JavaScript has an Error
const NOT_SHOWN = new Set(['Clarification.time_limit', 'Clarification.default_response']);
// Always there, though the proto lets publishers leave them out: control or the edge fills them in.
const ALWAYS = new Set([
  'Progress.prompts',
  'Progress.has_clarifications',
  'Progress.clarification_count',
  'Completed.result',
  'Custom.data',
]);
const TYPES = { 'Clarification.status': "'pending' | 'answered'", 'Error.final': 'true' };
const ONLY_WHEN_TRUE = new Set(['Error.final']);
// A custom event's name is the event's, not a field.
const IS_THE_NAME = 'Custom.name';
const ADDED = {
  Clarification: { after: 'status', enum: 'ClarificationStatus', without: ['pending'], name: 'outcome',
    comment: "How the question ended; only with status 'answered'." },
};

// --- Reading the descriptors

function descriptors() {
  const protobuf = requireFromSdk('protobufjs');
  const { FileDescriptorSet, EnumValueOptions } = requireFromSdk('protobufjs/ext/descriptor');
  EnumValueOptions.add(new protobuf.Field('browserWord', BROWSER_WORD, 'string'));
  const directory = mkdtempSync(path.join(tmpdir(), 'sessioncast-descriptors-'));
  try {
    const file = path.join(directory, 'event.pb');
    execFileSync('protoc', [
      `--proto_path=${path.join(ROOT, 'proto')}`, `--descriptor_set_out=${file}`, '--include_source_info', PROTO,
    ]);
    return FileDescriptorSet.decode(readFileSync(file)).file.find(({ name }) => name === PROTO);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function requireFromSdk(name) {
  return createRequire(path.join(ROOT, 'client_sdk/js/package.json'))(name);
}

// Numbers of descriptor.proto's fields, of which a location's path is made.
const AT = { message: 4, enum: 5, field: 2, value: 2 };
const IS_OPTIONAL_MESSAGE = 11; // FieldDescriptorProto.TYPE_MESSAGE

const file = descriptors();
const commentAt = (...at) =>
  file.sourceCodeInfo.location.find(({ path: found }) => found.join() === at.join())?.leadingComments?.trim();

const enums = new Map(
  file.enumType.map((type, index) => [type.name, { type, index, words: type.value.map((value) => value.options?.browserWord) }]),
);

// --- Writing

const titled = (name) => NAMES[name] ?? name;
const shortOf = (typeName) => typeName.split('.').at(-1);

function tsDoc(text, indent) {
  if (!text) return [];
  const lines = text.split('\n').map((line) => line.trim());
  if (lines.length === 1) return [`${indent}/** ${lines[0]} */`];
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
}

// As an `optional` field is, too.
const isInOneof = (field) => Object.hasOwn(field, 'oneofIndex');

const union = (words) => words.map((word) => `'${word}'`).join(' | ');

const SCALARS = { 1: 'number', 4: 'number', 5: 'number', 8: 'boolean', 9: 'string', 13: 'number' };

function typeOf(owner, field) {
  const known = TYPES[`${owner}.${field.name}`];
  if (known) return known;
  if (field.typeName === '.google.protobuf.Struct') return 'JsonObject';
  if (field.typeName) return titled(shortOf(field.typeName));
  const scalar = SCALARS[field.type];
  if (!scalar) throw new Error(`${owner}.${field.name}: has a type (${field.type}) that this generator does not know`);
  return scalar;
}

function isOptional(owner, field) {
  const name = `${owner}.${field.name}`;
  if (ALWAYS.has(name)) return false;
  return ONLY_WHEN_TRUE.has(name) || isInOneof(field) || field.type === IS_OPTIONAL_MESSAGE;
}

function fieldLines(message, index) {
  return message.field.flatMap((field, at) => {
    const name = `${message.name}.${field.name}`;
    if (NOT_SHOWN.has(name) || name === IS_THE_NAME) return [];
    const lines = [
      ...tsDoc(commentAt(AT.message, index, AT.field, at), '  '),
      `  ${field.jsonName}${isOptional(message.name, field) ? '?' : ''}: ${typeOf(message.name, field)};`,
    ];
    const added = ADDED[message.name];
    if (added?.after !== field.name) return lines;
    const words = enums.get(added.enum).words.filter((word) => word && !added.without.includes(word));
    return [...lines, ...tsDoc(added.comment, '  '), `  ${added.name}?: ${union(words)};`];
  });
}

function interfaceLines(name, { placed }) {
  const index = file.messageType.findIndex((message) => message.name === name);
  const comment = commentAt(AT.message, index);
  return [
    ...tsDoc(comment, ''),
    `export interface ${titled(name)}${placed ? ' extends Placed' : ''} {`,
    ...fieldLines(file.messageType[index], index),
    '}',
    '',
  ];
}

function enumLines(name) {
  const { type, index, words } = enums.get(name);
  const said = type.value.flatMap((value, at) => {
    const comment = words[at] && commentAt(AT.enum, index, AT.value, at);
    return comment ? [`\`${words[at]}\`: ${comment.split('\n').join(' ')}`] : [];
  });
  const comment = [commentAt(AT.enum, index), ...(said.length ? ['', ...said.map((line) => `- ${line}`)] : [])];
  return [...tsDoc(comment.join('\n'), ''), `export type ${name} = ${union(words.filter(Boolean))};`, ''];
}

function generated() {
  const kinds = file.messageType.find(({ name }) => name === 'Event').field.filter(isInOneof);
  const contract = kinds.filter(({ name }) => name !== 'custom');
  return [
    '// Made from proto/ by tools/browser_types.mjs: change neither by hand, run it again.',
    "import type { JsonObject, Placed } from './protocol.js';",
    '',
    ...enumLines('SessionStatus'),
    ...enumLines('ModelResultStatus'),
    ...interfaceLines('Prompts', { placed: false }),
    ...kinds.flatMap(({ typeName }) => interfaceLines(shortOf(typeName), { placed: true })),
    "/** The contract's events of a session's log: name and payload. */",
    'export interface LogEvents {',
    ...contract.map(({ name, typeName }) => `  ${name}: ${titled(shortOf(typeName))};`),
    '}',
    '',
  ].join('\n');
}

const text = generated();
if (process.argv.includes('--check')) {
  let found = '';
  try {
    found = readFileSync(OUTPUT, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  if (found !== text) {
    console.error(`${path.relative(ROOT, OUTPUT)} is not what proto/ says: run tools/browser_types.mjs`);
    process.exitCode = 1;
  }
} else {
  writeFileSync(OUTPUT, text);
}
