// "Barcarolle for flute and harp": the music that the demo plays, written for it. A score in plain text, and the small
// generator that turns it into notes with a time, a velocity and a duration. It knows nothing of ictus.
//
// A bar has six eighths. The melody is note names, each with its length in eighths (`_` is a rest); the harp gets a
// chord and a texture and finds its own notes. Two players breathe together: the tempo bends at the ends of phrases,
// loudness moves from bar to bar, and a seeded random generator gives every note a human few milliseconds and steps of
// velocity. The same seed gives the same performance.

import { random } from './random.mjs';

const EIGHTH = 0.315; // s: a slow boat, two beats of three eighths a bar

// section, chords of the bar, harp texture, loudness 0..1 at the bar's start, tempo stretch, melody
const score = `
intro     | D       | ripple | .40 | 1.03 | _ 6
intro     | D/A     | ripple | .46 | 1.04 | _ 4  A4 1  D5 1
theme     | D       | ripple | .52 | 1.00 | F#5 3  E5 1  F#5 1  G5 1
theme     | Bm7     | ripple | .56 | 1.00 | A5 4  F#5 1  D5 1
theme     | G       | ripple | .62 | 1.00 | B5 3  A5 1  G5 1  D5 1
theme     | A7s A7  | ripple | .54 | 1.05 | E5 4  _ 1  E5 1
theme     | D/F#    | ripple | .56 | 1.00 | F#5 3  E5 1  F#5 1  A5 1
theme     | G       | ripple | .66 | 1.00 | D6 3  C#6 1  B5 1  A5 1
theme     | Em7 A7  | ripple | .62 | 1.02 | B5 2  G5 1  E5 2  C#5 1
theme     | D       | ripple | .50 | 1.06 | D5 4  _ 1  C#5 1
middle    | Bm      | broad  | .50 | 1.00 | D5 3  C#5 1  D5 1  F#5 1
middle    | F#m     | broad  | .56 | 0.99 | A5 4  F#5 2
middle    | G       | broad  | .62 | 0.98 | B5 3  A5 1  B5 1  D6 1
middle    | D/F#    | broad  | .60 | 1.01 | A5 4  _ 1  F#5 1
middle    | Em7     | broad  | .60 | 0.98 | G5 3  F#5 1  G5 1  B5 1
middle    | E7/G#   | flow   | .72 | 0.98 | D6 3  B5 1  G#5 1  B5 1
middle    | A       | flow   | .88 | 1.00 | C#6 3  B5 1  C#6 1  E6 1
middle    | A7      | flow   | 1.0 | 1.12 | E6 2  D6 1  C#6 1  A5 1  _ 1
variation | D       | flow   | .62 | 1.02 | F#5 1  G5 .5  A5 .5  F#5 1  E5 .5  D5 .5  F#5 1  G5 .5  G#5 .5
variation | Bm7     | flow   | .64 | 1.00 | A5 1.5  B5 .5  A5 .5  F#5 .5  D5 1  F#5 1  A5 1
variation | G       | flow   | .70 | 1.00 | B5 1  C#6 .5  D6 .5  B5 1  A5 .5  B5 .5  G5 1  D5 1
variation | A7s A7  | flow   | .62 | 1.04 | E5 1.5  F#5 .5  E5 .5  D5 .5  C#5 1  _ 1  E5 1
variation | D/F#    | flow   | .66 | 1.00 | F#5 1  D5 .5  F#5 .5  A5 1  B5 .5  A5 .5  F#5 1  A5 1
variation | G       | flow   | .78 | 0.99 | D6 1.5  E6 .5  D6 .5  C#6 .5  B5 1  C#6 1  D6 1
variation | Em7 A7  | flow   | .86 | 1.02 | E6 2  B5 1  C#6 2  A5 1
variation | D D7/F# | flow   | .80 | 1.04 | D6 3  C6 1  B5 1  A5 1
coda      | G       | broad  | .68 | 1.02 | B5 3  A5 1  B5 1  D6 1
coda      | Gm6     | broad  | .58 | 1.08 | Bb5 3  A5 1  G5 1  E5 1
coda      | D/A     | ripple | .48 | 1.12 | F#5 4  E5 1  D5 1
coda      | A7s A7  | ripple | .42 | 1.30 | E5 4  C#5 2
coda      | D       | rise   | .40 | 1.34 | D5 6
coda      | D       | chord  | .44 | 1.00 | _ 6
`;

// Tones of the chords, root first; a bass other than the root stands after a slash in the score.
const chords = {
  D: 'D F# A',
  D7: 'D F# A C',
  Em7: 'E G B D',
  E7: 'E G# B D',
  'F#m': 'F# A C#',
  G: 'G B D',
  Gm6: 'G Bb D E',
  A: 'A C# E',
  A7: 'A C# E G',
  A7s: 'A D E G',
  Bm: 'B D F#',
  Bm7: 'B D F# A',
};

// What the harp does with a chord: [eighth, which string, accent]. Strings: 'B' is the bass, 'F' the bass's octave,
// numbers count the chord's tones upwards from G3.
const every = (step, strings, accents = {}) =>
  strings.map((string, i) => [i * step, string, accents[i] ?? (i === 0 ? 0.1 : 0)]);
