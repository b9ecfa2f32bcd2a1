// What the world does wrong: files that lie, things that are closed, devices that are not there, more notes than fit.
// A clear error with its code each time, never a crash, a hang, or silence without a word.
import assert from 'node:assert/strict';
import { pbkdf2 } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Engine, Sampler } from '../lib/index.mjs';
import { ask, temporaryFolder } from './support/child.mjs';
import { outOfRange, rejects, throws } from './support/errors.mjs';
import { constant, offline, until } from './support/sound.mjs';
import { chunk, format, riff, wav } from './support/wav.mjs';

const folder = temporaryFolder();
const quarter = new Float32Array(100).fill(0.25);

function file(name, bytes) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Loading and adding this path both fail so. */
async function refusesFile(path, code, ...words) {
  const { engine, sampler, instrument } = await offline();
  await rejects(() => sampler.load(path), Error, code, path, ...words);
  await rejects(() => sampler.load({ C4: path }), Error, code, path, ...words);
  await rejects(() => instrument.addSample(path), Error, code, path, ...words);
  assert.equal(instrument.regions, 1, 'nothing was added');
  await engine.close();
}

test('an absent file is not found, and a relative path says where it was looked for', async () => {
  await refusesFile(join(folder, 'nowhere.wav'), 'ERR_FILE_NOT_FOUND', 'there is no file');
  await refusesFile(join(file('a-file', 'x'), 'below.wav'), 'ERR_FILE_NOT_FOUND');
  await refusesFile('no-such-file.wav', 'ERR_FILE_NOT_FOUND', process.cwd());
  const { sampler } = await offline();
  const load = () => sampler.load({ C4: 'c4.wav' }, { baseUrl: folder });
  await rejects(load, Error, 'ERR_FILE_NOT_FOUND', 'c4.wav', folder);
});

test('a folder without samples says what it has instead', async () => {
  const { sampler } = await offline();
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  await rejects(() => sampler.load(empty), Error, 'ERR_FILE_NOT_FOUND', empty, 'sound files');
  writeFileSync(join(empty, 'kick.caf'), 'caff');
  await rejects(() => sampler.load(empty), Error, 'ERR_UNSUPPORTED_FORMAT', empty, '1 .caf', 'WAV');
  mkdirSync(join(empty, 'below'));
  writeFileSync(join(empty, 'below', 'kick.wav'), wav([0.5]));
  assert.equal((await sampler.load(empty)).samples, 1, 'a folder of folders is a bank');
  await rejects(() => sampler.load({ C4: empty }), Error, 'ERR_UNSUPPORTED_FORMAT', empty, 'is a folder');
});

test('a file that ends too early says what its chunk promises, at which byte, and what there is', async () => {
  const whole = wav(quarter);
  // 12 bytes of RIFF, 8 + 16 of fmt: the data chunk begins at byte 36, its values at 44.
  await refusesFile(
    file('cut.wav', whole.subarray(0, 100)),
    'ERR_CORRUPT_FILE',
    'data chunk at byte 36',
    '200 bytes',
    '56',
  );
  await refusesFile(
    file('no-values.wav', whole.subarray(0, 44)),
    'ERR_CORRUPT_FILE',
    'byte 36',
    '200 bytes',
    '0',
  );
  await refusesFile(
    file('in-fmt.wav', whole.subarray(0, 30)),
    'ERR_CORRUPT_FILE',
    'fmt chunk at byte 12',
    '16 bytes',
    '10',
  );
  await refusesFile(file('in-riff.wav', whole.subarray(0, 7)), 'ERR_CORRUPT_FILE', '7 bytes');
  await refusesFile(file('empty.wav', ''), 'ERR_CORRUPT_FILE', 'empty');
  for (let bytes = 0; bytes < 44; bytes += 1) {
    await refusesFile(file('shorter.wav', whole.subarray(0, bytes)), 'ERR_CORRUPT_FILE');
  }
});

