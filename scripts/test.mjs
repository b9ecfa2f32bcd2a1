// npm test [-- stage …]: sets up, then runs every stage, one after another and to the end whatever fails, and closes
// with a table and the line `N passed, N failed`.
//
// Every single test of every stage counts; a check (format, lints, types, build) counts as one test. A stage or a
// test file that breaks without having counted a failure counts as one. What did not run is listed with its reason.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { missing as missingForFuzz } from './fuzz.mjs';
import { root } from './platforms.mjs';
import { sanitizers } from './sanitizers.mjs';
import { bunPath, setupOrExit } from './setup.mjs';

const cargo = (name, words, args, count) => ({
  name,
  words: `rust ${words}`,
  runs: [['cargo', ...args]],
  count,
});
const clippy = (...args) => ['clippy', '--all-targets', ...args, '--', '-D', 'warnings'];
const fuzzReason = missingForFuzz();
const bin = (name) => join(root, 'node_modules', ...name);

// `words`: what selects a stage on the command line, beside its name's first word. `runs`: the commands of the stage.
const stages = [
  cargo('rustfmt', 'lint', ['fmt', '--check'], countCheck),
  cargo('clippy, silent core', 'lint', clippy('--no-default-features'), countCheck),
  cargo('clippy, all features', 'lint', clippy('--all-features'), countCheck),
  cargo('cargo test, silent core', '', ['test', '--no-fail-fast', '--no-default-features'], countCargo),
  // The engine in release, too: what the optimiser makes of it is what plays.
  cargo('cargo test, release', '', ['test', '--release', '--no-default-features', '--lib'], countCargo),
  cargo('cargo test, all features', '', ['test', '--no-fail-fast', '--all-features'], countCargo),
  ...sanitizers.map(({ name, reason, long, command, env }) => ({
    name,
    words: 'rust sanitizers',
    runs: reason || long ? [] : [command],
    env,
    reason: reason ?? (long ? 'takes more than a quarter of an hour; npm run sanitize runs it' : undefined),
    count: countCargo,
  })),
  {
    name: 'fuzz',
    words: 'rust',
    runs: fuzzReason ? [] : [[process.execPath, 'scripts/fuzz.mjs', '--short']],
    reason: fuzzReason,
    count: countNamed,
  },
  {
    name: 'biome',
    words: 'js lint',
    runs: [[process.execPath, bin(['@biomejs', 'biome', 'bin', 'biome']), 'ci', '.']],
    count: countCheck,
  },
  {
    name: 'types',
    words: 'js lint',
    runs: [[process.execPath, bin(['typescript', 'bin', 'tsc']), '-p', '.']],
    count: countCheck,
  },
  {
    name: 'build',
    words: 'js node bun package',
    runs: [[process.execPath, 'scripts/build.mjs']],
    count: countCheck,
  },
  {
    name: 'node',
    words: 'js',
    // One process per file, one after another: some files start servers, and some measure time.
    runs: testFiles().map((file) => [process.execPath, '--test', '--test-reporter=spec', file]),
    count: countNode,
  },
  {
    name: 'bun',
    words: 'js',
    // One process per file here too, as Node does it: a crash takes one file along, and none sees another's engines.
    runs: testFiles().map((file) => ['bun', 'test', '--timeout=120000', `./${file}`]),
    count: countBun,
  },
  {
    name: 'soak',
    words: 'js',
    runs: [[process.execPath, 'scripts/soak.mjs', '--short']],
    count: countNamed,
  },
  {
    name: 'package',
    words: 'js',
    runs: [[process.execPath, '--test', '--test-reporter=spec', 'js-tests/package.test.mjs']],
    count: countNode,
  },
];

/** All JavaScript tests but the package test, which is a stage of its own and starts Node and Bun by itself. */
function testFiles() {
  const names = readdirSync(join(root, 'js-tests')).filter((name) => name.endsWith('.test.mjs'));
  return names.filter((name) => name !== 'package.test.mjs').map((name) => `js-tests/${name}`);
}

// ── reading results. Each takes a command's output and whether it exited with 0.

function countCheck(_output, ok) {
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, notRun: [] };
}

const sum = (output, pattern) =>
  [...output.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);

function countCargo(output) {
  const ignored = [...output.matchAll(/^test (.+) \.\.\. ignored(?:, (.*))?$/gm)];
  return {
    passed: sum(output, /^test result: .*? (\d+) passed/gm),
    failed: sum(output, /^test result: .*? (\d+) failed/gm),
    notRun: ignored.map(([, name, reason]) => ({ name, reason })),
  };
}

/** Lines such as `fuzz wav: ok, …`. */
function countNamed(output) {
  const lines = (said) => output.match(new RegExp(`^(?:fuzz|soak) \\w+: ${said}`, 'gm'))?.length ?? 0;
  return { passed: lines('ok'), failed: lines('FAILED'), notRun: [] };
}

