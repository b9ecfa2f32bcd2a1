// Small things the scripts share: is this file the one that was started, is a program there, run npm.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Whether the module with this import.meta.url is what `node` was asked to run. */
export function isMain(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url);
}

/** The path of a program, or undefined. Looks by itself: starting `which` would cost more than all other checks. */
export function which(program) {
  const extensions = process.platform === 'win32' ? ['.exe', '.cmd'] : [''];
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    for (const extension of extensions) {
      const path = join(folder, program + extension);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not here; on to the next folder.
      }
    }
  }
  return undefined;
}

/** Runs a program to its end; true when it exited with 0. Its output is shown unless `quiet`. */
export function runs(program, args, { quiet = false, ...options } = {}) {
  return spawnSync(program, args, { stdio: quiet ? 'ignore' : 'inherit', ...options }).status === 0;
}

/** How to start npm: the very npm that started us, if one did; on Windows npm.cmd needs a shell. */
export function npmCommand() {
  const cli = process.env.npm_execpath;
  if (cli && /npm-cli\.[cm]?js$/.test(cli)) return { program: process.execPath, args: [cli], options: {} };
  return { program: 'npm', args: [], options: { shell: process.platform === 'win32' } };
}
