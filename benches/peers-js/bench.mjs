// ictus beside node-web-audio-api and scsynth: `npm run bench -- --peers-js`, which installs the one into this folder;
// scsynth (apt-get install supercollider-server) is taken where it is installed.
//
// The same second of noise, mono, looped, 64 voices from a fifth down to a fifth up, 48 kHz, rendered offline, twelve
// seconds a round; rounds are taken by turns. ns per voice and frame are processor time of 64 voices less that of one,
// medians; "×" says how many times what ictus takes with an interpolation of the same kind.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { random } from '../../examples/support/random.mjs';
import { writeWav } from '../../examples/support/wav.mjs';
import { Engine, Sampler } from '../../lib/index.mjs';
import { which } from '../../scripts/run.mjs';
import { score } from './scsynth.mjs';

const RATE = 48_000;
const SECONDS = 12;
const VOICES = 64;
const ROUNDS = 9;

const next = random(5);
const noise = Float32Array.from({ length: RATE }, () => next() - 0.5);
/** Semitones of a voice. */
const pitch = (voice) => -6.97 + (13.96 * voice) / VOICES;
const ratio = (voice) => 2 ** (pitch(voice) / 12);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** Seconds of processor time, of all threads of this process. */
async function own(body) {
  const before = process.cpuUsage();
  await body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

async function ictus(interpolation) {
  const make = async (voices) => {
    const engine = new Engine({
      backend: 'offline',
      sampleRate: RATE,
      interpolation,
      polyphony: VOICES,
      limiter: false,
    });
    const sampler = new Sampler({ engine });
    const instrument = sampler.createInstrument();
    await instrument.addSample(noise, { loop: { start: 6000, end: 42_000 } });
    sampler.assign(0, instrument);
    for (let voice = 0; voice < voices; voice += 1) sampler.noteOn(60 + pitch(voice), 10);
    const out = new Float32Array(2 * 4096);
    engine.render(4096, out);
    return () =>
      own(() => {
        for (let frames = 0; frames < SECONDS * RATE; frames += 4096) engine.render(4096, out);
      });
  };
  return { name: `ictus, ${interpolation}`, many: await make(VOICES), one: await make(1) };
}

async function webAudio() {
  const { OfflineAudioContext } = await import('node-web-audio-api');
  const make = (voices) => async () => {
    const context = new OfflineAudioContext(2, SECONDS * RATE, RATE);
    const buffer = context.createBuffer(1, noise.length, RATE);
    buffer.copyToChannel(noise, 0);
    for (let voice = 0; voice < voices; voice += 1) {
      const source = context.createBufferSource();
      Object.assign(source, { buffer, loop: true, loopStart: 0.125, loopEnd: 0.875 });
      source.playbackRate.value = ratio(voice);
      source.connect(context.destination);
      source.start();
    }
    return own(() => context.startRendering());
  };
  return { name: 'node-web-audio-api, linear', beside: 0, many: make(VOICES), one: make(1) };
}

function scsynth(folder) {
  const wav = join(folder, 'noise.wav');
  writeWav(wav, noise, 1, RATE);
  const make = (voices) => {
    const file = join(folder, `score-${voices}.osc`);
    writeFileSync(
      file,
      score({ wav, seconds: SECONDS, rates: Array.from({ length: voices }, (_, n) => ratio(n)) }),
    );
    const out = join(folder, 'out.wav');
    return () => {
      // The shell tells the processor time of what it has waited for.
      const line = `scsynth -o 2 -i 0 -m 65536 -D 0 -N '${file}' _ '${out}' ${RATE} WAV float >&2; times`;
      const { stdout, stderr, status } = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
      const [user, system] = stdout
        .trim()
        .split('\n')
        .at(-1)
        .split(' ')
        .map((time) => {
          const [minutes, seconds] = time.replace('s', '').split('m').map(Number);
          return 60 * minutes + seconds;
        });
      if (status !== 0 || /FAILURE|not found|[Ee]rror/.test(stderr)) throw new Error(`scsynth: ${stderr}`);
      return user + system;
    };
  };
  return { name: 'scsynth, cubic (PlayBuf)', beside: 1, many: make(VOICES), one: make(1) };
}

const folder = mkdtempSync(join(tmpdir(), 'ictus-peers-'));
try {
  const players = [await ictus('linear'), await ictus('cubic')];
  const notRun = [];
  await webAudio().then(
    (player) => players.push(player),
    ({ message }) => notRun.push(`node-web-audio-api: ${message}`),
  );
  if (which('scsynth')) players.push(scsynth(folder));
  else notRun.push('scsynth: it is not installed (apt-get install supercollider-server)');

  const times = players.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [n, { many, one }] of players.entries()) times[n].push((await many()) - (await one()));
  }
  const ns = times.map((values) => (median(values) * 1e9) / (SECONDS * RATE * (VOICES - 1)));
  console.log(
    `${VOICES} voices, mono, ns of processor time per voice and frame (× ictus, same kind of interpolation)`,
  );
  for (const [n, { name, beside = n }] of players.entries())
    console.log(`  ${name.padEnd(36)}${ns[n].toFixed(2).padStart(8)} (${(ns[n] / ns[beside]).toFixed(2)}×)`);
  for (const reason of notRun) console.log(`  not run: ${reason}`);
} finally {
  rmSync(folder, { recursive: true });
}
