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

/// Adds values to `out` with a gain that runs straight: `gain + slope · n` for frame n, the first of them `first`.
/// Returns what was added last. No branches: the compiler makes vectors of it, as wide as its caller allows.
#[inline(always)]
pub fn add_line(out: &mut [f32], values: &[f32], gain: f32, slope: f32, first: u32) -> Option<f32> {
    let at = |n: usize| gain + slope * (first as i32).wrapping_add(n as i32) as f32;
    for (n, (out, value)) in out.iter_mut().zip(values).enumerate() {
        *out += value * at(n);
    }
    let count = out.len().min(values.len());
    values.get(count.checked_sub(1)?).map(|value| value * at(count - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_gain_is_added_frame_by_frame() {
        // All exact: small integers and quarters.
        let values: Vec<f32> = (0..37).map(|n| n as f32).collect();
        let mut out = vec![1.0; 40];
        let last = add_line(&mut out, &values, 2.0, 0.25, 3);
        for (n, value) in out.iter().enumerate() {
            assert_eq!(*value, if n < 37 { 1.0 + n as f32 * (2.0 + 0.25 * (3 + n) as f32) } else { 1.0 });
        }
        assert_eq!(last, Some(36.0 * (2.0 + 0.25 * 39.0)));
        assert_eq!(add_line(&mut out, &[], 1.0, 1.0, 0), None);
    }

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