const textures = {
  ripple: every(1, ['B', 0, 1, 2, 3, 1], { 0: 0.1, 3: 0.06, 4: 0.03 }),
  broad: [...every(1, ['B', 0, 2, 'F', 3, 2], { 0: 0.14, 3: 0.08 }), [3.02, 4, 0.04], [5.5, 1, -0.04]],
  flow: every(0.5, ['B', 'F', 0, 1, 2, 3, 5, 4, 3, 2, 1, 0], { 0: 0.14, 6: 0.1 }),
  rise: every(0.5, ['B', 'F', 0, 1, 2, 3, 4, 5, 6, 7, 8, 9], { 0: 0.08, 11: 0.05 }),
  chord: ['B', 'F', 0, 1, 2, 4, 7].map((string, i) => [i * 0.22, string, i === 6 ? 0.08 : 0]),
};

const LOWEST_BASS = 33; // A1
const LOWEST_UPPER = 55; // G3: below it a harp's thirds are mud
const RING = 3; // s that the last chord is given to die away

const semitones = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
const pitchClass = (name) =>
  (semitones[name[0]] + (name[1] === '#' ? 1 : name[1] === 'b' ? -1 : 0) + 12) % 12;

/** 'F#5' → 78, in MIDI's numbers: C4 is 60. */
export function keyOf(name) {
  return pitchClass(name) + 12 * (Number(name.at(-1)) + 1);
}

/** The strings of the harp for a chord such as 'E7/G#': a function from the textures' names to keys. */
function harpStrings(symbol) {
  const [name, slash] = symbol.split('/');
  const tones = chords[name].split(' ');
  const above = (lowest, pitch) => lowest + ((pitch - lowest + 120) % 12);
  const bass = above(LOWEST_BASS, pitchClass(slash ?? tones[0]));
  const first = tones.map((tone) => above(LOWEST_UPPER, pitchClass(tone))).sort((a, b) => a - b);
  const upper = (n) => first[n % first.length] + 12 * Math.floor(n / first.length);
  return (string) => ({ B: bass, F: bass + 12 })[string] ?? upper(string);
}

/**
 * The piece, performed: `duration` in seconds, the `sections` with the time each begins at, and the `notes` in order
 * of time, each `{ part: 'flute' | 'harp', time, duration, note, velocity }`.
 */
export function perform(seed = 1) {
  const next = random(seed);
  // The sum of four is close enough to a bell curve, and never far out.
  const human = (spread) => (next() + next() + next() + next() - 2) * spread;
  const bars = score.trim().split('\n');
  const rows = bars.map((line) => line.split('|').map((cell) => cell.trim()));
  const notes = [];
  const sections = [];
  let start = 0.3;

  rows.forEach(([section, harmony, texture, level, stretch, melody], bar) => {
    const eighth = EIGHTH * Number(stretch);
    const from = Number(level);
    const to = Number(rows[bar + 1]?.[3] ?? level);
    const loudness = (at) => from + ((to - from) * at) / 6;
    if (sections.at(-1)?.name !== section) sections.push({ name: section, time: start });

    const symbols = harmony.split(' ');
    for (const [at, string, accent] of textures[texture]) {
      // Two chords share a bar half and half; a string sounds until its chord is over.
      const half = symbols.length === 2 ? Math.floor(at / 3) : 0;
      const letGo =
        texture === 'chord' || texture === 'rise' ? 14 : symbols.length === 2 ? (half + 1) * 3 : 6;
      const key = harpStrings(symbols[half])(symbols.length === 2 && at === 3 ? 'B' : string);
      const time = start + at * eighth + human(0.007);
      const velocity = 28 + 64 * (loudness(at) + accent) + human(3);
      notes.push({
        part: 'harp',
        time,
        duration: Math.max(start + letGo * eighth + 0.08 - time, 0.3),
        note: key,
        velocity,
      });
    }

    let at = 0;
    const words = melody.split(/\s+/);
    for (let i = 0; i < words.length; i += 2) {
      const length = Number(words[i + 1]);
      if (words[i] !== '_') {
        const key = keyOf(words[i]);
        const breath = words[i + 2] === '_' ? 0.86 : length < 1 ? 0.9 : 0.99;
        const strong = at % 3 === 0 ? 0.05 : 0;
        // A flute is louder, and wants to be, the higher it goes.
        const velocity = 36 + 76 * (loudness(at) + strong) + (key - 76) * 0.7 + human(4);
        notes.push({
          part: 'flute',
          time: start + at * eighth + human(0.009),
          duration: length * eighth * breath,
          note: key,
          velocity,
        });
      }
      at += length;
    }
    start += 6 * eighth;
  });

  for (const note of notes) note.velocity = Math.round(Math.min(Math.max(note.velocity, 1), 127));
  notes.sort((a, b) => a.time - b.time);
  return { title: 'Barcarolle for flute and harp', duration: start + RING, sections, notes };
}