test('a file that contradicts itself is corrupt', async () => {
  const data = chunk('data', Buffer.alloc(200));
  const fmt = (change) => {
    const body = format();
    change(body);
    return chunk('fmt ', body);
  };
  const lies = {
    'data-too-large': riff(chunk('fmt ', format()), chunk('data', Buffer.alloc(200), 0x10000000)),
    'data-first': riff(data, chunk('fmt ', format())),
    'no-fmt': riff(data),
    'no-data': riff(chunk('fmt ', format())),
    'empty-data': riff(chunk('fmt ', format()), chunk('data', Buffer.alloc(0))),
    'half-a-frame': riff(chunk('fmt ', format()), chunk('data', Buffer.alloc(1))),
    'zero-channels': riff(
      fmt((b) => b.writeUInt16LE(0, 2)),
      data,
    ),
    'zero-rate': riff(
      fmt((b) => b.writeUInt32LE(0, 4)),
      data,
    ),
    'zero-bits': riff(
      fmt((b) => b.writeUInt16LE(0, 14)),
      data,
    ),
    'wrong-frame-size': riff(
      fmt((b) => b.writeUInt16LE(7, 12)),
      data,
    ),
    'short-fmt': riff(chunk('fmt ', format().subarray(0, 8)), data),
  };
  for (const [name, bytes] of Object.entries(lies)) {
    await refusesFile(file(`${name}.wav`, bytes), 'ERR_CORRUPT_FILE', /byte \d+|\d+ bytes/);
  }
});

test('what this version does not decode says what it is', async () => {
  const data = chunk('data', Buffer.alloc(240));
  const fmt = (tag, channels, bits) => {
    const body = format({ channels });
    body.writeUInt16LE(tag, 0);
    body.writeUInt16LE((channels * bits) / 8, 12);
    body.writeUInt16LE(bits, 14);
    return chunk('fmt ', body);
  };
  const cases = [
    ['kick.wav', Buffer.from('caff\0\x01\0\0'), 'CAF'],
    ['movie.wav', Buffer.from('\0\0\0\x20ftypM4A '), 'MPEG-4'],
    ['image.wav', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), '89 50 4e 47'],
    ['piano.dspreset', Buffer.from('<DecentSampler>'), 'Decent Sampler'],
    ['six.wav', riff(fmt(1, 6, 16), data), /6 channels/],
    ['half.wav', riff(fmt(3, 1, 16), data), /16-bit float/],
    ['adpcm.wav', riff(fmt(2, 1, 8), data), /ADPCM/],
  ];
  for (const [name, bytes, word] of cases) {
    await refusesFile(file(name, bytes), 'ERR_UNSUPPORTED_FORMAT', word);
  }
  await refusesFile('/dev/null', 'ERR_UNSUPPORTED_FORMAT', 'device');
});

test('a closed engine refuses every call that would sound, with its code', async () => {
  const { engine, sampler, instrument } = await offline();
  const closed = engine.close();
  assert.equal(engine.state, 'closed');
  await closed;
  const calls = [
    () => engine.render(1),
    () => engine.render(1, new Float32Array(2)),
    () => engine.suspend(),
    () => engine.resume(),
    () => engine.panic(),
    () => {
      engine.gain = 1;
    },
    () => new Sampler({ engine }),
    () => sampler.noteOn(60, 100),
    () => sampler.noteOn(60, 100, 1, 3),
    () => sampler.noteOn(60, 100, { duration: 1 }),
    () => sampler.noteOff(60),
    () => sampler.release(1),
    () => sampler.pitchBend(0),
    () => sampler.allNotesOff(),
    () => sampler.allSoundOff(3),
    () => sampler.assign(0, null),
    () => sampler.assign(0, instrument),
    () => {
      sampler.gain = 1;
    },
    () => {
      sampler.pan = 1;
    },
    () => {
      sampler.muted = true;
    },
    () => sampler.createInstrument(),
  ];
  for (const call of calls) throws(call, Error, 'ERR_CLOSED', 'the engine is closed', 'new one');
  await rejects(() => sampler.load(quarter), Error, 'ERR_CLOSED', 'the engine is closed');
  await rejects(() => Sampler.from(quarter, { engine }), Error, 'ERR_CLOSED', 'the engine is closed');
  // Looking is allowed, and so is letting go.
  assert.equal(engine.stats().voices, 0);
  assert.equal(engine.sampleRate, 48000);
  assert.equal(typeof engine.currentTime, 'number');
  assert.match(engine.realtime.reason, /closed/);
  assert.equal(sampler.engine, engine);
  engine.resetStats();
  sampler.close();
  instrument.unload();
  assert.equal(engine.close(), engine.close());
});

