// Speaker as programs for the npm package `speaker` know it: options, defaults, errors, order of events. What is expected
// here was observed on speaker 0.5.5 with ALSA's null device, but where index.d.ts says otherwise.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import os from 'node:os';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { Engine, Speaker } from '../lib/index.mjs';
import { outOfRange, wrongType } from './support/errors.mjs';
import { sleep } from './support/sound.mjs';

const RATE = 48000;
const NATIVE = os.endianness();
const EVENTS = ['open', 'drain', 'flush', 'close', 'finish', 'error', 'pipe', 'unpipe'];

const offline = (options) => new Engine({ backend: 'offline', sampleRate: RATE, limiter: false, ...options });

/** A speaker on an offline engine that notes what it emits. */
function speaker(options = {}) {
  const engine = options.engine ?? offline();
  const made = new Speaker({ sampleRate: RATE, ...options, engine });
  const said = [];
  for (const name of EVENTS) made.on(name, (value) => said.push(name === 'error' ? value.message : name));
  return { engine, speaker: made, said };
}

/** Renders until this has happened. */
async function play(engine, holds, frames = 4800) {
  const heard = [];
  for (let turn = 0; turn < 400 && !holds(); turn += 1) {
    heard.push(...engine.render(frames));
    await sleep(5);
  }
  assert.ok(holds(), 'it happens');
  return heard;
}

test('the events of a whole life come in the order of the original, and close once', async () => {
  const { engine, speaker: one, said } = speaker();
  assert.equal(one.write(Buffer.alloc(400)), false, 'as with a highWaterMark of 0');
  assert.deepEqual(said, ['open'], 'within the first write');
  one.end(() => said.push('end callback'));
  await play(engine, () => said.includes('finish'));
  assert.deepEqual(said, ['open', 'end callback', 'flush', 'close', 'finish']);
  await sleep(20);
  assert.equal(said.filter((event) => event === 'close').length, 1);
  assert.equal(one.destroyed, true);
});

test('defaults are set when it opens, and a property that is set before counts', async () => {
  const { speaker: one } = speaker({ sampleRate: undefined });
  assert.deepEqual(
    [one.samplesPerFrame, one.audio_handle, one._closed, one.endianness, one.channels, one.bitDepth],
    [1024, null, false, NATIVE, undefined, undefined],
  );
  assert.equal(one.writableHighWaterMark, 0);
  assert.deepEqual([one.writable, one.readable], [true, undefined]);
  one.channels = 1;
  one.write(Buffer.alloc(2));
  const { channels, bitDepth, sampleRate, signed, device, blockAlign } = one;
  assert.deepEqual(
    [channels, bitDepth, sampleRate, signed, device, blockAlign],
    [1, 16, 44100, true, null, 2],
  );
  assert.notEqual(one.audio_handle, null);
  const eight = speaker({ bitDepth: 8 }).speaker;
  eight.write(Buffer.alloc(2));
  assert.equal(eight.signed, false, 'but for 8 bits, whatever the README of the original says');
  const float = speaker({ float: true, highWaterMark: 100 }).speaker;
  float.write(Buffer.alloc(8));
  assert.deepEqual([float.bitDepth, float.signed, float.writableHighWaterMark], [32, true, 100]);
  const options = {};
  new Speaker(options);
  assert.deepEqual(options, {}, 'what was given is left alone');
});

