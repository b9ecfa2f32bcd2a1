'use strict';
// Instrument: samples mapped over keys and velocities. Made by Sampler.

const native = require('./native.cjs');

/** Instruments are made by samplers, which know the rate that raw values have. */
const MAKE = Symbol('make');

/** The native side of an instrument; undefined for anything else. */
let handleOf;

class Instrument {
  #handle;
  #rate;

  constructor(key, handle, rate) {
    if (key !== MAKE) {
      const error = new TypeError('an Instrument is made by sampler.createInstrument() or sampler.load()');
      throw Object.assign(error, { code: 'ERR_INVALID_ARGUMENT' });
    }
    this.#handle = handle;
    this.#rate = rate;
  }

  // What sampler.cjs may do and users may not.
  static {
    handleOf = (instrument) =>
      typeof instrument === 'object' && instrument !== null && #handle in instrument
        ? instrument.#handle
        : undefined;
  }

  get name() {
    return this.#handle.name();
  }

  get regions() {
    return this.#handle.info().regions;
  }

  get samples() {
    return this.#handle.info().samples;
  }

  get memory() {
    return this.#handle.info().memory;
  }

  get keyRange() {
    return this.#handle.info().keyRange;
  }

  get keyswitches() {
    return this.#handle.info().keyswitches;
  }

  get presets() {
    return this.#handle.presets();
  }

  get warnings() {
    return this.#handle.info().warnings;
  }

  async addSample(data, metadata) {
    native.checkCall('addSample', [data, metadata]);
    await this.#handle.addSample(data, metadata, this.#rate);
  }

  setEnvelope(envelope) {
    this.#handle.setEnvelope(envelope);
  }

  setModulation(modulation) {
    this.#handle.setModulation(modulation);
  }

  unload() {
    this.#handle.unload();
  }
}

/** One without samples; `rate` is that of raw values that name none. */
function createInstrument(name, rate, interpolation) {
  return new Instrument(MAKE, new native.InstrumentHandle(name, interpolation), rate);
}

/** A map of notes, or, as soon as one of its entries is a list, of sounds. */
function entriesOf(map) {
  const entries = Object.entries(map);
  if (!entries.some(([, files]) => Array.isArray(files))) return entries;
  return entries.map(([name, files]) => [name, Array.isArray(files) ? files : [files]]);
}

async function loadInstrument(source, rate, { baseUrl, preset, bank, interpolation, onProgress, signal }) {
  const cancel = new native.CancelHandle();
  const abort = () => cancel.cancel();
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const data = typeof source === 'string' || ArrayBuffer.isView(source) ? source : entriesOf(source);
    const handle = await native.load(
      data,
      { base: baseUrl, preset, bank, interpolation },
      rate,
      onProgress,
      cancel,
    );
    return new Instrument(MAKE, handle, rate);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

module.exports = { Instrument, createInstrument, handleOf, loadInstrument };
