'use strict';
// createTransport: Kanon's own call. 'PULL' lets the audio thread read the caller's ring where it lies, 'PUSH' streams it
// through a Speaker.

const { access, shared } = require('./engine.cjs');
const native = require('./native.cjs');
const { Keeper, describe, distance } = require('./ring.cjs');
const Speaker = require('./speaker.cjs');

/** Kanon's default. */
const RATE = 44100;
/** Frames that PUSH hands on at a time, and how long it waits where there are none, ms. */
const PIECE = 512;
const WAIT_MS = 4;

/**
 * All that have not been stopped: nobody has to hold them for their sound to go on. One per process, so that a program that
 * was loaded anew (bun --hot) finds its transport again instead of reading its ring twice.
 */
const KEY = Symbol.for('ictus.transports');
globalThis[KEY] ??= new Set();
const running = globalThis[KEY];

class Pull {
  #handle;
  #engine;
  #ring;
  #keeper = new Keeper();
  #stopped = false;

  constructor(engine, ring, rate) {
    this.#engine = engine;
    this.#ring = ring;
    const { data, writeIdx, readIdx } = ring;
    this.#handle = native.PcmHandle.ring(
      access(engine).handle,
      describe(ring, rate),
      data,
      writeIdx,
      readIdx,
    );
    const weak = new WeakRef(this);
    this.#handle.listen(({ kind }) => {
      const self = weak.deref();
      if (self === undefined || self.#stopped) return;
      if (kind === 'busy') self.#keeper.hold(self);
      else if (kind === 'idle') self.#keeper.release();
    });
    this.#handle.touch();
    this.#keeper.hold(this);
  }

  get type() {
    return 'PULL';
  }

  get stats() {
    return {
      frames: this.#handle.frames(),
      underruns: this.#handle.underruns(),
      fill: fillOf(this.#ring),
      invalid: this.#handle.hostile(),
    };
  }

  get realtime() {
    return this.#engine.realtime;
  }

  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    forget(this);
    this.#keeper.release();
    this.#handle.release();
  }
}

class Push {
  #engine;
  #ring;
  #speaker;
  #bytes;
  #values;
  #stopped = false;
  #invalid = 0;

  constructor(engine, ring, rate) {
    this.#engine = engine;
    this.#ring = ring;
    const { stride } = ring;
    this.#values = new Float32Array(PIECE * stride);
    this.#bytes = new Uint8Array(this.#values.buffer);
    this.#speaker = new Speaker({ channels: stride, bitDepth: 32, float: true, sampleRate: rate, engine });
    // What happens to the engine, the engine tells.
    this.#speaker.on('error', () => this.stop());
    this.#pump();
  }

  get type() {
    return 'PUSH';
  }

  get stats() {
    const { frames, underruns } = this.#speaker.stats;
    return { frames, underruns, fill: fillOf(this.#ring), invalid: this.#invalid };
  }

  get realtime() {
    return this.#engine.realtime;
  }

  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    forget(this);
    this.#speaker.end();
  }

  #pump = () => {
    if (this.#stopped) return;
    const frames = this.#take();
    if (frames > 0) {
      this.#speaker.write(this.#bytes.subarray(0, frames * this.#ring.stride * 4), this.#pump);
    } else {
      // While it sounds the speaker keeps the process; silence need not.
      setTimeout(this.#pump, WAIT_MS).unref();
    }
  };

  /** Moves frames from the ring into our own values, and says how many. */
  #take() {
    const { data, readIdx, writeIdx, size, stride } = this.#ring;
    const [read, write] = [Atomics.load(readIdx, 0), Atomics.load(writeIdx, 0)];
    if (!(read >= 0 && read < size && write >= 0 && write < size)) {
      this.#invalid += 1;
      return 0;
    }
    const frames = Math.min(PIECE, distance(read, write, size));
    const values = this.#values;
    for (let n = 0, at = read * stride; n < frames * stride; n += 1, at += 1) {
      if (at === size * stride) at = 0;
      values[n] = data[at];
    }
    Atomics.store(readIdx, 0, (read + frames) % size);
    return frames;
  }
}

/** Frames that wait in a ring; 0 when its indices make no sense. */
function fillOf({ readIdx, writeIdx, size }) {
  const [read, write] = [Atomics.load(readIdx, 0), Atomics.load(writeIdx, 0)];
  return read >= 0 && read < size && write >= 0 && write < size ? distance(read, write, size) : 0;
}

function forget(transport) {
  for (const entry of running) if (entry.transport === transport) running.delete(entry);
}

function createTransport(mode, ringBuffer, sampleRate, options = {}) {
  native.checkTransport(mode, options, options?.engine !== undefined);
  const rate = sampleRate ?? RATE;
  native.checkRing(describe(ringBuffer, rate, mode === 'PUSH'));
  const { engine: given, ...engineOptions } = options;
  const wanted = Object.keys(engineOptions).length > 0 ? engineOptions : undefined;
  const engine = given ?? shared(wanted, 0);
  if (access(engine) === undefined) native.checkCall('engine', [engine]);
  // Our own copy of its places: what is put into the caller's object later is not what was checked.
  const { data, writeIdx, readIdx, size, stride } = ringBuffer;
  const ring = { data, writeIdx, readIdx, size, stride };
  const place = (index) => index.buffer === readIdx.buffer && index.byteOffset === readIdx.byteOffset;
  for (const entry of running) {
    if (!place(entry.readIdx)) continue;
    const { transport, backend } = entry;
    const same = transport.type === mode && entry.rate === rate && entry.size === size;
    // By what the engine is, not by the object: a module that was loaded anew has objects of its own.
    if (same && backend === engine.backend && entry.thread === engine.realtime.threadId) return transport;
    transport.stop();
  }
  const transport = mode === 'PULL' ? new Pull(engine, ring, rate) : new Push(engine, ring, rate);
  const { threadId } = engine.realtime;
  running.add({ transport, readIdx, rate, size, backend: engine.backend, thread: threadId });
  return transport;
}

module.exports = { createTransport };
