'use strict';
// Engine: the JavaScript face of one output stream, one clock, one audio thread.

const { EventEmitter } = require('node:events');
const { monotonic } = require('./clock.cjs');
const { Lane, layout } = require('./lane.cjs');
const native = require('./native.cjs');

/** Marks the private way of making an Engine around a handle that exists. */
const ADOPT = Symbol('adopt');

/** The way into an engine: its native handle and its lane; undefined for anything else. */
let access;
/** Where word of a sampler's notes goes. */
let register;
/** The default engine, opened with room for at least so many voices when there is none. */
let shared;
/** From now on the engine hears of notes: thousands a second, perhaps, so only where somebody listens. */
let hearNotes;

class Engine extends EventEmitter {
  #handle;
  #info;
  #lane;
  #closing = null;
  #wanted = null;
  #gain = 1;
  /** Weak references by serial number, swept when they have doubled. */
  #samplers = new Map();
  #sweepAt = 64;
  #hearsNotes = false;

  constructor(options, adopted) {
    super();
    this.#handle = options === ADOPT ? adopted : new native.EngineHandle(options);
    this.#info = this.#handle.info();
    this.#lane = new Lane(this.#handle, this.#info);
    this.#listen(false);
  }

  /** The engine of all who name none. */
  static default(options) {
    return shared(options, 0);
  }

  static #shared = null;

  get backend() {
    return this.#info.backend;
  }

  get device() {
    return this.#info.device;
  }

  get sampleRate() {
    return this.#info.sampleRate;
  }

  get bufferSize() {
    return this.#info.bufferSize;
  }

  get channels() {
    return this.#info.channels;
  }

  get currentTime() {
    return this.#lane.frame / this.#info.sampleRate;
  }

  timeAt(performanceNow) {
    native.checkCall('timeAt', [performanceNow]);
    return this.#handle.timeAt(monotonic(performanceNow));
  }

  get outputLatency() {
    return this.#handle.outputLatency();
  }

  get state() {
    if (this.#closing !== null || this.#handle.isClosed()) return 'closed';
    const seen = this.#lane.running ? 'running' : 'suspended';
    if (this.#wanted === seen) this.#wanted = null;
    return this.#wanted ?? seen;
  }

  get realtime() {
    return this.#handle.realtime();
  }

  get gain() {
    return this.#gain;
  }

  set gain(gain) {
    native.checkCall('gain', [gain]);
    this.#send(layout.masterGain, gain);
    this.#gain = gain;
  }

  get interpolation() {
    return this.#handle.interpolation();
  }

  set interpolation(interpolation) {
    this.#handle.setInterpolation(interpolation);
  }

  stats() {
    return this.#handle.stats();
  }

  meter() {
    const [peakLeft, peakRight, rmsLeft, rmsRight] = this.#handle.meter();
    return { peak: [peakLeft, peakRight], rms: [rmsLeft, rmsRight] };
  }

  resetStats() {
    this.#handle.resetStats();
  }

  suspend() {
    this.#turn('suspended', layout.suspend);
  }

  resume() {
    this.#turn('running', layout.resume);
  }

  panic() {
    this.#send(layout.panic, 0);
  }

  render(frames, into) {
    native.checkCall('render', [frames, into, this.#info.channels]);
    const out = into ?? new Float32Array(frames * this.#info.channels);
    this.#lane.holdAudience();
    this.#handle.render(frames, out);
    return out;
  }

  generate(fill, options) {
    this.#handle.checkOpen();
    // Required here, where it is wanted: it is built on this class.
    const { generate } = require('./generate.cjs');
    return generate(this, fill, options, (error) => this.#tell('error', error));
  }

  close() {
    if (this.#closing === null) {
      // The native side first: from here on every way in is closed.
      this.#closing = this.#handle.close();
      this.#lane.close();
      this.emit('statechange', { state: 'closed' });
    }
    return this.#closing;
  }

  // What the other files of lib/ may do and users may not.
  static {
    access = (engine) =>
      typeof engine === 'object' && engine !== null && #handle in engine
        ? { handle: engine.#handle, lane: engine.#lane, late: engine.#info.late }
        : undefined;
    register = (engine, serial, sampler) => {
      const samplers = engine.#samplers;
      samplers.set(serial, new WeakRef(sampler));
      if (samplers.size < engine.#sweepAt) return;
      for (const [number, held] of samplers) if (held.deref() === undefined) samplers.delete(number);
      engine.#sweepAt = 2 * samplers.size + 64;
    };
    shared = (options, voices) => {
      const open = Engine.#shared;
      if (open !== null && open.state !== 'closed') {
        if (options !== undefined) native.checkDefaultOptions(options);
        return open;
      }
      Engine.#shared = new Engine(ADOPT, native.EngineHandle.shared(options, voices));
      return Engine.#shared;
    };
    hearNotes = (engine) => {
      if (engine.#hearsNotes) return;
      engine.#hearsNotes = true;
      engine.#listen(true);
    };
  }

  #turn(state, op) {
    if (this.state === state) return;
    this.#send(op, 0);
    this.#wanted = state;
    this.emit('statechange', { state });
  }

  #send(op, value) {
    this.#lane.push(op, 0, 0, 0, value, 0, Number.NaN, 0, 0);
  }

  /** The native side must not hold this object: an engine nobody holds may go. */
  #listen(notes) {
    const weak = new WeakRef(this);
    this.#handle.listen(notes, (notices) => {
      const engine = weak.deref();
      if (engine === undefined) return;
      for (const notice of notices) {
        try {
          engine.#hear(notice);
        } catch (error) {
          // A listener's own error: uncaught as it would be elsewhere, but the other notices are still told.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    });
  }

  #hear({ kind, sampler, note, code, message, cause, frames, level, backend, device, late }) {
    if (sampler !== undefined) {
      const event = kind === 'late' ? { id: note, by: late } : { id: note };
      this.#samplers.get(sampler)?.deref()?.emit(kind, event);
      return;
    }
    switch (kind) {
      case 'error':
        return this.#tell('error', Object.assign(new Error(message), { code }));
      case 'devicelost':
        return this.#tell('devicelost', { message });
      case 'devicerestored':
        // Another device, perhaps, than the one that was lost.
        this.#info = this.#handle.info();
        return this.emit('devicerestored', { backend, device });
      case 'devicechange':
        return this.emit('devicechange', { message });
      case 'xrun':
        return this.emit('xrun', { frames, cause });
      case 'late':
        return this.emit('late', { notes: frames, worst: late });
      case 'degraded':
        return this.emit('degraded', { level });
    }
  }

  /** What must not go unheard becomes a warning of the process where nobody listens: never an uncaught exception. */
  #tell(event, detail) {
    if (this.listenerCount(event) > 0) this.emit(event, detail);
    else process.emitWarning(detail.message, { type: 'IctusWarning', code: detail.code });
  }
}

if (Symbol.asyncDispose) {
  Object.defineProperty(Engine.prototype, Symbol.asyncDispose, {
    value() {
      return this.close();
    },
    configurable: true,
    writable: true,
  });
}

module.exports = { Engine, access, register, hearNotes, shared };
