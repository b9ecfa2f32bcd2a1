// Checks what the build (and, with --tests, the tests) needs and installs what is missing, saying what and why
// before it does. When everything is there it takes a fraction of a second and prints nothing.
//
// System packages go through the distribution's own manager, as root or by a sudo that asks for no password.
// Otherwise the one line to type is printed and the exit code is 1. Rust itself is never installed unasked.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { root } from './platforms.mjs';
import { isMain, npmCommand, runs, which } from './run.mjs';

const hasPc = (name) => runs('pkg-config', ['--exists', name], { quiet: true });

/** Whether ALSA has the plugin with this file name; Debian keeps them per architecture. */
function hasAlsaPlugin(file) {
  const perArchitecture = readdirSync('/usr/lib').map((folder) => join('/usr/lib', folder));
  return ['/usr/lib64', '/usr/lib', ...perArchitecture].some((f) => existsSync(join(f, 'alsa-lib', file)));
}

/** Whether PipeWire's own libjack is there, beside the real one. */
function hasPipeWireJack() {
  const perArchitecture = readdirSync('/usr/lib').map((folder) => join('/usr/lib', folder));
  const folders = ['/usr/lib64', '/usr/lib', ...perArchitecture];
  return folders.some((f) => existsSync(join(f, 'pipewire-0.3', 'jack', 'libjack.so.0')));
}

// What is needed from the system on Linux, in the order of the checks (the second uses the first).
// `packages` names it for each manager; a name may depend on what the distribution offers.
const buildNeeds = [
  {
    what: 'pkg-config',
    why: 'finds the audio headers',
    there: () => which('pkg-config'),
    packages: { 'apt-get': 'pkg-config', dnf: 'pkgconf-pkg-config', pacman: 'pkgconf', zypper: 'pkg-config' },
  },
  {
    what: 'a C linker',
    why: 'links the addon',
    there: () => which('cc'),
    packages: { 'apt-get': 'gcc libc6-dev', dnf: 'gcc', pacman: 'gcc', zypper: 'gcc' },
  },
  {
    what: 'the ALSA headers',
    why: 'cpal talks to the sound card through libasound',
    there: () => hasPc('alsa'),
    packages: {
      'apt-get': 'libasound2-dev',
      dnf: 'alsa-lib-devel',
      pacman: 'alsa-lib',
      zypper: 'alsa-devel',
    },
  },
  {
    what: 'the JACK headers',
    why: 'cpal reads jack.pc; JACK itself is only opened at run time',
    there: () => hasPc('jack'),
    packages: {
      'apt-get': 'libjack-jackd2-dev',
      dnf: 'pipewire-jack-audio-connection-kit-devel',
      pacman: 'jack2',
      zypper: 'libjack-devel',
    },
  },
];

