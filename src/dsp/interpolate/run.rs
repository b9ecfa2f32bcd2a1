//! Which part of a run lies within the recording: the one place where bounds are checked.

use super::{ONE_FRAME, Phase};

/// Frames to read whose taps all lie within the recording. `within` is the only constructor, and everything `unsafe`
/// in this folder rests on what it establishes:
///
/// for every frame of the run, `first tap + taps ≤ frames.len() / CHANNELS`.
pub struct Run<'a, const CHANNELS: usize> {
    frames: &'a [f32],
    taps: usize,
    /// Of the first frame, already moved back to its first tap.
    first: Phase,
    step: Phase,
    count: usize,
}

impl<'a, const CHANNELS: usize> Run<'a, CHANNELS> {
    /// Of `count` frames: how many come before the recording, the run, how many come after it.
    ///
    /// Positions that would pass the end of [`Phase`] come after it.
    pub fn within(
        frames: &'a [f32],
        taps: usize,
        position: Phase,
        step: Phase,
        count: usize,
    ) -> (usize, Self, usize) {
        let reach = (taps / 2 - 1) as u64 * ONE_FRAME;
        let nothing =
            |silent: usize| (silent, Self { frames, taps, first: 0, step, count: 0 }, count - silent);
        // The first tap may be on frames 0 ..= length − taps.
        let Some(last) = (frames.len() / CHANNELS).checked_sub(taps) else { return nothing(count) };
        let end = (last as u64).saturating_add(1).min(u64::from(u32::MAX)) * ONE_FRAME;
        let mut silent = 0;
        let mut first = position;
        if position < reach {
            let steps = (reach - position)
                .checked_div(step)
                .map_or(u64::MAX, |whole| if whole * step == reach - position { whole } else { whole + 1 });
            if steps >= count as u64 {
                return nothing(count);
            }
            silent = steps as usize;
            let Some(there) = step.checked_mul(steps).and_then(|way| position.checked_add(way)) else {
                return nothing(count);
            };
            first = there;
        }
        let first = first - reach;
        let wanted = count - silent;
        let ends_within = |frames: u64| {
            step.checked_mul(frames).and_then(|way| first.checked_add(way)).is_some_and(|at| at < end)
        };
        // The usual case needs no division.
        let inside = if wanted > 0 && ends_within(wanted as u64 - 1) {
            wanted
        } else if first >= end {
            0
        } else {
            (end - first).div_ceil(step.max(1)).min(wanted as u64) as usize
        };
        (silent, Self { frames, taps, first, step, count: inside }, wanted - inside)
    }

    /// Whether there is a frame at all, and each takes so many frames together: what a kernel asks once before it
    /// reads. With it, every place that `places` gives has `taps` frames of the recording behind it.
    pub fn is_for(&self, taps: usize) -> bool {
        self.count > 0 && self.taps == taps
    }

    /// Between frames.
    pub fn step(&self) -> Phase {
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
    /// Within a run nothing passes the end of `Phase`: `within` compared the last frame with the recording's end.
    #[inline(always)]
    pub fn places<const N: usize>(&self, at: usize) -> [Phase; N] {
        let base = self.first.wrapping_add(self.step.wrapping_mul(at as u64));
        let left = self.count.saturating_sub(at);
        if left >= N {
            let mut next = base;
            std::array::from_fn(|_| {
                let here = next;
                next = next.wrapping_add(self.step);
                here
            })
        } else {
            let last = self.count.saturating_sub(1);
            std::array::from_fn(|i| {
                self.first.wrapping_add(self.step.wrapping_mul(last.min(at.saturating_add(i)) as u64))
            })
        }
    }
}
