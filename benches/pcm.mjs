// What PCM from JavaScript costs: `npm run bench`, or this file with node or bun.
//
// Engines are offline where cost is measured, so that all of it is on this thread: figures are CPU time, medians over
// rounds, beside an empty call into native code in the same rounds. How long JavaScript may stand still is tried on the
// clock. Where the npm package `speaker` is installed (or ICTUS_BENCH_SPEAKER names its folder), it is measured beside, on
// ALSA's null device, which takes everything at once: what it costs is its own path, as ours is here.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(import.meta.url);
const { createTransport, Engine, PcmRing, Speaker } = require('../lib/index.cjs');
const native = require('../lib/native.cjs');

const RATE = 48000;
const ROUNDS = 201;
/** Rounds before those that count: for the compilers of both runtimes. */
const WARM_UP = 2000;
const CHUNKS = [128, 512, 4096];
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const now = () => Number(process.hrtime.bigint());
const offline = () => new Engine({ backend: 'offline', sampleRate: RATE, limiter: false });
const row = (name, value, unit, more = '') =>
  console.log(`  ${name.padEnd(46)} ${value.padStart(9)} ${unit.padEnd(14)} ${more}`);

const runtime = process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`;
console.log(`${runtime}, stereo, ${RATE} Hz, medians of ${ROUNDS} rounds`);

const empty = (() => {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = now();
    for (let n = 0; n < 1000; n += 1) native.noop();
    rounds.push((now() - start) / 1000);
  }
  return median(rounds);
})();
row('empty native call', empty.toFixed(1), 'ns');

// ── a call

for (const frames of CHUNKS) {
  const engine = offline();
  const ring = new PcmRing({ engine, channels: 2, frames: frames * 9 });
  const block = new Float32Array(frames * 2).fill(0.1);
  const rounds = [];
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    const start = now();
    for (let n = 0; n < 8; n += 1) ring.write(block);
    if (round >= 0) rounds.push((now() - start) / 8);
    engine.render(frames * 8);
  }
  const each = median(rounds);
  row(
    `PcmRing.write of ${frames} frames`,
    each.toFixed(0),
    'ns',
    `${(each / frames).toFixed(3)} ns a frame, ${(each / empty).toFixed(1)} × empty call`,
  );
  ring.close();
}

for (const frames of CHUNKS) {
  const engine = offline();
  const speaker = new Speaker({ engine, sampleRate: RATE });
  const chunk = Buffer.alloc(frames * 4, 1);
  const rounds = [];
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    const start = now();
    speaker.write(chunk);
    if (round >= 0) rounds.push(now() - start);
    // Its callback, outside the measurement.
    await new Promise((resolve) => setImmediate(resolve));
    engine.render(frames);
  }
  const each = median(rounds);
  row(
    `Speaker.write of ${frames} frames, 16 bits`,
    each.toFixed(0),
    'ns',
    `${(each / empty).toFixed(1)} × empty call`,
  );
  speaker.destroy();
}

// ── the audio thread's part: a block of 128 frames with a transport, less one without

{
  const render = (engine) => {
    const out = new Float32Array(256);
    const start = now();
    for (let n = 0; n < 100; n += 1) engine.render(128, out);
    return (now() - start) / 100;
  };
  const [silent, playing] = [offline(), offline()];
  const size = 12801;
  const indices = new SharedArrayBuffer(8);
  const ring = {
    data: new Float64Array(new SharedArrayBuffer(size * 16)).fill(0.1),
    writeIdx: new Int32Array(indices, 0, 1),
    readIdx: new Int32Array(indices, 4, 1),
    size,
    stride: 2,
  };
  const transport = createTransport('PULL', ring, RATE, { engine: playing });
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const without = render(silent);
    Atomics.store(ring.writeIdx, 0, (Atomics.load(ring.readIdx, 0) + 12800) % size);
    rounds.push(render(playing) - without);
  }
  const each = median(rounds);
  row(
    "createTransport('PULL'), a block of 128 frames",
    each.toFixed(0),
    'ns',
    `${(each / 128).toFixed(2)} ns a frame`,
  );
  transport.stop();
}

// ── a second of audio, all of it: CPU of the process

/** Writes so many seconds in chunks, each when the last has been taken; returns ms of CPU per second of audio. */
async function feed(make, frames, pull) {
  const rounds = [];
  for (let round = 0; round < 9; round += 1) {
    const speaker = make();
    const chunk = Buffer.alloc(frames * 4, 1);
    const chunks = Math.ceil((RATE * 5) / frames);
    const start = process.cpuUsage();
    for (let n = 0; n < chunks; n += 1) {
      await new Promise((resolve) => {
        speaker.write(chunk, resolve);
        pull?.(frames);
      });
    }
    const { user, system } = process.cpuUsage(start);
    rounds.push((user + system) / 1000 / 5);
    speaker.on('error', () => {});
    speaker.destroy();
  }
  return median(rounds);
}

const Peer = (() => {
  try {
    // Its own doing: it opens the default device when it is loaded.
    return require(process.env.ICTUS_BENCH_SPEAKER ?? 'speaker');
  } catch {
    return undefined;
  }
})();
for (const frames of CHUNKS) {
  const engine = offline();
  const out = new Float32Array(frames * 2);
  const ours = await feed(
    () => new Speaker({ engine, sampleRate: RATE, latency: 1 }),
    frames,
    () => engine.render(frames, out),
  );
  row(`Speaker, chunks of ${frames}, mixing included`, ours.toFixed(2), 'ms CPU/s audio');
  if (Peer === undefined) continue;
  const theirs = await feed(() => new Peer({ sampleRate: RATE }), frames);
  row(
    `speaker ${Peer.module_name}, chunks of ${frames}`,
    theirs.toFixed(2),
    'ms CPU/s audio',
    `${(theirs / ours).toFixed(2)} × ours`,
  );
}
if (Peer === undefined) console.log('  (the npm package speaker is not installed: not measured beside)');

// ── garbage

{
  const engine = offline();
  const ring = new PcmRing({ engine, channels: 2, frames: 64000 });
  const block = new Float32Array(32).fill(0.1);
  const out = new Float32Array(128000);
  let bytes = 0;
  for (let round = 0; round < 20; round += 1) {
    const start = process.memoryUsage().heapUsed;
    for (let n = 0; n < 4000; n += 1) ring.write(block);
    bytes += Math.max(0, process.memoryUsage().heapUsed - start);
    engine.render(64000, out);
  }
  row('garbage of PcmRing.write', (bytes / 80000).toFixed(2), 'bytes a call');
}

// ── how much waits, and how long JavaScript may stand still

for (const latency of [0.02, 0.05, 0.1, 0.2]) {
  const engine = new Engine({ backend: 'clock' });
  const longest = async () => {
    let best = 0;
    for (let stall = 10; stall <= 300; stall += 10) {
      const speaker = new Speaker({ engine, sampleRate: engine.sampleRate, latency });
      const chunk = Buffer.alloc(4 * 128, 1);
      const feedNext = () => {
        if (!speaker.destroyed) speaker.write(chunk, feedNext);
      };
      feedNext();
      await sleep(250);
      const until = performance.now() + stall;
      while (performance.now() < until);
      await sleep(50);
      const { underruns } = speaker.stats;
      speaker.destroy();
      if (underruns > 0) return best;
      best = stall;
    }
    return best;
  };
  const tries = [];
  for (let n = 0; n < 3; n += 1) tries.push(await longest());
  const speaker = new Speaker({ engine, sampleRate: engine.sampleRate, latency });
  const chunk = Buffer.alloc(4 * 128, 1);
  const feedNext = () => {
    if (!speaker.destroyed) speaker.write(chunk, feedNext);
  };
  feedNext();
  const waits = [];
  for (let n = 0; n < 50; n += 1) {
    await sleep(10);
    waits.push((1000 * speaker.stats.buffered) / engine.sampleRate);
  }
  speaker.destroy();
  row(
    `latency ${latency}: written before it is heard`,
    median(waits).toFixed(0),
    'ms',
    `stands still unheard for ${median(tries)} ms (speaker writes 500 ms ahead)`,
  );
  await engine.close();
}
