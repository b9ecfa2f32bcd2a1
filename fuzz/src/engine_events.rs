//! The engine under records and objects made of bytes: raw ones, 64 bytes of anything, and ones that nearly make sense.
//!
//! What has to hold, whatever comes: no panic (RT-5), no allocation in `process` (RT-1, by `rt-check`), finite output
//! (RT-8), the same bits when a block is cut in two (RT-6), never more voices than there are, and after a panic
//! no voice, no waiting event, and every object that went in is back (RT-3).

use std::sync::Arc;

use ictus::dsp::interpolate::{Interpolation, Kernel};
use ictus::dsp::limiter::LimiterSettings;
use ictus::engine::event::{Event, PARAMS, encode, op};
use ictus::engine::instruments::Installed;
use ictus::engine::message::{Command, Outgoing};
use ictus::engine::{Engine, EngineConfig, EngineEnds, Programs, Sampler, Stealing};
use ictus::rt::lane::{Record, lane};

use crate::bytes::Bytes;
use crate::instruments::instrument;

/// Frames of one input: what an instrument made here does, it does within these, and longer ones would be fewer.
const MAX_FRAMES: usize = 4_096;
/// Samplers and instruments that inputs speak of.
const PLACES: usize = 4;
/// Voices beyond the polyphony that may fade at a time: those which were stolen. A bound, not what is promised.
const FADING: usize = 4096;

