//! Loops that are exact at every joint, in both directions.
//!
//! A loop is a *cycle* `c` that comes round for ever: the frames `start..end`, or, alternating, those and the way back.
//! A crossfade is worked into it when it is made, so that the audio thread pays nothing for it. Where the playhead gets
//! from one piece of memory to another, a kernel near the joint needs frames of both; so each loop carries its *joints*,
//! copies of the frames around them:
//!
//! ```text
//!   inner   recording before `start`  |  c(0) …             into the loop forwards, out of it backwards
//!   wrap    … c(n − 1)                |  c(0) …             once round, either way
//!   outer   … c(outer_cycle − 1)      |  recording behind   out of the loop forwards, into it backwards
//! ```
//!
//! Every tap that is taken, at any speed, is the frame that the sound unrolled for ever would have there. A plain loop
//! that is long enough is its recording's own memory, and so are its inner and outer joint; others have a copy of the
//! loop, and only of that.

use super::Sample;
use super::sample::{GUARD_FRAMES, MAX_SAMPLE_FRAMES};
use crate::dsp::interpolate::MAX_TAPS;

/// What a loop does when the key is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopMode {
    /// Goes round until the envelope ends.
    Continuous,
    /// Is left on release: the recording plays on to its end.
    Sustain,
}

/// What a loop is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopSettings {
    /// First frame.
    pub start: u32,
    /// Frame behind the last.
    pub end: u32,
    /// What happens on release.
    pub mode: LoopMode,
    /// To the end and back again, the turning points not repeated: …, end − 2, end − 1, end − 2, …
    pub alternate: bool,
    /// So many frames before the end are blended with those before the start: at most as many as there are before the
    /// start, and as the loop is long. Not for alternating loops, which have no step to hide.
    pub crossfade_frames: u32,
}

impl LoopSettings {
    /// A plain loop over `start..end`.
    pub fn forward(start: u32, end: u32, mode: LoopMode) -> Self {
        Self { start, end, mode, alternate: false, crossfade_frames: 0 }
    }
}

/// Frames on either side of a joint at which a kernel touches both: as far as it reaches to one side.
pub const JOINT_FRAMES: u32 = MAX_TAPS as u32 / 2;

/// Shorter cycles are repeated until they are not: there must be plain data between two joints.
const MIN_CYCLE_FRAMES: u32 = 8 * JOINT_FRAMES;

/// Interleaved frames `−2·JOINT_FRAMES .. 2·JOINT_FRAMES` around a joint.
type Joint = Box<[f32]>;

/// Frames in memory: interleaved values, and the number that the first frame has where they are read.
#[derive(Clone, Copy, Debug)]
pub struct Frames<'a> {
    /// Interleaved.
    pub values: &'a [f32],
    /// Number of the first frame; may be negative.
    pub first: i64,
}

/// A loop of one sample.
#[derive(Debug)]
pub struct SampleLoop {
    start: u32,
    end: u32,
    mode: LoopMode,
    cycle_frames: u32,
    outer: (u32, u32),
    /// Frames of the cycle, and of each repetition in it, that are the recording's own; see `plain`.
    plain: (u32, u32),
    wrap: Joint,
    /// Where the recording's memory does not serve.
    baked: Option<Baked>,
}

#[derive(Debug)]
struct Baked {
    cycle: Box<[f32]>,
    inner: Joint,
    outer: Joint,
}

