// A hot reload (`bun --hot`) of a program that computes its own sound: a named generator goes on with its number and state,
// and a ring that is asked for again keeps its one reader.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { threeGenerations } from './support/hot.mjs';

const folder = mkdtempSync(join(tmpdir(), 'ictus-hot-pcm-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const face = pathToFileURL(join(import.meta.dirname, '..', 'lib', 'index.mjs')).href;
const program = (generation) => `
import { createTransport, Engine } from ${JSON.stringify(face)};
const engine = Engine.default({ backend: 'clock' });
globalThis.kept ??= { data: new SharedArrayBuffer(48000 * 16), indices: new SharedArrayBuffer(8), written: 0 };
const { data, indices } = globalThis.kept;
const ring = { data: new Float64Array(data), writeIdx: new Int32Array(indices, 0, 1),
  readIdx: new Int32Array(indices, 4, 1), size: 48000, stride: 2 };
const transport = createTransport('PULL', ring, engine.sampleRate);
clearInterval(globalThis.filler);
const fill = () => {
  for (let fill = transport.stats.fill; fill < 9600; fill += 1) {
    const write = Atomics.load(ring.writeIdx, 0);
    ring.data[2 * write] = ring.data[2 * write + 1] = 0.1;
    Atomics.store(ring.writeIdx, 0, (write + 1) % ring.size);
    globalThis.kept.written += 1;
  }
};
fill();
globalThis.filler = setInterval(fill, 5);
let first = null;
const hum = engine.generate((block, frame, state) => {
  first ??= { frame, calls: state.calls ?? 0 };
  state.calls = (state.calls ?? 0) + 1;
  block.fill(0.1);
}, { channels: 1, ahead: 0.2, blockSize: 480, name: 'hum' });
setTimeout(() => {
  const { frames, fill } = transport.stats;
  console.log(JSON.stringify({ generation: ${generation}, first, played: frames, fill, written: globalThis.kept.written,
    underruns: transport.stats.underruns + hum.underruns, thread: engine.realtime.threadId }));
}, 250);
`;

test('a generator and a transport go on through hot reloads, without a gap', {
  skip: process.versions.bun ? false : 'Bun reloads modules in a running process; Node has no such mode',
}, async () => {
  const said = await threeGenerations(folder, program);
  const [one, two, three] = said;
  assert.deepEqual([one.generation, three.generation], [1, 3]);
  assert.deepEqual(one.first, { frame: 0, calls: 0 });
  for (const { first, played, fill, written, underruns, thread } of said) {
    assert.equal(first.frame, 480 * first.calls, 'number and state go on together');
    assert.equal(underruns, 0, 'no gap');
    assert.equal(thread, one.thread, 'one audio thread');
    // A second reader would have played frames of its own.
    assert.ok(
      Math.abs(written - played - fill) <= 2400,
      `${written} written, ${played} played, ${fill} wait`,
    );
  }
  assert.ok(two.first.calls > 0 && three.first.calls > two.first.calls);
});
