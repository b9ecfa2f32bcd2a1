//! Envelopes: delay, attack, hold, decay, sustain, release; of a voice's amplitude, its pitch, its filter.
//!
//! Every stage is a closed form of the frames spent in it, and its ends are exact: a stage of n frames reaches its
//! target on frame n, not "about then". On the way, a [`Curve`] with the shape s has gone this part of it:
//!
//! p(x) = (e^(s·x) − 1)/(e^s − 1),  x = frames / n;  p(x) = x for s = 0
//!
//! By default the attack is straight, and decay and release are exponentials that aim 80 dB below their start: a
//! release of `release_s` falls by 80 dB in that time and then is exactly silent.
//! Sources: SFZ 1.0 (ampeg_*: linear attack, exponential decay and release); ARIA's `ampeg_*_shape`, whose sign the
//! shape has; SF2.04 section 8.1.3 (decay and release straight in decibels).

use std::f64::consts::{LN_10, LOG2_E};

use super::fast;

/// How a stage gets from where it begins to where it ends: its shape s, see the formula above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve(f64);

impl Curve {
    /// A straight line.
    pub const LINEAR: Self = Self(0.0);
    /// Fast at first, as what is discharged: to within 80 dB, s = −ln((1 + 10⁻⁴)/10⁻⁴).
    pub const EXPONENTIAL: Self = Self(-9.210_440_366_976_517);
    /// Shapes go from minus to plus this: beyond it nothing but a corner would change.
    pub const MAX_SHAPE: f64 = 20.0;

    /// Negative shapes go fast first, positive ones slowly; 0 is straight, as is ±10⁻⁴. −20..=20, clamped; NaN is 0.
    /// ARIA's `ampeg_attack_shape`, where ±10 is "practically a corner".
    pub fn shape(shape: f64) -> Self {
        let shape = if shape.is_nan() { 0.0 } else { shape.clamp(-Self::MAX_SHAPE, Self::MAX_SHAPE) };
        Self(if shape.abs() <= 1e-4 { 0.0 } else { shape })
    }

    /// Straight in decibels over a fall by `db`: from 1 to 10^(−db/20), level(x) = 10^(−db·x/20) exactly.
    ///
    /// For SF2, a decay to a sustain level of −s dB is `falling(s)` (and takes s/100 of the time that is said for
    /// 100 dB); a release, or a decay to nothing, is `falling(100.0)`.
    pub fn falling(db: f64) -> Self {
        Self::shape(-db * LN_10 / 20.0)
    }
}

/// Times in seconds and sustain as linear amplitude: what an instrument says. A voice takes a copy, in which a note may
/// say otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnvelopeTimes {
    /// At the start level, before the attack, s.
    pub delay_s: f64,
    /// From the start level to full level, s.
    pub attack_s: f64,
    /// At full level, s.
    pub hold_s: f64,
    /// From full to sustain level, s.
    pub decay_s: f64,
    /// Level while the key is held, 0..=1, clamped; NaN is 1.
    pub sustain: f64,
    /// From the current level to silence, s.
    pub release_s: f64,
    /// Level during the delay, and at which the attack begins, 0..=1, clamped; NaN is 0. SFZ 2, `ampeg_start`.
    pub start: f64,
    /// Of the attack.
    pub attack_curve: Curve,
    /// Of the decay.
    pub decay_curve: Curve,
    /// Of the release.
    pub release_curve: Curve,
}

impl Default for EnvelopeTimes {
    /// The recording as it is; a release of 0.1 s, since a key let go damps a string and a cut would click.
    fn default() -> Self {
        Self {
            delay_s: 0.0,
            attack_s: 0.0,
            hold_s: 0.0,
            decay_s: 0.0,
            sustain: 1.0,
            release_s: 0.1,
            start: 0.0,
            attack_curve: Curve::LINEAR,
            decay_curve: Curve::EXPONENTIAL,
            release_curve: Curve::EXPONENTIAL,
        }
    }
}

