// How things end: closing, leaving scope, being forgotten, and the end of the process in every way there is. Each
// program runs in a process of its own, on the runtime that runs the tests.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import * as namespace from '../lib/index.mjs';
import { Engine, Sampler, version } from '../lib/index.mjs';
import { ask, run, start } from './support/child.mjs';
import { throws } from './support/errors.mjs';
import { constant, left, offline, until } from './support/sound.mjs';

const clock = `{ backend: 'clock' }`;
const limit = { timeout: 120_000 };

test('import and require give the same classes', () => {
  const cjs = createRequire(import.meta.url)('../lib/index.cjs');
  const { default: _, ...esm } = namespace;
  assert.deepEqual(Object.keys(cjs).sort(), Object.keys(esm).sort());
  for (const [name, value] of Object.entries(esm)) assert.equal(cjs[name], value, name);
  assert.match(version, /^\d+\.\d+\.\d+/);
});

test('close may be called twice, and gives the same promise', async () => {
  for (const backend of ['offline', 'clock']) {
    const engine = new Engine({ backend });
    const sampler = new Sampler({ engine });
    const states = [];
    engine.on('statechange', ({ state }) => states.push(state));
    const first = engine.close();
    assert.equal(engine.close(), first);
    assert.equal(engine.state, 'closed');
    assert.equal(await first, undefined);
    await engine.close();
    assert.deepEqual(states, ['closed']);
    assert.equal(sampler.close(), undefined);
    sampler.close();
  }
});

test('what leaves its scope is closed, where the runtime knows how', async () => {
  const { engine, sampler } = await offline();
  // Node 20 has no `using` and TypeScript writes it out like this.
  const dispose = Symbol.dispose;
  const asyncDispose = Symbol.asyncDispose;
  if (dispose) sampler[dispose]();
  else sampler.close();
  throws(() => sampler.noteOn(60), Error, 'ERR_CLOSED');
  if (asyncDispose) assert.equal(await engine[asyncDispose](), undefined);
  else await engine.close();
  assert.equal(engine.state, 'closed');
  assert.equal(typeof Sampler.prototype[dispose ?? 'close'], 'function');
  assert.equal(Object.keys(Object.getOwnPropertyDescriptors(Sampler.prototype)).includes('close'), true);
});

test('process.exit while it sounds ends with its code and without a word', limit, async () => {
  for (const code of [0, 3]) {
    const { seconds } = await run(
      `const { sampler } = await playing(30, ${clock});
      for (let n = 0; n < 50; n += 1) sampler.noteOn(40 + n, 100, n * 0.01);
      await sleep(100);
      process.exit(${code});`,
      { code },
    );
    assert.ok(seconds < 20, 'not when the notes are over');
  }
});

test('SIGTERM while it sounds ends the process by that signal', limit, async () => {
  const { child, ended, said } = start(
    `const { sampler } = await playing(60, ${clock});
    sampler.noteOn(60);
    console.log('sounds');`,
  );
  await until(() => said.stdout.includes('sounds'), 'the program to sound', 30_000);
  const killed = performance.now();
  child.kill('SIGTERM');
  const { signal, code, stderr } = await ended;
  assert.deepEqual([signal, code, stderr], ['SIGTERM', null, '']);
  assert.ok(performance.now() - killed < 20_000, 'not when the note is over');
});

test('an uncaught exception while it sounds ends with code 1 and its message', limit, async () => {
  const { stderr } = await run(
    `const { sampler } = await playing(30, ${clock});
    sampler.noteOn(60);
    setTimeout(() => { throw new Error('mine'); }, 50);`,
    { code: 1, quiet: false },
  );
  assert.match(stderr, /mine/);
});

test('a script that has scheduled its notes and ends stays until they have sounded', limit, async () => {
  const { stdout } = await run(
    `const { engine, sampler } = await playing(0.1, ${clock});
    const start = engine.currentTime + 0.1;
    for (let n = 0; n < 10; n += 1) sampler.noteOn(60, 100, start + n * 0.06);
    const last = start + 9 * 0.06 + 0.1;
    process.on('exit', () => {
      const { voices, silentNotes, droppedEvents } = engine.stats();
      console.log(JSON.stringify([engine.currentTime >= last, voices, silentNotes + droppedEvents]));
    });`,
  );
  assert.deepEqual(JSON.parse(stdout), [true, 0, 0]);
});

