// Events in, exact frames out, from JavaScript: when a note sounds, at what pitch and level, and that neither block
// sizes nor repetition change a bit. No device, no clock, no sleep.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Engine, Sampler } from '../lib/index.mjs';
import { assertSameBits, constant, firstSound, left, offline, RATE, ramp, side } from './support/sound.mjs';

const ms = (milliseconds) => (milliseconds * RATE) / 1000;
const zeros = (length) => new Float32Array(length);

/** Adds values to frames from a frame on. */
function mix(frames, at, values) {
  values.forEach((value, n) => {
    if (at + n < frames.length) frames[at + n] += value;
  });
  return frames;
}

/** A piece of 300 events on three channels, with bends and releases; `shift` in frames. The same with every call. */
function play(sampler, shift = 0) {
  // Lehmer's generator, so that the piece is arbitrary and always the same.
  let seed = 1;
  const random = (below) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const at = (frame) => (frame + shift) / RATE;
  const ids = [];
  for (let n = 0; n < 300; n += 1) {
    const [frame, channel, note] = [random(RATE), random(3), 36 + random(48)];
    const kind = random(5);
    if (kind < 3) ids.push(sampler.noteOn(note, 1 + random(127), at(frame), channel));
    else if (kind === 3 && ids.length > 0) sampler.release(ids[random(ids.length)], at(frame));
    else if (kind === 3) sampler.noteOff(note, at(frame), channel);
    else sampler.pitchBend(random(16384) - 8192, at(frame), channel);
  }
  sampler.allNotesOff(undefined, at(RATE));
}

async function piece(blocks, { shift, ...engine } = {}) {
  const metadata = { loop: { start: 1000, end: 1777 }, pan: 0.3 };
  const data = Float32Array.from({ length: 9000 }, (_, n) => Math.sin(n * 0.05) * 0.1);
  const made = await offline({
    data,
    metadata,
    engine,
    envelope: { attack: 0.003, decay: 0.1, sustain: 0.5 },
  });
  for (const channel of [1, 2]) made.sampler.assign(channel, made.instrument);
  play(made.sampler, shift);
  const length = RATE * 1.5;
  const out = new Float32Array(length * 2);
  for (let done = 0, turn = 0; done < length; turn += 1) {
    const frames = Math.min(blocks[turn % blocks.length], length - done);
    out.set(made.engine.render(frames), done * 2);
    done += frames;
  }
  await made.engine.close();
  return out;
}

test('a note at time t sounds from frame round(t × rate) on, with the values of its sample', async () => {
  const { engine, sampler } = await offline({ data: ramp(100) });
  const times = [0, 0.01, 1 / 30, 0.1234567, 0.2 + 0.49 / RATE, 0.3 + 0.51 / RATE, 0.4, 0.987654321];
  const expected = zeros(RATE);
  for (const time of times) {
    sampler.noteOn(60, 127, time);
    mix(expected, Math.round(time * RATE), ramp(100));
  }
  assertSameBits(left(engine, RATE), expected);
  assert.equal(engine.currentTime, 1);
  // Scheduled in the middle of things, counted from the engine's start and not from the call.
  sampler.noteOn(60, 127, engine.currentTime + 0.25);
  assertSameBits(left(engine, RATE), mix(zeros(RATE), RATE / 4, ramp(100)));
});

test('without a time a note sounds from the next block on', async () => {
  const { engine, sampler } = await offline({ data: ramp(100) });
  engine.render(333);
  sampler.noteOn(60, 127);
  sampler.noteOn(60, 127, undefined, 0);
  sampler.noteOn(60, 127, {});
  assertSameBits(
    left(engine, 100),
    ramp(100).map((value) => 3 * value),
  );
});

