// npm run soak [-- --short] [--minutes=10] [--hours=24] [--only=clock,jack,offline]: dense playing for as long as asked,
// on a clock, on a JACK server of its own where one is installed, and offline, where hours go by faster.
//
// A random player uses all that a note and a channel can be asked for: every note parameter, at the start and while it
// sounds, controllers, pedals, an MPE zone by bytes, instruments with filters, LFOs and envelopes, replaced and
// unloaded while they sound. It fails when
// - a note that was started never ended, or voices are left when all is let go;
// - an event was lost, a record made no sense, a value was not finite;
// - resident memory grows after the first part (a minute, or a third of a short run) by more than LEAK bytes a note;
// - the engine's clock, its frames and the machine's clock do not agree.
// `--short`, the stage of `npm test`: 20 s on the clock and two minutes of audio offline.
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { random } from '../examples/support/random.mjs';
import { buildOrExit } from './build.mjs';
import { isMain } from './run.mjs';

const RATE = 48_000;
const TICK_S = 0.01;
const NOTES_A_TICK = 3;
/** A leak of the smallest thing per note would be 16 bytes of malloc; measuring noise has to stay below. */
const LEAK = 8;
/** What resident memory moves by without any leak: V8's and malloc's arenas come and go in megabytes. */
const NOISE_BYTES = 6 << 20;

// ── the player

/** Three instruments: a filtered and modulated loop, an alternating one with a crossfade beside it, drums that choke. */
async function instruments(sampler, next) {
  const noise = (frames) => Float32Array.from({ length: frames }, () => next() - 0.5);
  const tone = Float32Array.from({ length: RATE }, (_, n) => 0.5 * Math.sin((2 * Math.PI * 220 * n) / RATE));
  const pad = sampler.createInstrument('pad');
  await pad.addSample(tone, { rootNote: 57, loop: { start: 4800, end: 38_400, crossfade: 0.05 } });
  pad.setEnvelope({ attack: 0.01, decay: 0.2, sustain: 0.5, release: 0.15 });
  pad.setModulation({
    filters: [
      { type: 'lowpass', cutoff: 1200, resonance: 9, keytrack: 100 },
      { type: 'highpass', cutoff: 80 },
    ],
    lfos: [
      { shape: 'sine', rate: 5, pitch: 20, via: 'cc1' },
      { shape: 'random', rate: 9, cutoff: 1200, free: true },
    ],
    pitchEnvelope: { attack: 0.01, decay: 0.05, sustain: 0, depth: 200 },
    filterEnvelope: { attack: 0.02, decay: 0.3, sustain: 0.2, depth: 2400 },
    routes: [{ from: 'pressure', to: 'gain', depth: 6 }],
  });
  const strings = sampler.createInstrument('strings', { interpolation: 'sinc8' });
  await strings.addSample(noise(9600), {
    loop: { start: 1000, end: 9000, alternate: true, mode: 'sustain' },
  });
  const drums = sampler.createInstrument('drums', { interpolation: 'linear' });
  for (let key = 0; key < 128; key += 32) {
    const zone = { rootNote: key + 16, keyRange: [key, key + 31], group: 1 + (key & 32) / 32, chokedBy: 1 };
    await drums.addSample(noise(4800), zone);
  }
  return [pad, strings, drums];
}

const CONTROLLERS = [1, 5, 7, 10, 11, 64, 65, 66, 67, 71, 72, 73, 74, 75, 84, 91, 93, 94, 120, 123];
const TURNS = {
  gain: [0, 1],
  pan: [-1, 1],
  detune: [-1200, 1200],
  rate: [0.5, 2],
  cutoff: [50, 20_000],
  resonance: [0, 30],
  pressure: [0, 127],
  brightness: [0, 127],
};
const STARTS = {
  attack: [0, 0.05],
  decay: [0, 0.3],
  sustain: [0, 1],
  release: [0.01, 0.3],
  delay: [0, 0.05],
  portamento: [0, 0.1],
};

class Player {
  constructor(engine, sampler, sounds) {
    Object.assign(this, { engine, sampler, sounds, next: random(7), open: new Set(), notes: 0, refused: 0 });
    sampler.on('noteend', ({ id }) => this.open.delete(id));
    for (let channel = 0; channel < 16; channel += 1) sampler.assign(channel, sounds[channel % 3]);
    // MPE: channel 1 is the master of seven member channels (RPN 6).
    for (const bytes of [
      [0xb0, 101, 0],
      [0xb0, 100, 6],
      [0xb0, 6, 7],
    ])
      sampler.send(bytes);
  }

  between([low, high]) {
    return low + (high - low) * this.next();
  }

  below(count) {
    return Math.floor(this.next() * count);
  }

  /** Some of these, each within its range. */
  some(ranges, share) {
    const chosen = Object.entries(ranges).filter(() => this.next() < share);
    return Object.fromEntries(chosen.map(([name, range]) => [name, this.between(range)]));
  }

  started(id) {
    if (id > 0) this.open.add(id);
    else this.refused += 1;
    this.notes += 1;
  }

