// A sine through Speaker, as any program for the npm package `speaker` has it: only the import is another.
//
//   node examples/speaker.mjs [--backend jack|alsa|clock] [--hz 220] [--seconds 2]
import { Readable } from 'node:stream';
import Speaker from 'ictus/speaker';
import { openEngine, options } from './support/options.mjs';

const { hz, seconds, ...given } = options('[--backend NAME] [--device NAME] [--hz N] [--seconds N]', {
  hz: { of: [20, 20_000], default: 220 },
  seconds: { of: [0.1, 3600], default: 2 },
});
openEngine(given); // with the options of the command line; a Speaker opens the default engine by itself

const format = { channels: 2, bitDepth: 16, sampleRate: 44100 };
const total = Math.round(seconds * format.sampleRate);
let frame = 0;

const sine = new Readable({
  read() {
    const frames = Math.min(1024, total - frame);
    if (frames === 0) {
      this.push(null);
      return;
    }
    const bytes = Buffer.alloc(frames * 4);
    for (let n = 0; n < frames; n += 1, frame += 1) {
      // 5 ms in and out: a sine that starts at full level clicks.
      const edge = Math.min(1, frame / 220, (total - 1 - frame) / 220);
      const value = Math.round(8000 * edge * Math.sin((2 * Math.PI * hz * frame) / format.sampleRate));
      bytes.writeInt16LE(value, n * 4);
      bytes.writeInt16LE(value, n * 4 + 2);
    }
    this.push(bytes);
  },
});

const speaker = new Speaker(format);
speaker.on('finish', () => {
  const { frames, underruns } = speaker.stats;
  console.log(`${frames} frames heard, underruns ${underruns}`);
  process.exit(0); // everything has been heard by now
});
sine.pipe(speaker);