// Servers and tools for some of the tests. Without them those tests are listed as not run.
const testNeeds = [
  {
    what: 'jackd',
    why: 'tests play through a JACK server without a sound card',
    there: () => which('jackd'),
    packages: { 'apt-get': 'jackd2', dnf: 'jack-audio-connection-kit', pacman: 'jack2', zypper: 'jack' },
  },
  {
    what: 'jack_rec',
    why: 'tests record bit for bit what leaves through JACK',
    there: () => which('jack_rec'),
    packages: {
      // Debian 12 ships it with jackd2; later ones split it off.
      'apt-get': () => (aptKnows('jack-example-tools') ? 'jack-example-tools' : 'jackd2'),
      dnf: 'jack-audio-connection-kit-example-clients',
      pacman: 'jack-example-tools',
      zypper: 'jack-example-tools',
    },
  },
  {
    what: "ALSA's jack plugin",
    why: 'tests play through the ALSA host into that server',
    there: () => hasAlsaPlugin('libasound_module_pcm_jack.so'),
    packages: {
      'apt-get': 'libasound2-plugins',
      dnf: 'alsa-plugins-jack',
      pacman: 'alsa-plugins',
      zypper: 'alsa-plugins-jack',
    },
  },
  {
    what: 'rtkit',
    why: 'tests ask its daemon for real-time priority, on a bus of their own',
    there: () =>
      which('dbus-daemon') &&
      ['/usr/libexec/rtkit-daemon', '/usr/lib/rtkit-daemon'].some((path) => existsSync(path)) &&
      ['/usr/lib/polkit-1/polkitd', '/usr/libexec/polkitd'].some((path) => existsSync(path)),
    packages: {
      'apt-get': 'rtkit dbus polkitd',
      dnf: 'rtkit dbus-daemon dbus-tools polkit',
      pacman: 'rtkit dbus polkit',
      zypper: 'rtkit dbus-1 polkit',
    },
  },
  {
    what: 'strace',
    why: 'a test counts the system calls of the audio thread',
    there: () => which('strace'),
    packages: { 'apt-get': 'strace', dnf: 'strace', pacman: 'strace', zypper: 'strace' },
  },
  {
    what: 'PulseAudio',
    why: 'tests play through it',
    // Which sound server a desktop has is not for a test run to choose: only where nobody lives.
    there: () => process.env.CI !== 'true' || which('pulseaudio'),
    packages: { 'apt-get': 'pulseaudio', dnf: 'pulseaudio', pacman: 'pulseaudio', zypper: 'pulseaudio' },
  },
  {
    what: 'pactl and parec',
    why: 'tests record bit for bit what leaves through PulseAudio and PipeWire',
    there: () => which('parec') && which('pactl'),
    packages: {
      'apt-get': 'pulseaudio-utils',
      dnf: 'pulseaudio-utils',
      pacman: 'libpulse',
      zypper: 'pulseaudio-utils',
    },
  },
  {
    what: 'PipeWire with WirePlumber',
    why: 'tests play through its PulseAudio face',
    there: () =>
      process.env.CI !== 'true' || ['pipewire', 'wireplumber', 'pipewire-pulse', 'dbus-daemon'].every(which),
    packages: {
      'apt-get': 'pipewire pipewire-bin wireplumber pipewire-pulse dbus',
      dnf: 'pipewire wireplumber pipewire-pulseaudio dbus-daemon',
      pacman: 'pipewire wireplumber pipewire-pulse dbus',
      zypper: 'pipewire wireplumber pipewire-pulseaudio dbus-1',
    },
  },
  {
    what: "PipeWire's libjack",
    why: 'tests play through its JACK face',
    there: () => process.env.CI !== 'true' || hasPipeWireJack(),
    packages: {
      'apt-get': 'pipewire-jack',
      dnf: 'pipewire-jack-audio-connection-kit',
      pacman: 'pipewire-jack',
      zypper: 'pipewire-libjack-0_3',
    },
  },
  {
    what: 'nix',
    why: 'a test evaluates flake.nix',
    // Nobody expects a test run to bring a second package manager along: only where nobody lives.
    there: () => process.env.CI !== 'true' || which('nix'),
    packages: { 'apt-get': 'nix-bin', dnf: 'nix', pacman: 'nix', zypper: 'nix' },
  },
];

const installLine = {
  'apt-get': 'apt-get install -y --no-install-recommends',
  dnf: 'dnf install -y',
  pacman: 'pacman -S --needed --noconfirm',
  zypper: 'zypper --non-interactive install',
};

const aptKnows = (name) => runs('apt-cache', ['show', name], { quiet: true });
const aptHasLists = () =>
  existsSync('/var/lib/apt/lists') && readdirSync('/var/lib/apt/lists').some((f) => f.includes('_Packages'));

/** How to become root without asking anyone: [] as root, ['sudo', '-n'], or undefined. */
function asRoot() {
  if (process.getuid?.() === 0) return [];
  return which('sudo') && runs('sudo', ['-n', 'true'], { quiet: true }) ? ['sudo', '-n'] : undefined;
}

/**
 * Installs what is missing of `needs`. Returns what is missing still, and `line`: what to type to get it.
 * `say` is told before anything is done.
 */
function systemPackages(needs, say) {
  if (process.platform !== 'linux') return { missing: [] };
  const isMissing = (need) => !need.there();
  const missing = needs.filter(isMissing);
  if (missing.length === 0) return { missing };

  const manager = Object.keys(installLine).find(which);
  if (!manager) return { missing };
  const rights = asRoot();
  const may = rights !== undefined;
  const [first, ...rest] = [...(rights ?? []), manager];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const update = () => runs(first, [...rest, 'update'], { env });
  // In a fresh container apt knows no package at all.
  const updated = may && manager === 'apt-get' && !aptHasLists() && update();

  const names = missing
    .map(({ packages }) => packages[manager])
    .map((p) => (typeof p === 'function' ? p() : p));
  const words = [...new Set(names.join(' ').split(' '))];
  const line = `${installLine[manager]} ${words.join(' ')}`;
  if (may) {
    for (const { what, why } of missing) say(`missing: ${what} (${why})`);
    say(`installing it: ${line}`);
    const install = () => runs(first, [...rest, ...line.split(' ').slice(1)], { env });
    // Old lists name files that the mirror no longer has; one update cures that.
    if (!install() && manager === 'apt-get' && !updated && update()) install();
  }
  return { missing: missing.filter(isMissing), line: which('sudo') ? `sudo ${line}` : line };
}

