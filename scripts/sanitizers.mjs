// The nightly toolchain's sanitizers over the Rust tests: `npm run sanitize`, and a stage of `npm test` each.
//
// - realtime: Engine::process and a PCM stream's render are marked as functions that must not block; allocation, I/O,
//   locks and sleeps under them end the test run (RT-1, RT-2).
// - thread: the lanes, leases, PCM rings and counters, two threads each (RT-9).
// - miri: the same, the interpolation kernels and those tests of the filters that are short, under Miri, where the
//   toolchain has it. Not in `npm test`: it takes too long.
//
// Where nightly or one of its parts is missing, a stage is not run, and says why.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './platforms.mjs';
import { isMain } from './run.mjs';

const TARGET = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
const triple = `${TARGET}-unknown-linux-gnu`;

function nightly(args) {
  const { status, stdout } = spawnSync('rustc', ['+nightly', ...args], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Why a sanitizer cannot run here; undefined when it can. */
function missing(library) {
  if (process.platform !== 'linux' || TARGET === undefined) return 'needs Linux on x64 or arm64';
  const folder = nightly(['--print', 'target-libdir']);
  if (folder === undefined)
    return 'the nightly toolchain is not installed (rustup toolchain install nightly)';
  const file = join(folder, `librustc-nightly_rt.${library}.a`);
  return existsSync(file) ? undefined : `this nightly has no ${library} (rustup update nightly)`;
}

function missingMiri() {
  if (nightly(['--version']) === undefined) return missing('rtsan');
  const { status } = spawnSync('cargo', ['+nightly', 'miri', '--version'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'Miri is not installed (rustup +nightly component add miri rust-src)';
}

const test = (filter) => [
  'cargo',
  '+nightly',
  'test',
  '--no-default-features',
  '--lib',
  '--target',
  triple,
  filter,
];

export const sanitizers = [
  {
    name: 'realtime sanitizer',
    reason: missing('rtsan'),
    command: [...test('engine::'), '--', 'pcm::'],
    env: { RUSTFLAGS: '-Zsanitizer=realtime --cfg rtsan' },
  },
  {
    name: 'thread sanitizer',
    reason: missing('tsan'),
    // std itself is not instrumented, so what it hands from thread to thread looks like a race.
    command: [...test('rt::'), '--', '--test-threads=1', 'pcm::ring'],
    env: {
      RUSTFLAGS: '-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer',
      TSAN_OPTIONS: `suppressions=${join(root, 'scripts', 'tsan-suppressions.txt')}`,
    },
  },
  {
    name: 'miri',
    reason: missingMiri(),
    // Interpreted, the properties of the kernels take a quarter of an hour and more.
    long: true,
    command: [
      ...'cargo +nightly miri test --no-default-features --lib --'.split(' '),
      'rt::',
      'pcm::ring',
      'pcm::format',
      'dsp::interpolate',
      'dsp::filter::tests::a_filter_that_was_fed',
      'dsp::filter::tests::without_lines',
    ],
    // proptest asks for its folder, where it would look for what failed before.
    env: { MIRIFLAGS: '-Zmiri-disable-isolation' },
  },
];

if (isMain(import.meta.url)) {
  for (const { name, reason, command, env } of sanitizers) {
    console.log(`── ${name}${reason ? `: not run, ${reason}` : ''}`);
    if (reason) continue;
    const [program, ...args] = command;
    const { status } = spawnSync(program, args, {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ...env },
    });
    if (status !== 0) process.exitCode = 1;
  }
}