function countNode(output) {
  const skipped = [...output.matchAll(/^\s*﹣ (.+) \([\d.]+ms\) # (.*)$/gm)];
  return {
    passed: sum(output, /^ℹ pass (\d+)$/gm),
    failed: sum(output, /^ℹ (?:fail|cancelled) (\d+)$/gm),
    notRun: skipped.map(([, name, reason]) => ({ name, reason })),
  };
}

function countBun(output) {
  const skipped = [...output.matchAll(/^\((?:skip|todo)\) (.+?)(?: \[[\d.]+ms\])?$/gm)];
  return {
    passed: sum(output, /^ *(\d+) pass$/gm),
    failed: sum(output, /^ *(\d+) fail$/gm),
    // Bun does not say why; Node, which ran the same file before, did.
    notRun: skipped.map(([, name]) => ({ name, reason: undefined })),
  };
}

// ── running

// Nothing here takes half of this, a cold build included: what does hangs, and is a failure rather than a wait.
const LIMIT_MINUTES = 15;

/**
 * Runs a command, showing its output as it comes. Resolves to what it said, without colours, and to what went wrong
 * with it, if anything. It gets a process group of its own, so that whatever it started can be ended with it.
 */
function run([program, ...args], env = {}) {
  return new Promise((resolve) => {
    console.log(`$ ${[program, ...args].join(' ')}`.replaceAll(`${root}/`, ''));
    const started = program === 'bun' ? (bunPath() ?? 'bun') : program;
    const child = spawn(started, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, ...env },
    });
    let problem;
    const end = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It ended by itself in this very moment.
      }
    };
    const interrupt = (signal) => {
      end();
      process.kill(process.pid, signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.once(signal, interrupt);
    const timer = setTimeout(() => {
      problem = `did not end within ${LIMIT_MINUTES} minutes`;
      end();
    }, LIMIT_MINUTES * 60_000);
    const chunks = { stdout: [], stderr: [] };
    for (const name of ['stdout', 'stderr']) {
      child[name].on('data', (chunk) => {
        chunks[name].push(chunk);
        process[name].write(chunk);
      });
    }
    child.once('error', (error) => {
      problem = error.message;
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      for (const name of signals) process.off(name, interrupt);
      // The two are parsed one after the other: interleaved as they arrive, a line could be cut in two.
      const said = Buffer.concat([...chunks.stdout, Buffer.from('\n'), ...chunks.stderr]).toString();
      if (code !== 0) problem ??= signal ? `ended by ${signal}` : `exit code ${code}`;
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what starts a colour.
      resolve({ output: said.replace(/\x1b\[[\d;]*m/g, ''), problem });
    });
  });
}

async function runStage(stage) {
  const result = { name: stage.name, passed: 0, failed: 0, notRun: [], problems: [] };
  const start = performance.now();
  if (stage.reason) result.notRun.push({ name: stage.name, reason: stage.reason });
  for (const command of stage.runs) {
    const { output, problem } = await run(command, stage.env);
    const counted = stage.count(output, problem === undefined);
    // A crash must not look like success, nor must a command that ran no test at all.
    const nothing = counted.passed + counted.failed + counted.notRun.length === 0;
    if (counted.failed === 0 && (problem || nothing)) {
      counted.failed = 1;
      result.problems.push(`${command.at(-1)}: ${problem ?? 'no test ran'}`);
    }
    result.passed += counted.passed;
    result.failed += counted.failed;
    result.notRun.push(...counted.notRun);
  }
  result.seconds = (performance.now() - start) / 1000;
  return result;
}

/** The stages that the arguments name: all of them without arguments. */
function select(names) {
  const wordsOf = (stage) => [stage.name.split(/[, ]/)[0], ...stage.words.split(' ').filter(Boolean)];
  const known = [...new Set(stages.flatMap(wordsOf))];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`there is no test stage "${unknown}"; there are: ${known.join(', ')}`);
    process.exit(1);
  }
  return names.length === 0 ? stages : stages.filter((s) => wordsOf(s).some((word) => names.includes(word)));
}

const selected = select(process.argv.slice(2));
setupOrExit({ tests: true });

const results = [];
for (const stage of selected) {
  console.log(`\n── ${stage.name}`);
  results.push(await runStage(stage));
}

const total = (key) => results.reduce((n, result) => n + result[key], 0);
console.log('\nstage                       passed  failed  not run  seconds');
for (const { name, passed, failed, notRun, seconds } of results) {
  const cell = (value, width) => String(value).padStart(width);
  console.log(
    name.padEnd(26) +
      cell(passed, 8) +
      cell(failed, 8) +
      cell(notRun.length, 9) +
      cell(seconds.toFixed(1), 9),
  );
}
for (const { name, problems } of results)
  for (const problem of problems) console.log(`broke: ${name}: ${problem}`);
const reasons = new Map(
  results.flatMap((r) => r.notRun.filter((t) => t.reason).map((t) => [t.name, t.reason])),
);
for (const { name: stage, notRun } of results) {
  for (const { name } of notRun) {
    // Bun's names begin with their groups'; the reason may be a group's.
    const reason = name
      .split(' > ')
      .map((part) => reasons.get(part))
      .find(Boolean);
    console.log(`not run: ${stage}: ${name}: ${reason ?? 'no reason given'}`);
  }
}
console.log(`\n${total('passed')} passed, ${total('failed')} failed`);
// Not process.exit: output into a pipe may still be on its way.
process.exitCode = total('failed') > 0 ? 1 : 0;
