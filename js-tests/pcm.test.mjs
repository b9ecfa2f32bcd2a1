// PcmRing, createTransport and generate: shared memory that the audio thread reads where it lies. Offline, so that what
// comes out is arithmetic.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createTransport, Engine, PcmRing } from '../lib/index.mjs';
import { temporaryFolder } from './support/child.mjs';
import { assertError, outOfRange, throws, wrongType } from './support/errors.mjs';
import { constant, largestStep, side, sleep, until, offline as withSampler } from './support/sound.mjs';

const RATE = 48000;
const folder = temporaryFolder();
const offline = (options) => new Engine({ backend: 'offline', sampleRate: RATE, limiter: false, ...options });
const ramp = (length, from = 1) => Float32Array.from({ length }, (_, n) => (from + n) / 65536);
const same = (actual, expected) => assert.deepEqual(Array.from(actual), Array.from(expected));

/** Kanon's ring: indices in one buffer, values in another. */
function kanon({ size = 1024, stride = 2, Values = Float64Array } = {}) {
  const indices = new SharedArrayBuffer(8);
  return {
    data: new Values(new SharedArrayBuffer(size * stride * Values.BYTES_PER_ELEMENT)),
    writeIdx: new Int32Array(indices, 0, 1),
    readIdx: new Int32Array(indices, 4, 1),
    size,
    stride,
    // As Kanon writes it.
    write(vector) {
      const [write, read] = [Atomics.load(this.writeIdx, 0), Atomics.load(this.readIdx, 0)];
      if ((write + 1) % this.size === read) return false;
      for (let n = 0; n < this.stride; n += 1) this.data[write * this.stride + n] = vector[n] || 0;
      Atomics.store(this.writeIdx, 0, (write + 1) % this.size);
      return true;
    },
  };
}

test('a ring is heard bit for bit, however it goes round', () => {
  for (const channels of [1, 2]) {
    for (const format of ['f32', 'f64']) {
      const engine = offline();
      const ring = new PcmRing({ engine, channels, frames: 500, format });
      assert.deepEqual([ring.size, ring.stride, ring.space(), ring.available()], [501, channels, 500, 0]);
      const values = ramp(4000 * channels);
      const heard = [];
      for (let at = 0, turn = 0; heard.length < 8000; turn += 1) {
        const frames = 1 + ((turn * 37) % 200);
        const piece = values.subarray(at, at + frames * channels);
        at += ring.write(format === 'f64' ? Array.from(piece) : piece) * channels;
        heard.push(...engine.render(Math.min(ring.available(), 4000)));
      }
      const expected = channels === 2 ? values : values.map((_, n) => values[n]);
      same(channels === 2 ? heard : side(heard), expected);
      assert.deepEqual(ring.stats, { frames: 4000, underruns: 0, fill: 0, invalid: 0 });
      ring.close();
    }
  }
});

test('it takes what fits, and says how much', () => {
  const engine = offline();
  const ring = new PcmRing({ engine, channels: 2, frames: 10 });
  assert.equal(ring.write(ramp(2 * 7)), 7);
  assert.equal(ring.write(ramp(2 * 7, 15)), 3);
  assert.equal(ring.write(ramp(2 * 7)), 0);
  assert.deepEqual([ring.available(), ring.space()], [10, 0]);
  same(engine.render(10), ramp(20));
  assert.equal(ring.write([]), 0);
});

test('a dry ring fades, tells and rises again, with no step', async () => {
  const engine = offline();
  const ring = new PcmRing({ engine, channels: 1 });
  const told = [];
  ring.on('underrun', (event) => told.push(event));
  const heard = [];
  for (let round = 0; round < 3; round += 1) {
    ring.write(constant(1000, round % 2 ? -0.5 : 0.5));
    heard.push(...side(engine.render(2000)));
  }
  assert.equal(ring.underruns, 3);
  assert.ok(largestStep(heard) <= 0.5 / 240 + 1e-6, `${largestStep(heard)}`);
  same(heard.slice(0, 1000), constant(1000, 0.5));
  same(heard.slice(1240, 2000), constant(760, 0));
  // The helper thread tells what it sees: one and three, perhaps.
  await until(() => told.at(-1)?.underruns === 3, 'the third underrun');
});

