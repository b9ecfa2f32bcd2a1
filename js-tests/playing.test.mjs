// Many notes and the controls over them, offline: gains that glide, voices that make room, the clock that stands, and
// the figures and events that tell of it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Sampler } from '../lib/index.mjs';
import {
  assertSameBits,
  constant,
  heard,
  largestStep,
  left,
  offline,
  RATE,
  ramp,
  side,
  until,
} from './support/sound.mjs';

const ms = (milliseconds) => (milliseconds * RATE) / 1000;
/** Frames of a ramp of gain, pan or mute, and of a fade. */
const RAMP = ms(5);
const FADE = ms(6);
/** A straight line computed in floats is off by a few of their last bits. */
const ROUNDING = 1e-6;

/** A sampler whose notes are steps of 1, held for as long as they are let. */
const steps = (options) => offline({ data: constant(RATE * 20), ...options });

test('gain, pan and mute arrive in 5 ms in a straight line', async () => {
  const { engine, sampler } = await steps({ metadata: { pan: 0 } });
  sampler.noteOn(60, 127, 0);
  const middle = Math.fround(Math.SQRT1_2);
  let from = engine.render(RAMP).slice(-2);
  assert.deepEqual([...from], [middle, middle]);
  const turns = [
    [
      'sampler gain',
      () => {
        sampler.gain = 0.25;
      },
      [0.25, 0.25],
    ],
    [
      'sampler gain up',
      () => {
        sampler.gain = 3;
      },
      [3, 3],
    ],
    // Equal power, √2 louder than for a mono source: the middle leaves both sides as they are.
    [
      'pan',
      () => {
        sampler.pan = 1;
      },
      [0, 3 * Math.SQRT2],
    ],
    [
      'pan back',
      () => {
        sampler.pan = 0;
      },
      [3, 3],
    ],
    [
      'mute',
      () => {
        sampler.muted = true;
      },
      [0, 0],
    ],
    [
      'gain while muted',
      () => {
        sampler.gain = 1;
      },
      [0, 0],
    ],
    [
      'unmute',
      () => {
        sampler.muted = false;
      },
      [1, 1],
    ],
    [
      'engine gain',
      () => {
        engine.gain = 0.5;
      },
      [0.5, 0.5],
    ],
    [
      'engine gain off',
      () => {
        engine.gain = 0;
      },
      [0, 0],
    ],
  ];
  for (const [what, turn, levels] of turns) {
    turn();
    const out = engine.render(RAMP + 1);
    for (const channel of [0, 1]) {
      const values = side(out, channel);
      const to = levels[channel] * middle;
      const step = Math.abs(to - from[channel]) / RAMP;
      assert.ok(Math.abs(values.at(-1) - to) < ROUNDING, `${what}: ${values.at(-1)}, expected ${to}`);
      assert.ok(Math.abs(values[0] - from[channel]) <= step + ROUNDING, `${what}: begins with a step`);
      assert.ok(largestStep(values) <= step + ROUNDING, `${what}: a step of ${largestStep(values)}`);
    }
    from = out.slice(-2);
  }
  assert.deepEqual([sampler.gain, sampler.pan, sampler.muted, engine.gain], [1, 0, false, 0]);
});

test('a sampler begins with the gain it is given', async () => {
  const { engine, sampler } = await steps({ sampler: { gain: 0.25 } });
  assert.equal(sampler.gain, 0.25);
  sampler.noteOn(60, 127, 0);
  assert.ok(left(engine, 100).every((value) => value === 0.25));
});

test("stealing 'none' refuses the notes that find no voice, tells their end, and counts them", async () => {
  const { engine, sampler } = await steps({ sampler: { polyphony: 4, stealing: 'none' } });
  const [ended, stolen] = [heard(sampler, 'noteend'), heard(sampler, 'steal')];
  const ids = Array.from({ length: 6 }, (_, n) => sampler.noteOn(60 + n, 127, 0));
  assert.equal(new Set(ids).size, 6);
  assert.equal(left(engine, 100).at(-1), 4);
  const { voices, voicesPeak, voicesStolen, droppedEvents } = engine.stats();
  assert.deepEqual([voices, voicesPeak, voicesStolen, droppedEvents], [4, 4, 0, 2]);
  await until(() => ended.length >= 2, 'two ends');
  assert.deepEqual([ended, stolen], [ids.slice(4), []]);
});

