//! Values that glide together to where they were last told, as closed forms of the engine's frame (RT-6, RT-11).

use crate::dsp::ramp::Ramp;
use crate::units::Frames;

/// `N` values on their way: one clock for all of them.
#[derive(Debug)]
pub struct Glide<const N: usize> {
    from: [f32; N],
    to: [f32; N],
    /// 0 to 1.
    gone: Ramp,
}

impl<const N: usize> Glide<N> {
    /// Values at rest.
    pub fn at_rest(values: [f32; N]) -> Self {
        Self { from: values, to: values, gone: Ramp::at_rest(1.0) }
    }

    /// Turns them towards new values, reached `frames` after `now`.
    pub fn aim(&mut self, to: [f32; N], now: Frames, frames: u32) {
        if to == self.to {
            return;
        }
        let gone = self.gone_at(now);
        self.from = std::array::from_fn(|place| self.value(place, gone));
        self.to = to;
        self.gone = Ramp::at_rest(0.0);
        self.gone.glide(1.0, now, frames);
    }

    /// Whether they still change at or after a frame.
    pub fn moves_at(&self, frame: Frames) -> bool {
        self.gone.moves_at(frame)
    }

    /// How far they have gone, 0..=1, for [`Self::value`].
    pub fn gone_at(&self, frame: Frames) -> f32 {
        self.gone.at(frame)
    }

    /// One of them; exactly what was aimed at when all of the way is gone.
    #[inline(always)]
    pub fn value(&self, place: usize, gone: f32) -> f32 {
        let (from, to) = (self.from[place], self.to[place]);
        if gone >= 1.0 { to } else { from + (to - from) * gone }
    }

    /// Where all are going, or are.
    pub fn targets(&self) -> &[f32; N] {
        &self.to
    }

    /// Where one is going, or is.
    pub fn target(&self, place: usize) -> f32 {
        self.to[place]
    }
}

/// The place of a read head, in frames behind: as fine after four million frames as after one.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    from: f64,
    to: f64,
    start: Frames,
    frames: f64,
}

impl Head {
    /// One that stands.
    pub fn at_rest(frames: f64) -> Self {
        Self { from: frames, to: frames, start: 0, frames: 0.0 }
    }

    /// Moves to a whole number of frames, so that it reads what was put in when it has got there.
    ///
    /// As a tape's: never faster than half a frame a frame, so that what it reads meanwhile is heard between an octave
    /// lower and a fifth higher; and never in less than `least` frames.
    pub fn aim(&mut self, to: f64, now: Frames, least: f64) {
        let to = to.round();
        if to == self.to {
            return;
        }
        let from = self.at(now);
        *self = Self { from, to, start: now, frames: (2.0 * (to - from).abs()).max(least) };
    }

    /// Where it is.
    #[inline(always)]
    pub fn at(&self, frame: Frames) -> f64 {
        let elapsed = frame.saturating_sub(self.start) as f64;
        if elapsed >= self.frames {
            self.to
        } else {
            self.from + (self.to - self.from) * (elapsed / self.frames)
        }
    }

    /// The farther of where it is and where it is going.
    pub fn farthest(&self, frame: Frames) -> f64 {
        self.at(frame).max(self.to)
    }
}
