// What the tests of sound share: an engine without a device whose samples are steps and ramps, so that what comes out
// is arithmetic.
import assert from 'node:assert/strict';
import { Engine, Sampler } from '../../lib/index.mjs';

/** Hz of all engines here: times in milliseconds are whole frames. */
export const RATE = 48000;

/** n, n + 1, … as values: floats hold whole numbers below 2²⁴ exactly. */
export const ramp = (length, first = 1) => Float32Array.from({ length }, (_, n) => first + n);
export const constant = (length, value = 1) => new Float32Array(length).fill(value);

/**
 * An offline engine, a sampler on it, and an instrument on channel 0 whose sample sounds on the left alone and at
 * its own level: with velocity 127 a value of the sample is a value of channel 0, bit for bit.
 */
export async function offline({ data = ramp(RATE), metadata, envelope, engine: own, sampler: mine } = {}) {
  // Without the limiter: ramps count to thousands.
  const engine = new Engine({ backend: 'offline', sampleRate: RATE, limiter: false, ...own });
  const sampler = new Sampler({ engine, ...mine });
  const instrument = sampler.createInstrument('test');
  if (envelope) instrument.setEnvelope(envelope);
  await instrument.addSample(data, { pan: -1, ...metadata });
  sampler.assign(0, instrument);
  return { engine, sampler, instrument };
}

/** One channel of interleaved frames. */
export function side(frames, channel = 0, channels = 2) {
  return Float32Array.from({ length: frames.length / channels }, (_, n) => frames[n * channels + channel]);
}

/** Renders, and gives the left channel. */
export const left = (engine, frames) => side(engine.render(frames), 0, engine.channels);

/** Index of the first value that is not 0; -1 without one. */
export const firstSound = (values) => values.findIndex((value) => value !== 0);

/** The largest step between neighbours. */
export function largestStep(values) {
  let largest = 0;
  for (let n = 1; n < values.length; n += 1) largest = Math.max(largest, Math.abs(values[n] - values[n - 1]));
  return largest;
}

/** Compares every bit, zeros' signs included, and says where the first difference is. */
export function assertSameBits(actual, expected, what = 'frames') {
  assert.equal(actual.length, expected.length, `${what}: length`);
  const [a, b] = [actual, expected].map(
    (values) => new Int32Array(values.buffer, values.byteOffset, values.length),
  );
  const at = a.findIndex((word, n) => word !== b[n]);
  if (at >= 0) assert.fail(`${what}: value ${at} is ${actual[at]}, expected ${expected[at]}`);
}

/** Waits until something holds; the limit only bounds a failure. */
export async function until(holds, what = 'something', limit = 20_000) {
  const start = performance.now();
  for (;;) {
    const answer = holds();
    if (answer) return answer;
    if (performance.now() - start > limit) assert.fail(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Again when it fails, three times in all: virtual machines stall for milliseconds now and then. */
export async function retried(attempt) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === 3) throw error;
    }
  }
}

/** Collects the ids that an event tells of. */
export function heard(emitter, event) {
  const list = [];
  emitter.on(event, ({ id }) => list.push(id));
  return list;
}
