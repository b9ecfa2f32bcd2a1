// Every argument of every call, wrong in every way: the class and code of the error, and that its message names the
// argument, the value and what is allowed.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Engine, Instrument, Sampler } from '../lib/index.mjs';
import {
  everyWrongNumber,
  notNumbers,
  outOfRange,
  shown,
  wrongType,
  wrongTypeLater,
} from './support/errors.mjs';

const engine = new Engine({ backend: 'offline' });
const sampler = new Sampler({ engine });
const instrument = sampler.createInstrument('test');
const data = new Float32Array(100).fill(0.5);
const offline = (options) => new Engine({ backend: 'offline', ...options });

test('numbers of calls that sound have their ranges', async () => {
  const needed = { absent: false };
  const channel = { kind: 'whole' };
  await everyWrongNumber('note', (value) => sampler.noteOn(value), 0, 127, needed);
  await everyWrongNumber('velocity', (value) => sampler.noteOn(60, value), 0, 127);
  await everyWrongNumber('channel', (value) => sampler.noteOn(60, 100, 0, value), 0, 15, channel);
  await everyWrongNumber('channel', (value) => sampler.noteOn(60, 100, { channel: value }), 0, 15, channel);
  await everyWrongNumber('duration', (value) => sampler.noteOn(60, 100, { duration: value }), 0, 1e9);
  await everyWrongNumber('note', (value) => sampler.noteOff(value), 0, 127, needed);
  await everyWrongNumber('channel', (value) => sampler.noteOff(60, 0, value), 0, 15, channel);
  await everyWrongNumber('pitch bend', (value) => sampler.pitchBend(value), -8192, 8191, needed);
  await everyWrongNumber('channel', (value) => sampler.pitchBend(0, 0, value), 0, 15, channel);
  await everyWrongNumber('channel', (value) => sampler.allNotesOff(value), 0, 15, channel);
  await everyWrongNumber('channel', (value) => sampler.allSoundOff(value), 0, 15, channel);
  await everyWrongNumber('channel', (value) => sampler.assign(value, null), 0, 15, {
    kind: 'whole',
    absent: false,
  });
});

test('times are finite numbers of seconds, in every call that takes one', () => {
  const calls = [
    (time) => sampler.noteOn(60, 100, time),
    (time) => sampler.noteOn(60, 100, { time }),
    (time) => sampler.noteOff(60, time),
    (time) => sampler.release(1, time),
    (time) => sampler.pitchBend(0, time),
    (time) => sampler.allNotesOff(0, time),
    (time) => sampler.allSoundOff(undefined, time),
    (time) => sampler.assign(0, null, time),
  ];
  for (const call of calls) {
    for (const time of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      outOfRange(() => call(time), 'time', 'finite', 'seconds', `got ${time}`);
    }
    for (const time of ['1', null, true, 1n, Symbol('time'), () => 1]) {
      wrongType(() => call(time), 'time', 'finite', `got ${shown(time)}`);
    }
    for (const time of [-1, 0, 1e12, undefined]) call(time);
  }
  wrongType(() => sampler.noteOn(60, 100, []), 'got an array of 0');
  wrongType(() => sampler.noteOn(60, 100, [1]), 'got an array of 1');
  wrongType(() => sampler.noteOff(60, {}), 'time', 'got an object');
});

test('an id is what noteOn returned', () => {
  for (const id of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32]) {
    outOfRange(() => sampler.release(id), 'id', 'noteOn()', `got ${shown(id)}`);
  }
  for (const id of [...notNumbers, undefined]) wrongType(() => sampler.release(id), 'id', `got ${shown(id)}`);
  sampler.release(0);
  sampler.release(2 ** 32 - 1);
});

test('properties have their ranges and keep their value when they refuse', async () => {
  const set = (target, name) => (value) => {
    target[name] = value;
  };
  const needed = { absent: false };
  await everyWrongNumber('gain', set(sampler, 'gain'), 0, 10000, needed);
  await everyWrongNumber('gain', set(engine, 'gain'), 0, 10000, needed);
  await everyWrongNumber('pan', set(sampler, 'pan'), -1, 1, needed);
  for (const value of [0, 1, 'true', null, undefined, {}, []]) {
    wrongType(() => set(sampler, 'muted')(value), 'muted', 'true or false', `got ${shown(value)}`);
  }
  [sampler.gain, engine.gain, sampler.pan, sampler.muted] = [2, 0.5, -0.25, true];
  for (const [target, name] of [
    [sampler, 'gain'],
    [engine, 'gain'],
    [sampler, 'pan'],
    [sampler, 'muted'],
  ]) {
    wrongType(() => set(target, name)('loud'), name, 'got "loud"');
  }
  assert.deepEqual([sampler.gain, engine.gain, sampler.pan, sampler.muted], [2, 0.5, -0.25, true]);
  for (const name of ['currentTime', 'sampleRate', 'state', 'backend', 'realtime']) {
    assert.throws(() => set(engine, name)(1), TypeError, `${name} is read-only`);
  }
});

