// A real JACK server: what leaves through it is what render() gives, bit for bit; a note on a running engine is
// heard; the thread is the server's; and a server that dies is told.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { start, temporaryFolder } from './support/child.mjs';
import { noJack, record, withJack } from './support/jackd.mjs';
import { play, prepare } from './support/piece.mjs';
import { fromFirstSound, player } from './support/player.mjs';
import { firstSound, largestStep, offline, until } from './support/sound.mjs';
import { readIntegers, toIntegers } from './support/wav.mjs';

const options = { skip: noJack, timeout: 120_000 };
const folder = temporaryFolder();

/** What leaves through JACK while a program plays. */
async function capture(server, source) {
  const one = player(server, source);
  await one.ready;
  const ports = one.ports();
  assert.equal(ports.length, 2, `${server.ports()}`);
  const file = join(folder, `${server.name}.wav`);
  const recorder = await record(server, file, 4, ...ports);
  one.child.kill('SIGUSR2');
  const { code, stderr, stdout } = await one.ended;
  await recorder.ended;
  assert.deepEqual([code, stderr], [0, '']);
  return { ...readIntegers(readFileSync(file)), lines: stdout.trim().split('\n') };
}

test('what leaves through JACK is what render() gives, bit for bit', options, async () => {
  const { engine, sampler, instrument } = await offline();
  sampler.assign(0, null);
  instrument.unload();
  await prepare(sampler);
  play(sampler, 0.5);
  const rendered = fromFirstSound(engine.render(engine.sampleRate * 2));
  const piece = rendered.subarray(0, Math.round(1.4 * engine.sampleRate) * 2);
  assert.ok(
    piece.some((value) => value > 0.1) && piece.at(-1) === 0,
    'a piece from its first frame to silence',
  );
  // The recorder writes 32-bit integers. A float of 2⁻⁸ or more keeps all of its 24 bits in them, so there equal
  // integers are equal bits; only the quietest values are rounded.
  const whole = piece.filter((value) => Number.isInteger(value * 2 ** 31)).length;
  assert.ok(whole > 0.8 * piece.length, `${whole} of ${piece.length} values keep all their bits`);
  const expected = toIntegers(piece);
  // With both cores at work the recorder itself may lose a block: once more then.
  const attempt = () =>
    withJack({ period: 1024 }, async (server) => {
      const { channels, sampleRate, values } = await capture(
        server,
        `await new Promise((resolve) => setTimeout(resolve, 200));
        play(sampler, Math.ceil(engine.currentTime + 0.5));
        await sleep(3000);
        if (engine.stats().lateEvents + engine.stats().droppedEvents > 0) console.error('late');`,
      );
      assert.deepEqual([channels, sampleRate], [2, 48000]);
      const heard = fromFirstSound(values);
      const different = expected.findIndex((value, n) => value !== heard[n]);
      assert.equal(
        different,
        -1,
        `value ${different} is ${heard[different]}, expected ${expected[different]}`,
      );
      assert.equal(firstSound(heard.subarray(expected.length)), -1, 'nothing else was heard');
    });
  await attempt().catch(attempt);
});

test('a note on a running engine is heard', options, () =>
  withJack({ period: 256 }, async (server) => {
    const { values, lines } = await capture(
      server,
      `const ends = new Promise((resolve) => sampler.once('noteend', resolve));
      const id = sampler.noteOn(70, 127);
      await until(() => engine.stats().voices > 0);
      sampler.release(id);
      console.log((await ends).id === id);
      await sleep(100);`,
    );
    const at = firstSound(values);
    const peak = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 2 ** 31;
    assert.ok(at >= 0 && peak > 0.05 && peak < 1, `first sound at ${at}, peak ${peak}`);
    assert.equal(values.at(-1), 0);
    assert.equal(lines[1], 'true');
  }),
);

