//! The engine: events in, frames out.
//!
//! A value: it knows no thread, file, lock or clock. [`Engine::process`] runs on the audio thread, or on the caller's
//! when the engine is offline; there is no other version of it. Between entry and exit it reads its lanes, renders
//! into memory it already owns and bumps counters (RT-1 to RT-5); whatever must be freed leaves by the collector.
//!
//! Work per block is bounded (RT-4): at most [`DELIVERIES_PER_BLOCK`] deliveries, the events that are due (at most
//! [`SCHEDULED_EVENTS`]), one search for a victim per voice and frame, and polyphony × frames of voices. An event for a
//! note or a key visits its voices; one for a channel is remembered, and its voices are visited once before they sound.

mod apply;
mod bus;
mod chains;
mod channel;
mod counters;
mod effects;
mod effort;
pub mod event;
mod filtered;
pub mod instruments;
pub mod message;
mod modulators;
mod note;
mod onset;
mod output;
mod player;
mod playhead;
mod programs;
mod render;
mod sampler;
mod scheduler;
mod sends;
mod sources;
mod storage;
mod tone;
mod trigger;
mod voice;
mod voices;
mod zones;

#[cfg(test)]
mod tests;

pub use counters::{EngineCounters, Reading};
pub use effort::{Effort, Share};
pub use instruments::{MAX_GENERATIONS, MAX_INSTRUMENTS};
pub use playhead::Span;
pub use programs::Programs;
pub use sampler::{Sampler, Stealing};
pub use storage::Storage;

use std::sync::Arc;

use crate::dsp::interpolate::{Interpolation, Kernel};
use crate::dsp::limiter::{Limiter, LimiterSettings};
use crate::rt::collector::{Collector, Outbox, collector};
use crate::rt::guard::Guard;
use crate::rt::lane::{CLOCK_FADES, CLOCK_RUNS, CLOCK_STANDS, Delivery, LaneReceiver, LaneSender, lane};
use crate::units::Frames;

use channel::Glides;
use counters::Metering;
use effort::Easing;
use event::{Event, InstrumentIndex, SamplerIndex, When};
use filtered::Filtered;
use instruments::Instruments;
use message::{Command, Outgoing};
use output::Output;
use scheduler::Scheduler;
use sources::Sources;
use voice::Scratch;
use voices::Voices;

/// Frames rendered at a time: small enough for every bus to stay in the first-level cache.
pub const MAX_CHUNK: usize = crate::rt::source::CHUNK;
/// Samplers on one engine.
pub const MAX_SAMPLERS: usize = 256;
/// Effects on one engine: each sampler's, and those that they replace.
const MAX_EFFECTS: usize = 2 * note::SENDS * MAX_SAMPLERS;
/// Sources beside the samplers, on one engine.
pub const MAX_SOURCES: usize = 4096;
/// Producers on one engine.
pub const MAX_LANES: usize = 64;
/// Records that a lane from JavaScript holds: 1 MiB, six blocks of 128 frames at a million events a second.
pub const LANE_RECORDS: usize = 16_384;
/// Owned messages that a lane holds: as many as all places of an engine can give rise to at once, so that none has to
/// wait and be overtaken by records.
pub const LANE_OBJECTS: usize = 8_192;
/// Events that may wait.
pub const SCHEDULED_EVENTS: usize = 65_536;
/// Deliveries taken in one block, shared evenly by the lanes: six times a million events a second at 128 frames.
pub const DELIVERIES_PER_BLOCK: usize = 16_384;
/// Facts about notes that wait to be told.
const FACTS: usize = 4 * LANE_RECORDS;
/// Layers that one note starts at most.
pub const MAX_LAYERS: usize = 64;

/// A stolen or silenced voice is gone after this long. ARIA's `off_mode=fast` decays in about 6 ms; instruments are
/// voiced for it.
pub const STEAL_FADE_S: f64 = 0.006;
/// Gain, pan and mute reach a new value in this time: 5 ms is short for the ear and 240 frames at 48 kHz.
const RAMP_S: f64 = 0.005;
/// Pitch bend reaches a new value in this time: controllers send one every few milliseconds.
const BEND_RAMP_S: f64 = 0.001_5;
/// What is cut for want of any room is led to zero with this time constant, −60 dB in 7 ms.
const RESIDUE_TIME_CONSTANT_S: f64 = 0.001;

