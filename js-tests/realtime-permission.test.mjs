// Who may have what: priority, a core, locked memory; for root and for an ordinary user, granted, denied, and by rtkit.
// Permissions belong to a process, so each case is a program of its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Engine } from '../lib/index.mjs';
import { ask, isBun, temporaryFolder } from './support/child.mjs';
import { outOfRange } from './support/errors.mjs';
import { noRtkit, withRtkit } from './support/rtkit.mjs';

const limit = { timeout: 120_000 };
const linux = process.platform === 'linux';
const works = (words) => spawnSync(words[0], [...words.slice(1), 'true']).status === 0;
const without = (capability) => ['setpriv', `--bounding-set=-${capability}`, `--inh-caps=-${capability}`];
const user = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const skip = (words) => (linux && works(words) ? false : `not possible here: ${words.join(' ')}`);

// Another user may not be able to read the checkout, nor the runtime.
const folder = temporaryFolder();
const root = new URL('..', import.meta.url).pathname;
let copied = false;
function copy() {
  if (!copied) {
    chmodSync(folder, 0o755);
    cpSync(join(root, 'lib'), join(folder, 'lib'), { recursive: true });
    for (const name of readdirSync(root)) {
      if (/\.node$|^package\.json$/.test(name)) copyFileSync(join(root, name), join(folder, name));
    }
    mkdirSync(join(folder, 'bin'));
    copyFileSync(process.execPath, join(folder, 'bin', 'runtime'));
    chmodSync(join(folder, 'bin', 'runtime'), 0o755);
    copied = true;
  }
  return { lib: join(folder, 'lib', 'index.cjs'), runtime: join(folder, 'bin', 'runtime') };
}

/** Opens an engine as another user and tells its status. */
function asUser(wrapper, realtime = {}, env = {}) {
  const { lib, runtime } = copy();
  const source = `const { Engine } = require(${JSON.stringify(lib)});
    let told;
    try {
      const engine = new Engine({ backend: 'clock', realtime: ${JSON.stringify(realtime)} });
      const stat = require('fs').readFileSync('/proc/self/task/' + engine.realtime.threadId + '/stat', 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      told = { ...engine.realtime, kernel: [Number(fields[38]), Number(fields[37])], uid: process.getuid() };
    } catch (error) { told = { code: error.code, message: error.message }; }
    console.log(JSON.stringify(told));
    process.exit(0);`;
  const args = isBun ? ['-e', source] : ['--no-warnings', '-e', source];
  const { NODE_OPTIONS, NODE_TEST_CONTEXT, ...outer } = process.env;
  const { stdout, stderr, status } = spawnSync(wrapper[0], [...wrapper.slice(1), runtime, ...args], {
    cwd: '/',
    env: { ...outer, HOME: folder, ...env },
    encoding: 'utf8',
  });
  assert.deepEqual([status, stderr], [0, ''], stdout + stderr);
  return JSON.parse(stdout);
}

test('an ordinary user with CAP_SYS_NICE is granted what was asked for', {
  skip: skip([...user, '--inh-caps=+sys_nice', '--ambient-caps=+sys_nice']),
  ...limit,
}, () => {
  const wrapper = [...user, '--inh-caps=+sys_nice', '--ambient-caps=+sys_nice'];
  const told = asUser(wrapper, { priority: 33, required: true });
  assert.deepEqual(
    [told.uid, told.policy, told.priority, told.granted, told.via, told.reason],
    [65534, 'SCHED_FIFO', 33, true, 'direct', undefined],
  );
  assert.deepEqual(told.kernel, [1, 33]);
});

