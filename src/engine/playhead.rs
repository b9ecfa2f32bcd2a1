//! Where in its recording a voice reads: forwards or backwards, a part of it or all, round a loop and out again.
//!
//! Positions are 32.32 fixed point and every frame's value depends on recording, position and step alone, so that a
//! voice has the same bits however it is asked for its frames (RT-6). What is read is neither enveloped nor panned:
//! that is for `voice`. Thread: audio; no allocation.
//!
//! **Backwards** is the mirror image of forwards: a whole recording starts on its last frame and, at its own speed, comes
//! out as the same frames in the opposite order. A loop is entered from behind and gone round backwards; a sustain
//! loop is left, on release, towards the beginning.
//!
//! **A part** of a recording begins and ends in the middle of a sound, and the kernel would ring into what lies behind it:
//! so what is read rises and falls in a straight line over [`EDGE_S`] of the recording where it was cut. The ends of the
//! recording itself stay as they were recorded. The line belongs to the position: no voice has to know when to begin.

use crate::dsp::interpolate::{Kernel, ONE_FRAME, Phase, Step, UNISON, prefetch};
use crate::instrument::{
    Frames as Memory, JOINT_FRAMES, LoopMode, Playback, Region, Sample, SampleLoop, recording,
};
use crate::units::Frames;

/// Fastest a recording is read, frames per frame: ten octaves up.
const MAX_STEP: f64 = 1024.0;

/// Length of the line at a cut, seconds of the recording: what SuperCollider's SuperDirt gives the parts that live coders
/// cut. Like all of the sound, it is shorter when it is played faster.
const EDGE_S: f64 = 0.001;

/// But it has at least so many frames when it is put out.
const EDGE_STEPS: u64 = 16;

/// Most values that are asked for at a time: 128 frames of a stereo recording an octave up. Four voices ahead they are a
/// quarter of a first-level cache.
const MOST_FETCHED: usize = 512;

/// More than any line is long.
const RISEN: u64 = u64::MAX;

/// A position in the numbers of the recording or of a loop's cycle, 32.32 fixed point, and negative before the first.
type Place = i64;

/// The part of a recording that is played, and which way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// First frame; a fraction begins between two.
    pub begin_frames: f64,
    /// Frame behind the last.
    pub end_frames: f64,
    /// From the last frame to the first.
    pub reverse: bool,
}

impl Span {
    /// What a region plays.
    pub fn of(region: &Region) -> Self {
        let end = region.end_frame.unwrap_or(u32::MAX).min(region.sample.frames());
        Self {
            begin_frames: region.offset_frames,
            end_frames: f64::from(end),
            reverse: region.manner.reverse,
        }
    }

    /// A part of it: 0 is its beginning, 1 its end.
    pub fn part(self, begin: f64, end: f64) -> Self {
        let at = |x: f64| self.begin_frames + (self.end_frames - self.begin_frames) * x.clamp(0.0, 1.0);
        Self { begin_frames: at(begin), end_frames: at(end), ..self }
    }

    /// The other way round.
    pub fn reversed(self) -> Self {
        Self { reverse: !self.reverse, ..self }
    }
}

/// Where it is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// In the recording, and there is no loop on the way to its end.
    Plain,
    /// In the recording, on the way to the loop.
    Before,
    /// In the loop: positions have the numbers of its cycle.
    Round,
    /// In the loop for the last time: positions have the numbers of the recording that follows.
    Leaving,
    /// In the recording behind the loop, or on the joint with it.
    Left,
}

/// The place in a region's recording from which the next frame is read.
#[derive(Clone, Copy, Debug)]
pub struct Playhead {
    part: Part,
    leaving: bool,
    ended: bool,
    reverse: bool,
    position: Place,
    /// Negative when it goes backwards.
    step: Step,
    /// Where it ends: on the first position that is not before it. `None`: with the recording.
    cut: Option<Place>,
    /// Way since the cut at its beginning; [`RISEN`] when there was none, or its line has reached 1.
    risen: u64,
    /// Longest that a line may be: half of what is played.
    longest_edge: u64,
}