impl SampleLoop {
    /// A loop of this sample.
    ///
    /// `None` when `start..end` is empty or reaches beyond the sample, or the way there and back is longer than any
    /// sample may be. Thread: any that may allocate.
    pub fn new(sample: &Sample, settings: &LoopSettings) -> Option<Self> {
        let &LoopSettings { start, end, mode, alternate, crossfade_frames } = settings;
        if start >= end || end > sample.frames() {
            return None;
        }
        let length = end - start;
        let alternate = alternate && length > 1;
        let crossfade = if alternate { 0 } else { crossfade_frames.min(start).min(length) };
        let period = if alternate { (length - 1).checked_mul(2)? } else { length };
        let cycle_frames = period.checked_mul(MIN_CYCLE_FRAMES.div_ceil(period))?;
        if cycle_frames as usize > MAX_SAMPLE_FRAMES {
            return None;
        }
        let outer = match (alternate, crossfade) {
            // The last turning point at `end`.
            (true, _) => (cycle_frames - period + length, end),
            (_, 0) => (cycle_frames, end),
            // What precedes the end leads to the start: the recording is joined there, and heard once more as it is.
            _ => (cycle_frames, start),
        };
        let fade = Crossfade::new(sample, start, end, crossfade);
        // Value of the cycle, for any number of times round.
        let cycle = |frame: i64, channel: u8| {
            let at = frame.rem_euclid(i64::from(period));
            let at = if at < i64::from(length) { at } else { i64::from(period) - at };
            fade.value(sample, i64::from(start) + at, channel)
        };
        let channels = 0..sample.channels();
        let joint = |before: i64, behind: &dyn Fn(i64, u8) -> f32, at: &dyn Fn(i64, u8) -> f32| {
            let reach = 2 * i64::from(JOINT_FRAMES);
            let frames = -reach..reach;
            let values = frames.flat_map(|frame| {
                channels.clone().map(move |channel| {
                    if frame < 0 { at(before + frame, channel) } else { behind(frame, channel) }
                })
            });
            values.collect::<Joint>()
        };
        let recording = |frame: i64, channel: u8| sample.value(frame, channel);
        let wrap = joint(0, &cycle, &cycle);
        let own_memory = !alternate && crossfade == 0 && cycle_frames == length;
        let baked = (!own_memory).then(|| Baked {
            cycle: (0..i64::from(cycle_frames))
                .flat_map(|frame| channels.clone().map(move |channel| (frame, channel)))
                .map(|(frame, channel)| cycle(frame, channel))
                .collect(),
            inner: joint(i64::from(start), &cycle, &recording),
            outer: joint(
                i64::from(outer.0),
                &|frame, channel| recording(i64::from(outer.1) + frame, channel),
                &cycle,
            ),
        });
        let plain = (length - crossfade, period);
        Some(Self { start, end, mode, cycle_frames, outer, plain, wrap, baked })
    }

    /// First frame of the loop in the recording: frame 0 of the cycle.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// Frame behind the last in the recording.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// What happens on release.
    pub fn mode(&self) -> LoopMode {
        self.mode
    }

    /// Frames of the cycle: once round, or several times where the loop is very short.
    pub fn cycle_frames(&self) -> u32 {
        self.cycle_frames
    }

    /// Where the cycle meets what lies behind the loop: a frame of the cycle, and the frame of the recording that takes
    /// its place.
    pub fn outer(&self) -> (u32, u32) {
        self.outer
    }

    /// The frame of the recording that frame `frame` of the cycle is, when all that a kernel takes around it is the
    /// recording's, forwards, too: there a loop can be left on the spot.
    pub fn plain(&self, frame: i64) -> Option<i64> {
        let (plain, period) = self.plain;
        let at = frame.rem_euclid(i64::from(period));
        let reach = i64::from(JOINT_FRAMES);
        (at >= reach && at + reach < i64::from(plain)).then(|| i64::from(self.start) + at)
    }

    /// The cycle, for frames `JOINT_FRAMES .. cycle_frames − JOINT_FRAMES` of it.
    pub fn cycle<'a>(&'a self, sample: &'a Sample) -> Frames<'a> {
        match &self.baked {
            Some(baked) => Frames { values: &baked.cycle, first: 0 },
            None => {
                Frames { values: sample.guarded(), first: -(GUARD_FRAMES as i64) - i64::from(self.start) }
            }
        }
    }

    /// From one time round to the next, for `JOINT_FRAMES` on either side of `cycle_frames`.
    pub fn wrap(&self) -> Frames<'_> {
        around(&self.wrap, self.cycle_frames)
    }

    /// Between what precedes the loop and its first frame, for `JOINT_FRAMES` on either side of `start`; frames have the
    /// numbers of the recording.
    pub fn inner_joint<'a>(&'a self, sample: &'a Sample) -> Frames<'a> {
        self.baked.as_ref().map_or_else(|| recording(sample), |baked| around(&baked.inner, self.start))
    }

    /// Between the loop and what lies behind it, for `JOINT_FRAMES` on either side of `outer().1`; frames have the numbers
    /// of the recording.
    pub fn outer_joint<'a>(&'a self, sample: &'a Sample) -> Frames<'a> {
        self.baked.as_ref().map_or_else(|| recording(sample), |baked| around(&baked.outer, self.outer.1))
    }

    /// Memory held beside the recording's, in bytes.
    pub fn bytes(&self) -> usize {
        let baked = self.baked.as_ref().map_or(0, |baked| {
            size_of_val(&*baked.cycle) + size_of_val(&*baked.inner) + size_of_val(&*baked.outer)
        });
        size_of_val(&*self.wrap) + baked
    }
}

/// A recording with its guard frames.
pub fn recording(sample: &Sample) -> Frames<'_> {
    Frames { values: sample.guarded(), first: -(GUARD_FRAMES as i64) }
}

