// ictus: the public contract. Units are Web Audio's and MIDI's, so that nobody has to learn new ones:
//
//   time        seconds on the engine clock (engine.currentTime); omitted or past = the next block's first frame
//   duration    seconds            gain     linear amplitude, 1 = unchanged
//   pan         -1 left .. 1 right tune     cents
//   note        MIDI key 0..127; 60 is C4; may be fractional (60.5 = a quarter tone above middle C)
//   velocity    MIDI 0..127, may be fractional; noteOn with velocity 0 is a note-off
//   channel     0..15
//
// Calls that make sound are synchronous, never block and never throw for a full queue. Calls that touch a disk or stop a
// device return promises. Wrong arguments throw a TypeError (wrong type, unknown option) or a RangeError (out of
// range) with code 'ERR_INVALID_ARGUMENT'; promises reject with the same.

/// <reference types="node" />
import { EventEmitter } from 'node:events';
import { Writable, type WritableOptions } from 'node:stream';

// ───────────────────────────────────────────────────────────── errors

/** `error.code`. A code never changes its meaning; the message says which value, what is allowed and what to do. */
export type IctusErrorCode =
  /** A wrong argument or option; the message names it, the value given and the range allowed. */
  | 'ERR_INVALID_ARGUMENT'
  /** No such host or device, or none at all; the message lists what was found. */
  | 'ERR_NO_DEVICE'
  /** The device refused or failed. */
  | 'ERR_DEVICE'
  | 'ERR_FILE_NOT_FOUND'
  /** The system would not let the file be read: permission, a failing disk. */
  | 'ERR_FILE'
  /** Readable, but not a format that this version decodes. */
  | 'ERR_UNSUPPORTED_FORMAT'
  /** The file contradicts itself; the message says at which byte. */
  | 'ERR_CORRUPT_FILE'
  /** A stated limit was exceeded. */
  | 'ERR_LIMIT'
  /** Only with `realtime: { required: true }`; or, as an event, a thread that lost its priority. */
  | 'ERR_REALTIME_DENIED'
  /** The engine, sampler or instrument is closed. */
  | 'ERR_CLOSED'
  /** The `AbortSignal` fired. */
  | 'ERR_ABORTED'
  /** On import: the package with the native part for this platform is not installed. */
  | 'ERR_ADDON_MISSING'
  /** On import: the native part did not load; the message says which library to install. */
  | 'ERR_ADDON_LOAD';

export interface IctusError extends Error {
  code: IctusErrorCode;
}

// ───────────────────────────────────────────────────────────── engine: one device stream, one clock, one audio thread

export type Backend =
  /**
   * The best real device host that answers: a running JACK server, since who runs one wants it and it is exact; then
   * PulseAudio, which on most desktops is PipeWire; then ALSA's default. Never silence: without a device it throws.
   */
  | 'auto'
  /** Linux: a card, or whatever the desktop's plugins make of its default. */
  | 'alsa'
  /** A running JACK server, or PipeWire in its place (under `pw-jack`). None is started. */
  | 'jack'
  /** PipeWire natively: not in this build, as it would link a library that many machines lack. Use 'pulseaudio' or 'jack'. */
  | 'pipewire'
  /** A running PulseAudio, or PipeWire in its place, by protocol: nothing has to be installed. */
  | 'pulseaudio'
  | 'coreaudio'
  | 'wasapi'
  /** No hardware: a real audio thread paced by the monotonic clock. */
  | 'clock'
  /** No thread: the caller pulls frames with `render()`. */
  | 'offline';

/**
 * How values between a recording's frames are found: a straight line, a 4-point Hermite, or a windowed sinc over 8, 16
 * or 32 frames. Sincs are band-limited when they read faster than the recording: from an octave up on, what would be
 * folded is 80 dB down (to 2, 3 and 4 octaves up).
 *
 * Signal-to-noise of a sine of 1, 10 and 16 kHz at 48 kHz, transposed by +7 and −5 semitones, the worse of both:
 * linear 63, 22, 11 dB; cubic 91, 29, 14; sinc8 93, 49, 21; sinc16 97, 96, 66; sinc32 107, 105, 104.
 */
export type Interpolation = 'linear' | 'cubic' | 'sinc8' | 'sinc16' | 'sinc32';

/**
 * 'play': sound at once · 'drop': not at all · 'skip': start as far into the sample as it is late, so that the groove
 * holds. Every late event is counted whichever it is.
 */
export type LatePolicy = 'play' | 'drop' | 'skip';

export interface LimiterOptions {
  /** dBFS, -60..0, default -0.3. */
  ceiling?: number;
  /** s, 0..0.02, default 0. All sound is delayed by it, and the gain is down before a peak instead of at it. */
  lookahead?: number;
  /** s, time constant with which the gain comes back, 0.001..10, default 0.1. */
  release?: number;
}

export interface RealtimeOptions {
  /** Default 'fifo' (SCHED_FIFO). */
  policy?: 'fifo' | 'rr' | 'other';
  /** 1..99, default 70. rtkit gives 20 at most. */
  priority?: number;
  /** Keep the audio thread on this core, 0..1023; it must be one that the process may use. Default: any. */
  cpu?: number;
  /**
   * Default true: the engine, its queues and the samples stay in RAM, those that matter most first, as far as
   * RLIMIT_MEMLOCK allows (and never more than half of the machine's memory). Never a reason to fail.
   */
  lockMemory?: boolean;
  /** Default false: without it play on and report it. True: throw ERR_REALTIME_DENIED. */
  required?: boolean;
}

