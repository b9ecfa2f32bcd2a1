// Samples, their metadata, envelopes and what load() is given, wrong in every way: errors as in arguments.test.mjs.
import test from 'node:test';
import { everyWrongNumber, outOfRangeLater, shown, wrongTypeLater } from './support/errors.mjs';
import { offline, RATE } from './support/sound.mjs';

const data = new Float32Array(100).fill(0.5);
const { sampler, instrument } = await offline({ data });

test('the metadata of a sample have their ranges', async () => {
  const add = (name) => (value) => sampler.createInstrument().addSample(data, { [name]: value });
  const later = { later: true };
  await everyWrongNumber('sampleRate', add('sampleRate'), 1000, 768000, { kind: 'whole', later: true });
  await everyWrongNumber('channels', add('channels'), 1, 2, { kind: 'whole', later: true });
  await everyWrongNumber('rootNote', add('rootNote'), 0, 127, later);
  await everyWrongNumber('gain', add('gain'), 0, 10000, later);
  await everyWrongNumber('pan', add('pan'), -1, 1, later);
  for (const tune of [Number.NaN, 1e9])
    await outOfRangeLater(() => add('tune')(tune), 'tune', 'cents', `got ${shown(tune)}`);
  for (const [name, low] of [
    ['keyRange', 0],
    ['velocityRange', 0],
  ]) {
    for (const wrong of [7, 'C4', {}, [], [1], [1, 2, 3], null]) {
      await wrongTypeLater(() => add(name)(wrong), name, `within ${low} to 127`, `got ${shown(wrong)}`);
    }
    await outOfRangeLater(() => add(name)([5, 200]), `${name}[1]`, '127', 'got 200');
    await outOfRangeLater(() => add(name)([-1, 2]), `${name}[0]`, 'got -1');
    await outOfRangeLater(() => add(name)([60.5, 61]), name, 'got 60.5');
    await outOfRangeLater(() => add(name)([61, 60]), name, '[low, high]', '[61, 60]');
    await wrongTypeLater(() => add(name)(['C4', 60]), `${name}[0]`, 'got "C4"');
  }
  for (const wrong of [true, 7, 'continuous', null, []])
    await wrongTypeLater(() => add('loop')(wrong), 'loop', `got ${shown(wrong)}`);
  for (const wrong of [{}, { start: 0 }, { end: 9 }])
    await wrongTypeLater(() => add('loop')(wrong), 'loop', 'is missing');
  for (const [start, end] of [
    [0, 101],
    [50, 50],
    [60, 50],
    [100, 101],
  ]) {
    await outOfRangeLater(() => add('loop')({ start, end }), `${start}`, `${end}`, '100 frames');
  }
  await outOfRangeLater(() => add('loop')({ start: -1, end: 5 }), 'start', 'got -1');
  await outOfRangeLater(
    () => add('loop')({ start: 0, end: 5, mode: 'sustian' }),
    'mode',
    "did you mean 'sustain'?",
  );
  const loop = (more) => add('loop')({ start: 20, end: 60, ...more });
  await wrongTypeLater(() => loop({ alternate: 1 }), 'alternate must be true or false', 'got 1');
  await wrongTypeLater(() => loop({ crossfade: '1' }), 'crossfade', 'got "1"');
  await outOfRangeLater(() => loop({ crossfade: -1 }), 'crossfade', 'got -1');
  // 21 frames, where 20 come before the loop; 41 where it has 40.
  await outOfRangeLater(() => loop({ crossfade: 21 / RATE }), 'crossfade', `${20 / RATE} s`);
  await outOfRangeLater(
    () => loop({ start: 50, end: 90, crossfade: 41 / RATE }),
    'crossfade',
    `${40 / RATE} s`,
  );
  await outOfRangeLater(() => loop({ alternate: true, crossfade: 0.0001 }), 'alternate', 'got 0.0001');
  await loop({ crossfade: 20 / RATE });
  await loop({ alternate: true, crossfade: 0 });
  await add('loop')(false);
});

test('the values of a sample are Float32Arrays with whole frames in them', async () => {
  const add = (...args) => instrument.addSample(...args);
  for (const wrong of [
    undefined,
    null,
    7,
    {},
    [1, 2],
    [data, 'x'],
    new Float64Array(4),
    new ArrayBuffer(8),
    [new Int16Array(4)],
  ]) {
    await wrongTypeLater(() => add(wrong), 'Float32Array', 'got ');
  }
  await outOfRangeLater(() => add(new Float32Array(0)), 'at least one frame', 'got 0');
  await outOfRangeLater(() => add(new Float32Array(3), { channels: 2 }), '3 values', '2 channels');
  await outOfRangeLater(() => add([data, data, data]), '1 or 2 channels', 'got 3');
  await outOfRangeLater(() => add([]), '1 or 2 channels', 'got 0');
  await outOfRangeLater(() => add([data, new Float32Array(7)]), '100', '7');
  await outOfRangeLater(() => add('kick.wav', { sampleRate: 44100 }), 'kick.wav', 'leave them out');
});

test('envelopes have their ranges', async () => {
  for (const name of ['delay', 'attack', 'hold', 'decay', 'release']) {
    await everyWrongNumber(name, (value) => instrument.setEnvelope({ [name]: value }), 0, 3600);
  }
  await everyWrongNumber('sustain', (value) => instrument.setEnvelope({ sustain: value }), 0, 1);
});

test('load checks its source and options before it reads anything', async () => {
  for (const wrong of [undefined, null, 7, true, [], [data], new Float64Array(4), () => {}]) {
    await wrongTypeLater(() => sampler.load(wrong), 'load() takes a path', 'got ');
  }
  await wrongTypeLater(() => sampler.load({ C4: 7 }), '"C4"', 'the path of one sample', 'got 7');
  await outOfRangeLater(() => sampler.load({}), 'the map is empty');
  await outOfRangeLater(
    () => sampler.load({ H4: 'h.wav' }),
    '"H4"',
    'h.wav',
    'from "C-1" to "G9"',
    'did you mean "B4"?',
  );
  await outOfRangeLater(() => sampler.load({ 128: 'x.wav' }), '"128"', '0 to 127');
  await outOfRangeLater(() => sampler.load({ C4: 'a.wav', 60: 'b.wav' }), 'both key 60', 'a.wav', 'b.wav');
  await outOfRangeLater(() => sampler.load(''), 'path', 'empty');
  await outOfRangeLater(() => sampler.load({ C4: '' }), '"C4"', 'empty');
  await outOfRangeLater(() => sampler.load('a\0b.wav'), 'is not a path');
  await outOfRangeLater(() => sampler.load(new Float32Array(0)), 'at least one frame');
  const channel = (value) => sampler.load(data, { channel: value });
  await everyWrongNumber('channel', channel, 0, 15, { kind: 'whole', later: true });
  await wrongTypeLater(() => sampler.load('x', { baseUrl: 7 }), 'baseUrl must be a string', 'got 7');
  await wrongTypeLater(
    () => sampler.load('x', { onProgress: {} }),
    'onProgress must be a function',
    'got an object',
  );
});

test('a signal is an AbortSignal', async () => {
  for (const wrong of [7, 'x', {}, { aborted: true }, new AbortController()]) {
    await wrongTypeLater(
      () => sampler.load(data, { signal: wrong }),
      'signal must be an AbortSignal',
      `got ${shown(wrong)}`,
    );
  }
});