test("stealing 'oldest' takes the first notes, which fade in 6 ms, and tells of it", async () => {
  const attack = 0.01;
  const { engine, sampler } = await steps({
    sampler: { polyphony: 3, stealing: 'oldest' },
    envelope: { attack },
  });
  const [ended, stolen] = [heard(sampler, 'noteend'), heard(sampler, 'steal')];
  const ids = Array.from({ length: 3 }, (_, n) => sampler.noteOn(60 + n, 127, n * 0.001));
  engine.render(ms(100));
  ids.push(sampler.noteOn(70, 127), sampler.noteOn(71, 127));
  const out = left(engine, ms(20));
  // Two notes begin, two fade: no step is larger than their slopes together.
  assert.ok(largestStep(out) <= 2 / (attack * RATE) + 2 / FADE + ROUNDING, `${largestStep(out)}`);
  const expected = (n) => 1 + 2 * Math.max(0, 1 - n / FADE) + 2 * Math.min(1, n / ms(10));
  out.forEach((value, n) => {
    assert.ok(Math.abs(value - expected(n)) < 1e-5, `frame ${n}: ${value}, expected ${expected(n)}`);
  });
  assert.equal(engine.stats().voicesStolen, 2);
  await until(() => ended.length >= 2 && stolen.length >= 2, 'two stolen notes');
  assert.deepEqual([stolen, ended], [ids.slice(0, 2), ids.slice(0, 2)]);
});

test("stealing 'quietest' takes released voices first, and 'same-note' the same key", async () => {
  for (const [stealing, victim] of [
    ['quietest', 1],
    [undefined, 1],
    ['same-note', 2],
  ]) {
    const made = await steps({ sampler: { polyphony: 3, stealing }, envelope: { release: 10 } });
    const stolen = heard(made.sampler, 'steal');
    // The quietest of those that are held is the first; the second is let go.
    const ids = [
      [60, 20],
      [61, 90],
      [62, 80],
    ].map(([note, velocity]) => made.sampler.noteOn(note, velocity, 0));
    made.sampler.release(ids[1], 0.01);
    made.engine.render(ms(50));
    made.sampler.noteOn(62, 100);
    made.engine.render(ms(50));
    await until(() => stolen.length > 0, 'a stolen note');
    assert.deepEqual(stolen, [ids[victim]], `${stealing}`);
  }
});

test('the polyphony of an engine holds for all of its samplers together', async () => {
  const { engine, sampler, instrument } = await steps({ engine: { polyphony: 2 } });
  const second = new Sampler({ engine });
  second.assign(0, instrument);
  const stolen = heard(sampler, 'steal');
  const first = sampler.noteOn(60, 127, 0);
  second.noteOn(60, 127, 0.01);
  second.noteOn(61, 127, 0.02);
  engine.render(ms(100));
  assert.equal(engine.stats().voices, 2);
  await until(() => stolen.length > 0, 'the stolen note of the other sampler');
  assert.deepEqual(stolen, [first]);
});

test('allNotesOff lets go, allSoundOff cuts in 6 ms: one channel or all', async () => {
  const { engine, sampler, instrument } = await steps({ envelope: { release: 1 } });
  for (const channel of [1, 2]) sampler.assign(channel, instrument);
  const play = () => {
    for (const channel of [0, 1, 2]) sampler.noteOn(60, 127, undefined, channel);
    return left(engine, 100).at(-1);
  };
  assert.equal(play(), 3);
  sampler.allSoundOff(1);
  let out = left(engine, FADE + 1);
  assert.ok(largestStep(out) <= 1 / FADE + ROUNDING);
  assert.equal(out.at(-1), 2);
  sampler.allSoundOff();
  assert.equal(left(engine, FADE + 1).at(-1), 0);

  play();
  sampler.allNotesOff(2, engine.currentTime + 0.01);
  out = left(engine, ms(2000));
  assert.ok(
    out.subarray(0, ms(10)).every((value) => value === 3),
    'not before its time',
  );
  assert.equal(out.at(-1), 2);
  assert.ok(out[ms(10) + FADE] > 2.5, 'a release of one second, not a cut');
  sampler.allNotesOff();
  assert.equal(left(engine, ms(1000) + 1).at(-1), 0);
});

test('suspend fades out in 5 ms and stops the clock, resume goes on where it stood', async () => {
  const { engine, sampler } = await offline({ data: ramp(RATE) });
  const states = [];
  engine.on('statechange', ({ state }) => states.push(state));
  sampler.noteOn(60, 127, 0);
  engine.render(1000);
  engine.suspend();
  engine.suspend();
  assert.equal(engine.state, 'suspended');
  const out = left(engine, 1000);
  const step = (1001 + RAMP) / RAMP;
  assert.ok(largestStep(out) <= step + 1 && out.subarray(RAMP).every((value) => value === 0));
  const stands = (1000 + RAMP) / RATE;
  assert.equal(engine.currentTime, stands);
  sampler.noteOn(72, 127, stands + 0.1);
  assert.ok(engine.render(RATE).every((value) => value === 0));
  assert.equal(engine.currentTime, stands);
  engine.resume();
  engine.resume();
  const back = left(engine, ms(100));
  assert.equal(Math.round(engine.currentTime * RATE), 1000 + RAMP + ms(100));
  assertSameBits(back.subarray(RAMP), ramp(ms(100) - RAMP, 1001 + 2 * RAMP));
  assert.equal(left(engine, 1)[0], 1001 + RAMP + ms(100) + 1, 'what was scheduled has waited for the clock');
  await engine.close();
  assert.deepEqual(states, ['suspended', 'running', 'closed']);
});

