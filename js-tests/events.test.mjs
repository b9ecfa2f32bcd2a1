// 'noteend' and 'steal', offline: every note tells its end once, to its own sampler, whatever else goes on.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Sampler } from '../lib/index.mjs';
import { ask } from './support/child.mjs';
import { constant, heard, offline, RATE, sleep, until } from './support/sound.mjs';

const ms = (milliseconds) => (milliseconds * RATE) / 1000;

test('noteend tells of every note once: played out, let go, silent, cancelled, cut', async () => {
  const { engine, sampler } = await offline({ data: constant(1000), envelope: { release: 0.01 } });
  const ended = heard(sampler, 'noteend');
  const ids = [sampler.noteOn(60, 127, 0), sampler.noteOn(60, 127, 0.1), sampler.noteOn(60, 127, 0, 5)];
  sampler.release(ids[1], 0.105);
  const cancelled = sampler.noteOn(60, 127, 10);
  sampler.release(cancelled, 0.2);
  engine.render(ms(300));
  const cut = sampler.noteOn(60, 127);
  sampler.allSoundOff(undefined, 0.305);
  engine.render(ms(300));
  const all = [...ids, cancelled, cut];
  await until(() => ended.length >= all.length, 'all ends');
  await sleep(50);
  assert.deepEqual(
    ended.toSorted((a, b) => a - b),
    all,
  );
});

test('no end of a note is lost when a sampler is made meanwhile', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { engine, sampler } = await offline({ data: constant(10) });
    const ended = heard(sampler, 'noteend');
    const id = sampler.noteOn(60, 127, 0);
    engine.render(100);
    new Sampler({ engine });
    await until(() => ended.length > 0, 'the end of the note');
    assert.deepEqual(ended, [id]);
  }
});

test('a sampler does not hear of the notes of another that was closed before it', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { engine, sampler } = await offline({ data: constant(RATE * 20) });
    sampler.on('noteend', () => {});
    sampler.noteOn(60, 127, 0);
    engine.render(100);
    sampler.close();
    engine.render(RATE);
    // The helper thread is told of the end, and the sampler's place is free, before JavaScript hears of it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    const next = new Sampler({ engine });
    const ended = heard(next, 'noteend');
    await sleep(50);
    assert.deepEqual(ended, []);
  }
});

test('every one of 20,000 notes in one render tells its end', async () => {
  const count = 20_000;
  const { engine, sampler } = await offline({ data: constant(1), engine: { interpolation: 'linear' } });
  const ended = heard(sampler, 'noteend');
  for (let n = 0; n < count; n += 1) sampler.noteOn(60, 127, n / RATE);
  engine.render(count + 1);
  await until(() => ended.length === count, `${count} ends`).catch(() => {});
  assert.equal(ended.length, count);
  assert.equal(new Set(ended).size, count);
});

test('a listener that throws takes no other event along', async () => {
  const { thrown, ended } = await ask(
    `const { engine, sampler } = await playing(0.001, { backend: 'offline' });
    let thrown = 0;
    const ended = [];
    process.on('uncaughtException', () => { thrown += 1; });
    sampler.on('noteend', ({ id }) => {
      ended.push(id);
      if (ended.length === 1) throw new Error('mine');
    });
    for (let n = 0; n < 3; n += 1) sampler.noteOn(60);
    engine.render(1000);
    await sleep(300);
    console.log(JSON.stringify({ thrown, ended }));`,
  );
  assert.deepEqual({ thrown, ended }, { thrown: 1, ended: [1, 2, 3] });
});

test('a note that is stolen tells of both, in this order', async () => {
  const { engine, sampler } = await offline({
    data: constant(RATE),
    sampler: { polyphony: 1, stealing: 'oldest' },
  });
  const told = [];
  for (const event of ['steal', 'noteend']) sampler.on(event, ({ id }) => told.push([event, id]));
  const first = sampler.noteOn(60, 127, 0);
  sampler.noteOn(61, 127, 0.01);
  engine.render(ms(100));
  await until(() => told.length >= 2, 'the stolen note');
  await sleep(50);
  assert.deepEqual(told, [
    ['steal', first],
    ['noteend', first],
  ]);
});
