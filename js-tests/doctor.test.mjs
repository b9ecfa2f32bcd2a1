// doctor(), and the command line with `ictus doctor` and `ictus devices`: what the report says is what the machine is, whoever asks and however it is shown. What each
// check makes of other machines is tested on recorded trees, in src/control/doctor.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import test from 'node:test';
import { devices, doctor, Engine, version } from '../lib/index.mjs';
import { ask } from './support/child.mjs';
import { rejects } from './support/errors.mjs';

const limit = { timeout: 60_000 };
const linux = process.platform === 'linux' ? false : 'there is nothing to look at elsewhere';
const cli = new URL('../lib/cli.cjs', import.meta.url).pathname;
const has = (program) =>
  process.env.PATH.split(delimiter).some((folder) => existsSync(join(folder, program)));

/** Runs the command line on the runtime of the tests. */
function ictus(args, { wrapper = [], env = {} } = {}) {
  const { NODE_OPTIONS, NODE_TEST_CONTEXT, FORCE_COLOR, NO_COLOR, ...outer } = process.env;
  const words = [...wrapper, process.execPath, cli, ...args];
  const { status, stdout, stderr, error } = spawnSync(words[0], words.slice(1), {
    encoding: 'utf8',
    env: { ...outer, ...env },
  });
  assert.equal(error, undefined);
  return { status, stdout, stderr };
}

const check = (report, id) => report.checks.find((one) => one.id === id);

test('the report has every check once, each with what was found and what is wanted', {
  skip: linux,
  ...limit,
}, async () => {
  const report = await doctor({ measure: 0.5 });
  const ids = report.checks.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of [
    ...[
      'realtime',
      'rtprio',
      'capabilities',
      'rtkit',
      'groups',
      'memlock',
      'kernel',
      'preemption',
      'scheduler',
    ],
    ...['throttling', 'cgroup', 'irqs', 'timers', 'clocksource', 'governor', 'idle', 'isolation', 'virtual'],
    ...['audio', 'libraries', 'jitter'],
  ]) {
    assert.ok(ids.includes(id), id);
  }
  for (const { id, status, found, wanted, fix } of report.checks) {
    assert.ok(['ok', 'warn', 'fail', 'unknown'].includes(status), `${id}: ${status}`);
    assert.ok(found.length > 0 && wanted.length > 0, id);
    if (status === 'ok' || status === 'unknown') assert.equal(fix, undefined, id);
  }
  assert.equal(
    report.ok,
    report.checks.every(({ status }) => status !== 'fail'),
  );
  assert.ok(
    check(report, 'kernel').found.includes(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()),
  );
  // 0.5 s ÷ (64 ÷ 48000).
  assert.equal(report.jitter.count, 375);
  assert.equal(report.jitterWithout?.count ?? 375, 375);
});

test('what it says of priority is what an engine gets', { skip: linux, ...limit }, async () => {
  const report = await doctor({ measure: 0 });
  const engine = new Engine({ backend: 'clock' });
  const { granted, policy, priority } = engine.realtime;
  await engine.close();
  assert.equal(check(report, 'realtime').status, granted ? 'ok' : 'fail');
  if (granted) assert.ok(check(report, 'realtime').found.startsWith(`${policy} ${priority}, `));
  assert.deepEqual([report.jitter, report.jitterWithout, check(report, 'jitter')], [null, null, undefined]);
});

test('in words it names every check and draws both histograms', { skip: linux, ...limit }, async () => {
  const report = await doctor({ measure: 0.2 });
  const text = String(report);
  assert.ok(!text.includes('\x1b'));
  for (const { id, found, fix } of report.checks) {
    assert.ok(text.includes(id) && text.includes(found), id);
    for (const line of fix?.split('\n') ?? []) assert.ok(text.includes(line), line);
  }
  assert.ok(text.includes('█') && text.includes('99.9 %'));
  assert.equal(text.split(' 50 %:').length - 1, report.jitterWithout === null ? 1 : 2);
  assert.ok(!Object.keys(report).includes('toString'));
});

test('wrong options are met with the right ones', async () => {
  await rejects(() => doctor({ measure: -1 }), RangeError, 'ERR_INVALID_ARGUMENT', 'from 0 to 600', 'got -1');
  await rejects(() => doctor({ measure: 'long' }), TypeError, 'ERR_INVALID_ARGUMENT', 'measure');
  await rejects(() => doctor({ mesure: 1 }), TypeError, 'ERR_INVALID_ARGUMENT', "did you mean 'measure'?");
});

