//! The engine's tests: events in, an exact buffer out. Samples are ramps, steps and constants, so that answers are
//! arithmetic. Every `process` here also runs under the allocation guard (RT-1).

mod controllers;
mod effects;
mod effort;
mod expression;
mod lifetime;
mod notes;
mod parameters;
mod playhead;
mod properties;
mod sources;
mod stealing;
mod timing;

use crate::engine::instruments::Installed;
use std::sync::Arc;

use super::event::{Event, Late, NoteParam, PARAMS, SamplerIndex, encode};
use super::message::{Command, Fact, Outgoing};
use super::*;
use crate::dsp::envelope::EnvelopeTimes;
use crate::dsp::limiter::LimiterSettings;
use crate::instrument::{Instrument, Region, Sample};

pub const RATE: u32 = 48_000;
/// Gain of one side for a mono sample in the centre, as `dsp::pan` gives it.
pub const CENTRE: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// An engine with one sampler, at index 0, and what it has sent out.
pub struct Rig {
    pub engine: Engine,
    pub ends: EngineEnds,
    pub channels: usize,
    pub facts: Vec<Fact>,
    /// Notes that were late, and by how many frames.
    pub late: Vec<(u32, u32)>,
    pub garbage: Vec<Outgoing>,
}

pub fn config() -> EngineConfig {
    EngineConfig {
        sample_rate: RATE,
        channels: 2,
        polyphony: 32,
        interpolation: Interpolation::Linear,
        limiter: None, // ramps count to thousands
    }
}

impl Rig {
    pub fn new(config: EngineConfig) -> Self {
        let (engine, ends) = Engine::new(config);
        let mut rig = Self {
            engine,
            ends,
            channels: config.channels,
            facts: Vec::new(),
            late: Vec::new(),
            garbage: Vec::new(),
        };
        rig.add_sampler(0, Sampler::new(config.polyphony, Stealing::Quietest, 1.0));
        rig
    }

    /// One with this instrument on channel 0.
    pub fn playing(config: EngineConfig, regions: Vec<Region>) -> Self {
        let mut rig = Self::new(config);
        rig.set_instrument(0, 0, regions);
        rig.send(Event::Assign { sampler: 0, channel: 0, instrument: Some(0) });
        rig
    }

    pub fn add_sampler(&mut self, index: SamplerIndex, sampler: Sampler) {
        self.command(Command::AddSampler(index, Box::new(sampler)));
    }

    pub fn set_instrument(&mut self, index: u16, generation: u16, regions: Vec<Region>) {
        self.command(Command::SetInstrument(
            index,
            generation,
            Installed::new(Arc::new(Instrument::new(regions))),
        ));
    }

    pub fn command(&mut self, command: Command) {
        assert!(self.ends.lane.send(command).is_ok(), "the lane is full");
    }

    pub fn send(&mut self, event: Event) {
        self.push(event, None);
    }

    pub fn send_at(&mut self, frame: u64, event: Event) {
        self.push(event, Some(frame as f64 / f64::from(RATE)));
    }

    fn push(&mut self, event: Event, seconds: Option<f64>) {
        if !self.ends.lane.memory().push(&encode(event, seconds), 0) {
            self.engine.take_in();
            assert!(self.ends.lane.memory().push(&encode(event, seconds), 0));
        }
    }

    pub fn note_at(&mut self, frame: u64, note: u32, key: f32) {
        self.send_at(frame, note_on(note, key, 127.0));
    }

    /// Renders `frames` in blocks of the given sizes, repeated.
    pub fn render_in(&mut self, frames: usize, blocks: &[usize]) -> Vec<f32> {
        let mut out = vec![f32::NAN; frames * self.channels];
        let (mut done, mut blocks) = (0, blocks.iter().copied().cycle());
        while done < frames {
            let block = blocks.next().unwrap().min(frames - done);
            self.engine.process(&mut out[done * self.channels..(done + block) * self.channels]);
            self.collect();
            done += block;
        }
        out
    }

    pub fn render(&mut self, frames: usize) -> Vec<f32> {
        self.render_in(frames, &[frames])
    }

    /// Renders and keeps the left channel.
    pub fn left(&mut self, frames: usize) -> Vec<f32> {
        self.render(frames).chunks(self.channels).map(|frame| frame[0]).collect()
    }

    pub fn collect(&mut self) {
        while let Some(outgoing) = self.ends.collector.collect() {
            match outgoing {
                Outgoing::Fact(Fact::Late(_, note, frames)) => self.late.push((note, frames)),
                Outgoing::Fact(fact) => self.facts.push(fact),
                other => self.garbage.push(other),
            }
        }
    }

    pub fn voices(&self) -> usize {
        self.ends.counters.voices.load() as usize
    }
}

pub fn note_on(note: u32, key: f32, velocity: f32) -> Event {
    Event::NoteOn { sampler: 0, channel: 0, late: Late::Play, note, key, velocity, instrument: None }
}

pub fn release(note: u32) -> Event {
    Event::Release { sampler: 0, note, timed: false }
}

pub fn mono(values: Vec<f32>) -> Arc<Sample> {
    Arc::new(Sample::new(values, 1, RATE).unwrap().0)
}

/// 0, 1, 2, … : linear and cubic interpolation read it exactly.
pub fn ramp(frames: usize) -> Region {
    Region::of(mono((0..frames).map(|n| n as f32).collect()))
}

/// The same value throughout: what comes out is the gain alone.
pub fn constant(value: f32, frames: usize) -> Region {
    Region { envelope: held(), ..Region::of(mono(vec![value; frames])) }
}

/// Sine at `hz`, for looking at the largest step.
pub fn sine(hz: f64, frames: usize) -> Region {
    let step = std::f64::consts::TAU * hz / f64::from(RATE);
    Region {
        envelope: held(),
        ..Region::of(mono((0..frames).map(|n| (step * n as f64).sin() as f32).collect()))
    }
}

pub fn held() -> EnvelopeTimes {
    EnvelopeTimes { release_s: 0.01, ..EnvelopeTimes::default() }
}

/// Largest difference between neighbours.
pub fn largest_step(values: &[f32]) -> f32 {
    values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