test('ends of every kind', async (t) => {
  const life = async (act) => {
    const { engine, speaker: one, said } = speaker();
    act(one, said);
    await sleep(20);
    for (let n = 0; n < 4; n += 1) {
      engine.render(2400);
      await sleep(15);
    }
    return said;
  };
  const cases = {
    'end without a write': [(one) => one.end(), ['flush', 'close', 'finish']],
    'end with nothing in it': [(one) => one.end(Buffer.alloc(0)), ['open', 'flush', 'close', 'finish']],
    'close without a write, twice': [
      (one) => {
        one.close();
        one.close();
      },
      ['close'],
    ],
    'close after a write': [
      (one, said) => {
        one.write(Buffer.alloc(4000));
        one.close();
        said.push('returned');
      },
      ['open', 'close', 'returned', 'drain'],
    ],
    'close that lets it sound': [
      (one) => {
        one.write(Buffer.alloc(4000));
        one.close(false);
      },
      ['open', 'close', 'drain'],
    ],
    'write after close': [
      (one) => {
        one.close();
        one.write(Buffer.alloc(4));
      },
      ['close', 'write() call after close() call'],
    ],
    'a write that waits when it is closed': [
      (one, said) => {
        one.write(Buffer.alloc(400000), (error) => said.push(`first ${error?.message}`));
        one.write(Buffer.alloc(4), (error) => said.push(`second ${error?.message}`));
        one.close();
      },
      [
        'open',
        'close',
        'drain',
        'first undefined',
        'second write() call after close() call',
        'write() call after close() call',
      ],
    ],
    'end after close': [
      (one) => {
        one.write(Buffer.alloc(4));
        one.close();
        one.end();
      },
      ['open', 'close', 'flush', 'finish'],
    ],
    'write after end': [
      (one) => {
        one.end(Buffer.alloc(4));
        one.write(Buffer.alloc(4));
      },
      ['open', 'write after end', 'close'],
    ],
    'destroy without a write': [(one) => one.destroy(), ['close']],
    'destroy with an error': [
      (one, said) => {
        one.write(Buffer.alloc(400000), () => said.push('called'));
        one.destroy(new Error('enough'));
      },
      ['open', 'called', 'enough', 'close'],
    ],
    'half a frame at the end': [(one) => one.end(Buffer.alloc(7)), ['open', 'flush', 'close', 'finish']],
    'destroyed by who hears it open': [
      (one) => {
        one.on('open', () => one.destroy());
        one.write(Buffer.alloc(4));
      },
      ['open', 'close'],
    ],
    'closed by who hears it open': [
      (one) => {
        one.on('open', () => one.close());
        one.write(Buffer.alloc(4));
      },
      ['open', 'close', 'drain'],
    ],
  };
  for (const [name, [act, expected]] of Object.entries(cases)) {
    await t.test(name, async () => assert.deepEqual(await life(act), expected));
  }
});

test('what is wrong is an error event with the words of the original', async () => {
  const { speaker: odd, said } = speaker({ bitDepth: 31, signed: true });
  const callback = new Promise((resolve) => odd.write('a', resolve));
  assert.equal((await callback).message, 'invalid PCM format specified');
  await sleep(5);
  assert.deepEqual(said, ['invalid PCM format specified', 'close']);
  const other = NATIVE === 'LE' ? 'BE' : 'LE';
  const words = `only native endianness ("${NATIVE}") is supported, got "${other}"`;
  assert.throws(() => new Speaker({ endianness: other }), { message: words });
  assert.doesNotThrow(() => new Speaker({ endianness: NATIVE }));
  const piped = speaker();
  piped.speaker._format({ endianness: other });
  assert.deepEqual(piped.said, [words]);
});

test('what the original would have aborted on is an error event, too', async () => {
  for (const [options, words] of [
    [{ sampleRate: 0 }, 'sampleRate must be a whole number from 1000 to 768000 Hz, got 0'],
    [{ channels: 0 }, 'channels must be a whole number from 1 to 32, got 0'],
    [{ channels: 33 }, 'channels must be a whole number from 1 to 32, got 33'],
    [{ channels: '2' }, 'channels must be a whole number from 1 to 32, got "2"'],
  ]) {
    const { speaker: one } = speaker(options);
    const error = once(one, 'error');
    one.write(Buffer.alloc(8));
    const [{ message, code }] = await error;
    assert.deepEqual([message, code], [words, 'ERR_INVALID_ARGUMENT']);
  }
  outOfRange(() => new Speaker({ latency: 0 }), 'latency', '0.001', '2');
  wrongType(() => new Speaker({ latency: 'low' }), 'latency', '"low"');
  wrongType(() => new Speaker({ engine: {} }), 'engine');
});

