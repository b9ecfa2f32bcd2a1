'use strict';
// Sampler: notes on sixteen channels. The calls that make sound are written for speed: one test of their arguments,
// one record, no garbage. What fails the test goes to the native side, which knows the words for it.

const { EventEmitter } = require('node:events');
const { access, hearNotes, register, shared } = require('./engine.cjs');
const { createInstrument, handleOf, loadInstrument } = require('./instrument.cjs');
const { layout } = require('./lane.cjs');
const native = require('./native.cjs');

const { noteOn, noteOff, release, pitchBend, allNotesOff, allSoundOff, cancel, control, turn } = layout;
const { channelPressure, polyPressure, program } = layout;
const { noteReserve, latePolicies } = layout;

/** Absent, or a finite number. */
const isTime = (time) => time === undefined || (typeof time === 'number' && time - time === 0);

/** What MIDI sends in seven bits; fractions are welcome. */
const isSeven = (value) => typeof value === 'number' && value >= 0 && value <= 127;

/** BigInts and symbols would throw in the arithmetic. */
const isChannel = (channel) => typeof channel === 'number' && (channel & 15) === channel;

const isNote = (note, velocity, time, channel) =>
  typeof note === 'number' &&
  note >= 0 &&
  note <= 127 &&
  typeof velocity === 'number' &&
  velocity >= 0 &&
  velocity <= 127 &&
  isTime(time) &&
  isChannel(channel);

/** What can be asked of one note: number, lowest, highest and whether set() turns it, by name. */
const PARAMS = Object.assign(
  Object.create(null),
  Object.fromEntries(layout.noteParams.map((param) => [param.name, param])),
);
/** What set() turns, as a list: it has no options to look through. */
const TURNED = layout.noteParams.filter((param) => param.turns);
/** Names of NoteOptions that are no parameter of the sound itself. */
const OTHER_OPTIONS = new Set(['time', 'duration', 'channel', 'late', 'send']);
/** Parameters that only play() takes. */
const PLAY_ONLY = new Set(['hcutoff', 'hresonance', 'bandf', 'bandq', 'begin', 'end', 'speed', 'cut']);
const SENDS = layout.sends.map((name, send) => [name, PARAMS[`send.${name}`], send]);
/** Which send a controller is about: its number plus 1, or 0. */
const SEND_OF = new Uint8Array(128);
for (const [name, controller] of Object.entries({ reverb: 91, chorus: 93, delay: 94 })) {
  SEND_OF[controller] = layout.sends.indexOf(name) + 1;
}

const isLevel = (value, { low, high }) => typeof value === 'number' && value >= low && value <= high;

/** Whether levels of sends are all in range and none has an unknown name. */
const areSends = (send) =>
  typeof send === 'object' &&
  send !== null &&
  !Array.isArray(send) &&
  Object.keys(send).every((name) => {
    const param = layout.sends.includes(name) ? PARAMS[`send.${name}`] : undefined;
    return param !== undefined && (send[name] === undefined || isLevel(send[name], param));
  });

/** Ids stay small integers, which cost no garbage in either runtime. */
const LAST_ID = 2 ** 30;

const ALL_CHANNELS = -1;
/** The bank that controllers 0 and 32 have selected. */
const SELECTED_BANK = -1;

/** A sampler's effects. Nothing here is called a thousand times a second. */
class EffectChain {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  set(name, params) {
    this.#handle.setEffect(name, params);
  }

  send(name, level) {
    this.#handle.sendEffect(name, level);
  }
}

/** Parameters of play() that change nothing. */
const PLAYED = Object.freeze({ begin: 0, end: 1, detune: 0, speed: 1, cut: 0, gain: 1, pan: 0, rate: 1 });

/** An absent time is now. */
const orNow = (time) => (time === undefined ? Number.NaN : time);

/** What is told of single notes. */
const NOTE_EVENTS = ['noteend', 'steal', 'late'];

class Sampler extends EventEmitter {
  #engine;
  #lane;
  #handle;
  #index;
  #next = 1;
  #open = true;
  #late;
  #gain;
  #pan = 0;
  #muted = false;
  #effects;
  /** A bit for each effect that is known to be there, or to have been taken away. */
  #used = 0;
  #banks = false;
  /** Sounds by name: how many samples, and in which places of the engine. */
  #sounds = new Map();
  /** Places of sounds that go round. */
  #loops = new Map();