  /** 10 ms of playing, ahead of the clock by as much. */
  tick() {
    const { sampler } = this;
    const at = this.engine.currentTime + TICK_S;
    for (let n = 0; n < NOTES_A_TICK; n += 1) {
      const [key, velocity, channel] = [this.below(127) + this.next(), 1 + this.below(127), this.below(16)];
      const time = at + this.next() * TICK_S;
      const duration = 0.02 + 0.3 * this.next();
      if (n === 0) {
        const id = sampler.send([0x90 | channel, Math.floor(key), velocity], time);
        this.started(id);
        sampler.release(id, time + duration);
      } else {
        const params = { ...this.some(TURNS, 0.3), ...this.some(STARTS, 0.3) };
        this.started(sampler.noteOn(key, velocity, { ...params, time, duration, channel }));
      }
    }
    const open = [...this.open];
    if (open.length > 0) {
      const over = this.next() * 0.1;
      sampler.set(open[this.below(open.length)], this.some(TURNS, 0.5), { time: at, over });
    }
    const channel = this.below(16);
    sampler.controlChange(CONTROLLERS[this.below(CONTROLLERS.length)], this.next() * 127, at, channel);
    sampler.pitchBend(this.between([-8192, 8191]), at, this.below(16));
    sampler.channelPressure(this.next() * 127, at, this.below(16));
    sampler.polyPressure(this.below(128), this.next() * 127, at, this.below(16));
  }

  /** An instrument that was there for a while goes, while its notes sound, and another comes. */
  async replace() {
    const [fresh] = await instruments(this.sampler, this.next);
    const old = this.sounds[0];
    this.sounds[0] = fresh;
    for (let channel = 0; channel < 16; channel += 3) this.sampler.assign(channel, fresh);
    old.unload();
  }

  letGo() {
    for (let channel = 0; channel < 16; channel += 1) {
      for (const pedal of [64, 66]) this.sampler.controlChange(pedal, 0, undefined, channel);
      this.sampler.controlChange(72, 0, undefined, channel);
    }
    this.sampler.allNotesOff();
  }
}

// ── what is measured

