//! Low-frequency oscillators: what moves pitch, filter and amplitude slowly.
//!
//! The phase is an integer, a 2⁻⁶⁴th of a turn, so that n frames in one step are the same as n steps of one frame
//! (RT-6), and one that runs free can be computed for any frame of the engine's clock without having been there. Random
//! values are a hash of a seed and the number of the turn (RT-7): nothing is drawn, so nothing can be drawn out of order.
//!
//! Square, pulse, saw and random values jump. Whoever applies them goes from value to value in lines, a segment long.
//! Sources: SFZ 1.0 (`*lfo_delay`, `*lfo_fade`, `*lfo_freq`); SFZ 2 (`lfoN_wave`, `lfoN_phase`).

use super::fast;
use crate::units::Frames;

/// Highest rate, Hz: above it a modulation is a tone, and segments of 32 frames are too long for it.
pub const MAX_RATE_HZ: f32 = 1_000.0;

/// What one turn looks like, from −1 to 1. In brackets, its number in SFZ 2.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Shape {
    /// From 0 up (1).
    #[default]
    Sine,
    /// From 0 up, in straight lines (0).
    Triangle,
    /// 1 for the first half, −1 for the other (3).
    Square,
    /// 1 for this part of the turn, 0..=1, then −1 (2: 0.75, 4: 0.25, 5: 0.125). NaN is 0.5.
    Pulse(f32),
    /// From −1 up to 1 (6).
    SawUp,
    /// From 1 down to −1 (7).
    SawDown,
    /// Another random value each turn, held: sample and hold (12).
    Random,
}

/// Where a note finds the LFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Sync {
    /// It begins with the note, once its delay is over.
    #[default]
    Note,
    /// It has been running since the engine started: all notes move together, as long as none modulates its rate, for
    /// each has its own copy.
    Free,
}

/// An LFO as an instrument says it. What is out of range is clamped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LfoSettings {
    /// One turn.
    pub shape: Shape,
    /// Turns in a second, 0..=1000 Hz; NaN is 0.
    pub rate_hz: f32,
    /// Silence before it moves, s; negative and NaN are 0.
    pub delay_s: f32,
    /// From no depth to full depth, in a straight line, after the delay, s.
    pub fade_s: f32,
    /// Where in the turn it begins, 0..=1; it goes round, so 1.25 is 0.25. NaN is 0.
    pub phase: f32,
    /// Where a note finds it.
    pub sync: Sync,
}

impl Default for LfoSettings {
    /// A sine of 5 Hz that begins with the note, at once.
    fn default() -> Self {
        Self { shape: Shape::Sine, rate_hz: 5.0, delay_s: 0.0, fade_s: 0.0, phase: 0.0, sync: Sync::Note }
    }
}

/// A running LFO.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lfo {
    shape: Shape,
    /// 2⁶⁴ is a turn.
    phase: u64,
    /// Turns that are over.
    turn: u32,
    /// Phase of one frame, at the rate that was set.
    step: u64,
    /// Frames since its start, as far as delay and fade ask.
    age: u32,
    delay: u32,
    fade: u32,
    seed: u32,
    free: bool,
}

/// Half a turn a frame: what a rate is clamped to, however it is modulated.
const MAX_STEP: f64 = 9_223_372_036_854_775_808.0;
/// 2⁶⁴.
const TURN: f64 = 2.0 * MAX_STEP;

impl Lfo {
    /// One that starts on `frame` of the engine's clock.
    ///
    /// `seed` is of the random values: a note's own for [`Sync::Note`], the same for all notes for [`Sync::Free`], whose
    /// values are else not together.
    pub fn start(settings: &LfoSettings, sample_rate: u32, frame: Frames, seed: u32) -> Self {
        let rate = f64::from(sample_rate);
        let rate_hz = f64::from(settings.rate_hz).clamp(0.0, f64::from(MAX_RATE_HZ).min(rate / 2.0));
        // `max` takes the number where the other is NaN.
        let frames = |seconds: f32| (f64::from(seconds.max(0.0)) * rate).round() as u32;
        let phase = f64::from(settings.phase);
        let mut lfo = Self {
            shape: settings.shape,
            // A NaN becomes 0 here, an infinity is no phase, either.
            phase: ((phase - phase.floor()) * TURN) as u64,
            turn: 0,
            // NaN becomes 0.
            step: (rate_hz / rate * TURN) as u64,
            age: 0,
            delay: frames(settings.delay_s),
            fade: frames(settings.fade_s),
            seed,
            free: settings.sync == Sync::Free,
        };
        if lfo.free {
            lfo.turn_on(u128::from(lfo.step) * u128::from(frame));
        }
        lfo
    }