const setpriv = ['setpriv', '--bounding-set=-sys_nice,-ipc_lock', '--inh-caps=-sys_nice,-ipc_lock'];
const noSetpriv =
  linux ||
  (spawnSync(setpriv[0], [...setpriv.slice(1), 'true']).status === 0
    ? false
    : 'setpriv may not drop capabilities here');

test('who is denied is told why and what to type', { skip: noSetpriv, ...limit }, async () => {
  const report = await ask(
    `const { doctor } = await import(${JSON.stringify(new URL('../lib/index.mjs', import.meta.url).href)});
    console.log(JSON.stringify(await doctor({ measure: 0.1 })));`,
    { wrapper: setpriv, env: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nowhere' } },
  );
  // With an RLIMIT_RTPRIO of its own the process needs no capability.
  if (check(report, 'realtime').status === 'ok') return;
  assert.equal(report.ok, false);
  assert.equal(check(report, 'realtime').status, 'fail');
  assert.ok(check(report, 'realtime').found.includes('EPERM'));
  for (const id of ['realtime', 'rtprio', 'capabilities']) {
    assert.ok(/usermod|setcap|realtime-privileges|configuration.nix/.test(check(report, id).fix), id);
  }
  assert.ok(report.jitter.count === 75 && report.jitterWithout === null, 'one thread, without priority');
});

test('the command prints the report and nothing else, and its exit code says whether all is well', {
  skip: linux,
  ...limit,
}, () => {
  const { status, stdout, stderr } = ictus(['doctor', '--measure', '0.1', '--json']);
  const report = JSON.parse(stdout);
  assert.deepEqual([status, stderr], [report.ok ? 0 : 1, '']);
  assert.equal(report.jitter.count, 75);
  const text = ictus(['doctor', '--measure=0']);
  assert.equal(text.stderr, '');
  assert.ok(text.stdout.includes('realtime') && !text.stdout.includes('█'));
  assert.ok(!text.stdout.includes('\x1b'), 'no colour in a pipe');
});

test('there is colour on a terminal, unless nobody wants it', {
  skip: linux || (has('script') ? false : 'script (util-linux) makes the terminal'),
  ...limit,
}, () => {
  const onTerminal = (env) => {
    const command = `"${process.execPath}" "${cli}" doctor --measure 0`;
    const { NO_COLOR, NODE_OPTIONS, NODE_TEST_CONTEXT, ...outer } = process.env;
    return spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      env: { ...outer, TERM: 'xterm', ...env },
    }).stdout;
  };
  assert.ok(onTerminal({}).includes('\x1b[32m'));
  assert.ok(!onTerminal({ NO_COLOR: '1' }).includes('\x1b['));
});

test('the devices that it lists are those of devices()', limit, async () => {
  const found = await devices();
  const { status, stdout, stderr } = ictus(['devices', '--json']);
  assert.deepEqual([status, stderr], [0, '']);
  assert.deepEqual(JSON.parse(stdout), found);
  const table = ictus(['devices']).stdout.trim().split('\n');
  assert.match(table[0], /^backend +id +name +channels +Hz +frames$/);
  assert.equal(table.length, found.length + 2);
  for (const [n, { backend, id, isDefault }] of found.entries()) {
    const line = table[n + 2];
    assert.ok(line.startsWith(`${backend}${isDefault ? ' *' : ''} `) && line.includes(id), line);
  }
});

test(
  'every command has help with examples, and a wrong command line is told apart from a failure',
  limit,
  () => {
    const all = ictus(['--help']);
    assert.deepEqual([all.status, all.stderr], [0, '']);
    const commands = [...all.stdout.matchAll(/^ {2}(\w+) {2,}\S/gm)].map(([, name]) => name);
    assert.ok(commands.includes('doctor'));
    for (const command of commands) {
      const { status, stdout, stderr } = ictus([command, '--help']);
      assert.deepEqual([status, stderr], [0, ''], command);
      for (const word of [`ictus ${command}`, 'Examples', 'Exit codes'])
        assert.ok(stdout.includes(word), command);
    }
    for (const [args, ...words] of [
      [[], 'ictus <command>'],
      [['docter'], 'no command "docter"', 'did you mean "doctor"?'],
      [['toString'], 'no command "toString"'],
      [['doctor', '--jsno'], '--jsno', 'ictus doctor --help'],
      [['doctor', '--measure', 'long'], '--measure must be a number from 0 to 600, got "long"'],
      [['doctor', 'now'], 'now', 'ictus doctor --help'],
    ]) {
      const { status, stdout, stderr } = ictus(args);
      assert.deepEqual([status, stdout], [2, ''], args.join(' '));
      for (const word of words) assert.ok(stderr.includes(word), stderr);
    }
    assert.deepEqual(ictus(['--version']), { status: 0, stdout: `${version}\n`, stderr: '' });
  },
);
