//! Doing less than was asked for, when whoever drives the engine finds that there is too much to do.
//!
//! Told by the device, which has a clock, and never offline: what is rendered depends on the events alone there
//! (RT-7). Two steps, in the order in which they are heard least: new voices read with a cheaper interpolation; the
//! quietest voices fade.

use super::Engine;
use crate::dsp::interpolate::{Interpolation, Kernel};

/// How much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Effort {
    /// All of it.
    #[default]
    Full,
    /// New voices read with a cubic in place of a sinc, with a straight line in place of a cubic.
    Cheaper,
    /// That, and a share of the voices that sound fades now, the quietest; let go first. 0..=1.
    Fewer(Share),
}

/// Of 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u8);

impl Share {
    /// Anything beyond 0..=1 is the nearer of both.
    pub fn new(share: f64) -> Self {
        Self((share.clamp(0.0, 1.0) * 255.0) as u8)
    }

    /// So many of `count`, at least one.
    fn of(self, count: usize) -> usize {
        (count * usize::from(self.0)).div_ceil(255).max(1)
    }
}

/// What the engine keeps for it.
pub struct Easing {
    effort: Effort,
    linear: Kernel,
    cubic: Kernel,
}

impl Easing {
    /// Thread: control.
    pub fn new() -> Self {
        Self {
            effort: Effort::Full,
            linear: Kernel::new(Interpolation::Linear),
            cubic: Kernel::new(Interpolation::Cubic),
        }
    }

    /// What a new voice reads with that was to read with this.
    pub fn kernel(&self, wanted: Kernel) -> Kernel {
        match (self.effort, wanted.interpolation()) {
            (Effort::Full, _) => wanted,
            (_, Interpolation::Linear | Interpolation::Cubic) => self.linear,
            (_, Interpolation::Sinc8 | Interpolation::Sinc16 | Interpolation::Sinc32) => self.cubic,
        }
    }
}

impl Engine {
    /// How much to do from the next block on; [`Effort::Fewer`] each time anew. Voices that are made to fade are told
    /// and counted like stolen ones.
    ///
    /// Thread: audio. One pass over the voices; neither allocates, locks nor waits.
    pub fn set_effort(&mut self, effort: Effort) {
        self.easing.effort = effort;
        if let Effort::Fewer(share) = effort {
            let wanted = share.of(self.voices.sounding());
            let faded = self.voices.shed(wanted, &mut self.outbox);
            self.counters.voices_stolen.add(faded as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_at_least_one_and_at_most_all() {
        assert_eq!(Share::new(0.0).of(100), 1);
        assert_eq!(Share::new(0.5).of(100), 50);
        assert_eq!(Share::new(7.0).of(100), 100);
        assert_eq!(Share::new(f64::NAN).of(100), 1);
    }
}