/// Builds an engine and plays the input.
pub fn run(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let config = EngineConfig {
        sample_rate: bytes.of(&[48_000, 44_100, 8_000, 192_000]),
        channels: 1 + bytes.below(4),
        polyphony: 1 + bytes.below(24),
        interpolation: bytes.of(&Interpolation::ALL),
        limiter: bytes.flag().then(|| LimiterSettings {
            lookahead_s: bytes.around(0.0, 0.02),
            release_s: bytes.around(0.0, 1.0),
            ..LimiterSettings::default()
        }),
    };
    // The same engine twice where the input asks for it: in whole blocks, and in another partition.
    let cuts = [usize::MAX, 1 + bytes.below(100)];
    let cuts = &cuts[..if bytes.below(4) == 0 { 2 } else { 1 }];
    let mut rigs: Vec<Rig> = cuts.iter().map(|cut| Rig::new(config, *cut)).collect();
    let stealing = [Stealing::Quietest, Stealing::Oldest, Stealing::SameNote, Stealing::None][bytes.below(4)];
    let first = Arc::new(instrument(&mut bytes));
    for rig in &mut rigs {
        rig.send(Command::AddSampler(0, Box::new(Sampler::new(config.polyphony, stealing, 1.0))));
        rig.send(Command::SetInstrument(0, 0, Installed::new(first.clone())));
        for channel in 0..16 {
            rig.push(&encode(Event::Assign { sampler: 0, channel, instrument: Some(0) }, None));
        }
    }
    let mut generation = 1;
    let mut frames = 0;
    while !bytes.is_empty() && frames < MAX_FRAMES {
        match bytes.byte() {
            // Most of what happens: something is played.
            0..=159 => {
                let record = record(&mut bytes, frames as f64 / f64::from(config.sample_rate));
                rigs.iter_mut().for_each(|rig| rig.push(&record));
            }
            160..=169 => {
                let raw = std::array::from_fn(|_| f64::from_bits(bytes.word()));
                rigs.iter_mut().for_each(|rig| rig.push(&raw));
            }
            170..=189 => {
                let made = object(&mut bytes, generation, config.polyphony);
                generation += 1;
                rigs.iter_mut().for_each(|rig| made.send(rig));
            }
            _ => {
                let block = (1 + usize::from(bytes.pair()) % 300).min(MAX_FRAMES - frames);
                frames += block;
                let (first, others) = rigs.split_first_mut().expect("one engine at least");
                let out = first.render(block);
                for other in others {
                    assert!(bits(&other.render(block)) == bits(&out), "RT-6: the bits differ");
                }
            }
        }
    }
    rigs.into_iter().for_each(Rig::end);
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A record whose numbers are mostly what its operation expects.
fn record(bytes: &mut Bytes<'_>, now_s: f64) -> Record {
    // Half of them start notes, or nothing would ever sound.
    let op = match bytes.byte() {
        0..=127 => op::NOTE_ON,
        other => u32::from(other) % 24,
    };
    let sampler = if bytes.below(8) == 0 { bytes.below(PLACES + 1) } else { 0 };
    let channel = match bytes.byte() {
        255 => -1.0,
        byte => f64::from(byte % 17),
    };
    let note = f64::from(bytes.byte() % 48);
    let (mut a, mut b, mut last) = (bytes.around(0.0, 127.0), bytes.around(0.0, 127.0), 0.0);
    match op {
        op::NOTE_ON => last = bytes.below(4) as f64,
        op::CONTROL | op::PROGRAM => a = f64::from(bytes.byte() % 129),
        op::RELEASE | op::SAMPLER_MUTE => a = bytes.below(3) as f64,
        op::ASSIGN => a = bytes.below(PLACES + 1) as f64 - 1.0,
        op::PITCH_BEND => a = bytes.around(-8192.0, 8191.0),
        op::SAMPLER_GAIN | op::SAMPLER_PAN | op::MASTER_GAIN => a = bytes.around(-1.0, 2.0),
        op::TURN => {
            let param = bytes.below(PARAMS.len() + 1);
            a = param as f64;
            b = PARAMS.get(param).map_or(0.0, |info| bytes.around(info.low, info.high));
            last = bytes.around(0.0, 0.05);
        }
        _ => {}
    }
    let time = match bytes.byte() {
        0..=127 => f64::NAN,
        128..=247 => now_s + bytes.within(-0.01, 0.2),
        _ => bytes.around(-1.0, 1.0),
    };
    [f64::from(op), sampler as f64, channel, note, a, b, time, last]
}

/// What can be made once for every engine.
enum Object {
    Instrument(u16, u16, Arc<ictus::instrument::Instrument>),
    Sampler(u16, usize, Stealing, u32, f32),
    Close(u16),
    Abandon(u16),
    Programs(u16, Vec<(u16, u8, u16)>),
    Remove(u16),
    Drop(u16),
    Kernel(Interpolation),
    Lane,
}

fn object(bytes: &mut Bytes<'_>, generation: u16, polyphony: usize) -> Object {
    let kind = bytes.byte();
    let place = bytes.below(PLACES) as u16;
    match kind % 10 {
        0..=1 => Object::Instrument(place, generation, Arc::new(instrument(bytes))),
        2 => Object::Sampler(
            place,
            1 + bytes.below(polyphony + 1),
            bytes.of(&[Stealing::Quietest, Stealing::Oldest, Stealing::SameNote, Stealing::None]),
            if bytes.flag() { u32::MAX } else { u32::from(bytes.byte() % 4) },
            bytes.around_f32(0.1, 4.0),
        ),
        3 => Object::Close(place),
        4 => Object::Abandon(place),
        5 => Object::Programs(
            place,
            (0..bytes.below(8))
                .map(|_| (bytes.pair() % 4, bytes.byte() % 4, bytes.below(PLACES) as u16))
                .collect(),
        ),
        6 => Object::Remove(place),
        7 => Object::Drop(place),
        8 => Object::Kernel(bytes.of(&Interpolation::ALL)),
        _ => Object::Lane,
    }
}

impl Object {
    fn send(&self, rig: &mut Rig) {
        match self {
            Self::Instrument(place, generation, instrument) => {
                rig.send(Command::SetInstrument(*place, *generation, Installed::new(instrument.clone())));
            }
            Self::Sampler(place, polyphony, stealing, key_polyphony, velocity_curve) => {
                let mut sampler = Sampler::new(*polyphony, *stealing, 1.0);
                sampler.key_polyphony = *key_polyphony;
                sampler.velocity_curve = *velocity_curve;
                rig.send(Command::AddSampler(*place, Box::new(sampler)));
            }
            Self::Close(place) => rig.send(Command::CloseSampler(*place)),
            Self::Abandon(place) => rig.send(Command::AbandonSampler(*place)),
            Self::Programs(place, entries) => {
                rig.send(Command::SetPrograms(*place, Box::new(Programs::new(entries.clone()))));
            }
            Self::Remove(place) => rig.send(Command::RemoveInstrument(*place)),
            Self::Drop(place) => rig.send(Command::DropInstrument(*place)),
            Self::Kernel(interpolation) => rig.send(Command::SetKernel(Kernel::new(*interpolation))),
            Self::Lane => {
                // It plays a note and is abandoned: the engine has to give it back.
                let (sender, receiver) = lane(64, 64);
                let note = [1.0, 0.0, 0.0, 47.0, 60.0, 100.0, f64::NAN, 0.0];
                assert!(sender.memory().push(&note, 0));
                rig.send(Command::AddLane(Box::new(receiver)));
            }
        }
    }
}

/// Objects that went into an engine and have not come back.
#[derive(Debug, Default, PartialEq)]
struct Inside {
    instruments: usize,
    samplers: usize,
    lanes: usize,
    programs: usize,
}

struct Rig {
    engine: Engine,
    ends: EngineEnds,
    config: EngineConfig,
    /// Frames of each call of `process`.
    cut: usize,
    inside: Inside,
}

impl Rig {
    fn new(config: EngineConfig, cut: usize) -> Self {
        let (engine, ends) = Engine::new(config);
        Self { engine, ends, config, cut, inside: Inside::default() }
    }

    fn send(&mut self, mut command: Command) {
        match command {
            Command::SetInstrument(..) => self.inside.instruments += 1,
            Command::AddSampler(..) => self.inside.samplers += 1,
            Command::AddLane(..) => self.inside.lanes += 1,
            Command::SetPrograms(..) => self.inside.programs += 1,
            _ => {}
        }
        while let Err(refused) = self.ends.lane.send(command) {
            command = refused;
            self.engine.process(&mut []);
        }
    }

    fn push(&mut self, record: &Record) {
        while !self.ends.lane.memory().push(record, 0) {
            self.engine.process(&mut []);
        }
    }

    fn render(&mut self, frames: usize) -> Vec<f32> {
        let channels = self.config.channels;
        let mut out = vec![f32::NAN; frames * channels];
        for block in out.chunks_mut(self.cut.min(frames) * channels) {
            self.engine.process(block);
            self.collect();
            let voices = self.ends.counters.voices.load() as usize;
            assert!(voices <= self.config.polyphony + FADING, "{voices} voices");
        }
        assert!(out.iter().all(|value| value.is_finite()), "RT-8: what left is not finite");
        out
    }

    fn collect(&mut self) {
        while let Some(outgoing) = self.ends.collector.collect() {
            match outgoing {
                Outgoing::Instrument(..) | Outgoing::Refused(Command::SetInstrument(..)) => {
                    self.inside.instruments -= 1;
                }
                Outgoing::Sampler(..) | Outgoing::Refused(Command::AddSampler(..)) => {
                    self.inside.samplers -= 1;
                }
                Outgoing::Lane(..) | Outgoing::Refused(Command::AddLane(..)) => self.inside.lanes -= 1,
                Outgoing::Refused(Command::SetPrograms(..)) => self.inside.programs -= 1,
                // No source and no effect is ever sent here.
                Outgoing::Refused(_) | Outgoing::Fact(_) | Outgoing::Source(_) | Outgoing::Effect(_) => {}
            }
        }
    }

    /// Silence, and everything back.
    fn end(mut self) {
        // What other lanes hold is played before the panic, not after it.
        self.engine.process(&mut []);
        self.push(&encode(Event::Resume, None));
        self.push(&encode(Event::Panic, None));
        // A stolen voice takes 6 ms to fade, and another that waits for it as much.
        let fade = self.config.sample_rate as usize / 50;
        self.render(fade);
        assert_eq!(self.ends.counters.voices.load(), 0.0, "voices are left after a panic");
        // What the limiter still holds leaves, and then nothing does.
        self.render(self.engine.latency() + fade);
        for place in 0..PLACES as u16 {
            self.send(Command::CloseSampler(place));
            self.send(Command::RemoveInstrument(place));
        }
        self.render(fade);
        assert_eq!(self.inside, Inside::default(), "objects are left in the engine");
    }
}
