// A score for scsynth's non-real-time mode: OSC bundles, each behind its length, and a SynthDef as bytes.
// Sources: SuperCollider's "Non-Realtime Synthesis (NRT)", "Synth Definition File Format" (version 2), OSC 1.0.

const int32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int16 = (value) => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const float32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return bytes;
};
/** A Pascal string: its length in a byte. */
const pascal = (text) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
const text = (value) => padded(Buffer.from(`${value}\0`, 'latin1'));

/** One OSC message: whole numbers are sent as int32, others as float32, buffers as blobs. */
function message(address, ...values) {
  const types = values.map((value) => {
    if (Buffer.isBuffer(value)) return 'b';
    if (typeof value === 'string') return 's';
    return Number.isInteger(value) ? 'i' : 'f';
  });
  const bytes = values.map((value, n) => {
    if (types[n] === 'b') return Buffer.concat([int32(value.length), padded(value)]);
    if (types[n] === 's') return text(value);
    return types[n] === 'i' ? int32(value) : float32(value);
  });
  return Buffer.concat([text(address), text(`,${types.join('')}`), ...bytes]);
}

/** Messages at a time in seconds, as scores have them: behind the length of the bundle. */
function bundle(seconds, ...messages) {
  const fraction = Math.round((seconds % 1) * 2 ** 32);
  const parts = messages.flatMap((bytes) => [int32(bytes.length), bytes]);
  const time = Buffer.concat([int32(Math.floor(seconds)), int32(fraction | 0)]);
  const whole = Buffer.concat([text('#bundle'), time, ...parts]);
  return Buffer.concat([int32(whole.length), whole]);
}

const CONTROL_RATE = 1;
const AUDIO_RATE = 2;

/** A unit: inputs are `[unit, output]` or, of constants, `[-1, number]`. */
function unit(name, rate, inputs, outputs) {
  return Buffer.concat([
    pascal(name),
    Buffer.from([rate]),
    int32(inputs.length),
    int32(outputs),
    int16(0),
    ...inputs.flatMap(([from, number]) => [int32(from), int32(number)]),
    Buffer.from(Array(outputs).fill(rate)),
  ]);
}

/** PlayBuf.ar(1, 0, rate, loop: 1), as loud as a quiet voice, on both sides. */
function definition() {
  const constants = [0, 1, 0.01];
  const [zero, one, quiet] = [0, 1, 2].map((n) => [-1, n]);
  const units = [
    unit('Control', CONTROL_RATE, [], 1),
    // Buffer, rate, trigger, start, loop, done action.
    unit('PlayBuf', AUDIO_RATE, [zero, [0, 0], one, zero, one, zero], 1),
    // Special index 2 of BinaryOpUGen is *; it is written by hand below.
    unit('BinaryOpUGen', AUDIO_RATE, [[1, 0], quiet], 1),
    unit('Out', AUDIO_RATE, [zero, [2, 0], [2, 0]], 0),
  ];
  // The special index stands behind the two counts.
  units[2].writeInt16BE(2, 1 + 'BinaryOpUGen'.length + 1 + 4 + 4);
  return Buffer.concat([
    Buffer.from('SCgf', 'latin1'),
    int32(2),
    int16(1),
    pascal('voice'),
    int32(constants.length),
    ...constants.map(float32),
    int32(1),
    float32(1),
    int32(1),
    pascal('rate'),
    int32(0),
    int32(units.length),
    ...units,
    int16(0),
  ]);
}

/** A voice at each of these rates, for so many seconds, of the recording in `wav`. */
export function score({ wav, seconds, rates }) {
  const voices = rates.map((rate, n) => message('/s_new', 'voice', 1000 + n, 1, 0, 'rate', rate + 1e-9));
  return Buffer.concat([
    bundle(0, message('/d_recv', definition()), message('/b_allocRead', 0, wav, 0, 0)),
    bundle(0.01, message('/g_new', 1, 0, 0), ...voices),
    bundle(seconds, message('/c_set', 0, 0)),
  ]);
}
