// The package as its users get it: both tarballs from `npm run package`, installed into an empty project with no
// compiler in reach, loaded every way there is. Runs on Node and starts Bun by itself.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import {
  addonName,
  hostPlatform,
  mainManifest,
  optionalDependencies,
  packageName,
  root,
} from '../scripts/platforms.mjs';
import { npmCommand, which } from '../scripts/run.mjs';
import { bunPath } from '../scripts/setup.mjs';

const platform = hostPlatform();
const { version } = mainManifest();
const tarball = (name) => `${name}-${version}.tgz`;
const work = mkdtempSync(join(tmpdir(), 'ictus-package-test-'));
const tarballs = join(work, 'tarballs');
const project = join(work, 'project');
// A PATH with node and nothing else: whoever reaches for a compiler finds none.
const onlyNode = join(work, 'bin');

const runtimes = { node: process.execPath, bun: bunPath() };

/** Runs a program to its end and returns what it said; `expected` is its exit code. */
function run(program, args, { cwd = project, env = {}, shell = false, expected = 0 } = {}) {
  // NODE_OPTIONS and NODE_PATH could bring in what the package lacks.
  const { NODE_OPTIONS, NODE_PATH, NODE_TEST_CONTEXT, ...outer } = process.env;
  const result = spawnSync(program, args, {
    cwd,
    env: { ...outer, ...env },
    shell,
    encoding: 'utf8',
    timeout: 300_000,
  });
  const said = `${result.stdout}${result.stderr}`;
  assert.equal(result.status, expected, `${program} ${args.join(' ')}: ${result.error ?? said}`);
  return result.stdout;
}

function write(name, text) {
  writeFileSync(join(project, name), text);
  return name;
}

// Plays half a second of a constant sample offline. What sounds is checked for being sound at all: how it must
// sound is the business of every other test.
const body = `
async function playOffline() {
  const engine = new Engine({ backend: 'offline', sampleRate: 48000 });
  const sampler = new Sampler({ engine });
  const instrument = sampler.createInstrument('constant');
  await instrument.addSample(new Float32Array(24000).fill(0.5), { sampleRate: 48000, rootNote: 60 });
  sampler.assign(0, instrument);
  const id = sampler.noteOn(60, 100);
  const frames = engine.render(128);
  await engine.close();
  return { id, length: frames.length, sounds: frames.some((value) => value !== 0) };
}
`;
const report = 'playOffline().then((result) => console.log(JSON.stringify(result)))';
const esmImport = "import { Engine, Sampler } from 'ictus';";
const cjsImport = "const { Engine, Sampler } = require('ictus');";

/** What the programs above must print. */
function assertSounds(stdout) {
  const { id, length, sounds } = JSON.parse(stdout);
  assert.ok(id > 0, 'noteOn returns an id');
  assert.equal(length, 256, '128 frames of 2 channels');
  assert.equal(sounds, true, 'the note sounds');
}

/** The program whose import fails on purpose: prints code and message of the error. */
const tellError = `
import('ictus').then(
  () => console.log(JSON.stringify({ code: 'none', message: 'it loaded' })),
  ({ code, message }) => console.log(JSON.stringify({ code, message })),
);
`;

before(() => {
  mkdirSync(project);
  mkdirSync(onlyNode);
  symlinkSync(process.execPath, join(onlyNode, 'node'));
});
after(() => rmSync(work, { recursive: true, force: true }));

describe('npm run package', () => {
  test('makes both tarballs and leaves package.json as it was', () => {
    const manifest = readFileSync(join(root, 'package.json'));
    run(process.execPath, [join(root, 'scripts', 'package.mjs'), '--out', tarballs], { cwd: root });
    assert.deepEqual(readdirSync(tarballs).sort(), [tarball('ictus'), tarball(packageName(platform))].sort());
    assert.ok(manifest.equals(readFileSync(join(root, 'package.json'))));
    assert.ok(!('optionalDependencies' in JSON.parse(manifest)));
  });

  test('the version is the same in package.json and Cargo.toml', () => {
    const cargo = /^version = "(.+)"$/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'));
    assert.equal(cargo[1], version);
  });
});