test('a silent engine, a suspended one, and one that has sounded keep no process', limit, async () => {
  const programs = {
    'nothing was played': `new Engine(${clock}); new Sampler({ engine: new Engine(${clock}) });`,
    'instruments, no notes': `await playing(1, ${clock});`,
    'it has sounded': `const { sampler } = await playing(0.05, ${clock}); sampler.noteOn(60);`,
    'a note without an instrument': `new Sampler({ engine: new Engine(${clock}) }).noteOn(60);`,
    'suspended with notes waiting': `const { engine, sampler } = await playing(100, ${clock});
      sampler.noteOn(60); sampler.noteOn(60, 100, 50); engine.suspend();`,
    'closed while it sounds': `const { engine, sampler } = await playing(100, ${clock}); sampler.noteOn(60); engine.close();`,
    'panic while it sounds': `const { engine, sampler } = await playing(100, ${clock}); sampler.noteOn(60); engine.panic();`,
    'listeners on everything': `const { engine, sampler } = await playing(0.05, ${clock});
      for (const name of ['xrun', 'devicelost', 'error', 'statechange']) engine.on(name, () => {});
      for (const name of ['noteend', 'steal']) sampler.on(name, () => {});
      sampler.noteOn(60);`,
  };
  for (const [what, source] of Object.entries(programs)) {
    const { seconds } = await run(source, { limit: 30_000 });
    assert.ok(seconds < 20, `${what}: ${seconds} s`);
  }
});

test('an event after the end of everything is not heard, and nothing crashes', limit, async () => {
  await run(
    `for (let round = 0; round < 20; round += 1) {
      const { engine, sampler } = await playing(0.01, ${clock});
      sampler.on('noteend', () => {});
      sampler.on('steal', () => {});
      for (let n = 0; n < 600; n += 1) sampler.noteOn(60);
      if (round % 2) await sleep(round);
      if (round % 3) sampler.close();
      engine.close();
    }
    process.on('exit', () => new Engine(${clock}));`,
  );
});

test('a sampler that nobody holds plays what was scheduled, and then goes', limit, async () => {
  const [peaks, dropped] = await ask(
    `const engine = new Engine({ backend: 'offline', limiter: false });
    await (async () => {
      for (let n = 0; n < 100; n += 1) {
        const sampler = new Sampler({ engine });
        const instrument = sampler.createInstrument();
        await instrument.addSample(constant(24000), { pan: -1 });
        sampler.assign(0, instrument);
        sampler.noteOn(60, 127, 0);
        sampler.noteOn(60, 127, 1 + n * 0.001);
      }
    })();
    engine.render(100);
    await collect();
    const peak = (frames) => engine.render(frames).reduce((most, value) => Math.max(most, value), 0);
    const peaks = [peak(100), peak(23000), peak(24000), peak(48000), peak(48000)];
    await collect();
    // Were their places not free again, the limit of 256 would be met.
    for (let n = 0; n < 250; n += 1) new Sampler({ engine });
    console.log(JSON.stringify([peaks, engine.stats().silentNotes]));`,
  );
  assert.deepEqual(peaks, [100, 100, 100, 100, 0]);
  assert.equal(dropped, 0);
});

test('an instrument that nobody holds sounds on, on the channels it was assigned to', limit, async () => {
  const levels = await ask(
    `const engine = new Engine({ backend: 'offline', limiter: false });
    const sampler = new Sampler({ engine });
    await (async () => {
      const instrument = sampler.createInstrument();
      await instrument.addSample(constant(1000), { pan: -1 });
      for (const channel of [0, 1]) sampler.assign(channel, instrument);
      sampler.assign(1, null, 0.5);
    })();
    await collect();
    const levels = [];
    for (const time of [0, 0.25, 0.75]) for (const channel of [0, 1]) sampler.noteOn(60, 127, time, channel);
    const out = engine.render(48000);
    await collect();
    console.log(JSON.stringify([out[0], out[24000], out[72000]]));`,
  );
  assert.deepEqual(levels, [2, 2, 1]);
});

/** Makes engines that nobody holds, in various states, and waits until no thread of theirs is left. */
const forgotten = (make) =>
  run(
    `await (async () => { for (let n = 0; n < 5; n += 1) { ${make} } })();
    await until(async () => {
      await collect();
      return threads('ictus') === 0;
    });`,
  );

