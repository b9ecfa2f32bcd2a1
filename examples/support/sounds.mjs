// Sounds made of arithmetic, for examples that should run without any file: a plucked string, a bass and a drum kit.
// Each function takes the sample rate in Hz and returns a mono Float32Array with a peak of 0.9.
import { random } from './random.mjs';

/** `seconds` of sound out of a function of time (s), brought to the same peak, its end faded so that it cannot click. */
function sound(rate, seconds, at) {
  const values = Float32Array.from({ length: Math.round(rate * seconds) }, (_, i) => at(i / rate, i));
  const peak = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const fade = Math.round(rate * 0.005);
  return values.map((value, i) => (value / peak) * 0.9 * Math.min(1, (values.length - 1 - i) / fade));
}

/** White noise, -1..1. */
function noise(seed) {
  const next = random(seed);
  return () => next() * 2 - 1;
}

/** A two-pole filter (state variable, trapezoidal): feed it a value, get `{ low, band, high }` of it. */
function filter(rate, hz, resonance = 0.7) {
  const g = Math.tan((Math.PI * hz) / rate);
  const k = 1 / resonance;
  const a = 1 / (1 + g * (g + k));
  let [s1, s2] = [0, 0];
  return (value) => {
    const band = a * (s1 + g * (value - s2));
    const low = s2 + g * band;
    [s1, s2] = [2 * band - s1, 2 * low - s2];
    return { low, band, high: value - k * band - low };
  };
}

/** Falls from 1 to 1/e in `tau` s. */
const decay = (t, tau) => Math.exp(-t / tau);
const sine = (cycles) => Math.sin(2 * Math.PI * cycles);

/** A plucked string on C4 (key 60), after Karplus and Strong: noise going round in a loop that dulls it. */
export function pluck(rate) {
  // The average of two neighbours delays by half a frame, the rest of the period is the length of the loop.
  const period = rate / 261.6256 - 0.5;
  const whole = Math.floor(period);
  const rest = period - whole;
  const hiss = noise(7);
  const out = [];
  return sound(rate, 3, (_, i) => {
    const back = (n) => out[i - n] ?? 0;
    const old = (n) => (1 - rest) * back(n) + rest * back(n + 1);
    out[i] = (i < whole ? hiss() : 0) + 0.4985 * (old(whole) + old(whole + 1));
    return out[i];
  });
}

/** A round electric bass on C2 (key 36). */
export function bass(rate) {
  const hz = 65.4064;
  const soften = filter(rate, 900);
  return sound(rate, 2, (t) => {
    const saw = [1, 2, 3, 4, 5, 6, 7, 8].reduce(
      (sum, n) => sum + (sine(hz * n * t) / n) * decay(t, 0.9 / n),
      0,
    );
    return soften(Math.tanh(1.5 * saw)).low * Math.min(1, t / 0.004);
  });
}

/** A bass drum: a sine that falls from 190 to 48 Hz within a few hundredths of a second, and the click of the beater. */
export function kick(rate) {
  const hiss = noise(1);
  return sound(rate, 0.55, (t) => {
    const cycles = 48 * t + 142 * 0.032 * (1 - decay(t, 0.032)); // the integral of the falling frequency
    return Math.tanh(1.8 * sine(cycles) * decay(t, 0.17)) + 0.25 * hiss() * decay(t, 0.002);
  });
}

/** A snare drum: two modes of the head, and the wires. */
export function snare(rate) {
  const hiss = noise(2);
  const wires = filter(rate, 1800);
  return sound(rate, 0.4, (t) => {
    const head = sine(185 * t) * decay(t, 0.07) + 0.6 * sine(331 * t) * decay(t, 0.04);
    return head + 0.9 * wires(hiss()).high * decay(t, 0.1);
  });
}

/** A hi-hat; `ring` is how long it rings, in s: 0.03 closed, 0.35 open. Six squares that agree on nothing, and air. */
export function hat(rate, ring) {
  const hiss = noise(3);
  const metal = filter(rate, 7500, 1.2);
  return sound(rate, ring * 5, (t) => {
    const squares = [263, 400, 421, 474, 587, 845].reduce(
      (sum, hz) => sum + Math.sign(sine(hz * 1.7 * t)),
      0,
    );
    return metal(squares / 6 + 0.7 * hiss()).high * decay(t, ring) * Math.min(1, t / 0.0008);
  });
}

/** Hands that clap almost together: three short bursts and a room. */
export function clap(rate) {
  const hiss = noise(4);
  const hands = filter(rate, 1250, 1.6);
  return sound(rate, 0.35, (t) => {
    const bursts = [0, 0.011, 0.023].reduce((sum, at) => sum + (t >= at ? decay(t - at, 0.004) : 0), 0);
    const room = t >= 0.03 ? 0.6 * decay(t - 0.03, 0.07) : 0;
    return hands(hiss()).band * (bursts + room);
  });
}
