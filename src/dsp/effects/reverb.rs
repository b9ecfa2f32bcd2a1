//! A hall: pre-delay, four all-passes a side that smear each sound into a dense onset, and a network of sixteen lines
//! that feed each other through a Hadamard matrix, eight of which wander a little in length so that no mode rings.
//!
//! The matrix keeps energy, so that the decay is the lines' alone. A line of d seconds has the gain g = 10^(−3·d/T) at
//! low frequencies, which is 60 dB in T seconds whatever way sound takes through the network (Jot), and a one-pole
//! low-pass (1 − p)/(1 − p·z⁻¹) whose gain at the frequency `damping` is g once more, so that there it is 60 dB in T/2:
//!
//! p = k − √(k² − 1),  k = (1 − g²·cos ω)/(1 − g²)
//!
//! What comes out is scaled by √(8·(1 − ḡ²)/ḡ²), with ḡ² the mean over the lines: an impulse has the same energy behind
//! it as before, whatever decay and size. Gains below 1 between gains below 1: it is stable while anything glides.
//!
//! Sources: J.-M. Jot, A. Chaigne, "Digital delay networks for designing artificial reverberators", AES 90 (1991);
//! M. R. Schroeder, "Natural sounding artificial reverberation", JAES 10 (1962), all-passes; J. O. Smith, "Physical
//! Audio Signal Processing", "FDN reverberation".

use std::f64::consts::TAU;

use super::glide::{Glide, Head};
use super::line::{Line, cubic};
use super::{GLIDE_S, LEVEL, MAX_FRAMES, Param, Values, flushed, param, sway, turns_per_frame};
use crate::units::Frames;

const LINES: usize = 16;
/// Lengths at size 1, s: spread by ratios of 1.08, none of them near a simple one of another.
const LENGTHS_S: [f64; LINES] = [
    0.0293, 0.0319, 0.0347, 0.0383, 0.0419, 0.0451, 0.0493, 0.0537, 0.0577, 0.0619, 0.0667, 0.0719, 0.0773,
    0.0831, 0.0895, 0.0961,
];
const SIZES: (f64, f64) = (0.25, 2.0);
const MAX_PREDELAY_S: f64 = 0.5;
/// A change of size takes so long, s: fast enough to play with, slow enough not to shriek.
const SIZE_GLIDE_S: f64 = 0.5;
/// How far a line wanders at most, s, and how fast, Hz: by ±1.5·4·0.0003·0.9/2 of its pitch, 1.4 cents.
const WANDER_S: f64 = 0.000_3;
const WANDER_HZ: [f64; LINES / 2] = [0.31, 0.37, 0.43, 0.53, 0.61, 0.71, 0.79, 0.89];
/// Of the all-passes, s, left and right.
const SMEAR_S: [[f64; 4]; 2] = [[0.0047, 0.0036, 0.0127, 0.0093], [0.0051, 0.0033, 0.0119, 0.0099]];
const SMEAR: [f32; 4] = [0.72, 0.72, 0.62, 0.62];
/// Part of the energy that comes straight from the all-passes: the room is there before its lines are.
const EARLY: f64 = 0.2;

/// By number.
pub const PARAMS: [Param; 7] = [
    LEVEL,
    param("decay", 0.1, 60.0, 2.0, " s (to −60 dB)"),
    param("size", SIZES.0, SIZES.1, 1.0, " (1 is a medium hall)"),
    param("damping", 200.0, 24_000.0, 6_000.0, " Hz (where it decays twice as fast)"),
    param("predelay", 0.0, MAX_PREDELAY_S, 0.01, " s"),
    param("modulation", 0.0, 1.0, 0.5, ""),
    param("width", 0.0, 1.0, 1.0, " (0 is mono)"),
];

// What glides: gains and poles of the lines, and four of the whole.
const GAINS: usize = 0;
const POLES: usize = LINES;
const LATE: usize = 2 * LINES;
const WIDTH: usize = LATE + 1;
const WANDER: usize = LATE + 2;
const COEFFICIENTS: usize = LATE + 3;

/// A running reverb.
#[derive(Debug)]
pub struct Reverb {
    before: [Line; 2],
    head: Head,
    smear: [[AllPass; 4]; 2],
    lines: [Line; LINES],
    /// What the low-passes hold.
    dull: [f32; LINES],
    glide: Glide<COEFFICIENTS>,
    /// Lengths of the lines, whole frames at rest.
    lengths: Glide<LINES>,
    size: f32,
    steps: [u32; LINES / 2],
    /// Frames processed at a time: fewer than the shortest line ever has.
    at_once: usize,
    /// Frames after which nothing is left if nothing came and nothing went round.
    span: u64,
    quiet: u64,
    work: Box<[[f32; MAX_FRAMES]; LINES]>,
    /// As much of a line as a step may read while it wanders.
    window: Vec<f32>,
    sample_rate: u32,
}

