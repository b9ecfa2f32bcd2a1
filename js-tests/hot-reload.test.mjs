// A hot reload (`bun --hot`) runs a program's modules anew in the same process: the sound must go on.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { threeGenerations } from './support/hot.mjs';

const folder = mkdtempSync(join(tmpdir(), 'ictus-hot-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const face = pathToFileURL(join(import.meta.dirname, '..', 'lib', 'index.mjs')).href;
const program = (generation) => `
import { Sampler } from ${JSON.stringify(face)};
const sampler = new Sampler({ backend: 'clock' });
const { engine } = sampler;
const tone = sampler.createInstrument();
await tone.addSample(new Float32Array(480).fill(0.1), { loop: { start: 0, end: 480 } });
sampler.assign(0, tone);
if (${generation} === 1) sampler.noteOn(60);
setTimeout(() => {
  const { voices, frames } = engine.stats();
  console.log(JSON.stringify({ generation: ${generation}, thread: engine.realtime.threadId, voices, frames }));
}, 150);
setInterval(() => {}, 1000);
`;

test('the default engine outlives a hot reload, and what sounds goes on', {
  skip: process.versions.bun ? false : 'Bun reloads modules in a running process; Node has no such mode',
}, async () => {
  const said = await threeGenerations(folder, program);
  const [first, second, third] = said;
  assert.equal(first.generation, 1);
  assert.equal(third.generation, 3);
  assert.deepEqual(
    [second.thread, third.thread],
    [first.thread, first.thread],
    'one audio thread throughout',
  );
  assert.ok(second.frames > first.frames && third.frames > second.frames, 'one clock that goes on');
  assert.deepEqual([first.voices, second.voices, third.voices], [1, 1, 1], 'the note still sounds');
});
