// A WAV file piped through Speaker. The header is read on the way and announced by a 'format' event, as decoders do.
//
//   node examples/wav.mjs [FILE.wav] [--backend jack|alsa|clock]
import { createReadStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import Speaker from 'ictus/speaker';
import { openEngine, options } from './support/options.mjs';
import { pluck } from './support/sounds.mjs';

/** Passes on what is in the data chunk, after a 'format' event with what the fmt chunk says. */
class WavReader extends Transform {
  #head = Buffer.alloc(0);
  #left = 0;

  _transform(bytes, _encoding, done) {
    if (this.#left > 0) return this.#pass(bytes, done);
    this.#head = Buffer.concat([this.#head, bytes]);
    const head = this.#head;
    if (head.length >= 12 && head.toString('latin1', 0, 4) + head.toString('latin1', 8, 12) !== 'RIFFWAVE')
      return done(new Error('this is no WAV file'));
    for (let at = 12; at + 8 <= head.length; ) {
      const [name, length] = [head.toString('latin1', at, at + 4), head.readUInt32LE(at + 4)];
      if (name === 'data') {
        this.#left = length;
        return this.#pass(head.subarray(at + 8), done);
      }
      if (name === 'fmt ' && at + 24 <= head.length) {
        const bitDepth = head.readUInt16LE(at + 22);
        this.emit('format', {
          float: head.readUInt16LE(at + 8) === 3,
          channels: head.readUInt16LE(at + 10),
          sampleRate: head.readUInt32LE(at + 12),
          bitDepth,
          signed: bitDepth !== 8,
        });
      }
      at += 8 + length + (length % 2);
    }
    return done();
  }

  #pass(bytes, done) {
    const part = bytes.subarray(0, this.#left);
    this.#left -= part.length;
    done(null, part);
  }
}

/** Something to play where no file is given: a plucked string, as a WAV file in memory. */
function plucked() {
  const values = pluck(44100);
  const file = Buffer.alloc(44 + values.length * 2);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  for (const [at, value] of [
    [16, 16],
    [20, 0x10001], // integers, one channel
    [24, 44100],
    [28, 88200],
    [32, 0x100002], // 2 bytes a frame, 16 bits
  ])
    file.writeUInt32LE(value, at);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(values.length * 2, 40);
  values.forEach((value, n) => {
    file.writeInt16LE(Math.round(Math.max(-1, Math.min(1, value)) * 32767), 44 + n * 2);
  });
  return Readable.from([file.subarray(0, 50), file.subarray(50)]);
}

const at = process.argv.findIndex((word, n) => n >= 2 && word.endsWith('.wav'));
const [path] = at > 0 ? process.argv.splice(at, 1) : [];
openEngine(options('[FILE.wav] [--backend NAME] [--device NAME]'));

const speaker = new Speaker();
try {
  await pipeline(path ? createReadStream(path) : plucked(), new WavReader(), speaker);
  const { sampleRate, channels, bitDepth } = speaker;
  console.log(`${speaker.stats.frames} frames of ${channels} × ${bitDepth} bits at ${sampleRate} Hz heard`);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