/// How an engine is made.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Hz.
    pub sample_rate: u32,
    /// Output channels, at least 1.
    pub channels: usize,
    /// Voices that may sound at a time over all samplers.
    pub polyphony: usize,
    /// Kernel of new voices, until [`Command::SetKernel`].
    pub interpolation: Interpolation,
    /// What holds the sum below the ceiling; `None`: nothing does.
    pub limiter: Option<LimiterSettings>,
}

/// State of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineState {
    /// Frames go by.
    Running,
    /// They do until this frame, the last of the fade.
    Suspending(Frames),
    /// They don't; output is silence.
    Suspended,
}

/// What stays with whoever made the engine.
pub struct EngineEnds {
    /// The first lane: for adding others.
    pub lane: LaneSender<Command>,
    /// What leaves the engine.
    pub collector: Collector<Outgoing>,
    /// What it counts.
    pub counters: Arc<EngineCounters>,
}

/// The engine.
pub struct Engine {
    config: EngineConfig,
    /// What new voices read with whose instrument has no kernel of its own.
    kernel: Kernel,
    easing: Easing,
    scratch: Box<Scratch>,
    filtered: Filtered,
    glides: Glides,
    frame: Frames,
    state: EngineState,
    lanes: Vec<Option<Box<LaneReceiver<Command>>>>,
    scheduler: Scheduler,
    samplers: Vec<Option<Box<Sampler>>>,
    sources: Sources,
    instruments: Instruments,
    voices: Voices,
    output: Output,
    outbox: Outbox<Outgoing>,
    counters: Arc<EngineCounters>,
    residue_decay: f32,
    metering: Metering,
    /// Frame up to which the meters have counted.
    metered: Frames,
}

impl Engine {
    /// An engine at frame 0 and what talks to it. Everything it will ever need is allocated here.
    pub fn new(config: EngineConfig) -> (Self, EngineEnds) {
        let rate = f64::from(config.sample_rate);
        // Facts are read a hundred times a second: room for all that four blocks of a full lane can tell.
        let (outbox, collector) =
            collector(FACTS, MAX_GENERATIONS + MAX_SAMPLERS + MAX_EFFECTS + MAX_SOURCES + MAX_LANES + 64);
        let (sender, receiver) = lane(64, LANE_OBJECTS);
        let counters = Arc::new(EngineCounters::default());
        let mut lanes: Vec<_> = (0..MAX_LANES).map(|_| None).collect();
        if let Some(first) = lanes.first_mut() {
            *first = Some(Box::new(receiver));
        }
        let engine = Self {
            frame: 0,
            state: EngineState::Running,
            lanes,
            scheduler: Scheduler::new(SCHEDULED_EVENTS),
            samplers: (0..MAX_SAMPLERS).map(|_| None).collect(),
            sources: Sources::new(MAX_SOURCES),
            instruments: Instruments::new(),
            voices: Voices::new(config.polyphony, ((STEAL_FADE_S * rate) as u32).max(1)),
            output: Output::new(
                config.channels,
                (RAMP_S * rate) as u32,
                config.limiter.map(|settings| move || Limiter::new(&settings, config.sample_rate)),
            ),
            outbox,
            counters: counters.clone(),
            residue_decay: (-1.0 / (RESIDUE_TIME_CONSTANT_S * rate)).exp() as f32,
            metering: Metering::default(),
            metered: 0,
            kernel: Kernel::new(config.interpolation),
            easing: Easing::new(),
            scratch: Box::new([[0.0; MAX_CHUNK]; 2]),
            filtered: Filtered::new(),
            glides: Glides { controller: (RAMP_S * rate) as u32, bend: (BEND_RAMP_S * rate) as u32 },
            config,
        };
        (engine, EngineEnds { lane: sender, collector, counters })
    }

    /// Frames by which the limiter's look-ahead delays everything.
    pub fn latency(&self) -> usize {
        self.output.latency()
    }

    /// First frame of the next block.
    pub fn frame(&self) -> Frames {
        self.frame
    }

    /// Renders the next block: interleaved, `frames × channels`, overwritten.
    ///
    /// Thread: audio, or the caller's when offline. Neither allocates, locks, waits nor panics.
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    pub fn process(&mut self, out: &mut [f32]) {
        let _guard = Guard::enter();
        self.receive(false);
        let mut rest = out;
        while !rest.is_empty() {
            self.apply_due();
            let frames = self.chunk_frames(rest.len() / self.config.channels);
            if frames == 0 {
                // Suspended, or a buffer that ends in the middle of a frame.
                rest.fill(0.0);
                break;
            }
            let (chunk, later) = rest.split_at_mut(frames * self.config.channels);
            self.render_chunk(frames, chunk);
            rest = later;
        }
        self.settle();
    }

