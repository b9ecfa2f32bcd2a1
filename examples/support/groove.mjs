// A drum kit and a groove, for drums.mjs, bounce.mjs and workers.mjs.
import { clap, hat, kick, snare } from './sounds.mjs';

export const BPM = 104;
const STEP = 60 / BPM / 4; // s: a sixteenth
/** Seconds of a bar of four beats. */
export const BAR = STEP * 16;

// General MIDI's drum keys.
const keys = { kick: 36, snare: 38, clap: 39, closed: 42, open: 46 };

// One character a sixteenth: X loud, x normal, o a ghost note that is felt more than heard.
const groove = [
  ['kick', 'X..x ..x. ..X. ...o'],
  ['snare', '.... X..o .o.. X..o'],
  ['closed', 'X.xo X.x. X.xo X.xo'],
  ['open', '.... ...x .... ....'],
];
const fill = [
  ['kick', 'X..x ..x. X... x...'],
  ['snare', '.... X..o ..xo XxXX'],
  ['clap', '.... X... .... X...'],
  ['closed', 'X.xo X.x. X... ....'],
  ['open', '.... .... ..x. ....'],
];
const velocities = { X: 118, x: 88, o: 46 };

/** Puts the drum kit on the sampler's channel 0. */
export async function drumKit(sampler) {
  const rate = sampler.engine.sampleRate;
  const kit = sampler.createInstrument('drum kit');
  const sounds = {
    kick: kick(rate),
    snare: snare(rate),
    clap: clap(rate),
    closed: hat(rate, 0.03),
    open: hat(rate, 0.35),
  };
  const gains = { kick: 0.85, snare: 0.75, clap: 0.55, closed: 0.42, open: 0.36 };
  for (const [name, data] of Object.entries(sounds)) {
    const key = keys[name];
    // A drum sounds to its end however short the note is, but the open hi-hat is closed by letting go of it.
    const loop = name !== 'open' && { start: 0, end: data.length, mode: 'one-shot' };
    await kit.addSample(data, { rootNote: key, keyRange: [key, key], gain: gains[name], loop });
  }
  kit.setEnvelope({ release: 0.04 });
  sampler.assign(0, kit);
}

/**
 * Schedules `bars` bars of drums from `start` (s on the engine clock); the last of every four has a fill. `swing`: where
 * in the eighth its second sixteenth falls, 0.5 straight, 0.66 a shuffle. Returns the time at which the last bar ends.
 */
export function playGroove(sampler, start, bars, swing = 0.56) {
  for (let bar = 0; bar < bars; bar += 1) {
    const pattern = bar % 4 === 3 ? fill : groove;
    const timeOf = (step) => start + bar * BAR + (step + (step % 2 === 1 ? swing * 2 - 1 : 0)) * STEP;
    const stepsOf = (name) => pattern.find(([row]) => row === name)?.[1].replaceAll(' ', '') ?? '';
    for (const [name] of pattern) {
      [...stepsOf(name)].forEach((mark, step) => {
        if (mark === '.') return;
        const id = sampler.noteOn(keys[name], velocities[mark], timeOf(step));
        if (name !== 'open') return;
        // One pair of cymbals: the next stroke of the closed hi-hat, or the bar's end, chokes the open one.
        const next = [...stepsOf('closed')].findIndex((m, i) => i > step && m !== '.');
        sampler.release(id, timeOf(next < 0 ? 16 : next));
      });
    }
  }
  return start + bars * BAR;
}

/** Schedules the bass line of one bar, `bar` counted from 0. The sampler plays a bass sound. */
export function playBass(sampler, start, bar) {
  const roots = [33, 33, 29, 31]; // A1 A1 F1 G1
  const root = roots[bar % 4];
  // Step, semitones above the root, velocity, length in steps.
  const line = [
    [0, 0, 112, 2.5],
    [3, 0, 84, 1],
    [6, 12, 96, 1.5],
    [10, 0, 104, 2],
    [13, 7, 82, 1],
    [14, 10, 92, 1.8],
  ];
  for (const [step, interval, velocity, length] of line) {
    const time = start + bar * BAR + step * STEP;
    sampler.noteOn(root + interval, velocity, { time, duration: length * STEP });
  }
}