test('a process that exits while it sounds fades out, and leaves the server', options, () =>
  withJack({ period: 256 }, async (server) => {
    const { values } = await capture(
      server,
      `const held = sampler.createInstrument();
      held.setEnvelope({ attack: 0.05 });
      await held.addSample(constant(1000, 0.5), { loop: { start: 0, end: 1000 } });
      sampler.assign(9, held);
      sampler.noteOn(60, 127, undefined, 9);
      await until(() => engine.stats().voices > 0);
      await sleep(300);
      process.exit(0);`,
    );
    const level = 0.5 * Math.SQRT1_2 * 2 ** 31;
    const left = values.filter((_, n) => n % 2 === 0);
    assert.ok(Math.abs(Math.max(...left.subarray(0, 100_000)) / level - 1) < 1e-6, 'it has sounded');
    assert.equal(left.at(-1), 0);
    // Attack takes 50 ms, the fade at least 1: nowhere a step.
    const largest = largestStep(left);
    assert.ok(largest < level / 48, `a step of ${largest / level} of the level`);
    assert.deepEqual(
      server.ports().filter((port) => !port.startsWith('system:')),
      [],
      'no dead client',
    );
  }),
);

test('the audio thread is the server’s, with the priority that the server gave it', options, async () => {
  for (const realtime of [true, false]) {
    await withJack({ realtime, sampleRate: 44100, period: 128 }, async (server) => {
      const one = player(
        server,
        `const status = readFileSync('/proc/self/task/' + engine.realtime.threadId + '/stat', 'utf8');
        const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
        console.log(JSON.stringify([Number(fields[38]), Number(fields[37])]));`,
      );
      const ready = await one.ready;
      one.child.kill('SIGUSR2');
      const { code, stderr, stdout } = await one.ended;
      assert.deepEqual([code, stderr], [0, '']);
      const [policy, priority] = JSON.parse(stdout.trim().split('\n').at(-1));
      assert.deepEqual(
        [ready.policy, ready.priority],
        [['SCHED_OTHER', 'SCHED_FIFO', 'SCHED_RR'][policy], priority],
      );
      assert.deepEqual([ready.backend, ready.sampleRate, ready.bufferSize], ['jack', 44100, 128]);
      assert.ok(ready.device.length > 0 && ready.latency >= 0);
      // Where the kernel lets nobody have real-time priority, the server has none to give.
      if (realtime && serverIsRealtime(server.pid)) {
        assert.deepEqual([ready.granted, ready.via, ready.policy], [true, 'server', 'SCHED_FIFO']);
      }
      if (!realtime) assert.notEqual(ready.via, 'server');
    });
  }
});

/** Whether any thread of the server has real-time priority. */
function serverIsRealtime(pid) {
  const { stdout } = spawnSync('ps', ['-L', '-o', 'cls=', '-p', `${pid}`], { encoding: 'utf8' });
  return stdout.includes('FF');
}

/** Opens an engine on a server and tells what came of it. */
const opening = async (server, engineOptions) => {
  const { ended } = start(
    `try {
      const engine = new Engine(${JSON.stringify(engineOptions)});
      console.log(JSON.stringify({ backend: engine.backend, sampleRate: engine.sampleRate, bufferSize: engine.bufferSize }));
    } catch (error) {
      console.log(JSON.stringify({ name: error.constructor.name, code: error.code, message: error.message }));
    }`,
    { env: server.env },
  );
  const { stdout, stderr, code } = await ended;
  assert.deepEqual([code, stderr], [0, '']);
  return JSON.parse(stdout);
};