test('gain, clear and close are heard as glides', () => {
  const engine = offline();
  const ring = new PcmRing({ engine, channels: 1 });
  ring.write(constant(9000, 0.5));
  const heard = [...side(engine.render(1000))];
  ring.gain = 0.5;
  heard.push(...side(engine.render(1000)));
  assert.equal(heard.at(-1), 0.25);
  ring.clear();
  assert.equal(ring.write(constant(1000, 0.25)), 1000, 'clear() takes effect with the next block');
  heard.push(...side(engine.render(900)));
  assert.equal(heard.at(-1), 0.125);
  assert.equal(ring.underruns, 0);
  ring.close();
  ring.close();
  heard.push(...side(engine.render(500)));
  same(heard.slice(-250), constant(250, 0));
  assert.ok(largestStep(heard) <= (0.5 + 0.25) / 240);
  throws(() => ring.write([0]), Error, 'ERR_CLOSED', 'PcmRing');
});

test('another rate is converted', () => {
  const engine = offline();
  const ring = new PcmRing({ engine, channels: 1, frames: 44100, sampleRate: 44100 });
  ring.write(constant(44100, 0.5));
  const heard = side(engine.render(50000));
  const sum = heard.reduce((all, value) => all + value, 0);
  assert.ok(Math.abs(sum - 0.5 * (48000 + 120)) < 3, `a second, and half a fade: ${sum}`);
});

test('rings, speakers and samplers sound together', async () => {
  const { engine, sampler } = await withSampler({ data: constant(1000, 0.5) });
  const ring = new PcmRing({ engine, channels: 2 });
  ring.write(Float32Array.from({ length: 200 }, (_, n) => (n % 2 ? 0.125 : 0.25)));
  sampler.noteOn(60, 127);
  same(engine.render(2), [0.75, 0.125, 0.75, 0.125]);
});

test('channels find the outputs of the device', () => {
  const engine = offline({ channels: 6 });
  const ring = new PcmRing({ engine, channels: 6 });
  ring.write(ramp(60));
  same(engine.render(10), ramp(60));
  const mono = new PcmRing({ engine: offline({ channels: 1 }), channels: 1 });
  mono.write([0.5, 0.25]);
});

test('what is not finite is silence, and counted', () => {
  const engine = offline();
  const ring = new PcmRing({ engine, channels: 1 });
  ring.write([0.5, Number.NaN, Number.POSITIVE_INFINITY, 0.25]);
  same(side(engine.render(4)), [0.5, 0, 0, 0.25]);
  assert.equal(engine.stats().nonFiniteSamples, 2);
});

test('wrong options and frames are met with words', () => {
  const engine = offline();
  outOfRange(() => new PcmRing({ engine, channels: 33 }), 'channels', '1 to 32', '33');
  outOfRange(() => new PcmRing({ engine, frames: 0 }), 'frames');
  outOfRange(() => new PcmRing({ engine, format: 'f23' }), "'f32'", "did you mean 'f32'?");
  outOfRange(() => new PcmRing({ engine, sampleRate: 10 }), 'sampleRate');
  wrongType(() => new PcmRing({ engine, chanels: 1 }), "did you mean 'channels'?");
  wrongType(() => new PcmRing({ engine: {} }), 'engine');
  throws(() => new PcmRing({ engine, frames: 2 ** 29, channels: 2 }), Error, 'ERR_LIMIT', '1 GiB');
  const ring = new PcmRing({ engine, channels: 2 });
  outOfRange(() => ring.write([1, 2, 3]), 'frames', 'whole frames of 2 values', 'got 3');
  for (const wrong of ['ab', null, undefined, 5, new Int16Array(2), Buffer.alloc(8)])
    wrongType(() => ring.write(wrong), 'frames', 'Float32Array');
  outOfRange(() => {
    ring.gain = -1;
  }, 'gain');
});