#[derive(Debug)]
struct AllPass {
    line: Line,
    frames: u64,
    gain: f32,
}

impl AllPass {
    fn process(&mut self, frame: Frames, values: &mut [f32]) {
        for (now, value) in (frame..).zip(values) {
            let old = self.line.at(now.wrapping_sub(self.frames));
            let new = flushed(*value + self.gain * old);
            self.line.put(now, new);
            *value = old - self.gain * new;
        }
    }
}

/// The next prime: lengths without common factors have no common modes.
fn prime_from(frames: u32) -> u32 {
    let is_prime = |n: u32| n > 1 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d));
    (frames.max(2)..).find(|n| is_prime(*n)).unwrap_or(frames)
}

fn lengths(values: &Values, sample_rate: u32) -> [f32; LINES] {
    let size = f64::from(values[2]) * f64::from(sample_rate);
    LENGTHS_S.map(|seconds| prime_from((seconds * size) as u32) as f32)
}

fn coefficients(values: &Values, lengths: &[f32; LINES], sample_rate: u32) -> [f32; COEFFICIENTS] {
    let rate = f64::from(sample_rate);
    let decay = f64::from(values[1]);
    let cos = (TAU * (f64::from(values[3]) / rate).min(0.49)).cos();
    let mut all = [0.0; COEFFICIENTS];
    let mut energy = 0.0;
    for (line, frames) in lengths.iter().copied().enumerate() {
        // What it is long on average: those that wander do so behind their length.
        let wander = if line % 2 == 0 { wander_frames(values, sample_rate) } else { 0.0 };
        let g = 10f64.powf(-3.0 * (f64::from(frames) + wander) / (rate * decay));
        let k = (1.0 - g * g * cos) / (1.0 - g * g);
        all[GAINS + line] = g as f32;
        all[POLES + line] = (k - (k * k - 1.0).max(0.0).sqrt()) as f32;
        energy += g * g / LINES as f64;
    }
    all[LATE] = (8.0 * (1.0 - EARLY) * (1.0 - energy) / energy).sqrt() as f32;
    all[WIDTH] = values[6];
    all[WANDER] = wander_frames(values, sample_rate) as f32;
    all
}

fn wander_frames(values: &Values, sample_rate: u32) -> f64 {
    0.5 * WANDER_S * f64::from(values[5]) * f64::from(sample_rate)
}

fn predelay_frames(values: &Values, sample_rate: u32) -> f64 {
    // Two frames back is the nearest that interpolation can reach.
    (f64::from(values[4]) * f64::from(sample_rate)).round().max(2.0)
}

impl Reverb {
    /// Allocates.
    pub fn new(sample_rate: u32, values: &Values) -> Self {
        let rate = f64::from(sample_rate);
        let frames = |seconds: f64| (seconds * rate).ceil() as usize;
        let reach =
            |seconds: f64| prime_from(frames(seconds * SIZES.1) as u32) as usize + frames(WANDER_S) + 8;
        let shortest = (LENGTHS_S[0] * SIZES.0 * rate) as usize;
        let all_pass = |side: usize, place: usize| {
            let frames = prime_from(frames(SMEAR_S[side][place]) as u32);
            AllPass { line: Line::new(frames as usize), frames: u64::from(frames), gain: SMEAR[place] }
        };
        let lengths = lengths(values, sample_rate);
        let longest = reach(LENGTHS_S[LINES - 1]).next_power_of_two() + frames(MAX_PREDELAY_S);
        Self {
            before: std::array::from_fn(|_| Line::new(frames(MAX_PREDELAY_S))),
            head: Head::at_rest(predelay_frames(values, sample_rate)),
            smear: std::array::from_fn(|side| std::array::from_fn(|place| all_pass(side, place))),
            lines: std::array::from_fn(|line| Line::new(reach(LENGTHS_S[line]))),
            dull: [0.0; LINES],
            glide: Glide::at_rest(coefficients(values, &lengths, sample_rate)),
            lengths: Glide::at_rest(lengths),
            size: values[2],
            steps: WANDER_HZ.map(|hz| turns_per_frame(hz, sample_rate)),
            at_once: shortest.saturating_sub(3).clamp(1, MAX_FRAMES),
            // A quarter of a second for what is left in the all-passes, whose values fall by 0.72 every 13 ms.
            span: (longest + frames(0.25)) as u64,
            quiet: u64::MAX,
            work: Box::new([[0.0; MAX_FRAMES]; LINES]),
            window: vec![0.0; MAX_FRAMES + 3 + frames(WANDER_S) + 1],
            sample_rate,
        }
    }