describe('installed into an empty project, without a compiler', () => {
  before(() => {
    write('package.json', '{ "name": "empty", "private": true }');
    const npm = npmCommand();
    // npm's own file: started by node, it needs nothing else from the PATH.
    const cli = npm.args[0] ?? join(dirname(realpathSync(which('npm'))), 'npm-cli.js');
    const files = [tarball('ictus'), tarball(packageName(platform))].map((name) => join(tarballs, name));
    // An empty cache and --offline: had the packages any other dependency, this would fail.
    const flags = [
      '--offline',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--cache',
      join(work, 'cache'),
    ];
    run(process.execPath, [cli, 'install', ...flags, ...files], { env: { PATH: onlyNode } });
  });

  test('the main package holds JavaScript and types and names every platform package', () => {
    const folder = join(project, 'node_modules', 'ictus');
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    assert.deepEqual(manifest.optionalDependencies, optionalDependencies());
    assert.equal(manifest.optionalDependencies[packageName(platform)], version);
    const there = readdirSync(folder);
    for (const name of ['LICENSE', 'README.md', 'index.d.ts', 'lib']) assert.ok(there.includes(name), name);
    for (const name of ['src', 'scripts', 'js-tests', 'Cargo.toml']) assert.ok(!there.includes(name), name);
    assert.ok(!there.some((name) => name.endsWith('.node')), 'the addon belongs into the platform package');
  });

  test('the platform package holds the addon and is for this machine only', () => {
    const folder = join(project, 'node_modules', packageName(platform));
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    assert.deepEqual([manifest.os, manifest.cpu], [[process.platform], [process.arch]]);
    assert.equal(manifest.main, addonName(platform));
    assert.deepEqual(
      readdirSync(folder).sort(),
      ['LICENSE', 'README.md', addonName(platform), 'package.json'].sort(),
    );
  });

  for (const [name, program] of Object.entries(runtimes)) {
    test(`loads on ${name} as an ES module`, () => {
      assertSounds(
        run(program, [write('esm.mjs', `${esmImport}${body}${report};`)], { env: { PATH: onlyNode } }),
      );
    });

    test(`loads on ${name} as CommonJS`, () => {
      assertSounds(
        run(program, [write('cjs.cjs', `${cjsImport}${body}${report};`)], { env: { PATH: onlyNode } }),
      );
    });

    test(`loads on ${name} in a worker, and in the main thread at the same time`, () => {
      const both = `
        import { isMainThread, parentPort, Worker } from 'node:worker_threads';
        ${esmImport}${body}
        if (isMainThread) {
          const worker = new Worker(new URL(import.meta.url));
          const answer = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
          const results = await Promise.all([playOffline(), answer]);
          await worker.terminate();
          for (const result of results) console.log(JSON.stringify(result));
        } else {
          parentPort.postMessage(await playOffline());
        }`;
      const lines = run(program, [write('worker.mjs', both)])
        .trim()
        .split('\n');
      assert.equal(lines.length, 2);
      for (const line of lines) assertSounds(line);
    });
  }

  for (const [name, program] of Object.entries(runtimes)) {
    test(`the command line runs on ${name} and sees the machine`, () => {
      const command = join(project, 'node_modules', '.bin', 'ictus');
      assert.equal(run(program, [command, '--version'], { env: { PATH: onlyNode } }), `${version}\n`);
      const { checks } = JSON.parse(
        // Whether this machine is ready is another matter.
        spawnSync(program, [command, 'doctor', '--json', '--measure', '0'], { encoding: 'utf8' }).stdout,
      );
      assert.ok(checks.length > 0);
    });
  }

  test('a strict TypeScript program compiles against it, as a module and as CommonJS', () => {
    const typed = `
      const engine: Engine = new Engine({ backend: 'offline', sampleRate: 48000 });
      const frames: Float32Array = engine.render(128);
      const sampler = new Sampler({ engine, polyphony: 16 });
      const id: number = sampler.noteOn(60, 100, engine.currentTime + 0.25);
      // @ts-expect-error a note is a number
      sampler.noteOn('C4');
      export { frames, id };`;
    write('typed.mts', `${esmImport}${typed}`);
    write('typed.cts', `import { Engine, Sampler } from 'ictus';${typed}`);
    const options = {
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2022', 'esnext.disposable'],
      strict: true,
      noEmit: true,
      typeRoots: [join(root, 'node_modules', '@types')],
      types: ['node'],
    };
    write('tsconfig.json', JSON.stringify({ compilerOptions: options, files: ['typed.mts', 'typed.cts'] }));
    run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
  });

  test('a TypeScript program runs on bun as it is', () => {
    const program = `${esmImport}${body.replace('playOffline()', 'playOffline(): Promise<{ id: number }>')}${report};`;
    assertSounds(run(runtimes.bun, [write('direct.ts', program)]));
  });

  for (const [name, program] of Object.entries(runtimes)) {
    test(`without the platform package, ${name} says which one to install`, () => {
      const folder = join(project, 'node_modules', packageName(platform));
      const aside = join(work, 'aside');
      cpSync(folder, aside, { recursive: true });
      rmSync(folder, { recursive: true });
      try {
        const { code, message } = JSON.parse(run(program, [write('missing.mjs', tellError)]));
        assert.equal(code, 'ERR_ADDON_MISSING');
        assert.ok(message.includes(packageName(platform)), message);
      } finally {
        cpSync(aside, folder, { recursive: true });
        rmSync(aside, { recursive: true });
      }
    });

    const noAlsa = process.platform === 'linux' ? false : 'libasound is a library of Linux';
    test(`without libasound, ${name} says which system package to install`, { skip: noAlsa }, () => {
      const addon = join(project, 'node_modules', packageName(platform), addonName(platform));
      const whole = readFileSync(addon);
      // The library's name in the addon's list of needed ones, changed to one that exists nowhere: the dynamic
      // linker then says the same as on a machine without libasound.
      const patched = Buffer.from(
        whole.toString('latin1').replaceAll('libasound.so.2', 'libasound.so.9'),
        'latin1',
      );
      assert.ok(!patched.equals(whole), 'the addon links libasound.so.2');
      writeFileSync(addon, patched);
      try {
        const { code, message } = JSON.parse(run(program, [write('no-alsa.mjs', tellError)]));
        assert.equal(code, 'ERR_ADDON_LOAD');
        for (const word of ['libasound2', 'apt', 'dnf', 'pacman']) assert.ok(message.includes(word), message);
      } finally {
        writeFileSync(addon, whole);
      }
    });
  }
});