test('PULL reads the very ring that Kanon fills', () => {
  for (const Values of [Float64Array, Float32Array]) {
    const engine = offline();
    const ring = kanon({ Values });
    const transport = createTransport('PULL', ring, RATE, { engine });
    assert.deepEqual([transport.type, transport.realtime.granted], ['PULL', false]);
    for (let round = 0; round < 5; round += 1) {
      for (let n = 0; n < 700; n += 1) assert.ok(ring.write([n / 1024, -n / 1024]));
      assert.equal(transport.stats.fill, 700);
      const heard = engine.render(700);
      for (let n = 0; n < 700; n += 1)
        assert.deepEqual([heard[2 * n], heard[2 * n + 1]], [n / 1024, -n / 1024 + 0]);
    }
    assert.deepEqual(transport.stats, { frames: 3500, underruns: 0, fill: 0, invalid: 0 });
    assert.equal(ring.readIdx[0], 3500 % 1024);
    transport.stop();
    transport.stop();
  }
});

test('PUSH reads it in JavaScript and streams it', async () => {
  const engine = offline();
  const ring = kanon({ size: 4096, Values: Float32Array });
  const transport = createTransport('PUSH', ring, RATE, { engine });
  for (let n = 0; n < 2000; n += 1) ring.write([n / 4096, -n / 4096]);
  await until(() => transport.stats.fill === 0);
  const heard = engine.render(2000);
  for (let n = 0; n < 2000; n += 1) assert.equal(heard[2 * n], n / 4096, `frame ${n}`);
  assert.deepEqual([transport.type, transport.stats.frames], ['PUSH', 2000]);
  transport.stop();
  ring.write([1, 1]);
  await sleep(20);
  assert.equal(transport.stats.fill, 1, 'nobody reads it any more');
});

test('a ring of the same memory has one reader, however often it is asked for', () => {
  const engine = offline();
  const ring = kanon();
  const first = createTransport('PULL', ring, RATE, { engine });
  // As after a hot reload: new views of the same memory.
  const again = {
    ...ring,
    data: new Float64Array(ring.data.buffer),
    readIdx: new Int32Array(ring.readIdx.buffer, 4, 1),
  };
  assert.equal(createTransport('PULL', again, RATE, { engine }), first);
  for (let n = 0; n < 100; n += 1) ring.write([0.5, 0.5]);
  same(engine.render(100), constant(200, 0.5));
  assert.equal(first.stats.frames, 100);
  first.stop();
  const second = createTransport('PULL', ring, RATE, { engine });
  assert.notEqual(second, first);
  second.stop();
});

test('hostile indices are silence and a count, never a read out of bounds', () => {
  const engine = offline();
  const ring = kanon({ size: 64, stride: 1, Values: Float32Array });
  ring.data.fill(0.5);
  const transport = createTransport('PULL', ring, RATE, { engine });
  let expected = 0;
  const nonsense = [-1, 64, 65, 2 ** 31 - 1, -(2 ** 31)];
  for (const index of nonsense) {
    for (const which of [ring.writeIdx, ring.readIdx]) {
      Atomics.store(ring.writeIdx, 0, 10);
      Atomics.store(ring.readIdx, 0, 0);
      Atomics.store(which, 0, index);
      same(engine.render(128), constant(256, 0));
      expected += 1;
      assert.equal(transport.stats.invalid, expected);
    }
  }
  // Indices that jump while it plays, in every way: values of the ring or fades of them, nothing else.
  let seed = 7;
  const random = (below) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let round = 0; round < 2000; round += 1) {
    Atomics.store(
      random(2) ? ring.writeIdx : ring.readIdx,
      0,
      random(5) ? random(64) : random(2 ** 31) - 2 ** 30,
    );
    for (const value of engine.render(1 + random(200))) assert.ok(Math.abs(value) <= 1.0, `${value}`);
  }
  Atomics.store(ring.readIdx, 0, 0);
  Atomics.store(ring.writeIdx, 0, 40);
  assert.ok(
    engine.render(40).some((value) => value !== 0),
    'and it plays again when they are sane',
  );
  transport.stop();
});

