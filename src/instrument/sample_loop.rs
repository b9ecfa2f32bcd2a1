//! Loops that are exact at the seam.
//!
//! A kernel near the end of a loop needs the frames that follow, and what follows is the loop's start. So each loop
//! carries its *seam*: a copy of the frames around its end, continued with those of its start. The playhead runs
//!
//! ```text
//!   main data [0, end − S)  →  seam [end − S, end + S)  →  back by the loop's length, into [start + S, …)
//! ```
//!
//! and every tap it takes, at any speed, is the frame that a loop unrolled for ever would have there.

use super::Sample;
use crate::dsp::interpolate::MAX_TAPS;
use std::sync::Arc;

/// What a loop does when the key is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopMode {
    /// Goes round until the envelope ends.
    Continuous,
    /// Is left on release: the recording plays on to its end.
    Sustain,
}

/// Frames before the loop's end at which the seam begins, and behind it at which it ends: as far as a kernel reaches
/// to one side.
const SEAM_FRAMES: u32 = MAX_TAPS as u32 / 2;

/// Loops shorter than this are unrolled until they are not: the playhead must find plain data between two seams.
const MIN_LOOP_FRAMES: u32 = 8 * SEAM_FRAMES;

/// A loop of one sample.
#[derive(Debug)]
pub struct SampleLoop {
    start: u32,
    end: u32,
    mode: LoopMode,
    /// Interleaved frames `end − 2·SEAM_FRAMES .. end + 2·SEAM_FRAMES` of the unrolled sound.
    seam: Box<[f32]>,
}

impl SampleLoop {
    /// A loop over frames `start..end` of a sample, `end` exclusive, and the sample to play it on: the same, or, for
    /// very short loops, a copy in which the loop is repeated.
    ///
    /// `None` when `start..end` is empty or reaches beyond the sample.
    pub fn new(sample: &Arc<Sample>, start: u32, end: u32, mode: LoopMode) -> Option<(Self, Arc<Sample>)> {
        if start >= end || end > sample.frames() {
            return None;
        }
        let length = end - start;
        let repeats = MIN_LOOP_FRAMES.div_ceil(length);
        let (sample, end) = if repeats > 1 {
            (unroll(sample, start, end, repeats)?, start.checked_add(length.checked_mul(repeats)?)?)
        } else {
            (sample.clone(), end)
        };
        let length = i64::from(end - start);
        let (seam, from) = (i64::from(2 * SEAM_FRAMES), i64::from(end));
        let frames = (from - seam..from + seam).flat_map(|frame| {
            let source = if frame < from { frame } else { i64::from(start) + (frame - from) % length };
            let sample = &sample;
            (0..sample.channels()).map(move |channel| sample.value(source, channel))
        });
        let seam = frames.collect();
        Some((Self { start, end, mode, seam }, sample))
    }

    /// First frame of the loop.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// Frame behind the last.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// What happens on release.
    pub fn mode(&self) -> LoopMode {
        self.mode
    }

    /// First frame that is read from the seam.
    pub fn seam_start(&self) -> u32 {
        self.end.saturating_sub(SEAM_FRAMES)
    }

    /// First frame that is no longer read from the seam, but one loop length earlier.
    pub fn seam_end(&self) -> u32 {
        self.end + SEAM_FRAMES
    }

    /// The seam's values, interleaved, and the frame number of the first, which may be negative.
    pub fn seam(&self) -> (&[f32], i64) {
        (&self.seam, i64::from(self.end) - i64::from(2 * SEAM_FRAMES))
    }
}

/// The sample with frames `start..end` played `repeats` times in a row.
fn unroll(sample: &Sample, start: u32, end: u32, repeats: u32) -> Option<Arc<Sample>> {
    let channels = usize::from(sample.channels());
    let values = sample.interleaved();
    let (start, end) = (start as usize * channels, end as usize * channels);
    let mut unrolled = Vec::with_capacity(values.len() + (end - start) * (repeats as usize - 1));
    unrolled.extend_from_slice(values.get(..start)?);
    for _ in 0..repeats {
        unrolled.extend_from_slice(values.get(start..end)?);
    }
    unrolled.extend_from_slice(values.get(end..)?);
    Some(Arc::new(Sample::new(unrolled, sample.channels(), sample.sample_rate())?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(frames: usize) -> Arc<Sample> {
        Arc::new(Sample::new((0..frames).map(|n| n as f32).collect(), 1, 48_000).unwrap().0)
    }

    #[test]
    fn the_seam_continues_with_the_loops_start() {
        let (looped, sample) = SampleLoop::new(&ramp(1000), 100, 700, LoopMode::Continuous).unwrap();
        assert_eq!(sample.frames(), 1000);
        let (seam, first) = looped.seam();
        assert_eq!(first, 700 - 128);
        assert_eq!(seam.len(), 256);
        for (i, value) in seam.iter().enumerate() {
            let frame = 572 + i;
            assert_eq!(*value as usize, if frame < 700 { frame } else { frame - 600 });
        }
    }

    #[test]
    fn a_short_loop_is_unrolled_and_its_tail_kept() {
        let (looped, sample) = SampleLoop::new(&ramp(20), 5, 15, LoopMode::Sustain).unwrap();
        assert_eq!((looped.start(), looped.end()), (5, 5 + 520));
        assert_eq!(sample.frames(), 20 + 510);
        for frame in 0..530 {
            let expected = match frame {
                0..5 => frame,
                5..525 => 5 + (frame - 5) % 10,
                _ => frame - 510,
            };
            assert_eq!(sample.value(frame, 0), expected as f32);
        }
    }

    #[test]
    fn a_loop_of_one_frame_holds_that_value() {
        let (looped, sample) = SampleLoop::new(&ramp(3), 1, 2, LoopMode::Continuous).unwrap();
        assert_eq!(looped.end() - looped.start(), 512);
        assert!((1..513).all(|frame| sample.value(frame, 0) == 1.0));
        let (seam, first) = looped.seam();
        assert!(seam.iter().zip(first..).all(|(v, frame)| *v == if frame < 1 { 0.0 } else { 1.0 }));
    }

    #[test]
    fn impossible_loops_are_refused() {
        let sample = ramp(100);
        for (start, end) in [(0, 0), (50, 50), (60, 50), (0, 101), (100, 101)] {
            assert!(SampleLoop::new(&sample, start, end, LoopMode::Continuous).is_none(), "{start}..{end}");
        }
    }
}
