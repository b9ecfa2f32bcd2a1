// How PCM ends: processes that exit at any point, workers that are terminated while their ring is read, JavaScript that
// stands still, thousands of speakers. Each program runs in a process of its own; a crash of it is a failure of the test.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, program, run } from './support/child.mjs';
import { retried } from './support/sound.mjs';

const limit = { timeout: 180_000 };
const clock = { env: { ICTUS_BACKEND: 'clock' } };
const face = new URL('../lib/index.mjs', import.meta.url).href;
const head = `import { createTransport, PcmRing, Speaker } from ${JSON.stringify(face)};
import { once } from 'node:events';
const tone = (frames, channels = 2) =>
  Float32Array.from({ length: frames * channels }, (_, n) => 0.3 * Math.sin(0.05 * Math.floor(n / channels)));
const bytes = (frames, channels) => Buffer.from(tone(frames, channels).buffer);
const kanon = (size = 48000, stride = 2) => {
  const indices = new SharedArrayBuffer(8);
  return { data: new Float64Array(new SharedArrayBuffer(size * stride * 8)),
    writeIdx: new Int32Array(indices, 0, 1), readIdx: new Int32Array(indices, 4, 1), size, stride };
};
`;

const withWorker = (worker) => `${head}
import { Worker } from 'node:worker_threads';
const file = ${JSON.stringify(
  program(`${head}
import { parentPort, workerData } from 'node:worker_threads';
${worker}`),
)};
`;

test('a program that has written may simply end: it is heard to the last frame', limit, async () => {
  const told = await ask(
    `${head}
    const speaker = new Speaker({ sampleRate: 48000, float: true });
    const engine = Engine.default();
    let finished = null;
    speaker.on('finish', () => { finished = engine.currentTime; });
    const started = engine.currentTime;
    speaker.end(bytes(24000));
    process.on('exit', () => console.log(JSON.stringify({ heard: finished - started, ...speaker.stats })));`,
    clock,
  );
  assert.ok(told.heard >= 0.5, `half a second was over in ${told.heard} s`);
  assert.deepEqual([told.frames, told.underruns, told.buffered], [24000, 0, 0]);
});

test(
  "process.exit in 'finish' has heard everything; without an end, silence lets the process go",
  limit,
  async () => {
    const exit = await ask(
      `${head}
    const speaker = new Speaker({ sampleRate: 48000, float: true });
    speaker.on('finish', () => { console.log(JSON.stringify(speaker.stats)); process.exit(0); });
    speaker.end(bytes(24000));
    setInterval(() => {}, 1000);`,
      clock,
    );
    assert.deepEqual([exit.frames, exit.buffered], [24000, 0]);
    const open = await ask(
      `${head}
    const speaker = new Speaker({ sampleRate: 48000, float: true });
    speaker.write(bytes(24000));
    process.on('exit', () => console.log(JSON.stringify(speaker.stats)));`,
      clock,
    );
    assert.deepEqual([open.frames, open.buffered], [24000, 0]);
    const ring = await ask(
      `${head}
    const ring = new PcmRing({ frames: 48000, sampleRate: 48000 });
    ring.write(tone(24000));
    process.on('exit', () => console.log(JSON.stringify(ring.stats)));`,
      clock,
    );
    assert.deepEqual([ring.frames, ring.fill], [24000, 0]);
  },
);

test('silent speakers, rings and transports keep no process alive', limit, async () => {
  const { seconds } = await run(
    `${head}
    const speaker = new Speaker();
    const opened = new Speaker();
    opened.write(Buffer.alloc(0));
    const ring = new PcmRing();
    createTransport('PULL', kanon());
    createTransport('PUSH', kanon());`,
    clock,
  );
  assert.ok(seconds < 20, `${seconds} s`);
});

test('a process may exit at any point', limit, async () => {
  for (const act of [
    'speaker.write(bytes(4000)); process.exit(0);',
    'speaker.end(bytes(4000)); setTimeout(() => process.exit(0), 20);',
    "speaker.on('open', () => process.exit(0)); speaker.write(bytes(4000));",
    "speaker.on('close', () => process.exit(0)); speaker.end(bytes(400));",
    'const ring = new PcmRing(); ring.write(tone(9000)); setTimeout(() => process.exit(0), 20);',
    "createTransport('PULL', kanon()); process.exit(0);",
    'Engine.default().generate((block) => block.fill(0.1)); setTimeout(() => process.exit(0), 50);',
    "speaker.write(bytes(4000)); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20); setInterval(() => {}, 99);",
  ]) {
    const killed = act.includes('SIGKILL') ? { code: null, signal: 'SIGKILL' } : {};
    await run(`${head} const speaker = new Speaker({ float: true }); ${act}`, { ...clock, ...killed });
  }
});

