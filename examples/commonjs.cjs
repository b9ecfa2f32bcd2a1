'use strict';
// CommonJS, and notes between the keys: a major chord as a piano has it, then the same chord pure, its third 14 cents
// lower and its fifth 2 cents higher. Listen to the beating stop.
//
//   node examples/commonjs.cjs [--backend jack|alsa|clock] [--seconds 3]
const { Engine, Sampler } = require('ictus');

const argument = (name) => process.argv[process.argv.indexOf(name) + 1 || process.argv.length];
const backend = argument('--backend');
const seconds = Number(argument('--seconds') ?? 3); // of each chord

/** A reed-like tone on C4: odd and even partials, looped over whole periods so that it can be held for ever. */
function reed(rate) {
  const cycles = 109; // of C4, 261.63 Hz: their length is a whole number of frames to within a hundredth of a cent
  const length = Math.round((cycles * rate) / 261.6256);
  return Float32Array.from({ length }, (_, i) => {
    let sum = 0;
    for (let n = 1; n <= 12; n += 1) sum += Math.sin((2 * Math.PI * cycles * n * i) / length) / n;
    return 0.25 * sum;
  });
}

/** The key, with a fraction, whose frequency is `ratio` times that of `key`. */
const above = (key, ratio) => key + 12 * Math.log2(ratio);

async function main() {
  const engine = Engine.default(backend ? { backend } : undefined);
  const sampler = new Sampler({ engine, gain: 0.6 });
  const instrument = sampler.createInstrument('reed');
  const data = reed(engine.sampleRate);
  await instrument.addSample(data, { rootNote: 60, loop: { start: 0, end: data.length } });
  instrument.setEnvelope({ attack: 0.05, release: 0.3 });
  sampler.assign(0, instrument);

  const start = engine.currentTime + 0.1;
  const tempered = [48, 55, 60, 64];
  const pure = [48, above(48, 3 / 2), 60, above(60, 5 / 4)];
  for (const [i, chord] of [tempered, pure].entries())
    for (const note of chord)
      sampler.noteOn(note, 90, { time: start + i * seconds, duration: seconds - 0.2 });
  console.log(`tempered ${tempered.join(' ')}, then pure ${pure.map((note) => note.toFixed(2)).join(' ')}`);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