for (const backend of ['offline', 'clock']) {
  test(`from close() on nothing is taken in, however busy the machine is (${backend})`, async () => {
    const engine = new Engine({ backend });
    const sampler = new Sampler({ engine });
    // Both runtimes do the slow part of closing on a pool of threads: this keeps all of them busy.
    const busy = Array.from(
      { length: 64 },
      () =>
        new Promise((resolve) => {
          pbkdf2('a', 'b', 40_000, 64, 'sha512', resolve);
        }),
    );
    const loading = sampler.load(quarter);
    loading.catch(() => {});
    const closed = engine.close();
    throws(() => sampler.noteOn(60, 100), Error, 'ERR_CLOSED', 'the engine is closed');
    throws(() => sampler.allNotesOff(), Error, 'ERR_CLOSED', 'the engine is closed');
    throws(() => engine.panic(), Error, 'ERR_CLOSED', 'the engine is closed');
    if (backend === 'offline') throws(() => engine.render(1), Error, 'ERR_CLOSED', 'the engine is closed');
    throws(() => new Sampler({ engine }), Error, 'ERR_CLOSED', 'the engine is closed');
    await rejects(() => loading, Error, 'ERR_CLOSED', 'the engine is closed');
    await Promise.all([closed, ...busy]);
  });
}

test('a closed sampler refuses every call, with its code', async () => {
  const { sampler, instrument } = await offline();
  sampler.close();
  sampler.close();
  const calls = [
    () => sampler.noteOn(60),
    () => sampler.noteOn(60, 100, {}),
    () => sampler.noteOff(60),
    () => sampler.release(1),
    () => sampler.pitchBend(0),
    () => sampler.allNotesOff(),
    () => sampler.allSoundOff(),
    () => sampler.assign(0, instrument),
    () => {
      sampler.gain = 1;
    },
    () => {
      sampler.pan = 0;
    },
    () => {
      sampler.muted = false;
    },
    () => sampler.createInstrument(),
  ];
  for (const call of calls) throws(call, Error, 'ERR_CLOSED', 'the sampler is closed', 'new one');
  await rejects(() => sampler.load(quarter), Error, 'ERR_CLOSED', 'the sampler is closed');
  outOfRange(() => sampler.noteOn(128), 'note', 'got 128');
});

test('a sampler closed while it loads says so', async () => {
  const { sampler } = await offline();
  const loading = sampler.load(constant(1_000_000));
  sampler.close();
  await rejects(() => loading, Error, 'ERR_CLOSED', 'the sampler is closed');
});

test('an unloaded instrument refuses to grow, to change, and to be assigned', async () => {
  const { sampler, instrument } = await offline();
  instrument.unload();
  await rejects(
    () => instrument.addSample(quarter),
    Error,
    'ERR_CLOSED',
    'the instrument is unloaded',
    'load it again',
  );
  throws(() => instrument.setEnvelope({}), Error, 'ERR_CLOSED', 'the instrument is unloaded');
  throws(() => sampler.assign(0, instrument), Error, 'ERR_CLOSED', 'the instrument is unloaded');
});

test('only an offline engine is rendered by hand', async () => {
  const engine = new Engine({ backend: 'clock' });
  throws(() => engine.render(1), RangeError, 'ERR_INVALID_ARGUMENT', "'offline'", "'clock'");
  await engine.close();
});

/** Opens engines in a process of its own, without any sound card or server, and tells the errors. */
const errorsOf = (options) => {
  const alsa = file('alsa.conf', 'pcm.!default { type hw card 31 }\nctl.!default { type hw card 31 }\n');
  return ask(
    `const told = ${JSON.stringify(options)}.map((options) => {
      try {
        new Engine(options);
        return { message: 'it opened' };
      } catch (error) {
        return { name: error.constructor.name, code: error.code, message: error.message };
      }
    });
    console.log(JSON.stringify(told));`,
    {
      env: {
        ALSA_CONFIG_PATH: `/usr/share/alsa/alsa.conf:${alsa}`,
        JACK_DEFAULT_SERVER: `ictus-nobody-${process.pid}`,
      },
    },
  );
};

test('without a device or server the error says what to do, and stderr stays empty', async () => {
  const linux = ['jack', 'auto', 'alsa', undefined].map((backend) => ({ backend }));
  const [jack, auto, alsa, none] = await errorsOf(linux);
  for (const error of [jack, auto, alsa, none]) {
    assert.deepEqual([error.name, error.code], ['Error', 'ERR_NO_DEVICE'], error.message);
    assert.match(error.message, /'clock'/, error.message);
  }
  assert.match(jack.message, /no JACK server is running|libjack/);
  assert.match(jack.message, /jackd -d|install/);
  for (const word of ['jack:', 'alsa:', "'offline'"]) assert.ok(auto.message.includes(word), auto.message);
  assert.equal(none.message, auto.message, 'auto is the default');
});