export interface EngineOptions {
  /** Default 'auto', or the environment variable ICTUS_BACKEND. */
  backend?: Backend;
  /**
   * Id, name, or a part of them that fits one device only, as `devices()` lists them; default: the host's own, or the
   * environment variable ICTUS_DEVICE.
   */
  device?: string | null;
  /**
   * Hz, 1000..768000; default: the device's own, and 48000 where there is none. On a device that runs at another rate
   * everything is converted (128-point sinc, 100 dB, some 1.5 ms more latency).
   */
  sampleRate?: number;
  /**
   * Frames a callback, 8..65536; default 128 where the audio thread is granted real-time priority, else 512; four times
   * and twice that through PulseAudio. JACK's is the server's.
   */
  bufferSize?: number;
  /**
   * Output channels, 1..32, default 2. One is the mean of both sides; from the third on they are silent. A device may
   * have more, which stay silent; one that has fewer is refused.
   */
  channels?: number;
  /** Voices over all samplers, 1..4096, default 256. */
  polyphony?: number;
  /** What it starts with as `engine.interpolation`; default 'cubic'. */
  interpolation?: Interpolation;
  /** What becomes of notes whose time has passed when they arrive, unless they say; default 'play'. */
  late?: LatePolicy;
  /** What holds the sum of all voices below the ceiling; default: on. Quieter material leaves it bit for bit as it came. */
  limiter?: boolean | LimiterOptions;
  /** `false`: ask the kernel for nothing. */
  realtime?: RealtimeOptions | boolean;
}

/** What the audio thread got from the kernel: read back from it, never echoed from the options. */
export interface RealtimeStatus {
  policy: 'SCHED_FIFO' | 'SCHED_RR' | 'SCHED_OTHER' | 'unknown';
  /** 0 without a real-time policy. */
  priority: number;
  /** Whether what was asked for was given. */
  granted: boolean;
  /** Who gave it: the kernel when asked, rtkit where the kernel refused, or JACK, which owns the thread ('server'). */
  via: 'direct' | 'rtkit' | 'server' | 'none';
  /** Why not, or not quite, and what to do about it. */
  reason?: string;
  /** The kernel's number of the thread, as `ps -eLo lwp,cls,rtprio` lists it; 0 where there is none. */
  threadId: number;
  /** The core that the thread is kept on; null where it may run on several. */
  cpu: number | null;
  /** Bytes of this process's engines, queues and samples that cannot be swapped out. */
  memoryLocked: number;
}

export interface Distribution {
  count: number;
  mean: number;
  p50: number;
  p99: number;
  p999: number;
  max: number;
  /** Only buckets with something in them. */
  histogram: { upTo: number; count: number }[];
}

export interface Stats {
  /** Rendered so far. */
  frames: number;
  /** Blocks that the device asked for. */
  callbacks: number;
  /** Times that the device was not served. */
  xruns: number;
  /** The same by cause, as the event 'xrun' tells it. */
  xrunsBy: { overload: number; scheduling: number; disk: number; device: number };
  /** How much less is done than asked for, as the event 'degraded' tells it: 0, 1 or 2. */
  degraded: number;
  /** Events whose time had passed when they arrived; `lateness` says by how much. */
  lateEvents: number;
  /**
   * Events lost to full queues, and voices refused: by `stealing: 'none'`, or on a frame that has displaced as many as
   * may sound already, whose voices nobody has heard yet.
   */
  droppedEvents: number;
  /** Notes that found no instrument on their channel, or no region for their key and velocity. */
  silentNotes: number;
  /** Records in the queue that made no sense; always 0 unless memory was overwritten. */
  malformedRecords: number;
  /** Most events that waited for their time at once. */
  queueHighWater: number;
  voices: number;
  voicesPeak: number;
  voicesStolen: number;
  /** Events 'noteend' and 'steal' that could not be told: more than 65536 within some 10 ms. */
  lostNotices: number;
  /** Output values that were not finite and went out as 0. */
  nonFiniteSamples: number;
  /** Render time / block time, smoothed. */
  load: number;
  loadPeak: number;
  /** µs spent rendering a block. */
  callback: Distribution;
  /** µs by which events missed their frame; all in the first bucket when JavaScript schedules ahead. */
  lateness: Distribution;
  /** µs, |actual − ideal| start of a callback. */
  jitter: Distribution;
}

export interface EngineEvents {
  /**
   * The device was not served in time: something may have been heard. `cause`: rendering took longer than the block lasts
   * ('overload'), the kernel did not wake the thread in time ('scheduling'), a disk was too slow ('disk'), or it was the
   * device, its driver, another client of its server ('device'). `frames` is an estimate of what was missed since the
   * last of these events, 0 where nobody can tell.
   */
  xrun: [event: { frames: number; cause: 'overload' | 'scheduling' | 'disk' | 'device' }];
  /** Notes have arrived after their time since the last of these events, the worst by so many seconds. */
  late: [event: { notes: number; worst: number }];
  /**
   * There is too much to render, more than 85 % of the time that blocks last: new voices have a cheaper interpolation
   * (1), or the quietest voices fade, too (2). 0: all that was asked for is done again. Offline nothing of this happens.
   */
  degraded: [event: { level: 0 | 1 | 2 }];
  /**
   * The device or its server is gone. The clock goes on without it, notes stay scheduled, and it is looked for until
   * it is back. Without a listener this becomes a process warning.
   */
  devicelost: [event: { message: string }];
  /** A device is there again and fades in; with backend 'auto' perhaps another one. */
  devicerestored: [event: { backend: Backend; device: string }];
  /** The system routed the sound to another device, headphones perhaps; it goes on. */
  devicechange: [event: { message: string }];
  /** Something that must not go unheard. Without a listener it becomes a process warning, never an exception. */
  error: [error: IctusError];
  statechange: [event: { state: 'running' | 'suspended' | 'closed' }];
}

/**
 * One output stream, one clock, one audio thread. While it sounds, or has notes scheduled, it keeps the process alive;
 * silent and idle it does not. When the process ends it fades out within a few milliseconds.
 */
export class Engine extends EventEmitter<EngineEvents> {
  /** The stream is running when this returns. Throws ERR_NO_DEVICE, ERR_DEVICE, ERR_REALTIME_DENIED. */
  constructor(options?: EngineOptions);
  /**
   * One per process, shared by all samplers that name no engine, by workers too; survives hot reload. With options that
   * contradict the one that is open it throws.
   */
  static default(options?: EngineOptions): Engine;