function resident() {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/** Bytes by which the line that fits best through these readings rises, from the first to the last. */
function rise(readings) {
  const n = readings.length;
  const middle = (n - 1) / 2;
  const mean = readings.reduce((sum, value) => sum + value, 0) / n;
  let [products, squares] = [0, 0];
  for (const [at, value] of readings.entries()) {
    products += (at - middle) * (value - mean);
    squares += (at - middle) ** 2;
  }
  return (products / Math.max(squares, 1)) * (n - 1);
}

function judge(name, player, readings, notesThen, faults) {
  const { engine } = player;
  const stats = engine.stats();
  const grown = rise(readings);
  const notes = player.notes - notesThen;
  const check = (holds, text) => holds || faults.push(text);
  check(player.open.size === 0, `${player.open.size} of ${player.notes} notes never ended`);
  check(player.refused === 0, `${player.refused} notes were refused`);
  check(stats.voices === 0, `${stats.voices} voices are left`);
  for (const counter of [
    'droppedEvents',
    'malformedRecords',
    'nonFiniteSamples',
    'lostNotices',
    'silentNotes',
  ])
    check(stats[counter] === 0, `${counter} is ${stats[counter]}`);
  check(
    grown <= notes * LEAK + NOISE_BYTES,
    `memory grew by ${(grown / 2 ** 20).toFixed(1)} MiB in ${notes} notes`,
  );
  const memory = `${(readings.at(-1) / 2 ** 20).toFixed(0)} MiB resident, ${(grown / 2 ** 20).toFixed(2)} MiB more than at first`;
  const about = `${player.notes} notes, ${stats.voicesPeak} voices at most, ${stats.voicesStolen} stolen, ${stats.xruns} xruns, ${memory}`;
  for (const fault of faults) console.log(`soak ${name}: ${fault}`);
  console.log(`soak ${name}: ${faults.length === 0 ? 'ok' : 'FAILED'}; ${about}`);
  return faults.length === 0;
}

// ── where it plays

const load = () => import('../lib/index.mjs');

async function begin(options) {
  const { Engine, Sampler } = await load();
  const engine = new Engine({ sampleRate: RATE, polyphony: 192, ...options });
  const sampler = new Sampler({ engine });
  return new Player(engine, sampler, await instruments(sampler, random(3)));
}

/** In real time, on the clock or a JACK server. */
async function live(backend, seconds) {
  const player = await begin({ backend, bufferSize: 256 });
  const { engine } = player;
  const faults = [];
  const settled = Math.min(60, seconds / 3);
  const readings = [];
  let [notesThen, begun, replaced] = [0, undefined, 0];
  const clocks = () => ({
    wall: performance.now() / 1000,
    frames: engine.stats().frames / engine.sampleRate,
  });
  const start = performance.now();
  for (let ticks = 0; ; ticks += 1) {
    const elapsed = (performance.now() - start) / 1000;
    if (elapsed > seconds) break;
    player.tick();
    if (elapsed > 10 * (replaced + 1)) {
      replaced += 1;
      await player.replace();
    }
    if (elapsed > settled && ticks % 20 === 0) {
      if (begun === undefined) {
        begun = clocks();
        notesThen = player.notes;
      }
      readings.push(resident());
    }
    await sleep(Math.max(0, (ticks + 1) * TICK_S * 1000 - (performance.now() - start)));
  }
  const ended = clocks();
  const drift = ended.frames - begun.frames - (ended.wall - begun.wall);
  const { callbacks, xruns } = engine.stats();
  const apart = engine.timeAt(performance.now()) - engine.currentTime;
  const overloaded = xruns > callbacks / 100;
  const told = `frames against the clock ${(drift * 1000).toFixed(2)} ms, timeAt(now) ${(apart * 1000).toFixed(2)} ms`;
  console.log(
    `soak ${backend}: ${callbacks} blocks, ${engine.realtime.policy}, ${told}` +
      (overloaded ? `; not judged: the machine was overloaded, ${xruns} xruns` : ''),
  );
  // Both are read between two blocks, and no crystal is exact: what is left beyond that would grow.
  const allowed = 0.05 + 0.0005 * (ended.wall - begun.wall);
  if (!overloaded && Math.abs(drift) > allowed) faults.push('frames and the clock drift apart');
  if (!overloaded && Math.abs(apart) > 0.05) faults.push('timeAt(now) is not currentTime');
  player.letGo();
  for (let wait = 0; wait < 600 && (player.open.size > 0 || engine.stats().voices > 0); wait += 1)
    await sleep(20);
  const ok = judge(backend, player, readings, notesThen, faults);
  await engine.close();
  return ok;
}

/** As fast as it goes, with the caller in the device's place. */
async function offline(seconds) {
  const player = await begin({ backend: 'offline' });
  const { engine } = player;
  const faults = [];
  const frames = Math.round(RATE * TICK_S);
  const out = new Float32Array(frames * engine.channels);
  const ticks = Math.round(seconds / TICK_S);
  const readings = [];
  let [notesThen, rendered] = [0, 0];
  const render = () => {
    engine.render(frames, out);
    rendered += frames;
  };
  for (let tick = 0; tick < ticks; tick += 1) {
    player.tick();
    render();
    if (!out.every(Number.isFinite)) faults.push(`what came out at ${tick * TICK_S} s is not finite`);
    // Facts about notes come by the event loop.
    if (tick % 50 === 0) await new Promise(setImmediate);
    if (tick % 1000 === 999) await player.replace();
    if (tick % Math.ceil(ticks / 300) === 0 && tick > ticks / 3) {
      if (readings.length === 0) notesThen = player.notes;
      readings.push(resident());
    }
  }
  const { frames: counted } = engine.stats();
  if (counted !== rendered || Math.abs(engine.currentTime * RATE - rendered) > 0.5)
    faults.push(
      `${rendered} frames were rendered, ${counted} counted, the clock says ${engine.currentTime} s`,
    );
  player.letGo();
  for (let wait = 0; wait < 1000 && (player.open.size > 0 || engine.stats().voices > 0); wait += 1) {
    render();
    await sleep(1);
  }
  const ok = judge('offline', player, readings, notesThen, faults);
  await engine.close();
  return ok;
}

async function jack(seconds) {
  const { noJack, withJack } = await import('../js-tests/support/jackd.mjs');
  if (noJack) {
    console.log(`soak jack: not run, ${noJack}`);
    return true;
  }
  return withJack({ sampleRate: RATE, period: 256 }, ({ env }) => {
    Object.assign(process.env, env);
    return live('jack', seconds);
  });
}

async function main(words) {
  const pattern = /^--(short|minutes=[\d.]+|hours=[\d.]+|only=(clock|jack|offline)(,(clock|jack|offline))*)$/;
  const unknown = words.find((word) => !pattern.test(word));
  if (unknown !== undefined) {
    console.error(
      `there is no "${unknown}"; there are --short, --minutes=N, --hours=N, --only=clock,jack,offline`,
    );
    return 1;
  }
  const value = (name, otherwise) =>
    words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise;
  const short = words.includes('--short');
  const seconds = 60 * Number(value('minutes', short ? 1 / 3 : 10));
  const audio = 3600 * Number(value('hours', short ? 1 / 30 : 24));
  const only = value('only', short ? 'clock,offline' : 'clock,jack,offline').split(',');
  const runs = {
    clock: () => live('clock', seconds),
    jack: () => jack(seconds),
    offline: () => offline(audio),
  };
  let ok = true;
  for (const name of only) ok = (await runs[name]()) && ok;
  return ok ? 0 : 1;
}

if (isMain(import.meta.url)) {
  if (globalThis.gc) process.exitCode = await main(process.argv.slice(2));
  else {
    // Memory is read after a collection, or V8's own comings and goings would hide a leak.
    await buildOrExit();
    const again = ['--expose-gc', fileURLToPath(import.meta.url), ...process.argv.slice(2)];
    process.exitCode = spawnSync(process.execPath, again, { stdio: 'inherit' }).status ?? 1;
  }
}
