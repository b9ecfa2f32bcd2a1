// Programs of their own for the tests: what is about the end of a process, its environment or its threads.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

export const isBun = process.versions.bun !== undefined;
const lib = new URL('../../lib/', import.meta.url);

/** A folder for this test file, removed when its tests are done. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'ictus-js-test-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const folder = temporaryFolder();
let written = 0;

/** What every program begins with. `collect` runs the garbage collector until finalizers have had their turn. */
const prelude = `
import { Engine, Instrument, Sampler } from ${JSON.stringify(new URL('index.mjs', lib).href)};
import { readdirSync, readFileSync } from 'node:fs';
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const collect = async () => {
  for (let round = 0; round < 6; round += 1) {
    if (globalThis.Bun) Bun.gc(true);
    else globalThis.gc();
    await sleep(10);
  }
};
const until = async (holds, limit = 15000) => {
  const start = performance.now();
  for (;;) {
    const answer = await holds();
    if (answer) return answer;
    if (performance.now() - start > limit) throw new Error('waited in vain for ' + holds);
    await sleep(5);
  }
};
const threads = (name) => readdirSync('/proc/self/task').filter((id) => {
  try {
    return readFileSync('/proc/self/task/' + id + '/comm', 'utf8').startsWith(name);
  } catch {
    return false;
  }
}).length;
const constant = (length, value = 1) => new Float32Array(length).fill(value);
/** A sampler on an engine of its own that plays a constant for this many seconds. */
const playing = async (seconds, options) => {
  const engine = new Engine(options);
  const sampler = new Sampler({ engine });
  const instrument = sampler.createInstrument();
  await instrument.addSample(constant(engine.sampleRate * seconds, 0.1));
  sampler.assign(0, instrument);
  return { engine, sampler, instrument };
};
`;

/** Writes a program, which has the package's names, and returns its path. */
export function program(source, { withPrelude = true } = {}) {
  written += 1;
  const path = join(folder, `program-${written}.mjs`);
  writeFileSync(path, (withPrelude ? prelude : '') + source);
  return path;
}

/**
 * Starts a program on the runtime that runs the tests. `wrapper`: words to put before it, such as setpriv's.
 * Returns the child and a promise of how it ended: code, signal, stdout, stderr, seconds.
 */
export function start(source, { env = {}, wrapper = [], limit = 60_000, withPrelude } = {}) {
  const { NODE_OPTIONS, NODE_TEST_CONTEXT, ICTUS_BACKEND, ICTUS_DEVICE, ...outer } = process.env;
  const words = [
    ...wrapper,
    process.execPath,
    ...(isBun ? [] : ['--expose-gc', '--no-warnings=ExperimentalWarning']),
  ];
  const path = program(source, { withPrelude });
  const begun = performance.now();
  const child = spawn(words[0], [...words.slice(1), path], {
    env: { ...outer, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      said[name] += text;
    });
  }
  const ended = new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the program did not end within ${limit} ms; it said ${said.stdout}${said.stderr}`));
    }, limit);
    child.once('error', reject).once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...said, seconds: (performance.now() - begun) / 1000 });
    });
  });
  return { child, ended, said };
}

/** Runs a program to its end, which must be this one, without a word on stderr; returns what it said. */
export async function run(source, { code = 0, signal = null, quiet = true, ...options } = {}) {
  const result = await start(source, options).ended;
  const said = `stdout: ${result.stdout}\nstderr: ${result.stderr}`;
  assert.deepEqual([result.code, result.signal], [code, signal], said);
  if (quiet) assert.equal(result.stderr, '', said);
  return result;
}

/** Runs a program that prints one value as JSON on its last line, and returns the value. */
export async function ask(source, options) {
  const { stdout } = await run(source, options);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}
