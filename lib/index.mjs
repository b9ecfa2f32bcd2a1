// What `import 'ictus'` gives: the same objects as require('ictus'), so that a program that uses both has one engine.
// createRequire rather than a static import: where the addon is missing, its error is then an ordinary rejection.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const { Engine, Instrument, PcmRing, Sampler, Speaker, createTransport, devices, doctor, version } =
  require('./index.cjs');
