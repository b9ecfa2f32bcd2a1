//! Where in its recording a voice reads.
//!
//! Positions are 32.32 fixed point and every frame's value depends on recording, position and step alone, so that a
//! voice has the same bits however it is asked for its frames (RT-6). What is read is neither enveloped nor panned:
//! that is for `voice`. Thread: audio; no allocation.

use crate::dsp::interpolate::{Kernel, ONE_FRAME, Phase};
use crate::instrument::{GUARD_FRAMES, LoopMode, Playback, Region};
use crate::units::Frames;

/// Fastest a recording is read, frames per frame: ten octaves up.
const MAX_STEP: f64 = 1024.0;

/// The place in a region's recording from which the next frame is read.
#[derive(Clone, Copy, Debug)]
pub struct Playhead {
    position: Phase,
    step: Phase,
    looping: bool,
    leaving_loop: bool,
    ended: bool,
}

impl Playhead {
    /// At a region's first frame, at the recording's own speed.
    pub fn start(region: &Region) -> Self {
        Self {
            position: 0,
            step: ONE_FRAME,
            looping: matches!(region.playback, Playback::Loop(_)),
            leaving_loop: false,
            ended: false,
        }
    }

    /// Sets the speed: frames of the recording per frame that is put out, at most [`MAX_STEP`].
    pub fn set_step(&mut self, ratio: f64) {
        // At least one unit of phase, so that a voice cannot stand still for ever. Rounded by adding a half, which is
        // exact here (2⁴² fits f64 with room) and, unlike `round`, no call into the maths library; by way of i64, for
        // which processors have an instruction.
        self.step = (ratio.min(MAX_STEP) * ONE_FRAME as f64 + 0.5).max(1.0) as i64 as Phase;
    }

    /// Moves on as if so many frames had been put out, from the start and at the step now set.
    pub fn skip(&mut self, frames_out: Frames) {
        let played = u128::from(self.step) * u128::from(frames_out);
        // Farther than any sample is long; a loop takes the remainder by itself.
        self.position = Phase::try_from(played).unwrap_or(Phase::MAX / 2).min(Phase::MAX / 2);
    }

    /// The key is let go: a sustain loop is left.
    pub fn release(&mut self, region: &Region) {
        if let Playback::Loop(sample_loop) = &region.playback {
            self.leaving_loop = sample_loop.mode() == LoopMode::Sustain;
        }
    }

    /// Whether nothing is left to be read. Known on the frame of the end, not when the next is asked for: an event
    /// there finds the voice free.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads the next frames, `left.len()` unless the recording ends before; returns how many. `right` is as long as
    /// `left`; a mono recording leaves it as it is.
    pub fn read(&mut self, region: &Region, kernel: &Kernel, left: &mut [f32], right: &mut [f32]) -> usize {
        let mut done = 0;
        while !self.ended
            && let (Some(left), Some(right)) = (left.get_mut(done..), right.get_mut(done..))
            && !left.is_empty()
        {
            done += self.read_stretch(region, kernel, left, right);
        }
        done
    }

    /// Reads up to the next seam or end; returns how many frames. None: it has ended, or is somewhere else now.
    fn read_stretch(
        &mut self,
        region: &Region,
        kernel: &Kernel,
        left: &mut [f32],
        right: &mut [f32],
    ) -> usize {
        let sample = &region.sample;
        let frame = |n: u32| Phase::from(n) * ONE_FRAME;
        let (data, origin, until) = match &region.playback {
            Playback::Loop(sample_loop) if self.looping => {
                if self.position >= frame(sample_loop.seam_end()) {
                    let length = frame(sample_loop.end() - sample_loop.start());
                    let over = self.position - frame(sample_loop.seam_end());
                    self.position = frame(sample_loop.seam_end()) - length + over % length;
                }
                if self.position < frame(sample_loop.seam_start()) {
                    if self.leaving_loop {
                        // Between two seams every tap is plain data: the loop is left without a step.
                        self.looping = false;
                        return 0;
                    }
                    (sample.guarded(), -(GUARD_FRAMES as i64), frame(sample_loop.seam_start()))
                } else {
                    let (seam, first) = sample_loop.seam();
                    (seam, first, frame(sample_loop.seam_end()))
                }
            }
            // The kernel rings on until its first tap has left the recording.
            _ => (
                sample.guarded(),
                -(GUARD_FRAMES as i64),
                frame(sample.frames()) + frame(kernel.frames_before(self.step)),
            ),
        };
        if self.position >= until {
            self.ended = true;
            return 0;
        }
        let reachable = usize::try_from((until - self.position).div_ceil(self.step)).unwrap_or(usize::MAX);
        let count = left.len().min(right.len()).min(reachable);
        let position = self.position.wrapping_sub((origin as u64).wrapping_mul(ONE_FRAME));
        let (Some(left), Some(right)) = (left.get_mut(..count), right.get_mut(..count)) else { return 0 };
        if sample.channels() == 2 {
            kernel.read_stereo(data, position, self.step, left, right);
        } else {
            kernel.read_mono(data, position, self.step, left);
        }
        self.position += self.step * count as u64;
        self.ended |= !self.looping && self.position >= until;
        count
    }
}