test('render wants a whole number of frames and room for them', async () => {
  const into = new Float32Array(20);
  const none = { kind: 'whole', absent: false };
  const small = (frames) => (frames === 2 ** 28 ? undefined : engine.render(frames));
  await everyWrongNumber('frames', small, 0, 2 ** 28, none);
  for (const wrong of [null, [], {}, 'x', 7, new Float64Array(20), new Uint8Array(20), new ArrayBuffer(80)]) {
    wrongType(() => engine.render(1, wrong), 'into', 'Float32Array', 'got ');
  }
  outOfRange(() => engine.render(11, into), '11 frames', '2 channels', '22', '20');
  const detached = new Float32Array(20);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  outOfRange(() => engine.render(1, detached), 'room for 2', '0');
  assert.equal(engine.render(10, into), into);
});

test('render says in words that no array holds what was asked for', () => {
  // 2²⁸ frames are allowed, and of 32 channels they are one value more than the longest Float32Array.
  outOfRange(() => offline({ channels: 32 }).render(2 ** 28), `${2 ** 28} frames`, '32 channels');
});

test('engine options have their ranges', async () => {
  const option = (name) => (value) => offline({ [name]: value }).close();
  for (const [name, low, high] of [
    ['sampleRate', 1000, 768000],
    ['bufferSize', 8, 65536],
    ['channels', 1, 32],
    ['polyphony', 1, 4096],
  ]) {
    await everyWrongNumber(name, option(name), low, high, { kind: 'whole' });
  }
  for (const rate of [0, 10e6, -48000, 44100.5]) {
    outOfRange(() => offline({ sampleRate: rate }), 'sampleRate', 'from 1000 to 768000 Hz', `got ${rate}`);
  }
  const priority = (value) => offline({ realtime: { priority: value } }).close();
  await everyWrongNumber('priority', priority, 1, 99, { kind: 'whole' });
});

test('options that are words are met with the list of them and the nearest', () => {
  const cases = [
    [(value) => new Engine({ backend: value }), 'backend', 'jakc', 'jack'],
    [(value) => offline({ interpolation: value }), 'interpolation', 'qubic', 'cubic'],
    [
      (value) => {
        engine.interpolation = value;
      },
      'interpolation',
      'sinc_16',
      'sinc16',
    ],
    [(value) => sampler.createInstrument('', { interpolation: value }), 'interpolation', 'liner', 'linear'],
    [(value) => offline({ realtime: { policy: value } }), 'policy', 'fif', 'fifo'],
    [(value) => new Sampler({ engine, stealing: value }), 'stealing', 'quitest', 'quietest'],
    [(value) => new Sampler({ engine, stealing: value }), 'stealing', 'sameNote', 'same-note'],
  ];
  for (const [call, name, misspelt, right] of cases) {
    outOfRange(() => call(misspelt), name, `'${right}'`, `got "${misspelt}"`, `did you mean '${right}'?`);
    outOfRange(() => call('entirely different'), name, `'${right}'`, 'got "entirely different"');
    for (const wrong of [7, null, true, {}, []])
      wrongType(() => call(wrong), name, `'${right}'`, `got ${shown(wrong)}`);
  }
  wrongType(() => offline({ device: 7 }), 'device must be a string', 'got 7');
  offline({ device: null });
  for (const wrong of [7, null, 'fifo', []])
    wrongType(() => offline({ realtime: wrong }), 'realtime', `got ${shown(wrong)}`);
  wrongType(() => offline({ realtime: { required: 1 } }), 'required must be true or false', 'got 1');
  for (const realtime of [true, false, {}]) offline({ realtime });
});