/// Memory to read from, and how far: positions from `low` to before `high`.
struct Stretch<'a> {
    memory: Memory<'a>,
    low: Place,
    high: Place,
}

fn whole(sample: &Sample) -> Stretch<'_> {
    Stretch { memory: recording(sample), low: Place::MIN, high: Place::MAX }
}

fn place(frame: impl Into<i64>) -> Place {
    // Frame numbers are below 2³¹ (`MAX_SAMPLE_FRAMES`), with joints, too.
    frame.into().wrapping_mul(UNISON)
}

/// A place on a fraction of a frame. Rounded by adding a half, which is exact here and no call into the maths library.
fn fractional(frames: f64) -> Place {
    (frames * ONE_FRAME as f64 + 0.5) as Place
}

const JOINT: Place = JOINT_FRAMES as Place * UNISON;

impl Playhead {
    /// At the first frame of a span of a region's recording, at the recording's own speed. What lies outside of the
    /// recording is left out; an empty span has ended. A loop that is not within the span is not gone round.
    pub fn start(region: &Region, span: Span) -> Self {
        let frames = f64::from(region.sample.frames());
        let within = |frame: f64| if frame > 0.0 { fractional(frame.min(frames)) } else { 0 };
        let (begin, end, reverse) = (within(span.begin_frames), within(span.end_frames), span.reverse);
        let behind = place(region.sample.frames());
        // Backwards: as many positions, in the mirror.
        let (position, first_is_cut, last_is_cut, stop) = match reverse {
            false => (begin, begin > 0, end < behind, end),
            true => (end - UNISON, end < behind, begin > 0, begin - UNISON),
        };
        let reaches = |round: &SampleLoop| match reverse {
            false => position < place(round.end()) && place(round.end()) <= end,
            true => position >= place(round.start()) && begin <= place(round.start()),
        };
        let looped = matches!(&region.playback, Playback::Loop(round) if reaches(round));
        Self {
            part: if looped { Part::Before } else { Part::Plain },
            leaving: false,
            ended: begin >= end,
            reverse,
            position,
            step: if reverse { -UNISON } else { UNISON },
            cut: last_is_cut.then_some(stop),
            risen: if first_is_cut { 0 } else { RISEN },
            longest_edge: end.saturating_sub(begin).unsigned_abs() / 2,
        }
    }

    /// Sets the speed: frames of the recording per frame that is put out, at most [`MAX_STEP`], in the direction in which it
    /// started.
    pub fn set_step(&mut self, ratio: f64) {
        // At least one unit of phase, so that a voice cannot stand still for ever. By way of i64, for which processors
        // have an instruction.
        let step = fractional(ratio.abs().min(MAX_STEP)).max(1);
        self.step = if self.reverse { -step } else { step };
    }

    /// Moves on as if so many frames had been put out, at the step now set.
    pub fn skip(&mut self, frames_out: Frames) {
        let way = i128::from(self.step) * i128::from(frames_out);
        // Farther than any sample is long; a loop takes the remainder by itself.
        const FAR: i128 = 1 << 62;
        self.position = (i128::from(self.position) + way).clamp(-FAR, FAR) as Place;
        self.risen = u64::try_from(way.unsigned_abs()).map_or(RISEN, |way| self.risen.saturating_add(way));
    }

    /// The key is let go: a sustain loop is left.
    pub fn release(&mut self, region: &Region) {
        if let Playback::Loop(round) = &region.playback {
            self.leaving |= round.mode() == LoopMode::Sustain;
        }
    }

    /// Whether nothing is left to be read. Known on the frame of the end, not when the next is asked for: an event
    /// there finds the voice free.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Asks the processor for the memory that the next `frames` will be read from: for a voice that is rendered soon, while
    /// others are. Changes nothing, and what lies behind a joint is left to chance.
    pub fn prefetch(&self, region: &Region, frames: usize) {
        let sample = &*region.sample;
        let memory = match &region.playback {
            Playback::Loop(round) if self.part == Part::Round => round.cycle(sample),
            _ => recording(sample),
        };
        let channels = usize::from(sample.channels());
        let way = self.step.saturating_mul(frames as Step) >> 32;
        let first = (self.position >> 32).saturating_add(way.min(0)).saturating_sub(memory.first);
        let first = usize::try_from(first).unwrap_or(0).saturating_mul(channels);
        let count = (way.unsigned_abs() as usize + 12).saturating_mul(channels).min(MOST_FETCHED);
        let values = memory.values.get(first..).unwrap_or(&[]);
        prefetch(values.get(..count).unwrap_or(values));
    }

