//! A recorded sound in memory.

use std::any::Any;
use std::sync::OnceLock;

use crate::dsp::interpolate::MAX_TAPS;

/// Silent frames before the first and after the last: no kernel reaches further, so none checks bounds at the ends.
/// One that takes n frames together reaches n/2 − 1 back from the first position, and rings until its first tap has
/// left the recording, so n − 1 frames past the end.
pub const GUARD_FRAMES: usize = MAX_TAPS;

/// Longest sample, in frames, 12 hours at 48 kHz: positions are 32.32 fixed point with a sign, and some of the range is
/// kept free for arithmetic.
pub const MAX_SAMPLE_FRAMES: usize = (1 << 31) - (1 << 20);

/// A recording: interleaved `frames × channels`, `f32`, with guard frames at both ends.
pub struct Sample {
    /// Before the data, so that it goes before the data does.
    kept: OnceLock<Box<dyn Any + Send + Sync>>,
    data: Box<[f32]>,
    frames: u32,
    channels: u8,
    sample_rate: u32,
}

impl std::fmt::Debug for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sample({} frames, {} channels, {} Hz)", self.frames, self.channels, self.sample_rate)
    }
}

impl Sample {
    /// A sample of interleaved values, and how many of them were not finite and are now 0 (RT-8: what is not a
    /// number must not reach a mixer).
    ///
    /// - `channels`: 1 or 2.   - `sample_rate`: Hz.
    ///
    /// `None` when there are no frames, more than [`MAX_SAMPLE_FRAMES`], or other channel counts.
    pub fn new(interleaved: Vec<f32>, channels: u8, sample_rate: u32) -> Option<(Self, usize)> {
        let frames = interleaved.len().checked_div(usize::from(channels))?;
        if frames == 0 || frames > MAX_SAMPLE_FRAMES || !(1..=2).contains(&channels) || sample_rate == 0 {
            return None;
        }
        let mut replaced = 0;
        let guard = GUARD_FRAMES * usize::from(channels);
        let mut data = vec![0.0; frames * usize::from(channels) + 2 * guard].into_boxed_slice();
        for (to, from) in data[guard..].iter_mut().zip(&interleaved[..frames * usize::from(channels)]) {
            // Above 10³⁰ a few voices would overflow to infinity; no recording means that.
            if from.abs() <= 1e30 {
                *to = *from;
            } else {
                replaced += 1;
            }
        }
        Some((Self { kept: OnceLock::new(), data, frames: frames as u32, channels, sample_rate }, replaced))
    }

    /// Values with the guard frames: frame 0 is at index `GUARD_FRAMES × channels`.
    pub fn guarded(&self) -> &[f32] {
        &self.data
    }

    /// Values without guard frames, interleaved.
    pub fn interleaved(&self) -> &[f32] {
        let guard = GUARD_FRAMES * usize::from(self.channels);
        self.data.get(guard..self.data.len() - guard).unwrap_or(&[])
    }

    /// One frame's value in a channel; silence outside.
    pub fn value(&self, frame: i64, channel: u8) -> f32 {
        let frame = frame + GUARD_FRAMES as i64;
        usize::try_from(frame)
            .ok()
            .and_then(|frame| self.data.get(frame * usize::from(self.channels) + usize::from(channel)))
            .copied()
            .unwrap_or(0.0)
    }

    /// Length in frames.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// 1 or 2.
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// Hz.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Hands over what is to live as long as the values do and to be dropped before them: what keeps their memory
    /// in place. Only the first is taken.
    pub fn keep(&self, keeper: Box<dyn Any + Send + Sync>) {
        let _ = self.kept.set(keeper);
    }

    /// Whether [`Self::keep`] has been called.
    pub fn is_kept(&self) -> bool {
        self.kept.get().is_some()
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guard_frames_are_silent_and_the_values_are_untouched() {
        let (sample, replaced) = Sample::new(vec![1.0, -1.0, 0.5, -0.5], 2, 44_100).unwrap();
        assert_eq!(replaced, 0);
        assert_eq!(sample.frames(), 2);
        assert_eq!(sample.interleaved(), [1.0, -1.0, 0.5, -0.5]);
        assert_eq!(sample.guarded().len(), (2 + 2 * GUARD_FRAMES) * 2);
        let (before, after) = (2 * GUARD_FRAMES, 2 * GUARD_FRAMES + 4);
        assert!(sample.guarded()[..before].iter().chain(&sample.guarded()[after..]).all(|v| *v == 0.0));
        assert_eq!([sample.value(-1, 0), sample.value(1, 1), sample.value(2, 0)], [0.0, -0.5, 0.0]);
        assert_eq!(sample.value(-1000, 0), 0.0);
    }

    #[test]
    fn what_is_not_finite_becomes_silence_and_is_counted() {
        let (sample, replaced) =
            Sample::new(vec![f32::NAN, 1.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX], 1, 48_000).unwrap();
        assert_eq!(replaced, 4);
        assert_eq!(sample.interleaved(), [0.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn impossible_shapes_are_refused() {
        assert!(Sample::new(vec![], 1, 48_000).is_none());
        assert!(Sample::new(vec![0.0], 2, 48_000).is_none());
        assert!(Sample::new(vec![0.0; 3], 3, 48_000).is_none());
        assert!(Sample::new(vec![0.0], 0, 48_000).is_none());
        assert!(Sample::new(vec![0.0], 1, 0).is_none());
    }
}
