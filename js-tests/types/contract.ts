// Type tests of index.d.ts, run by `tsc -p .`: right programs compile, wrong ones do not. Nothing here is executed.

import {
  type Backend,
  createTransport,
  type DeviceInfo,
  type Distribution,
  devices,
  Engine,
  type EngineOptions,
  type Envelope,
  type IctusError,
  type IctusErrorCode,
  Instrument,
  type InstrumentSource,
  type LoadOptions,
  type NoteId,
  PcmRing,
  type RealtimeStatus,
  type RingStats,
  type SampleMetadata,
  Sampler,
  type SamplerOptions,
  Speaker,
  type Stats,
  type version,
} from 'ictus';
import type LegacySpeaker from 'ictus/speaker';

/** Whether two types are the same, `any` told apart. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function holds<T extends true>(): T;

// ── engines

const engine = new Engine({
  backend: 'clock',
  device: null,
  sampleRate: 48000,
  bufferSize: 128,
  channels: 2,
  polyphony: 64,
  interpolation: 'linear',
  realtime: { policy: 'fifo', priority: 70, required: true },
});
new Engine();
new Engine({});
new Engine({ realtime: false });
new Engine({ device: 'Scarlett' });
holds<Same<ReturnType<typeof Engine.default>, Engine>>();
Engine.default({ backend: 'offline' });

// @ts-expect-error a misspelt option
new Engine({ samplerate: 48000 });
// @ts-expect-error a backend that does not exist
new Engine({ backend: 'asio' });
// @ts-expect-error a rate is a number
new Engine({ sampleRate: '48000' });
// @ts-expect-error no such policy
new Engine({ realtime: { policy: 'batch' } });
// @ts-expect-error misspelt inside
new Engine({ realtime: { prio: 1 } });
// @ts-expect-error no such kernel
new Engine({ interpolation: 'sinc' });
// @ts-expect-error options are no string
new Engine('clock');
// @ts-expect-error made with new
Engine();

holds<Same<typeof engine.backend, Backend>>();
holds<Same<typeof engine.device, string>>();
holds<Same<typeof engine.sampleRate, number>>();
holds<Same<typeof engine.currentTime, number>>();
holds<Same<typeof engine.state, 'running' | 'suspended' | 'closed'>>();
holds<Same<typeof engine.realtime, RealtimeStatus>>();
holds<Same<ReturnType<typeof engine.stats>, Stats>>();
holds<Same<Stats['callback'], Distribution>>();
holds<Same<ReturnType<typeof engine.close>, Promise<void>>>();
holds<Same<ReturnType<typeof engine.suspend>, void>>();
engine.gain = 0.5;
// @ts-expect-error the clock is read
engine.currentTime = 1;
// @ts-expect-error so is the state
engine.state = 'running';
// @ts-expect-error gain is a number
engine.gain = '1';

const frames: Float32Array = engine.render(128);
holds<Same<Parameters<typeof engine.render>, [frames: number, into?: Float32Array | undefined]>>();
engine.render(128, frames);
// @ts-expect-error frames are needed
engine.render();
// @ts-expect-error values are 32-bit floats
engine.render(128, new Float64Array(256));

engine.on('xrun', ({ frames, cause }) => {
  holds<Same<typeof frames, number>>();
  holds<Same<typeof cause, 'overload' | 'scheduling' | 'disk' | 'device'>>();
});
engine.on('degraded', ({ level }) => holds<Same<typeof level, 0 | 1 | 2>>());
engine.on('devicerestored', ({ backend, device }) => {
  holds<Same<typeof backend, Backend>>();
  holds<Same<typeof device, string>>();
});
engine.on('devicechange', ({ message }) => holds<Same<typeof message, string>>());
holds<Same<ReturnType<typeof engine.timeAt>, number>>();
// @ts-expect-error a time of performance.now() is needed
engine.timeAt();
holds<Same<ReturnType<typeof devices>, Promise<DeviceInfo[]>>>();
// @ts-expect-error it takes nothing
devices({});
engine.on('devicelost', ({ message }) => holds<Same<typeof message, string>>());
engine.on('error', (error) => holds<Same<typeof error, IctusError>>());
engine.once('statechange', ({ state }) => holds<Same<typeof state, 'running' | 'suspended' | 'closed'>>());
// @ts-expect-error an event of samplers
engine.on('noteend', () => {});
// @ts-expect-error devicelost has no such property
engine.on('devicelost', ({ device }) => device);

// ── samplers

const sampler = new Sampler({ engine, polyphony: 8, gain: 0.5, stealing: 'same-note' });
new Sampler();
new Sampler({ backend: 'jack', sampleRate: 96000, polyphony: 512 });
// @ts-expect-error no such strategy
new Sampler({ stealing: 'newest' });
// @ts-expect-error an engine is no name
new Sampler({ engine: 'clock' });
// @ts-expect-error misspelt
new Sampler({ polyfony: 8 });

holds<Same<typeof sampler.engine, Engine>>();
holds<Same<typeof sampler.muted, boolean>>();
sampler.gain = 1;
sampler.pan = -0.5;
sampler.muted = true;
// @ts-expect-error muted is true or false
sampler.muted = 1;
// @ts-expect-error the engine stays
sampler.engine = engine;

const id: NoteId = sampler.noteOn(60);
const number: number = sampler.noteOn(60.5, 100);
sampler.noteOn(60, 100, engine.currentTime + 1);
sampler.noteOn(60, 100, undefined, 15);
sampler.noteOn(60, undefined, { duration: 0.5 });
sampler.noteOn(60, 100, { time: 1, duration: 0.5, channel: 3 });
// @ts-expect-error a note is needed
sampler.noteOn();
// @ts-expect-error notes are numbers
sampler.noteOn('C4');
// @ts-expect-error times are numbers
sampler.noteOn(60, 100, '1');
// @ts-expect-error options hold the channel
sampler.noteOn(60, 100, { time: 1 }, 3);
// @ts-expect-error misspelt
sampler.noteOn(60, 100, { tiem: 1 });
// @ts-expect-error velocity is no null
sampler.noteOn(60, null);

sampler.noteOff(60);
sampler.noteOff(60, 1, 2);
sampler.release(id);
sampler.release(number, 1);
sampler.pitchBend(-8192, 1, 0);
sampler.allNotesOff();
sampler.allNotesOff(3, 1);
sampler.allSoundOff(undefined, 1);
// @ts-expect-error which note?
sampler.release();
// @ts-expect-error a bend is a number
sampler.pitchBend({ value: 1 });

sampler.on('noteend', (event) => holds<Same<typeof event, { id: NoteId }>>());
sampler.on('steal', (event) => holds<Same<typeof event.id, number>>());
// @ts-expect-error an event of engines
sampler.on('xrun', () => {});

// ── instruments

async function instruments(): Promise<void> {
  const loaded = await sampler.load('piano');
  holds<Same<typeof loaded, Instrument>>();
  await sampler.load({ C4: 'c4.wav', 'F#4': 'fs4.wav', 72: 'c5.wav' }, { baseUrl: 'samples' });
  await sampler.load(new Float32Array(100), { channel: 9 });
  const signal = AbortSignal.timeout(1000);
  await sampler.load('piano', {
    signal,
    onProgress: ({ loaded, total, bytes, current }) => `${loaded / total} ${bytes} ${current.length}`,
  });
  // @ts-expect-error paths are strings
  await sampler.load({ C4: 7 });
  // @ts-expect-error a source is needed
  await sampler.load();
  // @ts-expect-error misspelt
  await sampler.load('piano', { chanel: 1 });
  // @ts-expect-error a controller is no signal
  await sampler.load('piano', { signal: new AbortController() });
  const from = await Sampler.from('piano', { polyphony: 8, channel: 3, signal, backend: 'clock' });
  holds<Same<typeof from, Sampler>>();

  const instrument = sampler.createInstrument('mine');
  holds<Same<typeof instrument, Instrument>>();
  sampler.createInstrument();
  // @ts-expect-error made by samplers
  new Instrument();
  await instrument.addSample('kick.wav', { rootNote: 36, keyRange: [36, 36], velocityRange: [1, 64] });
  await instrument.addSample(new Float32Array(100), { sampleRate: 44100, channels: 2, loop: false });
  await instrument.addSample([new Float32Array(10), new Float32Array(10)], {
    loop: { start: 0, end: 10, mode: 'sustain', alternate: false, crossfade: 0.01 },
    tune: -7,
    gain: 0.5,
    pan: 1,
  });
  // @ts-expect-error values are 32-bit floats
  await instrument.addSample(new Float64Array(100));
  // @ts-expect-error values are in an array of their own
  await instrument.addSample([1, 2, 3]);
  // @ts-expect-error a range has two ends
  await instrument.addSample('kick.wav', { keyRange: [36] });
  // @ts-expect-error a loop has an end
  await instrument.addSample('kick.wav', { loop: { start: 0 } });
  // @ts-expect-error true says not where
  await instrument.addSample('kick.wav', { loop: true });
  // @ts-expect-error misspelt
  await instrument.addSample('kick.wav', { rootKey: 60 });

  instrument.setEnvelope({ attack: 0.01, sustain: 0.5 });
  instrument.setEnvelope({});
  // @ts-expect-error an envelope is needed
  instrument.setEnvelope();
  // @ts-expect-error misspelt
  instrument.setEnvelope({ realease: 1 });
  const [low, high] = instrument.keyRange;
  holds<Same<typeof low, number | undefined>>();
  holds<Same<typeof high, number | undefined>>();
  holds<Same<typeof instrument.warnings, string[]>>();
  // @ts-expect-error the name stays
  instrument.name = 'other';
  instrument.unload();

  sampler.assign(0, instrument);
  sampler.assign(15, null, 1);
  // @ts-expect-error nothing is null
  sampler.assign(0, undefined);
  // @ts-expect-error an instrument is no path
  sampler.assign(0, 'piano');
}

// ── PCM

function pcm(engine: Engine): void {
  const speaker = new Speaker({ channels: 2, bitDepth: 16, sampleRate: 44100, engine, latency: 0.05 });
  speaker.on('underrun', ({ underruns }) => holds<Same<typeof underruns, number>>());
  speaker.on('open', () => {});
  speaker.on('finish', () => {});
  speaker.write(Buffer.alloc(4));
  speaker.end();
  speaker.close(false);
  holds<Same<typeof speaker.stats.buffered, number>>();
  const format = Speaker.getFormat({ bitDepth: 16, signed: true });
  holds<Same<typeof format, number | null>>();
  holds<Same<typeof LegacySpeaker, typeof Speaker>>();
  // @ts-expect-error no such depth
  new Speaker({ bitDepth: 20 });
  // @ts-expect-error the engine stays
  speaker.engine = engine;

  using ring = new PcmRing({ engine, channels: 1, frames: 480, format: 'f64', sampleRate: 48000 });
  const taken = ring.write(new Float64Array(480));
  holds<Same<typeof taken, number>>();
  ring.write([0, 0.5]);
  ring.gain = 0.5;
  ring.on('underrun', ({ underruns }) => holds<Same<typeof underruns, number>>());
  holds<Same<typeof ring.data, Float32Array | Float64Array>>();
  holds<Same<typeof ring.stats, RingStats>>();
  // @ts-expect-error bytes are for a Speaker
  ring.write(Buffer.alloc(4));
  // @ts-expect-error no such format
  new PcmRing({ format: 's16' });

  const { data, writeIndex: writeIdx, readIndex: readIdx, size, stride } = ring;
  const transport = createTransport('PULL', { data, writeIdx, readIdx, size, stride }, 48000, { engine });
  holds<Same<typeof transport.type, 'PUSH' | 'PULL'>>();
  createTransport('PUSH', { data, writeIdx, readIdx, size, stride }, 44100, { backend: 'clock' }).stop();
  // @ts-expect-error no such mode
  createTransport('PULSE', { data, writeIdx, readIdx, size, stride });

  const generator = engine.generate(
    (block, frame, state) => {
      holds<Same<typeof block, Float32Array>>();
      holds<Same<typeof frame, number>>();
      state.phase = 1;
    },
    { channels: 1, ahead: 0.05, blockSize: 64, name: 'hum' },
  );
  generator.gain = 0.5;
  generator.stop();
  engine.generate(new URL('file:///tone.mjs'));
  // @ts-expect-error a path is no URL
  engine.generate('tone.mjs');
}

// ── what leaves its scope, and what is caught

async function scopes(): Promise<void> {
  await using scoped = new Engine({ backend: 'offline' });
  using player = new Sampler({ engine: scoped });
  player.close();
  await scoped.close();
}

function caught(error: unknown): string {
  const { code, message } = error as IctusError;
  const all: Record<IctusErrorCode, string> = {
    ERR_INVALID_ARGUMENT: '',
    ERR_NO_DEVICE: '',
    ERR_DEVICE: '',
    ERR_FILE_NOT_FOUND: '',
    ERR_FILE: '',
    ERR_UNSUPPORTED_FORMAT: '',
    ERR_CORRUPT_FILE: '',
    ERR_LIMIT: '',
    ERR_REALTIME_DENIED: '',
    ERR_CLOSED: '',
    ERR_ABORTED: '',
    ERR_ADDON_MISSING: '',
    ERR_ADDON_LOAD: '',
  };
  // @ts-expect-error no such code
  if (code === 'ERR_UNKNOWN') return message;
  return all[code];
}

// ── names that a program of types needs

const options: EngineOptions & SamplerOptions & LoadOptions = { backend: 'clock', gain: 1, channel: 2 };
const source: InstrumentSource = { C4: 'c4.wav' };
const metadata: SampleMetadata = { keyRange: [0, 127] };
const envelope: Envelope = { release: 1 };
holds<Same<typeof version, string>>();

export { caught, envelope, instruments, metadata, options, pcm, scopes, source };

// ── effects

sampler.effects.set('reverb', { decay: 2, damping: 4000 });
sampler.effects.set('delay', null);
sampler.effects.send('chorus', 0.5);
// @ts-expect-error a parameter of another effect
sampler.effects.set('chorus', { decay: 2 });
// @ts-expect-error no such effect
sampler.effects.send('flanger', 1);
// @ts-expect-error they are there, and not put there
sampler.effects = { set() {}, send() {} };