test('wrong rings and modes are met with words', () => {
  const engine = offline();
  const pull =
    (change, options = { engine }) =>
    () =>
      createTransport('PULL', { ...kanon(), ...change }, RATE, options);
  outOfRange(() => createTransport('PULSE', kanon(), RATE, { engine }), 'mode', "'PULL'", 'PULSE');
  wrongType(() => createTransport(undefined, kanon()), 'mode');
  wrongType(() => createTransport('PULL', null, RATE, { engine }), 'ringBuffer', 'null');
  wrongType(() => createTransport('PUSH', 7, RATE, { engine }), 'ringBuffer', '7');
  wrongType(
    pull({ data: new Float64Array(2048) }),
    'ringBuffer.data',
    'SharedArrayBuffer',
    'got Float64Array',
  );
  wrongType(pull({ data: new Int32Array(new SharedArrayBuffer(8192)) }), 'ringBuffer.data', 'Int32Array');
  wrongType(pull({ writeIdx: undefined }), 'ringBuffer.writeIdx', 'undefined');
  wrongType(pull({ readIdx: [0] }), 'ringBuffer.readIdx');
  outOfRange(pull({ readIdx: new Int32Array(new SharedArrayBuffer(0)) }), 'ringBuffer.readIdx', 'an element');
  outOfRange(pull({ size: 1025 }), 'ringBuffer.data', '2050', '2048');
  outOfRange(pull({ size: 1 }), 'ringBuffer.size');
  outOfRange(pull({ stride: 0 }), 'ringBuffer.stride');
  wrongType(pull({ size: '1024' }), 'ringBuffer.size');
  wrongType(pull({}, { engine: {} }), 'engine');
  wrongType(pull({}, { engine, backend: 'clock' }), 'backend', 'an engine is given');
  wrongType(pull({}, { bakend: 'clock' }), "did you mean 'backend'?");
  outOfRange(() => createTransport('PULL', kanon(), 5, { engine }), 'sampleRate');
});

test('generate fills ahead, in order, and keeps number and state under a name', async () => {
  const engine = offline();
  const seen = [];
  const fill = (block, frame, state) => {
    seen.push(frame);
    state.calls = (state.calls ?? 0) + 1;
    for (let n = 0; n < block.length; n += 1) {
      assert.equal(block[n], 0);
      block[n] = (frame + n + 1) / 65536;
    }
  };
  const one = engine.generate(fill, { channels: 1, ahead: 0.05, blockSize: 100, name: 'piece' });
  assert.equal(seen.length, 24, '50 ms are there when it returns');
  const heard = [...side(engine.render(2000))];
  await until(() => seen.length >= 44);
  heard.push(...side(engine.render(2000)));
  let after;
  const again = engine.generate(
    (block, frame, state) => {
      after ??= [frame, state.calls];
      for (let n = 0; n < block.length; n += 1) block[n] = (frame + n + 1) / 65536;
    },
    { channels: 1, ahead: 0.05, blockSize: 100, name: 'piece' },
  );
  assert.equal(again, one, 'the same stream');
  const calls = seen.length;
  await until(() => after !== undefined);
  assert.deepEqual(after, [calls * 100, calls]);
  await until(() => engine.render(0) && one.underruns === 0 && after);
  heard.push(...side(engine.render(2000)));
  same(heard, ramp(6000));
  one.gain = 0.5;
  assert.equal(one.gain, 0.5);
  one.stop();
  one.stop();
  const { length } = seen;
  engine.render(2000);
  await sleep(40);
  assert.equal(seen.length, length);
  same(engine.render(10), constant(20, 0));
});