test('an octave up is every second value, two octaves every fourth, and a semitone 2^(1/12)', async () => {
  const { engine, sampler } = await offline({ data: ramp(4096) });
  sampler.noteOn(72, 127, 0);
  const up = left(engine, 3000);
  assertSameBits(
    up,
    mix(
      zeros(3000),
      0,
      Float32Array.from({ length: 2048 }, (_, n) => 1 + 2 * n),
    ),
  );
  sampler.noteOn(84, 127);
  assertSameBits(
    left(engine, 1024),
    Float32Array.from({ length: 1024 }, (_, n) => 1 + 4 * n),
  );
  sampler.noteOn(61, 127, engine.currentTime + 0.5);
  engine.render(RATE / 2);
  const semitone = left(engine, 2001);
  // 2000 steps along the ramp; the position is exact to 2⁻³² × 2000, the value to 2⁻¹² of a frame.
  assert.ok(Math.abs((semitone[2000] - semitone[0]) / 2000 - 2 ** (1 / 12)) < 1e-6);
});

test('a note between two keys, a tuning and a root key are cents of one sum', async () => {
  const slopeOf = async (note, metadata) => {
    const { engine, sampler } = await offline({ data: ramp(RATE), metadata });
    sampler.noteOn(note, 127, 0);
    const values = left(engine, 1001);
    return (values[1000] - values[0]) / 1000;
  };
  const close = (slope, cents) =>
    assert.ok(Math.abs(slope - 2 ** (cents / 1200)) < 1e-6, `${slope}, ${cents} cents`);
  close(await slopeOf(60.5), 50);
  close(await slopeOf(60, { tune: -31 }), -31);
  close(await slopeOf(60, { rootNote: 57.25 }), 275);
  close(await slopeOf(63, { rootNote: 62.5, tune: 7 }), 57);
});

test('linear is the straight line between two values, cubic Catmull and Rom’s curve', async () => {
  const impulse = Float32Array.of(0, 0, 0, 16, 0, 0, 0);
  // Half way between two values the curve is (−a + 9b + 9c − d) / 16: the impulse on each of the four places.
  const expected = { linear: [0, 8, 16, 8, 0], cubic: [0, 9, 16, 9, 0] };
  for (const interpolation of ['linear', 'cubic']) {
    const { engine, sampler } = await offline({ data: impulse, engine: { interpolation } });
    sampler.noteOn(48, 127, 0);
    const out = left(engine, 14);
    assert.deepEqual([...out.subarray(4, 9)], expected[interpolation], interpolation);
    assert.equal(out[3], interpolation === 'cubic' ? -1 : 0);
  }
  const { engine } = await offline({ engine: { interpolation: undefined } });
  const other = await offline({ data: impulse });
  other.sampler.noteOn(48, 127, 0);
  assert.equal(left(other.engine, 14)[5], expected.cubic[1], 'cubic is the default');
  assert.equal(engine.backend, 'offline');
});

test('a note is read with what its instrument or else its engine says when it starts', async () => {
  // As above: half way up to 16 a straight line has 8, the curve 9, and each sinc something of its own.
  const data = Float32Array.of(...new Float32Array(48), 16, ...new Float32Array(48));
  const middle = async (interpolation, act = () => {}, options = {}) => {
    const { engine, sampler } = await offline({ data, engine: { interpolation } });
    const own = sampler.createInstrument('own', options);
    await own.addSample(data, { pan: -1 });
    if (options.interpolation) sampler.assign(0, own);
    sampler.noteOn(48, 127, 0);
    engine.render(20);
    act(engine);
    sampler.noteOn(48, 127, 1000 / RATE);
    const out = left(engine, 2000);
    return [out[95 - 20], out[1095 - 20]];
  };
  const value = Object.fromEntries(
    await Promise.all(
      ['linear', 'cubic', 'sinc8', 'sinc16', 'sinc32'].map(async (name) => [name, (await middle(name))[0]]),
    ),
  );
  assert.deepEqual([value.linear, value.cubic], [8, 9]);
  assert.equal(new Set(Object.values(value)).size, 5);
  const turn = (engine) => {
    assert.equal(engine.interpolation, 'linear');
    engine.interpolation = 'sinc16';
    assert.equal(engine.interpolation, 'sinc16');
  };
  assert.deepEqual(await middle('linear', turn), [8, value.sinc16], 'the first note keeps its own');
  assert.deepEqual(
    await middle('linear', turn, { interpolation: 'cubic' }),
    [9, 9],
    'the instrument comes first',
  );

  const loaded = async (options) => {
    const sampler = await Sampler.from(data, { limiter: false, ...options });
    sampler.noteOn(48, 127, 0);
    // A mono sample in the middle.
    return [sampler.engine.interpolation, left(sampler.engine, 100)[95] / Math.fround(Math.SQRT1_2)];
  };
  const engine = new Engine({
    backend: 'offline',
    sampleRate: RATE,
    limiter: false,
    interpolation: 'linear',
  });
  const close = ([name, found], expected) => {
    assert.equal(name, expected[0]);
    assert.ok(Math.abs(found - expected[1]) < 1e-5, `${found}`);
  };
  close(await loaded({ engine, limiter: undefined, interpolation: 'sinc32' }), ['linear', value.sinc32]);
  const options = { backend: 'offline', sampleRate: RATE, interpolation: 'sinc8' };
  close(await loaded(options), ['sinc8', value.sinc8]);
  const shared = Engine.default();
  shared.interpolation = 'cubic';
  assert.throws(() => Engine.default({ interpolation: 'sinc8' }), /interpolation cubic/);
  assert.equal(Engine.default({ interpolation: 'cubic' }), shared);
  await shared.close();
  assert.throws(
    () => {
      shared.interpolation = 'linear';
    },
    { code: 'ERR_CLOSED' },
  );
});