  constructor(options = {}) {
    super();
    native.checkSamplerOptions(options, options?.engine !== undefined, false);
    const {
      engine: given,
      polyphony,
      gain,
      stealing,
      notePolyphony,
      velocityCurve,
      ...engineOptions
    } = options;
    const own = { polyphony, gain, stealing, notePolyphony, velocityCurve };
    const wanted = Object.keys(engineOptions).length > 0 ? engineOptions : undefined;
    const engine = given === undefined ? shared(wanted, polyphony ?? 0) : given;
    const way = access(engine);
    if (way === undefined) native.checkCall('engine', [given]);
    this.#engine = engine;
    this.#lane = way.lane;
    this.#late = way.late;
    this.#handle = new native.SamplerHandle(way.handle, own);
    this.#index = this.#handle.index();
    this.#gain = gain ?? 1;
    register(engine, this.#handle.serial(), this);
    this.on('newListener', (event) => {
      if (!NOTE_EVENTS.includes(event)) return;
      hearNotes(engine);
      // Once is enough: as long as it has listeners it is the same object.
      if (NOTE_EVENTS.every((name) => this.listenerCount(name) === 0)) this.#lane.keep(this);
    });
  }

  static async from(source, options = {}) {
    native.checkSamplerOptions(options, options?.engine !== undefined, true);
    const { channel, baseUrl, preset, bank, interpolation, onProgress, signal, ...samplerOptions } = options;
    // Said of all, it is the engine's; on an engine that others may play, the instrument's.
    const own = options.engine === undefined ? undefined : interpolation;
    if (own === undefined && interpolation !== undefined) samplerOptions.interpolation = interpolation;
    const sampler = new Sampler(samplerOptions);
    await sampler.load(source, { channel, baseUrl, preset, bank, interpolation: own, onProgress, signal });
    return sampler;
  }

  get engine() {
    return this.#engine;
  }

  get gain() {
    return this.#gain;
  }

  set gain(gain) {
    native.checkCall('gain', [gain]);
    this.#send(layout.samplerGain, gain);
    this.#gain = gain;
  }

  get pan() {
    return this.#pan;
  }

  set pan(pan) {
    native.checkCall('pan', [pan]);
    this.#send(layout.samplerPan, pan);
    this.#pan = pan;
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    native.checkCall('muted', [muted]);
    this.#send(layout.samplerMute, muted ? 1 : 0);
    this.#muted = muted;
  }

  get effects() {
    this.#effects ??= new EffectChain(this.#handle);
    return this.#effects;
  }

  async load(source, options = {}) {
    native.checkCall('load', [source, options]);
    this.#checkOpen();
    const { channel = 0, baseUrl, preset, bank, interpolation, onProgress, signal } = options;
    if (signal !== undefined && !(signal instanceof AbortSignal)) native.checkCall('signal', [signal]);
    const instrument = await loadInstrument(source, this.#engine.sampleRate, {
      baseUrl,
      preset,
      bank,
      interpolation,
      onProgress,
      signal,
    });
    this.assign(channel, instrument);
    // A whole bank fills the channels that play nothing yet.
    const fill = preset === undefined && bank === undefined;
    if (this.#handle.addBank(handleOf(instrument), fill)) this.#banks = true;
    for (const sound of this.#handle.addSounds(handleOf(instrument), false))
      this.#sounds.set(sound.name, sound);
    // Places may be given anew.
    this.#loops.clear();
    return instrument;
  }

  createInstrument(name = '', options = undefined) {
    native.checkCall('createInstrument', [name, options]);
    this.#checkOpen();
    return createInstrument(name, this.#engine.sampleRate, options?.interpolation);
  }

  assign(channel, instrument, time) {
    const handle = instrument === null ? null : handleOf(instrument);
    native.checkCall('assign', [channel, handle === undefined ? instrument : null, time]);
    this.#handle.assign(channel, handle, time);
  }

  noteOn(note, velocity = 100, time = undefined, channel = 0) {
    if (time !== undefined && typeof time !== 'number') return this.#noteOnWith(note, velocity, time);
    if (!isNote(note, velocity, time, channel) || !this.#open) {
      this.#refuse('noteOn', [note, velocity, time, channel]);
    }
    return this.#start(note, velocity, time, channel, this.#late);
  }

  #noteOnWith(note, velocity, options) {
    let sound = typeof options === 'object' && options !== null && !Array.isArray(options);
    let turned = false;
    for (const name in options) {
      if (OTHER_OPTIONS.has(name)) continue;
      const param = PLAY_ONLY.has(name) ? undefined : PARAMS[name];
      if (param === undefined) {
        if (Object.hasOwn(options, name)) sound = false;
        continue;
      }
      const value = options[name];
      if (value === undefined) continue;
      sound &&= isLevel(value, param);
      turned = true;
    }
    const { time, duration, channel = 0, late, send } = sound ? options : {};
    sound &&= duration === undefined || (typeof duration === 'number' && duration >= 0 && duration <= 1e9);
    sound &&= send === undefined || areSends(send);
    const policy = late === undefined ? this.#late : latePolicies.indexOf(late);
    if (!sound || policy < 0 || !isNote(note, velocity, time, channel) || !this.#open) {
      this.#refuse('noteOn', [note, velocity, options]);
    }
    if (send !== undefined) {
      for (const [name, , number] of SENDS) if (send[name] > 0) this.#use(number);
    }
    const id = this.#start(note, velocity, time, channel, policy);
    if (id === 0) return 0;
    const at = orNow(time);
    if (turned) {
      for (const name in options) {
        const value = options[name];
        if (value !== undefined && !OTHER_OPTIONS.has(name)) this.#turn(id, PARAMS[name].index, value, at, 0);
      }
    }
    if (send !== undefined) {
      for (const [name, param] of SENDS) {
        if (send[name] !== undefined) this.#turn(id, param.index, send[name], at, 0);
      }
    }
    if (duration !== undefined && velocity > 0) {
      // 1: of its duration. A note that starts late is let go as much later.
      this.#letGo(id, (time ?? this.#engine.currentTime) + duration, 1);
    }
    return id;
  }

  play(name, options = {}) {
    native.checkCall('play', [name, options]);
    this.#checkOpen();
    const { n, note, velocity = 127, loop: round, time, duration, channel = 0, late, send } = options;
    const [sound, own] = typeof name === 'string' ? this.#find(name) : [this.#soundOf(name), undefined];
    const number = n ?? own ?? 0;
    // Of a list, a number is a key, on which the sample has its own pitch; else the note is the key.
    const place = sound.count === 0 ? 0 : number % sound.count;
    const key = sound.count === 0 ? (note ?? 60) : place & 127;
    let { begin = 0, end = 1, detune = 0, ...params } = options;
    if (sound.count > 0 && note !== undefined) detune += (note - 60) * 100;
    let at = sound.places[place >> 7];
    if (round === true || typeof round === 'object') {
      at = this.#looped(at, key, round.start ?? begin, round.end ?? end);
      end = 1;
    }
    const policy = late === undefined ? this.#late : latePolicies.indexOf(late);
    const when = orNow(time);
    for (const [to, , effect] of SENDS) if (send?.[to] > 0) this.#use(effect);
    const id = this.#start(key, velocity, time, channel + 16 * (at + 1), policy);
    if (id === 0) return 0;
    params = { ...params, begin, end, detune };
    for (const param of layout.noteParams) {
      const value = params[param.name];
      // What is as it is anyway costs no record.
      if (value === undefined || value === PLAYED[param.name]) continue;
      this.#turn(id, param.index, value, when, 0);
    }
    for (const [to, param] of SENDS) {
      if (send?.[to] !== undefined) this.#turn(id, param.index, send[to], when, 0);
    }
    if (duration !== undefined && velocity > 0) {
      this.#letGo(id, (time ?? this.#engine.currentTime) + duration, 1);
    }
    return id;
  }

  /** A sound by its name, and the number behind a colon. */
  #find(name) {
    const known = this.#sounds.get(name);
    if (known !== undefined) return [known, undefined];
    const [, bare, number] = /^(.*):(\d{1,9})$/.exec(name) ?? [];
    const found = this.#sounds.get(bare);
    if (found === undefined) native.checkCall('sound', [bare ?? name, [...this.#sounds.keys()]]);
    return [found, Number(number)];
  }

  #soundOf(instrument) {
    const handle = handleOf(instrument);
    if (handle === undefined) native.checkCall('play', [undefined]);
    return this.#handle.addSounds(handle, true)[0];
  }

  #looped(place, key, start, end) {
    const wanted = `${place} ${key} ${start} ${end}`;
    if (!this.#loops.has(wanted))
      this.#loops.set(wanted, this.#handle.looped(place, Math.round(key), start, end));
    return this.#loops.get(wanted);
  }

  #start(note, velocity, time, channel, late) {
    const id = this.#next;
    this.#next = id === LAST_ID ? 1 : id + 1;
    const at = orNow(time);
    // By MIDI a note-on with velocity 0 is a note-off, and must not be lost like a note.
    const reserve = velocity > 0 ? noteReserve : 0;
    return this.#lane.push(noteOn, this.#index, channel, id, note, velocity, at, reserve, late) ? id : 0;
  }

  /** Something is sent to an effect: the first time, the native side sees to it that there is one. */
  #use(send) {
    if ((this.#used & (1 << send)) !== 0) return;
    this.#used |= 1 << send;
    this.#handle.useEffect(send);
  }

  /** The same for a controller, if it is one that sends. */
  #useFor(controller, value) {
    const send = SEND_OF[controller];
    if (send > 0 && value > 0) this.#use(send - 1);
  }

  set(id, params, options = undefined) {
    this.#refuse('set', [id, params, options]);
    if (id === 0) return;
    const at = options?.time ?? Number.NaN;
    for (const { name, index } of TURNED) {
      const value = params[name];
      if (value !== undefined) this.#turn(id, index, value, at, options?.over ?? 0);
    }
  }

  #turn(id, param, value, at, over) {
    this.#lane.push(turn, this.#index, 0, id, param, value, at, 0, over);
  }

  schedule(events) {
    if (!(events instanceof Float64Array) || events.length % 4 !== 0) native.checkCall('schedule', [events]);
    for (let i = 0; i < events.length; i += 4) {
      const kind = events[i + 1] & 0xf0;
      const sound =
        isTime(events[i]) &&
        Number.isInteger(events[i + 1]) &&
        ((kind !== 0xb0 && kind !== 0xc0) || Number.isInteger(events[i + 2])) &&
        events[i + 1] >= 0x80 &&
        events[i + 1] <= 0xef &&
        events[i + 2] >= 0 &&
        events[i + 2] <= 127 &&
        events[i + 3] >= 0 &&
        events[i + 3] <= 127;
      if (!sound) native.checkCall('schedule', [i / 4, ...events.subarray(i, i + 4)]);
    }
    if (!this.#open) this.#checkOpen();
    for (let i = 0; i < events.length; i += 4) {
      if (!this.#scheduleOne(events[i], events[i + 1], events[i + 2], events[i + 3])) return i / 4;
    }
    return events.length / 4;
  }

  #scheduleOne(time, status, a, b) {
    const channel = status & 15;
    switch (status & 0xf0) {
      case 0x90:
        // By MIDI a note-on with velocity 0 is a note-off, and must not be lost like one.
        if (b > 0) return this.#start(a, b, time, channel, this.#late) !== 0;
        return this.#lane.push(noteOff, this.#index, channel, 0, a, 0, time, 0, 0);
      case 0x80:
        return this.#lane.push(noteOff, this.#index, channel, 0, a, 0, time, 0, 0);
      case 0xa0:
        return this.#lane.push(polyPressure, this.#index, channel, 0, a, b, time, 0, 0);
      case 0xb0:
        this.#useFor(a, b);
        return this.#lane.push(control, this.#index, channel, 0, a, b, time, 0, 0);
      case 0xc0:
        return this.#select(a, undefined, channel, time);
      case 0xd0:
        return this.#lane.push(channelPressure, this.#index, channel, 0, a, 0, time, 0, 0);
      default:
        return this.#lane.push(pitchBend, this.#index, channel, 0, a + b * 128 - 8192, 0, time, 0, 0);
    }
  }

  cancel(id = undefined) {
    this.#refuse('cancel', [id]);
    if (id !== 0) this.#lane.push(cancel, this.#index, 0, id ?? 0, 0, 0, Number.NaN, 0, 0);
  }

  controlChange(controller, value, time = undefined, channel = 0) {
    if (
      !(
        typeof controller === 'number' &&
        (controller & 127) === controller &&
        typeof value === 'number' &&
        value >= 0 &&
        value <= 127 &&
        isTime(time) &&
        isChannel(channel) &&
        this.#open
      )
    ) {
      this.#refuse('controlChange', [controller, value, time, channel]);
    }
    this.#useFor(controller, value);
    const at = orNow(time);
    this.#lane.push(control, this.#index, channel, 0, controller, value, at, 0, 0);
  }

  noteOff(note, time = undefined, channel = 0) {
    if (
      !(
        typeof note === 'number' &&
        note >= 0 &&
        note <= 127 &&
        isTime(time) &&
        isChannel(channel) &&
        this.#open
      )
    ) {
      this.#refuse('noteOff', [note, time, channel]);
    }
    this.#lane.push(noteOff, this.#index, channel, 0, note, 0, orNow(time), 0, 0);
  }

  release(id, time = undefined) {
    if (!(typeof id === 'number' && id >>> 0 === id && isTime(time) && this.#open)) {
      this.#refuse('release', [id, time]);
    }
    if (id === 0) return; // a note that was dropped
    this.#letGo(id, time === undefined ? Number.NaN : time, 0);
  }

  #letGo(id, at, timed) {
    this.#lane.push(release, this.#index, 0, id, timed, 0, at, 0, 0);
  }

  pitchBend(value, time = undefined, channel = 0) {
    if (
      !(
        typeof value === 'number' &&
        value >= -8192 &&
        value <= 8191 &&
        isTime(time) &&
        isChannel(channel) &&
        this.#open
      )
    ) {
      this.#refuse('pitchBend', [value, time, channel]);
    }
    this.#lane.push(pitchBend, this.#index, channel, 0, value, 0, orNow(time), 0, 0);
  }

  programChange(number, bank = undefined, time = undefined, channel = 0) {
    this.#refuse('programChange', [number, bank, time, channel]);
    this.#select(number, bank, channel, orNow(time));
  }

  /** A program change; where there are banks, the presets that it can lead to are loaded. */
  #select(number, bank, channel, at) {
    let [found, selected] = [number, bank ?? SELECTED_BANK];
    if (this.#banks) {
      const place = this.#handle.program(number, bank, channel);
      found = place & 127;
      selected = place < 0 ? SELECTED_BANK : place >> 7;
    }
    return this.#lane.push(program, this.#index, channel, 0, found, selected, at, 0, 0);
  }

  channelPressure(value, time = undefined, channel = 0) {
    if (!(isSeven(value) && isTime(time) && isChannel(channel) && this.#open)) {
      this.#refuse('channelPressure', [value, time, channel]);
    }
    this.#lane.push(channelPressure, this.#index, channel, 0, value, 0, orNow(time), 0, 0);
  }

  polyPressure(note, value, time = undefined, channel = 0) {
    if (!(isSeven(note) && isSeven(value) && isTime(time) && isChannel(channel) && this.#open)) {
      this.#refuse('polyPressure', [note, value, time, channel]);
    }
    this.#lane.push(polyPressure, this.#index, channel, 0, note, value, orNow(time), 0, 0);
  }

  send(message, time = undefined) {
    this.#refuse('send', [message, time]);
    const record = native.midiMessage(message instanceof Uint8Array ? message : Uint8Array.from(message));
    if (record === null) return 0;
    const [op, channel, a, b] = record;
    if (op === control) this.#useFor(a, b);
    if (op === noteOn) return this.#start(a, b, time, channel, this.#late);
    if (op === program) this.#select(a, undefined, channel, orNow(time));
    else this.#lane.push(op, this.#index, channel, 0, a, b, orNow(time), 0, 0);
    return 0;
  }

  allNotesOff(channel = undefined, time = undefined) {
    this.#all('allNotesOff', allNotesOff, channel, time);
  }

  allSoundOff(channel = undefined, time = undefined) {
    this.#all('allSoundOff', allSoundOff, channel, time);
  }

  close() {
    if (!this.#open) return;
    this.#open = false;
    this.#handle.close();
  }

  #all(call, op, channel, time) {
    this.#refuse(call, [channel, time]);
    this.#lane.push(op, this.#index, channel ?? ALL_CHANNELS, 0, 0, 0, time ?? Number.NaN, 0, 0);
  }

  #send(op, value) {
    this.#checkOpen();
    this.#lane.push(op, this.#index, 0, 0, value, 0, Number.NaN, 0, 0);
  }

  #checkOpen() {
    this.#handle.checkOpen();
  }

  /** Throws what is wrong with a call; returns when nothing is. */
  #refuse(call, args) {
    native.checkCall(call, args);
    this.#checkOpen();
  }
}

if (Symbol.dispose) {
  Object.defineProperty(Sampler.prototype, Symbol.dispose, {
    value() {
      this.close();
    },
    configurable: true,
    writable: true,
  });
}

module.exports = { Sampler };