test('a fill that throws ends its stream and is told; wrong arguments are met with words', async () => {
  const engine = offline();
  const told = once(engine, 'error');
  engine.generate(() => {
    throw new Error('no such note');
  });
  assert.equal((await told)[0].message, 'no such note');
  wrongType(() => engine.generate('sine.mjs'), 'fill', 'a string');
  wrongType(() => engine.generate(), 'fill', 'undefined');
  outOfRange(() => engine.generate(() => {}, { ahead: 100 }), 'ahead');
  wrongType(() => engine.generate(() => {}, { blocksize: 1 }), "did you mean 'blockSize'?");
  await engine.close();
  throws(() => engine.generate(() => {}), Error, 'ERR_CLOSED');
});

test('a worker fills from a module, and another takes over where it was', { timeout: 60_000 }, async () => {
  const module = (name, sign) => {
    const path = join(folder, name);
    writeFileSync(
      path,
      `export default (block, frame) => {
        for (let n = 0; n < block.length; n += 1) block[n] = ${sign} * (1 + ((frame + n) % 1000)) / 65536;
      };`,
    );
    return pathToFileURL(path);
  };
  const engine = offline();
  // Half a second: the worker may be kept waiting by whatever else runs on this machine.
  const options = { channels: 1, ahead: 0.5, blockSize: 64, name: 'worker' };
  const one = engine.generate(module('up.mjs', 1), options);
  const heard = [];
  const play = async (frames, wanted = () => true) => {
    for (let left = frames; left > 0; left -= 480) {
      await sleep(3);
      heard.push(...side(engine.render(480)));
    }
    return wanted();
  };
  while (!heard.some((value) => value !== 0)) await play(480);
  await play(9600);
  assert.equal(engine.generate(module('down.mjs', -1), options), one);
  while (!heard.some((value) => value < 0)) await play(480);
  await play(4800);
  assert.equal(one.underruns, 0);
  const from = heard.findIndex((value) => value !== 0);
  heard.slice(from).forEach((value, n) => {
    assert.equal(Math.abs(value), (1 + (n % 1000)) / 65536, `frame ${n}: the number goes on`);
  });
  const turned = heard.findIndex((value) => value < 0);
  assert.ok(
    heard.slice(turned).every((value) => value < 0),
    'the old one is gone',
  );
  const told = once(engine, 'error');
  const broken = join(folder, 'broken.mjs');
  writeFileSync(broken, 'export const fill = 1;');
  engine.generate(pathToFileURL(broken), { name: 'other' });
  assertError((await told)[0], TypeError, 'ERR_INVALID_ARGUMENT', 'export a function');
  one.stop();
});

test('a worker writes into a ring of the main thread with Atomics', { timeout: 60_000 }, async () => {
  const engine = offline();
  const ring = new PcmRing({ engine, channels: 2, frames: 4800 });
  const { data, writeIndex, readIndex, size, stride } = ring;
  const worker = new Worker(
    `const { workerData: { data, writeIndex, readIndex, size, stride } } = require('node:worker_threads');
    for (let frame = 0; frame < 20000; ) {
      const write = Atomics.load(writeIndex, 0);
      const next = write + 1 < size ? write + 1 : 0;
      if (next === Atomics.load(readIndex, 0)) { Atomics.wait(readIndex, 0, next, 1); continue; }
      data[write * stride] = (frame % 1000) / 1024;
      data[write * stride + 1] = -data[write * stride];
      Atomics.store(writeIndex, 0, next);
      frame += 1;
    }`,
    { eval: true, workerData: { data, writeIndex, readIndex, size, stride } },
  );
  const gone = once(worker, 'exit');
  const heard = [];
  while (heard.length < 40000) {
    heard.push(...engine.render(Math.min(ring.available(), 20000 - heard.length / 2)));
    await sleep(1);
  }
  for (let n = 0; n < 20000; n += 1) assert.equal(heard[2 * n], (n % 1000) / 1024, `frame ${n}`);
  assert.equal(ring.underruns, 0);
  await gone;
});