    /// Its value now, −1..=1: its shape, as far as it has faded in.
    pub fn value(&self) -> f32 {
        if self.age < self.delay {
            return 0.0;
        }
        self.swing() * self.depth()
    }

    /// How far it has faded in, 0..=1.
    fn depth(&self) -> f32 {
        let faded = self.age.saturating_sub(self.delay);
        if faded >= self.fade { 1.0 } else { (f64::from(faded) / f64::from(self.fade)) as f32 }
    }

    fn swing(&self) -> f32 {
        // Its upper bits, which f64 holds exactly: 0..1.
        let x = (self.phase >> 11) as f64 / (1u64 << 53) as f64;
        match self.shape {
            Shape::Sine => fast::sin_turns(x) as f32,
            Shape::Triangle => {
                // How far from its crest at a quarter, −½..½.
                let from_crest = if x > 0.75 { x - 1.25 } else { x - 0.25 };
                (1.0 - 4.0 * from_crest.abs()) as f32
            }
            Shape::Square => square(x < 0.5),
            Shape::Pulse(width) => square(x < if width.is_nan() { 0.5 } else { f64::from(width) }),
            Shape::SawUp => (2.0 * x - 1.0) as f32,
            Shape::SawDown => (1.0 - 2.0 * x) as f32,
            Shape::Random => random(self.seed, self.turn),
        }
    }

    /// Moves on by `frames`, at `rate_ratio` times its rate: 1 as it was set, negative and NaN as 0.
    ///
    /// At a constant ratio, any steps that add up to the same end at the same phase, to the bit.
    pub fn advance(&mut self, frames: u32, rate_ratio: f32) {
        let waits = self.delay.saturating_sub(self.age).min(frames);
        self.age = self.age.saturating_add(frames);
        // One that runs free has run while its note waited, too.
        let moving = if self.free { frames } else { frames - waits };
        let step = if rate_ratio == 1.0 {
            self.step
        } else {
            (self.step as f64 * f64::from(rate_ratio.max(0.0))).min(MAX_STEP) as u64
        };
        self.turn_on(u128::from(step) * u128::from(moving));
    }

    fn turn_on(&mut self, by: u128) {
        // Both halves of the sum: at most 2⁶³ a frame and 2⁶⁴ frames leave room in 128 bits.
        let phase = u128::from(self.phase) + by;
        self.phase = phase as u64;
        self.turn = self.turn.wrapping_add((phase >> 64) as u32);
    }

    /// Frames until its delay, or else its fade, is over, where a segment has to end; `u32::MAX` after both.
    pub fn frames_left(&self) -> u32 {
        let faded = self.delay.saturating_add(self.fade);
        match self.age {
            age if age < self.delay => self.delay - age,
            age if age < faded => faded - age,
            _ => u32::MAX,
        }
    }

    /// Whether its value stays what it is for [`Self::frames_left`]: in its delay, or at a rate of 0 once faded in.
    pub fn is_still(&self) -> bool {
        self.age < self.delay || (self.step == 0 && self.frames_left() == u32::MAX)
    }
}

fn square(high: bool) -> f32 {
    if high { 1.0 } else { -1.0 }
}