test('block sizes do not change a bit', async () => {
  const whole = await piece([RATE * 1.5]);
  assert.ok(whole.some((value) => value !== 0));
  for (const blocks of [[128], [1], [7, 64, 1000], [333, 1, 4096]]) {
    assertSameBits(await piece(blocks), whole, `blocks of ${blocks}`);
  }
});

test('the same events give the same bits, and the same bits later when all are later', async () => {
  const first = await piece([512]);
  assertSameBits(await piece([512]), first);
  const shift = 777;
  const later = await piece([512], { shift });
  assertSameBits(later.subarray(shift * 2, RATE * 2), first.subarray(0, (RATE - shift) * 2));
});

test('a note released before its start never sounds, and one released on its start ends', async () => {
  const { engine, sampler } = await offline();
  const never = sampler.noteOn(60, 127, 0.5);
  sampler.release(never, 0.25);
  const other = sampler.noteOn(62, 127, 0.5);
  sampler.release(other);
  const out = engine.render(RATE);
  assert.equal(firstSound(out), -1);
  sampler.release(sampler.noteOn(60, 127, 1.5), 1.5);
  assert.ok(engine.render(RATE).every((value, n) => value === 0 || (n >= RATE && n < RATE * 1.25)));
  assert.equal(engine.stats().voices, 0);
});

test('a duration is a release after that many seconds', async () => {
  const releaseMs = 10;
  const envelope = { release: releaseMs / 1000 };
  const { engine, sampler } = await offline({ data: constant(RATE), envelope });
  const id = sampler.noteOn(60, 127, { time: 0.1, duration: 0.2 });
  assert.ok(Number.isInteger(id) && id > 0);
  const out = left(engine, RATE);
  assert.equal(firstSound(out), ms(100));
  assert.ok(out.subarray(ms(100), ms(300) + 1).every((value) => value === 1));
  const tail = out.subarray(ms(300), ms(300 + releaseMs) + 1);
  assert.ok(
    tail.every((value, n) => n === 0 || value < tail[n - 1]),
    'the release falls',
  );
  assert.equal(tail.at(-1), 0);
  assert.equal(firstSound(out.subarray(ms(300 + releaseMs))), -1);

  const other = await offline({ data: constant(RATE), envelope });
  other.sampler.release(other.sampler.noteOn(60, 127, 0.1), 0.1 + 0.2);
  assertSameBits(left(other.engine, RATE), out);
});

