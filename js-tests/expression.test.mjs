// What one note can be asked for, MIDI as bytes, and what moves an instrument's sound, as JavaScript says them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { throws } from './support/errors.mjs';
import { constant as constantOf, left, offline, RATE } from './support/sound.mjs';

const wrong = (call, type, ...words) => throws(call, type, 'ERR_INVALID_ARGUMENT', ...words);
const constant = (value) => constantOf(10 * RATE, value);
const sine = (hz) =>
  Float32Array.from({ length: 4 * RATE }, (_, n) => Math.sin((2 * Math.PI * hz * n) / RATE));
const rms = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

test('a note has its own envelope, and its duration is not shortened by being late', async () => {
  const { engine, sampler } = await offline({ data: constant(1) });
  engine.render(RATE);
  sampler.noteOn(60, 127, { time: 0.5, duration: 0.25, attack: 0.1, release: 0.01, late: 'play' });
  const out = left(engine, RATE);
  assert.ok(Math.abs(out[2400] - 0.5) < 0.001, 'half way up after 50 ms');
  assert.equal(out[11_999], 1);
  assert.ok(out[12_490] === 0 && out[12_400] > 0, 'a quarter of a second, and 10 ms');
});

test('cutoff takes what is above it, resonance lifts what is at it, and set() moves both', async () => {
  const level = async (hz, params, later) => {
    const { engine, sampler } = await offline({ data: sine(hz) });
    const id = sampler.noteOn(60, 127, params);
    engine.render(RATE / 10);
    if (later) sampler.set(id, later, { over: 0.05 });
    engine.render(RATE / 2);
    return (20 * Math.log10(rms(left(engine, RATE)) / Math.SQRT1_2)).toFixed(1).replace('-0.0', '0.0');
  };
  // |H| of a two-pole low-pass by the bilinear transform: 1/√(1 + w⁴) at 0 dB, w = tan(πf/fs)/tan(πf₀/fs).
  const w = Math.tan((Math.PI * 4000) / RATE) / Math.tan((Math.PI * 1000) / RATE);
  const butterworth = (-10 * Math.log10(1 + w ** 4)).toFixed(1);
  assert.equal(await level(4000, { cutoff: 1000 }), butterworth);
  assert.equal(await level(4000, {}), '0.0');
  assert.equal(await level(4000, {}, { cutoff: 1000 }), butterworth);
  assert.equal(await level(1000, { cutoff: 1000 }), '-3.0');
  assert.equal(await level(1000, { cutoff: 1000, resonance: 12 }), '9.0');
  assert.equal(await level(1000, { cutoff: 1000 }, { resonance: 12 }), '9.0');
});

test('send() is a controller, a note, a bend: whatever the bytes say', async () => {
  const { engine, sampler } = await offline({ data: constant(1) });
  const id = sampler.send([0x90, 60, 127]);
  assert.ok(id > 0);
  assert.equal(sampler.send(Uint8Array.of(0xb0, 7, 64), 0.1), 0);
  const out = left(engine, RATE);
  assert.equal(out[4000], 1);
  assert.ok(Math.abs(out[6000] - (64 / 127) ** 2) < 1e-6);
  sampler.send([0x80, 60, 0]);
  engine.render(RATE);
  assert.equal(engine.stats().voices, 0);
  assert.equal(sampler.send([0xf8]), 0, 'a clock is no error');
  wrong(() => sampler.send([]), RangeError, 'it has no bytes');
  wrong(() => sampler.send([0x90, 60]), RangeError, 'status 0x90 has 3 bytes in all, got 2');
  wrong(() => sampler.send([0x90, 60, 128]), RangeError, 'byte 2 must be a data byte');
  wrong(() => sampler.send([0x90, 60, 256]), RangeError, 'byte 2 of the message', 'from 0 to 255');
  wrong(() => sampler.send('note on'), TypeError, 'Uint8Array or an array of bytes');
});