fn around(joint: &Joint, frame: u32) -> Frames<'_> {
    Frames { values: joint, first: i64::from(frame) - 2 * i64::from(JOINT_FRAMES) }
}

/// The last frames of a loop, blended with those before its start: frame i of n has the gains
///
/// ```text
///   cos φ / g,  sin φ / g,   φ = π/2 · i/n,   g = √(1 + 2 ρ sin φ cos φ)
/// ```
///
/// Power stays what it is, however alike the two are: ρ, their correlation, is measured. Equal power alone (ρ = 0) would
/// swell by 3 dB where a loop's ends match well, as those of tuned instruments do; a straight line (about ρ = 1) sinks
/// by as much where they don't. Frame n would be the loop's first, at its own gain: there is no step at either end.
struct Crossfade {
    from: i64,
    frames: u32,
    /// From a frame to its partner before the start.
    back: i64,
    correlation: f64,
}

impl Crossfade {
    fn new(sample: &Sample, start: u32, end: u32, frames: u32) -> Self {
        let (from, back) = (i64::from(end) - i64::from(frames), i64::from(end) - i64::from(start));
        let (mut both, mut ours, mut theirs) = (0.0, 0.0, 0.0);
        for frame in from..i64::from(end) {
            for channel in 0..sample.channels() {
                let [a, b] = [frame, frame - back].map(|frame| f64::from(sample.value(frame, channel)));
                both += a * b;
                ours += a * a;
                theirs += b * b;
            }
        }
        // Opposite phases would be raised without bound: those are left to cancel as they do.
        let correlation = if both > 0.0 { (both / (ours * theirs).sqrt()).min(1.0) } else { 0.0 };
        Self { from, frames, back, correlation }
    }

    fn value(&self, sample: &Sample, frame: i64, channel: u8) -> f32 {
        let value = sample.value(frame, channel);
        if frame < self.from {
            return value;
        }
        let angle = (frame - self.from) as f64 / f64::from(self.frames) * std::f64::consts::FRAC_PI_2;
        let (to, from) = angle.sin_cos();
        let power = (1.0 + 2.0 * self.correlation * to * from).sqrt();
        let partner = f64::from(sample.value(frame - self.back, channel));
        ((f64::from(value) * from + partner * to) / power) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: impl Iterator<Item = f32>) -> Sample {
        Sample::new(values.collect(), 1, 48_000).unwrap().0
    }

    fn ramp(frames: usize) -> Sample {
        sample((0..frames).map(|n| n as f32))
    }

    fn at(memory: Frames<'_>, frame: i64) -> f32 {
        memory.values[usize::try_from(frame - memory.first).unwrap()]
    }

    #[test]
    fn a_long_plain_loop_has_no_memory_but_its_wrap() {
        let sample = ramp(1000);
        let round = SampleLoop::new(&sample, &LoopSettings::forward(100, 700, LoopMode::Continuous)).unwrap();
        assert_eq!((round.cycle_frames(), round.outer(), round.bytes()), (600, (600, 700), 256 * 4));
        for frame in 0..600 {
            assert_eq!(at(round.cycle(&sample), frame), 100.0 + frame as f32);
        }
        for frame in 600 - 128..600 + 128 {
            assert_eq!(at(round.wrap(), frame), (100 + frame % 600) as f32);
        }
        for frame in -64..64 {
            assert_eq!(at(round.inner_joint(&sample), 100 + frame), (100 + frame) as f32);
            assert_eq!(at(round.outer_joint(&sample), 700 + frame), (700 + frame) as f32);
        }
    }

    #[test]
    fn a_short_loop_is_repeated_and_joined_to_both_sides() {
        let sample = ramp(20);
        let round = SampleLoop::new(&sample, &LoopSettings::forward(5, 15, LoopMode::Sustain)).unwrap();
        assert_eq!((round.cycle_frames(), round.outer()), (520, (520, 15)));
        assert!((0..520).all(|frame| at(round.cycle(&sample), frame) == (5 + frame % 10) as f32));
        let recorded = |frame: i64| if (0..20).contains(&frame) { frame as f32 } else { 0.0 };
        for frame in -128..128i64 {
            let looped = (5 + frame.rem_euclid(10)) as f32;
            assert_eq!(at(round.wrap(), 520 + frame), looped);
            assert_eq!(
                at(round.inner_joint(&sample), 5 + frame),
                if frame < 0 { recorded(5 + frame) } else { looped }
            );
            assert_eq!(
                at(round.outer_joint(&sample), 15 + frame),
                if frame < 0 { looped } else { recorded(15 + frame) }
            );
        }
    }

