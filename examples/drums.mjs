// A drum pattern, all of it scheduled ahead: JavaScript writes the whole groove down at once and is done, the audio
// thread plays every stroke on its exact frame. The kit is made of arithmetic, in support/sounds.mjs.
//
//   node examples/drums.mjs [--backend jack|alsa|clock] [--bars 32] [--swing 0.66]
import { Sampler } from 'ictus';
import { drumKit, playGroove } from './support/groove.mjs';
import { openEngine, options } from './support/options.mjs';

const given = options('[--backend NAME] [--device NAME] [--bars N] [--swing 0.5..0.75]', {
  bars: { of: [1, 200], default: 4 },
  swing: { of: [0.5, 0.75], default: 0.56 },
});
const engine = openEngine(given);
const sampler = new Sampler({ engine });
await drumKit(sampler);

// A tenth of a second from now, so that nothing is late. The pattern itself is in support/groove.mjs.
const bars = Math.round(given.bars);
const end = playGroove(sampler, engine.currentTime + 0.1, bars, given.swing);
console.log(`${bars} bars on ${engine.backend}, ${(end - engine.currentTime).toFixed(1)} s, all scheduled`);

// The script ends here; the process ends when the last drum is silent.
