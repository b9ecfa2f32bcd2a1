// A session that is edited while it plays, in the manner of Kanon: state that outlives the code keeps the phase, the ring
// lies in shared memory, and the audio thread reads it there. Start it, edit examples/support/session.mjs, save: the sound
// changes and nothing clicks.
//
//   node examples/kanon.mjs [--backend jack|alsa|clock] [--seconds 60]
import { watch } from 'node:fs';
import { createTransport } from 'ictus';
import { openEngine, options } from './support/options.mjs';

const { seconds, ...given } = options('[--backend NAME] [--device NAME] [--seconds N]', {
  seconds: { of: [0.1, 86_400], default: 60 },
});
const engine = openEngine(given);

// What outlives a reload is kept on globalThis: under `bun --hot` this whole file is loaded anew, too, and finds it again.
const SIZE = 1 << 14;
const STRIDE = 2;
globalThis.KANON ??= {
  data: new SharedArrayBuffer(SIZE * STRIDE * 8),
  indices: new SharedArrayBuffer(8),
  state: new Float64Array(64),
  frame: 0,
};
const kept = globalThis.KANON;
const ring = {
  data: new Float64Array(kept.data),
  writeIdx: new Int32Array(kept.indices, 0, 1),
  readIdx: new Int32Array(kept.indices, 4, 1),
  size: SIZE,
  stride: STRIDE,
};

const file = new URL('./support/session.mjs', import.meta.url);
let signal = (await import(file)).default;
const watcher = watch(file, async () => {
  try {
    signal = (await import(`${file}?${Date.now()}`)).default;
    console.log('session reloaded');
  } catch (error) {
    console.log(`the session stays as it is: ${error.message}`);
  }
});

const AHEAD = Math.min(Math.round(engine.sampleRate * 0.1), SIZE - 1);
const END = Math.round(seconds * engine.sampleRate);

function fill() {
  const read = Atomics.load(ring.readIdx, 0);
  let write = Atomics.load(ring.writeIdx, 0);
  let fill = (write - read + SIZE) % SIZE;
  for (; fill < AHEAD && kept.frame < END; fill += 1, kept.frame += 1) {
    const [left, right] = signal(kept.state, kept.frame / engine.sampleRate, engine.sampleRate);
    ring.data[write * STRIDE] = left;
    ring.data[write * STRIDE + 1] = right;
    write = (write + 1) % SIZE;
  }
  Atomics.store(ring.writeIdx, 0, write);
}

fill();
const transport = createTransport('PULL', ring, engine.sampleRate, { engine });
const timer = setInterval(() => {
  fill();
  if (kept.frame < END || transport.stats.fill > 0) return;
  clearInterval(timer);
  watcher.close();
  const { frames } = transport.stats;
  console.log(`${frames} frames read where they lay, on ${engine.backend}`);
  transport.stop();
}, 10);
