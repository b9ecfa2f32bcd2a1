// WAV files written by hand, so that what the loader reads was not written by its own code.
// Source: Microsoft "Multimedia Programming Interface and Data Specifications 1.0"; mmreg.h for the format tags.

const PCM = 1;
const FLOAT = 3;

/** How many bytes a value takes, and how one in -1..1 is written. Integers are rounded to nearest. */
export const encodings = {
  int8: {
    tag: PCM,
    bytes: 1,
    full: 2 ** 7,
    write: (b, at, v) => b.writeUInt8(Math.round(v * 2 ** 7) + 128, at),
  },
  int16: {
    tag: PCM,
    bytes: 2,
    full: 2 ** 15,
    write: (b, at, v) => b.writeInt16LE(Math.round(v * 2 ** 15), at),
  },
  int24: {
    tag: PCM,
    bytes: 3,
    full: 2 ** 23,
    write: (b, at, v) => b.writeIntLE(Math.round(v * 2 ** 23), at, 3),
  },
  int32: {
    tag: PCM,
    bytes: 4,
    full: 2 ** 31,
    write: (b, at, v) => b.writeInt32LE(Math.round(v * 2 ** 31), at),
  },
  float32: {
    tag: FLOAT,
    bytes: 4,
    full: Number.POSITIVE_INFINITY,
    write: (b, at, v) => b.writeFloatLE(v, at),
  },
};

/** A chunk: its name, its size, its bytes, and a byte of padding where the size is odd. */
export function chunk(name, body, size = body.length) {
  const head = Buffer.alloc(8);
  head.write(name, 0, 'latin1');
  head.writeUInt32LE(size, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
}

/** The body of a fmt chunk. */
export function format({ encoding = 'int16', channels = 1, sampleRate = 48000 } = {}) {
  const { tag, bytes } = encodings[encoding];
  const body = Buffer.alloc(16);
  body.writeUInt16LE(tag, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(sampleRate, 4);
  body.writeUInt32LE(sampleRate * channels * bytes, 8);
  body.writeUInt16LE(channels * bytes, 12);
  body.writeUInt16LE(bytes * 8, 14);
  return body;
}

/** The chunks in a RIFF file. */
export function riff(...chunks) {
  const body = Buffer.concat([Buffer.from('WAVE', 'latin1'), ...chunks]);
  return chunk('RIFF', body);
}

/** A whole file of these values, interleaved where there are two channels. */
export function wav(values, options = {}) {
  const { bytes, write } = encodings[options.encoding ?? 'int16'];
  const data = Buffer.alloc(values.length * bytes);
  values.forEach((value, index) => {
    write(data, index * bytes, value);
  });
  return riff(chunk('fmt ', format(options)), chunk('data', data));
}

/** Reads what `jack_rec -b 32` writes: interleaved 32-bit integers. */
export function readIntegers(bytes) {
  let channels = 0;
  let sampleRate = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = bytes.toString('latin1', at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    const body = bytes.subarray(at + 8, at + 8 + size);
    if (name === 'fmt ') {
      if (body.readUInt16LE(0) !== PCM || body.readUInt16LE(14) !== 32)
        throw new Error('not 32-bit integers');
      [channels, sampleRate] = [body.readUInt16LE(2), body.readUInt32LE(4)];
    }
    if (name === 'data') {
      const values = Int32Array.from({ length: Math.floor(body.length / 4) }, (_, n) =>
        body.readInt32LE(n * 4),
      );
      return { channels, sampleRate, values };
    }
    at += 8 + size + (size % 2);
  }
  throw new Error('the file has no data chunk');
}

/** Floats as a 32-bit integer file holds them: rounded to nearest, to even when in the middle. */
export function toIntegers(values) {
  return Int32Array.from(values, (value) => {
    const scaled = value * 2 ** 31;
    const rounded = Math.round(scaled);
    return rounded - scaled === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
  });
}
