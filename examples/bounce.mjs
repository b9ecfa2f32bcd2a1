// An offline bounce: drums and bass into a WAV file, as fast as the processor can, with a picture of the waveform. It is
// the same engine that plays live, pulled by render() instead of by a device: the same bits.
//
//   node examples/bounce.mjs [--bars 16] [--out out/bounce.wav]
import { resolve } from 'node:path';
import { Engine, Sampler } from 'ictus';
import { BAR, drumKit, playBass, playGroove } from './support/groove.mjs';
import { options } from './support/options.mjs';
import { bass } from './support/sounds.mjs';
import { dbfs, writeWav } from './support/wav.mjs';
import { drawWaveform } from './support/waveform.mjs';

const given = options('[--bars N] [--out FILE]', { bars: { of: [1, 200], default: 16 } });
const bars = Math.round(given.bars);
const path = resolve(given.out ?? 'out/bounce.wav');

const engine = new Engine({ backend: 'offline', sampleRate: 48000 });
const { sampleRate, channels } = engine;

const drums = new Sampler({ engine, gain: 0.9 });
await drumKit(drums);

const bassPlayer = new Sampler({ engine, gain: 0.7 });
const instrument = bassPlayer.createInstrument('bass');
await instrument.addSample(bass(sampleRate), { rootNote: 36 });
instrument.setEnvelope({ attack: 0.002, release: 0.06 });
bassPlayer.assign(0, instrument);

// Offline, the clock stands still until we render: everything can be scheduled from its very first frame.
const end = playGroove(drums, 0, bars);
for (let bar = 0; bar < bars; bar += 1) playBass(bassPlayer, 0, bar);

const began = performance.now();
const seconds = end + 0.5; // the last stroke rings
const out = engine.render(Math.round(seconds * sampleRate));
const took = (performance.now() - began) / 1000;
const { voicesPeak } = engine.stats();
await engine.close();

const { peak } = writeWav(path, out, channels, sampleRate);
const picture = path.replace(/(\.wav)?$/i, '.svg');
drawWaveform(out, channels, sampleRate, picture);
console.log(`${bars} bars of ${BAR.toFixed(2)} s: ${seconds.toFixed(1)} s in ${took.toFixed(3)} s`);
console.log(`${Math.round(seconds / took)} times real time, at most ${voicesPeak} voices at once`);
console.log(`${path}   peak ${dbfs(peak)}`);
console.log(picture);