test('an unknown option is named with the one that was meant', async () => {
  const cases = [
    [(options) => offline(options), 'Engine', { samplerate: 44100 }, 'sampleRate'],
    [(options) => offline({ realtime: options }), 'realtime', { prioritty: 50 }, 'priority'],
    [(options) => new Sampler({ engine, ...options }), 'Sampler', { poliphony: 5 }, 'polyphony'],
    [(options) => sampler.noteOn(60, 100, options), 'note', { tiem: 1 }, 'time'],
    [(options) => sampler.noteOn(60, 100, options), 'note', { Duration: 1 }, 'duration'],
    [(options) => instrument.setEnvelope(options), 'envelope', { atack: 1 }, 'attack'],
  ];
  for (const [call, what, options, right] of cases) {
    wrongType(() => call(options), what, `'${Object.keys(options)[0]}'`, `did you mean '${right}'?`);
    wrongType(() => call({ entirelyDifferent: 1 }), what, "'entirelyDifferent'", `known are`, right);
  }
  const later = [
    [(options) => sampler.load(data, options), 'load', { chanel: 1 }, 'channel'],
    [(options) => instrument.addSample(data, options), 'metadata', { rootnote: 1 }, 'rootNote'],
    [
      (options) => instrument.addSample(data, { loop: { start: 0, end: 9, ...options } }),
      'loop',
      { Mode: 1 },
      'mode',
    ],
    [(options) => Sampler.from(data, { engine, ...options }), 'Sampler', { stealling: 'none' }, 'stealing'],
  ];
  for (const [call, what, options, right] of later) {
    await wrongTypeLater(
      () => call(options),
      what,
      `'${Object.keys(options)[0]}'`,
      `did you mean '${right}'?`,
    );
  }
});

test('Sampler.from knows the options of load, too', async () => {
  await wrongTypeLater(
    () => Sampler.from(data, { engine, chanel: 1 }),
    "'chanel'",
    "did you mean 'channel'?",
  );
  await wrongTypeLater(() => Sampler.from(data, { engine, onprogress() {} }), "did you mean 'onProgress'?");
});

test('options are objects', async () => {
  for (const wrong of [null, 7, 'offline', true, []]) {
    wrongType(() => new Engine(wrong), 'Engine options must be an object', `got ${shown(wrong)}`);
    wrongType(() => new Sampler(wrong), 'Sampler options must be an object', `got ${shown(wrong)}`);
    wrongType(() => instrument.setEnvelope(wrong), 'envelope must be an object', `got ${shown(wrong)}`);
    await wrongTypeLater(
      () => sampler.load(data, wrong),
      'load options must be an object',
      `got ${shown(wrong)}`,
    );
    await wrongTypeLater(
      () => instrument.addSample(data, wrong),
      'metadata must be an object',
      `got ${shown(wrong)}`,
    );
    await wrongTypeLater(() => Sampler.from(data, wrong), 'options must be an object', `got ${shown(wrong)}`);
  }
  wrongType(() => instrument.setEnvelope(), 'envelope must be an object', 'got undefined');
});

test('an option whose getter throws throws that, and nothing is left behind', () => {
  const mine = new Error('mine');
  const trap = {
    backend: 'offline',
    get sampleRate() {
      throw mine;
    },
  };
  for (const call of [
    () => new Engine(trap),
    () => new Sampler(trap),
    () =>
      sampler.noteOn(60, 100, {
        get time() {
          throw mine;
        },
      }),
  ]) {
    assert.throws(call, (error) => error === mine);
  }
});

test('an engine is an Engine, and its options are for the one who makes it', () => {
  for (const wrong of [{}, 7, 'offline', null, Engine, Object.create(Engine.prototype)]) {
    wrongType(() => new Sampler({ engine: wrong }), 'engine must be an Engine', `got ${shown(wrong)}`);
  }
  wrongType(() => new Sampler({ engine, sampleRate: 44100 }), 'sampleRate', 'new Engine({ sampleRate })');
  wrongType(() => new Sampler({ engine, backend: 'clock' }), 'backend is an option of the engine');
});

test('samplers and instruments are checked like engines', async () => {
  const option = (name) => (value) => new Sampler({ engine, [name]: value }).close();
  await everyWrongNumber('polyphony', option('polyphony'), 1, 4096, { kind: 'whole' });
  await everyWrongNumber('gain', option('gain'), 0, 10000);
  for (const wrong of [7, null, {}, Symbol('name')])
    wrongType(() => sampler.createInstrument(wrong), 'name must be a string');
  for (const wrong of [undefined, {}, 'piano', sampler, Object.create(Instrument.prototype)]) {
    wrongType(
      () => sampler.assign(0, wrong),
      'instrument must be an Instrument',
      'or null',
      `got ${shown(wrong)}`,
    );
  }
  assert.throws(() => new Instrument(), {
    name: 'TypeError',
    code: 'ERR_INVALID_ARGUMENT',
    message: /createInstrument\(\)/,
  });
});
