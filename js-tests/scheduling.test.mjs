// What is sent ahead, late, in bulk or taken back; pedals, choke groups, the limiter and meters: offline, exactly.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Engine, Sampler } from '../lib/index.mjs';
import { constant, heard, left, offline, RATE, ramp, until } from './support/sound.mjs';

const wrong = (call, type, ...words) =>
  assert.throws(call, (error) => {
    assert.ok(error instanceof type && error.code === 'ERR_INVALID_ARGUMENT', String(error));
    for (const word of words) assert.ok(error.message.includes(word), error.message);
    return true;
  });

test('a late note plays, is dropped, or starts where it would have been', async () => {
  for (const [late, expected] of [
    ['play', 100],
    ['drop', 0],
    ['skip', 580],
  ]) {
    for (const how of ['engine', 'note']) {
      const { engine, sampler } = await offline({ engine: how === 'engine' ? { late } : {} });
      engine.render(480);
      sampler.noteOn(60, 127, how === 'engine' ? 0 : { time: 0, late });
      // Value n of the ramp is n + 1.
      assert.equal(left(engine, 100)[99], expected, `${late} by ${how}`);
      assert.equal(engine.stats().lateEvents, 1, 'counted whichever it is');
    }
  }
  wrong(() => new Engine({ backend: 'offline', late: 'skpi' }), RangeError, "did you mean 'skip'?");
  const { sampler } = await offline();
  wrong(() => sampler.noteOn(60, 100, { late: 'later' }), RangeError, "'play', 'drop', 'skip'");
});

test('schedule takes notes, controllers and bends in one call, each on its frame', async () => {
  const { engine, sampler } = await offline({ data: constant(RATE), envelope: { release: 0.001 } });
  const at = (frame) => frame / RATE;
  const events = Float64Array.from([
    ...[at(100), 0x90, 60, 127],
    ...[at(200), 0x80, 60, 0],
    ...[at(500), 0x90, 64.5, 127],
    ...[at(600), 0x90, 64.5, 0], // a note-off, by MIDI
    ...[at(700), 0xb0, 7, 0],
    ...[at(1000), 0x90, 60, 127],
  ]);
  assert.equal(sampler.schedule(events), 6);
  const out = left(engine, 2000);
  assert.deepEqual([out[99], out[100], out[200], out[260]], [0, 1, 1, 0]);
  assert.deepEqual([out[499], out[500], out[660]], [0, 1, 0]);
  assert.ok(
    out.subarray(1000).every((value) => value === 0),
    'volume is 0 by then',
  );
  sampler.schedule(Float64Array.of(0, 0xe0, 127, 127));
  assert.equal(sampler.schedule(new Float64Array(0)), 0);
});

test('schedule refuses wrong events by their number and takes none of them', async () => {
  const { engine, sampler } = await offline();
  const good = [0, 0x90, 60, 100];
  for (const [bad, type, ...words] of [
    [[Number.NaN, 0x90, 60, 100], RangeError, 'event 1: time', 'NaN'],
    [[0, 0x70, 60, 100], RangeError, 'event 1: status', 'from 128 to 239', '112'],
    [[0, 0xf0, 60, 100], RangeError, 'event 1: status', 'from 128 to 239', '240'],
    [[0, 0xc0, 60.5, 0], RangeError, 'event 1: data1', 'program'],
    [[0, 0x90, 128, 100], RangeError, 'event 1: data1', 'from 0 to 127', '128'],
    [[0, 0x90, 60, -1], RangeError, 'event 1: data2'],
    [[0, 0xb0, 7.5, 1], RangeError, 'event 1: data1', 'controller'],
  ]) {
    wrong(() => sampler.schedule(Float64Array.from([...good, ...bad])), type, ...words);
  }
  for (const none of [undefined, [0, 0x90, 60, 100], new Float32Array(4), new Float64Array(5)]) {
    wrong(() => sampler.schedule(none), TypeError, 'Float64Array of [time, status, data1, data2]');
  }
  engine.render(100);
  assert.equal(engine.stats().voicesPeak, 0);
});

