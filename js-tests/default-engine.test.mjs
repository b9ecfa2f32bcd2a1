// The engine that all share who name none: one per process, opened by whoever comes first.
import assert from 'node:assert/strict';
import test, { afterEach } from 'node:test';
import { Engine, Sampler } from '../lib/index.mjs';
import { outOfRange } from './support/errors.mjs';
import { constant, left } from './support/sound.mjs';

let open;
afterEach(async () => {
  await open?.close();
  open = undefined;
});
const openWith = (options) => {
  open = Engine.default({ backend: 'offline', ...options });
  return open;
};

test('samplers that name no engine share one', async () => {
  const engine = openWith();
  assert.ok(engine instanceof Engine);
  assert.equal(Engine.default(), engine);
  assert.equal(Engine.default({}), engine);
  assert.equal(new Sampler().engine, engine);
  assert.equal(new Sampler({ polyphony: 3, stealing: 'none' }).engine, engine);
  assert.equal(new Sampler({ backend: 'offline', sampleRate: 48000 }).engine, engine);
  assert.notEqual(new Engine({ backend: 'offline' }), engine);
});

test('the first sampler opens it, with its engine options', async () => {
  const sampler = new Sampler({ backend: 'offline', sampleRate: 44100, channels: 1 });
  open = sampler.engine;
  assert.deepEqual([open.backend, open.sampleRate, open.channels], ['offline', 44100, 1]);
  assert.equal(Engine.default(), open);
});

test('Sampler.from takes options of engine, sampler and load in one', async () => {
  const sampler = await Sampler.from(constant(100), {
    backend: 'offline',
    sampleRate: 44100,
    limiter: false,
    gain: 2,
    channel: 3,
  });
  open = sampler.engine;
  assert.equal(open.sampleRate, 44100);
  sampler.noteOn(60, 127, 0, 3);
  assert.equal(left(open, 1)[0], Math.fround(Math.SQRT1_2) * 2);
});

test('options that contradict the one that is open are refused, each by name', async () => {
  const given = {
    backend: ['offline', 'clock'],
    sampleRate: [44100, 48000],
    bufferSize: [256, 512],
    channels: [1, 2],
    polyphony: [100, 200],
    interpolation: ['linear', 'cubic'],
  };
  const all = Object.fromEntries(Object.entries(given).map(([name, [value]]) => [name, value]));
  const engine = openWith(all);
  assert.equal(Engine.default(all), engine);
  for (const [name, [mine, other]] of Object.entries(given)) {
    for (const call of [() => Engine.default({ [name]: other }), () => new Sampler({ [name]: other })]) {
      // A sampler's polyphony is its own.
      if (name === 'polyphony' && call.toString().includes('Sampler')) continue;
      outOfRange(call, name, `${mine}`, `${other}`, 'close()', 'new Engine(');
    }
    assert.equal(Engine.default({ [name]: mine }), engine);
  }
  outOfRange(() => Engine.default({ device: 'Scarlett' }), 'device', 'scarlett');
  assert.equal(engine.state, 'running');
});

test('real-time options that contradict the open one are refused, too', () => {
  open = Engine.default({ backend: 'clock', realtime: false });
  outOfRange(() => Engine.default({ realtime: { priority: 50, required: true } }), 'realtime');
});

test('after it is closed the next one is new, and takes other options', async () => {
  const first = openWith({ sampleRate: 44100 });
  await first.close();
  const second = openWith({ sampleRate: 96000 });
  assert.notEqual(second, first);
  assert.deepEqual([second.state, second.sampleRate, first.state], ['running', 96000, 'closed']);
  assert.equal(new Sampler().engine, second);
});

test('two hundred samplers that name its backend share it like those that name nothing', () => {
  openWith();
  const samplers = Array.from({ length: 200 }, () => new Sampler({ backend: 'offline' }));
  assert.ok(samplers.every((sampler) => sampler.engine === open));
  for (const sampler of samplers) sampler.close();
});

test('the polyphony of the sampler that opens it is the engine’s as well', async () => {
  const sampler = new Sampler({ backend: 'offline', polyphony: 300 });
  open = sampler.engine;
  const instrument = sampler.createInstrument();
  await instrument.addSample(constant(1000), { pan: -1 });
  sampler.assign(0, instrument);
  for (let n = 0; n < 400; n += 1) sampler.noteOn(60, 127, 0);
  open.render(1);
  // Those that were stolen on their first frame have not been heard and are gone.
  assert.equal(open.stats().voices, 300);
});
