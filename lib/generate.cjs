'use strict';
// engine.generate: calls a function that fills blocks, ahead of the playhead, here or in a worker.

const { Worker } = require('node:worker_threads');
const native = require('./native.cjs');
const { PcmRing } = require('./ring.cjs');

/** How often the fill is looked at: four times while what is ahead is heard, ms. */
const every = (ahead) => Math.max(1, Math.min(20, (ahead * 1000) / 4));

/** By name, one per process: a program that was loaded anew (bun --hot) goes on with the stream it had. */
const KEY = Symbol.for('ictus.generators');
globalThis[KEY] ??= new Map();
const named = globalThis[KEY];

/** What a worker and we share: who may write, a lock, and the number of the next frame. */
const OWNER = 0;

/** Wait for a worker that was replaced before it is ended by force, ms. */
const GRACE_MS = 1000;

class Generator {
  #engine;
  #settings;
  #ring;
  #report;
  #stopped = false;
  #state = {};
  // On this thread:
  #fill = null;
  #timer = null;
  #block;
  #frame = 0;
  // In a worker:
  #worker = null;
  #control = new Int32Array(new SharedArrayBuffer(8));
  #position = new Float64Array(new SharedArrayBuffer(8));

  constructor(engine, settings, report) {
    this.#engine = engine;
    this.#settings = settings;
    this.#report = report;
    const { channels, ahead, blockSize } = settings;
    const frames = Math.ceil(ahead * engine.sampleRate) + blockSize;
    this.#ring = new PcmRing({ engine, channels, frames });
    this.#block = new Float32Array(blockSize * channels);
  }

  get gain() {
    return this.#ring.gain;
  }

  set gain(gain) {
    this.#ring.gain = gain;
  }

  get underruns() {
    return this.#ring.underruns;
  }

  /** Whether a call with these settings goes on with this one. */
  fits(engine, { channels, ahead, blockSize }) {
    const own = this.#settings;
    const same = channels === own.channels && ahead === own.ahead && blockSize === own.blockSize;
    return !this.#stopped && same && engine.realtime.threadId === this.#engine.realtime.threadId;
  }

  /** From now on this function fills, or the one that the module at this URL exports. */
  use(fill, report) {
    this.#report = report;
    if (typeof fill === 'function') {
      this.#retire();
      this.#frame = Math.max(this.#frame, this.#position[0]);
      this.#fill = fill;
      this.#timer ??= setInterval(() => this.#advance(), every(this.#settings.ahead));
      this.#advance();
      return;
    }
    clearInterval(this.#timer);
    this.#timer = null;
    if (this.#fill !== null) this.#position[0] = this.#frame;
    this.#fill = null;
    const before = this.#worker;
    this.#worker = this.#start(fill);
    // It goes on until the new one has taken over.
    if (before !== null) this.#end(before);
  }

  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#retire();
    this.#ring.close();
    const { name } = this.#settings;
    if (name !== undefined && named.get(name) === this) named.delete(name);
  }

  #advance() {
    const { ahead, blockSize } = this.#settings;
    const wanted = Math.ceil(ahead * this.#engine.sampleRate);
    if (this.#engine.state === 'closed') {
      this.stop();
      return;
    }
    // No more than the ring holds at a time: a function that is too slow must not hold this thread for ever.
    let left = this.#ring.size;
    while (left > 0 && !this.#stopped && this.#fill !== null && this.#ring.available() < wanted) {
      this.#block.fill(0);
      try {
        this.#fill(this.#block, this.#frame, this.#state);
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (this.#stopped) return;
      this.#ring.write(this.#block);
      this.#frame += blockSize;
      left -= blockSize;
    }
  }

  #start(url) {
    const { ahead, blockSize } = this.#settings;
    const { data, writeIndex, readIndex, size, stride } = this.#ring;
    const id = Atomics.load(this.#control, OWNER) + 1;
    const worker = new Worker(require.resolve('./generate-worker.cjs'), {
      workerData: {
        url: url.href,
        id,
        control: this.#control,
        position: this.#position,
        ring: { data, writeIndex, readIndex, size, stride },
        blockSize,
        wanted: Math.ceil(ahead * this.#engine.sampleRate),
        every: every(ahead),
      },
    });
    worker.on('error', (error) => {
      if (worker === this.#worker) this.#fail(error);
    });
    return worker;
  }

  /** No worker fills any more. */
  #retire() {
    const worker = this.#worker;
    if (worker === null) return;
    this.#worker = null;
    Atomics.add(this.#control, OWNER, 1);
    this.#end(worker);
  }

  #end(worker) {
    const timer = setTimeout(() => worker.terminate(), GRACE_MS);
    worker.once('exit', () => clearTimeout(timer));
    worker.unref();
    timer.unref();
  }

  #fail(error) {
    this.stop();
    this.#report(error);
  }
}

function generate(engine, fill, options, report) {
  const kind = typeof fill === 'object' && fill instanceof URL ? 'URL' : typeof fill;
  const settings = native.readGenerateOptions(kind, options);
  const { name } = settings;
  let generator = name === undefined ? undefined : named.get(name);
  if (generator !== undefined && !generator.fits(engine, settings)) {
    generator.stop();
    generator = undefined;
  }
  generator ??= new Generator(engine, settings, report);
  if (name !== undefined) named.set(name, generator);
  generator.use(fill, report);
  return generator;
}

module.exports = { generate };