test('noteOff lets go of one key of one channel, on one sampler; release of one note', async () => {
  const { engine, sampler, instrument } = await offline({
    data: constant(RATE),
    envelope: { release: 0.001 },
  });
  const second = new Sampler({ engine });
  second.assign(0, instrument);
  for (let channel = 1; channel < 4; channel += 1) sampler.assign(channel, instrument);
  const level = () => left(engine, 480).at(-1);
  sampler.noteOn(60, 127, 0, 0);
  sampler.noteOn(60, 127, 0, 1);
  const twice = sampler.noteOn(60, 127, 0, 1);
  sampler.noteOn(61, 127, 0, 1);
  second.noteOn(60, 127, 0);
  assert.equal(level(), 5);
  sampler.release(twice);
  assert.equal(level(), 4);
  sampler.release(twice);
  sampler.release(0);
  sampler.noteOff(60, undefined, 2);
  assert.equal(level(), 4, 'nothing that sounds was meant');
  sampler.noteOff(60, engine.currentTime + 0.001, 1);
  assert.equal(level(), 3);
  sampler.noteOn(61, 0, undefined, 1);
  assert.equal(level(), 2, 'velocity 0 is a note-off');
  sampler.noteOff(60);
  assert.equal(level(), 1);
  second.noteOff(60);
  assert.equal(level(), 0);
  assert.equal(engine.stats().malformedRecords, 0);
});

test('sixteen channels play sixteen instruments, and a channel without one is silent and counted', async () => {
  const { engine, sampler } = await offline();
  sampler.assign(0, null);
  for (let channel = 0; channel < 16; channel += 2) {
    const instrument = sampler.createInstrument(`channel ${channel}`);
    await instrument.addSample(constant(100, channel + 1), { pan: -1 });
    sampler.assign(channel, instrument);
  }
  for (let channel = 0; channel < 16; channel += 1) sampler.noteOn(60, 127, channel * 0.01, channel);
  const out = left(engine, ms(160));
  for (let channel = 0; channel < 16; channel += 1) {
    const expected = channel % 2 === 0 ? channel + 1 : 0;
    assert.ok(out.subarray(ms(channel * 10), ms(channel * 10) + 100).every((value) => value === expected));
  }
  assert.equal(engine.stats().silentNotes, 8);
});

test('assign counts from its time on, for new notes only', async () => {
  const { engine, sampler } = await offline({ data: constant(RATE), envelope: { release: 0.001 } });
  const other = sampler.createInstrument('other');
  await other.addSample(constant(RATE, 16), { pan: -1 });
  sampler.assign(0, other, 0.1);
  sampler.assign(0, null, 0.2);
  for (const time of [0, 0.0999, 0.1, 0.1999, 0.2]) sampler.noteOn(60, 127, time);
  const out = left(engine, RATE / 4);
  const levels = [50, 99.95, 150, 199.95, 210].map((at) => out[Math.round(ms(at))]);
  assert.deepEqual(levels, [1, 2, 18, 34, 34], 'what sounds goes on');
  assert.equal(engine.stats().silentNotes, 1);
});

test('samplers on one engine are summed, engines with other rates count their own frames', async () => {
  const { engine, sampler, instrument } = await offline({ data: ramp(100) });
  const second = new Sampler({ engine, gain: 4 });
  second.assign(0, instrument);
  sampler.noteOn(60, 127, 0);
  second.noteOn(60, 127, 0);
  assertSameBits(
    left(engine, 100),
    ramp(100).map((value) => value * 5),
  );
  const engines = await Promise.all(
    [44100, 96000, 11025].map((sampleRate) => offline({ data: ramp(100), engine: { sampleRate } })),
  );
  for (const made of engines) made.sampler.noteOn(60, 127, 0.0123);
  for (const made of engines) {
    const rate = made.engine.sampleRate;
    const at = Math.round(0.0123 * rate);
    assertSameBits(left(made.engine, at + 200), mix(zeros(at + 200), at, ramp(100)), `${rate} Hz`);
    assert.equal(made.engine.currentTime, (at + 200) / rate);
  }
});

test('a sample with a rate of its own sounds at its own pitch', async () => {
  const { engine, sampler } = await offline({ data: ramp(1000), metadata: { sampleRate: RATE * 2 } });
  sampler.noteOn(60, 127, 0);
  assertSameBits(
    left(engine, 500),
    Float32Array.from({ length: 500 }, (_, n) => 1 + 2 * n),
  );
});