    pub fn lines(&self) -> Vec<&Line> {
        let smear = self.smear.iter().flatten().map(|all_pass| &all_pass.line);
        self.before.iter().chain(&self.lines).chain(smear).collect()
    }

    pub fn set(&mut self, values: &Values, now: Frames) {
        let rate = f64::from(self.sample_rate);
        let least = GLIDE_S * rate;
        self.head.aim(predelay_frames(values, self.sample_rate), now, least);
        if values[2] != self.size {
            self.size = values[2];
            self.lengths.aim(lengths(values, self.sample_rate), now, (SIZE_GLIDE_S * rate) as u32);
        }
        self.glide.aim(coefficients(values, self.lengths.targets(), self.sample_rate), now, least as u32);
    }

    pub fn is_silent(&self) -> bool {
        self.quiet == u64::MAX
    }

    pub fn forget(&mut self, frame: Frames) {
        let smear = self.smear.iter_mut().flatten().map(|all_pass| &mut all_pass.line);
        self.before.iter_mut().chain(&mut self.lines).chain(smear).for_each(|line| line.forget(frame));
        self.dull = [0.0; LINES];
        self.quiet = u64::MAX;
    }

    pub fn process(&mut self, frame: Frames, left: &mut [f32], right: &mut [f32]) {
        let mut now = frame;
        for (left, right) in left.chunks_mut(self.at_once).zip(right.chunks_mut(self.at_once)) {
            let nothing = left.iter().chain(right.iter()).all(|value| *value == 0.0);
            if !(nothing && self.is_silent()) {
                if self.is_silent() {
                    self.forget(now);
                    self.quiet = 0;
                }
                self.step(now, left, right);
                let still = nothing
                    && self.dull == [0.0; LINES]
                    && self.work.iter().all(|line| line[..left.len()].iter().all(|value| *value == 0.0));
                self.quiet = if still { self.quiet + left.len() as u64 } else { 0 };
                if self.quiet > self.span {
                    self.quiet = u64::MAX;
                }
            }
            now += left.len() as u64;
        }
    }

    /// Fewer frames than the shortest line has: none of them hears another.
    fn step(&mut self, frame: Frames, left: &mut [f32], right: &mut [f32]) {
        for ((side, line), smear) in
            [&mut *left, &mut *right].into_iter().zip(&mut self.before).zip(&mut self.smear)
        {
            line.write(frame, side);
            for (now, value) in (frame..).zip(side.iter_mut()) {
                let behind = self.head.at(now);
                *value = line.between(now, behind as u64, (behind - behind.floor()) as f32);
            }
            smear.iter_mut().for_each(|all_pass| all_pass.process(frame, side));
        }
        let frames = left.len();
        let mut gone = [1.0; MAX_FRAMES];
        let glides = self.glide.moves_at(frame);
        if glides {
            (frame..).zip(&mut gone[..frames]).for_each(|(now, gone)| *gone = self.glide.gone_at(now));
        }
        for line in 0..LINES {
            let out = &mut self.work[line][..frames];
            let wander = (line % 2 == 0).then(|| self.steps[line / 2]);
            let glides = (&self.glide, &gone);
            read(&self.lines[line], (frame, line), &self.lengths, glides, wander, &mut self.window, out);
        }
        let glide = &self.glide;
        if glides {
            dampen(&mut self.work, &mut self.dull, frames, |line, at| {
                (glide.value(GAINS + line, gone[at]), glide.value(POLES + line, gone[at]))
            });
        } else {
            dampen(&mut self.work, &mut self.dull, frames, |line, _| {
                (glide.target(GAINS + line), glide.target(POLES + line))
            });
        }
        let early = EARLY.sqrt() as f32;
        let mut heard = [[0.0f32; MAX_FRAMES]; 2];
        for (line, values) in self.work.iter().enumerate() {
            // Signs of two rows of a Hadamard matrix: each side hears all lines, and they have nothing in common.
            let signs = [if line & 2 == 0 { 0.25 } else { -0.25 }, if line & 4 == 0 { 0.25 } else { -0.25 }];
            for (heard, sign) in heard.iter_mut().zip(signs) {
                for (heard, value) in heard[..frames].iter_mut().zip(&values[..frames]) {
                    *heard += sign * value;
                }
            }
        }
        hadamard(&mut self.work, frames);
        let into = 0.125f32.sqrt();
        for (line, values) in self.work.iter_mut().enumerate() {
            let input: &[f32] = if line % 2 == 0 { left } else { right };
            // Half of them upside down, so that what is in the middle does not pile up in the first row of the matrix.
            let into = if line & 8 == 0 { into } else { -into };
            for (value, input) in values[..frames].iter_mut().zip(input) {
                *value = flushed(0.25 * *value + into * input);
            }
            self.lines[line].write(frame, &values[..frames]);
        }
        let [heard_left, heard_right] = heard;
        let sides = left.iter_mut().zip(right.iter_mut());
        for (((left, right), (a, b)), gone) in sides.zip(heard_left.iter().zip(&heard_right)).zip(gone) {
            let late = self.glide.value(LATE, gone);
            let (l, r) = (early * *left + late * a, early * *right + late * b);
            let (middle, side) = (0.5 * (l + r), 0.5 * (l - r) * self.glide.value(WIDTH, gone));
            (*left, *right) = (middle + side, middle - side);
        }
    }
}