test('a hundred thousand events in one call are all taken offline, and counted where a queue is full', async () => {
  const events = Float64Array.from({ length: 400_000 }, (_, i) => [(i >> 2) / RATE, 0x90, 60, 100][i & 3]);
  const { sampler, engine } = await offline({ data: constant(1) });
  assert.equal(sampler.schedule(events), 100_000);
  assert.ok(left(engine, 100_000).every((value) => value > 0));

  const clock = new Engine({ backend: 'clock' });
  const taken = new Sampler({ engine: clock }).schedule(events);
  assert.ok(taken > 0 && taken < 100_000, `${taken}`);
  assert.ok(clock.stats().droppedEvents >= 1, 'the event that found no room is counted');
  await clock.close();
});

test('cancel forgets what has not started, by id or all, and nothing that sounds', async () => {
  const { engine, sampler } = await offline({ data: constant(RATE) });
  const ended = heard(sampler, 'noteend');
  const ids = [0, 0.01, 0.02, 0.03].map((time) => sampler.noteOn(60, 127, time));
  engine.render(10);
  sampler.cancel(ids[1]);
  sampler.cancel(ids[0]);
  sampler.cancel(0);
  assert.equal(left(engine, 1000).at(-1), 2, 'the first and the third');
  sampler.cancel();
  assert.equal(left(engine, 1000).at(-1), 2);
  await until(() => ended.length === 2, 'two ends');
  assert.deepEqual(ended, [ids[1], ids[3]]);
  wrong(() => sampler.cancel('all'), TypeError, 'id must be what noteOn() returned');
});

test('the sustain pedal holds notes, volume and pan glide, and wrong controllers are refused', async () => {
  const { engine, sampler } = await offline({ data: constant(RATE), envelope: { release: 0.001 } });
  sampler.noteOn(60, 127, 0);
  sampler.controlChange(64, 127, 0);
  sampler.noteOff(60, 0.001);
  assert.equal(left(engine, 1000).at(-1), 1);
  sampler.controlChange(64, 0);
  assert.equal(left(engine, 1000).at(-1), 0);

  sampler.noteOn(60, 127);
  sampler.controlChange(7, 63.5);
  assert.equal(left(engine, 1000).at(-1), 0.25, 'a quarter: (63.5 / 127)²');
  for (const [controller, value] of [
    [-1, 0],
    [128, 0],
    [1.5, 0],
    [7, 128],
    [7, Number.NaN],
  ]) {
    wrong(() => sampler.controlChange(controller, value), RangeError, 'from 0 to 127');
  }
  wrong(() => sampler.controlChange('volume', 0), TypeError, '"volume"');
});

test('a closed hat chokes an open one', async () => {
  const { engine, sampler, instrument } = await offline({
    data: constant(RATE),
    metadata: { keyRange: [46, 46], rootNote: 46, chokedBy: 1 },
  });
  await instrument.addSample(constant(RATE), { keyRange: [42, 42], rootNote: 42, group: 1, pan: -1 });
  sampler.noteOn(46, 127, 0);
  sampler.noteOn(42, 127, 0.1);
  const out = left(engine, RATE / 5);
  assert.equal(out[4799], 1);
  // 6 ms are 288 frames.
  assert.ok(out[4800] > 1.99 && out[4800 + 288] === 1);
});

test('the limiter keeps the sum below its ceiling, and quieter music bit for bit', async () => {
  const sum = async (limiter, notes) => {
    const { engine, sampler } = await offline({ data: constant(RATE, 0.9), engine: { limiter } });
    for (let n = 0; n < notes; n += 1) sampler.noteOn(60, 127, 0);
    return left(engine, 1000);
  };
  assert.deepEqual(await sum(true, 1), await sum(false, 1));
  assert.ok(Math.abs((await sum(true, 8)).at(-1) - 10 ** (-0.3 / 20)) < 1e-6);
  assert.ok(Math.abs((await sum({ ceiling: -6 }, 8)).at(-1) - 10 ** (-6 / 20)) < 1e-6);
  const delayed = await sum({ lookahead: 0.001 }, 1);
  assert.deepEqual([delayed[47], delayed[48]], [0, Math.fround(0.9)], 'look-ahead delays');
  wrong(() => new Engine({ backend: 'offline', limiter: { ceiling: 3 } }), RangeError, 'from -60 to 0 dBFS');
  wrong(() => new Engine({ backend: 'offline', limiter: 3 }), TypeError, 'limiter must be true, false');
});