  /** The one that answered, never 'auto'. It and the two below may change with the event 'devicerestored'. */
  readonly backend: Backend;
  /** Empty where there is none; the one that is missing, while it is lost. */
  readonly device: string;
  /** Hz, of the engine; the device's own may be another. */
  readonly sampleRate: number;
  /** Frames a callback, as asked for or as the device says; callbacks of other sizes are served all the same. */
  readonly bufferSize: number;
  readonly channels: number;
  /** s: start of the next block to be rendered. Read from shared memory, without a call. */
  readonly currentTime: number;
  /** s from a block's rendering to the loudspeaker, as the device reports it, and a conversion of the rate on top. */
  readonly outputLatency: number;
  readonly state: 'running' | 'suspended' | 'closed';
  readonly realtime: RealtimeStatus;
  /** Master gain, 0..10000, default 1; reaches a new value in 5 ms. */
  gain: number;
  /**
   * What notes are read with that start from the next block on, unless their instrument has an interpolation of its own;
   * those that sound keep theirs. Cheap for playing and better for one render, say.
   */
  interpolation: Interpolation;

  /**
   * The time on the engine clock at a time of `performance.now()` (ms), past or to come: of the frame that the device
   * asks for at that moment. Free of the jitter of single blocks, which `currentTime` goes on by, and with the drift
   * between the sound card's clock and the system's in it. Throws with backend 'offline', whose clock is `render()`.
   *
   * A time to play at has to be a little later than now: `engine.timeAt(performance.now() + 20)`.
   */
  timeAt(performanceNow: number): number;

  /** Linear peak and RMS of left and right since the last call, of what left the engine. */
  meter(): { peak: [left: number, right: number]; rms: [left: number, right: number] };
  stats(): Stats;
  /** All but `frames`, `voices`. */
  resetStats(): void;
  /** Fades out in 5 ms and stops the clock; what is scheduled waits for it. */
  suspend(): void;
  /** The clock goes on where it stood. */
  resume(): void;
  /** Silence now: all voices and tails fade in 6 ms, everything scheduled is dropped. */
  panic(): void;
  /**
   * Calls `fill` for blocks ahead of the playhead and plays what it writes; sounds until `stop()`. A URL: a worker runs
   * the function that the module there exports as default. A call with the `name` of one that runs goes on with that stream
   * (after a hot reload, say): `frame` is the next, `state` is kept, nothing is heard of the change. What `fill` throws
   * stops it and is told by `'error'`.
   */
  generate(fill: FillFunction | URL, options?: GenerateOptions): Generator;
  /** Fades out, stops the device, frees everything. May be called twice. */
  close(): Promise<void>;
  /**
   * Backend 'offline' only: renders the next frames (0..2²⁸), interleaved, into `into` (at least `frames × channels`
   * long; the rest is left alone) or a new array. The same engine as on a device: the same bits, whatever the block
   * sizes.
   */
  render(frames: number, into?: Float32Array): Float32Array;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Fills a block: interleaved frames, zero before the call; `frame` is the number of the first since the stream began,
 * `state` an object of this stream's own that is there again in the next call (and after a hot reload, but not across
 * workers).
 */
// biome-ignore lint/suspicious/noExplicitAny: what a program keeps there is its own affair
export type FillFunction = (block: Float32Array, frame: number, state: Record<string, any>) => void;

export interface GenerateOptions {
  /** 1..32, default 2. */
  channels?: number;
  /** s that are computed before they are heard, 0.005..10, default 0.1: JavaScript may stand still for so long. */
  ahead?: number;
  /** Frames a call, 1..65536, default 128. */
  blockSize?: number;
  /** What a later call goes on with. */
  name?: string;
}

export interface Generator {
  /** Ends it with a fade of 5 ms. */
  stop(): void;
  /** 0..10000, default 1, ramped in 5 ms. */
  gain: number;
  /** Times that `fill` came too late. */
  readonly underruns: number;
}

// ───────────────────────────────────────────────────────────── sampler: instruments on 16 channels

/** `> 0`; 0 means that the queue was full and the note was dropped, which `stats().droppedEvents` counts. */
export type NoteId = number;

export interface SamplerOptions extends Omit<EngineOptions, 'polyphony'> {
  /** Default: `Engine.default()`, opened with the engine options given here. */
  engine?: Engine;
  /** Voices of this sampler, 1..4096, default 256. A default engine that it opens has room for at least as many. */
  polyphony?: number;
  /** 0..10000, default 1. */
  gain?: number;
  /**
   * Whom a new voice displaces when all are taken: released voices first and then the quietest (default), the oldest,
   * the same key, or nobody. A displaced voice fades in 6 ms; layers of the starting note are never taken.
   */
  stealing?: 'quietest' | 'oldest' | 'same-note' | 'none';
  /** Notes that one key of a channel may have at a time, 1..4096; default: as many as there are. The oldest fades. */
  notePolyphony?: number;
  /** Power to which velocities are raised (of 127), 0.1..10, default 1; below 1 a keyboard plays lighter. */
  velocityCurve?: number;
}

/** What can be turned of one note while it sounds. */
export interface NoteParams {
  /** 0..10000, default 1, on top of velocity and sample. */
  gain?: number;
  /** -1..1, default 0, equal power, on top of the sample's own. */
  pan?: number;
  /** Cents, -12000..12000, default 0. */
  detune?: number;
  /** Speed on top of the key's, 1/64..64, default 1. */
  rate?: number;
  /** Hz, 1..400000: of the instrument's own filter, or of a low-pass (12 dB an octave) where it has none. */
  cutoff?: number;
  /** dB over the flat response at the cutoff, 0..40, default the instrument's own. */
  resonance?: number;
  /** 0..127, default 0: this note's own aftertouch. */
  pressure?: number;
  /** 0..127, default 64, the middle: moves the cutoff by four octaves either way, like controller 74. */
  brightness?: number;
}

