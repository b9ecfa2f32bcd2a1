// What a note costs in JavaScript: `npm run bench`, or this file with node or bun.
//
// Every figure is a median over rounds, beside an empty call into native code measured in the same rounds: machines
// are shared and noisy, ratios last. The engine is offline and is emptied between rounds, outside the measurement.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { Engine, Sampler } = require('../lib/index.cjs');
const native = require('../lib/native.cjs');

const ROUNDS = 401;
const CALLS = 8000; // fits the lane: no call finds it full

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

const engine = new Engine({ backend: 'offline', sampleRate: 48000 });
const sampler = new Sampler({ engine });
const out = new Float32Array(256);

const bodies = {
  'empty native call': () => {
    for (let i = 0; i < CALLS; i++) native.noop();
  },
  'noteOn(note, velocity)': () => {
    for (let i = 0; i < CALLS; i++) sampler.noteOn(i & 127, 100);
  },
  'noteOn(note, velocity, time)': () => {
    const time = engine.currentTime + 0.001;
    for (let i = 0; i < CALLS; i++) sampler.noteOn(i & 127, 100, time);
  },
  'noteOn(note, velocity, { time })': () => {
    const options = { time: engine.currentTime + 0.001 };
    for (let i = 0; i < CALLS / 8; i++) sampler.noteOn(i & 127, 100, options);
  },
};
const calls = { 'noteOn(note, velocity, { time })': CALLS / 8 };
const ns = Object.fromEntries(Object.keys(bodies).map((name) => [name, []]));

for (let round = 0; round < ROUNDS; round++) {
  for (const [name, body] of Object.entries(bodies)) {
    const start = process.hrtime.bigint();
    body();
    ns[name].push(Number(process.hrtime.bigint() - start) / (calls[name] ?? CALLS));
    engine.render(128, out);
  }
}

// Garbage: bytes of heap that a call leaves behind, with nothing else running.
let bytes = 0;
for (let round = 0; round < 50; round++) {
  const start = process.memoryUsage().heapUsed;
  bodies['noteOn(note, velocity)']();
  bytes += Math.max(0, process.memoryUsage().heapUsed - start);
  engine.render(128, out);
}
const runtime = process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`;
const empty = median(ns['empty native call']);
console.log(`${runtime}, median of ${ROUNDS} rounds of ${CALLS} calls`);
for (const [name, values] of Object.entries(ns)) {
  const each = median(values);
  console.log(
    `  ${name.padEnd(34)} ${each.toFixed(1).padStart(7)} ns   ${(each / empty).toFixed(2)} × empty native call`,
  );
}
console.log(
  `  garbage of noteOn(note, velocity)  ${(bytes / 50 / CALLS).toFixed(3).padStart(7)} bytes a call`,
);
const { droppedEvents } = engine.stats();
if (droppedEvents > 0) throw new Error(`${droppedEvents} notes were dropped: the figures are not of noteOn`);