/// Low-passes and gains of the lines. Four at a time, since each waits for itself.
#[inline(always)]
fn dampen(
    work: &mut [[f32; MAX_FRAMES]; LINES],
    dull: &mut [f32; LINES],
    frames: usize,
    coefficients: impl Fn(usize, usize) -> (f32, f32),
) {
    for (group, (work, dull)) in work.chunks_mut(4).zip(dull.chunks_mut(4)).enumerate() {
        let (Ok(work), Ok(dull)) = (<&mut [_; 4]>::try_from(work), <&mut [f32; 4]>::try_from(dull)) else {
            return;
        };
        let mut held = *dull;
        #[allow(clippy::needless_range_loop, reason = "a frame of four lines at a time")]
        for at in 0..frames {
            for place in 0..4 {
                let (g, p) = coefficients(4 * group + place, at);
                let value = work[place][at];
                held[place] = flushed(value + p * (held[place] - value));
                work[place][at] = flushed(g * held[place]);
            }
        }
        *dull = held;
    }
}

/// What a line says at the frames of a step.
fn read(
    line: &Line,
    (frame, number): (Frames, usize),
    lengths: &Glide<LINES>,
    (glide, gone): (&Glide<COEFFICIENTS>, &[f32; MAX_FRAMES]),
    wander: Option<u32>,
    window: &mut [f32],
    out: &mut [f32],
) {
    let grows = lengths.moves_at(frame);
    let Some(step) = wander else {
        if !grows {
            return line.read(frame.wrapping_sub(lengths.target(number) as u64), out);
        }
        for (now, out) in (frame..).zip(out) {
            let length = lengths.value(number, lengths.gone_at(now));
            *out = line.between(now, length as u64, length - length.floor());
        }
        return;
    };
    // Each starts elsewhere in its turn.
    let offset = (number as u32).wrapping_mul(2_654_435_769);
    let off = |now: Frames, gone: f32| glide.value(WANDER, gone) * (1.0 + sway(now, step, offset));
    if grows {
        for ((now, out), gone) in (frame..).zip(out).zip(gone) {
            let length = lengths.value(number, lengths.gone_at(now));
            let off = length - length.floor() + off(now, *gone);
            *out = line.between(now, length as u64 + off as u64, off - off.floor());
        }
        return;
    }
    // All that it may pass in this step, in one piece: the newest frame that a cubic needs is its last.
    let spread = window.len() - MAX_FRAMES - 3;
    let window = &mut window[..out.len() + spread + 3];
    let oldest = frame.wrapping_sub(lengths.target(number) as u64 + spread as u64 + 2);
    line.read(oldest, window);
    for (at, (out, gone)) in out.iter_mut().zip(gone).enumerate() {
        let off = off(frame.wrapping_add(at as u64), *gone);
        let whole = off as usize;
        // Always by the cubic, also where it stands on a frame: one way to the bits.
        if let Some([d, c, b, a]) = window.get(at + spread - whole..at + spread - whole + 4) {
            *out = cubic(*a, *b, *c, *d, off - off.floor());
        }
    }
}

/// Sixteen values of every frame by the Hadamard matrix, but for its factor of a quarter.
fn hadamard(work: &mut [[f32; MAX_FRAMES]; LINES], frames: usize) {
    let mut half = LINES / 2;
    while half > 0 {
        for block in work.chunks_mut(2 * half) {
            let (upper, lower) = block.split_at_mut(half);
            for (a, b) in upper.iter_mut().zip(lower) {
                for (a, b) in a[..frames].iter_mut().zip(&mut b[..frames]) {
                    (*a, *b) = (*a + *b, *a - *b);
                }
            }
        }
        half /= 2;
    }
}