    /// Reads the next frames, `left.len()` unless the recording ends before; returns how many. `right` is as long as
    /// `left`; a mono recording leaves it as it is.
    pub fn read(&mut self, region: &Region, kernel: &Kernel, left: &mut [f32], right: &mut [f32]) -> usize {
        let mut done = 0;
        while !self.ended
            && let (Some(left), Some(right)) = (left.get_mut(done..), right.get_mut(done..))
            && !left.is_empty()
        {
            let count = self.read_stretch(region, kernel, left, right);
            if count == 0 {
                break;
            }
            done += count;
        }
        done
    }

    /// Reads up to the next joint or end; returns how many frames. None: it has ended.
    fn read_stretch(
        &mut self,
        region: &Region,
        kernel: &Kernel,
        left: &mut [f32],
        right: &mut [f32],
    ) -> usize {
        let sample = &*region.sample;
        let Stretch { memory, low, high } = match &region.playback {
            Playback::Loop(round) if self.part != Part::Plain => self.on_the_way(sample, round),
            _ => whole(sample),
        };
        let end = matches!(self.part, Part::Plain | Part::Left).then(|| self.end(sample, kernel));
        if end.is_some_and(|end| self.is_past(end)) {
            self.ended = true;
            return 0;
        }
        let speed = self.step.unsigned_abs();
        let reachable = match self.reverse {
            false => end.map_or(high, |end| end.min(high)).abs_diff(self.position).div_ceil(speed),
            true => {
                let above = self.position.abs_diff(low) / speed + 1;
                end.map_or(above, |end| above.min(self.position.abs_diff(end).div_ceil(speed)))
            }
        };
        let count = left.len().min(right.len()).min(usize::try_from(reachable).unwrap_or(usize::MAX));
        let (Some(left), Some(right)) = (left.get_mut(..count), right.get_mut(..count)) else { return 0 };
        // Not negative: no stretch begins before its memory does, by as much as a kernel reaches.
        let position = self.position.wrapping_sub(place(memory.first)) as Phase;
        if sample.channels() == 2 {
            kernel.read_stereo(memory.values, position, self.step, left, right);
        } else {
            kernel.read_mono(memory.values, position, self.step, left);
        }
        let cut = end.and(self.cut);
        if self.risen != RISEN || cut.is_some() {
            self.draw_edges(sample, cut, [left, right]);
        }
        self.position = self.position.wrapping_add(self.step.wrapping_mul(count as Step));
        self.ended |= end.is_some_and(|end| self.is_past(end));
        count
    }

    /// Where it ends when no loop comes any more. The kernel rings on until its taps have left the recording.
    fn end(&self, sample: &Sample, kernel: &Kernel) -> Place {
        self.cut.unwrap_or_else(|| {
            let before = place(kernel.frames_before(self.step));
            if self.reverse { -before - UNISON } else { place(sample.frames()) + before }
        })
    }

    fn is_past(&self, end: Place) -> bool {
        if self.reverse { self.position <= end } else { self.position >= end }
    }

