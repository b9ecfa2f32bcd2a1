//! A value that glides linearly to a new one, as a closed form of the engine's frame number.
//!
//! RT-11: parameters ramp. RT-6: `at` depends on the frame alone, not on how often it was asked.

use crate::units::Frames;

/// A value and, while it moves, where it came from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    from: f32,
    to: f32,
    start: Frames,
    frames: u32,
}

impl Ramp {
    /// A value at rest.
    pub const fn at_rest(value: f32) -> Self {
        Self { from: value, to: value, start: 0, frames: 0 }
    }

    /// Turns towards `target`, reached `frames` after `now`, from whatever the value is at `now`.
    pub fn glide(&mut self, target: f32, now: Frames, frames: u32) {
        *self = Self { from: self.at(now), to: target, start: now, frames };
    }

    /// The value at `frame`; frames before the start of the glide have its first value.
    pub fn at(&self, frame: Frames) -> f32 {
        let elapsed = frame.saturating_sub(self.start);
        if elapsed >= u64::from(self.frames) {
            return self.to;
        }
        self.from + (self.to - self.from) * (elapsed as f32 / self.frames as f32)
    }

    /// Where it is going, or is.
    pub fn target(&self) -> f32 {
        self.to
    }

    /// Whether the value still changes at or after `frame`.
    pub fn moves_at(&self, frame: Frames) -> bool {
        self.from != self.to && frame < self.start.saturating_add(u64::from(self.frames))
    }

    /// Multiplies values by the ramp, the first of them at `frame`.
    pub fn apply(&self, frame: Frames, values: &mut [f32]) {
        if !self.moves_at(frame) {
            for value in values {
                *value *= self.to;
            }
            return;
        }
        for (at, value) in (frame..).zip(values) {
            *value *= self.at(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glide_is_a_straight_line_that_stays() {
        let mut ramp = Ramp::at_rest(1.0);
        ramp.glide(0.0, 100, 4);
        assert_eq!(
            [99, 100, 101, 102, 103, 104, 900].map(|f| ramp.at(f)),
            [1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
        );
        assert!(ramp.moves_at(103) && !ramp.moves_at(104));
    }

    #[test]
    fn a_glide_that_turns_round_starts_from_where_it_was() {
        let mut ramp = Ramp::at_rest(0.0);
        ramp.glide(1.0, 0, 8);
        ramp.glide(0.0, 4, 4);
        assert_eq!(ramp.at(4), 0.5);
        assert_eq!(ramp.at(6), 0.25);
    }

    #[test]
    fn applying_in_pieces_gives_the_same_bits() {
        let mut ramp = Ramp::at_rest(0.3);
        ramp.glide(0.9, 10, 37);
        let mut whole = [1.0f32; 64];
        ramp.apply(0, &mut whole);
        for cut in 1..63 {
            let mut pieces = [1.0f32; 64];
            let (a, b) = pieces.split_at_mut(cut);
            ramp.apply(0, a);
            ramp.apply(cut as u64, b);
            assert_eq!(pieces.map(f32::to_bits), whole.map(f32::to_bits));
        }
    }
}
