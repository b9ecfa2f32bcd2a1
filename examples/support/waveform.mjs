// Draws what was rendered, so that one can see at a glance that it sounds, where, and how loud: an SVG with one lane
// per channel. The light shape is the range of values in each column of pixels, the dark one their RMS, which is
// closer to how loud it is.
import { writeFileSync } from 'node:fs';

const WIDTH = 1200; // columns of pixels that the sound is spread over
const LANE = 160; // pixels per channel
const GAP = 16;
const LEFT = 48;
const TOP = 36;
const BOTTOM = 34;

/** Minimum, maximum and RMS of one channel in each of `WIDTH` columns. `samples` is interleaved. */
function columns(samples, channels, channel) {
  const frames = Math.floor(samples.length / channels);
  return Array.from({ length: WIDTH }, (_, column) => {
    const from = Math.floor((column * frames) / WIDTH);
    // Every column has at least one frame, even where there are fewer frames than pixels.
    const to = Math.max(Math.floor(((column + 1) * frames) / WIDTH), from + 1);
    let [min, max, squares] = [0, 0, 0];
    for (let frame = from; frame < Math.min(to, frames); frame += 1) {
      const value = samples[frame * channels + channel];
      min = Math.min(min, value);
      max = Math.max(max, value);
      squares += value * value;
    }
    return { min, max, rms: Math.sqrt(squares / (to - from)) };
  });
}

/** A closed shape between two curves over all columns. `y` turns a value into a height. */
function shape(upper, lower, y) {
  const points = (values) => values.map((value, x) => `${LEFT + x} ${y(value).toFixed(1)}`);
  return `M${points(upper).join('L')}L${points(lower).reverse().join('L')}Z`;
}

/** The step of the time axis, in seconds: 1, 2 or 5 times a power of ten, at most a dozen of them. */
function timeStep(seconds) {
  const least = Math.max(seconds, 1e-6) / 12;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least * 0.999);
}

const decibels = (value) => (value > 0 ? `${(20 * Math.log10(value)).toFixed(1)} dBFS` : 'silence');

/**
 * Writes an SVG of the sound to `path`.
 *
 * - `samples`: interleaved, frames × channels; 1 is full scale. More than that makes the lanes' scale grow.
 * - `channels`, `sampleRate` (Hz): as rendered.
 */
export function drawWaveform(samples, channels, sampleRate, path) {
  const seconds = samples.length / channels / sampleRate;
  const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = Math.max(peak, 1);
  const height = TOP + channels * (LANE + GAP) - GAP + BOTTOM;
  const bottom = height - BOTTOM;
  const out = [];

  for (let channel = 0; channel < channels; channel += 1) {
    const y = TOP + channel * (LANE + GAP);
    out.push(`<rect class="lane" x="${LEFT}" y="${y}" width="${WIDTH}" height="${LANE}"/>`);
  }

  const step = timeStep(seconds);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  for (let i = 0; i * step <= seconds + step * 1e-6; i += 1) {
    const x = (LEFT + (i * step * WIDTH) / Math.max(seconds, 1e-6)).toFixed(1);
    out.push(`<path class="grid" d="M${x} ${TOP}V${bottom + 5}"/>`);
    out.push(`<text class="middle" x="${x}" y="${bottom + 20}">${(i * step).toFixed(digits)} s</text>`);
  }

  for (let channel = 0; channel < channels; channel += 1) {
    const middle = TOP + channel * (LANE + GAP) + LANE / 2;
    const y = (value) => middle - (value / scale) * (LANE / 2);
    for (const value of [1, 0.5, 0, -0.5, -1]) {
      out.push(`<path class="grid" d="M${LEFT} ${y(value).toFixed(1)}H${LEFT + WIDTH}"/>`);
      const label = String(value).replace('-', '−');
      out.push(`<text class="end" x="${LEFT - 6}" y="${(y(value) + 4).toFixed(1)}">${label}</text>`);
    }
    const all = columns(samples, channels, channel);
    const curve = (pick) => all.map(pick);
    // A pixel of height at least, so that silence shows as a line.
    const half = scale / LANE;
    const top = curve(({ max }) => Math.max(max, half));
    const low = curve(({ min }) => Math.min(min, -half));
    const rms = curve((column) => column.rms);
    const mirrored = rms.map((value) => -value);
    out.push(`<path class="range" d="${shape(top, low, y)}"/>`);
    out.push(`<path class="rms" d="${shape(rms, mirrored, y)}"/>`);
  }

  const about = [`${seconds.toFixed(2)} s`, `${channels} × ${sampleRate} Hz`, `peak ${decibels(peak)}`];
  const width = LEFT + WIDTH + 20;
  writeFileSync(
    path,
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>
  text { font: 12px system-ui, sans-serif; fill: #57606a; }
  .middle { text-anchor: middle; } .end { text-anchor: end; }
  .lane { fill: #f6f8fa; } .grid { stroke: #d0d7de; stroke-width: 1; fill: none; }
  .range { fill: #8ec5f0; } .rms { fill: #1f6fb2; }
</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${LEFT}" y="22">${about.join(' · ')}</text>
${out.join('\n')}
</svg>
`,
  );
}