    #[test]
    fn an_alternating_loop_turns_without_repeating_its_turning_points() {
        let sample = ramp(2000);
        let settings =
            LoopSettings { alternate: true, ..LoopSettings::forward(100, 700, LoopMode::Continuous) };
        let round = SampleLoop::new(&sample, &settings).unwrap();
        assert_eq!((round.cycle_frames(), round.outer()), (1198, (600, 700)));
        let (mut frame, mut way) = (100, 1);
        for n in 0..1198 {
            assert_eq!(at(round.cycle(&sample), n), frame as f32);
            if frame + way == 700 || frame + way == 99 {
                way = -way;
            }
            frame += way;
        }
        assert_eq!(frame, 100);
        // Of two frames it is the same as a plain one, and of one, too.
        for (end, expected) in [(102, [100.0, 101.0]), (101, [100.0, 100.0])] {
            let round = SampleLoop::new(&sample, &LoopSettings { end, ..settings }).unwrap();
            assert!((0..512).all(|n| at(round.cycle(&sample), n) == expected[n as usize % 2]));
        }
    }

    #[test]
    fn a_crossfade_leads_to_the_start_and_keeps_the_power_of_what_is_unlike() {
        // Noise: unlike itself 3000 frames earlier.
        let noise = |n: u32| (n.wrapping_mul(2_654_435_761).rotate_left(13) as i32) as f32 * 2f32.powi(-31);
        let sample = sample((0..10_000).map(|n| noise(n * n + n)));
        let settings =
            LoopSettings { crossfade_frames: 2000, ..LoopSettings::forward(3000, 6000, LoopMode::Sustain) };
        let round = SampleLoop::new(&sample, &settings).unwrap();
        assert_eq!((round.cycle_frames(), round.outer()), (3000, (3000, 3000)));
        let power = |frames: std::ops::Range<i64>, of: &dyn Fn(i64) -> f32| {
            frames.map(|frame| f64::from(of(frame)).powi(2)).sum::<f64>()
        };
        let cycle = |frame: i64| at(round.cycle(&sample), frame);
        assert!((0..=1000).all(|frame| cycle(frame) == sample.value(3000 + frame, 0)));
        // Just before its end it is what precedes the start, but for sin and cos of π/4000.
        assert!((cycle(2999) - sample.value(2999, 0)).abs() < 1e-3);
        // Power of 100 stretches of 20 frames wanders by some 20 %; of 2000 frames by 2 or 3.
        let faded = power(1000..3000, &cycle);
        let plain = power(4000..6000, &|frame| sample.value(frame, 0));
        assert!((faded / plain - 1.0).abs() < 0.1, "{faded} {plain}");
    }

    #[test]
    fn a_crossfade_of_equal_ends_changes_nothing() {
        // A sine whose period divides the loop: ρ = 1, so the gains add up to 1.
        let sine = |n: u32| (f64::from(n) * std::f64::consts::TAU / 100.0).sin() as f32;
        let sample = sample((0..5000).map(sine));
        let settings =
            LoopSettings { crossfade_frames: 700, ..LoopSettings::forward(1000, 3000, LoopMode::Continuous) };
        let round = SampleLoop::new(&sample, &settings).unwrap();
        for frame in 0..2000i64 {
            let expected = sample.value(1000 + frame, 0);
            // ρ is off by the roundings of 700 squares.
            assert!((at(round.cycle(&sample), frame) - expected).abs() < 1e-6, "frame {frame}");
        }
    }

    #[test]
    fn a_crossfade_is_no_longer_than_there_is_sound() {
        let sample = ramp(5000);
        for (start, end) in [(0, 1000), (300, 2000), (2000, 2300)] {
            let settings = LoopSettings {
                crossfade_frames: u32::MAX,
                ..LoopSettings::forward(start, end, LoopMode::Sustain)
            };
            let round = SampleLoop::new(&sample, &settings).unwrap();
            let longest = start.min(end - start);
            let plain = i64::from(end - start - longest);
            assert!((0..plain).all(|f| at(round.cycle(&sample), f) == (i64::from(start) + f) as f32));
        }
    }

    #[test]
    fn impossible_loops_are_refused() {
        let sample = ramp(100);
        for (start, end) in [(0, 0), (50, 50), (60, 50), (0, 101), (100, 101)] {
            let settings = LoopSettings::forward(start, end, LoopMode::Continuous);
            assert!(SampleLoop::new(&sample, &settings).is_none(), "{start}..{end}");
        }
    }
}
