'use strict';
// Instrument: samples mapped over keys and velocities. Made by Sampler.

const native = require('./native.cjs');

/** Instruments are made by samplers, which know the rate that raw values have. */
const MAKE = Symbol('make');

class Instrument {
  #handle;
  #rate;

  constructor(key, handle, rate) {
    if (key !== MAKE)
      throw new TypeError('an Instrument is made by sampler.createInstrument() or sampler.load()');
    this.#handle = handle;
    this.#rate = rate;
  }

  static create(name, rate) {
    return new Instrument(MAKE, new native.InstrumentHandle(name), rate);
  }

  static async load(source, rate, { baseUrl, onProgress, signal }) {
    const cancel = new native.CancelHandle();
    const abort = () => cancel.cancel();
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const data =
        typeof source === 'string' || source instanceof Float32Array ? source : Object.entries(source);
      return new Instrument(MAKE, await native.load(data, baseUrl, rate, onProgress, cancel), rate);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** The native side of an instrument; undefined for anything else. */
  static handle(instrument) {
    return typeof instrument === 'object' && instrument !== null && #handle in instrument
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

  unload() {
    this.#handle.unload();
  }
}

module.exports = { Instrument };
