// The engine clock against performance.now(), and what is told when the audio thread does not keep up. On the clock
// backend, whose thread is a real one.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Engine, Sampler } from '../lib/index.mjs';
import { start } from './support/child.mjs';
import { throws } from './support/errors.mjs';
import { constant, offline, retried, sleep, until } from './support/sound.mjs';

const limit = { timeout: 60_000 };

test('timeAt maps performance.now() onto the engine clock, without its steps', limit, () =>
  retried(async () => {
    const engine = new Engine({ backend: 'clock', bufferSize: 1024, sampleRate: 48000 });
    try {
      await sleep(1500);
      const block = 1024 / 48000;
      const seen = [];
      for (let n = 0; n < 100; n += 1) {
        const now = performance.now();
        const [time, current] = [engine.timeAt(now), engine.currentTime];
        // currentTime is the end of the block that was rendered last: up to a block ahead.
        assert.ok(time > current - 1.5 * block && time < current + 0.5 * block, `${time} beside ${current}`);
        seen.push([now, time]);
        await sleep(3);
      }
      // One straight line through all of them: far closer than a block, whose steps currentTime has.
      const [[t0, e0], [t1, e1]] = [seen[0], seen.at(-1)];
      assert.ok(Math.abs((e1 - e0) / ((t1 - t0) / 1000) - 1) < 0.01, 'it runs as the system does');
      const off = seen.map(([t, e]) => Math.abs(e - (e0 + ((t - t0) / (t1 - t0)) * (e1 - e0))));
      off.sort((a, b) => a - b);
      assert.ok(off[90] < block / 20, `nine of ten within a twentieth of a block, not ${off[90]} s`);
      // A distance on one clock is that distance on the other.
      const now = performance.now();
      const ahead = engine.timeAt(now + 1000) - engine.timeAt(now);
      assert.ok(Math.abs(ahead - 1) < 0.01, `${ahead}`);
    } finally {
      await engine.close();
    }
  }),
);

test('a note scheduled by timeAt is not late, and sounds where it was meant to', limit, () =>
  retried(async () => {
    const engine = new Engine({ backend: 'clock', sampleRate: 48000 });
    try {
      const sampler = new Sampler({ engine });
      const instrument = sampler.createInstrument();
      await instrument.addSample(constant(4800));
      sampler.assign(0, instrument);
      await until(() => engine.currentTime > 0.2);
      const ended = new Promise((resolve) => sampler.once('noteend', () => resolve(performance.now())));
      const begun = performance.now();
      sampler.noteOn(60, 100, engine.timeAt(begun + 100));
      // 100 ms of sample, and what the helper thread takes to tell.
      const took = (await ended) - begun;
      assert.ok(took > 190, `it ended ${took} ms after it was scheduled`);
      assert.equal(engine.stats().lateEvents, 0);
    } finally {
      await engine.close();
    }
  }),
);

test('a suspended clock stands in timeAt, too', limit, async () => {
  const engine = new Engine({ backend: 'clock', sampleRate: 48000 });
  await until(() => engine.currentTime > 0.05);
  engine.suspend();
  await sleep(200);
  const [now, later] = [engine.timeAt(performance.now()), engine.timeAt(performance.now() + 10_000)];
  assert.equal(now, later);
  assert.ok(Math.abs(now - engine.currentTime) < 0.001);
  engine.resume();
  await until(() => engine.currentTime > now + 0.1);
  assert.ok(engine.timeAt(performance.now() + 1000) > now + 0.9);
  await engine.close();
});

test('timeAt throws where there is nothing to map', limit, async () => {
  const { engine } = await offline();
  throws(() => engine.timeAt(performance.now()), RangeError, 'ERR_INVALID_ARGUMENT', "'offline'", 'render()');
  const clock = new Engine({ backend: 'clock' });
  throws(() => clock.timeAt(), TypeError, 'ERR_INVALID_ARGUMENT', 'performanceNow');
  throws(() => clock.timeAt('now'), TypeError, 'ERR_INVALID_ARGUMENT', 'performanceNow');
  throws(() => clock.timeAt(Number.NaN), RangeError, 'ERR_INVALID_ARGUMENT', 'performanceNow');
  await clock.close();
  throws(() => clock.timeAt(1), Error, 'ERR_CLOSED', 'closed');
});

test('with too much to render it does less, says so, and does all of it again', limit, () =>
  retried(async () => {
    const options = { backend: 'clock', bufferSize: 512, sampleRate: 48000, polyphony: 4096 };
    // Without real-time priority: a thread that is busy all the time would be taken off it, and that is another test.
    const engine = new Engine({ ...options, interpolation: 'sinc32', realtime: false });
    try {
      const sampler = new Sampler({ engine, polyphony: 4096 });
      const instrument = sampler.createInstrument();
      const wave = Float32Array.from({ length: 4800 }, (_, n) => Math.sin(n * 0.05) * 0.01);
      await instrument.addSample(wave, { loop: { start: 0, end: 4800 } });
      sampler.assign(0, instrument);
      const levels = [];
      const xruns = [];
      engine.on('degraded', ({ level }) => levels.push(level));
      engine.on('xrun', (event) => xruns.push(event));
      for (let n = 0; n < 4000; n += 1) sampler.noteOn(40 + (n % 500) / 10, 60);
      await until(() => levels.includes(2), 'the quietest to fade');
      assert.deepEqual(levels.slice(0, 2), [1, 2]);
      await until(() => engine.stats().voicesStolen > 0 && engine.stats().voices < 4000, 'fewer voices');
      assert.ok(
        xruns.some(({ cause, frames }) => cause === 'overload' && frames > 0),
        JSON.stringify(xruns),
      );
      engine.panic();
      await until(() => levels.at(-1) === 0, 'all of it again');
      assert.equal(engine.stats().degraded, 0);
      assert.equal(engine.stats().xrunsBy.disk, 0);
    } finally {
      await engine.close();
    }
  }),
);

test(
  'a thread that was not woken is an xrun by scheduling',
  { ...limit, skip: process.platform === 'win32' },
  () =>
    retried(async () => {
      const one = start(
        `const engine = new Engine({ backend: 'clock', bufferSize: 256 });
      const xruns = [];
      engine.on('xrun', (event) => xruns.push(event));
      await sleep(300);
      engine.resetStats();
      xruns.length = 0;
      console.log('ready');
      await until(() => xruns.length > 0);
      await sleep(50);
      const { xruns: total, xrunsBy } = engine.stats();
      console.log(JSON.stringify({ xruns, total, xrunsBy }));
      await engine.close();`,
      );
      await until(() => one.said.stdout.includes('ready'));
      one.child.kill('SIGSTOP');
      await sleep(400);
      one.child.kill('SIGCONT');
      const { code, stdout } = await one.ended;
      assert.equal(code, 0);
      const { xruns, total, xrunsBy } = JSON.parse(stdout.trim().split('\n').at(-1));
      assert.equal(xruns[0].cause, 'scheduling');
      // 400 ms of 48 kHz, and less than that if the thread had just been woken.
      assert.ok(xruns[0].frames > 10_000 && xruns[0].frames < 100_000, `${xruns[0].frames} frames`);
      assert.equal(total, xrunsBy.overload + xrunsBy.scheduling + xrunsBy.disk + xrunsBy.device);
      assert.ok(xrunsBy.scheduling >= 1);
    }),
);