/** Rust: there, new enough, and, for the tests, with rustfmt and clippy. Returns what is wrong, if anything. */
function rust(tests, say) {
  // rustup puts cargo where a shell that was open before does not look.
  const cargoBin = join(homedir(), '.cargo', 'bin');
  if (!which('cargo') && existsSync(cargoBin))
    process.env.PATH = `${process.env.PATH}${delimiter}${cargoBin}`;
  const wanted = /^rust-version = "(\d+)\.(\d+)/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'));
  if (!which('cargo')) {
    const line = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh";
    return `Rust is missing: the addon is written in it. Install it, open a new shell and try again:\n    ${line}`;
  }
  const version = spawnSync('rustc', ['--version'], { cwd: root, encoding: 'utf8' }).stdout ?? '';
  const found = /^rustc (\d+)\.(\d+)/.exec(version);
  const [major, minor] = wanted.slice(1).map(Number);
  if (!found || Number(found[1]) < major || (Number(found[1]) === major && Number(found[2]) < minor)) {
    const is = version.trim() || 'a rustc that does not start';
    return `Rust ${major}.${minor} or newer is needed, here is ${is}. Try: rustup update stable`;
  }
  // cargo-fmt and cargo-clippy are proxies under rustup: only starting them tells whether they are there.
  const lacks = (tool) => tests && !runs('cargo', [tool, '--version'], { quiet: true, cwd: root });
  const components = [lacks('fmt') && 'rustfmt', lacks('clippy') && 'clippy'].filter(Boolean);
  if (components.length === 0) return undefined;
  const args = ['component', 'add', ...components];
  say(
    `missing: ${components.join(' and ')} (the tests check format and lints); running: rustup ${args.join(' ')}`,
  );
  if (which('rustup') && runs('rustup', args, { cwd: root })) return undefined;
  return `${components.join(' and ')} could not be installed. Try: rustup ${args.join(' ')}`;
}

/** npm packages for building and testing: as the lock file says, again whenever it is newer than node_modules. */
function nodeModules(say) {
  const installed = join(root, 'node_modules', '.package-lock.json'); // npm writes it last of all
  const age = (path) => statSync(path).mtimeMs;
  if (existsSync(installed) && age(installed) >= age(join(root, 'package-lock.json'))) return undefined;
  say('installing the npm packages that building and testing use: npm ci');
  const npm = npmCommand();
  const args = [...npm.args, 'ci', '--include=dev', '--no-audit', '--no-fund'];
  if (runs(npm.program, args, { cwd: root, ...npm.options })) return undefined;
  return 'npm ci failed; its own message above says why';
}

/** The Bun to test with: the one npm installed, else one on the PATH (on NixOS npm's does not start). */
export function bunPath() {
  const local = join(root, 'node_modules', 'bun', 'bin', 'bun.exe'); // .exe on every system, says Bun
  return [local, which('bun')].find(
    (bun) => bun && existsSync(bun) && runs(bun, ['--version'], { quiet: true }),
  );
}

/** npm 11 asks before it runs a package's install script (package.json answers for bun), other tools never run it. */
function bun(say) {
  if (bunPath()) return undefined;
  say("missing: Bun's program (the tests run on Bun too); running its own install script");
  const folder = join(root, 'node_modules', 'bun');
  if (runs(process.execPath, ['install.js'], { cwd: folder }) && bunPath()) return undefined;
  return 'Bun does not start. Try: cd node_modules/bun && node install.js';
}

/**
 * Does all the set-up. `tests`: also what only the tests need; of that, servers may stay missing.
 * Returns the problems that stop us, each a sentence with its remedy, and notes that do not.
 */
export function setup({ tests = false, say = (line) => console.error(line) } = {}) {
  const problems = [rust(tests, say)];
  const notes = [];
  const build = systemPackages(buildNeeds, say);
  if (build.missing.length > 0) {
    const list = build.missing.map(({ what, why }) => `${what} (${why})`).join(', ');
    problems.push(`Missing: ${list}. Install with:\n    ${build.line ?? 'your package manager'}`);
  }
  problems.push(nodeModules(say));
  if (tests) {
    if (!problems.some(Boolean)) problems.push(bun(say));
    const { missing, line } = systemPackages(testNeeds, say);
    for (const { what, why } of missing)
      notes.push(`${what} is missing (${why}): the tests that need it will not run`);
    if (line && missing.length > 0) notes.push(`to run them: ${line}`);
  }
  return { problems: problems.filter(Boolean), notes };
}

/** As `setup`, but prints problems and notes, and ends the process with 1 if it cannot go on. */
export function setupOrExit(options) {
  const { problems, notes } = setup(options);
  for (const line of [...notes, ...problems]) console.error(line);
  if (problems.length > 0) process.exit(1);
}

if (isMain(import.meta.url)) setupOrExit({ tests: process.argv.includes('--tests') });
