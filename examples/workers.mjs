// Two JavaScript threads, one engine. A worker plays the bass line, a fifth of a second ahead at a time, while this
// thread, which wrote the drums down beforehand, does nothing but count prime numbers. Both hear the same clock, and
// no note is late.
//
//   node examples/workers.mjs [--backend jack|alsa|clock] [--bars 4]
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Engine, Sampler } from 'ictus';
import { BAR, drumKit, playBass, playGroove } from './support/groove.mjs';
import { openEngine, options } from './support/options.mjs';
import { bass } from './support/sounds.mjs';

const AHEAD = 0.2; // s

async function bassPlayer({ start, bars }) {
  // The engine that the main thread has opened: there is one default engine per process, not per thread.
  const engine = Engine.default();
  const sampler = new Sampler({ engine, gain: 0.7 });
  const instrument = sampler.createInstrument('bass');
  await instrument.addSample(bass(engine.sampleRate), { rootNote: 36 });
  instrument.setEnvelope({ attack: 0.002, release: 0.06 });
  sampler.assign(0, instrument);
  parentPort.postMessage('ready');
  for (let bar = 0; bar < bars; bar += 1) {
    while (engine.currentTime < start + bar * BAR - AHEAD) await sleep(20);
    playBass(sampler, start, bar);
  }
}

async function main() {
  const given = options('[--backend NAME] [--device NAME] [--bars N]', {
    bars: { of: [1, 200], default: 4 },
  });
  const bars = Math.round(given.bars);
  const engine = openEngine(given);
  const drums = new Sampler({ engine, gain: 0.9 });
  await drumKit(drums);

  // Time for the worker to start and to make its sound.
  const start = engine.currentTime + 1.5;
  const end = playGroove(drums, start, bars);
  const worker = new Worker(new URL(import.meta.url), { workerData: { start, bars } });
  await once(worker, 'message');

  // From here to the end this thread does not answer to anyone.
  let [primes, n] = [0, 2];
  for (; engine.currentTime < end; n += 1) {
    let divisor = 2;
    while (divisor * divisor <= n && n % divisor !== 0) divisor += 1;
    if (divisor * divisor > n) primes += 1;
  }
  const { lateEvents, droppedEvents } = engine.stats();
  console.log(`counted ${primes} primes below ${n} while ${bars} bars played on ${engine.backend}`);
  console.log(`late events ${lateEvents}, dropped events ${droppedEvents}`);
}

if (isMainThread) await main();
else await bassPlayer(workerData);
