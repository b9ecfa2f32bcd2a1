// worker_threads: engines of a worker's own, one engine for several, and workers that end in every way there is.
// Each program runs in a process of its own; a crash of it is a failure of the test.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, program, run } from './support/child.mjs';

const limit = { timeout: 120_000 };
const clock = { env: { ICTUS_BACKEND: 'clock' } };

/** Makes workers of this source; `say` sends to the one who made it. Only the main program has the package, too. */
const head = (worker) => `
import { Worker } from 'node:worker_threads';
const file = ${JSON.stringify(
  program(`import { parentPort, workerData } from 'node:worker_threads';
const say = (value) => parentPort.postMessage(value);
${worker}`),
)};
const start = (workerData) => new Worker(file, { workerData });
const heard = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
const ended = (worker) => new Promise((resolve) => worker.once('exit', resolve));
`;

test('a worker has engines of its own, which render the same bits', limit, async () => {
  const render = `const sound = async (rate) => {
    const { engine, sampler } = await playing(1, { backend: 'offline', sampleRate: rate });
    sampler.noteOn(61.3, 99, 0.01);
    return Array.from(engine.render(2000));
  };`;
  const same = await ask(
    `${head(`${render} say(await sound(workerData));`)}${render}
    const rates = [44100, 48000, 96000];
    const theirs = await Promise.all(rates.map((rate) => heard(start(rate))));
    const ours = await Promise.all(rates.map(sound));
    console.log(JSON.stringify(ours.map((values, n) => values.some((value) => value !== 0)
      && values.every((value, at) => Object.is(value, theirs[n][at])))));`,
  );
  assert.deepEqual(same, [true, true, true]);
});

test(
  'several workers and the main thread play on one default engine, and no note is lost',
  limit,
  async () => {
    // On channels without an instrument every note that gets its turn is counted by the engine.
    const notes = 2000;
    const play = `const play = async () => {
    const engine = Engine.default();
    const sampler = new Sampler();
    let zeros = 0;
    for (let n = 0; n < ${notes}; n += 1) {
      if (sampler.noteOn(n % 128, 100, n % 2 ? undefined : engine.currentTime + 0.05, n % 16) === 0) zeros += 1;
      if (n % 100 === 0) await sleep(1);
    }
    await sleep(200);
    return [engine.backend, engine.realtime.threadId, zeros];
  };`;
    const { told, silentNotes, droppedEvents, threads } = await ask(
      `${head(`${play} say(await play());`)}${play}
    const engine = Engine.default();
    const workers = Array.from({ length: 4 }, () => start());
    const told = await Promise.all([play(), ...workers.map(heard)]);
    await until(() => engine.stats().silentNotes >= ${5 * notes}, 5000).catch(() => {});
    const { silentNotes, droppedEvents } = engine.stats();
    console.log(JSON.stringify({ told, silentNotes, droppedEvents, threads: threads('ictus-clock') }));`,
      clock,
    );
    assert.deepEqual(told, Array(5).fill(told[0]), 'the same engine, and no id of 0');
    assert.deepEqual([told[0][0], told[0][2]], ['clock', 0]);
    assert.deepEqual([silentNotes, droppedEvents, threads], [5 * notes, 0, 1]);
  },
);

test('notes of a worker that ends are played all the same', limit, async () => {
  const counted = await ask(
    `${head(`
      const engine = Engine.default();
      const own = new Sampler();
      for (let n = 0; n < 100; n += 1) own.noteOn(60, 100, engine.currentTime + 0.5 + n * 0.001);
      say('sent');
      process.exit(0);`)}
    const engine = Engine.default();
    const worker = start();
    const gone = ended(worker);
    await Promise.all([heard(worker), gone]);
    await until(() => engine.stats().silentNotes >= 100);
    await sleep(100);
    console.log(JSON.stringify([engine.stats().silentNotes, engine.state]));`,
    clock,
  );
  assert.deepEqual(counted, [100, 'running']);
});

