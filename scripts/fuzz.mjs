// npm run fuzz [-- --short | --seconds=N] [target …]: arbitrary bytes into the parsers and the engine, under libFuzzer.
//
// Needs Linux, the nightly toolchain (coverage and the address sanitizer) and a C++ compiler (libFuzzer); cargo-fuzz is
// not needed. What was learnt is kept in fuzz/corpus/, what was found in fuzz/artifacts/, both outside of git; a corpus
// begins with seeds made here. A finding ends the target, is shown, and fails the run: repair it with a test of
// its own. `--short`, the stage of `npm test`, takes 48 s for all targets together, building aside.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { random } from '../examples/support/random.mjs';
import { writeWav } from '../examples/support/wav.mjs';
import { root } from './platforms.mjs';
import { isMain, which } from './run.mjs';

const ARCHITECTURE = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
const triple = `${ARCHITECTURE}-unknown-linux-gnu`;
const folder = join(root, 'fuzz');
const SHORT_SECONDS = 48;
const LONG_SECONDS = 600;

/** What cargo-fuzz would pass: counters of edges and comparisons for libFuzzer, and every bad access is a crash. */
const FLAGS = [
  '-Zsanitizer=address',
  '-Cpasses=sancov-module',
  ...['level=4', 'inline-8bit-counters', 'pc-table', 'trace-compares'].map(
    (feature) => `-Cllvm-args=-sanitizer-coverage-${feature}`,
  ),
  '--cfg fuzzing',
].join(' ');

// ── seeds

/** `count` blobs of random bytes: anything is an input of the targets that build things out of bytes. */
function blobs(count, length) {
  const next = random(1);
  const blob = () => Buffer.from(Array.from({ length: length() }, () => Math.floor(next() * 256)));
  return Array.from({ length: count }, blob);
}

function wavs() {
  const into = mkdtempSync(join(tmpdir(), 'ictus-fuzz-'));
  try {
    return [1, 2].map((channels) => {
      const path = join(into, 'seed.wav');
      writeWav(path, new Float32Array(16 * channels).fill(0.25), channels, 48_000);
      return readFileSync(path);
    });
  } finally {
    rmSync(into, { recursive: true });
  }
}

/** A file of every format that the tests have one of. */
function soundFiles() {
  const recorded = join(root, 'tests', 'audio');
  return [...wavs(), ...readdirSync(recorded).map((name) => readFileSync(join(recorded, name)))];
}

/** Each target: its first inputs, and the longest that are tried. */
const targets = {
  engine_events: { seeds: () => blobs(64, () => 3000), longest: 4096 },
  midi_message: { seeds: () => [Buffer.from([3, 0x90, 60, 100, 3, 0xe0, 0, 64, 2, 0xc0, 5])], longest: 256 },
  // The target writes the first twelve bytes; its own first says which of four kinds they are.
  wav: {
    seeds: () => wavs().map((file) => Buffer.concat([Buffer.from([0]), file.subarray(12)])),
    longest: 1024,
  },
  formats: { seeds: soundFiles, longest: 10_000 },
};

// ── running

/** Why targets cannot run here; undefined when they can. */
export function missing() {
  if (process.platform !== 'linux' || ARCHITECTURE === undefined) return 'needs Linux on x64 or arm64';
  if (spawnSync('cargo', ['+nightly', '--version'], { stdio: 'ignore' }).status !== 0)
    return 'the nightly toolchain is not installed (rustup toolchain install nightly)';
  if (!which('c++') && !which('g++') && !which('clang++'))
    return 'no C++ compiler is installed, which libFuzzer needs (apt-get install g++)';
  return undefined;
}

const cargo = (command) =>
  `+nightly ${command} --release --quiet --manifest-path fuzz/Cargo.toml --target ${triple}`.split(' ');
const options = { cwd: root, env: { ...process.env, RUSTFLAGS: FLAGS } };

/** Runs one target; true when nothing was found. */
function fuzz(name, seconds) {
  const { seeds, longest } = targets[name];
  const corpus = join(folder, 'corpus', name);
  const artifacts = join(folder, 'artifacts', name);
  for (const path of [corpus, artifacts]) mkdirSync(path, { recursive: true });
  for (const [number, seed] of seeds().entries()) writeFileSync(join(corpus, `seed-${number}`), seed);
  const dictionary = join(folder, 'dictionaries', `${name}.dict`);
  const words = readdirSync(join(folder, 'dictionaries')).includes(`${name}.dict`);
  const { status, stderr } = spawnSync(
    'cargo',
    [
      ...cargo('run'),
      ...['--bin', name, '--', corpus, `-artifact_prefix=${artifacts}/`],
      ...[`-max_total_time=${seconds}`, `-max_len=${longest}`, '-len_control=0', '-timeout=20'],
      ...['-rss_limit_mb=2048', '-print_final_stats=1', ...(words ? [`-dict=${dictionary}`] : [])],
    ],
    { ...options, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const of = (pattern) => stderr.match(pattern)?.at(-1) ?? '?';
  const inputs = of(/number_of_executed_units:\s*(\d+)/);
  const edges = [...stderr.matchAll(/cov: (\d+)/g)].at(-1)?.[1] ?? '?';
  if (status === 0) {
    console.log(`fuzz ${name}: ok, ${inputs} inputs in ${seconds} s, ${edges} edges`);
    return true;
  }
  console.log(stderr.slice(-8000).replaceAll(`${root}/`, ''));
  console.log(`fuzz ${name}: FAILED; the input is in fuzz/artifacts/${name}/`);
  return false;
}

function main(words) {
  const names = words.filter((word) => !word.startsWith('--'));
  const unknown = words.find((word) =>
    word.startsWith('--') ? !/^--(short|seconds=\d+)$/.test(word) : !(word in targets),
  );
  if (unknown !== undefined) {
    const known = Object.keys(targets).join(', ');
    console.error(`there is no "${unknown}"; there are --short, --seconds=N and the targets ${known}`);
    return 1;
  }
  const reason = missing();
  if (reason) {
    console.log(`fuzz: not run, ${reason}`);
    return 0;
  }
  const chosen = names.length > 0 ? names : Object.keys(targets);
  const given = words.find((word) => word.startsWith('--seconds='))?.slice('--seconds='.length);
  const short = Math.floor(SHORT_SECONDS / chosen.length);
  const seconds = Number(given ?? (words.includes('--short') ? short : LONG_SECONDS));
  console.log('fuzz: building');
  if (spawnSync('cargo', [...cargo('build'), '--bins'], { ...options, stdio: 'inherit' }).status !== 0)
    return 1;
  return chosen.map((name) => fuzz(name, seconds)).every(Boolean) ? 0 : 1;
}

if (isMain(import.meta.url)) process.exitCode = main(process.argv.slice(2));