impl EnvelopeTimes {
    /// The same, when `decay_s` is meant to be from full level to zero, of which only the way to the sustain level is
    /// gone. Source: ARIA `ampeg_decay_zero`, which is how SFZ means its decays.
    pub fn decaying_to_zero(self) -> Self {
        let Curve(shape) = self.decay_curve;
        let way = 1.0 - self.sustain.clamp(0.0, 1.0);
        // p(x) = way, solved for x; the part of the curve up to there is a curve of its own, of shape s·x.
        let x = if shape == 0.0 { way } else { (way * shape.exp_m1()).ln_1p() / shape };
        Self { decay_s: self.decay_s * x, decay_curve: Curve::shape(shape * x), ..self }
    }
}

/// The same in frames of one engine: what a voice runs on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shape {
    delay: u32,
    attack: u32,
    hold: u32,
    decay: u32,
    sustain: f32,
    release: u32,
    start: f32,
    curves: [Curve; 3],
    /// Frames that an attack takes at least when it is triggered again.
    shortest: u32,
    /// Whether a sustain of zero is the end.
    ends_at_zero: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Delay,
    Attack { from: f32 },
    Hold,
    Decay,
    Sustain,
    Release { from: f32 },
    Done,
}

/// The stage as a function of the frames n spent in it: base + span·2^(rate·n), or base + span·n where the rate is 0.
/// What a call per segment would have to compute again and again, once.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Way {
    base: f64,
    span: f64,
    rate: f64,
    /// Where it gets to, on the stage's last frame.
    to: f32,
    frames: u32,
    /// Longest chord that is as good as the curve.
    chord: u32,
}

/// Largest s·h/n of a chord over h of n frames: it is then off by (s·h/n)²/8 = 0.05 % of the part that moves, 0.004 dB.
const CHORD: f64 = 0.063;

impl Way {
    fn staying(at: f32) -> Self {
        Self { base: f64::from(at), span: 0.0, rate: 0.0, to: at, frames: u32::MAX, chord: u32::MAX }
    }

    fn new(from: f32, to: f32, frames: u32, Curve(shape): Curve) -> Self {
        let way = f64::from(to) - f64::from(from);
        let frames_f = f64::from(frames.max(1));
        if shape == 0.0 {
            return Self {
                base: f64::from(from),
                span: way / frames_f,
                rate: 0.0,
                to,
                frames,
                chord: u32::MAX,
            };
        }
        let rate = shape * LOG2_E;
        let span = way / (fast::exp2(rate) - 1.0);
        let chord = (CHORD * frames_f / shape.abs()) as u32;
        Self { base: f64::from(from) - span, span, rate: rate / frames_f, to, frames, chord }
    }

    fn at(&self, n: u32) -> f32 {
        if n >= self.frames {
            return self.to;
        }
        let n = f64::from(n);
        let part = if self.rate == 0.0 { n } else { fast::exp2(self.rate * n) };
        (self.base + self.span * part) as f32
    }
}

/// A running envelope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Envelope {
    shape: Shape,
    stage: Stage,
    way: Way,
    /// Frames spent in the stage.
    position: u32,
}

/// Shortest release, and decay: a cut within one frame is a click (RT-11). 1 ms is what other players add, too.
const MIN_FALL_S: f64 = 0.001;

fn frames(seconds: f64, sample_rate: u32) -> u32 {
    // Saturates: a stage of 2³² frames is a day at 48 kHz.
    (seconds * f64::from(sample_rate)).round() as u32
}

impl Envelope {
    /// An amplitude's envelope that starts now. A decay to zero ends it: what cannot sound again is over, not held for
    /// ever.
    pub fn start(times: &EnvelopeTimes, sample_rate: u32) -> Self {
        Self::new(times, sample_rate, true)
    }

    /// One of pitch or filter that starts now: a sustain of zero is a level like any other, and the voice goes on. When
    /// released it falls to 0 and stays there; then it is done, which for its voice means nothing.
    pub fn modulating(times: &EnvelopeTimes, sample_rate: u32) -> Self {
        Self::new(times, sample_rate, false)
    }

