//! Echoes: two lines, one a side, each fed back into itself or into the other, through a filter that makes each echo
//! duller than the one before.
//!
//! Feedback is at most [`MAX_FEEDBACK`] and is shared out between the sides by weights that sum to 1, and the filter's
//! gain is nowhere above 1: whatever is in the lines gets less. A change of time moves the read heads, as on a tape; at
//! rest they stand on whole frames, so that echoes lose nothing to interpolation.

use std::f64::consts::TAU;

use super::glide::{Glide, Head};
use super::line::Line;
use super::{GLIDE_S, LEVEL, Param, Values, flushed, param};
use crate::units::Frames;

/// Longest time between echoes, s.
const MAX_TIME_S: f64 = 5.0;
/// Highest feedback: 60 dB in 342 echoes.
const MAX_FEEDBACK: f64 = 0.98;

/// By number.
pub const PARAMS: [Param; 5] = [
    LEVEL,
    param("time", 0.001, MAX_TIME_S, 0.375, " s"),
    param("feedback", 0.0, MAX_FEEDBACK, 0.4, " (of each echo, what the next one has)"),
    param("cross", 0.0, 1.0, 0.0, " (0: each side repeats itself, 1: echoes go from side to side)"),
    param("damping", 100.0, 24_000.0, 8_000.0, " Hz"),
];

/// Feedback, cross, and how much the filter takes of what is new.
const FEEDBACK: usize = 0;
const CROSS: usize = 1;
const OPEN: usize = 2;

/// A running delay.
#[derive(Debug)]
pub struct Delay {
    lines: [Line; 2],
    head: Head,
    glide: Glide<3>,
    /// What the filters hold.
    dull: [f32; 2],
    /// Frames for which nothing but zeros has been put in.
    quiet: u64,
    sample_rate: u32,
}

fn time_frames(values: &Values, sample_rate: u32) -> f64 {
    // Two frames back is the nearest that interpolation can reach.
    (f64::from(values[1]) * f64::from(sample_rate)).round().max(2.0)
}

/// A one-pole low-pass, −3 dB at the frequency that its time constant 1/(2π·f) stands for.
fn coefficients(values: &Values, sample_rate: u32) -> [f32; 3] {
    let open = 1.0 - (-TAU * f64::from(values[4]) / f64::from(sample_rate)).exp();
    [values[2].min(MAX_FEEDBACK as f32), values[3], open as f32]
}

impl Delay {
    /// Allocates.
    pub fn new(sample_rate: u32, values: &Values) -> Self {
        let reach = (MAX_TIME_S * f64::from(sample_rate)).ceil() as usize;
        Self {
            lines: [Line::new(reach), Line::new(reach)],
            head: Head::at_rest(time_frames(values, sample_rate)),
            glide: Glide::at_rest(coefficients(values, sample_rate)),
            dull: [0.0; 2],
            quiet: u64::MAX,
            sample_rate,
        }
    }

    pub fn lines(&self) -> Vec<&Line> {
        self.lines.iter().collect()
    }

    pub fn set(&mut self, values: &Values, now: Frames) {
        let least = GLIDE_S * f64::from(self.sample_rate);
        self.head.aim(time_frames(values, self.sample_rate), now, least);
        self.glide.aim(coefficients(values, self.sample_rate), now, least as u32);
    }

    pub fn is_silent(&self) -> bool {
        self.quiet == u64::MAX
    }

    pub fn forget(&mut self, frame: Frames) {
        self.lines.iter_mut().for_each(|line| line.forget(frame));
        self.dull = [0.0; 2];
        self.quiet = u64::MAX;
    }

    pub fn process(&mut self, frame: Frames, left: &mut [f32], right: &mut [f32]) {
        for (now, (left, right)) in (frame..).zip(left.iter_mut().zip(right.iter_mut())) {
            if self.quiet == u64::MAX && *left == 0.0 && *right == 0.0 {
                continue;
            }
            if self.quiet == u64::MAX {
                // What it rested through was silence.
                self.lines.iter_mut().for_each(|line| line.forget(now));
                self.quiet = 0;
            }
            let behind = self.head.at(now);
            let (whole, part) = (behind as u64, (behind - behind.floor()) as f32);
            let heard = [0, 1].map(|side| self.lines[side].between(now, whole, part));
            let gone = self.glide.gone_at(now);
            let [feedback, cross, open] = [FEEDBACK, CROSS, OPEN].map(|place| self.glide.value(place, gone));
            for (dull, heard) in self.dull.iter_mut().zip(heard) {
                *dull = flushed(*dull + open * (heard - *dull));
            }
            let [dull_left, dull_right] = self.dull;
            // Across, what comes in starts on the left: else what sits in the middle would echo in the middle.
            let middle = (*left + *right) * std::f32::consts::FRAC_1_SQRT_2;
            let into_left = *left + cross * (middle - *left);
            let into_right = *right - cross * *right;
            let put = [
                flushed(into_left + feedback * (dull_left + cross * (dull_right - dull_left))),
                flushed(into_right + feedback * (dull_right + cross * (dull_left - dull_right))),
            ];
            for (line, value) in self.lines.iter_mut().zip(put) {
                line.put(now, value);
            }
            (*left, *right) = (heard[0], heard[1]);
            if put == [0.0; 2] && self.dull == [0.0; 2] {
                self.quiet += 1;
                // Nothing is left as far as the head may still reach, with the neighbours of its cubic.
                if self.quiet as f64 > self.head.farthest(now) + 3.0 {
                    self.quiet = u64::MAX;
                }
            } else {
                self.quiet = 0;
            }
        }
    }
}