test('a rate that the server does not run at is converted', options, () =>
  withJack({ sampleRate: 48000, period: 256 }, async (server) => {
    const converted = await opening(server, { backend: 'jack', sampleRate: 44100 });
    assert.deepEqual(converted, { backend: 'jack', sampleRate: 44100, bufferSize: 235 }, '256 of 48000 Hz');
    const same = { backend: 'jack', sampleRate: 48000, bufferSize: 256 };
    assert.deepEqual(await opening(server, {}), same, 'auto finds the server');
    // A size is not worth an error: the server's is taken, and told.
    assert.deepEqual(await opening(server, { backend: 'jack', bufferSize: 64 }), same);
    const missing = await opening(server, { backend: 'jack', device: 'no such device' });
    assert.equal(missing.code, 'ERR_NO_DEVICE');
    assert.ok(missing.message.includes("'no such device'"), missing.message);
    // 441 Hz: a period of 100 frames that loops, and 108.84 frames of the server.
    const one = player(
      server,
      `const tone = sampler.createInstrument();
      await tone.addSample(Float32Array.from({ length: 1000 }, (_, n) => 0.5 * Math.sin((Math.PI * n) / 50)), {
        loop: { start: 0, end: 1000 }, pan: -1 });
      sampler.assign(3, tone);
      sampler.noteOn(60, 127, undefined, 3);
      await until(() => engine.stats().voices > 0);
      await sleep(2500);`,
      { backend: 'jack', sampleRate: 44100 },
    );
    assert.ok((await one.ready).latency > 0.001, 'the filter delays, too');
    const ports = one.ports();
    const file = join(folder, 'converted.wav');
    const recorder = await record(server, file, 3, ...ports);
    one.child.kill('SIGUSR2');
    await recorder.ended;
    const { code, stderr } = await one.ended;
    assert.deepEqual([code, stderr], [0, '']);
    const { values } = readIntegers(readFileSync(file));
    const left = values.filter((_, n) => n % 2 === 0);
    const second = left.subarray(firstSound(left) + 24_000).subarray(0, 48_000);
    const crossings = second.filter((value, n) => n > 0 && value >= 0 && second[n - 1] < 0).length;
    assert.ok(Math.abs(crossings - 441) <= 1, `${crossings} periods a second`);
    const peak = second.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 2 ** 31;
    assert.ok(Math.abs(peak / 0.5 - 1) < 1e-3, `peak ${peak}`);
    const fastest = (0.5 * 2 ** 31 * 2 * Math.PI * 441) / 48_000;
    assert.ok(largestStep(second) < 1.01 * fastest, 'a sine, with no step in it');
  }),
);

test('a server that dies is a lost device, once, and close comes back', options, () =>
  withJack({ period: 256 }, async (server) => {
    const one = player(
      server,
      `const lost = [];
      engine.on('devicelost', (event) => lost.push(event.message));
      sampler.noteOn(60);
      console.log('plays');
      await until(() => lost.length > 0);
      await sleep(200);
      console.log(JSON.stringify(lost));
      sampler.noteOn(60);
      await engine.close();
      console.log(engine.state);`,
    );
    await one.ready;
    one.child.kill('SIGUSR2');
    await until(() => one.said.stdout.includes('plays'), 'the note');
    server.kill();
    const { code, stderr, stdout } = await one.ended;
    assert.deepEqual([code, stderr], [0, '']);
    const [lost, state] = stdout.trim().split('\n').slice(-2);
    assert.equal(JSON.parse(lost).length, 1, lost);
    assert.equal(typeof JSON.parse(lost)[0], 'string');
    assert.equal(state, 'closed');
  }),
);

test('without a listener a lost device is a warning of the process, not its end', options, () =>
  withJack({ period: 256 }, async (server) => {
    const one = player(
      server,
      `const warnings = [];
      process.on('warning', ({ name, message }) => warnings.push([name, message]));
      console.log('plays');
      await until(() => warnings.length > 0);
      console.log(JSON.stringify(warnings));`,
    );
    await one.ready;
    one.child.kill('SIGUSR2');
    await until(() => one.said.stdout.includes('plays'), 'the program');
    server.kill();
    const { code, stdout } = await one.ended;
    assert.equal(code, 0);
    const warnings = JSON.parse(stdout.trim().split('\n').at(-1));
    assert.equal(warnings[0][0], 'IctusWarning');
    assert.ok(warnings[0][1].length > 10, warnings[0][1]);
  }),
);