test('velocity chooses the layer, and its square is the amplitude', async () => {
  const { engine, sampler, instrument } = await offline({
    data: constant(100),
    metadata: { velocityRange: [1, 64], keyRange: [50, 60] },
  });
  await instrument.addSample(constant(100, 2), { pan: -1, velocityRange: [65, 127], keyRange: [60, 70] });
  await instrument.addSample(constant(100, 8), { pan: -1, gain: 0.5, velocityRange: [127, 127] });
  const cases = [
    [60, 64, 1],
    [60, 64.4, 1],
    [60, 65, 2],
    [60, 0.2, 1],
    [60, 127, 2 + 4],
    [61, 64, 0],
    [49, 100, 0],
    [49, 127, 4],
    [70.4, 100, 2],
  ];
  for (const [note, velocity, value] of cases) {
    sampler.noteOn(note, velocity);
    // The velocity itself is kept in 24 bits, and so is its square.
    const expected = value * (velocity / 127) ** 2;
    const [found] = left(engine, 1);
    assert.ok(
      Math.abs(found - expected) <= expected * 2 ** -22,
      `${note} ${velocity}: ${found}, not ${expected}`,
    );
    engine.render(200);
  }
  sampler.noteOn(60);
  const [standard] = left(engine, 1);
  assert.ok(Math.abs(standard - 2 * (100 / 127) ** 2) < 1e-6, 'velocity defaults to 100');
});

test('stereo samples keep their sides, one channel is the mean of both, and six have four silent ones', async () => {
  const interleaved = Float32Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? n : -3 * n));
  const planar = [side(interleaved, 0), side(interleaved, 1)];
  const rendered = async (data, metadata, channels) => {
    const { engine, sampler } = await offline({
      data,
      metadata: { pan: 0, ...metadata },
      engine: { channels },
    });
    sampler.noteOn(60, 127, 0);
    return engine.render(100);
  };
  assertSameBits(await rendered(interleaved, { channels: 2 }, 2), interleaved);
  assertSameBits(await rendered(planar, {}, 2), interleaved);
  const mean = planar[0].map((value, n) => 0.5 * (value + planar[1][n]));
  assertSameBits(await rendered(planar, {}, 1), mean);
  const six = await rendered(planar, {}, 6);
  for (let channel = 0; channel < 6; channel += 1) {
    assertSameBits(side(six, channel, 6), planar[channel] ?? zeros(100), `channel ${channel}`);
  }
});

test('pan is equal power: a mono sample in the middle is √½ on either side', async () => {
  for (const [pan, angle] of [
    [-1, 0],
    [0, Math.PI / 4],
    [0.5, (3 * Math.PI) / 8],
    [1, Math.PI / 2],
  ]) {
    const { engine, sampler } = await offline({ data: constant(10), metadata: { pan } });
    sampler.noteOn(60, 127, 0);
    const [l, r] = engine.render(1);
    assert.ok(
      Math.abs(l - Math.cos(angle)) < 1e-7 && Math.abs(r - Math.sin(angle)) < 1e-7,
      `${pan}: ${l} ${r}`,
    );
  }
});

test('render fills an array that is given, and no more of it than it was asked for', async () => {
  const { engine, sampler } = await offline({ data: ramp(1000) });
  sampler.noteOn(60, 127, 0);
  const into = new Float32Array(300).fill(7);
  assert.equal(engine.render(100, into), into);
  assertSameBits(side(into.subarray(0, 200)), ramp(100));
  assert.ok(into.subarray(200).every((value) => value === 7));
  const window = new Float32Array(new ArrayBuffer(4096), 64, 20);
  engine.render(10, window);
  assertSameBits(side(window), ramp(10, 101), 'a window into a larger buffer');
  const empty = engine.render(0);
  assert.ok(empty instanceof Float32Array && empty.length === 0);
  assert.equal(engine.currentTime, 110 / RATE);
});

test('an engine without options but offline runs at 48000 Hz on two channels', () => {
  const engine = new Engine({ backend: 'offline' });
  assert.deepEqual(
    [engine.sampleRate, engine.channels, engine.backend, engine.device],
    [48000, 2, 'offline', ''],
  );
  assert.deepEqual(
    [engine.currentTime, engine.state, engine.gain, engine.outputLatency],
    [0, 'running', 1, 0],
  );
  assert.equal(engine.realtime.granted, false);
  assert.match(engine.realtime.reason, /offline/);
});
