// JACK servers with the dummy driver, each under a name of its own.
//
// JACK has eight places for servers on a machine, and one that is killed hard keeps its place until a server of the
// same name has come and gone. So servers are stopped with SIGTERM and waited for; where a test kills one, another of
// that name is started and stopped after it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { sleep, until } from './sound.mjs';

const has = (program) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
const missing = ['jackd', 'jack_rec', 'jack_lsp'].filter((program) => !has(program));

/** The reason for which no server can be started, or false; ICTUS_REQUIRE_SERVERS=1 makes that a failure. */
export const noJack =
  missing.length > 0 && process.env.ICTUS_REQUIRE_SERVERS !== '1' ? `not installed: ${missing}` : false;

let started = 0;

function launch(name, args) {
  const child = spawn('jackd', ['-n', name, ...args], { stdio: 'ignore' });
  child.ended = new Promise((resolve) => {
    child.once('exit', resolve).once('error', resolve);
  });
  return child;
}

async function stop(child) {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await child.ended;
  clearTimeout(timer);
}

/** Starts a server, runs the body with it, and stops it whatever happens. */
export async function withJack({ sampleRate = 48000, period = 1024, realtime = true }, body) {
  assert.deepEqual(missing, [], 'ICTUS_REQUIRE_SERVERS=1, and these are not installed');
  started += 1;
  const name = `ictus-js-${process.pid}-${started}`;
  const priority = realtime ? ['-R', '-P70'] : ['-r'];
  const begin = () => launch(name, [...priority, '-d', 'dummy', '-r', `${sampleRate}`, '-p', `${period}`]);
  let child = begin();
  const env = { JACK_DEFAULT_SERVER: name, JACK_NO_START_SERVER: '1' };
  const ports = () =>
    spawnSync('jack_lsp', {
      env: { ...process.env, ...env },
      encoding: 'utf8',
      // A client that opens while another does may hang for ever: then once more.
      timeout: 2000,
      killSignal: 'SIGKILL',
    })
      .stdout.trim()
      .split('\n');
  try {
    await until(() => ports().includes('system:playback_1'), 'jackd');
    const restart = async () => {
      await child.ended;
      child = begin();
      await until(() => ports().includes('system:playback_1'), 'jackd');
    };
    return await body({ name, env, ports, pid: child.pid, kill: () => child.kill('SIGKILL'), restart });
  } finally {
    const killed = child.killed && child.signalCode === 'SIGKILL';
    await stop(child);
    if (killed) {
      const other = launch(name, ['-r', '-d', 'dummy']);
      await sleep(500);
      await stop(other);
    }
    // What clients of a dead server leave.
    for (const file of readdirSync('/dev/shm')) {
      if (file.startsWith('jack_sem.') && file.includes(`_${name}_`))
        rmSync(join('/dev/shm', file), { force: true });
    }
  }
}

/** Records ports into a file of 32-bit floats. Returns when it is connected; the promise in it ends with the recorder. */
export async function record(server, file, seconds, ...ports) {
  const child = spawn('jack_rec', ['-f', file, '-d', `${seconds}`, '-b', '32', ...ports], {
    env: { ...process.env, ...server.env },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve, reject) => {
    child
      .once('error', reject)
      .once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`jack_rec: ${code}`))));
  });
  ended.catch(() => {});
  const connected = () =>
    spawnSync('jack_lsp', ['-c', ports[0]], { env: { ...process.env, ...server.env }, encoding: 'utf8' })
      .stdout.split('\n')
      .some((line) => line.startsWith('   ') && !line.includes('system:'));
  await until(connected, 'the recorder');
  return { ended };
}
