// A note, and then a chord: the shortest way from a sound to music.
//
//   node examples/note.mjs [--backend jack|alsa|clock]
import { Sampler } from 'ictus';
import { openEngine } from './support/options.mjs';
import { pluck } from './support/sounds.mjs';

const engine = openEngine();

// Any Float32Array is an instrument: it sounds at its own pitch on key 60 (C4), and higher and lower around it. A WAV
// file's name, a folder of them or a map of note names would do as well.
const sampler = await Sampler.from(pluck(engine.sampleRate), { engine });

// Now: key 57 is A3, and 100 of 127 is how hard it is plucked.
const id = sampler.noteOn(57, 100);

// Times are seconds on the engine's clock. This note is let go after one second …
const now = engine.currentTime;
sampler.release(id, now + 1);

// … and a chord follows, its strings 30 ms apart as a thumb would play them, each held for 1.5 s.
[45, 52, 57, 60, 64, 69].forEach((key, string) => {
  sampler.noteOn(key, 80 + 4 * string, { time: now + 1 + 0.03 * string, duration: 1.5 });
});

// Nothing to wait for: the process stays until the last string is silent, and then ends.