    /// What is read next around a loop.
    ///
    /// Terminates: each part leads only to those below it in [`Part`].
    fn on_the_way<'a>(&mut self, sample: &'a Sample, round: &'a SampleLoop) -> Stretch<'a> {
        let start = place(round.start());
        let (outer_cycle, outer) = round.outer();
        let (outer_cycle, outer) = (place(outer_cycle), place(outer));
        // Where it gets in and out, in the numbers of the recording.
        let inner_joint = (start, round.inner_joint(sample));
        let outer_joint = (outer, round.outer_joint(sample));
        let ((entry, entry_memory), (exit, exit_memory)) =
            if self.reverse { (outer_joint, inner_joint) } else { (inner_joint, outer_joint) };
        let joint = |at: Place, memory| Stretch { memory, low: at - JOINT, high: at + JOINT };
        // A loop is on one side of its joints, the recording on the other.
        let beyond = |at: Place, reverse: bool| match reverse {
            false => Stretch { memory: recording(sample), low: at + JOINT, high: Place::MAX },
            true => Stretch { memory: recording(sample), low: Place::MIN, high: at - JOINT },
        };
        let on_joint = |position: Place, at: Place| position >= at - JOINT && position < at + JOINT;
        let behind_joint = |position: Place, at: Place| {
            if self.reverse { position < at - JOINT } else { position >= at + JOINT }
        };
        if self.part == Part::Before {
            if on_joint(self.position, entry) {
                return joint(entry, entry_memory);
            }
            if !behind_joint(self.position, entry) {
                if self.leaving {
                    self.part = Part::Plain;
                }
                return beyond(entry, !self.reverse);
            }
            self.part = Part::Round;
            self.position += if self.reverse { outer_cycle - outer } else { -start };
        }
        let cycle = place(round.cycle_frames());
        // Every place of the cycle between the joints before and behind its end: from here to once round.
        let normal = |position: Place| (position - JOINT).rem_euclid(cycle) + JOINT;
        let in_cycle = |position: Place| {
            if position < cycle - JOINT {
                Stretch { memory: round.cycle(sample), low: JOINT, high: cycle - JOINT }
            } else {
                Stretch { memory: round.wrap(), low: cycle - JOINT, high: cycle + JOINT }
            }
        };
        if self.part == Part::Round {
            self.position = normal(self.position);
            if !self.leaving {
                return in_cycle(self.position);
            }
            let plain = round.plain(self.position >> 32).filter(|_| !self.reverse);
            if let Some(frame) = plain {
                self.part = Part::Plain;
                self.position = place(frame) + (self.position & (UNISON - 1));
                return whole(sample);
            }
            // The next time that it comes by the exit, and on the joint from before its beginning.
            self.position += match self.reverse {
                false if self.position < outer_cycle - JOINT => outer - outer_cycle,
                false => outer - outer_cycle - cycle,
                true => start,
            };
            self.part = Part::Leaving;
        }
        if self.part == Part::Leaving {
            let ahead =
                if self.reverse { self.position >= exit + JOINT } else { self.position < exit - JOINT };
            if ahead {
                let numbers = if self.reverse { start } else { outer - outer_cycle };
                let there = normal(self.position - numbers);
                let Stretch { memory, low, high } = in_cycle(there);
                // The same stretch in the numbers of the recording, up to the exit's joint.
                let shift = self.position - there;
                let (low, high) = (low + shift, high + shift);
                let memory = Memory { first: memory.first + (shift >> 32), ..memory };
                return match self.reverse {
                    false => Stretch { memory, low, high: high.min(exit - JOINT) },
                    true => Stretch { memory, low: low.max(exit + JOINT), high },
                };
            }
            self.part = Part::Left;
        }
        if on_joint(self.position, exit) { joint(exit, exit_memory) } else { beyond(exit, self.reverse) }
    }

    /// Draws the lines where the recording was cut over the frames just read.
    fn draw_edges(&mut self, sample: &Sample, cut: Option<Place>, sides: [&mut [f32]; 2]) {
        let edge = fractional(EDGE_S * f64::from(sample.sample_rate())).unsigned_abs();
        let speed = self.step.unsigned_abs();
        let length = edge.max(speed.saturating_mul(EDGE_STEPS)).min(self.longest_edge).max(1);
        let scale = 1.0 / length as f64;
        let risen = self.risen;
        for side in sides.into_iter().take(usize::from(sample.channels())) {
            let mut position = self.position;
            self.risen = risen;
            for value in side {
                let left = cut.map_or(length, |cut| position.abs_diff(cut));
                *value *= (self.risen.min(left).min(length) as f64 * scale) as f32;
                self.risen = self.risen.saturating_add(speed);
                position = position.wrapping_add(self.step);
            }
        }
        if self.risen >= length {
            // For good: the line is longer where the recording is read faster.
            self.risen = RISEN;
        }
    }
}
