// Banks and play(): folders of folders, maps, numbers, notes, speed, parts, loops, cut groups, and what is refused.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { temporaryFolder } from './support/child.mjs';
import { outOfRange, rejects, wrongType, wrongTypeLater } from './support/errors.mjs';
import { constant, left, heard as notesOf, offline, RATE, until } from './support/sound.mjs';
import { wav } from './support/wav.mjs';

const folder = temporaryFolder();
const SIDE = Math.SQRT1_2;

function file(name, bytes) {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

/** A constant in 32nds of full scale, a tenth of a second long. */
const level = (n) => wav(new Float32Array(RATE / 10).fill(n / 32));
file('kit/bd/b10.wav', level(3));
file('kit/bd/b2.WAV', level(2));
file('kit/bd/a.wav', level(1));
file('kit/sn/s.wav', level(4));
/** 0 to almost 1, so that a value says from where in the sample it is. */
const slope = file(
  'slope.wav',
  wav(
    Float32Array.from({ length: RATE / 10 }, (_, n) => n / (RATE / 10)),
    { encoding: 'float32' },
  ),
);

/** What is heard `ms` after a call, in 32nds, of a mono sample in the middle. */
function heard(engine, sampler, call, ms = 5) {
  sampler.allSoundOff();
  engine.render(RATE / 10);
  call();
  return Math.round((left(engine, (ms * RATE) / 1000).at(-1) / SIDE) * 32 * 1000) / 1000;
}

test('a folder of folders is a bank: names, numbers in natural order, round and round', async () => {
  const { engine, sampler } = await offline();
  const bank = await sampler.load(join(folder, 'kit'));
  assert.deepEqual([bank.name, bank.samples, bank.warnings], ['kit', 4, []]);
  const found = ['bd', 'bd:1', 'bd:2', 'bd:3', 'sn', 'sn:7'].map((name) =>
    heard(engine, sampler, () => sampler.play(name)),
  );
  assert.deepEqual(found, [1, 2, 3, 1, 4, 4]);
  assert.equal(
    heard(engine, sampler, () => sampler.play('bd', { n: 2 })),
    3,
  );
  assert.equal(
    heard(engine, sampler, () => sampler.play('bd:1', { n: 0 })),
    1,
    'n is what counts',
  );
  // On the keyboard, the first of each from key 36.
  assert.deepEqual(bank.keyRange, [36, 37]);
  assert.equal(
    heard(engine, sampler, () => sampler.noteOn(37, 127)),
    4,
  );
});

test('maps: lists in an object, strudel.json with a base, notes', async () => {
  const { engine, sampler } = await offline();
  const kit = join(folder, 'kit');
  await sampler.load({ kick: ['bd/a.wav', 'bd/b2.WAV'], snare: 'sn/s.wav' }, { baseUrl: kit });
  assert.equal(
    heard(engine, sampler, () => sampler.play('kick:1')),
    2,
  );
  assert.equal(
    heard(engine, sampler, () => sampler.play('snare')),
    4,
  );
  const map = { _base: 'kit/', hat: ['bd/b10.wav'], pi: { c3: 'bd/a.wav', c5: 'sn/s.wav' } };
  await sampler.load(file('strudel.json', JSON.stringify(map)));
  assert.equal(
    heard(engine, sampler, () => sampler.play('hat')),
    3,
  );
  assert.equal(
    heard(engine, sampler, () => sampler.play('pi', { note: 48 })),
    1,
  );
  assert.equal(
    heard(engine, sampler, () => sampler.play('pi', { note: 80 })),
    4,
  );
  const web = file('web.json', JSON.stringify({ _base: 'https://example.org/', bd: ['a.wav'] }));
  await rejects(
    () => sampler.load(web),
    RangeError,
    'ERR_INVALID_ARGUMENT',
    'https://example.org/',
    'baseUrl',
  );
  await rejects(
    () => sampler.load(file('broken.json', '{ "bd": ')),
    Error,
    'ERR_CORRUPT_FILE',
    'line 1 column 8',
  );
  await wrongTypeLater(() => sampler.load({ bd: ['a.wav', 7] }), '"bd"');
});

test('a file and an instrument are played by name and by themselves, without a channel', async () => {
  const { engine, sampler } = await offline();
  const instrument = await sampler.load(slope, { channel: 4 });
  sampler.assign(4, null);
  for (const sound of ['slope', instrument]) {
    const value = heard(engine, sampler, () => sampler.play(sound));
    assert.ok(Math.abs(value - (32 * 239) / 4800) < 0.01, String(value));
  }
});

test('speed, begin, end, note and loop say which part is heard, and how fast', async () => {
  const { engine, sampler } = await offline();
  await sampler.load({ ramp: [slope] });
  const at = (options, ms = 5) => heard(engine, sampler, () => sampler.play('ramp', options), ms) / 32;
  const near = (value, expected, what) => assert.ok(Math.abs(value - expected) < 0.002, `${what}: ${value}`);
  near(at({}), 0.05, 'from the start');
  near(at({ begin: 0.5 }), 0.55, 'from the middle');
  near(at({ speed: 2 }), 0.1, 'twice as fast');
  near(at({ speed: -1 }), 0.95, 'backwards');
  near(at({ speed: -1, begin: 0.25, end: 0.5 }), 0.45, 'a part, backwards');
  near(at({ note: 72 }), 0.1, 'an octave up');
  near(at({ note: 72, detune: -1200 }), 0.05, 'and down again');
  near(at({ end: 0.25 }, 40), 0, 'over');
  near(at({ loop: true }, 105), 0.05, 'round');
  near(at({ loop: true, begin: 0.5, end: 0.75 }, 30), 0.55, 'a part, round');
  near(at({ loop: { start: 0.2, end: 0.3 }, begin: 0.1 }, 25), 0.25, 'into a loop');
  near(at({ gain: 0.5 }), 0.025, 'gain');
  near(at({ velocity: 63.5 }), 0.0125, 'velocity by the square law');
});

test('a cut group ends what plays in it, a duration lets go, and ids are those of notes', async () => {
  const { engine, sampler } = await offline();
  await sampler.load({ hat: [join(folder, 'kit/bd/a.wav')], open: [join(folder, 'kit/sn/s.wav')] });
  const cut = heard(
    engine,
    sampler,
    () => {
      sampler.play('open', { cut: 1 });
      sampler.play('hat', { cut: 1, time: engine.currentTime + 0.01 });
    },
    30,
  );
  assert.equal(cut, 1, 'only the hat is left');
  assert.equal(
    heard(engine, sampler, () => sampler.play('open', { duration: 0.01, release: 0.001 }), 30),
    0,
  );
  const id = sampler.play('open');
  assert.ok(id > 0);
  sampler.set(id, { gain: 0.5 });
  engine.render(RATE / 50);
  assert.equal(Math.round((left(engine, 1)[0] / SIDE) * 32), 2);
  const ended = notesOf(sampler, 'noteend');
  sampler.release(id);
  engine.render(RATE);
  await until(() => ended.includes(id));
});

test('pan and filters are those of notes', async () => {
  const { engine, sampler } = await offline();
  const noise = Float32Array.from({ length: RATE / 10 }, (_, n) => (n % 2 ? -0.5 : 0.5));
  await sampler.load({ buzz: [file('buzz.wav', wav(noise))] });
  const peak = (options) => {
    sampler.allSoundOff();
    engine.render(RATE / 10);
    sampler.play('buzz', options);
    return left(engine, 2000).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  };
  assert.equal(peak({ pan: 1 }), 0);
  assert.ok(peak({}) > 0.3);
  assert.ok(peak({ cutoff: 200 }) < 0.01, 'what is at half the sample rate is gone');
  assert.ok(peak({ hcutoff: 200 }) > 0.3);
  assert.ok(peak({ bandf: 200 }) < 0.05);
});

test('what play() does not know is met with what it does', async () => {
  const { sampler } = await offline({ data: constant(10) });
  outOfRange(() => sampler.play('bd'), "no sound 'bd'", 'load()');
  await sampler.load(join(folder, 'kit'));
  outOfRange(() => sampler.play('bb'), "no sound 'bb'", "did you mean 'bd'?");
  outOfRange(() => sampler.play('xylophone:2'), "no sound 'xylophone'", 'there are bd, sn');
  wrongType(() => sampler.play(7), 'play() takes', 'got 7');
  wrongType(() => sampler.play({}), 'play() takes');
  wrongType(() => sampler.play('bd', { sped: 2 }), "'sped'", "did you mean 'speed'?");
  for (const name of ['crush', 'coarse', 'shape', 'vowel']) {
    outOfRange(() => sampler.play('bd', { [name]: 1 }), name, 'not in this version');
  }
  for (const [name, wrong] of [
    ['n', -1],
    ['n', 0.5],
    ['note', 128],
    ['begin', 1.5],
    ['speed', 1000],
    ['cut', -1],
    ['velocity', 128],
  ]) {
    outOfRange(() => sampler.play('bd', { [name]: wrong }), name, String(wrong));
  }
  wrongType(() => sampler.play('bd', { loop: 7 }), 'loop', 'got 7');
  outOfRange(() => sampler.play('bd', { loop: { start: 0.5, end: 0.25 } }), 'loop.start');
  sampler.close();
  assert.throws(() => sampler.play('bd'), { code: 'ERR_CLOSED' });
});
