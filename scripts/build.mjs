// Builds the addon in release mode and puts it into the repository's root as ictus.<platform>.node, where
// lib/native.cjs looks first. Always asks cargo, which knows best whether anything changed.
//
// Why not `napi build`: all we need of it is the copy below; types and loader are written by hand.
import { spawn } from 'node:child_process';
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { addonName, hostPlatform, root } from './platforms.mjs';
import { isMain } from './run.mjs';

/** Returns the path of the built addon. Compiler messages go to stderr as they come. */
export async function build() {
  const addon = join(root, addonName(hostPlatform()));
  // cargo itself says where the library is: CARGO_TARGET_DIR, a configured target or a profile can move it.
  const args = ['build', '--release', '--lib', '--message-format=json-render-diagnostics'];
  const cargo = spawn('cargo', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = new Promise((resolve, reject) => cargo.once('error', reject).once('close', resolve));
  let library;
  for await (const line of createInterface({ input: cargo.stdout })) {
    const message = line.startsWith('{') ? JSON.parse(line) : {};
    if (message.reason !== 'compiler-artifact' || !message.target.crate_types.includes('cdylib')) continue;
    if (message.target.name === 'ictus') library = message.filenames.find((f) => /\.(so|dylib|dll)$/.test(f));
  }
  const code = await exit;
  if (code !== 0) throw new Error(`cargo build failed with exit code ${code}`);
  if (!library) throw new Error('cargo build told of no cdylib: is crate-type in Cargo.toml still right?');

  // Renamed into place: a process that has the old addon mapped keeps it, instead of crashing.
  const fresh = `${addon}.${process.pid}`;
  copyFileSync(library, fresh);
  renameSync(fresh, addon);
  return addon;
}

/** As `build`, but prints what went wrong and ends the process with 1. */
export async function buildOrExit() {
  try {
    return await build();
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}

if (isMain(import.meta.url)) await buildOrExit();