test('a worker is terminated while its ring is read: silence, and nobody goes along', limit, async () => {
  const { rounds, voices, state } = await ask(
    `${withWorker(`
      // Its own memory: nobody else holds it.
      const ring = kanon(480000, 2);
      ring.data.fill(0.25);
      const transport = createTransport('PULL', ring, 48000);
      Atomics.store(ring.writeIdx, 0, 470000);
      const other = new PcmRing({ frames: 100000, format: workerData % 2 ? 'f64' : 'f32' });
      other.write(tone(90000));
      const speaker = new Speaker({ float: true });
      speaker.write(bytes(100000));
      while (transport.stats.frames < 1000 || other.stats.frames < 1000) await sleep(1);
      parentPort.postMessage('plays');
      if (workerData % 3 === 0) process.exit(0);
      if (workerData % 3 === 1) for (;;);`)}
    const engine = Engine.default();
    let rounds = 0;
    for (; rounds < 12; rounds += 1) {
      const worker = new Worker(file, { workerData: rounds });
      const gone = once(worker, 'exit');
      await once(worker, 'message');
      await worker.terminate();
      await gone;
      // What was freed is used again.
      const noise = Array.from({ length: 20 }, () => new SharedArrayBuffer(480000 * 16));
      for (const memory of noise) new Float64Array(memory).fill(1e30);
      await sleep(5);
    }
    await sleep(100);
    const { nonFiniteSamples } = engine.stats();
    console.log(JSON.stringify({ rounds, state: engine.state, voices: nonFiniteSamples }));
    process.exit(0);`,
    { ...clock, limit: 120_000 },
  );
  assert.deepEqual([rounds, state, voices], [12, 'running', 0]);
});

test('rings that nobody holds are given back', limit, async () => {
  const { resident, state } = await ask(
    `${head}
    const engine = Engine.default();
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 300; round += 1) {
      const ring = new PcmRing({ frames: 48000 });
      ring.write(tone(2000));
      ring.close();
      new PcmRing({ frames: 48000 });
      if (round % 20 === 0) await collect();
    }
    await collect();
    await sleep(200);
    console.log(JSON.stringify({ resident: process.memoryUsage().rss - before, state: engine.state }));`,
    { ...clock, limit: 120_000 },
  );
  // 600 rings of 384 kB are 230 MB.
  assert.ok(resident < 120e6, `${resident} bytes more`);
  assert.equal(state, 'running');
});

test('ten thousand speakers, opened and closed', limit, async () => {
  const { closed, errors, resident } = await ask(
    `${head}
    const engine = Engine.default();
    let [closed, errors] = [0, 0];
    const chunk = bytes(64);
    const life = (n) => {
      const speaker = new Speaker({ float: true, sampleRate: n % 50 ? 48000 : 44100 });
      speaker.on('close', () => { closed += 1; }).on('error', () => { errors += 1; });
      speaker.write(chunk);
      if (n % 3 === 0) speaker.close();
      else if (n % 3 === 1) speaker.destroy();
      else speaker.end();
    };
    for (let n = 0; n < 2000; n += 1) { life(n); if (n % 100 === 0) await sleep(10); }
    await sleep(300);
    await collect();
    const before = process.memoryUsage().rss;
    for (let n = 0; n < 8000; n += 1) { life(n); if (n % 100 === 0) { await sleep(10); if (n % 1000 === 0) await collect(); } }
    await until(() => closed + errors >= 10000);
    await collect();
    console.log(JSON.stringify({ closed, errors, resident: process.memoryUsage().rss - before }));`,
    { ...clock, limit: 150_000 },
  );
  assert.deepEqual([closed, errors], [10000, 0]);
  assert.ok(resident < 80e6, `${resident} bytes more`);
});

test('JavaScript that stands still for 50 ms is not heard with 200 ms in the ring', limit, () =>
  retried(async () => {
    const { underruns, stalls, frames } = await ask(
      `${head}
      const engine = new Engine({ backend: 'clock' });
      const rate = engine.sampleRate;
      const ring = new PcmRing({ engine, channels: 2, frames: Math.round(rate * 0.2) });
      const stats = [];
      const fill = () => ring.write(tone(ring.space()));
      fill();
      let stalls = 0;
      const garbage = [];
      for (const end = performance.now() + 3000; performance.now() < end; ) {
        const resumes = performance.now() + 50;
        // Garbage, as it is made, and then nothing at all.
        for (let n = 0; n < 20000; n += 1) garbage[n] = { n, text: 'x'.repeat(n % 50) };
        while (performance.now() < resumes);
        stalls += 1;
        fill();
        await sleep(1);
        fill();
      }
      console.log(JSON.stringify({ ...ring.stats, stalls }));
      process.exit(0);`,
      { limit: 60_000 },
    );
    assert.equal(underruns, 0);
    assert.ok(stalls > 20 && frames > 48000 * 2, `${stalls} stalls, ${frames} frames`);
  }),
);

test('a speaker that underran for a stall waits with more from then on', limit, async () => {
  const { before, after, underruns } = await ask(
    `${head}
    const speaker = new Speaker({ float: true, sampleRate: 48000, latency: 0.03 });
    const chunk = bytes(480);
    let stop = false;
    const feed = () => { if (!stop) speaker.write(chunk, feed); };
    feed();
    await sleep(200);
    const before = speaker.latency;
    const resumes = performance.now() + 200;
    while (performance.now() < resumes);
    await sleep(300);
    stop = true;
    console.log(JSON.stringify({ before, after: speaker.latency, underruns: speaker.stats.underruns }));
    speaker.close();`,
    clock,
  );
  assert.ok(underruns >= 1);
  assert.ok(after >= 2 * before, `${before} s before, ${after} s after`);
});