test('an ordinary user without it is denied, told why, and stopped only where it is required', {
  skip: skip([...without('sys_nice'), ...user.slice(1)]),
  ...limit,
}, () => {
  const wrapper = [...without('sys_nice'), ...user.slice(1)];
  // No bus: what rtkit would say is tested below.
  const env = { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nowhere' };
  const told = asUser(wrapper, {}, env);
  // Where this user has an RLIMIT_RTPRIO nothing is denied.
  if (told.granted) return;
  assert.deepEqual([told.uid, told.policy, told.via, told.kernel], [65534, 'SCHED_OTHER', 'none', [0, 0]]);
  for (const word of ['EPERM', 'RLIMIT_RTPRIO', 'no system bus', 'ictus doctor']) {
    assert.ok(told.reason.includes(word), told.reason);
  }
  const refused = asUser(wrapper, { required: true }, env);
  assert.equal(refused.code, 'ERR_REALTIME_DENIED');
  assert.ok(refused.message.includes('EPERM'), refused.message);
});

test('what the kernel refuses rtkit gives, and the status says so', { skip: noRtkit, ...limit }, async () => {
  await withRtkit(async (env) => {
    const told = await ask(
      `const engine = new Engine({ backend: 'clock', realtime: { required: true } });
      const stat = readFileSync('/proc/self/task/' + engine.realtime.threadId + '/stat', 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const rttime = /Max realtime timeout +(\\d+) +(\\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'));
      console.log(JSON.stringify({ ...engine.realtime, bufferSize: engine.bufferSize,
        kernel: [Number(fields[38]), Number(fields[37])], rttime: rttime.slice(1).map(Number) }));
      await engine.close();`,
      { env, wrapper: without('sys_nice') },
    );
    assert.deepEqual(
      [told.policy, told.priority, told.granted, told.via, told.kernel],
      ['SCHED_RR', 20, true, 'rtkit', [2, 20]],
    );
    assert.match(told.reason, /priority 20 instead of 70: rtkit/);
    assert.deepEqual(told.rttime, [150_000, 200_000]);
    assert.equal(told.bufferSize, 128);
  });
});

test('where rtkit refuses, too, its reason is told', { skip: noRtkit, ...limit }, async () => {
  await withRtkit((env) => {
    const told = asUser([...without('sys_nice'), ...user.slice(1)], {}, env);
    if (told.via === 'direct') return;
    assert.deepEqual([told.granted, told.via], [false, 'none']);
    assert.ok(told.reason.includes('polkit does not allow'), told.reason);
  });
});

test('the audio thread stays on the core that it was given', { skip: !linux && 'Linux only' }, async () => {
  const own = spawnSync('taskset', ['-pc', `${process.pid}`], { encoding: 'utf8' });
  if (own.status !== 0) return;
  const list = /: (.+)$/m.exec(own.stdout)[1];
  const first = Number(/\d+/.exec(list)[0]);
  const engine = new Engine({ backend: 'clock', realtime: { cpu: first } });
  assert.equal(engine.realtime.cpu, first);
  const { stdout } = spawnSync('taskset', ['-pc', `${engine.realtime.threadId}`], { encoding: 'utf8' });
  assert.ok(stdout.trim().endsWith(`: ${first}`), stdout);
  await engine.close();
  if (cpus().length > 1 && list !== `${first}`) {
    const free = new Engine({ backend: 'clock' });
    assert.equal(free.realtime.cpu, null);
    await free.close();
  }
});

test('a core that is not there is a wrong argument', { skip: !linux && 'Linux only' }, () => {
  outOfRange(() => new Engine({ backend: 'clock', realtime: { cpu: 1023 } }), 'realtime.cpu', 'got 1023');
  outOfRange(() => new Engine({ backend: 'offline', realtime: { cpu: 1024 } }), 'cpu', '1023', 'got 1024');
});

const withMemlock = (bytes) => [...without('ipc_lock'), 'prlimit', `--memlock=${bytes}:${bytes}`];

/** Opens and closes engines and tells what was locked meanwhile; the kernel's word in kB beside ours in bytes. */
const locking = (bytes, lockMemory = true) =>
  ask(
    `const kernel = () => Number(/VmLck:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
    const before = kernel();
    const { engine, sampler, instrument } = await playing(60, { backend: 'clock', realtime: { lockMemory: ${lockMemory} } });
    const full = [engine.realtime.memoryLocked, kernel()];
    instrument.unload();
    await until(() => { engine.stats(); return engine.realtime.memoryLocked < full[0] || full[0] === 0 || ${bytes} < 2e7; });
    const unloaded = [engine.realtime.memoryLocked, kernel()];
    await engine.close();
    const other = new Engine({ backend: 'offline' });
    await collect();
    console.log(JSON.stringify({ before, full, unloaded, after: other.realtime.memoryLocked }));`,
    { wrapper: bytes === undefined ? [] : withMemlock(bytes) },
  );

const ofThis = (file, pattern) => (linux ? (pattern.exec(readFileSync(file, 'utf8'))?.[1] ?? '0') : '0');
const mayLock =
  (BigInt(`0x${ofThis('/proc/self/status', /CapEff:\s+(\w+)/)}`) & (1n << 14n)) !== 0n ||
  !(Number(ofThis('/proc/self/limits', /Max locked memory +(\w+)/)) < 32 << 20);
const noLimits = skip(withMemlock(8 << 20));

test('with room for it the engine and all of its samples are locked, until they go', {
  skip: mayLock ? false : 'neither CAP_IPC_LOCK nor a limit above 32 MiB here',
  ...limit,
}, async () => {
  const { before, full, unloaded } = await locking();
  assert.equal(before, 0);
  assert.equal(full[0], full[1], 'what the kernel says');
  // 60 s of mono floats at 48 kHz: 11.5 MB, and an engine beside it.
  assert.ok(full[0] > 60 * 48000 * 4 + (1 << 20), `${full[0]}`);
  assert.equal(unloaded[0], unloaded[1]);
  assert.ok(unloaded[0] < full[0] - 60 * 48000 * 4 + (1 << 16), `${unloaded[0]}`);
});

test('within the 8 MiB of an ordinary user what matters most is locked', {
  skip: noLimits,
  ...limit,
}, async () => {
  const { full } = await locking(8 << 20);
  assert.equal(full[0], full[1]);
  assert.ok(full[0] > 7 << 20 && full[0] <= 8 << 20, `${full[0]}`);
});

test('without permission, and where it is not wanted, nothing is locked and all plays on', {
  skip: noLimits,
  ...limit,
}, async () => {
  assert.deepEqual((await locking(0)).full, [0, 0]);
  assert.deepEqual((await locking(8 << 20, false)).full, [0, 0]);
});
