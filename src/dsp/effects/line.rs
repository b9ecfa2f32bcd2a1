//! A delay line: what was put in on each frame, as far back as it is long.
//!
//! Places go by the engine's frame, so a line that rests while nothing goes in needs no care; what is older than a frame
//! that it has been told to forget reads as zero, without being cleared.

use crate::units::Frames;

/// Values of the latest frames.
#[derive(Debug)]
pub struct Line {
    values: Vec<f32>,
    mask: usize,
    /// What is older reads as zero.
    since: Frames,
}

impl Line {
    /// One that reaches at least so many frames back, with room for the neighbours that interpolation needs and for
    /// a block written ahead. Allocates.
    pub fn new(frames: usize) -> Self {
        let length = (frames + 8 + super::MAX_FRAMES).next_power_of_two();
        Self { values: vec![0.0; length], mask: length - 1, since: 0 }
    }

    /// Where it lies, and how many bytes it has.
    pub fn storage(&self) -> (*const u8, usize) {
        (self.values.as_ptr().cast(), size_of_val(self.values.as_slice()))
    }

    /// What was put in before this frame reads as zero from now on.
    pub fn forget(&mut self, frame: Frames) {
        self.since = frame;
    }

    /// Puts in the value of a frame.
    #[inline(always)]
    pub fn put(&mut self, frame: Frames, value: f32) {
        self.values[frame as usize & self.mask] = value;
    }

    /// Puts in the values of frames.
    pub fn write(&mut self, frame: Frames, values: &[f32]) {
        let at = frame as usize & self.mask;
        let first = values.len().min(self.values.len() - at);
        self.values[at..at + first].copy_from_slice(&values[..first]);
        self.values[..values.len() - first].copy_from_slice(&values[first..]);
    }

    /// The values of frames, the first of them `frame`.
    pub fn read(&self, frame: Frames, out: &mut [f32]) {
        let at = frame as usize & self.mask;
        let first = out.len().min(self.values.len() - at);
        let rest = out.len() - first;
        out[..first].copy_from_slice(&self.values[at..at + first]);
        out[first..].copy_from_slice(&self.values[..rest]);
        let forgotten = (self.since as i64).wrapping_sub(frame as i64).clamp(0, out.len() as i64) as usize;
        out[..forgotten].fill(0.0);
    }

    /// The value of one frame.
    #[inline(always)]
    pub fn at(&self, frame: Frames) -> f32 {
        let value = self.values[frame as usize & self.mask];
        // As signed numbers, since frames before 0 have wrapped round.
        if (frame as i64) < self.since as i64 { 0.0 } else { value }
    }

    /// The value `whole` frames and a part of one (0..1) before `frame`: a cubic through the four around it (Hermite,
    /// Catmull and Rom). Its newest neighbour is `whole − 1` frames back.
    #[inline(always)]
    pub fn between(&self, frame: Frames, whole: u64, part: f32) -> f32 {
        let at = frame.wrapping_sub(whole);
        if part == 0.0 {
            return self.at(at);
        }
        let tap = |older: u64| self.at(at.wrapping_add(1).wrapping_sub(older));
        cubic(tap(0), tap(1), tap(2), tap(3), part)
    }
}

/// A cubic between `b` (0) and `c` (1) with the slopes of the chords `a c` and `b d`.
#[inline(always)]
pub fn cubic(a: f32, b: f32, c: f32, d: f32, x: f32) -> f32 {
    let slope = 0.5 * (c - a);
    let second = a - 2.5 * b + 2.0 * c - 0.5 * d;
    let third = 0.5 * (d - a) + 1.5 * (b - c);
    ((third * x + second) * x + slope) * x + b
}
