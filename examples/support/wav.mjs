// Writes a WAV file: 24-bit integer, which every player reads and which keeps 144 dB. What is beyond full scale is
// clipped, and counted, since that is heard.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const FULL_SCALE = 2 ** 23;

/**
 * - `samples`: interleaved, frames × channels; 1 is full scale.
 * - `channels`, `sampleRate` (Hz): as rendered.
 *
 * Makes the folder if need be. Returns `{ peak, clipped }`: the largest value before clipping, and how many were clipped.
 */
export function writeWav(path, samples, channels, sampleRate) {
  const bytes = samples.length * 3;
  const file = Buffer.alloc(44 + bytes + (bytes % 2)); // a chunk of odd length has a byte of padding
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20); // integers
  file.writeUInt16LE(channels, 22);
  file.writeUInt32LE(sampleRate, 24);
  file.writeUInt32LE(sampleRate * channels * 3, 28);
  file.writeUInt16LE(channels * 3, 32);
  file.writeUInt16LE(24, 34);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(bytes, 40);

  let [peak, clipped] = [0, 0];
  for (let i = 0; i < samples.length; i += 1) {
    const value = Math.round(samples[i] * FULL_SCALE);
    const kept = Math.min(Math.max(value, -FULL_SCALE), FULL_SCALE - 1);
    if (kept !== value) clipped += 1;
    peak = Math.max(peak, Math.abs(samples[i]));
    file.writeIntLE(kept, 44 + i * 3, 3);
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, file);
  return { peak, clipped };
}

/** 0.5 → '−6.0 dBFS'. */
export function dbfs(value) {
  return value > 0 ? `${(20 * Math.log10(value)).toFixed(1).replace('-', '−')} dBFS` : 'silence';
}
