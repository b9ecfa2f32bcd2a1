// SFZ instruments from JavaScript: what they play, what they say of themselves, and how they are refused.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { Sampler } from '../lib/index.mjs';
import { temporaryFolder } from './support/child.mjs';
import { rejects } from './support/errors.mjs';
import { left, offline, RATE } from './support/sound.mjs';
import { wav } from './support/wav.mjs';

const folder = temporaryFolder();

function file(name, bytes) {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

/** One constant a file: which region sounds is the sum of levels. */
for (const bit of [1, 2, 4]) {
  file(`Samples/${bit}.wav`, wav(new Float32Array(RATE).fill(bit / 8)));
}

const level = (engine) => {
  engine.render(RATE / 50);
  // A mono sample in the middle of an SFZ instrument is as loud on each side as it was recorded.
  return Math.round(left(engine, 1)[0] * 8);
};

test('an SFZ file plays, and says what it could not do', async () => {
  const path = file(
    'piano.sfz',
    `<control> default_path=samples\\ // as other systems write it
     #define $EXT wav
     <global> amp_veltrack=0 sw_lokey=24 sw_hikey=25 sw_default=24
     <region> sample=1.$EXT lokey=c3 sw_last=24 sw_label=Soft Felt
     <region> sample=2.$EXT lokey=c3 sw_last=25 sw_label=Hard amplitude_oncc20=100
     <region> sample=4.$EXT trigger=release lokey=c3 ampeg_relase=1
     <region> sample=absent.wav key=60`,
  );
  const { engine, sampler } = await offline();
  const progress = [];
  const instrument = await sampler.load(path, { onProgress: (at) => progress.push(at) });
  assert.equal(instrument.name, 'piano');
  assert.equal(instrument.regions, 3);
  assert.deepEqual(instrument.keyswitches, [
    { key: 24, label: 'Soft Felt' },
    { key: 25, label: 'Hard' },
  ]);
  const told = instrument.warnings.join('\n');
  assert.match(
    told,
    /piano\.sfz:6: ampeg_relase is no known opcode and is ignored; did you mean ampeg_release\?/,
  );
  assert.match(told, /piano\.sfz:7: there is no file "samples\/absent\.wav".*its region is left out/);
  sampler.noteOn(60, 100);
  assert.equal(level(engine), 1);
  sampler.noteOff(60);
  assert.equal(level(engine), 4, 'the release');
  sampler.allSoundOff();
  level(engine);
  sampler.noteOn(25, 100);
  sampler.noteOff(25);
  sampler.noteOn(60, 100);
  assert.equal(level(engine), 0, 'the controller stands at 0');
  sampler.controlChange(20, 127);
  assert.equal(level(engine), 2);
  await engine.close();
});

test('Sampler.from takes an SFZ file', async () => {
  const path = file('from.sfz', '<region> sample=Samples/2.wav amp_veltrack=0');
  const { engine } = await offline();
  const sampler = await Sampler.from(path, { engine });
  sampler.noteOn(60, 1);
  assert.equal(level(engine), 2);
  await engine.close();
});

test('files that are no instrument are refused with their code, and the next one loads', async () => {
  const { engine, sampler } = await offline();
  for (const [name, text, code, word] of [
    ['empty.sfz', '', 'ERR_CORRUPT_FILE', 'no <region>'],
    ['absent.sfz', '<region> sample=absent.wav', 'ERR_FILE_NOT_FOUND', 'absent.wav'],
    ['many.sfz', '<region>'.repeat(300_000), 'ERR_LIMIT', '262144 regions'],
  ]) {
    await rejects(() => sampler.load(file(name, text)), Error, code, word);
  }
  file('loop.sfz', '#include "loop.sfz"\n#include "other.sfz"\n<region> sample=*sine');
  file('other.sfz', '#include "loop.sfz"');
  const { warnings } = await sampler.load(join(folder, 'loop.sfz'));
  assert.match(warnings.join('\n'), /loop\.sfz:1: "loop\.sfz" includes itself/);
  await engine.close();
});

test('loading can be stopped', async () => {
  const { engine, sampler } = await offline();
  const path = file('long.sfz', '<region> sample=Samples/1.wav key=60\n'.repeat(100_000));
  const stop = new AbortController();
  const loading = sampler.load(path, { signal: stop.signal });
  stop.abort();
  await rejects(() => loading, Error, 'ERR_ABORTED', 'abort');
  await engine.close();
});
