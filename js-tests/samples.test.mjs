// What samples do over their length, from JavaScript: loops, envelopes, bends, and what becomes of a note when its
// instrument changes or goes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Sampler } from '../lib/index.mjs';
import { assertSameBits, constant, left, offline, RATE, ramp } from './support/sound.mjs';

const ms = (milliseconds) => (milliseconds * RATE) / 1000;
const near = (actual, expected, tolerance, what) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, expected ${expected}`);

/** A ramp of 1000 values with a loop from value 201 to value 300, held for 50 ms and let go for very long. */
async function looped(mode) {
  const loop = { start: 200, end: 300, mode };
  const made = await offline({ data: ramp(1000), metadata: { loop }, envelope: { release: 3600 } });
  made.sampler.noteOn(60, 127, 0);
  made.sampler.noteOff(60, 0.05);
  return left(made.engine, ms(100));
}

test('a loop goes round without a seam, whatever its length', async () => {
  for (const [start, end] of [
    [200, 300],
    [0, 1000],
    [999, 1000],
    [100, 657],
  ]) {
    const { engine, sampler } = await offline({ data: ramp(1000), metadata: { loop: { start, end } } });
    sampler.noteOn(60, 127, 0);
    const unrolled = (n) => (n < end ? n : start + ((n - start) % (end - start)));
    assertSameBits(
      left(engine, RATE),
      Float32Array.from({ length: RATE }, (_, n) => 1 + unrolled(n)),
      `${start}–${end}`,
    );
  }
});

test('a continuous loop goes round after the key is let go, a sustain loop on to the end', async () => {
  // A release of 3600 s falls by 9.2 × 2400 / 1.7e8 in 50 ms: the rounded value tells the place in the sample.
  const continuous = (await looped('continuous')).map(Math.round);
  assert.ok(continuous.subarray(300).every((value) => value >= 201 && value <= 300));
  assertSameBits((await looped(undefined)).map(Math.round), continuous, 'continuous is the default');

  const sustain = (await looped('sustain')).map(Math.round);
  const last = sustain.findLastIndex((value) => value !== 0);
  assert.equal(sustain[last], 1000, 'the last value of the sample');
  for (let n = 1; n <= last; n += 1) {
    const step = sustain[n] - sustain[n - 1];
    assert.ok(step === 1 || (step === -99 && n < ms(50) + 200), `a step of ${step} at frame ${n}`);
  }
});

test('an alternating loop turns round without repeating its turning points', async () => {
  for (const [start, end] of [
    [200, 300],
    [0, 1000],
    [500, 502],
    [999, 1000],
  ]) {
    const loop = { start, end, alternate: true };
    const { engine, sampler } = await offline({ data: ramp(1000), metadata: { loop } });
    sampler.noteOn(60, 127, 0);
    let [frame, way] = [0, 1];
    const expected = Float32Array.from({ length: RATE }, () => {
      const value = 1 + frame;
      if (end - start === 1 && frame === start) return value;
      if (frame + way === end || (way < 0 && frame === start)) way = -way;
      frame += way;
      return value;
    });
    assertSameBits(left(engine, RATE), expected, `${start}–${end}`);
  }
});

test('a crossfade leads from the end of a loop to its start', async () => {
  // Loud before the loop and quiet at its end, both constant and so entirely alike: the level goes from the one to the
  // other, (¼ cos φ + ½ sin φ) / (cos φ + sin φ).
  const data = Float32Array.from({ length: 3000 }, (_, n) => (n < 1000 ? 0.5 : 0.25));
  const loop = { start: 1000, end: 2000, crossfade: 480 / RATE };
  const { engine, sampler } = await offline({ data, metadata: { loop } });
  sampler.noteOn(60, 127, 0);
  const out = left(engine, 5000);
  for (let n = 0; n < 5000; n += 1) {
    const into = n < 1000 ? -1 : ((n - 1000) % 1000) - 520;
    const angle = (Math.PI / 2) * Math.max(0, into / 480);
    const [to, from] = [Math.sin(angle), Math.cos(angle)];
    near(out[n], n < 1000 ? 0.5 : (from / 4 + to / 2) / (from + to), 1e-6, `frame ${n}`);
  }
});

test('a one-shot does not loop and does not care for its key', async () => {
  const out = await looped('one-shot');
  assertSameBits(out.subarray(0, 1000), ramp(1000));
  assert.ok(out.subarray(1000).every((value) => value === 0));
});

test('an envelope is linear up, held, exponential down, and exactly silent at the end', async () => {
  const envelope = { delay: 0.005, attack: 0.02, hold: 0.01, decay: 0.04, sustain: 0.25, release: 0.05 };
  const { engine, sampler } = await offline({ data: constant(RATE), envelope });
  sampler.noteOn(60, 127, 0);
  sampler.noteOff(60, 0.2);
  const out = left(engine, ms(300));
  assert.ok(
    out.subarray(0, ms(5) + 1).every((value) => value === 0),
    'delay',
  );
  for (let n = 0; n <= ms(20); n += 1) near(out[ms(5) + n], n / ms(20), 1e-5, `attack, frame ${n}`);
  assert.ok(
    out.subarray(ms(25), ms(35) + 1).every((value) => value === 1),
    'hold',
  );
  // y(x) = (1 + ε)·e^(−k·x) − ε with ε = 10⁻⁴ (−80 dB) and k = ln((1 + ε)/ε). The curve is drawn in chords of 32
  // frames, which are off by at most (32·k/length)²/8 of the way down.
  const epsilon = 1e-4;
  const k = Math.log((1 + epsilon) / epsilon);
  const curve = (x) => (1 + epsilon) * Math.exp(-k * x) - epsilon;
  const chord = (length) => ((32 * k) / length) ** 2 / 8 + 1e-6;
  for (let n = 0; n < ms(40); n += 1) {
    near(out[ms(35) + n], 0.25 + 0.75 * curve(n / ms(40)), chord(ms(40)), `decay, frame ${n}`);
  }
  assert.ok(
    out.subarray(ms(75), ms(200) + 1).every((value) => value === 0.25),
    'sustain',
  );
  for (let n = 0; n < ms(50); n += 1)
    near(out[ms(200) + n], 0.25 * curve(n / ms(50)), chord(ms(50)), `release ${n}`);
  assert.ok(
    out.subarray(ms(250)).every((value) => value === 0),
    'silent at the end of the release',
  );
  assert.equal(engine.stats().voices, 0);
});

test('a new envelope counts for samples present and future, and what it leaves out has its default', async () => {
  const { engine, sampler, instrument } = await offline({
    data: constant(RATE),
    envelope: { attack: 0.1, sustain: 0.5 },
  });
  sampler.noteOn(60, 127, 0);
  engine.render(ms(50));
  instrument.setEnvelope({ release: 0 });
  await instrument.addSample(constant(RATE, 8), { pan: -1 });
  near(left(engine, 1)[0], 0.5, 1e-4, 'a note that sounds keeps its own');
  sampler.noteOn(60, 127);
  near(left(engine, 1)[0], 0.5 + 9, 1e-2, 'a new one has no attack');
  const held = left(engine, ms(100)).at(-1);
  near(held, 0.5 + 9, 1e-4, 'and full sustain');
  sampler.allNotesOff();
  // The shortest release is 1 ms; the first note's, not set, is 0.1 s.
  const out = left(engine, ms(100) + 1);
  assert.ok(out[ms(1)] <= 0.5 && out[ms(1)] > 0.4 && out.at(-1) === 0);
});

test('pitch bend glides to two semitones either way, on its channel', async () => {
  const { engine, sampler, instrument } = await offline();
  const slope = (values) => (values.at(-1) - values[0]) / (values.length - 1);
  sampler.assign(1, instrument);
  sampler.noteOn(60, 127, 0);
  sampler.pitchBend(8191, 0, 1);
  assert.equal(slope(left(engine, 1000)), 1, 'the other channel was bent');
  sampler.pitchBend(-8192, engine.currentTime + 0.001);
  engine.render(ms(1) + ms(1.5) + 32);
  near(slope(left(engine, 4001)), 2 ** (-200 / 1200), 1e-6, 'down');
  sampler.pitchBend(4096);
  engine.render(ms(1.5) + 32);
  near(slope(left(engine, 4001)), 2 ** (100 / 1200), 1e-6, 'half way up');
  sampler.pitchBend(0);
  engine.render(ms(1.5) + 32);
  near(slope(left(engine, 1001)), 1, 1e-6, 'back');
});

test('an instrument tells what is in it', async () => {
  const { sampler, instrument } = await offline({ data: ramp(1000), metadata: { keyRange: [40, 50] } });
  assert.equal(instrument.name, 'test');
  assert.deepEqual([instrument.regions, instrument.samples, instrument.keyRange], [1, 1, [40, 50]]);
  await instrument.addSample([ramp(500), ramp(500)], { keyRange: [51, 90] });
  assert.deepEqual([instrument.regions, instrument.samples, instrument.keyRange], [2, 2, [40, 90]]);
  const bytes = (1000 + 2 * 500) * 4;
  // Each sample has some silent frames before and after it, for interpolation.
  assert.ok(instrument.memory >= bytes && instrument.memory < bytes + 4096, `${instrument.memory}`);
  assert.deepEqual(instrument.warnings, []);
  await instrument.addSample(Float32Array.of(0, Number.NaN, 1, Number.POSITIVE_INFINITY));
  assert.equal(instrument.warnings.length, 1);
  assert.match(instrument.warnings[0], /2 values/);

  const empty = sampler.createInstrument();
  assert.deepEqual([empty.name, empty.regions, empty.samples, empty.memory], ['', 0, 0, 0]);
  assert.deepEqual([empty.keyRange, empty.warnings], [[], []]);
});

test('values that are no numbers are silent, and the rest of the sample sounds', async () => {
  const { engine, sampler } = await offline({
    data: Float32Array.of(1, Number.NaN, 3, Number.NEGATIVE_INFINITY, 5),
  });
  sampler.noteOn(60, 127, 0);
  assertSameBits(left(engine, 6), Float32Array.of(1, 0, 3, 0, 5, 0));
  assert.equal(engine.stats().nonFiniteSamples, 0);
});

test('values are copied when the call is made', async () => {
  const { engine, sampler, instrument } = await offline({ data: ramp(10), metadata: { keyRange: [0, 10] } });
  const data = ramp(100);
  const added = instrument.addSample(data, { pan: -1 });
  data.fill(99);
  await added;
  const loaded = ramp(50);
  const load = sampler.load(loaded, { channel: 1 });
  loaded.fill(99);
  await load;
  sampler.noteOn(60, 127, 0);
  assertSameBits(left(engine, 100), ramp(100));
  sampler.noteOn(60, 127, undefined, 1);
  // load() of values is a mono sample in the middle: √½ a side.
  assertSameBits(
    left(engine, 50),
    ramp(50).map((value) => value * Math.fround(Math.SQRT1_2)),
  );
});

test('a sample added while a note sounds changes new notes only', async () => {
  const { engine, sampler, instrument } = await offline({ data: ramp(1000) });
  sampler.noteOn(60, 127, 0);
  assertSameBits(left(engine, 100), ramp(100));
  await instrument.addSample(constant(1000, 4096), { pan: -1 });
  assertSameBits(left(engine, 100), ramp(100, 101), 'the note that sounds');
  sampler.noteOn(60, 127);
  assertSameBits(
    left(engine, 100),
    ramp(100).map((value, n) => value + 4096 + (201 + n)),
  );
});

test('an unloaded instrument finishes its notes and starts no more', async () => {
  const { engine, sampler, instrument } = await offline({ data: ramp(1000) });
  sampler.noteOn(60, 127, 0);
  sampler.noteOn(60, 127, 0.5);
  engine.render(100);
  instrument.unload();
  instrument.unload();
  assertSameBits(left(engine, 900), ramp(900, 101));
  sampler.noteOn(60, 127);
  assert.ok(left(engine, RATE).every((value) => value === 0));
  assert.equal(engine.stats().silentNotes, 2);
  assert.deepEqual([instrument.regions, instrument.memory], [0, 0]);
});

test('one instrument sounds on two engines, and outlives one of them', async () => {
  const first = await offline({ data: ramp(100) });
  const second = await offline({ data: ramp(100) });
  second.sampler.assign(0, first.instrument);
  await first.engine.close();
  second.sampler.noteOn(60, 127, 0);
  assertSameBits(left(second.engine, 100), ramp(100));
  await first.instrument.addSample(constant(100, 0.5), { pan: -1 });
  second.sampler.noteOn(60, 127);
  assertSameBits(
    left(second.engine, 100),
    ramp(100).map((value) => value + 0.5),
  );
});

test('layers of one note start in the order in which they were added', async () => {
  // 2²⁴ + 1 has no float: added first, the ones are lost one by one; added to each other first, they are kept.
  const total = async (values) => {
    const { engine, sampler, instrument } = await offline({ data: constant(10, values[0]) });
    for (const value of values.slice(1)) await instrument.addSample(constant(10, value), { pan: -1 });
    sampler.noteOn(60, 127, 0);
    return left(engine, 1)[0];
  };
  assert.equal(await total([2 ** 24, 1, 1]), 2 ** 24);
  assert.equal(await total([1, 1, 2 ** 24]), 2 ** 24 + 2);
});

test('layers keep the order of the calls when nobody waits for one before the next', async () => {
  for (let round = 0; round < 20; round += 1) {
    const { engine, sampler, instrument } = await offline({ data: constant(10, 2 ** 24) });
    // The first is far longer than the second: in any other order than that of the calls the sum is another.
    const slow = constant(400_000, -(2 ** 24));
    await Promise.all([
      instrument.addSample(slow, { pan: -1 }),
      instrument.addSample(constant(10), { pan: -1 }),
    ]);
    sampler.noteOn(60, 127, 0);
    assert.equal(left(engine, 1)[0], 1, '(2²⁴ − 2²⁴) + 1, not (2²⁴ + 1) − 2²⁴');
  }
});

test('fifty samplers share one instrument', async () => {
  const { engine, instrument } = await offline({ data: ramp(100) });
  for (let n = 0; n < 50; n += 1) {
    const sampler = new Sampler({ engine });
    sampler.assign(n % 16, instrument);
    sampler.noteOn(60, 127, 0, n % 16);
  }
  assertSameBits(
    left(engine, 100),
    ramp(100).map((value) => value * 50),
  );
});