export interface NoteOptions extends NoteParams {
  time?: number;
  /**
   * s until the note is let go; without it, until noteOff() or release(). A note that is late and played all the same
   * keeps its duration.
   */
  duration?: number;
  channel?: number;
  /** Default: the engine's. */
  late?: LatePolicy;
  /** s, 0..3600: of its envelope, instead of the instrument's. */
  attack?: number;
  /** s, 0..3600. */
  decay?: number;
  /** 0..1. */
  sustain?: number;
  /** s, 0..3600. */
  release?: number;
  /** s of silence before the attack, 0..3600. */
  delay?: number;
  /** s in which its pitch glides from that of the channel's note before it, 0..3600. */
  portamento?: number;
  /**
   * Levels to the sampler's effects, linear, 0..10000; default: those of `effects.send()`. Controllers 91 (reverb), 93
   * (chorus) and 94 (delay) add their value / 127. What is sent has the note's own gain, envelope and pan.
   */
  send?: { reverb?: number; delay?: number; chorus?: number };
}

/** In the vocabulary of Tidal and Strudel. */
export interface PlayOptions extends NoteOptions {
  /** Which sample of the sound, from 0; beyond the last it goes round. Default: the number in the name, or 0. */
  n?: number;
  /**
   * Of a list of samples, 60 is the recording's own pitch and each key 100 cents from it; of samples by note, and of an
   * instrument, the key. Default 60.
   */
  note?: number;
  /** 0..127, default 127. */
  velocity?: number;
  /** Part of the sample, 0..1. */
  begin?: number;
  end?: number;
  /** 1 is its own; negative plays backwards. -64..64. */
  speed?: number;
  /** Round and round between `begin` and `end`, or between other places of the sample, 0..1. */
  loop?: boolean | { start?: number; end?: number };
  /** Choke group, 1..16777215: a new note with the same number ends the old one in 6 ms. 0 for none. */
  cut?: number;
  /** High-pass, Hz; and its resonance, dB. */
  hcutoff?: number;
  hresonance?: number;
  /** Band-pass, Hz; and its resonance, dB. */
  bandf?: number;
  bandq?: number;
}

/** All of them glide to a new value in 50 ms unless they say otherwise. */
export interface ReverbParams {
  /** Of what comes back, linear, 0..4, default 1: then an impulse has the energy that it was sent with. */
  level?: number;
  /** s until the tail is 60 dB down, 0.1..60, default 2. */
  decay?: number;
  /** Of the room, 0.25..2, default 1, a medium hall; a change takes 0.5 s, and the tail is bent in pitch meanwhile. */
  size?: number;
  /** Hz at which the tail decays twice as fast, 200..24000, default 6000; lower is duller. */
  damping?: number;
  /** s before the room is heard, 0..0.5, default 0.01. */
  predelay?: number;
  /** How much the room wanders, 0..1, default 0.5; 0 is still, and may be a little metallic. */
  modulation?: number;
  /** 0 (mono)..1, default 1. */
  width?: number;
}

export interface DelayParams {
  /** Of what comes back, linear, 0..4, default 1. */
  level?: number;
  /** s between echoes, 0.001..5, default 0.375; a change takes twice as long as it is large, as on a tape. */
  time?: number;
  /** What each echo has of the one before, 0..0.98, default 0.4. */
  feedback?: number;
  /** 0: each side repeats itself (default); 1: echoes go from side to side and start on the left. */
  cross?: number;
  /** Hz of the low-pass (6 dB an octave) that each echo goes through once more, 100..24000, default 8000. */
  damping?: number;
}

export interface ChorusParams {
  /** Of what comes back, linear, 0..4, default 1. */
  level?: number;
  /** Hz at which copies wander, 0.01..10, default 0.6. */
  rate?: number;
  /** s, 0..0.01, default 0.002: copies come up to twice as much later. Their speed is off by 6 × depth × rate at most. */
  depth?: number;
  /** s by which copies are late, 0.001..0.05, default 0.012. */
  delay?: number;
  /** Copies a side, 1..8, default 3. */
  voices?: number;
}

/**
 * Three effects that notes send to. What comes back is added to the sampler before its gain and pan, and sounds on when
 * the notes have ended.
 *
 * A reverb, a delay or a chorus with the defaults is there from the first time that anything is sent to it: by
 * `effects.send()`, by the `send` of a note, or by controller 91, 93 or 94 above 0. So a General MIDI file sounds as
 * it should without `set()`. Until then it costs neither memory nor time.
 */
export interface EffectChain {
  /**
   * Sets parameters; the others keep their values, or have their defaults when the effect is new. `null` takes the effect
   * away, in 6 ms, until it is set again.
   */
  set(name: 'reverb', params: ReverbParams | null): void;
  set(name: 'delay', params: DelayParams | null): void;
  set(name: 'chorus', params: ChorusParams | null): void;
  /** Level of notes that don't say, 0..10000, default 0; those that sound follow in 5 ms. */
  send(name: 'reverb' | 'delay' | 'chorus', level: number): void;
}

export interface SamplerEvents {
  /** The last voice of a note has ended. */
  noteend: [event: { id: NoteId }];
  /** A voice of this note was taken for another. */
  steal: [event: { id: NoteId }];
  /** The note arrived `by` seconds after its time; what then became of it is its `late` policy's. */
  late: [event: { id: NoteId; by: number }];
}

/**
 * Sixteen channels of notes. Samplers that name no engine share `Engine.default()`. A sampler that is no longer
 * referenced plays what was scheduled and then goes.
 */
export class Sampler extends EventEmitter<SamplerEvents> {
  constructor(options?: SamplerOptions);
  /** `new Sampler(options)` and `load(source, options)`. */
  static from(source: InstrumentSource, options?: SamplerOptions & LoadOptions): Promise<Sampler>;

  readonly engine: Engine;
  /** 0..10000, ramped in 5 ms. */
  gain: number;
  /** -1..1, equal power, ramped in 5 ms. */
  pan: number;
  /** Silent but running; ramped in 5 ms. */
  muted: boolean;
  /** Reverb, delay and chorus. */
  readonly effects: EffectChain;

