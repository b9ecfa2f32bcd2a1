// The audio thread itself: what priority it has, that its clock runs, that notes sent to it are heard. On the clock,
// which is a real audio thread without hardware.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Engine, Sampler } from '../lib/index.mjs';
import { ask } from './support/child.mjs';
import { throws } from './support/errors.mjs';
import { constant, retried, sleep, until } from './support/sound.mjs';

const linux = process.platform === 'linux' ? false : 'the kernel is asked through /proc';
const limit = { timeout: 60_000 };

/** Policy and priority of a thread of this process: fields 41 and 40 of proc_pid_stat(5). */
function kernelSays(threadId) {
  const stat = readFileSync(`/proc/self/task/${threadId}/stat`, 'utf8');
  // The second field is a name in brackets, with anything in it; the one after the bracket is the third.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const policy = ['SCHED_OTHER', 'SCHED_FIFO', 'SCHED_RR'][Number(fields[41 - 3])];
  return { policy, priority: Number(fields[40 - 3]) };
}

function said({ realtime }) {
  const { policy, priority } = realtime;
  return { policy, priority };
}

test('engine.realtime says what the kernel says, whatever was asked for', { skip: linux }, async () => {
  const wishes = [
    undefined,
    true,
    false,
    {},
    { policy: 'rr', priority: 11 },
    { policy: 'other' },
    { priority: 1 },
  ];
  for (const realtime of wishes) {
    const engine = new Engine({ backend: 'clock', realtime });
    const status = engine.realtime;
    assert.deepEqual(said(engine), kernelSays(status.threadId), JSON.stringify(realtime));
    assert.equal(status.granted, status.policy === 'SCHED_FIFO' || status.policy === 'SCHED_RR');
    // On a desktop whose kernel refuses, rtkit may have given it: SCHED_RR, 20 at most.
    if (status.via !== 'rtkit') {
      assert.equal(status.via, status.granted ? 'direct' : 'none');
      assert.equal(status.reason === undefined, status.granted);
      if (status.granted && realtime?.priority) assert.equal(status.priority, realtime.priority);
      if (status.granted) assert.equal(status.policy, realtime?.policy === 'rr' ? 'SCHED_RR' : 'SCHED_FIFO');
    }
    await engine.close();
    assert.match(engine.realtime.reason, /closed/);
    assert.equal(engine.realtime.policy, status.policy);
  }
});

test('with realtime: false or policy other nothing is asked for, and the reason says so', {
  skip: linux,
}, async () => {
  for (const realtime of [false, { policy: 'other' }]) {
    const engine = new Engine({ backend: 'clock', realtime });
    assert.deepEqual(said(engine), { policy: 'SCHED_OTHER', priority: 0 });
    assert.match(engine.realtime.reason, /not asked for/);
    await engine.close();
  }
});

test('the thread is the audio thread and its number is as ps lists it', { skip: linux }, async () => {
  const engine = new Engine({ backend: 'clock' });
  const { threadId } = engine.realtime;
  assert.ok(Number.isInteger(threadId) && threadId > 0 && threadId !== process.pid);
  assert.equal(readFileSync(`/proc/self/task/${threadId}/comm`, 'utf8'), 'ictus-clock\n');
  await engine.close();
});