test('a device that does not exist is an error event, not an exception of the constructor', async () => {
  const { ICTUS_BACKEND } = process.env;
  process.env.ICTUS_BACKEND = 'jack';
  process.env.JACK_DEFAULT_SERVER = 'nobody-runs-this-one';
  try {
    const one = new Speaker({ device: 'no such device' });
    const error = once(one, 'error');
    one.write(Buffer.alloc(4));
    assert.equal((await error)[0].code, 'ERR_NO_DEVICE');
  } finally {
    delete process.env.JACK_DEFAULT_SERVER;
    if (ICTUS_BACKEND === undefined) delete process.env.ICTUS_BACKEND;
    else process.env.ICTUS_BACKEND = ICTUS_BACKEND;
  }
});

test('the statics are those of the original', () => {
  const require = createRequire(import.meta.url);
  assert.equal(require('../lib/speaker.cjs'), Speaker);
  assert.equal(require('ictus/speaker'), Speaker, 'the whole export of ictus/speaker');
  assert.deepEqual(
    [Speaker.api_version, typeof Speaker.description, Speaker.module_name],
    [1, 'string', 'ictus'],
  );
  // [bits, float, signed, number], from mpg123.h.
  for (const [bitDepth, float, signed, number] of [
    [8, false, true, 0x82],
    [8, false, undefined, 1],
    [16, false, true, 0xd0],
    [16, true, true, 0xd0],
    [16, false, false, 0x60],
    ['16', false, false, 0x60],
    [24, false, true, 0x5080],
    [24, false, false, 0x6000],
    [32, false, true, 0x1180],
    [32, false, false, 0x2100],
    [32, true, undefined, 0x2100],
    [32, true, true, 0x200],
    [64, true, true, 0x400],
    [64, true, undefined, null],
    [64, false, true, null],
    [31, false, true, null],
  ]) {
    const format = { bitDepth, float, signed };
    assert.equal(Speaker.getFormat(format), number, JSON.stringify(format));
    assert.equal(Speaker.isSupported(format), number !== null, JSON.stringify(format));
  }
  assert.deepEqual(
    [0xd0, 0, 1 << 30].map((number) => Speaker.isSupported(number)),
    [true, true, false],
  );
  assert.throws(() => Speaker.getFormat(null), TypeError);
});

test("a source's format counts when it is piped, and when it says so later", async () => {
  const { engine, speaker: one, said } = speaker({ sampleRate: undefined });
  const source = new Readable({ read() {} });
  Object.assign(source, { sampleRate: RATE, channels: 1, bitDepth: 8 });
  source.pipe(one);
  assert.deepEqual([one.sampleRate, one.channels, one.bitDepth], [RATE, 1, 8]);
  source.emit('format', { bitDepth: 16, signed: true });
  assert.deepEqual([one.bitDepth, source.listenerCount('format')], [16, 0], 'once');
  source.push(Buffer.from(new Int16Array([8192, -8192]).buffer));
  source.push(null);
  await sleep(10);
  const heard = await play(engine, () => said.includes('finish'));
  assert.deepEqual(heard.slice(0, 4), [0.25, 0.25, -0.25, -0.25]);
  const again = speaker();
  const other = new Readable({ read() {} });
  other.pipe(again.speaker);
  assert.equal(other.listenerCount('format'), 1);
  other.unpipe(again.speaker);
  assert.equal(other.listenerCount('format'), 0);
});

