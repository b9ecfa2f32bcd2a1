// npm run package: builds, and leaves in dist/ the two tarballs that a release of this machine's platform is made of:
// ictus-<version>.tgz (JavaScript, types) and ictus-<platform>-<version>.tgz (the addon).
//
//   --out FOLDER        put the tarballs there instead
//   --prepack, --postpack   what npm calls around packing the main package, see below
//
// The packed main package names the platform packages in optionalDependencies, the repository's package.json does
// not: they are published together, so that `npm ci` in a clone would ask for packages that are not there yet.
// prepack and postpack put the lines in and take them out again, so a bare `npm pack` or `npm publish` does right too.
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { buildOrExit } from './build.mjs';
import {
  addonName,
  hostPlatform,
  optionalDependencies,
  packageName,
  platformManifest,
  root,
} from './platforms.mjs';
import { npmCommand, runs } from './run.mjs';

const manifestPath = join(root, 'package.json');

/**
 * Rewrites package.json with or without the optionalDependencies. As text, so that the rest keeps its layout to the
 * byte; starting from the text without them, so that one left behind by a killed `npm pack` does no harm.
 */
function setOptionalDependencies(wanted) {
  const bare = readFileSync(manifestPath, 'utf8').replace(/^ {2}"optionalDependencies": \{[^}]*\},\n/m, '');
  const lines = JSON.stringify({ optionalDependencies: optionalDependencies() }, null, 2)
    .split('\n')
    .slice(1, -1);
  const anchor = '  "devDependencies": {';
  if (!bare.includes(anchor))
    throw new Error('package.json has no "devDependencies" to put the lines before');
  const text = wanted ? bare.replace(anchor, `${lines.join('\n')},\n${anchor}`) : bare;
  const fresh = `${manifestPath}.${process.pid}`;
  writeFileSync(fresh, text);
  renameSync(fresh, manifestPath);
}

/** Real `npm pack` of a folder into `out`. Its prepack runs whatever the user's ignore-scripts says. */
function npmPack(folder, out) {
  const npm = npmCommand();
  const args = [...npm.args, 'pack', '--silent', '--ignore-scripts=false', '--pack-destination', out];
  if (!runs(npm.program, args, { cwd: folder, quiet: true, ...npm.options })) {
    throw new Error(`npm pack failed in ${folder}`);
  }
}

/** The newest glibc that the addon asks for, e.g. 2.28: versions stand as plain text in the file. */
function glibcNeeded(addon) {
  const minors = [...readFileSync(addon, 'latin1').matchAll(/GLIBC_2\.(\d+)/g)].map((match) =>
    Number(match[1]),
  );
  return minors.length > 0 ? `2.${Math.max(...minors)}` : undefined;
}

async function makePackages(out) {
  const platform = hostPlatform();
  const addon = await buildOrExit(); // the release profile strips it
  mkdirSync(out, { recursive: true });

  const folder = mkdtempSync(join(tmpdir(), 'ictus-package-'));
  const manifest = platformManifest(platform);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(join(folder, 'README.md'), `# ${manifest.name}\n\n${manifest.description}.\n`);
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  copyFileSync(addon, join(folder, addonName(platform)));
  npmPack(folder, out);
  rmSync(folder, { recursive: true });

  try {
    npmPack(root, out);
  } finally {
    setOptionalDependencies(false); // npm leaves postpack out when packing fails
  }

  const { version } = manifest;
  for (const name of ['ictus', packageName(platform)]) console.log(join(out, `${name}-${version}.tgz`));
  const glibc = glibcNeeded(addon);
  if (glibc) console.log(`${basename(addon)} needs glibc ${glibc} or newer`);
}

const args = process.argv.slice(2);
if (args.includes('--prepack')) setOptionalDependencies(true);
else if (args.includes('--postpack')) setOptionalDependencies(false);
else
  await makePackages(args.includes('--out') ? resolve(args[args.indexOf('--out') + 1]) : join(root, 'dist'));
