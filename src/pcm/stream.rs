//! A stream: the source that plays a ring.
//!
//! Everything that its owner says (gain, end, stop, clear) stands in [`StreamShared`] and is looked at once a block;
//! everything that it has to tell stands there, too. So nothing travels but the stream itself: in by a lane, out by the
//! collector.
//!
//! Frames that are there are played. Where they run out before the end was announced, that is an underrun: counted, led to
//! silence ([`super::fade`]), and what comes then rises again, once as much is there as the owner wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::fade::Fade;
use super::rate::Rate;
use super::ring::{Fill, Reading, Ring};
use super::route::Routes;
use crate::dsp::ramp::Ramp;
use crate::rt::counters::Counter;
use crate::rt::source::{Buses, CHUNK, Source};

/// Gain reaches a new value in this time, as everywhere in the engine.
const RAMP_S: f64 = 0.005;
/// +120 dB: no sound is louder, and sums of such values stay finite.
const LOUDEST: f32 = 1e6;
/// No clear is wanted.
const NO_INDEX: i32 = -1;

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// More frames may come.
    Open = 0,
    /// Those that are there are the last.
    Ended = 1,
    /// Silence now.
    Stopped = 2,
}

/// What a stream's owner and the audio thread say to each other.
#[derive(Debug)]
pub struct StreamShared {
    phase: AtomicU8,
    gain: AtomicU32,
    clear_to: AtomicI32,
    threshold: AtomicU32,
    sounding: AtomicBool,
    finished: AtomicU64,
    /// Frames played.
    pub frames: Counter,
    /// Times that the ring ran dry.
    pub underruns: Counter,
    /// Blocks for which the ring's indices made no sense.
    pub hostile: Counter,
    /// Values that were not finite.
    pub non_finite: Counter,
}

impl Default for StreamShared {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Open as u8),
            gain: AtomicU32::new(1f32.to_bits()),
            clear_to: AtomicI32::new(NO_INDEX),
            threshold: AtomicU32::new(0),
            sounding: AtomicBool::new(false),
            finished: AtomicU64::new(0),
            frames: Counter::new(),
            underruns: Counter::new(),
            hostile: Counter::new(),
            non_finite: Counter::new(),
        }
    }
}

impl StreamShared {
    /// Linear amplitude; reached in 5 ms.
    pub fn set_gain(&self, gain: f32) {
        self.gain.store(gain.to_bits(), Ordering::Relaxed);
    }

    /// How many frames must be there before it begins, at the start and after it ran dry. It waits no longer than they
    /// would last.
    pub fn set_threshold(&self, frames: u32) {
        self.threshold.store(frames, Ordering::Relaxed);
    }

    /// Forgets what the ring holds before this index.
    pub fn clear(&self, to: i32) {
        self.clear_to.store(to, Ordering::Release);
    }

    /// Announces that no more frames come. To be called after the last has been written.
    pub fn end(&self) {
        self.phase.fetch_max(Phase::Ended as u8, Ordering::Release);
    }

    /// Silence now, with a fade.
    pub fn stop(&self) {
        self.phase.store(Phase::Stopped as u8, Ordering::Release);
    }

    /// Whether anything was heard in the last block, or will be by itself.
    pub fn is_sounding(&self) -> bool {
        self.sounding.load(Ordering::Acquire)
    }

    /// The frame on the engine clock from which on nothing of it is heard; `None` while it is not over.
    pub fn finished(&self) -> Option<u64> {
        self.finished.load(Ordering::Acquire).checked_sub(1)
    }

    /// Whether it was told to be silent.
    pub fn is_stopped(&self) -> bool {
        self.phase() == Phase::Stopped
    }

    fn phase(&self) -> Phase {
        // Acquire: whoever sees the end sees all that was written before it.
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Ended,
            _ => Phase::Stopped,
        }
    }
}

/// What a stream is made of.
pub struct StreamSpec {
    /// What it plays.
    pub ring: Arc<Ring>,
    /// Where it is told and tells.
    pub shared: Arc<StreamShared>,
    /// Of the ring's frames, Hz.
    pub rate: u32,
    /// Of the engine, Hz.
    pub engine_rate: u32,
    /// Channels of the device.
    pub outputs: usize,
}

/// The source.
pub struct Stream {
    input: Input,
    rate: Option<Rate>,
    routes: Routes,
    frames: Vec<f32>,
    gain: Ramp,
    ramp_frames: u32,
    sounding: bool,
    over: bool,
}

impl Stream {
    /// Allocates all that it will need.
    pub fn new(spec: StreamSpec) -> Self {
        let channels = spec.ring.stride();
        let gain = f32::from_bits(spec.shared.gain.load(Ordering::Relaxed));
        Self {
            rate: (spec.rate != spec.engine_rate)
                .then(|| Rate::new(spec.rate, spec.engine_rate, channels))
                .flatten(),
            routes: Routes::new(channels, spec.outputs),
            frames: vec![0.0; CHUNK * channels],
            gain: Ramp::at_rest(gain),
            ramp_frames: (RAMP_S * f64::from(spec.engine_rate)) as u32,
            input: Input {
                state: State {
                    fade: Fade::new(channels, spec.rate),
                    playing: false,
                    waited: 0,
                    next: None,
                    finished: false,
                    replaced: 0,
                },
                ring: spec.ring,
                shared: spec.shared,
            },
            sounding: false,
            over: false,
        }
    }
}

