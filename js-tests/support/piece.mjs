// A piece for two players: one offline, one through a server in a program of its own. The same notes at both.
/** Makes an instrument of two layers, and assigns it to two channels. */
export async function prepare(sampler) {
  const instrument = sampler.createInstrument('piece');
  const tone = Float32Array.from(
    { length: 20000 },
    (_, n) => Math.sin(n * 0.0571) * 0.2 * Math.exp(-n / 9000),
  );
  instrument.setEnvelope({ attack: 0.002, release: 0.08 });
  await instrument.addSample(tone, { rootNote: 64, loop: { start: 9000, end: 15000 }, pan: -0.4 });
  await instrument.addSample([tone, tone.toReversed()], { rootNote: 52, keyRange: [40, 63], gain: 0.5 });
  sampler.assign(0, instrument);
  sampler.assign(5, instrument);
}

/** Schedules 40 notes, bends and releases from a time in seconds on; silent 1.4 s later. */
export function play(sampler, begin) {
  for (let n = 0; n < 40; n += 1) {
    const time = begin + n * 0.03;
    const id = sampler.noteOn(45 + ((n * 7) % 40), 60 + n, time, n % 2 ? 5 : 0);
    sampler.release(id, time + 0.02 + (n % 5) * 0.05);
  }
  sampler.pitchBend(3000, begin + 0.4);
  sampler.pitchBend(-1200, begin + 0.7);
  sampler.allNotesOff(undefined, begin + 1.3);
}