/** Bytes of these values, -1..1, in a format; and what they are heard as. */
function encode(values, { bitDepth, float, signed }) {
  const bytes = new DataView(new ArrayBuffer((values.length * bitDepth) / 8));
  const heard = values.map((value, n) => {
    const at = (n * bitDepth) / 8;
    if (bitDepth === 64) bytes.setFloat64(at, value, true);
    else if (float) bytes.setFloat32(at, value, true);
    if (float) return Math.fround(value) + 0;
    const full = 2 ** (bitDepth - 1);
    const whole = Math.max(-full, Math.min(full - 1, Math.round(value * full)));
    const written = signed ? whole : whole + full;
    for (let byte = 0; byte < bitDepth / 8; byte += 1)
      bytes.setUint8(at + byte, Math.floor(written / 256 ** byte) & 255);
    // A bus adds, and 0 + -0 is 0.
    return Math.fround(whole / full) + 0;
  });
  return { bytes: Buffer.from(bytes.buffer), heard };
}

const FORMATS = [8, 16, 24, 32]
  .flatMap((bitDepth) => [true, false].map((signed) => ({ bitDepth, signed, float: false })))
  .concat([32, 64].map((bitDepth) => ({ bitDepth, signed: true, float: true })));

test('every format is heard bit for bit, cut anywhere and at any offset', {
  skip: NATIVE !== 'LE',
}, async (t) => {
  // Ends in zeros, so that nothing has to be led there.
  const values = Array.from({ length: 1200 }, (_, n) =>
    n < 1190 ? Math.sin(n * 0.37) * (n % 7 === 0 ? 1 : 0.7) : 0,
  );
  for (const format of FORMATS) {
    await t.test(JSON.stringify(format), async () => {
      const { bytes, heard: expected } = encode(values, format);
      for (const cut of [1, 3, 7, 64, 997, bytes.length]) {
        const { engine, speaker: one, said } = speaker(format);
        for (let at = 0; at < bytes.length; at += cut) {
          const piece = bytes.subarray(at, at + cut);
          const odd = Buffer.alloc(piece.length + 1);
          piece.copy(odd, 1);
          const chunk = odd.subarray(1);
          if (!one.write(chunk)) await once(one, 'drain');
          chunk.fill(0x55);
        }
        one.end();
        const heard = await play(engine, () => said.includes('finish'), 1000);
        assert.deepEqual(heard.slice(0, 1200), expected, `pieces of ${cut} bytes`);
        assert.ok(heard.slice(1200).every((value) => value === 0));
        assert.deepEqual(one.stats, { frames: 600, underruns: 0, buffered: 0 });
      }
    });
  }
});

test('a chunk larger than any buffer is heard whole', async () => {
  const { engine, speaker: one, said } = speaker({ channels: 1 });
  const seconds = 4;
  const values = Int16Array.from({ length: RATE * seconds }, (_, n) =>
    n < RATE * seconds - 1 ? n % 30000 : 0,
  );
  one.end(Buffer.from(values.buffer));
  assert.equal(one.stats.buffered, values.length);
  const heard = engine.render(RATE * seconds);
  const wrong = heard.findIndex((value, n) => value !== values[n >> 1] / 32768);
  assert.equal(wrong, -1, `value ${wrong} is ${heard[wrong]}`);
  await play(engine, () => said.includes('finish'));
});

test('speakers and samplers are mixed', async () => {
  const engine = offline();
  const write = (value, channels) => {
    const one = new Speaker({ engine, sampleRate: RATE, channels, float: true });
    one.write(Buffer.from(new Float32Array(1000 * channels).fill(value).buffer));
    return one;
  };
  const speakers = [write(0.25, 1), write(0.125, 2)];
  await sleep(5);
  assert.deepEqual([...engine.render(2)], [0.375, 0.375, 0.375, 0.375]);
  for (const one of speakers) one.close();
});