/// −1..1 of a seed and a count: the finalizer of MurmurHash3, in which each bit hangs on all.
fn random(seed: u32, count: u32) -> f32 {
    let mut word = seed.wrapping_mul(0x9e37_79b9) ^ count.wrapping_mul(0x85eb_ca6b).wrapping_add(0x27d4_eb2f);
    word = (word ^ (word >> 16)).wrapping_mul(0x85eb_ca6b);
    word = (word ^ (word >> 13)).wrapping_mul(0xc2b2_ae35);
    (word ^ (word >> 16)) as i32 as f32 * 2f32.powi(-31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 1000; // a frame is a millisecond
    const SHAPES: [Shape; 8] = [
        Shape::Sine,
        Shape::Triangle,
        Shape::Square,
        Shape::Pulse(0.75),
        Shape::Pulse(0.125),
        Shape::SawUp,
        Shape::SawDown,
        Shape::Random,
    ];

    fn run(lfo: &mut Lfo, frames: u32) -> Vec<f32> {
        (0..frames)
            .map(|_| {
                let value = lfo.value();
                lfo.advance(1, 1.0);
                value
            })
            .collect()
    }

    /// The shapes, from their descriptions; x in turns.
    fn formula(shape: Shape, x: f64) -> f64 {
        let x = x.rem_euclid(1.0);
        match shape {
            Shape::Sine => (std::f64::consts::TAU * x).sin(),
            Shape::Triangle if x < 0.25 => 4.0 * x,
            Shape::Triangle if x < 0.75 => 2.0 - 4.0 * x,
            Shape::Triangle => 4.0 * x - 4.0,
            Shape::Square => formula(Shape::Pulse(0.5), x),
            Shape::Pulse(width) if x < f64::from(width) => 1.0,
            Shape::Pulse(_) => -1.0,
            Shape::SawUp => 2.0 * x - 1.0,
            Shape::SawDown => 1.0 - 2.0 * x,
            Shape::Random => unreachable!("has no formula"),
        }
    }

    #[test]
    fn every_shape_is_its_formula() {
        for shape in SHAPES.into_iter().filter(|shape| *shape != Shape::Random) {
            for phase in [0.0, 0.25, 0.6, 3.5, -0.25] {
                // 3.7 Hz: no frame falls on a corner but the first, where the phase is exact.
                let settings = LfoSettings { shape, rate_hz: 3.7, phase, ..LfoSettings::default() };
                let mut lfo = Lfo::start(&settings, RATE, 12_345, 0);
                for (n, value) in run(&mut lfo, 3000).into_iter().enumerate() {
                    let x = f64::from(phase) + n as f64 * f64::from(3.7f32) / 1000.0;
                    let expected = formula(shape, x);
                    // Half an ulp at 1, the sine's 10⁻⁹, and 3000 steps each short of up to 2⁻⁶⁴.
                    let off = (f64::from(value) - expected).abs();
                    assert!(off <= 2f64.powi(-25) + 2e-9, "{shape:?} frame {n}: {value} not {expected}");
                }
            }
        }
    }

    #[test]
    fn random_values_are_held_for_a_turn_and_fill_the_range_evenly() {
        let settings = LfoSettings { shape: Shape::Random, rate_hz: 125.0, ..LfoSettings::default() };
        let mut lfo = Lfo::start(&settings, RATE, 0, 7);
        let values = run(&mut lfo, 8 * 4000);
        let turns: Vec<f32> = values.chunks(8).map(|turn| turn[0]).collect();
        for (turn, values) in values.chunks(8).enumerate() {
            assert!(values.iter().all(|value| *value == values[0] && value.abs() <= 1.0), "turn {turn}");
        }
        // Of n = 4000 independent values: the mean's deviation is √(1/3/n) = 0.009, that of each tenth's count
        // √(n·0.1·0.9) = 19, that of the correlation of neighbours 1/√n/3 = 0.005. Five of each.
        let mean = turns.iter().sum::<f32>() / 4000.0;
        assert!(mean.abs() < 0.046, "{mean}");
        for tenth in 0..10 {
            let count = turns.iter().filter(|value| ((**value + 1.0) * 5.0) as i32 == tenth).count();
            assert!((305..495).contains(&count), "{tenth}: {count}");
        }
        let product = turns.windows(2).map(|pair| pair[0] * pair[1]).sum::<f32>() / 4000.0;
        assert!(product.abs() < 0.027, "{product}");
        assert_eq!(
            run(&mut Lfo::start(&settings, RATE, 0, 7), 8 * 4000),
            values,
            "the same seed is the same"
        );
        assert_ne!(run(&mut Lfo::start(&settings, RATE, 0, 8), 8 * 4000), values, "another is not");
    }

    #[test]
    fn delay_and_fade_are_exact_to_the_frame() {
        let settings = LfoSettings {
            shape: Shape::Square,
            rate_hz: 0.01,
            delay_s: 0.05,
            fade_s: 0.1,
            ..LfoSettings::default()
        };
        let mut lfo = Lfo::start(&settings, RATE, 0, 0);
        assert_eq!((lfo.frames_left(), lfo.is_still()), (50, true));
        let values = run(&mut lfo, 200);
        for (n, value) in values.into_iter().enumerate() {
            let expected = ((n as f64 - 50.0) / 100.0).clamp(0.0, 1.0);
            assert!((f64::from(value) - expected).abs() <= 2f64.powi(-25), "{n}: {value}");
        }
        let mut lfo = Lfo::start(&settings, RATE, 0, 0);
        lfo.advance(60, 1.0);
        assert_eq!((lfo.frames_left(), lfo.is_still()), (90, false));
        lfo.advance(90, 1.0);
        assert_eq!((lfo.frames_left(), lfo.is_still()), (u32::MAX, false));
        // It begins its turn when the delay is over, not with the note.
        let sine = LfoSettings { shape: Shape::Sine, rate_hz: 1.0, fade_s: 0.0, ..settings };
        assert_eq!(run(&mut Lfo::start(&sine, RATE, 0, 0), 301)[300], 1.0);
    }

    #[test]
    fn at_a_rate_of_nothing_it_stands_still() {
        let settings = LfoSettings { rate_hz: 0.0, phase: 0.25, fade_s: 0.01, ..LfoSettings::default() };
        let mut lfo = Lfo::start(&settings, RATE, 0, 0);
        assert!(!lfo.is_still());
        lfo.advance(10, 1.0);
        assert!(lfo.is_still());
        assert_eq!(run(&mut lfo, 100), [1.0; 100]);
    }

    #[test]
    fn steps_of_any_length_end_at_the_same_bits() {
        for shape in SHAPES {
            for sync in [Sync::Note, Sync::Free] {
                for ratio in [1.0, 0.37, 5.1] {
                    let settings =
                        LfoSettings { shape, rate_hz: 13.37, delay_s: 0.1, fade_s: 0.2, phase: 0.3, sync };
                    let mut whole = Lfo::start(&settings, RATE, 99, 5);
                    let mut single = whole;
                    for step in [3, 96, 2, 31, 168, 1, 32, 500, 10_000] {
                        whole.advance(step, ratio);
                        (0..step).for_each(|_| single.advance(1, ratio));
                        assert_eq!(whole, single);
                        assert_eq!(whole.value().to_bits(), single.value().to_bits());
                    }
                }
            }
        }
    }

    #[test]
    fn notes_on_one_that_runs_free_move_together_whenever_they_start() {
        for shape in SHAPES {
            let settings = LfoSettings { shape, rate_hz: 4.2, sync: Sync::Free, ..LfoSettings::default() };
            let mut first = Lfo::start(&settings, 48_000, 0, 3);
            // Ten hours in.
            first.advance(1_728_000_000, 1.0);
            let mut now = 1_728_000_000;
            for frames in [0, 1, 777, 100_000] {
                first.advance(frames, 1.0);
                now += Frames::from(frames);
                let late = Lfo::start(&settings, 48_000, now, 3);
                assert_eq!(late.value().to_bits(), first.value().to_bits(), "{shape:?} at {now}");
            }
            // Its own delay silences a note, but the LFO runs on.
            let waiting = LfoSettings { delay_s: 1.0, ..settings };
            let mut waiting = Lfo::start(&waiting, 48_000, 0, 3);
            waiting.advance(47_999, 1.0);
            assert_eq!(waiting.value(), 0.0);
            waiting.advance(1, 1.0);
            assert_eq!(waiting.value(), Lfo::start(&settings, 48_000, 48_000, 3).value(), "{shape:?}");
        }
    }

    #[test]
    fn odd_settings_and_rates_stay_within_the_range() {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -3.0, 1e30, f32::MIN_POSITIVE];
        for shape in SHAPES.into_iter().chain(odd.map(Shape::Pulse)) {
            for a in odd {
                for b in odd {
                    let settings =
                        LfoSettings { shape, rate_hz: a, delay_s: b, fade_s: a, phase: b, sync: Sync::Free };
                    let mut lfo = Lfo::start(&settings, RATE, Frames::MAX, u32::MAX);
                    for ratio in odd {
                        assert!(lfo.value().abs() <= 1.0, "{settings:?}");
                        lfo.advance(u32::MAX, ratio);
                    }
                    assert!(lfo.value().abs() <= 1.0, "{settings:?}");
                }
            }
        }
    }
}
