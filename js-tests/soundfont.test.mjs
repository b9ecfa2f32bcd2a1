// SoundFonts: presets by program and bank, percussion, program changes while it plays, and what real banks hold.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Engine, Sampler } from '../lib/index.mjs';
import { temporaryFolder } from './support/child.mjs';
import { outOfRangeLater, rejects, wrongTypeLater } from './support/errors.mjs';
import { left, offline, RATE, until } from './support/sound.mjs';
import { soundfont } from './support/soundfont.mjs';

const folder = temporaryFolder();

function file(name, bytes) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Presets that play a constant, in 32nds of full scale, at full level after 1 ms. */
const constants = (rows) =>
  soundfont(
    rows.map(([bank, program, level]) => ({
      bank,
      program,
      name: `Level ${level}`,
      values: new Int16Array(RATE).fill(level * 1024),
      generators: [[58, 60]],
    })),
  );
const GM = [
  [0, 0, 1],
  [0, 40, 2],
  [8, 40, 3],
  [128, 0, 4],
  [128, 8, 5],
];
const bank = file('gm.sf2', constants(GM));

/** What a channel plays, in 32nds: SoundFont places a mono sample in the middle, at −3 dB a side. */
function level(engine, sampler, channel = 0) {
  sampler.allSoundOff();
  engine.render(RATE / 10);
  sampler.noteOn(60, 127, undefined, channel);
  return Math.round(left(engine, 400)[399] * Math.SQRT2 * 32);
}

test('a whole bank plays on all channels that play nothing, percussion on channel 9', async () => {
  const { engine, sampler } = await offline();
  sampler.assign(0, null);
  sampler.assign(3, await sampler.load(new Float32Array(RATE).fill(0.5), { channel: 5 }));
  const instrument = await sampler.load(bank);
  assert.equal(instrument.name, 'Level 1');
  assert.deepEqual(
    instrument.presets.map((preset) => [preset.bank, preset.program, preset.name]),
    GM.map(([number, program, n]) => [number, program, `Level ${n}`]),
  );
  assert.deepEqual(instrument.warnings, []);
  const found = Array.from({ length: 16 }, (_, channel) => level(engine, sampler, channel));
  assert.deepEqual(found, [1, 1, 1, 16, 1, 16, 1, 1, 1, 4, 1, 1, 1, 1, 1, 1]);
});

test('program changes select presets, by number, by bank and by controller', async () => {
  const { engine, sampler } = await offline();
  await sampler.load(bank);
  const playing = (change, channel = 0) => {
    change();
    return level(engine, sampler, channel);
  };
  assert.equal(
    playing(() => sampler.programChange(40)),
    2,
  );
  assert.equal(
    playing(() => sampler.programChange(40, 8)),
    3,
  );
  assert.equal(
    playing(() => sampler.programChange(40, 9)),
    2,
    'bank 0 where the bank has none',
  );
  assert.equal(
    playing(() => sampler.programChange(99)),
    2,
    'nobody has it',
  );
  assert.equal(
    playing(() => sampler.programChange(0, 128)),
    4,
  );
  assert.equal(
    playing(() => sampler.programChange(0, 0)),
    1,
  );
  assert.equal(
    playing(() => {
      sampler.controlChange(0, 8);
      sampler.schedule(Float64Array.of(engine.currentTime, 0xc0, 40, 0));
    }),
    3,
  );
  assert.equal(
    playing(() => sampler.send([0xc9, 8]), 9),
    5,
  );
  assert.equal(
    playing(() => sampler.send([0xc9, 40]), 9),
    4,
    'another kit, not a violin',
  );
});

test('a program change has its time', async () => {
  const { engine, sampler } = await offline();
  await sampler.load(bank);
  sampler.programChange(40, undefined, 0.5);
  sampler.noteOn(60, 127, { time: 0.25, duration: 0.1 });
  sampler.noteOn(60, 127, { time: 0.75, duration: 0.1 });
  const values = left(engine, RATE);
  const at = (seconds) => Math.round(values[seconds * RATE] * Math.SQRT2 * 32);
  assert.deepEqual([at(0.3), at(0.8)], [1, 2]);
});

test('one preset is chosen by program, by name and by bank', async () => {
  const { engine, sampler } = await offline();
  const chosen = async (options) => {
    const instrument = await sampler.load(bank, options);
    return [instrument.name, level(engine, sampler)];
  };
  assert.deepEqual(await chosen({ preset: 40 }), ['Level 2', 2]);
  assert.deepEqual(await chosen({ preset: 40, bank: 8 }), ['Level 3', 3]);
  assert.deepEqual(await chosen({ preset: 'level 4' }), ['Level 4', 4]);
  assert.deepEqual(await chosen({ bank: 128 }), ['Level 4', 4]);
  await outOfRangeLater(() => sampler.load(bank, { preset: 7 }), 'no preset 7', '0:40 "Level 2"');
  await outOfRangeLater(() => sampler.load(bank, { preset: 'Piano' }), 'no preset "Piano"');
  await outOfRangeLater(() => sampler.load(bank, { preset: 128 }), 'preset', '127');
  await wrongTypeLater(() => sampler.load(bank, { preset: true }), 'preset', 'true');
  await outOfRangeLater(() => sampler.load(new Float32Array(9), { preset: 1 }), 'SoundFont');
});

