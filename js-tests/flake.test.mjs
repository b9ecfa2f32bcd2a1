// flake.nix evaluates and gives what it promises: every output of every system is instantiated by a real nix, with a
// small stand-in for nixpkgs in place of the download. Nothing is built.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { mainManifest, root } from '../scripts/platforms.mjs';
import { which } from '../scripts/run.mjs';

const required = process.env.ICTUS_REQUIRE_SERVERS === '1';
const skip = !which('nix') && !required ? 'nix is not installed' : false;

const work = mkdtempSync(join(tmpdir(), 'ictus-flake-test-'));
const stub = join(root, 'js-tests', 'support', 'nixpkgs-stub');

/** Evaluates an attribute of the flake and returns it as a value. */
function evaluate(attribute, apply) {
  const config = [
    'experimental-features = nix-command flakes',
    'build-users-group =', // as root in a container there is no such group
    'sandbox = false',
    'substitute = false',
    // A store of its own: the machine's, if it has one, stays as it is.
    `store = ${join(work, 'store')}`,
  ].join('\n');
  const args = [
    'eval',
    '--json',
    '--offline',
    '--no-write-lock-file',
    '--override-input',
    'nixpkgs',
    `path:${stub}`,
  ];
  args.push(`path:${join(work, 'flake')}#${attribute}`, ...(apply ? ['--apply', apply] : []));
  const env = { ...process.env, NIX_CONFIG: config, HOME: work };
  const { status, stdout, stderr, error } = spawnSync('nix', args, {
    env,
    encoding: 'utf8',
    timeout: 120_000,
  });
  assert.equal(status, 0, `nix ${args.join(' ')}: ${error ?? stderr}`);
  return JSON.parse(stdout);
}

describe('flake.nix', () => {
  before(() => {
    // A copy of what the flake reads: `path:` would take target/ and node_modules/ along.
    mkdirSync(join(work, 'flake'));
    for (const name of [
      'flake.nix',
      'package.json',
      'package-lock.json',
      'Cargo.toml',
      'Cargo.lock',
      'examples',
    ]) {
      cpSync(join(root, name), join(work, 'flake', name), { recursive: true });
    }
  });

  test('has packages, apps and a dev shell for both Linux systems', { skip }, () => {
    const systems = ['aarch64-linux', 'x86_64-linux'];
    const names = 'builtins.mapAttrs (system: builtins.attrNames)';
    const each = (outputs) => Object.fromEntries(systems.map((system) => [system, outputs]));
    assert.deepEqual(evaluate('packages', names), each(['default', 'demo']));
    assert.deepEqual(evaluate('apps', names), each(['default', 'demo']));
    assert.deepEqual(evaluate('devShells', names), each(['default']));
  });

  for (const [system, addon] of [
    ['x86_64-linux', 'ictus.linux-x64-gnu.node'],
    ['aarch64-linux', 'ictus.linux-arm64-gnu.node'],
  ]) {
    test(`the package of ${system} is built with the audio headers and holds the addon`, { skip }, () => {
      const wanted = 'p: { inherit (p) name drvPath installPhase; inputs = map (i: i.name) p.buildInputs; }';
      const found = evaluate(`packages.${system}.default`, wanted);
      assert.equal(found.name, `ictus-${mainManifest().version}`);
      assert.match(found.drvPath, /\.drv$/);
      assert.deepEqual(found.inputs, ['alsa-lib', 'libjack2']);
      assert.ok(found.installPhase.includes(`$folder/${addon}`), found.installPhase);
    });

    test(`the demo of ${system} comes with its instruments and is both apps`, { skip }, () => {
      const script = evaluate(`packages.${system}.demo`, 'p: p.script');
      for (const name of ['flute', 'harp'])
        assert.ok(script.includes(`node_modules/tonejs-instrument-${name}-wav`));
      const apps = evaluate(`apps.${system}`);
      assert.deepEqual(apps.default, apps.demo);
      assert.equal(apps.demo.type, 'app');
      assert.match(apps.demo.program, /\/bin\/ictus-demo$/);
    });

    test(`the dev shell of ${system} has the languages, the sound servers and the measuring tools`, {
      skip,
    }, () => {
      const tools = evaluate(`devShells.${system}.default`, 's: map (p: p.name) s.packages');
      const languages = ['rustc', 'cargo', 'rustfmt', 'clippy', 'nodejs', 'bun', 'pkg-config'];
      const sound = ['alsa-lib', 'jack2', 'libjack2', 'pipewire', 'pulseaudio'];
      const measuring = ['rt-tests', 'perf', 'hotspot', 'heaptrack', 'rtkit', 'valgrind'];
      for (const name of [...languages, ...sound, ...measuring]) assert.ok(tools.includes(name), name);
    });
  }

  test('a name that nixpkgs does not have is noticed', { skip }, () => {
    const flake = join(work, 'flake', 'flake.nix');
    const text = readFileSync(flake, 'utf8');
    writeFileSync(flake, text.replace('pkgs.hotspot', 'pkgs.hotpsot'));
    try {
      assert.throws(() => evaluate('devShells.x86_64-linux.default', 's: s.drvPath'), /hotpsot/);
    } finally {
      writeFileSync(flake, text);
    }
  });
});

after(() => {
  // nix makes the folders of its store read-only, and what is in a read-only folder can't be removed.
  const unlock = (folder) => {
    chmodSync(folder, 0o755);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) unlock(join(folder, entry.name));
    }
  };
  unlock(work);
  rmSync(work, { recursive: true, force: true });
});