test('meter reads peak and RMS since the last call', async () => {
  const { engine, sampler } = await offline({ data: constant(480, 0.5) });
  sampler.noteOn(60, 127, 0);
  engine.render(960);
  const { peak, rms } = engine.meter();
  assert.deepEqual(peak, [0.5, 0]);
  assert.ok(Math.abs(rms[0] - 0.5 * Math.SQRT1_2) < 1e-9 && rms[1] === 0, `${rms}`);
  engine.render(960);
  assert.deepEqual(engine.meter(), { peak: [0, 0], rms: [0, 0] });
});

test('sinc interpolation is there by name, and on a frame it is that frame', async () => {
  for (const interpolation of ['sinc8', 'sinc16', 'sinc32']) {
    const { engine, sampler } = await offline({ data: ramp(2000), engine: { interpolation } });
    sampler.noteOn(60, 127, 0);
    assert.deepEqual(left(engine, 2000), ramp(2000), interpolation);
  }
});

test('a note begins with the gain, pan and detune it is given', async () => {
  const { engine, sampler } = await offline();
  sampler.noteOn(60, 127, { time: 0.01, gain: 0.5, detune: 1200 });
  const out = left(engine, 1000);
  // An octave up: every second value of the ramp 1, 2, 3 …
  assert.deepEqual([...out.subarray(480, 484)], [0.5, 1.5, 2.5, 3.5]);
  for (const options of [{ gain: -1 }, { pan: 2 }, { detune: 12001 }, { gain: 'loud' }]) {
    wrong(() => sampler.noteOn(60, 100, options), Error, `${Object.keys(options)[0]} must be a number from`);
  }
});

test('set turns one note, over the time it is given, and leaves the others alone', async () => {
  const { engine, sampler } = await offline({ data: constant(RATE) });
  const [one] = [sampler.noteOn(60, 127, 0), sampler.noteOn(64, 127, 0)];
  sampler.set(one, { gain: 0 }, { time: 0.1, over: 0.01 });
  const out = left(engine, RATE / 5);
  assert.deepEqual([out[4800], out.at(-1)], [2, 1]);
  assert.ok(Math.abs(out[4800 + 240] - 1.5) < 1e-5, 'half way after half the time');
  sampler.set(0, { gain: 1 });
  sampler.set(999, { gain: 1 });
  wrong(() => sampler.set('one', {}), TypeError, 'id must be what noteOn() returned');
  wrong(() => sampler.set(one), TypeError, '{ gain, pan, detune, rate');
  wrong(() => sampler.set(one, { gian: 1 }), TypeError, "did you mean 'gain'?");
  wrong(() => sampler.set(one, { pan: -2 }), RangeError, 'from -1 to 1');
  wrong(() => sampler.set(one, {}, { over: -1 }), RangeError, 'from 0 to 3600 s');
  wrong(() => sampler.set(one, {}, { ovr: 1 }), TypeError, "did you mean 'over'?");
});

test('cancel and panic, then plan anew: what is sent after them sounds', async () => {
  for (const forget of [({ sampler }) => sampler.cancel(), ({ engine }) => engine.panic()]) {
    const both = await offline({ data: constant(RATE) });
    both.sampler.noteOn(60, 127, 0.2);
    forget(both);
    both.sampler.noteOn(60, 127, 0.1);
    assert.equal(left(both.engine, RATE / 2).at(-1), 1);
  }
});

test('names that stand on Object.prototype are no options', () => {
  Object.prototype.spoilt = 1;
  try {
    const engine = new Engine({ backend: 'offline' });
    const sampler = new Sampler({ engine });
    sampler.createInstrument().setEnvelope({ attack: 1 });
    assert.equal(sampler.noteOn(60, 100, { time: 1 }), 1);
  } finally {
    delete Object.prototype.spoilt;
  }
});

test('late notes are told: each to its sampler with how late it is, and how many and the worst to the engine', async () => {
  const { engine, sampler } = await offline({ data: constant(RATE) });
  engine.render(RATE);
  const [notes, sums] = [[], []];
  sampler.on('late', (event) => notes.push(event));
  engine.on('late', (event) => sums.push(event));
  const first = sampler.noteOn(60, 100, 0.75);
  const second = sampler.noteOn(60, 100, { time: 0.5, late: 'drop' });
  sampler.noteOn(60, 100, 1);
  engine.render(100);
  await until(() => sums.length > 0, 'the event');
  assert.deepEqual(notes, [
    { id: second, by: 0.5 },
    { id: first, by: 0.25 },
  ]);
  assert.deepEqual(sums, [{ notes: 2, worst: 0.5 }]);
});
