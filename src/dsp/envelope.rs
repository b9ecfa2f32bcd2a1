//! The amplitude envelope: delay, attack, hold, decay, sustain, release.
//!
//! Attack is linear; decay and release are exponential. Every stage is a closed form of the frames spent in it, and
//! its ends are exact: a stage of n frames reaches its target on frame n, not "about then". A plain exponential
//! never arrives, so the curve is stretched by ε to cross its target at the end:
//!
//! y(x) = (1 + ε)·e^(−k·x) − ε,  x = frames / n,  k = ln((1 + ε)/ε),  ε = 10⁻⁴ (−80 dB)
//!
//! so a release of `release_s` falls by 80 dB in that time and then is exactly silent.
//! Source: SFZ 1.0 (ampeg_*: linear attack, exponential decay and release); time to −80 dB as in ARIA-compatible
//! players.

/// How far below its start the exponential aims: −80 dB.
const EPSILON: f64 = 1e-4;
/// ln((1 + ε)/ε).
const K: f64 = 9.210_440_366_976_517;

/// Times in seconds and sustain as linear amplitude: what an instrument says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnvelopeTimes {
    /// Silence before the attack, s.
    pub delay_s: f64,
    /// From zero to full level, s.
    pub attack_s: f64,
    /// At full level, s.
    pub hold_s: f64,
    /// From full to sustain level, s.
    pub decay_s: f64,
    /// Level while the key is held, 0..=1.
    pub sustain: f64,
    /// From the current level to silence, s.
    pub release_s: f64,
}

impl Default for EnvelopeTimes {
    /// The recording as it is; a release of 0.1 s, since a key let go damps a string and a cut would click.
    fn default() -> Self {
        Self { delay_s: 0.0, attack_s: 0.0, hold_s: 0.0, decay_s: 0.0, sustain: 1.0, release_s: 0.1 }
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
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Delay,
    Attack,
    Hold,
    Decay,
    Sustain,
    Release { from: f32 },
    Done,
}

/// A running envelope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Envelope {
    shape: Shape,
    stage: Stage,
    /// Frames spent in the stage.
    position: u32,
}

/// Shortest release, and decay: a cut within one frame is a click (RT-11). 1 ms is what other players add, too.
const MIN_FALL_S: f64 = 0.001;

/// 0 at x = 1, 1 at x = 0, exponential between.
fn curve(x: f64) -> f64 {
    (1.0 + EPSILON) * (-K * x).exp() - EPSILON
}

fn frames(seconds: f64, sample_rate: u32) -> u32 {
    // Saturates: a stage of 2³² frames is a day at 48 kHz.
    (seconds * f64::from(sample_rate)).round() as u32
}

impl Envelope {
    /// An envelope that starts now.
    pub fn start(times: &EnvelopeTimes, sample_rate: u32) -> Self {
        let shape = Shape {
            delay: frames(times.delay_s, sample_rate),
            attack: frames(times.attack_s, sample_rate),
            hold: frames(times.hold_s, sample_rate),
            // To a lower level there is a way, however short: a step would click.
            decay: frames(times.decay_s.max(if times.sustain < 1.0 { MIN_FALL_S } else { 0.0 }), sample_rate),
            sustain: times.sustain as f32,
            release: frames(times.release_s.max(MIN_FALL_S), sample_rate).max(1),
        };
        let mut envelope = Self { shape, stage: Stage::Delay, position: 0 };
        envelope.skip_finished_stages();
        envelope
    }

    /// Level now, 0..=1.
    pub fn level(&self) -> f32 {
        self.level_after(0)
    }

    /// Level `frames` later; at most [`Self::frames_left`], for later stages are not looked into.
    pub fn level_after(&self, frames: u32) -> f32 {
        let position = self.position.saturating_add(frames);
        let x = |length: u32| f64::from(position) / f64::from(length.max(1));
        match self.stage {
            Stage::Delay | Stage::Done => 0.0,
            Stage::Attack => x(self.shape.attack) as f32,
            Stage::Hold => 1.0,
            Stage::Decay => {
                let sustain = f64::from(self.shape.sustain);
                if position >= self.shape.decay {
                    self.shape.sustain
                } else {
                    (sustain + (1.0 - sustain) * curve(x(self.shape.decay))) as f32
                }
            }
            Stage::Sustain => self.shape.sustain,
            Stage::Release { from } => {
                if position >= self.shape.release {
                    0.0
                } else {
                    (f64::from(from) * curve(x(self.shape.release))) as f32
                }
            }
        }
    }

    /// Whether the level stands still until the stage ends.
    pub fn is_flat(&self) -> bool {
        matches!(self.stage, Stage::Delay | Stage::Hold | Stage::Sustain)
    }

    /// Frames until the stage ends; `u32::MAX` in a stage without an end.
    pub fn frames_left(&self) -> u32 {
        self.length().map_or(u32::MAX, |length| length.saturating_sub(self.position))
    }

    /// Moves on by `frames`, at most [`Self::frames_left`].
    ///
    /// Returns whether another stage has begun: its first level need not be the last one's (an attack of 0).
    pub fn advance(&mut self, frames: u32) -> bool {
        self.position = self.position.saturating_add(frames);
        self.skip_finished_stages()
    }

    /// Lets go: the release starts from the current level. Once released it stays so.
    pub fn release(&mut self) {
        if !matches!(self.stage, Stage::Release { .. } | Stage::Done) {
            let from = self.level();
            self.stage = if from > 0.0 { Stage::Release { from } } else { Stage::Done };
            self.position = 0;
        }
    }

    /// Whether it has ended and stays silent.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Whether it has been let go.
    pub fn is_released(&self) -> bool {
        matches!(self.stage, Stage::Release { .. } | Stage::Done)
    }

    /// Frames of the current stage, or `None` when it has no end of its own.
    fn length(&self) -> Option<u32> {
        match self.stage {
            Stage::Delay => Some(self.shape.delay),
            Stage::Attack => Some(self.shape.attack),
            Stage::Hold => Some(self.shape.hold),
            Stage::Decay => Some(self.shape.decay),
            Stage::Release { .. } => Some(self.shape.release),
            Stage::Sustain | Stage::Done => None,
        }
    }

    fn skip_finished_stages(&mut self) -> bool {
        let mut moved = false;
        while let Some(length) = self.length() {
            if self.position < length {
                break;
            }
            moved = true;
            self.position = 0;
            self.stage = match self.stage {
                Stage::Delay => Stage::Attack,
                Stage::Attack => Stage::Hold,
                Stage::Hold => Stage::Decay,
                // A sustain of zero cannot sound again: the voice is over, not held for ever.
                Stage::Decay if self.shape.sustain == 0.0 => Stage::Done,
                Stage::Decay => Stage::Sustain,
                _ => Stage::Done,
            };
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
    fn advancing_in_one_step_or_many_is_the_same() {
        let mut a = Envelope::start(&times(), RATE);
        let mut b = a;
        for step in [3, 4, 6, 5, 50, 50, 7] {
            a.advance(step);
            run(&mut b, step);
            assert_eq!(a, b);
        }
    }
}