test('an MPE zone gives each note its own bend', async () => {
  const { engine, sampler } = await offline({ data: Float32Array.from({ length: 4 * RATE }, (_, n) => n) });
  for (const [controller, value] of [
    [101, 0],
    [100, 6],
    [6, 15],
  ]) {
    sampler.send([0xb0, controller, value]);
  }
  // A quarter of 48 semitones: an octave.
  sampler.send([0xe1, 0, 80]);
  sampler.send([0x91, 60, 127]);
  const out = left(engine, 1000);
  assert.ok(Math.abs((out[999] - out[499]) / 500 - 2) < 0.001);
});

test('pressure and the wheel bring vibrato, unless the instrument says otherwise', async () => {
  const wobble = async (play, modulation) => {
    const { engine, sampler, instrument } = await offline({
      data: Float32Array.from({ length: 10 * RATE }, (_, n) => n),
    });
    if (modulation) instrument.setModulation(modulation);
    play(sampler);
    sampler.noteOn(60, 127);
    const out = left(engine, RATE);
    const speeds = Array.from({ length: 119 }, (_, i) => (out[(i + 1) * 400] - out[i * 400]) / 400);
    return 1200 * Math.log2(Math.max(...speeds));
  };
  assert.ok((await wobble(() => {})) < 0.01);
  assert.ok(Math.abs((await wobble((sampler) => sampler.controlChange(1, 127))) - 50) < 1);
  assert.ok(Math.abs((await wobble((sampler) => sampler.channelPressure(127))) - 50) < 1);
  const own = { lfos: [{ rate: 5, pitch: 200, via: 'cc1' }] };
  assert.ok(Math.abs((await wobble((sampler) => sampler.controlChange(1, 127), own)) - 200) < 4);
  assert.ok((await wobble((sampler) => sampler.channelPressure(127), own)) < 0.01);
});

test('filters, their envelope and routes do what they say', async () => {
  const { engine, sampler, instrument } = await offline({ data: sine(4000) });
  instrument.setModulation({
    filters: [{ type: 'lowpass', cutoff: 250 }],
    // From 250 Hz to four octaves above it in a second.
    filterEnvelope: { attack: 1, depth: 4800 },
    routes: [{ from: 'velocity', to: 'gain', depth: 6.0206 }],
  });
  sampler.noteOn(60, 127);
  const out = left(engine, 2 * RATE);
  const dark = rms(out.subarray(2000, 4000));
  const bright = rms(out.subarray(RATE, RATE + 4000));
  // At 4 kHz a Butterworth is 3 dB down; the route adds 6 dB at full velocity; at the start it is 48 dB down.
  assert.ok(Math.abs(20 * Math.log10(bright / Math.SQRT1_2) - 3.01) < 0.05);
  assert.ok(20 * Math.log10(dark / bright) < -38);
});

test('programs, pressure and modulation refuse what makes no sense', async () => {
  const { sampler, instrument } = await offline({ data: constant(1) });
  wrong(() => sampler.programChange(128), RangeError, 'program', 'from 0 to 127');
  wrong(() => sampler.programChange(0, 16_384), RangeError, 'bank', 'from 0 to 16383');
  wrong(() => sampler.channelPressure('loud'), TypeError, 'pressure');
  wrong(() => sampler.polyPressure(60, 128), RangeError, 'pressure', 'from 0 to 127');
  wrong(() => sampler.noteOn(60, 100, { send: { revreb: 1 } }), TypeError, "did you mean 'reverb'?");
  wrong(() => instrument.setModulation({ filters: [{ type: 'lowpas' }] }), RangeError, "'lowpass'");
  wrong(() => instrument.setModulation({ lfos: [{ rate: -1 }] }), RangeError, 'from 0 to 1000 Hz');
  wrong(() => instrument.setEnvelope({ attackCurve: 21 }), RangeError, 'from -20 to 20');
  sampler.programChange(5);
  sampler.noteOn(60);
});

test('one key keeps to its polyphony', async () => {
  const { engine, sampler } = await offline({ data: constant(1), sampler: { notePolyphony: 2 } });
  for (let i = 0; i < 5; i += 1) sampler.noteOn(60, 100, i * 0.1);
  engine.render(RATE);
  assert.equal(engine.stats().voices, 2);
});
