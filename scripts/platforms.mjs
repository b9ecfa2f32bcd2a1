// The one table of the platforms we publish for. The manifest of each platform package, the optionalDependencies
// of the main package and the name of the built addon all follow from it; to add a platform, add a row.
// lib/native.cjs derives the same names at run time from process.platform and process.arch.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const platforms = [
  { suffix: 'linux-x64-gnu', os: 'linux', cpu: 'x64', libc: 'glibc' },
  { suffix: 'linux-arm64-gnu', os: 'linux', cpu: 'arm64', libc: 'glibc' },
  { suffix: 'darwin-x64', os: 'darwin', cpu: 'x64' },
  { suffix: 'darwin-arm64', os: 'darwin', cpu: 'arm64' },
  { suffix: 'win32-x64-msvc', os: 'win32', cpu: 'x64' },
];

/** package.json of the main package, as it stands in the repository. */
export function mainManifest() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
}

/** The row for the machine we are on; an error that says what there is when it has none. */
export function hostPlatform() {
  const row = platforms.find((p) => p.os === process.platform && p.cpu === process.arch);
  if (row) return row;
  const known = platforms.map((p) => p.suffix).join(', ');
  throw new Error(
    `ictus has no build for ${process.platform} on ${process.arch}; it has: ${known}. ` +
      'A new platform is a new row in scripts/platforms.mjs and in lib/native.cjs.',
  );
}

export const addonName = (platform) => `ictus.${platform.suffix}.node`;
export const packageName = (platform) => `ictus-${platform.suffix}`;

/** package.json of a platform package. `os`, `cpu` and `libc` are what makes npm install only the right one. */
export function platformManifest(platform) {
  const { version, license, engines, description } = mainManifest();
  return {
    name: packageName(platform),
    version,
    description: `${description}. The addon for ${platform.suffix}; install "ictus" instead`,
    license,
    main: addonName(platform),
    files: [addonName(platform)],
    engines,
    os: [platform.os],
    cpu: [platform.cpu],
    ...(platform.libc && { libc: [platform.libc] }),
  };
}

/** What the packed main package depends on: every platform package, in exactly its own version. */
export function optionalDependencies() {
  const { version } = mainManifest();
  return Object.fromEntries(platforms.map((p) => [packageName(p), version]));
}
