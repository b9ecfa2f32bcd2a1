// The demo: a piece for flute and harp on recorded instruments, played by the real-time thread while JavaScript does
// nothing but say, a second ahead, which notes come when.
//
//   npm run demo                              the best device there is
//   npm run demo -- --backend jack            or alsa, clock (no hardware), offline (straight into a file)
//   npm run demo -- --seconds 10 --out a.wav
//
// Where there is no device it says so and renders the same piece into a WAV file (out/demo.wav), with a picture.
// Exit codes: 0 played or rendered, 1 something failed, 2 an option was wrong, 130 stopped with Ctrl-C.
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Engine, Sampler } from 'ictus';
import { engineOptions, options } from './support/options.mjs';
import { perform } from './support/piece.mjs';
import { credit, leadOf, loadRecordings } from './support/recordings.mjs';
import { dbfs, writeWav } from './support/wav.mjs';
import { drawWaveform } from './support/waveform.mjs';

const AHEAD = 1; // s: how far ahead of the clock notes are scheduled; a busy script may be late by as much

// The stage: two samplers, one to each side. Gains are set so that the loudest moment of the piece stays below full
// scale, since the engine has no limiter to hide behind.
const parts = {
  flute: { gain: 1.15, pan: 0.3, envelope: { attack: 0.02, decay: 4, sustain: 0.6, release: 0.4 } },
  harp: { gain: 0.9, pan: -0.35, envelope: { release: 1.2 } },
};

/** Loads the instruments on the engine. Resolves to the samplers by the names of their parts. */
async function takeSeats(engine) {
  const samplers = {};
  for (const [name, { gain, pan, envelope }] of Object.entries(parts)) {
    const sampler = new Sampler({ engine, gain });
    sampler.pan = pan;
    const instrument = await loadRecordings(sampler, name);
    instrument.setEnvelope(envelope);
    samplers[name] = sampler;
  }
  return samplers;
}

/** A function that schedules all notes that begin before the given time of the piece and are not scheduled yet. */
function conductor(samplers, notes, start) {
  let next = 0;
  return (until) => {
    for (; next < notes.length && notes[next].time < until; next += 1) {
      const { part, time, duration, note, velocity } = notes[next];
      const lead = leadOf(part, note);
      samplers[part].noteOn(note, velocity, { time: start + time - lead, duration: duration + lead });
    }
    return next;
  };
}

function introduce(engine) {
  const { sampleRate, bufferSize, backend, device, outputLatency } = engine;
  const latency = outputLatency > 0 ? `, ${(outputLatency * 1000).toFixed(1)} ms to the loudspeaker` : '';
  console.log(`playing on ${backend}${device && device !== backend ? `, device ${device}` : ''}`);
  console.log(`  ${sampleRate} Hz, ${bufferSize} frames a callback${latency}`);
  const { policy, priority, via, reason } = engine.realtime;
  const by = { direct: 'asked of the kernel', server: 'given by the server' }[via];
  console.log(`  audio thread: ${policy}${priority > 0 ? ` ${priority}` : ''}${by ? ` (${by})` : ''}`);
  if (reason) console.log(`  ${reason}`);
  console.log('  Ctrl-C fades out');
}

const clockFace = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