test('a worker terminated in the middle of its notes takes nobody along', limit, async () => {
  const { sounded, state, dropped } = await ask(
    `${head(`
      const sampler = new Sampler();
      sampler.on('noteend', () => {});
      const instrument = sampler.createInstrument();
      await instrument.addSample(constant(100));
      sampler.assign(0, instrument);
      say('plays');
      for (;;) sampler.noteOn(60, 1);`)}
    const engine = Engine.default();
    for (let round = 0; round < 5; round += 1) {
      const worker = start();
      await heard(worker);
      await sleep(20);
      await worker.terminate();
    }
    await until(() => engine.stats().voices === 0);
    const sampler = new Sampler();
    const instrument = sampler.createInstrument();
    await instrument.addSample(constant(1000));
    sampler.assign(0, instrument);
    const ends = new Promise((resolve) => sampler.once('noteend', resolve));
    const id = sampler.noteOn(60);
    const end = await ends;
    console.log(JSON.stringify({ sounded: end.id === id, state: engine.state, dropped: engine.stats().malformedRecords }));`,
    clock,
  );
  assert.deepEqual({ sounded, state, dropped }, { sounded: true, state: 'running', dropped: 0 });
});

for (const [how, last] of [
  ['ends', ''],
  ['exits', 'process.exit(0);'],
  ['throws', 'throw new Error("mine");'],
]) {
  test(
    `the package in a worker alone, which ${how} while it sounds, leaves the process whole`,
    limit,
    async () => {
      const worker = program(
        `import { parentPort } from 'node:worker_threads';
      const { engine, sampler } = await playing(0.3, { backend: 'clock' });
      sampler.on('noteend', () => {});
      sampler.noteOn(60);
      parentPort.postMessage(engine.state);
      ${last}`,
      );
      const { stdout } = await run(
        `import { Worker } from 'node:worker_threads';
      for (let round = 0; round < 4; round += 1) {
        const worker = new Worker(${JSON.stringify(worker)});
        worker.on('error', () => {});
        await new Promise((resolve) => worker.once('exit', resolve));
        // Long enough for any thread that was left behind to trip over what is gone.
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
      console.log('whole');`,
        { withPrelude: false },
      );
      assert.equal(stdout, 'whole\n');
    },
  );
}

test('twenty workers come and go in turn, terminated or not', limit, async () => {
  const { left, states } = await ask(
    `${head(`
      const engine = Engine.default();
      const own = new Engine({ backend: 'clock' });
      const sampler = new Sampler({ engine: own });
      sampler.on('noteend', () => {});
      sampler.noteOn(60, 100);
      say(engine.state);
      if (workerData % 2) setInterval(() => sampler.noteOn(60), 1);`)}
    const engine = Engine.default();
    const states = [];
    for (let n = 0; n < 20; n += 1) {
      const worker = start(n);
      const gone = ended(worker);
      states.push(await heard(worker));
      if (n % 2) await worker.terminate();
      await gone;
    }
    const left = await until(() => threads('ictus-clock') === 1);
    console.log(JSON.stringify({ left, states }));`,
    clock,
  );
  assert.equal(left, true, 'only the default engine’s thread is left');
  assert.deepEqual(states, Array(20).fill('running'));
});

test('workers that load, add samples and are terminated meanwhile do no harm', limit, async () => {
  await run(
    `${head(`
      const sampler = new Sampler();
      const instrument = sampler.createInstrument();
      sampler.assign(0, instrument);
      for (let n = 0; n < 200; n += 1) {
        instrument.addSample(constant(20000)).catch(() => {});
        sampler.load(constant(20000), { onProgress() {} }).catch(() => {});
      }
      say('busy');`)}
    for (let n = 0; n < 6; n += 1) {
      const worker = start();
      await heard(worker);
      await sleep(n * 5);
      await worker.terminate();
    }`,
    clock,
  );
});