  /** Loads an instrument and assigns it to `options.channel`. */
  load(source: InstrumentSource, options?: LoadOptions): Promise<Instrument>;
  /** An instrument without samples, for `addSample()`. */
  createInstrument(name?: string, options?: InstrumentOptions): Instrument;
  /** New notes of the channel play this instrument, or nothing; what sounds goes on. */
  assign(channel: number, instrument: Instrument | null, time?: number): void;

  /** The hot path: some 20 ns, no garbage. Velocity defaults to 100; amplitude is (velocity / 127)². */
  noteOn(note: number, velocity?: number, time?: number, channel?: number): NoteId;
  noteOn(note: number, velocity: number | undefined, options: NoteOptions): NoteId;
  /** Lets go of every note on this key of the channel. */
  noteOff(note: number, time?: number, channel?: number): void;
  /** Lets go of one note, whatever its key; one that has not started by then never sounds. */
  release(id: NoteId, time?: number): void;

  /**
   * Turns a note while it sounds, over `over` seconds (0..3600, and never faster than 5 ms, which would click); notes
   * around it stay as they are.
   */
  set(id: NoteId, params: NoteParams, options?: { time?: number; over?: number }): void;

  /** -8192..8191, two semitones either way unless RPN 0 says otherwise; glides in 1.5 ms. */
  pitchBend(value: number, time?: number, channel?: number): void;
  /**
   * MIDI controllers, 0..127 each, fractions allowed; what they move glides in 5 ms.
   *
   * 0 and 32 bank · 1 modulation (vibrato up to 50 cents, unless the instrument says otherwise) · 5, 65 and 84
   * portamento time (0..2 s, square law), switch, and key that the next note glides from · 6, 38, 96..101 registered
   * parameters: bend range, tuning, MPE zones · 7 volume, 10 pan, 11 expression (neutral until they are used) · 64
   * sustain, 66 sostenuto, 67 soft · 71 resonance (±20 dB), 72 release, 73 attack and 75 decay (1/16 to 16 times), 74
   * brightness (±4 octaves): 64 is the middle · 91 reverb, 93 chorus, 94 delay: sends, 127 is 1 · 120 all sound off, 121 reset (RP-015), 123..127 all notes off. All of
   * them are there for instruments that follow them.
   */
  controlChange(controller: number, value: number, time?: number, channel?: number): void;
  /**
   * New notes of the channel play this program (0..127) of a bank (0..16383; default: as selected by controllers 0 and
   * 32). A bank that doesn't have it leaves it to bank 0; a program that nobody has changes nothing.
   *
   * Programs are the presets of SoundFonts that were loaded into this sampler; `bank` is then that of
   * `instrument.presets`, and controller 0. Channel 9 takes its programs from bank 128, percussion. A preset is loaded by
   * the first call that asks for it, and silent until it is there (with the backend 'offline' the call waits).
   */
  programChange(program: number, bank?: number, time?: number, channel?: number): void;
  /** Aftertouch of a channel, 0..127. */
  channelPressure(value: number, time?: number, channel?: number): void;
  /** Aftertouch of the notes on one key, 0..127. */
  polyPressure(note: number, value: number, time?: number, channel?: number): void;
  /**
   * One MIDI message as bytes: channel messages, registered parameters and MPE zones (RPN 6 on channel 1 or 16) as
   * controllers. Returns the id of the note that a note-on starts, else 0. What a sampler doesn't follow (clock,
   * foreign system exclusive) changes nothing; bytes that are no message throw.
   */
  send(message: Uint8Array | number[], time?: number): NoteId;
  /**
   * Many events in one call: [time, status, data1, data2] × n, status and data as in MIDI channel messages (0x80 plus
   * the channel to 0xEF; keys and velocities may be fractional, messages with one data byte ignore the second). Wrong
   * events throw, and then none is taken. Returns how many were: fewer when the queue is full.
   */
  schedule(events: Float64Array): number;

  /**
   * Plays a sound of a bank by its name, `'bd'`, with a number, `'bd:3'`; any instrument by its own name (a file's
   * stem); or an `Instrument`. Plays whatever the channels play, and needs none; `channel` says whose controllers it
   * hears. Names are those of all that was loaded into this sampler, the latest first.
   *
   * Without `duration` a sample is heard to its end, or, with `loop`, until `release(id)`.
   */
  play(name: string | Instrument, options?: PlayOptions): NoteId;
  /** Forgets a note, or all of this sampler, that is scheduled and has not started; what sounds goes on. */
  cancel(id?: NoteId): void;

  /** Lets go of all notes of a channel, or of all. Pedals hold what they hold. */
  allNotesOff(channel?: number, time?: number): void;
  /** All voices of a channel, or of all, fade in 6 ms; of all, tails of effects, too. */
  allSoundOff(channel?: number, time?: number): void;