    fn new(times: &EnvelopeTimes, sample_rate: u32, ends_at_zero: bool) -> Self {
        let level = |level: f64, instead| if level.is_nan() { instead } else { level.clamp(0.0, 1.0) };
        let sustain = level(times.sustain, 1.0);
        let shortest = frames(MIN_FALL_S, sample_rate).max(1);
        let shape = Shape {
            delay: frames(times.delay_s, sample_rate),
            attack: frames(times.attack_s, sample_rate),
            hold: frames(times.hold_s, sample_rate),
            // To a lower level there is a way, however short: a step would click.
            decay: frames(times.decay_s.max(if sustain < 1.0 { MIN_FALL_S } else { 0.0 }), sample_rate),
            sustain: sustain as f32,
            release: frames(times.release_s.max(MIN_FALL_S), sample_rate).max(1),
            start: level(times.start, 0.0) as f32,
            curves: [times.attack_curve, times.decay_curve, times.release_curve],
            shortest,
            ends_at_zero,
        };
        let mut envelope = Self { shape, stage: Stage::Delay, way: Way::staying(shape.start), position: 0 };
        envelope.skip_finished_stages();
        envelope
    }

    /// Level now, 0..=1.
    pub fn level(&self) -> f32 {
        self.level_after(0)
    }

    /// Level `frames` later; at most [`Self::frames_left`], for later stages are not looked into.
    ///
    /// A few ns on a curve: one power of two, no division.
    pub fn level_after(&self, frames: u32) -> f32 {
        self.way.at(self.position.saturating_add(frames))
    }

    /// Whether the level stands still until the stage ends.
    pub fn is_flat(&self) -> bool {
        matches!(self.stage, Stage::Delay | Stage::Hold | Stage::Sustain | Stage::Done)
    }

    /// Frames until the stage ends; `u32::MAX` in a stage without an end.
    pub fn frames_left(&self) -> u32 {
        self.length(self.stage).map_or(u32::MAX, |length| length.saturating_sub(self.position))
    }

    /// Frames over which a straight line is as good as the stage's curve, to 0.05 % of what moves; 0 when the curve is
    /// steeper than that from one frame to the next.
    pub fn straight_for(&self) -> u32 {
        self.way.chord
    }

    /// Moves on by `frames`, at most [`Self::frames_left`].
    ///
    /// Returns whether another stage has begun: its first level need not be the last one's (an attack of 0).
    pub fn advance(&mut self, frames: u32) -> bool {
        self.position = self.position.saturating_add(frames);
        self.skip_finished_stages()
    }

    /// Moves on by any number of frames, through as many stages as they take.
    pub fn pass_over(&mut self, mut frames: u32) {
        while frames > 0 {
            let left = self.frames_left();
            let stage = left.min(frames);
            self.advance(stage);
            if left == u32::MAX {
                return;
            }
            frames -= stage;
        }
    }

    /// Changes how long a release will take that has not begun, s.
    pub fn set_release(&mut self, seconds: f64, sample_rate: u32) {
        if !self.is_released() {
            self.shape.release = frames(seconds.max(MIN_FALL_S), sample_rate).max(1);
        }
    }

    /// Lets go: the release starts from the current level. Once released it stays so.
    pub fn release(&mut self) {
        if !self.is_released() {
            let from = self.level();
            self.enter(if from > 0.0 { Stage::Release { from } } else { Stage::Done });
        }
    }

    /// Starts again with the attack, from the current level, whatever stage it is in: no step, and no delay. The attack
    /// takes at least 1 ms, unless it has nowhere to go.
    pub fn retrigger(&mut self) {
        let from = self.level();
        if from < 1.0 {
            self.shape.attack = self.shape.attack.max(self.shape.shortest);
        }
        self.enter(Stage::Attack { from });
        self.skip_finished_stages();
    }

    /// Whether it has ended and stays silent.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Whether it has been let go.
    pub fn is_released(&self) -> bool {
        matches!(self.stage, Stage::Release { .. } | Stage::Done)
    }

    /// Frames of a stage, or `None` when it has no end of its own.
    fn length(&self, stage: Stage) -> Option<u32> {
        match stage {
            Stage::Delay => Some(self.shape.delay),
            Stage::Attack { .. } => Some(self.shape.attack),
            Stage::Hold => Some(self.shape.hold),
            Stage::Decay => Some(self.shape.decay),
            Stage::Release { .. } => Some(self.shape.release),
            Stage::Sustain | Stage::Done => None,
        }
    }

