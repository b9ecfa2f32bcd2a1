//! Several copies of the sound, each a little late and wandering in pitch, as players in unison are.
//!
//! Each side has its own line and its own copies, a quarter of a turn apart, so that what sits in the middle becomes
//! wide. With depth d (s) and rate f a copy's pitch wanders by 1 ± 6·d·f at most (the steepest slope of [`sway`], 1.5 of
//! a triangle's, which passes 4·d·f a second). Copies have the power of one together: each has 1/√n.

use super::glide::{Glide, Head};
use super::line::Line;
use super::{GLIDE_S, LEVEL, Param, Values, flushed, param, sway, turns_per_frame};
use crate::units::Frames;

/// Most copies a side.
const COPIES: usize = 8;
/// Longest delay and depth, s.
const MAX_DELAY_S: f64 = 0.05;
const MAX_DEPTH_S: f64 = 0.01;

/// By number.
pub const PARAMS: [Param; 5] = [
    LEVEL,
    param("rate", 0.01, 10.0, 0.6, " Hz"),
    param("depth", 0.0, MAX_DEPTH_S, 0.002, " s"),
    param("delay", 0.001, MAX_DELAY_S, 0.012, " s"),
    param("voices", 1.0, COPIES as f64, 3.0, " copies a side"),
];

/// Depth in frames; then the gains of the copies, and where each is in its turn.
const DEPTH: usize = 0;
const GAINS: usize = 1;

/// A running chorus.
#[derive(Debug)]
pub struct Chorus {
    lines: [Line; 2],
    head: Head,
    glide: Glide<{ 1 + COPIES }>,
    /// Turns: the frame since which they go at this speed, and where they were then, of 2³².
    since: Frames,
    step: u32,
    phase: u32,
    reach: u64,
    quiet: u64,
    sample_rate: u32,
}

fn delay_frames(values: &Values, sample_rate: u32) -> f64 {
    (f64::from(values[3]) * f64::from(sample_rate)).round().max(2.0)
}

fn coefficients(values: &Values, sample_rate: u32) -> [f32; 1 + COPIES] {
    let copies = values[4].round().clamp(1.0, COPIES as f32);
    let mut all = [0.0; 1 + COPIES];
    all[DEPTH] = values[2] * sample_rate as f32;
    all[GAINS..].iter_mut().take(copies as usize).for_each(|gain| *gain = 1.0 / copies.sqrt());
    all
}

impl Chorus {
    /// Allocates.
    pub fn new(sample_rate: u32, values: &Values) -> Self {
        // A copy wanders away from the delay by twice the depth.
        let reach = ((MAX_DELAY_S + 2.0 * MAX_DEPTH_S) * f64::from(sample_rate)).ceil() as usize + 8;
        Self {
            lines: [Line::new(reach), Line::new(reach)],
            head: Head::at_rest(delay_frames(values, sample_rate)),
            glide: Glide::at_rest(coefficients(values, sample_rate)),
            since: 0,
            step: turns_per_frame(f64::from(values[1]), sample_rate),
            phase: 0,
            reach: reach as u64,
            quiet: u64::MAX,
            sample_rate,
        }
    }

    pub fn lines(&self) -> Vec<&Line> {
        self.lines.iter().collect()
    }

    pub fn set(&mut self, values: &Values, now: Frames) {
        let least = GLIDE_S * f64::from(self.sample_rate);
        self.head.aim(delay_frames(values, self.sample_rate), now, least);
        self.glide.aim(coefficients(values, self.sample_rate), now, least as u32);
        let step = turns_per_frame(f64::from(values[1]), self.sample_rate);
        if step != self.step {
            // Copies go on from where they are: their pitch changes, their place does not.
            self.phase =
                self.phase.wrapping_add((now.wrapping_sub(self.since) as u32).wrapping_mul(self.step));
            (self.since, self.step) = (now, step);
        }
    }

    pub fn is_silent(&self) -> bool {
        self.quiet == u64::MAX
    }

    pub fn forget(&mut self, frame: Frames) {
        self.lines.iter_mut().for_each(|line| line.forget(frame));
        self.quiet = u64::MAX;
    }

    pub fn process(&mut self, frame: Frames, left: &mut [f32], right: &mut [f32]) {
        for (now, (left, right)) in (frame..).zip(left.iter_mut().zip(right.iter_mut())) {
            if self.quiet == u64::MAX && *left == 0.0 && *right == 0.0 {
                continue;
            }
            if self.quiet == u64::MAX {
                self.lines.iter_mut().for_each(|line| line.forget(now));
                self.quiet = 0;
            }
            let put = [flushed(*left), flushed(*right)];
            for (line, value) in self.lines.iter_mut().zip(put) {
                line.put(now, value);
            }
            let gone = self.glide.gone_at(now);
            let depth = self.glide.value(DEPTH, gone);
            let behind = self.head.at(now);
            let (whole, part) = (behind as u64, (behind - behind.floor()) as f32);
            let mut sums = [0.0; 2];
            for copy in 0..COPIES {
                let gain = self.glide.value(GAINS + copy, gone);
                if gain == 0.0 {
                    continue;
                }
                for (side, sum) in sums.iter_mut().enumerate() {
                    // Golden section: however many there are, no two go together. The sides are a quarter apart.
                    let offset = (copy as u32)
                        .wrapping_mul(2_654_435_769)
                        .wrapping_add(side as u32 * 0x4000_0000)
                        .wrapping_add(self.phase);
                    let off = part + depth * (1.0 + sway(now.wrapping_sub(self.since), self.step, offset));
                    let more = off.floor();
                    *sum += gain * self.lines[side].between(now, whole + more as u64, off - more);
                }
            }
            (*left, *right) = (sums[0], sums[1]);
            self.quiet = if put == [0.0; 2] { self.quiet + 1 } else { 0 };
            if self.quiet > self.reach {
                self.quiet = u64::MAX;
            }
        }
    }
}
