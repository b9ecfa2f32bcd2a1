'use strict';
// The way of a note from JavaScript to the audio thread: a record of eight numbers, written into memory that both see.
//
// A method call into native code costs some 300 ns and makes garbage; this costs a few nanoseconds and makes none. The
// memory belongs to the native side and outlives this object; src/rt/lane.rs says how it is laid out, and reads every
// record as untrusted. One lane has one writer: the thread that made it.

const native = require('./native.cjs');

const layout = native.laneLayout();

// Places in the header, in 32-bit words (and, for the clock, in 64-bit ones).
const HEAD = 0;
const TAIL = 16;
const CLOCK = 16;
const VOICES = 34;
const SCHEDULED = 35;
const STATE = 36;
const DROPPED = 48;

const RUNNING = 0;

/** Time in which what was rendered offline has been told, however busy the machine is, ms. */
const HOLD_MS = 2000;
/** How often a sounding engine looks whether it may let the process end, ms. */
const WATCH_MS = 50;
/** Looks without a sign of life from the audio thread after which it no longer keeps the process: 2 s … */
const PATIENCE = 40;
/** … or so many blocks, where they are long. */
const PATIENCE_BLOCKS = 4;

class Lane {
  #handle;
  #header;
  #clock;
  #records;
  #mask;
  #offline;
  #timer = null;
  #hold;
  #quiet = 0;
  #stuck = 0;
  #seen = -1;
  #patience;
  /** Weak references to objects with listeners … */
  #audience = new Set();
  /** … and those objects, while something sounds or waits: they are not to be collected before they have heard it. */
  #kept = new Set();

  constructor(handle, { backend, bufferSize, sampleRate }) {
    const [header, records] = handle.lane();
    this.#handle = handle;
    this.#header = new Int32Array(header);
    this.#clock = new Float64Array(header);
    this.#records = new Float64Array(records);
    this.#mask = this.#records.length / 8 - 1;
    this.#offline = backend === 'offline';
    this.#patience = Math.max(PATIENCE, (PATIENCE_BLOCKS * 1000 * bufferSize) / sampleRate / WATCH_MS);
  }

  /** First frame of the next block. */
  get frame() {
    return this.#clock[CLOCK];
  }

  /** Whether the clock goes on, as the audio thread last said. */
  get running() {
    return Atomics.load(this.#header, STATE) === RUNNING;
  }

  /** Whether everything written has been read. */
  get received() {
    return this.#header[HEAD] === Atomics.load(this.#header, TAIL);
  }

  /**
   * Writes a record: operation, sampler, channel, note id, two numbers, seconds (NaN = now), and one number
   * more: what becomes of it when it is late. Leaves `reserve` records free. False: the lane was full, and that is counted.
   */
  push(op, sampler, channel, note, a, b, time, reserve, late) {
    const header = this.#header;
    const head = header[HEAD];
    if (((head - Atomics.load(header, TAIL)) | 0) + reserve > this.#mask)
      return this.#full(op, sampler, channel, note, a, b, time, reserve, late);
    const records = this.#records;
    const at = (head & this.#mask) << 3;
    records[at] = op;
    records[at + 1] = sampler;
    records[at + 2] = channel;
    records[at + 3] = note;
    records[at + 4] = a;
    records[at + 5] = b;
    records[at + 6] = time;
    records[at + 7] = late;
    // The release that makes the record visible.
    Atomics.store(header, HEAD, (head + 1) | 0);
    if (this.#timer === null && !this.#offline) this.#watch();
    return true;
  }

  #full(op, sampler, channel, note, a, b, time, reserve, late) {
    this.#handle.checkOpen();
    if (this.#offline) {
      // This thread is the audio thread, too: it makes room itself, however much is sent.
      this.#handle.takeIn();
      if (this.received) return this.push(op, sampler, channel, note, a, b, time, reserve, late);
    }
    Atomics.add(this.#header, DROPPED, 1);
    return false;
  }

  /** What was just rendered offline is told a little later: whoever listens to it is kept until then. */
  holdAudience() {
    if (this.#audience.size === 0) return;
    this.#keepAudience();
    clearTimeout(this.#hold);
    this.#hold = setTimeout(() => this.#kept.clear(), HOLD_MS);
    this.#hold.unref();
  }

  #keepAudience() {
    for (const held of this.#audience) {
      const listened = held.deref();
      if (listened === undefined) this.#audience.delete(held);
      else this.#kept.add(listened);
    }
  }

  /** While it sounds, or will, the process stays: a script that has scheduled its music may simply end. */
  #watch() {
    this.#quiet = 0;
    this.#stuck = 0;
    this.#keepAudience();
    this.#timer = setInterval(() => {
      const busy =
        this.running && !(this.received && this.#header[VOICES] === 0 && this.#header[SCHEDULED] === 0);
      const frame = this.frame;
      this.#stuck = frame === this.#seen ? this.#stuck + 1 : 0;
      this.#seen = frame;
      // Twice, since a record is taken in before the voice it starts is published.
      this.#quiet = busy ? 0 : this.#quiet + 1;
      if (this.#quiet > 1 || this.#stuck > this.#patience) this.rest();
    }, WATCH_MS);
  }

  /** Somebody listens to this object: it is kept as long as something sounds or waits. */
  keep(listened) {
    this.#audience.add(new WeakRef(listened));
    if (this.#timer !== null) this.#kept.add(listened);
  }

  /** Nothing can be sent any more: the next push() throws. */
  close() {
    this.rest();
    this.#mask = -1;
  }

  /** Lets the process end. */
  rest() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#kept.clear();
  }
}

module.exports = { Lane, layout };