  /** What sounds fades in 6 ms, what is scheduled is forgotten. May be called twice. */
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * Where an instrument comes from. Sound files are WAV (RIFF, RIFX, RF64; 8 to 64-bit integer, 32 and 64-bit float, A-law,
 * µ-law), AIFF and AIFC, FLAC, Ogg Vorbis and MP3, told apart by their first bytes; mono or stereo, 1 to 768 kHz. One that
 * is loaded alone sounds on all keys: its root is the note that its name ends in, else the one that it gives itself
 * (a `smpl`, `inst` or `INST` chunk), else key 60; the first loop that it gives is played.
 */
export type InstrumentSource =
  /**
   * A sound file; an SFZ instrument (docs/sfz.md says what is read of it); a SoundFont 2 or 3: one of its presets
   * (`LoadOptions.preset`), program changes select the others; or a folder of sound files with note names
   * (`A4.wav`, `piano C#3 v2.wav`) or without (a drum kit from key 36).
   */
  | string
  /**
   * A bank: a folder of folders, a sound each, with its samples in natural order of their names (Tidal's layout); or a
   * JSON map as Strudel has it (`{ "_base": "samples/", "bd": ["a.wav"], "piano": { "c4": "c4.wav" } }`), with files and
   * not web addresses. `play()` plays its sounds; on the keyboard stand the first samples of each, from key 36.
   */
  | string
  /** The same as an object: `{ bd: ['a.wav', 'b.wav'], sn: 's.wav' }`, as soon as one entry is a list. */
  | Record<string, string | string[]>
  /** Note names or key numbers and sound files: `{ C4: 'c4.wav', 'F#4': 'fs4.wav' }`; each reaches halfway to the next. */
  | Record<string, string>
  /** The bytes of a sound file or SoundFont, copied. */
  | Uint8Array
  /** One mono sample at the engine's rate, copied, on all keys, root key 60. */
  | Float32Array;

export interface InstrumentOptions {
  /** What its notes are read with, whatever `engine.interpolation` is; default: that. */
  interpolation?: Interpolation;
}

export interface LoadOptions {
  /** Default 0. */
  channel?: number;
  /** Folder that relative paths of a map start from; default: the working directory. */
  baseUrl?: string;
  /**
   * Of a SoundFont: a program, 0..127, or a preset's name. Without `preset` and `bank`, program 0 is loaded, and plays on
   * all channels that play nothing yet; the bank's percussion (bank 128) is loaded along, and plays on channel 9.
   */
  preset?: number | string;
  /** Of a SoundFont: 0..127, or 128, percussion. Default: the first that has the preset. */
  bank?: number;
  /** As in `InstrumentOptions`; in `Sampler.from()` without an `engine` it is that of the engine. */
  interpolation?: Interpolation;
  onProgress?: (progress: LoadProgress) => void;
  signal?: AbortSignal;
}

export interface LoadProgress {
  /** Files done. */
  loaded: number;
  total: number;
  /** Read so far. */
  bytes: number;
  /** The file at hand. */
  current: string;
}

/** Samples mapped over keys and velocities. Made by `sampler.load()` and `sampler.createInstrument()`. */
export class Instrument {
  private constructor();
  readonly name: string;
  readonly regions: number;
  /** Distinct samples. */
  readonly samples: number;
  /** Bytes of sample memory. */
  readonly memory: number;
  /** Lowest and highest key that sounds; empty without regions. */
  readonly keyRange: [low: number, high: number] | [];
  /** Keys of an SFZ instrument that choose what the others play, and what they are called (`sw_label`), by key. */
  readonly keyswitches: { key: number; label: string }[];
  /** All presets of the SoundFont that it came from, in order of bank and program; else none. */
  readonly presets: { bank: number; program: number; name: string }[];
  /**
   * What was left out, repaired or doubtful while loading: never silent. For SFZ, each sentence begins with the file and
   * line where it came up first, and says how often.
   */
  readonly warnings: string[];