impl Source for Stream {
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    fn render(&mut self, frame: u64, frames: usize, buses: &mut Buses<'_>) -> u64 {
        let Self { input, rate, routes, gain, .. } = self;
        let wanted = f32::from_bits(input.shared.gain.load(Ordering::Relaxed));
        if wanted != gain.target() {
            gain.glide(wanted, frame, self.ramp_frames);
        }
        let channels = input.ring.stride();
        let Some(values) = self.frames.get_mut(..frames * channels) else { return 0 };
        match rate {
            // Nothing is left and nothing has come: a stream that waits costs a look at its ring.
            _ if self.over || !(self.sounding || input.has_work()) => return 0,
            None => {
                input.pull(values);
            }
            Some(rate) => rate.pull(values, |piece| input.pull(piece)),
        }
        if gain.moves_at(frame) {
            routes.mix(values, buses, |n| gain.at(frame + n as u64));
        } else {
            let gain = gain.target();
            routes.mix(values, buses, |_| gain);
        }
        let settled = rate.as_ref().is_none_or(Rate::is_settled);
        self.sounding = input.state.sounds() || !settled;
        if input.state.finished && !self.sounding {
            self.over = true;
            input.shared.finished.store(frame + frames as u64 + 1, Ordering::Release);
        }
        input.shared.sounding.store(self.sounding, Ordering::Release);
        std::mem::take(&mut input.state.replaced)
    }

    fn sounds(&self) -> bool {
        self.sounding
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

/// The stream at its own rate: the ring, and the fades.
struct Input {
    ring: Arc<Ring>,
    shared: Arc<StreamShared>,
    state: State,
}

struct State {
    fade: Fade,
    playing: bool,
    /// Frames for which what is there has waited for more.
    waited: usize,
    /// The index that comes next, unless somebody else moves it.
    next: Option<usize>,
    finished: bool,
    /// Values that were not finite, since they were last asked for.
    replaced: u64,
}

impl Input {
    /// Whether a silent stream has anything to do.
    fn has_work(&self) -> bool {
        self.shared.phase() != Phase::Open
            || self.ring.enter().is_none_or(|reading| match reading.fill() {
                Fill::Frames { count, .. } => count > 0,
                Fill::Hostile => true,
            })
    }

    /// Fills `out`, interleaved; says whether all of it is silence.
    fn pull(&mut self, out: &mut [f32]) -> bool {
        let Self { ring, shared, state } = self;
        // First of all: what is there after an end was seen is all that there will be.
        let phase = shared.phase();
        let silent_before = state.fade.is_silent();
        let played = match ring.enter() {
            Some(reading) if phase != Phase::Stopped => {
                state.play(shared, phase, &reading, ring.stride(), out)
            }
            _ => {
                state.finished = true;
                state.halt();
                0
            }
        };
        state.fade.silence(out.get_mut(played..).unwrap_or_default());
        played == 0 && silent_before && state.fade.is_silent()
    }
}

impl State {
    fn sounds(&self) -> bool {
        self.playing || self.waited > 0 || !self.fade.is_silent()
    }

    /// What comes next is no continuation of what was heard last.
    fn halt(&mut self) {
        if std::mem::replace(&mut self.playing, false) {
            self.fade.cut();
        }
        self.waited = 0;
    }

    /// Plays what is there; returns how many values of `out` it filled.
    fn play(
        &mut self,
        shared: &StreamShared,
        phase: Phase,
        reading: &Reading<'_>,
        stride: usize,
        out: &mut [f32],
    ) -> usize {
        let Fill::Frames { mut count, mut from } = reading.fill() else {
            shared.hostile.add(1);
            self.halt();
            self.next = None;
            // Nothing can come of it any more.
            self.finished = phase == Phase::Ended;
            return 0;
        };
        // Read only while one is wanted: writing to memory that others write would cost every block.
        if shared.clear_to.load(Ordering::Acquire) != NO_INDEX {
            let to = shared.clear_to.swap(NO_INDEX, Ordering::AcqRel);
            let forgotten = usize::try_from(to).map_or(0, |to| reading.distance(from, to));
            if forgotten <= count {
                (from, count) = (reading.after(from, forgotten), count - forgotten);
                reading.set_read(from);
                self.halt();
                self.next = None;
            }
        }
        if self.next.is_some_and(|next| next != from) {
            self.halt();
        }
        let wanted = out.len() / stride;
        if !self.playing {
            self.next = Some(from);
            let threshold = shared.threshold.load(Ordering::Relaxed) as usize;
            if count == 0 {
                self.waited = 0;
                self.finished = phase == Phase::Ended;
                return 0;
            }
            if phase == Phase::Open && count < threshold && self.waited < threshold {
                self.waited += wanted;
                return 0;
            }
            (self.playing, self.waited) = (true, 0);
        }
        let frames = count.min(wanted);
        let Some(values) = out.get_mut(..frames * stride) else { return 0 };
        reading.copy(from, values);
        let next = reading.after(from, frames);
        reading.set_read(next);
        self.next = Some(next);
        shared.frames.add(frames as u64);
        let replaced = make_finite(values);
        if replaced > 0 {
            shared.non_finite.add(replaced);
            self.replaced += replaced;
        }
        self.fade.sound(values);
        if frames < wanted {
            self.halt();
            if phase == Phase::Ended {
                self.finished = true;
            } else {
                shared.underruns.add(1);
            }
        }
        frames * stride
    }
}

/// Puts 0 where a value is not finite, and returns how often; holds the rest within what sums can bear.
fn make_finite(values: &mut [f32]) -> u64 {
    let mut replaced = 0;
    for value in values {
        if value.is_finite() {
            *value = value.clamp(-LOUDEST, LOUDEST);
        } else {
            *value = 0.0;
            replaced += 1;
        }
    }
    replaced
}