    fn enter(&mut self, stage: Stage) {
        let Shape { attack, decay, sustain, release, curves: [rise, fall, end], .. } = self.shape;
        self.stage = stage;
        self.position = 0;
        self.way = match stage {
            Stage::Delay => Way::staying(self.shape.start),
            Stage::Attack { from } => Way::new(from, 1.0, attack, rise),
            Stage::Hold => Way::staying(1.0),
            Stage::Decay => Way::new(1.0, sustain, decay, fall),
            Stage::Sustain => Way::staying(sustain),
            Stage::Release { from } => Way::new(from, 0.0, release, end),
            Stage::Done => Way::staying(0.0),
        };
    }

    fn skip_finished_stages(&mut self) -> bool {
        let (mut stage, mut position) = (self.stage, self.position);
        while self.length(stage).is_some_and(|length| position >= length) {
            position = 0;
            stage = match stage {
                Stage::Delay => Stage::Attack { from: self.shape.start },
                Stage::Attack { .. } => Stage::Hold,
                Stage::Hold => Stage::Decay,
                Stage::Decay if self.shape.sustain == 0.0 && self.shape.ends_at_zero => Stage::Done,
                Stage::Decay => Stage::Sustain,
                _ => Stage::Done,
            };
        }
        let moved = stage != self.stage;
        if moved {
            self.enter(stage);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 1000; // a frame is a millisecond

    fn times() -> EnvelopeTimes {
        EnvelopeTimes {
            delay_s: 0.003,
            attack_s: 0.01,
            hold_s: 0.005,
            decay_s: 0.1,
            sustain: 0.25,
            release_s: 0.05,
            ..EnvelopeTimes::default()
        }
    }

    fn run(envelope: &mut Envelope, frames: u32) -> Vec<f32> {
        (0..frames)
            .map(|_| {
                let level = envelope.level();
                envelope.advance(1);
                level
            })
            .collect()
    }

    /// The formula of the module's head, in f64, from scratch.
    fn exponential(from: f64, to: f64, x: f64) -> f64 {
        let k = (1.0001f64 / 0.0001).ln();
        to + (from - to) * (1.0001 * (-k * x).exp() - 0.0001)
    }

    #[test]
    fn a_decay_to_zero_goes_as_far_as_the_sustain_level_on_the_same_curve() {
        for shape in [0.0, -10.3616, -3.0, 4.0] {
            let curve = Curve::shape(shape);
            let whole = EnvelopeTimes { decay_s: 1.0, sustain: 0.0, decay_curve: curve, ..times() };
            let part = EnvelopeTimes { sustain: 0.25, ..whole }.decaying_to_zero();
            let mut whole =
                Envelope::start(&EnvelopeTimes { delay_s: 0.0, attack_s: 0.0, hold_s: 0.0, ..whole }, 48_000);
            let mut short =
                Envelope::start(&EnvelopeTimes { delay_s: 0.0, attack_s: 0.0, hold_s: 0.0, ..part }, 48_000);
            for _ in 0..48_000 {
                let expected = whole.level().max(0.25);
                // A stage ends on a whole frame: half of one, times the slope, at most 20 / 48 000 a frame.
                assert!(
                    (short.level() - expected).abs() < 3e-4,
                    "shape {shape}: {} {expected}",
                    short.level()
                );
                whole.advance(1);
                short.advance(1);
            }
        }
        let unchanged = EnvelopeTimes { decay_s: 1.0, sustain: 0.0, ..times() };
        assert!((unchanged.decaying_to_zero().decay_s - 1.0).abs() < 1e-12);
    }

    #[test]
    fn every_stage_starts_and_ends_on_its_frame() {
        let mut envelope = Envelope::start(&times(), RATE);
        let levels = run(&mut envelope, 200);
        for (i, level) in levels.iter().enumerate() {
            let expected = match i {
                0..3 => 0.0,
                3..13 => (i - 3) as f64 / 10.0,
                13..18 => 1.0,
                18..118 => exponential(1.0, 0.25, (i - 18) as f64 / 100.0),
                _ => 0.25,
            };
            // Rounded once to f32, levels ≤ 1: half an ulp is 2⁻²⁵.
            assert!(
                (f64::from(*level) - expected).abs() <= 2f64.powi(-24),
                "frame {i}: {level} not {expected}"
            );
        }
    }

    #[test]
    fn release_falls_from_any_stage_without_a_step_and_ends_exactly() {
        for held in [0, 3, 7, 13, 17, 40, 500] {
            let mut envelope = Envelope::start(&times(), RATE);
            run(&mut envelope, held);
            let before = envelope.level();
            envelope.release();
            if before == 0.0 {
                assert!(envelope.is_done());
                continue;
            }
            assert_eq!(envelope.level(), before);
            let levels = run(&mut envelope, 50);
            for (i, level) in levels.iter().enumerate() {
                let expected = exponential(f64::from(before), 0.0, i as f64 / 50.0);
                assert!((f64::from(*level) - expected).abs() <= 2f64.powi(-24));
            }
            assert!(envelope.is_done());
            assert_eq!(envelope.level(), 0.0);
        }
    }

    #[test]
    fn the_shape_of_the_default_is_the_recording_itself() {
        let mut envelope = Envelope::start(&EnvelopeTimes::default(), 48_000);
        assert!(run(&mut envelope, 1000).iter().all(|level| *level == 1.0));
        assert_eq!(envelope.frames_left(), u32::MAX);
    }

    #[test]
    fn a_sustain_of_zero_ends_the_voice() {
        let mut envelope = Envelope::start(&EnvelopeTimes { decay_s: 0.01, sustain: 0.0, ..times() }, RATE);
        run(&mut envelope, 28);
        assert!(envelope.is_done());
    }

    #[test]
    fn a_second_release_changes_nothing() {
        let mut envelope = Envelope::start(&times(), RATE);
        run(&mut envelope, 20);
        envelope.release();
        run(&mut envelope, 10);
        let level = envelope.level();
        envelope.release();
        assert_eq!(envelope.level(), level);
        assert_eq!(envelope.frames_left(), 40);
    }

    #[test]
    fn a_release_is_never_shorter_than_a_millisecond() {
        let mut envelope =
            Envelope::start(&EnvelopeTimes { release_s: 0.0, ..EnvelopeTimes::default() }, 48_000);
        envelope.release();
        assert_eq!(envelope.frames_left(), 48);
    }

    #[test]
    fn a_decay_of_nothing_still_takes_a_millisecond() {
        let times = EnvelopeTimes { hold_s: 0.01, sustain: 0.5, ..EnvelopeTimes::default() };
        let mut envelope = Envelope::start(&times, 48_000);
        let levels = run(&mut envelope, 600);
        assert_eq!((levels[479], levels[480], levels[528]), (1.0, 1.0, 0.5));
        // e^(−9.21/48) falls by 17 % of the way in the first frame.
        assert!(levels.windows(2).all(|pair| pair[0] - pair[1] <= 0.5 * 0.18));
    }

    #[test]
    fn passing_over_stages_is_the_same_as_going_through_them() {
        for frames in [0, 2, 5, 14, 60, 300] {
            let mut a = Envelope::start(&times(), RATE);
            let mut b = a;
            a.pass_over(frames);
            run(&mut b, frames);
            assert_eq!(a.level(), b.level(), "after {frames}");
        }
    }

    #[test]
    fn a_release_may_be_changed_until_it_begins() {
        let mut envelope = Envelope::start(&times(), RATE);
        envelope.pass_over(500);
        envelope.set_release(0.2, RATE);
        envelope.release();
        assert_eq!(envelope.frames_left(), 200);
        envelope.set_release(0.5, RATE);
        assert_eq!(envelope.frames_left(), 200);
    }

    #[test]
    fn a_chord_is_as_good_as_it_says() {
        for (seconds, curve) in
            [(0.1, Curve::EXPONENTIAL), (2.0, Curve::EXPONENTIAL), (0.5, Curve::shape(6.0))]
        {
            let times = EnvelopeTimes { attack_s: seconds, attack_curve: curve, ..EnvelopeTimes::default() };
            let mut envelope = Envelope::start(&times, 48_000);
            let chord = envelope.straight_for();
            assert!(chord >= 8, "{chord}");
            let mut worst = 0f32;
            while envelope.frames_left() > chord && envelope.frames_left() < u32::MAX {
                let (from, to) = (envelope.level(), envelope.level_after(chord));
                for n in 0..chord {
                    let line = from + (to - from) * n as f32 / chord as f32;
                    worst = worst.max((line - envelope.level_after(n)).abs());
                }
                envelope.advance(chord);
            }
            // Of the whole way, 1: the bound, and nearly reached where the curve is steepest.
            assert!((1e-4..5.1e-4).contains(&worst), "{worst}");
        }
        let straight = EnvelopeTimes { attack_s: 1.0, ..EnvelopeTimes::default() };
        assert_eq!(Envelope::start(&straight, 48_000).straight_for(), u32::MAX);
    }

    #[test]
    fn advancing_in_one_step_or_many_is_the_same() {
        let mut a = Envelope::start(&times(), RATE);
        let mut b = a;
        for step in [3, 4, 6, 5, 50, 50, 7] {
            a.advance(step);
            run(&mut b, step);
            assert_eq!(a, b);
        }
    }

    /// p(x) of the module's head, with std's functions.
    fn part(shape: f64, x: f64) -> f64 {
        if shape == 0.0 { x } else { (shape * x).exp_m1() / shape.exp_m1() }
    }

    #[test]
    fn every_curve_is_its_formula_and_arrives_exactly() {
        for shape in [-20.0, -10.3, -9.21, -3.8, -1.0, -0.01, -0.0002, 0.0, 0.0002, 0.5, 2.1, 8.0, 20.0] {
            let curve = Curve::shape(shape);
            let times = EnvelopeTimes {
                attack_curve: curve,
                decay_curve: curve,
                release_curve: curve,
                start: 0.125,
                ..times()
            };
            let mut envelope = Envelope::start(&times, RATE);
            let levels = run(&mut envelope, 150);
            envelope.release();
            let released = run(&mut envelope, 51);
            let on_the_way = |from: f64, to: f64, n: usize, frames: f64| {
                from + (to - from) * part(shape, (n as f64 / frames).min(1.0))
            };
            for (i, level) in levels.iter().chain(&released).enumerate() {
                let expected = match i {
                    0..3 => 0.125,
                    3..13 => on_the_way(0.125, 1.0, i - 3, 10.0),
                    13..18 => 1.0,
                    18..118 => on_the_way(1.0, 0.25, i - 18, 100.0),
                    118..150 => 0.25,
                    _ => on_the_way(0.25, 0.0, i - 150, 50.0),
                };
                // Half an ulp below 1 is 2⁻²⁵; the power of two is off by 2·10⁻¹³, which the flattest curve, whose
                // e^s − 1 is 2·10⁻⁴, makes 10⁻⁹.
                let off = (f64::from(*level) - expected).abs();
                assert!(off <= 2f64.powi(-25) + 2e-9, "shape {shape}, frame {i}: {level} not {expected}");
            }
            assert_eq!((levels[13], levels[118], released[50]), (1.0, 0.25, 0.0), "shape {shape}");
        }
    }

    #[test]
    fn shapes_are_clamped_and_the_default_ones_are_80_db_and_straight() {
        assert_eq!(Curve::shape(f64::NAN), Curve::LINEAR);
        assert_eq!(Curve::shape(-0.0001), Curve::LINEAR);
        assert_eq!(Curve::shape(f64::INFINITY), Curve::shape(Curve::MAX_SHAPE));
        let Curve(k) = Curve::EXPONENTIAL;
        assert_eq!(k, -(1.0001f64 / 0.0001).ln());
        assert_eq!(EnvelopeTimes::default().attack_curve, Curve::LINEAR);
    }

    #[test]
    fn a_falling_curve_is_straight_in_decibels() {
        // SF2: 100 dB in 1 s, so a sustain of −40 dB is reached after 0.4 s.
        let times = EnvelopeTimes {
            decay_s: 0.4,
            sustain: 0.01,
            decay_curve: Curve::falling(40.0),
            release_s: 1.0,
            release_curve: Curve::falling(100.0),
            ..EnvelopeTimes::default()
        };
        let mut envelope = Envelope::start(&times, RATE);
        for (n, level) in run(&mut envelope, 400).into_iter().enumerate() {
            let db = 20.0 * f64::from(level).log10();
            // 2⁻²⁵ relative to 0.01 or more is 2.6e-5 dB at most.
            assert!((db + n as f64 * 0.1).abs() < 3e-5, "{n}: {db} dB");
        }
        envelope.release();
        for (n, level) in run(&mut envelope, 900).into_iter().enumerate() {
            // It aims at −100 dB below and arrives at zero: what is missing is 10⁻⁵ of where it began.
            let expected = 0.01 * (10f64.powf(-0.005 * n as f64) - 1e-5) / (1.0 - 1e-5);
            assert!((f64::from(level) - expected).abs() < 1e-9, "{n}: {level} not {expected}");
        }
    }

    #[test]
    fn a_modulating_envelope_sits_at_zero_and_goes_on() {
        let times = EnvelopeTimes { decay_s: 0.01, sustain: 0.0, ..times() };
        let mut envelope = Envelope::modulating(&times, RATE);
        run(&mut envelope, 28);
        assert_eq!((envelope.level(), envelope.is_done(), envelope.is_flat()), (0.0, false, true));
        assert_eq!(envelope.frames_left(), u32::MAX);
        envelope.retrigger();
        assert_eq!(run(&mut envelope, 11)[10], 1.0);
        envelope.release();
        assert!(!envelope.is_done());
        run(&mut envelope, 50);
        assert_eq!((envelope.level(), envelope.is_done(), envelope.is_flat()), (0.0, true, true));
        assert_eq!(envelope.frames_left(), u32::MAX);
    }

    #[test]
    fn triggered_again_it_rises_from_where_it_is() {
        for held in [0, 3, 7, 13, 17, 40, 500] {
            for released in [None, Some(0), Some(20), Some(49)] {
                let mut envelope = Envelope::start(&times(), RATE);
                run(&mut envelope, held);
                if let Some(released) = released {
                    envelope.release();
                    run(&mut envelope, released);
                }
                let before = envelope.level();
                envelope.retrigger();
                assert_eq!(envelope.level(), before);
                let levels = run(&mut envelope, 200);
                for (n, level) in levels.iter().take(10).enumerate() {
                    let expected = f64::from(before) + (1.0 - f64::from(before)) * n as f64 / 10.0;
                    assert!((f64::from(*level) - expected).abs() <= 2f64.powi(-24));
                }
                assert_eq!((levels[10], levels[15], levels[199]), (1.0, 1.0, 0.25));
            }
        }
        // An attack of nothing is still no step.
        let times = EnvelopeTimes { sustain: 0.5, ..EnvelopeTimes::default() };
        let mut envelope = Envelope::start(&times, 48_000);
        run(&mut envelope, 100);
        envelope.retrigger();
        assert_eq!(envelope.level(), 0.5);
        let levels = run(&mut envelope, 49);
        assert!(levels.windows(2).all(|pair| pair[1] - pair[0] <= 0.5 / 48.0 + 1e-6));
        assert_eq!(levels[48], 1.0);
    }

    #[test]
    fn what_is_no_level_and_no_time_is_made_one() {
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 2.0, 1e300];
        for time in odd {
            for level in odd {
                let times = EnvelopeTimes {
                    delay_s: time.min(0.01),
                    attack_s: time,
                    hold_s: time,
                    decay_s: time,
                    release_s: time,
                    sustain: level,
                    start: level,
                    ..EnvelopeTimes::default()
                };
                let mut envelope = Envelope::start(&times, RATE);
                let mut levels = run(&mut envelope, 100);
                envelope.release();
                levels.extend(run(&mut envelope, 100));
                assert!(levels.iter().all(|level| (0.0..=1.0).contains(level)), "{times:?}: {levels:?}");
            }
        }
    }
}