test('another rate is converted: as long as it should be, and as loud', async () => {
  for (const sampleRate of [8000, 22050, 44100, 96000, 192000]) {
    const { engine, speaker: one, said } = speaker({ sampleRate, channels: 1, float: true });
    const tone = Float32Array.from(
      { length: sampleRate / 2 },
      (_, n) => 0.5 * Math.sin((2 * Math.PI * 440 * n) / sampleRate),
    );
    one.end(Buffer.from(tone.buffer));
    const heard = (await play(engine, () => said.includes('finish'), 480)).filter((_, n) => n % 2 === 0);
    const last = heard.findLastIndex((value) => Math.abs(value) > 1e-3);
    assert.ok(Math.abs(last - RATE / 2) < RATE * 0.02, `${sampleRate} Hz: sounds for ${last} frames`);
    const middle = heard.slice(RATE / 10, RATE / 10 + RATE / 5);
    const rms = Math.sqrt(middle.reduce((sum, value) => sum + value * value, 0) / middle.length);
    assert.ok(Math.abs(rms / (0.5 / Math.SQRT2) - 1) < 1e-3, `${sampleRate} Hz: rms ${rms}`);
    assert.equal(one.stats.underruns, 0);
  }
});

test('a speaker that runs dry tells, and close() is heard as a short fade', async () => {
  const { engine, speaker: one } = speaker({ channels: 1, float: true });
  const underrun = once(one, 'underrun');
  const frames = (count) => Buffer.from(new Float32Array(count).fill(0.5).buffer);
  one.write(frames(100));
  await sleep(5);
  const heard = [...engine.render(1000)];
  assert.deepEqual((await underrun)[0], { underruns: 1 });
  one.write(frames(10000));
  await sleep(5);
  heard.push(...engine.render(1000));
  one.close();
  heard.push(...engine.render(1000));
  const left = heard.filter((_, n) => n % 2 === 0);
  const step = left.slice(1).reduce((most, value, n) => Math.max(most, Math.abs(value - left[n])), 0);
  assert.ok(step <= 0.5 / 240 + 1e-6, `a step of ${step}`);
  assert.deepEqual(left.slice(2300), Array(700).fill(0), 'silent 5 ms after close()');
});

test('writes wait for what is heard: no more than the latency and a chunk is buffered', async () => {
  const { engine, speaker: one } = speaker({ channels: 1, latency: 0.05 });
  let written = 0;
  const chunk = Buffer.alloc(2 * 480);
  const feed = () => {
    if (one.destroyed) return;
    written += 480;
    one.write(chunk, feed);
  };
  feed();
  await sleep(60);
  assert.equal(written, 2400 + 480, '50 ms, and the chunk that went beyond');
  engine.render(480 * 4);
  await sleep(60);
  assert.equal(written, 2400 + 5 * 480);
  assert.equal(one.latency, 0.05);
  one.destroy();
});

test('pipeline, finished and for-await sources work as with any Writable', async () => {
  const engine = offline();
  const one = new Speaker({ engine, sampleRate: RATE, channels: 1 });
  let over = false;
  const done = pipeline(Readable.from([Buffer.alloc(1000), Buffer.alloc(3001), Buffer.alloc(999)]), one).then(
    () => {
      over = true;
    },
  );
  await play(engine, () => over);
  await done;
  assert.equal(one.stats.frames, 2500);
  const other = new Speaker({ engine, sampleRate: RATE });
  const end = finished(other);
  other.end(Buffer.alloc(4));
  over = false;
  end.then(() => {
    over = true;
  });
  await play(engine, () => over);
});

test('an engine that is closed answers what waits, and what comes', async () => {
  const { engine, speaker: one } = speaker();
  const waits = new Promise((resolve) => one.write(Buffer.alloc(RATE * 4), resolve));
  one.on('error', () => {});
  await engine.close();
  assert.equal((await waits).code, 'ERR_CLOSED');
  const late = new Speaker({ engine });
  const error = once(late, 'error');
  late.write(Buffer.alloc(4));
  assert.equal((await error)[0].code, 'ERR_CLOSED');
});