    /// Takes in what has been sent, without rendering; the scheduler may grow. For an offline engine whose lane is
    /// full: there the caller is the audio thread, and nobody is in a hurry.
    ///
    /// Thread: the owner of an offline engine. Allocates.
    pub fn take_in(&mut self) {
        self.receive(true);
        // What is due is done with: what is taken in next comes after it, as it would on a device.
        self.apply_due();
        self.settle();
    }

    /// How many frames to render before the next thing happens; 0 when the clock stands still.
    fn chunk_frames(&self, wanted: usize) -> usize {
        let until = |frame: Frames| usize::try_from(frame.saturating_sub(self.frame)).unwrap_or(usize::MAX);
        let event = self.scheduler.next_frame().map_or(usize::MAX, until);
        let state = match self.state {
            EngineState::Running => usize::MAX,
            EngineState::Suspending(last) => until(last),
            EngineState::Suspended => 0,
        };
        wanted.min(MAX_CHUNK).min(event).min(state)
    }

    // ── what comes in

    fn receive(&mut self, grow: bool) {
        let open = self.lanes.iter().flatten().count().max(1);
        for at in 0..self.lanes.len() {
            let mut budget = if grow { usize::MAX } else { DELIVERIES_PER_BLOCK / open };
            let mut behind_now = false;
            while budget > 0 {
                let Some(Some(lane)) = self.lanes.get_mut(at) else { break };
                match lane.receive() {
                    Some(Delivery::Record(record)) => match event::decode(&record, self.config.sample_rate) {
                        // Forgetting is meant for what was sent before it, not for what is sent after it.
                        Some((When::Now, event @ (Event::Panic | Event::Cancel { .. }))) => {
                            self.apply_due();
                            self.apply(self.frame, event);
                            behind_now = true;
                        }
                        Some((when, event)) => self.accept(when, event, grow, &mut behind_now),
                        None => self.counters.malformed_records.add(1),
                    },
                    // Nothing refers to it any more, and garbage collection sends it whenever it likes: it orders nothing.
                    Some(Delivery::Object(Command::DropInstrument(index))) => self.drop_instrument(index),
                    Some(Delivery::Object(command)) => {
                        // What was sent before it happens before it: "play, then unload" still plays.
                        self.apply_due();
                        behind_now = true;
                        self.obey(command);
                    }
                    None => break,
                }
                budget -= 1;
            }
        }
        self.counters.queue_high_water.raise_to(self.scheduler.len() as u64);
    }

    /// Late events keep the order of their times, but do not get before anything that was sent before them to happen
    /// now: `behind_now` says that there was such a thing.
    fn accept(&mut self, when: When, event: Event, grow: bool, behind_now: &mut bool) {
        let (due, meant_for) = match when {
            When::Now => {
                *behind_now = true;
                (self.frame, self.frame)
            }
            When::At(frame) => {
                let late = self.frame.saturating_sub(frame);
                self.counters.lateness_us.record(late as f64 * 1e6 / f64::from(self.config.sample_rate));
                self.counters.late_events.add(u64::from(late > 0));
                (if *behind_now { frame.max(self.frame) } else { frame }, frame)
            }
        };
        if grow && self.scheduler.room() == 0 {
            self.scheduler.grow();
        }
        // The last quarter is kept for what ends sound: a lost note-off is worse than a lost note.
        let crowded = self.scheduler.room() <= self.scheduler.capacity() / 4;
        if due <= self.frame && crowded && !grow {
            self.apply(meant_for, event);
        } else if (crowded && !grow && event.is_note_on()) || !self.scheduler.insert(due, meant_for, event) {
            self.counters.dropped_events.add(1);
        }
    }

