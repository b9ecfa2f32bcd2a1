'use strict';
// What `require('ictus')` gives; index.mjs gives the same names to `import`.

const { doctor } = require('./doctor.cjs');
const { Engine } = require('./engine.cjs');
const { Instrument } = require('./instrument.cjs');
const { Sampler } = require('./sampler.cjs');
const native = require('./native.cjs');

module.exports = { Engine, Instrument, Sampler, devices: native.devices, doctor, version: native.version() };