  /**
   * Adds a sample: a sound file (mono or stereo, any rate; its own loop and root are not read), a Float32Array
   * (interleaved when `channels` is 2), or one Float32Array a channel. Values are copied when the call is made. New
   * notes find it when the promise resolves.
   */
  addSample(data: string | Float32Array | Float32Array[], metadata?: SampleMetadata): Promise<void>;
  /** For all samples, present and future; notes that sound keep theirs. What is absent has its default. */
  setEnvelope(envelope: Envelope): void;
  /**
   * What moves all samples, present and future: filters, LFOs, envelopes and routes. It replaces what an instrument has
   * by itself, vibrato on the modulation wheel; notes that sound keep theirs.
   */
  setModulation(modulation: Modulation): void;
  /** Frees it; sounding notes finish first. */
  unload(): void;
}

export interface SampleMetadata {
  /** Hz, of values; files have their own. Default: the engine's. */
  sampleRate?: number;
  /** Of interleaved values, 1 or 2, default 1. */
  channels?: number;
  /** Key at which it sounds at its own pitch, default 60; may be fractional. */
  rootNote?: number;
  /** Default [0, 127]. */
  keyRange?: [low: number, high: number];
  /** Default [1, 127]. */
  velocityRange?: [low: number, high: number];
  /**
   * Frames, `end` exclusive. 'continuous' (default) goes round until the envelope ends, 'sustain' until the key is let
   * go and then on to the end; 'one-shot' does not loop and ignores the key.
   *
   * `alternate` goes to the end and back again, …, end − 2, end − 1, end − 2, …, instead of jumping to the start.
   * `crossfade` blends so many seconds before the end with those before the start, at constant power however alike they
   * are: at most as long as the loop and as what precedes it; default 0. It is worked in when the sample is added.
   */
  loop?:
    | {
        start: number;
        end: number;
        mode?: 'continuous' | 'sustain' | 'one-shot';
        alternate?: boolean;
        crossfade?: number;
      }
    | false;
  /** Cents. */
  tune?: number;
  gain?: number;
  pan?: number;
  /** A note in this group ends voices that are `chokedBy` it: an open hat, say. Whole numbers; 0 is none. */
  group?: number;
  /** Group whose notes end this sample's voices, in 6 ms. */
  chokedBy?: number;
}

/** Attack is linear, decay and release exponential (release falls by 80 dB in its time and is then exactly silent). */
export interface Envelope {
  /** s, 0..3600, default 0. */
  delay?: number;
  /** s, default 0. */
  attack?: number;
  /** s, default 0. */
  hold?: number;
  /** s, default 0. */
  decay?: number;
  /** 0..1, default 1. */
  sustain?: number;
  /** s, default 0.1; never shorter than 1 ms, which would click. */
  release?: number;
  /** Level that the attack starts from, 0..1, default 0. */
  start?: number;
  /** Default 'linear'. A number, -20..20, bends the way: 0 is straight, above slow first, below fast first. */
  attackCurve?: 'linear' | 'exponential' | number;
  /** Default 'exponential'. */
  decayCurve?: 'linear' | 'exponential' | number;
  /** Default 'exponential'. */
  releaseCurve?: 'linear' | 'exponential' | number;
}

/** Where a route takes its value from: 0..1, but bend and LFOs, which run from -1 to 1. */
export type ModulationSource =
  | 'velocity'
  | 'key'
  /** One value for each voice. */
  | 'random'
  | 'bend'
  /** The higher of channelpressure and notepressure. */
  | 'pressure'
  | 'channelpressure'
  | 'notepressure'
  /** Controllers cc0 to cc127. */
  | `cc${number}`
  /** By place in `lfos`: lfo0 to lfo3. */
  | `lfo${number}`
  /** envelope0 is pitchEnvelope, or filterEnvelope where there is no pitchEnvelope. */
  | `envelope${number}`;

export interface Modulation {
  /** At most 3, one behind the other. */
  filters?: Filter[];
  /** At most 4. */
  lfos?: Lfo[];
  /** Moves the pitch by its level times `depth`, -12000..12000 cents. */
  pitchEnvelope?: Envelope & { depth: number };
  /** Moves the first filter's cutoff likewise. */
  filterEnvelope?: Envelope & { depth: number };
  /** At most 64. */
  routes?: ModulationRoute[];
}

/** Two-pole (12 dB an octave), but those that end in 1. Modulated without zipper noise, stable at any setting. */
export interface Filter {
  /** Default 'lowpass'. */
  type?:
    | 'lowpass'
    | 'highpass'
    | 'bandpass'
    | 'notch'
    | 'peak'
    | 'lowshelf'
    | 'highshelf'
    | 'lowpass1'
    | 'highpass1'
    | 'allpass';
  /** Hz, 1..400000, default open; what the sample rate allows is at most 0.49 times it. */
  cutoff?: number;
  /** dB over the flattest response at the cutoff, -40..40, default 0: Q is 10^(dB/20)/√2. */
  resonance?: number;
  /** dB of peak and shelves, -48..48, default 0. */
  gain?: number;
  /** Cents that the cutoff moves a key, -1200..1200, default 0; 100 follows the keyboard. */
  keytrack?: number;
  /** Key at which the cutoff is as set, default 60. */
  keycenter?: number;
  /** Cents that the cutoff is higher at full velocity, -12000..12000, default 0. */
  velocity?: number;
}

export interface Lfo {
  /** Default 'sine'. 'random' is another value each period, the same in every render. */
  shape?: 'sine' | 'triangle' | 'square' | 'sawup' | 'sawdown' | 'random';
  /** A pulse that is high for this part of the period, 0..1, instead of `shape`. */
  width?: number;
  /** Hz, 0..1000, default 5. */
  rate?: number;
  /** s before it begins, 0..3600, default 0. */
  delay?: number;
  /** s until it has its full depth, default 0. */
  fade?: number;
  /** Where in the period it begins, 0..1, default 0. */
  phase?: number;
  /** Goes on between notes instead of beginning with each, default false. */
  free?: boolean;
  /** Cents. */
  pitch?: number;
  /** dB. */
  gain?: number;
  /** -1..1. */
  pan?: number;
  /** Cents, of the first filter. */
  cutoff?: number;
  /** What scales all of its depths. */
  via?: ModulationSource;
}

/** `from` × `via` × `depth`, added to `to`. */
export interface ModulationRoute {
  from: ModulationSource;
  via?: ModulationSource;
  to: 'pitch' | 'gain' | 'pan' | 'cutoff' | 'resonance';
  /** Cents (pitch, cutoff), dB (gain, resonance) or -1..1 (pan). */
  depth: number;
  /** Which filter's cutoff or resonance, 0..2, default the first. */
  filter?: number;
}

// ───────────────────────────────────────────────────────────── PCM from JavaScript

export interface SpeakerOptions extends WritableOptions {
  /** 1..32, default 2. One is heard on both sides; docs/pcm.md says where others go. */
  channels?: number;
  /** Default 16, or 32 with `float`; 24 bits come in three bytes. */
  bitDepth?: 8 | 16 | 24 | 32 | 64;
  /** Hz, 1000..768000, default 44100; converted where the engine has another. */
  sampleRate?: number;
  /** Default true, but for 8 bits. */
  signed?: boolean;
  /** Default false. */
  float?: boolean;
  /** This machine's own; the other is an error, as in the original. */
  endianness?: 'LE' | 'BE';
  /** Kept, and without effect. */
  samplesPerFrame?: number;
  /** A device of that name, on an engine of its own; default: that of the default engine. */
  device?: string | null;
  /** Default: `Engine.default()`, opened with the first write. */
  engine?: Engine;
  /**
   * s that wait to be heard before the next chunk is asked for, 0.001..2, default 0.1. When JavaScript proves too slow for it
   * (an underrun, and data again within a second), it doubles, up to 0.5.
   */
  latency?: number;
}

export interface StreamStats {
  /** Played so far. */
  frames: number;
  /** Times that there was nothing to play. */
  underruns: number;
}

export interface SpeakerEvents {
  /** After the first write: the device is open. */
  open: [];
  /** After `end()`: the last frame has been heard. `'finish'` follows. */
  flush: [];
  /** Once, whatever ended it. */
  close: [];
  /** There was nothing to play: what was heard last was led to silence in 5 ms. What comes next rises from it. */
  underrun: [event: { underruns: number }];
}

/**
 * Drop-in for the npm package `speaker`: a Writable that takes interleaved PCM, chunks cut anywhere. Bytes are copied when
 * they are written. Opening a device, and failing to, happens at the first write, and is then an 'error' event. While there is
 * something to be heard, it keeps the process alive.
 */
export class Speaker extends Writable {
  constructor(options?: SpeakerOptions);
  /** The number that mpg123 gave a format, or null for none. */
  static getFormat(format: { bitDepth?: number; float?: boolean; signed?: boolean }): number | null;
  static isSupported(format: number | { bitDepth?: number; float?: boolean; signed?: boolean }): boolean;
  static api_version: number;
  static description: string;
  static module_name: string;

  /** Once it is open. */
  readonly engine: Engine | null;
  /** s that wait to be heard before the next chunk is asked for. */
  readonly latency: number;
  /** `buffered`: frames that wait to be heard. */
  readonly stats: StreamStats & { buffered: number };
  /** Silence at once (a fade of 5 ms); with `false` what was written is still heard. 'close' comes before it returns. */
  close(flush?: boolean): void;