test('panic fades what sounds in 6 ms and drops what is scheduled, on all samplers', async () => {
  const { engine, sampler, instrument } = await steps();
  const second = new Sampler({ engine });
  second.assign(0, instrument);
  for (const one of [sampler, second]) for (const time of [0, 0.5]) one.noteOn(60, 127, time);
  assert.equal(left(engine, 100).at(-1), 2);
  engine.panic();
  const out = left(engine, RATE);
  assert.ok(largestStep(out.subarray(0, FADE + 1)) <= 2 / FADE + ROUNDING);
  assert.ok(out.subarray(FADE).every((value) => value === 0));
  sampler.noteOn(60, 127);
  assert.equal(left(engine, 1)[0], 1, 'and goes on');
});

test('a closed sampler fades, is forgotten, and leaves the others alone', async () => {
  const { engine, sampler, instrument } = await steps();
  const second = new Sampler({ engine });
  second.assign(0, instrument);
  sampler.noteOn(60, 127, 0);
  sampler.noteOn(60, 127, 0.5);
  second.noteOn(60, 127, 0);
  engine.render(100);
  sampler.close();
  const out = left(engine, RATE);
  assert.ok(largestStep(out) <= 1 / FADE + ROUNDING);
  assert.ok(out.subarray(FADE).every((value) => value === 1));
});

test('late events happen at once and are counted, with how late they were', async () => {
  const { engine, sampler } = await offline({ data: ramp(100) });
  engine.render(ms(20));
  assert.equal(engine.stats().lateEvents, 0);
  sampler.noteOn(60, 127, 0.01);
  sampler.noteOn(60, 127, -5);
  sampler.noteOn(60, 127, 0.02);
  assertSameBits(
    left(engine, 100),
    ramp(100).map((value) => value * 3),
  );
  const { lateEvents, lateness } = engine.stats();
  assert.equal(lateEvents, 2);
  assert.equal(lateness.count, 3, 'every event with a time');
  assert.ok(lateness.max >= 9_000, `${lateness.max} µs`);
});

test('what is late happens after what was sent before it, not before', async () => {
  const { engine, sampler, instrument } = await offline({ data: ramp(100) });
  engine.render(ms(20));
  // As live code does: a channel gets its instrument, and at once a note whose time has just passed.
  sampler.assign(7, instrument);
  sampler.noteOn(60, 127, 0.019, 7);
  assertSameBits(left(engine, 100), ramp(100));
  assert.equal(engine.stats().silentNotes, 0);
});

test('stats count since the start or the last reset', async () => {
  const { engine, sampler } = await steps({ sampler: { polyphony: 2, stealing: 'oldest' } });
  const fresh = engine.stats();
  for (const name of [
    'frames',
    'callbacks',
    'xruns',
    'lateEvents',
    'droppedEvents',
    'silentNotes',
    'voices',
  ]) {
    assert.equal(fresh[name], 0, name);
  }
  for (let n = 0; n < 3; n += 1) sampler.noteOn(60 + n, 127, n * 0.1);
  sampler.noteOn(60, 127, 0, 9);
  engine.render(RATE);
  const stats = engine.stats();
  assert.deepEqual([stats.frames, stats.voices, stats.voicesPeak, stats.voicesStolen], [RATE, 2, 3, 1]);
  assert.deepEqual([stats.silentNotes, stats.malformedRecords, stats.nonFiniteSamples], [1, 0, 0]);
  assert.ok(stats.queueHighWater >= 4 && stats.lateness.histogram.length > 0);
  engine.resetStats();
  const reset = engine.stats();
  assert.deepEqual([reset.frames, reset.voices], [RATE, 2], 'what is, is not reset');
  assert.deepEqual(
    [reset.voicesStolen, reset.silentNotes, reset.queueHighWater, reset.lateness.count],
    [0, 0, 0, 0],
  );
});

test('200,000 notes scheduled ahead are all played, each on its frame', async () => {
  const count = 200_000;
  const { engine, sampler } = await offline({ data: constant(1), engine: { interpolation: 'linear' } });
  // From last to first, so that the order of arrival is not the order of playing.
  for (let n = count - 1; n >= 0; n -= 1) {
    if (sampler.noteOn(60, 127, n / RATE) === 0) assert.fail(`note ${n} was dropped`);
  }
  assert.ok(left(engine, count).every((value) => value === 1));
  const { droppedEvents, silentNotes, queueHighWater, voices } = engine.stats();
  assert.deepEqual([droppedEvents, silentNotes, voices], [0, 0, 0]);
  assert.ok(queueHighWater >= count, `${queueHighWater}`);
});