// What rtkit does is tested in realtime-permission.test.mjs.
const noRtkit = { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nowhere' };
const setpriv = ['setpriv', '--bounding-set=-sys_nice', '--inh-caps=-sys_nice'];
const noSetpriv =
  linux ||
  (spawnSync(setpriv[0], [...setpriv.slice(1), 'true']).status === 0
    ? false
    : 'setpriv may not drop capabilities here');

test('denied by the kernel it plays on, and says why and what to do', {
  skip: noSetpriv,
  ...limit,
}, async () => {
  const { realtime, bufferSize, heard, limited } = await ask(
    `const { engine, sampler } = await playing(0.05, { backend: 'clock' });
    const ends = new Promise((resolve) => sampler.once('noteend', resolve));
    const id = sampler.noteOn(60);
    const heard = (await ends).id === id;
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const limited = /Max realtime priority +0 /.test(limits);
    console.log(JSON.stringify({ realtime: engine.realtime, bufferSize: engine.bufferSize, heard, limited }));`,
    { wrapper: setpriv, env: noRtkit },
  );
  assert.equal(heard, true);
  // With an RLIMIT_RTPRIO of its own the process needs no capability.
  if (!limited) return;
  assert.deepEqual(
    [realtime.granted, realtime.policy, realtime.priority, realtime.via],
    [false, 'SCHED_OTHER', 0, 'none'],
  );
  for (const word of ['EPERM', 'RLIMIT_RTPRIO is 0', 'log in again', 'ictus doctor']) {
    assert.ok(realtime.reason.includes(word), realtime.reason);
  }
  assert.equal(bufferSize, 512, 'a larger buffer, since it will be woken late');
});

test('denied and required is an error, and no thread stays behind', {
  skip: noSetpriv,
  ...limit,
}, async () => {
  const { name, code, message, left, limited } = await ask(
    `let told = {};
    try { new Engine({ backend: 'clock', realtime: { required: true } }); }
    catch (error) { told = { name: error.constructor.name, code: error.code, message: error.message }; }
    const limited = /Max realtime priority +0 /.test(readFileSync('/proc/self/limits', 'utf8'));
    await sleep(50);
    console.log(JSON.stringify({ ...told, left: threads('ictus'), limited }));`,
    { wrapper: setpriv, env: noRtkit },
  );
  if (!limited) return;
  assert.deepEqual([name, code, left], ['Error', 'ERR_REALTIME_DENIED', 0]);
  for (const word of ['required', 'EPERM', 'log in again']) assert.ok(message.includes(word), message);
});

test('the clock goes as fast as the machine’s', limit, async () => {
  for (const sampleRate of [44100, 96000]) {
    await retried(async () => {
      const engine = new Engine({ backend: 'clock', sampleRate, bufferSize: 64 });
      assert.deepEqual([engine.sampleRate, engine.bufferSize, engine.device], [sampleRate, 64, 'clock']);
      const [time, start] = [engine.currentTime, performance.now()];
      await sleep(1000);
      const ratio = (engine.currentTime - time) / ((performance.now() - start) / 1000);
      const { frames, callbacks, callback, load } = engine.stats();
      await engine.close();
      assert.ok(ratio > 0.9 && ratio < 1.1, `${ratio}`);
      assert.equal(frames, callbacks * 64, 'each callback is one buffer');
      assert.ok(callback.count > 0 && callback.max > 0 && load > 0 && load < 1);
    });
  }
});

test('a note on a running engine is heard, and its end told', limit, async () => {
  const engine = new Engine({ backend: 'clock' });
  const sampler = new Sampler({ engine });
  const instrument = sampler.createInstrument();
  await instrument.addSample(constant(engine.sampleRate), { loop: { start: 0, end: 1000 } });
  sampler.assign(0, instrument);
  const ended = [];
  sampler.on('noteend', ({ id }) => ended.push(id));
  const id = sampler.noteOn(60);
  await until(() => engine.stats().voices === 1, 'the note to sound');
  assert.deepEqual(ended, []);
  sampler.release(id);
  await until(() => ended.length > 0, 'its end');
  assert.deepEqual(ended, [id]);
  assert.equal(engine.stats().voices, 0);
  assert.equal(engine.stats().lateEvents, 0, 'now is never late');
  await engine.close();
});

test('a suspended clock stands until it is resumed', limit, async () => {
  const engine = new Engine({ backend: 'clock' });
  const sampler = new Sampler({ engine });
  engine.suspend();
  assert.equal(engine.state, 'suspended');
  // A fade of 5 ms and a few blocks, on a machine that may stall.
  let time;
  await retried(async () => {
    await sleep(100);
    time = engine.currentTime;
    await sleep(50);
    assert.equal(engine.currentTime, time);
  });
  sampler.noteOn(60, 100, time + 0.01);
  await sleep(50);
  assert.equal(engine.stats().silentNotes, 0);
  engine.resume();
  assert.equal(engine.state, 'running');
  await until(() => engine.stats().silentNotes === 1, 'the note that waited');
  assert.ok(engine.currentTime > time && engine.state === 'running');
  await engine.close();
  throws(() => engine.resume(), Error, 'ERR_CLOSED');
});
