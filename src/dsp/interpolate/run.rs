//! Which part of a run lies within the recording: the one place where bounds are checked.

use super::{ONE_FRAME, Phase, Step};

/// Frames to read whose taps all lie within the recording. `within` is the only constructor, and everything `unsafe`
/// in this folder rests on what it establishes:
///
/// for every frame of the run, `first tap + taps ≤ frames.len() / CHANNELS`.
pub struct Run<'a, const CHANNELS: usize> {
    frames: &'a [f32],
    taps: usize,
    /// Of the first frame, already moved back to its first tap.
    first: Phase,
    step: Step,
    count: usize,
}

impl<'a, const CHANNELS: usize> Run<'a, CHANNELS> {
    /// Of `count` frames: how many come before the run, the run, how many come after it. Those lie outside of the
    /// recording, on either side of it, since a step may be negative.
    ///
    /// A line passes through a stretch once: which frames are within it is a matter of where the line enters and where
    /// it leaves. All of it is computed in whole numbers that hold every position, step and count, so that nothing
    /// wraps before it has been compared.
    pub fn within(
        frames: &'a [f32],
        taps: usize,
        position: Phase,
        step: Step,
        count: usize,
    ) -> (usize, Self, usize) {
        let reach = (taps / 2 - 1) as i128 * i128::from(ONE_FRAME);
        let first = i128::from(position) - reach;
        let wide = i128::from(step);
        // |step| ≤ 2⁶³ and a slice has fewer than 2⁶¹ values: within 2¹²⁵.
        let at = |frame: usize| first + wide * frame as i128;
        // The first tap may be on frames 0 ..= length − taps.
        let last = (frames.len() / CHANNELS).checked_sub(taps);
        let end = i128::from(last.map_or(0, |last| (last as u64 + 1).min(u64::from(u32::MAX)) * ONE_FRAME));
        let inside = |at: i128| at >= 0 && at < end;
        // The usual case needs no division.
        let (enters, leaves) = match count.checked_sub(1) {
            Some(last) if inside(first) && inside(at(last)) => (0, count),
            _ if end == 0 => (count, count),
            _ if step >= 0 => (steps(-first, wide, count), steps(end - first, wide, count)),
            _ => (steps(first - end + 1, -wide, count), steps(first + 1, -wide, count)),
        };
        let inside = leaves.saturating_sub(enters);
        // A frame that is within the recording is at 0 or more and below 2⁶⁴.
        let first = if inside > 0 { at(enters) as Phase } else { 0 };
        (enters, Self { frames, taps, first, step, count: inside }, count - enters - inside)
    }

    /// Whether there is a frame at all, and each takes so many frames together: what a kernel asks once before it
    /// reads. With it, every place that `places` gives has `taps` frames of the recording behind it.
    pub fn is_for(&self, taps: usize) -> bool {
        self.count > 0 && self.taps == taps
    }

    /// Between frames.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Frames that each of them takes together.
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// The recording.
    pub fn frames(&self) -> &'a [f32] {
        self.frames
    }

    /// Where the first frame begins: its first tap in the upper 32 bits, the fraction in the lower.
    pub fn first(&self) -> Phase {
        self.first
    }

    /// Where `N` frames from `at` on begin. What lies behind the run is its last frame again.
    ///
    /// Wrapping arithmetic gives the true place, backwards, too: `within` has seen that the first and the last frame lie
    /// between 0 and 2⁶⁴, and so does every frame between them.
    #[inline(always)]
    pub fn places<const N: usize>(&self, at: usize) -> [Phase; N] {
        let base = self.first.wrapping_add_signed(self.step.wrapping_mul(at as Step));
        let left = self.count.saturating_sub(at);
        if left >= N {
            let mut next = base;
            std::array::from_fn(|_| {
                let here = next;
                next = next.wrapping_add_signed(self.step);
                here
            })
        } else {
            let last = self.count.saturating_sub(1);
            std::array::from_fn(|i| {
                self.first.wrapping_add_signed(self.step.wrapping_mul(last.min(at.saturating_add(i)) as Step))
            })
        }
    }
}

/// How many of the frames 0, 1, … have not yet gone `distance` at this speed; at most `count`.
fn steps(distance: i128, speed: i128, count: usize) -> usize {
    match distance {
        ..=0 => 0,
        _ if speed == 0 => count,
        _ => usize::try_from((distance - 1) / speed + 1).map_or(count, |steps| steps.min(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every border met exactly, missed by 2⁻³² of a frame and crossed, from both sides: what is `unsafe` in the kernels
    /// rests on it.
    #[test]
    #[cfg_attr(miri, ignore = "100 000 cases of plain arithmetic")]
    fn the_run_is_those_frames_whose_taps_all_lie_within_the_recording() {
        let half = (ONE_FRAME / 2) as i64;
        let steps = [0, 1, half - 1, half, half + 1, 2 * half, 3 * half, 7 * half, i64::MAX];
        let frames = [0.0; 10];
        for (length, taps) in [(0, 2), (1, 2), (2, 2), (5, 2), (3, 4), (4, 4), (7, 4), (8, 8), (10, 8)] {
            let recording = &frames[..length];
            for position in (0..24).flat_map(|n| [-1, 0, 1].map(|near| n * half + near)) {
                let Ok(position) = Phase::try_from(position) else { continue };
                for step in steps.into_iter().flat_map(|step| [step, -step]) {
                    for count in 0..9usize {
                        let first = |frame: usize| {
                            let at = i128::from(position) + i128::from(step) * frame as i128;
                            at - (taps as i128 / 2 - 1) * i128::from(ONE_FRAME)
                        };
                        let fits = |frame: &usize| {
                            first(*frame) >= 0 && (first(*frame) >> 32) + taps as i128 <= length as i128
                        };
                        let expected: Vec<usize> = (0..count).filter(fits).collect();
                        let (before, run, after) = Run::<1>::within(recording, taps, position, step, count);
                        assert_eq!(before + run.count + after, count);
                        let case = format!("{length} frames, {taps} taps, at {position} by {step}, {count}");
                        assert_eq!((before..before + run.count).collect::<Vec<_>>(), expected, "{case}");
                        if let Some(frame) = expected.first() {
                            assert_eq!(i128::from(run.first()), first(*frame), "{case}");
                            let places: [Phase; 9] = run.places(0);
                            for (n, place) in places.into_iter().enumerate() {
                                let frame = expected.get(n).or(expected.last()).unwrap();
                                assert_eq!(i128::from(place), first(*frame), "{case}");
                            }
                        }
                    }
                }
            }
        }
    }
}