test('engines that nobody holds close by themselves once they are silent', limit, async () => {
  await forgotten(`const { sampler } = await playing(0.1, ${clock}); sampler.noteOn(60);`);
  await forgotten(`new Engine({ backend: 'offline' });`);
});

test('an offline engine that nobody holds goes though its notes will never be heard', limit, async () => {
  await forgotten(
    `const { engine, sampler } = await playing(1, { backend: 'offline' }); sampler.noteOn(60); engine.render(1);`,
  );
});

test('a suspended engine that nobody holds goes though notes wait for its clock', limit, async () => {
  await forgotten(
    `const { engine, sampler } = await playing(1, ${clock});
    sampler.noteOn(60, 100, engine.currentTime + 100);
    engine.suspend();
    await sleep(100);`,
  );
});

test('a hundred engines, one after another, leave no thread and little memory', limit, async () => {
  const { before, after, grown } = await ask(
    `const one = async () => {
      const { engine, sampler } = await playing(0.5, ${clock});
      sampler.noteOn(60);
      await engine.close();
    };
    for (let n = 0; n < 10; n += 1) await one();
    await until(() => threads('ictus') === 0);
    const count = () => readdirSync('/proc/self/task').length;
    await collect();
    const [before, memory] = [count(), process.memoryUsage().rss];
    for (let n = 0; n < 100; n += 1) {
      await one();
      if (n % 10 === 9) await collect();
    }
    await until(() => threads('ictus') === 0);
    await collect();
    console.log(JSON.stringify({ before, after: count(), grown: (process.memoryUsage().rss - memory) / 2 ** 20 }));`,
  );
  // Runtimes start a few threads of their own when they like.
  assert.ok(after <= before + 4, `${before} threads before, ${after} after`);
  // An engine has about 5 MiB: a leak of all would be 500.
  assert.ok(grown < 150, `${grown} MiB more`);
});

test(
  'three hundred samplers in turn are no problem, more than 256 at a time are one that passes',
  limit,
  async () => {
    for (const backend of ['offline', 'clock']) {
      const engine = new Engine({ backend });
      for (let n = 0; n < 300; n += 1) {
        // On a device the place is free when the audio thread has given it back.
        const sampler = await until(() => attempt(engine), 'a place for a sampler');
        sampler.noteOn(60);
        sampler.close();
      }
      const open = [];
      for (let n = 0; n < 256; n += 1) open.push(await until(() => attempt(engine), 'a place for a sampler'));
      throws(() => new Sampler({ engine }), Error, 'ERR_LIMIT', '256 samplers', 'close()');
      open[100].close();
      await until(() => attempt(engine), 'the place of the one that was closed');
      await engine.close();
    }
  },
);

function attempt(engine) {
  try {
    return new Sampler({ engine });
  } catch (error) {
    if (error.code !== 'ERR_LIMIT') throw error;
    return undefined;
  }
}

test('instruments come and go by the thousand', async () => {
  const { engine, sampler } = await offline();
  for (let n = 0; n < 3000; n += 1) {
    const instrument = sampler.createInstrument();
    sampler.assign(n % 16, instrument);
    instrument.unload();
    if (n % 100 === 0) engine.render(1);
  }
  const last = sampler.createInstrument();
  await last.addSample(constant(10), { pan: -1 });
  sampler.assign(0, last);
  sampler.noteOn(60, 127);
  assert.equal(left(engine, 1)[0], 1);
});

test('what was collected while it loaded does no harm', limit, async () => {
  await run(
    `for (let n = 0; n < 30; n += 1) {
      const engine = new Engine({ backend: n % 2 ? 'clock' : 'offline' });
      const sampler = new Sampler({ engine });
      sampler.load(constant(100000)).catch(() => {});
      sampler.createInstrument().addSample(constant(100000)).catch(() => {});
      if (n % 3 === 0) engine.close();
    }
    await collect();`,
  );
});

test('who waits for the end of a note hears it, though nobody holds the sampler', limit, async () => {
  const { id } = await ask(
    `const wait = async () => {
      const { engine, sampler } = await playing(0.05, ${clock});
      const end = new Promise((resolve) => sampler.once('noteend', resolve));
      sampler.noteOn(60, 100, engine.currentTime + 0.5);
      return end;
    };
    const end = wait();
    for (let n = 0; n < 5; n += 1) { await sleep(20); await collect(); }
    console.log(JSON.stringify(await end));`,
  );
  assert.equal(id, 1);
});
