'use strict';
// Speaker: a Writable that takes PCM, as programs for the npm package `speaker` know it: the same options, defaults,
// properties, statics, errors and order of events. docs/speaker.md lists what is different, all of it on purpose.

const os = require('node:os');
const { Writable } = require('node:stream');
const { access, shared } = require('./engine.cjs');
const native = require('./native.cjs');

const NATIVE_ORDER = os.endianness();

// mpg123's numbers of formats, by bits: what getFormat() gives, and what src/control/speaker.rs reads.
const FLOATS = { 32: 0x200, 64: 0x400 };
const SIGNED = { 8: 0x82, 16: 0xd0, 24: 0x5080, 32: 0x1180 };
const UNSIGNED = { 8: 0x01, 16: 0x60, 24: 0x6000, 32: 0x2100 };
const ALL = [FLOATS, SIGNED, UNSIGNED]
  .flatMap((table) => Object.values(table))
  .reduce((all, one) => all | one);

/** What a source or the options may say about the format. */
const PROPERTIES = ['channels', 'bitDepth', 'sampleRate', 'float', 'signed', 'samplesPerFrame', 'device'];

/** s, as in src/control/speaker.rs. */
const DEFAULT_LATENCY = 0.1;

/** Longer than any program runs; a timer that only keeps the process. */
const FOR_EVER = 0x7fffffff;

/** Engines of devices that were asked for by name; weakly, since an engine nobody plays on may go. */
const engines = new Map();

/** The engine that plays on this device. */
function engineOn(device) {
  if (device === null) return shared(undefined, 0);
  const known = engines.get(device)?.deref();
  if (known !== undefined && known.state !== 'closed') return known;
  const { Engine } = require('./engine.cjs');
  const engine = new Engine({ device });
  engines.set(device, new WeakRef(engine));
  return engine;
}

class Speaker extends Writable {
  static api_version = 1;
  static description = 'Output audio by ictus: a real-time thread, mixed with all other sound of the program';
  static module_name = 'ictus';

  #given;
  #latency;
  #engine = null;
  #stream = null;
  /** The callback of the write that waits for room, and of the end that waits to be heard. */
  #written = null;
  #ended = null;
  #lost = null;
  #keep = null;
  #toldClosed = false;
  /** What it was when the stream was let go of. */
  #lastStats = { frames: 0, underruns: 0, buffered: 0 };

  constructor(opts) {
    const options = opts || {};
    // One 'close', and it is ours: the stream's own would be the second.
    super({ ...options, highWaterMark: options.highWaterMark ?? 0, emitClose: false });
    const { engine, latency } = options;
    native.checkLatency(latency);
    if (engine !== undefined && access(engine) === undefined) native.checkCall('engine', [engine]);
    this.#given = engine;
    this.#latency = latency;
    this.samplesPerFrame = 1024;
    this.audio_handle = null;
    this._closed = false;
    this._format(options);
    // Bound, so that a source's listener can be taken off again.
    this._format = this._format.bind(this);
    this.on('finish', this._flush);
    this.on('pipe', this._pipe);
    this.on('unpipe', this._unpipe);
  }

  /** The number of a format, or null where there is none. */
  static getFormat({ bitDepth, float, signed }) {
    const bits = Number(bitDepth);
    if (float && signed && bits in FLOATS) return FLOATS[bits];
    return (signed ? SIGNED : UNSIGNED)[bits] ?? null;
  }

  static isSupported(format) {
    const number = typeof format === 'number' ? format : Speaker.getFormat(format);
    return (ALL & number) === number;
  }

  /** The engine that plays it, once it is open. */
  get engine() {
    return this.#engine;
  }

  get latency() {
    return this.#stream?.latency() ?? this.#latency ?? DEFAULT_LATENCY;
  }

  get stats() {
    const stream = this.#stream;
    if (stream === null) return { ...this.#lastStats };
    return { frames: stream.frames(), underruns: stream.underruns(), buffered: stream.buffered() };
  }

  close(flush) {
    if (this._closed) return;
    this._closed = true;
    this.audio_handle = null;
    if (this.#stream !== null) {
      // When the last frame has been heard there is nothing left to wait for.
      if (flush === false && this.#stream.isDrained()) this.#discard();
      else if (flush === false) this.#stream.end();
      else this.#silence();
    }
    this.#settle();
    this.#tellClosed();
  }

  _open() {
    if (this.audio_handle) throw new Error('_open() called more than once!');
    this.channels ??= 2;
    this.bitDepth ??= this.float ? 32 : 16;
    this.sampleRate ??= 44100;
    this.signed ??= this.bitDepth !== 8;
    this.device ??= null;
    const format = Speaker.getFormat(this);
    if (format === null) {
      throw Object.assign(new Error('invalid PCM format specified'), { code: 'ERR_INVALID_ARGUMENT' });
    }
    const engine = this.#given ?? engineOn(this.device);
    const { channels, sampleRate } = this;
    this.#stream = native.PcmHandle.speaker(access(engine).handle, {
      channels,
      sampleRate,
      format,
      latency: this.#latency,
    });
    this.#engine = engine;
    const weak = new WeakRef(this);
    this.#stream.listen((notice) => weak.deref()?.#hear(notice));
    this.blockAlign = (this.bitDepth / 8) * channels;
    this.audio_handle = Object.freeze({});
    this.emit('open');
    return this.audio_handle;
  }

