// `ictus bench` measures: here for moments only, so that what is tested is that every figure is there, that the plots are
// whole, and that nothing is left running. What the figures are is this machine's business.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isBun, temporaryFolder } from './support/child.mjs';

const limit = { timeout: 240_000 };
const cli = new URL('../lib/cli.cjs', import.meta.url).pathname;
const folder = temporaryFolder();

function bench(...args) {
  const { NODE_OPTIONS, NODE_TEST_CONTEXT, ...env } = process.env;
  return spawnSync(process.execPath, [cli, 'bench', ...args], { encoding: 'utf8', env, cwd: folder });
}

/** Programs that only burn time, as the benchmark starts them. */
function burning() {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((id) => {
      try {
        return readFileSync(`/proc/${id}/cmdline`, 'utf8').includes(`${process.execPath}\0-e\0for (;;);`);
      } catch {
        return false;
      }
    });
}

/** Every element that is opened is closed, and every number is one. */
function isWhole(svg) {
  const open = [];
  for (const [, end, name, rest] of svg.matchAll(/<(\/?)(\w+)([^>]*)>/g)) {
    if (end) assert.equal(open.pop(), name);
    else if (!rest.endsWith('/')) open.push(name);
  }
  assert.deepEqual(open, []);
  assert.ok(!/NaN|undefined|Infinity/.test(svg), 'numbers');
  assert.ok(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"'));
}

test('it leaves a table, the figures and three plots, and no load behind', limit, () => {
  const { status, stdout, stderr } = bench('--voices', '16,8', '--seconds', '0.1', '-o', 'out');
  assert.deepEqual([status, stderr], [0, '']);
  assert.deepEqual(readdirSync(join(folder, 'out')).sort(), [
    'bench.json',
    'jitter.svg',
    'latency.svg',
    'processing.svg',
  ]);
  const read = (name) => readFileSync(join(folder, 'out', name), 'utf8');
  const figures = JSON.parse(read('bench.json'));
  assert.deepEqual(
    figures.voices.map(({ voices }) => voices),
    [8, 16],
  );
  for (const { render, load, bufferSize } of figures.voices) {
    assert.ok(render.count > 10 && render.p50 > 0 && render.p50 <= render.p99 && render.p99 <= render.max);
    assert.equal(
      render.histogram.reduce((sum, { count }) => sum + count, 0),
      render.count,
    );
    assert.ok(load > 0);
    assert.ok(bufferSize === null || Number.isInteger(Math.log2(bufferSize)));
  }
  assert.ok(figures.latency.count > 0 && figures.latency.max > 0);
  const { idle, loaded } = figures.wakeups;
  // 0.2 s ÷ (64 ÷ 48000).
  assert.deepEqual([idle.ordinary.count, loaded.ordinary.count], [150, 150]);
  assert.equal(idle.realtime === null, figures.realtime.via === 'none');
  assert.ok(figures.machine.runtime.startsWith(isBun ? 'Bun ' : 'Node ') && figures.machine.cores > 0);
  assert.ok(figures.checks.some(({ id }) => id === 'preemption') || process.platform !== 'linux');
  for (const name of ['jitter.svg', 'latency.svg', 'processing.svg']) isWhole(read(name));
  assert.ok(read('jitter.svg').includes('loaded, ordinary'));
  for (const words of ['voices', 'smallest buffer', 'noteOn()', 'loaded, ordinary', figures.machine.cpu]) {
    assert.ok(stdout.includes(words), words);
  }
  assert.ok(!stdout.includes('\x1b'));
  assert.deepEqual(burning(), []);
});

test('as JSON it prints the figures and writes nothing', limit, () => {
  const { status, stdout, stderr } = bench('--voices', '4', '--seconds', '0.05', '--json');
  assert.deepEqual([status, stderr], [0, '']);
  assert.equal(JSON.parse(stdout).voices[0].voices, 4);
  assert.ok(!existsSync(join(folder, 'ictus-bench')));
});

test('a wrong list of voices is told at once', limit, () => {
  for (const list of ['8,x', '0', '5000', '', '1.5']) {
    const { status, stdout, stderr } = bench('--voices', list);
    assert.deepEqual([status, stdout], [2, ''], list);
    assert.ok(stderr.includes('whole numbers from 1 to 4096'), stderr);
  }
});