test('a device that does not exist is named, with the nearest that does', async () => {
  const [alsa, other] = await errorsOf([{ backend: 'alsa', device: 'nulll' }, { backend: 'coreaudio' }]);
  assert.equal(alsa.code, 'ERR_NO_DEVICE');
  for (const word of ["'nulll'", "Did you mean 'null'?"])
    assert.ok(alsa.message.includes(word), alsa.message);
  assert.equal(other.code, 'ERR_NO_DEVICE');
  assert.match(other.message, /coreaudio/);
});

test('the clock has no device of another name', async () => {
  const [clock] = await errorsOf([{ backend: 'clock', device: 'Scarlett 2i2' }]);
  assert.equal(clock.code, 'ERR_NO_DEVICE', clock.message);
  assert.ok(clock.message.includes('Scarlett 2i2'), clock.message);
});

test('a wrong ICTUS_BACKEND is met like a wrong option', async () => {
  const source = `try { new Engine(); } catch (error) { console.log(JSON.stringify([error.code, error.message])); }`;
  const [code, message] = await ask(source, { env: { ICTUS_BACKEND: 'klock' } });
  assert.equal(code, 'ERR_INVALID_ARGUMENT');
  for (const word of ['ICTUS_BACKEND', '"klock"', 'clock']) assert.ok(message.includes(word), message);
});

test('100,000 notes in one tick are played or counted, and what ends notes still gets through', async () => {
  const engine = new Engine({ backend: 'clock' });
  const sampler = new Sampler({ engine });
  const instrument = sampler.createInstrument();
  await instrument.addSample(constant(1000), { loop: { start: 0, end: 1000 } });
  sampler.assign(0, instrument);
  for (let note = 60; note < 70; note += 1) sampler.noteOn(note);
  await until(() => engine.stats().voices === 10, 'ten notes to sound');
  // On a channel without an instrument every note that gets its turn is counted, too.
  let zeros = 0;
  for (let n = 0; n < 100_000; n += 1) if (sampler.noteOn(60, 100, undefined, 1) === 0) zeros += 1;
  for (let note = 60; note < 70; note += 1) sampler.noteOff(note);
  sampler.release(0); // the id of a note that was dropped
  assert.ok(zeros > 0, 'the queue holds 16,384');
  assert.equal(engine.stats().droppedEvents, zeros);
  await until(() => engine.stats().voices === 0, 'the note-offs to be heard');
  const { droppedEvents, silentNotes } = engine.stats();
  assert.deepEqual([droppedEvents, silentNotes], [zeros, 100_000 - zeros]);
  assert.ok(sampler.noteOn(60) > 0, 'and there is room again');
  await engine.close();
});

test('100,000 notes that sound, in one tick, end with a thread that is alive and in time', async () => {
  const engine = new Engine({ backend: 'clock' });
  const sampler = new Sampler({ engine });
  const instrument = sampler.createInstrument();
  await instrument.addSample(constant(1000), { loop: { start: 0, end: 1000 } });
  sampler.assign(0, instrument);
  const errors = [];
  engine.on('error', (error) => errors.push(error));
  for (let n = 0; n < 100_000; n += 1) sampler.noteOn(60 + (n % 3), 100);
  for (const note of [60, 61, 62]) sampler.noteOff(note);
  await until(() => engine.stats().voicesPeak > 0, 'the notes to sound');
  await until(() => engine.stats().voices === 0, 'the note-offs to be heard');
  assert.ok(engine.stats().voicesStolen > 0);
  assert.deepEqual(errors, []);
  await engine.close();
});

test('of 100,000 notes scheduled ahead in one tick none is lost without being counted', async () => {
  const engine = new Engine({ backend: 'clock' });
  const sampler = new Sampler({ engine });
  const at = engine.currentTime + 0.5;
  for (let n = 0; n < 100_000; n += 1) sampler.noteOn(60, 100, at);
  // On a channel without an instrument each note that gets its turn is counted, too.
  const counted = () => engine.stats().silentNotes + engine.stats().droppedEvents;
  await until(() => engine.currentTime > at + 0.1 && counted() >= 100_000, 'all notes to be counted');
  assert.equal(counted(), 100_000);
  assert.ok(engine.stats().silentNotes >= 16_384 / 2, 'a good part of them was played');
  await engine.close();
});
