'use strict';
// What `require('ictus')` gives; index.mjs gives the same names to `import`.

const { doctor } = require('./doctor.cjs');
const { Engine } = require('./engine.cjs');
const { Instrument } = require('./instrument.cjs');
const { PcmRing } = require('./ring.cjs');
const { Sampler } = require('./sampler.cjs');
const Speaker = require('./speaker.cjs');
const { createTransport } = require('./transport.cjs');
const native = require('./native.cjs');

module.exports = {
  Engine,
  Instrument,
  PcmRing,
  Sampler,
  Speaker,
  createTransport,
  devices: native.devices,
  doctor,
  version: native.version(),
};