test('a bank is loaded from memory, and its samples once', async () => {
  const { engine, sampler } = await offline();
  const first = await sampler.load(new Uint8Array(readFileSync(bank)), { preset: 40 });
  assert.equal(level(engine, sampler), 2);
  assert.equal((await sampler.load(bank, { preset: 40 })).memory, first.memory);
});

test('while it plays, a preset that is not there yet comes by itself', async () => {
  const engine = new Engine({ backend: 'clock' });
  const sampler = new Sampler({ engine });
  await sampler.load(bank);
  sampler.programChange(40);
  // Silent at first, then heard: every note is tried until one is.
  await until(() => {
    sampler.noteOn(60, 127);
    return engine.meter().peak[0] > 0;
  });
  await engine.close();
});

test('envelopes, attenuation and tuning are heard as the specification says', async () => {
  const period = 100;
  const sine = Int16Array.from({ length: period }, (_, n) =>
    Math.round(20000 * Math.sin((2 * Math.PI * n) / period)),
  );
  const preset = (generators) => ({
    values: sine,
    loop: [0, period],
    rate: RATE,
    generators: [[54, 1], [58, 60], ...generators],
  });
  const render = async (generators, seconds, key = 60) => {
    const { engine, sampler } = await offline();
    await sampler.load(new Uint8Array(soundfont([preset(generators)])));
    sampler.noteOn(key, 127, 0);
    return left(engine, seconds * RATE);
  };
  const peak = (values, from, to) =>
    values.slice(from * RATE, to * RATE).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const plain = peak(await render([], 0.2), 0.1, 0.2);
  assert.ok(Math.abs(plain / ((20000 / 32768) * Math.SQRT1_2) - 1) < 0.001);
  // 200 cB, of which 0.4 count: −8 dB.
  const quiet = peak(await render([[48, 200]], 0.2), 0.1, 0.2);
  assert.ok(Math.abs(20 * Math.log10(quiet / plain) + 8) < 0.01);
  // A decay of 1 s for 100 dB: −20 dB after a fifth.
  const decay = await render(
    [
      [36, 0],
      [37, 960],
    ],
    0.5,
  );
  const fallen = 20 * Math.log10(peak(decay, 0.2, 0.21) / plain);
  // The attack takes its millisecond, and 10 ms fall by 1 dB.
  assert.ok(fallen < -19.8 && fallen > -20.9, String(fallen));
  // 7 semitones by key, 100 cents each; or 50.
  const crossings = (values) => values.filter((value, n) => n > 0 && values[n - 1] < 0 && value >= 0).length;
  const base = RATE / period;
  for (const [generators, cents] of [
    [[], 700],
    [[[56, 50]], 350],
    [[[52, 50]], 750],
  ]) {
    const found = crossings(await render(generators, 1, 67));
    assert.ok(Math.abs(found - base * 2 ** (cents / 1200)) <= 1, `${cents}: ${found}`);
  }
});

test('a broken bank is refused with its reason, and the next one loads', async () => {
  const { sampler } = await offline();
  const bytes = readFileSync(bank);
  for (const cut of [12, 60, 200]) {
    await rejects(
      () => sampler.load(new Uint8Array(bytes.subarray(0, cut))),
      Error,
      'ERR_CORRUPT_FILE',
      'chunk',
    );
  }
  assert.deepEqual((await sampler.load(bank)).warnings, []);
});

for (const real of ['TimGM6mb', 'FluidR3_GM']) {
  const path = `/usr/share/sounds/sf2/${real}.sf2`;
  test(`${real} plays an arrangement on 16 channels`, { skip: !existsSync(path) }, async () => {
    const { engine, sampler } = await offline({ engine: { polyphony: 256 } });
    const { presets } = await sampler.load(path);
    assert.ok(presets.length > 100);
    for (let channel = 0; channel < 16; channel += 1) {
      if (channel !== 9) sampler.programChange(channel * 8, undefined, undefined, channel);
      sampler.noteOn(channel === 9 ? 36 : 48 + channel, 100, { time: channel * 0.5, duration: 0.3, channel });
    }
    const values = left(engine, 8 * RATE);
    for (let channel = 0; channel < 16; channel += 1) {
      const part = values.subarray(channel * 0.5 * RATE, (channel * 0.5 + 0.3) * RATE);
      assert.ok(
        part.some((value) => Math.abs(value) > 0.005),
        `channel ${channel} is heard`,
      );
    }
    assert.equal(engine.stats().voicesStolen, 0);
  });
}