  _format(format) {
    for (const name of PROPERTIES) {
      if (format[name] !== undefined && format[name] !== null) this[name] = format[name];
    }
    const { endianness } = format;
    if (endianness === undefined || endianness === null || endianness === NATIVE_ORDER) {
      this.endianness = NATIVE_ORDER;
    } else {
      const words = `only native endianness ("${NATIVE_ORDER}") is supported, got "${endianness}"`;
      this.emit('error', Object.assign(new Error(words), { code: 'ERR_INVALID_ARGUMENT' }));
    }
  }

  _write(chunk, _encoding, done) {
    if (this._closed) {
      done(new Error('write() call after close() call'));
      return;
    }
    let room = true;
    try {
      if (this.#stream === null) this._open();
      if (this.#lost !== null) throw this.#lost;
      // A listener of 'open' may have closed it.
      if (!this._closed) {
        room = this.#stream.write(chunk);
        this.#hold();
      }
    } catch (error) {
      done(error);
      return;
    }
    // Never within write(): it returns false, and 'drain' follows, as programs for the original expect.
    if (room) process.nextTick(done);
    else this.#written = done;
  }

  /** 'finish' comes when all has been heard: programs end the process there. */
  _final(done) {
    if (this.#stream === null || this._closed || this.#lost !== null) {
      done(this._closed ? null : this.#lost);
      return;
    }
    this.#ended = done;
    this.#stream.end();
    this.#hold();
  }

  _destroy(error, done) {
    if (!this._closed) {
      this._closed = true;
      this.audio_handle = null;
      this.#silence();
      this.#settle();
    }
    done(error);
    // After the error, which is told in the next tick.
    process.nextTick(() => this.#tellClosed());
  }

  _pipe(source) {
    this._format(source);
    source.once('format', this._format);
  }

  _unpipe(source) {
    source.removeListener('format', this._format);
  }

  _flush() {
    this.emit('flush');
    this.close(false);
  }

  #silence() {
    this.#stream?.stop();
    this.#discard();
  }

  /** A ring is a third of a megabyte: not to wait for garbage collection. */
  #discard() {
    this.#release();
    if (this.#stream === null) return;
    this.#lastStats = { ...this.stats, buffered: 0 };
    this.#latency = this.latency;
    this.#stream.ignore();
    this.#stream.discard();
    this.#stream = null;
  }

  /** Callbacks that nothing will answer any more are called: not by whoever closes, but right after. */
  #settle(error) {
    for (const done of [this.#written, this.#ended]) if (done !== null) process.nextTick(done, error);
    this.#written = null;
    this.#ended = null;
  }

  #tellClosed() {
    if (this.#toldClosed) return;
    this.#toldClosed = true;
    this.emit('close');
  }

  #hear(notice) {
    try {
      this.#react(notice);
    } catch (error) {
      // A listener's own error: uncaught, as it would be elsewhere.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #react({ kind, count }) {
    // Told before the stream was let go of, and heard after.
    if (this.#stream === null) return;
    if (kind === 'room') {
      const done = this.#written;
      this.#written = null;
      done?.();
    } else if (kind === 'drained') {
      // Closed while it sounded, it is done with; else 'finish' comes now, and closes it.
      if (this._closed) this.#discard();
      else this.#release();
      const done = this.#ended;
      this.#ended = null;
      done?.();
    } else if (kind === 'busy') {
      this.#hold();
    } else if (kind === 'idle') {
      // A write that waits is answered when the clock goes on; an end was, or never will be.
      this.#release();
    } else if (kind === 'underrun') {
      this.emit('underrun', { underruns: count });
    } else if (kind === 'lost') {
      this.#lost = Object.assign(new Error('the engine is closed; make a new one'), { code: 'ERR_CLOSED' });
      this.#settle(this.#lost);
    }
  }

  /** While something is to be heard the process stays, and this object with it. */
  #hold() {
    this.#keep ??= setInterval((_speaker) => {}, FOR_EVER, this);
  }

  #release() {
    clearInterval(this.#keep);
    this.#keep = null;
  }
}

module.exports = Speaker;
