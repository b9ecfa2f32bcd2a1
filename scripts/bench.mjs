// npm run bench: the benchmarks that the README quotes, on Node and on Bun, one after the other. Figures are medians and
// stand beside something measured in the same run.
import { join } from 'node:path';
import { buildOrExit } from './build.mjs';
import { root } from './platforms.mjs';
import { runs } from './run.mjs';
import { bunPath, setupOrExit } from './setup.mjs';

setupOrExit();
await buildOrExit();
const file = join(root, 'benches', 'note-on.mjs');
const ok = [process.execPath, bunPath()].filter(Boolean).every((runtime) => runs(runtime, [file]));
process.exitCode = ok ? 0 : 1;
