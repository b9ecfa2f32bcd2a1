// A worker computes every frame and writes it into a ring in shared memory; the audio thread reads it there. The main
// thread does nothing but count, and could as well stand still: no frame passes through it.
//
//   node examples/ring.mjs [--backend jack|alsa|clock] [--seconds 2]
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { PcmRing } from 'ictus';
import { openEngine, options } from './support/options.mjs';

async function main() {
  const { seconds, ...given } = options('[--backend NAME] [--device NAME] [--seconds N]', {
    seconds: { of: [0.1, 3600], default: 2 },
  });
  const engine = openEngine(given);
  const ring = new PcmRing({ engine, channels: 2, frames: Math.round(engine.sampleRate * 0.2) });
  const { data, writeIndex, readIndex, size, stride } = ring;
  const frames = Math.round(seconds * engine.sampleRate);
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { data, writeIndex, readIndex, size, stride, frames, rate: engine.sampleRate },
  });
  await once(worker, 'exit');
  while (ring.available() > 0) await sleep(10);
  const { frames: heard } = ring.stats;
  console.log(`${heard} frames computed in a worker and heard on ${engine.backend}`);
}

/** Everything another writer has to know, too: docs/pcm.md. */
function fill({ data, writeIndex, readIndex, size, stride, frames, rate }) {
  let [low, high] = [0, 0];
  for (let frame = 0; frame < frames; ) {
    const write = Atomics.load(writeIndex, 0);
    const next = (write + 1) % size;
    const read = Atomics.load(readIndex, 0);
    if (next === read) {
      // Full: as the audio thread wakes nobody, look again in 5 ms.
      Atomics.wait(readIndex, 0, read, 5);
      continue;
    }
    const edge = Math.min(1, frame / 480, (frames - frame) / 480);
    low += (2 * Math.PI * 110) / rate;
    high += (2 * Math.PI * (220 + 3 * Math.sin(low / 40))) / rate;
    data[write * stride] = 0.2 * edge * Math.sin(low + Math.sin(high));
    data[write * stride + 1] = 0.2 * edge * Math.sin(low + Math.cos(high));
    Atomics.store(writeIndex, 0, next); // the frame is there from now on
    frame += 1;
  }
}

if (isMainThread) await main();
else fill(workerData);
