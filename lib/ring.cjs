'use strict';
// PcmRing: a ring over shared memory that JavaScript fills, on any thread, and the audio thread reads where it lies. How it
// is laid out is part of the contract: docs/pcm.md.

const { EventEmitter } = require('node:events');
const { types } = require('node:util');
const { access, shared } = require('./engine.cjs');
const native = require('./native.cjs');

/** Each index on a cache line of its own, the values behind them. */
const READ_AT = 64;
const DATA_AT = 128;

/** Longer than any program runs; a timer that only keeps the process. */
const FOR_EVER = 0x7fffffff;

const closed = () =>
  Object.assign(new Error('the PcmRing is closed; make a new one'), { code: 'ERR_CLOSED' });

/** What something is, for the native side's words. */
function kindOf(array, share) {
  if (!ArrayBuffer.isView(array)) return array;
  const over = share || types.isSharedArrayBuffer(array.buffer) ? ' over a SharedArrayBuffer' : '';
  return `${array[Symbol.toStringTag]}${over}`;
}

/** A ring in words and numbers, for the native side to check. `anywhere`: nobody but JavaScript reads it. */
function describe(ring, sampleRate, anywhere = false) {
  if (typeof ring !== 'object' || ring === null) return ring;
  const { data, writeIdx, readIdx, size, stride } = ring;
  return {
    data: kindOf(data, anywhere),
    dataLength: data?.length,
    writeIdx: kindOf(writeIdx, anywhere),
    writeLength: writeIdx?.length,
    readIdx: kindOf(readIdx, anywhere),
    readLength: readIdx?.length,
    size,
    stride,
    sampleRate,
  };
}

/** Frames from one index to another. */
const distance = (from, to, size) => (to >= from ? to - from : to + size - from);

/** Keeps the process, and whoever owns it, while a stream has something to be heard. */
class Keeper {
  #timer = null;

  get holds() {
    return this.#timer !== null;
  }

  hold(owner) {
    this.#timer ??= setInterval((_owner) => {}, FOR_EVER, owner);
  }

  release() {
    clearInterval(this.#timer);
    this.#timer = null;
  }
}

class PcmRing extends EventEmitter {
  #handle;
  #data;
  #write;
  #read;
  #size;
  #stride;
  #gain = 1;
  #open = true;
  #keeper = new Keeper();

  constructor(options = {}) {
    super();
    const { channels, frames, wide, sampleRate } = native.readRingOptions(options);
    const engine = options.engine ?? shared(undefined, 0);
    const way = access(engine);
    if (way === undefined) native.checkCall('engine', [engine]);
    const Values = wide ? Float64Array : Float32Array;
    // One place stays free: equal indices mean that the ring is empty.
    this.#size = frames + 1;
    this.#stride = channels;
    const values = this.#size * channels;
    const memory = new SharedArrayBuffer(DATA_AT + values * Values.BYTES_PER_ELEMENT);
    this.#data = new Values(memory, DATA_AT, values);
    this.#write = new Int32Array(memory, 0, 1);
    this.#read = new Int32Array(memory, READ_AT, 1);
    const ring = {
      data: this.#data,
      writeIdx: this.#write,
      readIdx: this.#read,
      size: this.#size,
      stride: channels,
    };
    this.#handle = native.PcmHandle.ring(
      way.handle,
      describe(ring, sampleRate ?? engine.sampleRate),
      this.#data,
      this.#write,
      this.#read,
    );
    const weak = new WeakRef(this);
    this.#handle.listen((notice) => weak.deref()?.#hear(notice));
  }

  get data() {
    return this.#data;
  }

  get writeIndex() {
    return this.#write;
  }

  get readIndex() {
    return this.#read;
  }

  get size() {
    return this.#size;
  }

  get stride() {
    return this.#stride;
  }

  get underruns() {
    return this.#handle.underruns();
  }

  get stats() {
    const handle = this.#handle;
    return {
      frames: handle.frames(),
      underruns: handle.underruns(),
      fill: this.available(),
      invalid: handle.hostile(),
    };
  }

  get gain() {
    return this.#gain;
  }

  set gain(gain) {
    native.checkCall('gain', [gain]);
    this.#handle.setGain(gain);
    this.#gain = gain;
  }

  available() {
    return distance(Atomics.load(this.#read, 0), Atomics.load(this.#write, 0), this.#size);
  }

  space() {
    return this.#size - 1 - this.available();
  }

  write(frames) {
    if (!this.#open) throw closed();
    const stride = this.#stride;
    if (!(Array.isArray(frames) || frames instanceof Float32Array || frames instanceof Float64Array))
      native.checkCall('frames', [frames]);
    const whole = frames.length / stride;
    if (whole !== Math.floor(whole)) native.checkCall('frames', [undefined, frames.length, stride]);
    const size = this.#size;
    const at = Atomics.load(this.#write, 0);
    const space = size - 1 - distance(Atomics.load(this.#read, 0), at, size);
    const count = whole < space ? whole : space;
    const data = this.#data;
    if (count === whole && at + count <= size) {
      data.set(frames, at * stride);
    } else {
      // Piece by piece and without views, which would be garbage.
      const values = count * stride;
      const end = size * stride;
      for (let from = 0, to = at * stride; from < values; from += 1, to += 1) {
        if (to === end) to = 0;
        data[to] = frames[from];
      }
    }
    // The release that makes the frames visible.
    Atomics.store(this.#write, 0, at + count < size ? at + count : at + count - size);
    if (count > 0 && !this.#keeper.holds) this.#hold();
    return count;
  }

  clear() {
    if (this.#open) this.#handle.clear(Atomics.load(this.#write, 0));
  }

  close() {
    if (!this.#open) return;
    this.#open = false;
    this.#keeper.release();
    this.#handle.release();
  }

  #hold() {
    this.#handle.touch();
    this.#keeper.hold(this);
  }

  #hear({ kind, count }) {
    // Told before it was closed, and heard after.
    if (!this.#open) return;
    if (kind === 'busy') this.#keeper.hold(this);
    else if (kind === 'idle') this.#keeper.release();
    else if (kind === 'lost') {
      this.#open = false;
      this.#keeper.release();
    } else if (kind === 'underrun') {
      try {
        this.emit('underrun', { underruns: count });
      } catch (error) {
        // A listener's own error: uncaught, as it would be elsewhere.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

if (Symbol.dispose) {
  Object.defineProperty(PcmRing.prototype, Symbol.dispose, {
    value() {
      this.close();
    },
    configurable: true,
    writable: true,
  });
}

module.exports = { Keeper, PcmRing, describe, distance };
