// The calls made thousands of times a second: they leave no garbage and cost less than a call into native code. Ratios
// within one run only: no machine has to be fast.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import { ask, isBun, run } from './support/child.mjs';
import { offline, retried } from './support/sound.mjs';

const native = createRequire(import.meta.url)('../lib/native.cjs');
const limit = { timeout: 120_000 };
const nativePath = JSON.stringify(new URL('../lib/native.cjs', import.meta.url).pathname);

/** What every measuring program begins with. A round has fewer calls than the lane has room; the engine drains it. */
const measuring = `
import { createRequire } from 'node:module';
const native = createRequire(import.meta.url)(${nativePath});
const CALLS = 8000;
const ROUNDS = 60;
const engine = new Engine({ backend: 'offline' });
const sampler = new Sampler({ engine });
const out = new Float32Array(256);
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
// A sum in a variable would become a number on the heap itself; in an array it does not.
const sum = new Float64Array(1);
const calls = {
  noteOn: () => { for (let n = 0; n < CALLS; n += 1) sum[0] += sampler.noteOn(60 + (n & 7), 100); },
  noteOnOnChannel: () => { for (let n = 0; n < CALLS; n += 1) sum[0] += sampler.noteOn(60, 100, undefined, n & 15); },
  noteOff: () => { for (let n = 0; n < CALLS; n += 1) sampler.noteOff(60 + (n & 7)); },
  release: () => { for (let n = 0; n < CALLS; n += 1) sampler.release(n + 1); },
  pitchBend: () => { for (let n = 0; n < CALLS; n += 1) sampler.pitchBend(n & 4095); },
  currentTime: () => { for (let n = 0; n < CALLS; n += 1) sum[0] += engine.currentTime; },
  noop: () => { for (let n = 0; n < CALLS; n += 1) native.noop(); },
  garbage: () => { for (let n = 0; n < CALLS; n += 1) kept[n & 7] = { n }; },
};
const kept = [];
const drain = () => engine.render(128, out);
`;

/** Bytes that each call leaves, on Node: the heap counts what was allocated up to this moment. */
const bytesOnNode = () =>
  ask(
    `${measuring}
    const bytes = {};
    for (const [name, call] of Object.entries(calls)) {
      for (let round = 0; round < 20; round += 1) { call(); drain(); }
      const grown = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const before = process.memoryUsage().heapUsed;
        call();
        grown.push((process.memoryUsage().heapUsed - before) / CALLS);
        drain();
      }
      bytes[name] = median(grown);
    }
    console.log(JSON.stringify(bytes));`,
  );

/** The same on Bun, whose heap tells no sizes between collections: the collections are counted. */
async function bytesOnBun() {
  const rounds = 1000;
  const { stderr } = await run(
    `${measuring}
    import { writeSync } from 'node:fs';
    for (const [name, call] of Object.entries(calls)) {
      for (let round = 0; round < 20; round += 1) { call(); drain(); }
      Bun.gc(true);
      writeSync(2, '\\nbegin ' + name + '\\n');
      for (let round = 0; round < ${rounds}; round += 1) { call(); drain(); }
      writeSync(2, '\\nend\\n');
    }`,
    { env: { BUN_JSC_logGC: '1' }, quiet: false },
  );
  const bytes = {};
  for (const [, name, log] of stderr.matchAll(/^begin (\w+)$([\s\S]*?)^end$/gm)) {
    // Each was asked for by so many bytes; one that began before its time is nobody's.
    const asked = [...log.matchAll(/bytes allocated this cycle: (\d+)/g)].map(([, count]) => Number(count));
    bytes[name] = asked.slice(1).reduce((sum, count) => sum + count, 0) / (rounds * 8000);
  }
  return bytes;
}

test('calls that sound leave no garbage', limit, async () => {
  await retried(async () => {
    const { garbage, noop, ...bytes } = await (isBun ? bytesOnBun() : bytesOnNode());
    assert.ok(garbage >= 8, `the measure sees an object for each call: ${garbage} bytes`);
    assert.equal(Object.keys(bytes).length, 6);
    for (const [name, grown] of Object.entries(bytes))
      assert.ok(grown < 1, `${name}: ${grown} bytes for each call`);
    assert.equal(typeof noop, 'number');
  });
});

test('a note costs less than two empty calls into native code', limit, async () => {
  await retried(async () => {
    const cost = await ask(
      `${measuring}
      const times = Object.fromEntries(Object.keys(calls).map((name) => [name, []]));
      for (let round = 0; round < ROUNDS + 20; round += 1) {
        for (const [name, call] of Object.entries(calls)) {
          const start = performance.now();
          call();
          times[name].push(performance.now() - start);
          drain();
        }
      }
      // The first rounds are the compiler's.
      const ns = (values) => (median(values.slice(20)) / CALLS) * 1e6;
      console.log(JSON.stringify(Object.fromEntries(Object.entries(times).map(([name, values]) => [name, ns(values)]))));`,
    );
    for (const name of ['noteOn', 'noteOff', 'release', 'pitchBend', 'currentTime']) {
      assert.ok(
        cost[name] < 2 * cost.noop,
        `${name}: ${cost[name]} ns, an empty native call ${cost.noop} ns`,
      );
    }
  });
});

test('ids are small integers, one after another, of each sampler its own', async () => {
  const { sampler } = await offline();
  const first = sampler.noteOn(60);
  for (let n = 1; n < 1000; n += 1) {
    const id = sampler.noteOn(60, 100, n % 2 ? undefined : 1);
    assert.equal(id, first + n);
    assert.ok(Object.is(id, id | 0) && id > 0);
  }
});

test('every operation of a lane has a number of its own', () => {
  const { noteReserve, maxGain, latePolicies, noteParams, sends, ...operations } = native.laneLayout();
  const numbers = Object.values(operations);
  assert.ok(numbers.length >= 13);
  assert.equal(new Set(numbers).size, numbers.length, JSON.stringify(operations));
  for (const [name, number] of Object.entries(operations)) {
    assert.ok(Number.isInteger(number) && number > 0 && number < 256, `${name}: ${number}`);
  }
  assert.ok(Number.isInteger(noteReserve) && noteReserve > 0);
  assert.equal(maxGain, 10000);
  assert.deepEqual(latePolicies, ['play', 'drop', 'skip']);
  assert.deepEqual(
    noteParams.map(({ index }) => index),
    noteParams.map((_, index) => index),
  );
  assert.ok(sends.every((name) => noteParams.some((param) => param.name === `send.${name}`)));
});
