// npm run demo [-- options]: sets up, builds, plays examples/demo.mjs. The demo runs in this very process, so that
// Ctrl-C reaches it as it would without us.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildOrExit } from './build.mjs';
import { root } from './platforms.mjs';
import { setupOrExit } from './setup.mjs';

setupOrExit();
await buildOrExit();
const demo = join(root, 'examples', 'demo.mjs');
process.argv[1] = demo;
await import(pathToFileURL(demo));