  on<E extends keyof SpeakerEvents>(event: E, listener: (...args: SpeakerEvents[E]) => void): this;
  // biome-ignore lint/suspicious/noExplicitAny: as Writable declares it
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}

export interface PcmRingOptions {
  /** Default: `Engine.default()`. */
  engine?: Engine;
  /** 1..32, default 2. */
  channels?: number;
  /** Frames that fit, default 16384; 1 GiB at most. */
  frames?: number;
  /** Default 'f32'. */
  format?: 'f32' | 'f64';
  /** Hz, 1000..768000; default: the engine's. */
  sampleRate?: number;
}

export interface PcmRingEvents {
  /** The ring ran dry: what was heard last was led to silence in 5 ms. What comes next rises from it. */
  underrun: [event: { underruns: number }];
}

export interface RingStats extends StreamStats {
  /** Frames that wait to be played. */
  fill: number;
  /** Blocks for which the indices made no sense, and silence was played. */
  invalid: number;
}

/**
 * A ring in shared memory: JavaScript writes frames, on any one thread, and the audio thread reads them where they lie, with
 * no call and no copy in between. docs/pcm.md has the layout, for other writers. A ring that is no longer referenced is closed
 * once it is silent.
 */
export class PcmRing extends EventEmitter<PcmRingEvents> {
  constructor(options?: PcmRingOptions);
  /** `size × stride` values, interleaved, over a SharedArrayBuffer. */
  readonly data: Float32Array | Float64Array;
  /** The frame to be written next, 0..size - 1, for Atomics: stored after the frames before it have been written. */
  readonly writeIndex: Int32Array;
  /** The frame to be played next; the audio thread's. */
  readonly readIndex: Int32Array;
  /** Frames that the indices count round: one more than fit, since equal indices mean that the ring is empty. */
  readonly size: number;
  /** Values of a frame: the channels. */
  readonly stride: number;
  readonly underruns: number;
  readonly stats: RingStats;
  /** 0..10000, default 1, ramped in 5 ms. */
  gain: number;
  /** Copies whole frames into the ring, as many as fit, and returns how many did. */
  write(frames: Float32Array | Float64Array | number[]): number;
  /** Frames that wait to be played. */
  available(): number;
  /** Frames that fit now. */
  space(): number;
  /** Forgets what waits, with a fade. */
  clear(): void;
  /** A fade of 5 ms, and the memory is JavaScript's alone. May be called twice. */
  close(): void;
  [Symbol.dispose](): void;
}

/** Kanon's ring: indices as in {@link PcmRing}, memory over SharedArrayBuffers. */
export interface RingBuffer {
  data: Float32Array | Float64Array;
  writeIdx: Int32Array;
  readIdx: Int32Array;
  /** 2..2³⁰ frames. */
  size: number;
  /** 1..32. */
  stride: number;
}

export interface Transport {
  readonly type: 'PUSH' | 'PULL';
  readonly stats: RingStats;
  readonly realtime: RealtimeStatus;
  /** With a fade; when it returns, nobody reads the ring any more. May be called twice. */
  stop(): void;
}

/**
 * Kanon's call. 'PULL': the audio thread reads the caller's ring where it lies. 'PUSH': JavaScript reads it and streams it
 * through a {@link Speaker}. Sounds until `stop()`, whether or not the result is kept; called again for the same ring (after a
 * hot reload, say), it returns the transport that runs. `sampleRate` in Hz, default 44100.
 */
export function createTransport(
  mode: 'PUSH' | 'PULL',
  ringBuffer: RingBuffer,
  sampleRate?: number,
  options?: EngineOptions & { engine?: Engine },
): Transport;

// ───────────────────────────────────────────────────────────── is this machine ready for real-time audio?

export interface DoctorOptions {
  /** Seconds of measuring how late threads are woken, 0..600, default 2; 0: not at all. */
  measure?: number;
}

export interface DoctorCheck {
  /** A word that keeps its meaning: 'realtime', 'rtprio', 'rtkit', 'memlock', 'preemption', 'governor' … */
  id: string;
  /** 'warn': it works and could be better. 'fail': real-time audio will not work. */
  status: 'ok' | 'warn' | 'fail' | 'unknown';
  found: string;
  wanted: string;
  /** What to type, on this distribution; on one that is not known, a line for each that is. */
  fix?: string;
}

export interface DoctorReport {
  /** No check failed. */
  ok: boolean;
  checks: DoctorCheck[];
  /** µs by which a thread was woken late, with real-time priority if it was granted; null when nothing was measured. */
  jitter: Distribution | null;
  /** The same without real-time priority; null where it was denied, since `jitter` is that then. */
  jitterWithout: Distribution | null;
  /** All of it in words, with histograms. */
  toString(): string;
}

/**
 * Looks at permissions, kernel, cores, servers and libraries, tries what the kernel grants, and measures what comes of
 * it. Changes nothing. `npx ictus doctor` prints it. Linux; elsewhere there is nothing to look at, and the report says so.
 */
export function doctor(options?: DoctorOptions): Promise<DoctorReport>;

// ───────────────────────────────────────────────────────────── devices

/**
 * Every output device of every host of this machine, best backend first, and the clock. Asks servers and drivers, but
 * starts none.
 */
export function devices(): Promise<DeviceInfo[]>;

export interface DeviceInfo {
  backend: Backend;
  /** Stable over restarts; `device` takes it. */
  id: string;
  /** What people call it; `device` takes it, too. */
  name: string;
  /** Whether its backend opens it when none is named. */
  isDefault: boolean;
  /** Most output channels; 0 where a device is busy and cannot be asked. */
  channels: number;
  /** Hz, rising: those that it runs at by itself. All others are converted. */
  sampleRates: number[];
  /** Frames a callback, where the device tells. */
  bufferSizes: { min: number; max: number } | null;
}

/** Of this package. */
export const version: string;
