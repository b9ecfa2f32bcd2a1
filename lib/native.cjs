'use strict';
// Finds the addon for this machine, and says what to do when it cannot be loaded.
//
// In a checkout it lies beside package.json; installed, it comes in a package of its own for each platform
// (optionalDependencies), so that no compiler is needed. Names as in scripts/platforms.mjs.

const path = require('node:path');

/** 'linux-x64-gnu' and the like, or undefined where there is no build. */
function platform() {
  const { platform: os, arch } = process;
  if (os === 'linux') return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`;
  if (os === 'darwin') return `darwin-${arch}`;
  if (os === 'win32') return `win32-${arch}-msvc`;
  return `${os}-${arch}`;
}

function isMusl() {
  // The report is the one place that names the C library; Bun has it, too.
  const report = process.report?.getReport();
  return Boolean(report) && !report.header?.glibcVersionRuntime && process.versions.bun === undefined;
}

function fail(code, message, cause) {
  return Object.assign(new Error(message, { cause }), { code });
}

function isMissing(error, request) {
  return error?.code === 'MODULE_NOT_FOUND' && String(error.message).includes(request);
}

/** What to type for a library that the dynamic linker did not find. */
function libraryAdvice(message) {
  const library = /(lib[\w.+-]+\.so[\w.]*)/.exec(message)?.[1];
  if (!library) return undefined;
  if (library.startsWith('libasound')) {
    return (
      `the ALSA library (${library}) is missing. Install it: \`sudo apt install libasound2\` (Debian, Ubuntu; ` +
      'libasound2t64 from 2024 on), `sudo dnf install alsa-lib` (Fedora), `sudo pacman -S alsa-lib` (Arch)'
    );
  }
  return `the library ${library} is missing or does not fit; install it with the system's package manager`;
}

function load() {
  const name = platform();
  const attempts = [path.join(__dirname, '..', `ictus.${name}.node`), `ictus-${name}`];
  for (const request of attempts) {
    try {
      return require(request);
    } catch (error) {
      if (isMissing(error, request)) continue;
      const advice = libraryAdvice(String(error?.message)) ?? String(error?.message);
      throw fail(
        'ERR_ADDON_LOAD',
        `ictus found its native part (${request}) but could not load it: ${advice}`,
        error,
      );
    }
  }
  throw fail(
    'ERR_ADDON_MISSING',
    `ictus has no native part for ${name} here. It comes in the package ictus-${name}: install it with ` +
      `\`npm install ictus-${name}\`, or reinstall ictus without --omit=optional and --no-optional. In a checkout, ` +
      'build it with `npm run build`.',
  );
}

const native = load();
native.attach();
// Once a process, however often this module is loaded anew by a hot reload.
const leaving = Symbol.for('ictus.leaving');
if (!process[leaving]) {
  Object.defineProperty(process, leaving, { value: true });
  process.once('exit', () => native.leave());
}

module.exports = native;