/** Plays to the end, or for `seconds`. Resolves to the exit code. */
async function play(engine, piece, seconds) {
  let stopped = 0;
  const stop = (code, word) => {
    if (stopped === 0) console.log(`${process.stdout.isTTY ? '\n' : ''}${word}`);
    stopped ||= code;
  };
  process.once('SIGINT', () => stop(130, 'fading out'));
  process.once('SIGTERM', () => stop(143, 'fading out'));
  engine.on('devicelost', ({ message }) => stop(1, `the device is gone: ${message}`));

  introduce(engine);
  const samplers = await takeSeats(engine);
  const start = engine.currentTime + 0.2;
  const schedule = conductor(samplers, piece.notes, start);
  engine.resetStats();
  let scheduled = 0;
  while (stopped === 0) {
    const position = engine.currentTime - start;
    if (position >= seconds) break;
    scheduled = schedule(Math.min(position + AHEAD, seconds));
    if (process.stdout.isTTY) {
      const { voices, load, xruns } = engine.stats();
      const section = piece.sections.findLast(({ time }) => time <= position)?.name ?? '';
      const figures = `${String(voices).padStart(3)} voices   load ${(load * 100).toFixed(1)} %   xruns ${xruns}`;
      const position60 = clockFace(Math.max(position, 0));
      process.stdout.write(
        `\r  ${position60} / ${clockFace(seconds)}   ${section.padEnd(10)}${figures}\x1b[K`,
      );
    }
    await sleep(100);
  }

  const { voicesPeak, lateEvents, lateness, droppedEvents, xruns, loadPeak } = engine.stats();
  await engine.close(); // fades out in a few milliseconds
  if (process.stdout.isTTY && stopped === 0) process.stdout.write('\n');
  console.log(
    `${scheduled} notes, at most ${voicesPeak} voices at once; highest load ${(loadPeak * 100).toFixed(1)} %`,
  );
  const late = lateEvents > 0 ? ` (by ${(lateness.max / 1000).toFixed(1)} ms at most)` : '';
  console.log(`late events ${lateEvents}${late}, dropped events ${droppedEvents}, xruns ${xruns}`);
  return stopped;
}

/** Renders into a WAV file, with the waveform beside it: the same engine, pulled by us as fast as it goes. */
async function render(engine, piece, seconds, path) {
  const { sampleRate, channels } = engine;
  const samplers = await takeSeats(engine);
  const schedule = conductor(samplers, piece.notes, 0);
  const total = Math.round(seconds * sampleRate);
  const out = new Float32Array(total * channels);
  const began = performance.now();
  let notes = 0;
  for (let done = 0; done < total; ) {
    // A second at a time, its notes scheduled just before it: as live, but the clock waits for us.
    const frames = Math.min(AHEAD * sampleRate, total - done);
    notes = schedule((done + frames) / sampleRate + 0.3); // the slowest tone starts 0.23 s ahead
    engine.render(frames, out.subarray(done * channels, (done + frames) * channels));
    done += frames;
  }
  const took = (performance.now() - began) / 1000;
  const { lateEvents, droppedEvents } = engine.stats();
  await engine.close();

  // Cut short, it ends in a fade.
  const fade = Math.min(Math.round(sampleRate * 0.03), total);
  for (let i = 0; i < fade * channels; i += 1) out[out.length - 1 - i] *= Math.floor(i / channels) / fade;

  const { peak, clipped } = writeWav(path, out, channels, sampleRate);
  const picture = path.replace(/(\.wav)?$/i, '.svg');
  drawWaveform(out, channels, sampleRate, picture);
  const speed = Math.round(seconds / took);
  console.log(
    `rendered ${notes} notes, ${seconds.toFixed(1)} s, in ${took.toFixed(2)} s: ${speed} times real time`,
  );
  console.log(`  ${path}   ${channels} × ${sampleRate} Hz, 24 bits, peak ${dbfs(peak)}`);
  console.log(`  ${picture}   its waveform`);
  console.log(`late events ${lateEvents}, dropped events ${droppedEvents}, clipped values ${clipped}`);
}

const usage = '[--backend auto|jack|alsa|clock|offline] [--device NAME] [--seconds N] [--out FILE]';
const given = options(usage, { seconds: { of: [0.1, 3600] } });
const piece = perform();
const seconds = Math.min(given.seconds ?? piece.duration, piece.duration);
const path = resolve(given.out ?? 'out/demo.wav');

console.log(`${piece.title} (${clockFace(piece.duration)}), written for ictus`);
console.log(`  ${credit}`);

try {
  let engine;
  try {
    engine = new Engine(engineOptions(given));
  } catch (error) {
    if (error.code !== 'ERR_NO_DEVICE' && error.code !== 'ERR_DEVICE') throw error;
    console.log(`${error.message}\nso it goes into a file:`);
    engine = new Engine({ backend: 'offline', sampleRate: 48000 });
  }
  if (engine.backend === 'offline') await render(engine, piece, seconds, path);
  else process.exitCode = await play(engine, piece, seconds);
} catch (error) {
  console.error(error.code ? error.message : error.stack);
  process.exitCode = error.code === 'ERR_INVALID_ARGUMENT' ? 2 : 1;
}