    fn obey(&mut self, command: Command) {
        let refused = match command {
            Command::AddLane(lane) => match self.lanes.iter_mut().find(|place| place.is_none()) {
                Some(place) => {
                    *place = Some(lane);
                    None
                }
                None => Some(Command::AddLane(lane)),
            },
            Command::AddSource(source) => self.sources.add(source).err().map(Command::AddSource),
            Command::AddSampler(index, sampler) => match self.samplers.get_mut(usize::from(index)) {
                Some(place) if place.is_none() => {
                    *place = Some(sampler);
                    None
                }
                _ => Some(Command::AddSampler(index, sampler)),
            },
            Command::CloseSampler(index) => {
                if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(index)) {
                    sampler.close();
                    self.forget_scheduled(Some(index));
                    self.voices.fade(|voice| voice.sampler == index);
                }
                self.hush(Some(index));
                None
            }
            Command::SetEffect(index, send, effect) => {
                let (now, fade) = (self.frame, self.fade_frames());
                let gone = match self.samplers.get_mut(usize::from(index)) {
                    Some(Some(sampler)) => sampler.effects.replace(usize::from(send), effect, now, fade),
                    _ => effect,
                };
                if let Some(gone) = gone
                    && let Err(gone) = self.outbox.discard(Outgoing::Effect(gone))
                {
                    // As below.
                    std::mem::forget(gone);
                }
                None
            }
            Command::SetPrograms(index, mut programs) => {
                if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(index)) {
                    sampler.set_programs(&mut programs);
                }
                // Whatever is in it now has to be freed elsewhere.
                Some(Command::SetPrograms(index, programs))
            }
            Command::AbandonSampler(index) => {
                if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(index)) {
                    sampler.abandon();
                }
                None
            }
            Command::SetKernel(kernel) => {
                self.kernel = kernel;
                None
            }
            Command::SetInstrument(index, generation, instrument) => self
                .instruments
                .set(index, generation, instrument)
                .err()
                .map(|instrument| Command::SetInstrument(index, generation, instrument)),
            Command::RemoveInstrument(index) | Command::DropInstrument(index) => {
                self.drop_instrument(index);
                None
            }
        };
        if let Some(command) = refused
            && let Err(command) = self.outbox.discard(Outgoing::Refused(command))
        {
            // The control side's bookkeeping rules this out; leaking is the only thing left that RT-3 allows.
            std::mem::forget(command);
        }
    }

    /// Frames in which what is cut fades.
    fn fade_frames(&self) -> u32 {
        ((STEAL_FADE_S * f64::from(self.config.sample_rate)) as u32).max(1)
    }

    /// Tails of one sampler, or of all, fade.
    fn hush(&mut self, sampler: Option<SamplerIndex>) {
        let (now, fade) = (self.frame, self.fade_frames());
        for (_, sampler) in (0..)
            .zip(self.samplers.iter_mut())
            .filter_map(|(index, place)| Some((index, place.as_mut()?)))
            .filter(|(index, _)| sampler.is_none_or(|wanted| wanted == *index))
        {
            sampler.effects.hush(now, fade);
        }
    }

    /// Nothing may still name it: its number will be given to another.
    fn drop_instrument(&mut self, index: InstrumentIndex) {
        self.instruments.remove(index);
        self.scheduler.forget_instrument(index);
        self.samplers.iter_mut().flatten().for_each(|sampler| sampler.forget_instrument(index));
    }

    // ── what goes out

    fn settle(&mut self) {
        self.instruments.dispose(&mut self.outbox);
        for (index, place) in (0..).zip(self.samplers.iter_mut()) {
            let over =
                place.as_ref().is_some_and(|sampler| sampler.is_over(self.scheduler.waiting_for(index)));
            if over
                && self.outbox.has_room()
                && let Some(sampler) = place.take()
            {
                let _ = self.outbox.discard(Outgoing::Sampler(index, sampler));
            }
        }
        let mut tails = 0;
        for sampler in self.samplers.iter_mut().flatten() {
            sampler.effects.dispose(self.frame, &mut self.outbox);
            tails += usize::from(sampler.effects.sounds());
        }
        self.sources.settle(&mut self.outbox);
        let frames = self.frame.saturating_sub(self.metered) as f64;
        self.metered = self.frame;
        self.metering.add(&self.counters.meter, frames, self.output.take_levels());
        let voices = self.voices.len();
        let sounding = voices + self.sources.sounding() + tails;
        let state = match self.state {
            EngineState::Running => CLOCK_RUNS,
            EngineState::Suspending(_) => CLOCK_FADES,
            EngineState::Suspended => CLOCK_STANDS,
        };
        for place in &mut self.lanes {
            let Some(lane) = place else { continue };
            lane.publish(self.frame, sounding as u32, self.scheduler.live() as u32, state);
            if lane.is_abandoned()
                && self.outbox.has_room()
                && let Some(lane) = place.take()
            {
                let _ = self.outbox.discard(Outgoing::Lane(lane));
            }
        }
        self.counters.voices.store(voices as f64);
        self.counters.frames.store(self.frame as f64);
    }
}
