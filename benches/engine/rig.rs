//! An engine of the benchmarks and what it plays.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ictus::dsp::envelope::EnvelopeTimes;
use ictus::dsp::filter::{FilterSettings, Kind};
use ictus::dsp::interpolate::Interpolation;
use ictus::dsp::limiter::LimiterSettings;
use ictus::engine::event::{Event, Late, encode};
use ictus::engine::instruments::Installed;
use ictus::engine::message::Command;
use ictus::engine::{Engine, EngineConfig, EngineEnds, LANE_RECORDS, Sampler, Stealing};
use ictus::instrument::{
    Instrument, LoopMode, LoopSettings, Modulation, Playback, Region, RegionFilter, Route, Sample,
    SampleLoop, Source, Target,
};
use ictus::rt::lane::{LaneSender, lane};

pub const RATE: u32 = 48_000;
pub const BLOCK: usize = 128;
pub const ROUNDS: usize = 41;
/// Blocks of one voice in a round: at 1024 voices two blocks, at 16 voices 128.
const VOICE_BLOCKS: usize = 2048;
pub const COUNTS: [usize; 5] = [16, 64, 256, 1024, 4096];

/// What an engine of the benchmark plays.
#[derive(Clone, Copy)]
pub struct Setup {
    pub interpolation: Interpolation,
    pub stereo: bool,
    pub voices: usize,
    /// Envelopes move for minutes: half of the voices decay, the others have been released.
    pub moving: bool,
    /// Resonant low-passes of each voice, one behind the other.
    pub filters: usize,
    /// An LFO sweeps the cutoff of the first.
    pub swept: bool,
    /// The modulation wheel is up: an LFO moves every pitch.
    pub vibrato: bool,
    pub limiter: bool,
    pub instruments: u16,
    pub samplers: u16,
    /// Events that wait for a frame that never comes.
    pub waiting: u32,
}

pub const UNIT: Setup = Setup {
    interpolation: Interpolation::Linear,
    stereo: true,
    voices: 64,
    moving: false,
    filters: 0,
    swept: false,
    vibrato: false,
    limiter: false,
    instruments: 1,
    samplers: 1,
    waiting: 0,
};

pub struct Rig {
    pub engine: Engine,
    pub ends: EngineEnds,
    pub out: Vec<f32>,
    /// As long as the one that JavaScript writes into.
    lane: LaneSender<Command>,
    voices: usize,
    notes: u32,
}

impl Rig {
    pub fn new(setup: &Setup, recordings: &[Recording; 2]) -> Self {
        let (engine, ends) = Engine::new(EngineConfig {
            sample_rate: RATE,
            channels: 2,
            polyphony: setup.voices + 64,
            interpolation: setup.interpolation,
            limiter: setup.limiter.then(LimiterSettings::default),
        });
        let mut rig = Self::around(engine, ends, setup);
        for index in 0..setup.samplers {
            rig.send(Command::AddSampler(index, Box::new(Sampler::new(4096, Stealing::Quietest, 1.0))));
        }
        // The first plays; the others are there, each with a recording of its own.
        let [mono, stereo] = recordings;
        let played = if setup.stereo { stereo } else { mono };
        rig.send(Command::SetInstrument(0, 0, Installed::new(played.clone().instrument(setup))));
        for index in 1..setup.instruments {
            let other = Recording::new(setup.stereo, 4096).instrument(&UNIT);
            rig.send(Command::SetInstrument(index, index, Installed::new(other)));
        }
        for sampler in 0..setup.samplers {
            for channel in 0..16u8 {
                let other = (sampler * 16 + u16::from(channel)) % setup.instruments;
                let instrument = Some(if sampler == 0 && channel == 0 { 0 } else { other });
                rig.play(Event::Assign { sampler, channel, instrument }, None);
            }
        }
        if setup.vibrato {
            rig.play(Event::Control { sampler: 0, channel: 0, controller: 1, value: 127.0 }, None);
        }
        for note in 0..setup.voices {
            let key = 53.03 + 13.96 * note as f32 / setup.voices as f32;
            rig.play(on(note as u32 + 1, key), None);
        }
        rig.engine.process(&mut rig.out);
        for note in (0..setup.voices as u32).step_by(2).filter(|_| setup.moving) {
            rig.play(Event::Release { sampler: 0, note: note + 1, timed: false }, None);
        }
        for event in 0..setup.waiting {
            // Starts, then ends: the last quarter of the scheduler is kept for ends.
            let what = match event.checked_sub(40_000) {
                None => on(1_000_000 + event, 60.0),
                Some(started) => Event::Release { sampler: 0, note: 1_000_000 + started, timed: false },
            };
            rig.play(what, Some(1e6 + f64::from(event)));
        }
        rig.engine.process(&mut rig.out);
        let counters = &rig.ends.counters;
        assert_eq!(counters.voices.load() as usize, setup.voices);
        assert!(counters.queue_high_water.get() >= u64::from(setup.waiting));
        assert_eq!(counters.dropped_events.get() + counters.malformed_records.get(), 0);
        rig
    }

    fn around(engine: Engine, ends: EngineEnds, setup: &Setup) -> Self {
        let (sender, receiver) = lane(LANE_RECORDS, 64);
        let mut rig = Self {
            engine,
            ends,
            out: vec![0.0; 2 * BLOCK],
            lane: sender,
            voices: setup.voices,
            notes: setup.voices as u32,
        };
        rig.send(Command::AddLane(Box::new(receiver)));
        rig
    }

    /// One in which every voice plays a region of its own: key n % 128, eight velocities for each 128 of them.
    pub fn playing(setup: &Setup, instrument: Arc<Instrument>) -> Self {
        let (engine, ends) = Engine::new(EngineConfig {
            sample_rate: RATE,
            channels: 2,
            polyphony: setup.voices + 64,
            interpolation: setup.interpolation,
            limiter: None,
        });
        let mut rig = Self::around(engine, ends, setup);
        rig.send(Command::AddSampler(0, Box::new(Sampler::new(4096, Stealing::Quietest, 1.0))));
        rig.send(Command::SetInstrument(0, 0, Installed::new(instrument)));
        rig.play(Event::Assign { sampler: 0, channel: 0, instrument: Some(0) }, None);
        for n in 0..setup.voices as u32 {
            let (key, velocity) = ((n % 128) as f32, (n / 128 * 8 + 4) as f32);
            let note = Event::NoteOn {
                sampler: 0,
                channel: 0,
                late: Late::Play,
                note: n + 1,
                key,
                velocity,
                instrument: None,
            };
            rig.play(note, None);
        }
        rig.engine.process(&mut rig.out);
        assert_eq!(rig.ends.counters.voices.load() as usize, setup.voices);
        rig
    }

    pub fn send(&mut self, mut command: Command) {
        while let Err(refused) = self.ends.lane.send(command) {
            command = refused;
            self.engine.take_in();
        }
    }

    pub fn play(&mut self, event: Event, seconds: Option<f64>) {
        while !self.lane.memory().push(&encode(event, seconds), 0) {
            self.engine.take_in();
        }
    }

    /// ns per voice and frame.
    pub fn round(&mut self) -> f64 {
        let blocks = (VOICE_BLOCKS / self.voices).max(1);
        self.blocks(blocks) / (BLOCK * self.voices) as f64
    }

    /// ns per block, after one that is not timed.
    pub fn blocks(&mut self, count: usize) -> f64 {
        self.engine.process(&mut self.out);
        let started = Instant::now();
        for _ in 0..count {
            self.engine.process(black_box(&mut self.out));
        }
        started.elapsed().as_secs_f64() * 1e9 / count as f64
    }

    /// ns per block in which a note starts and the one before it ends; sending them is not timed.
    pub fn blocks_with_notes(&mut self, count: usize) -> f64 {
        self.engine.process(&mut self.out);
        let mut ns = 0.0;
        for _ in 0..count {
            self.play(Event::Release { sampler: 0, note: self.notes, timed: false }, None);
            self.notes += 1;
            self.play(on(self.notes, 60.1), None);
            let started = Instant::now();
            self.engine.process(black_box(&mut self.out));
            ns += started.elapsed().as_secs_f64() * 1e9;
            // As the notifier does: facts are taken out, or the collector runs full.
            while self.ends.collector.collect().is_some() {}
        }
        ns / count as f64
    }
}

pub fn on(note: u32, key: f32) -> Event {
    Event::NoteOn { sampler: 0, channel: 0, late: Late::Play, note, key, velocity: 10.0, instrument: None }
}

/// A recording and its loop; rigs share them, so that none of them owes its figure to where its memory lies.
#[derive(Clone)]
pub struct Recording {
    pub sample: Arc<Sample>,
    pub round: Arc<SampleLoop>,
}

impl Recording {
    pub fn new(stereo: bool, frames: u32) -> Self {
        let channels = if stereo { 2 } else { 1 };
        let value = |n: u32| {
            let bits = n.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(40_503) as i32;
            bits as f32 * 2f32.powi(-31)
        };
        let noise = (0..frames * u32::from(channels)).map(value).collect();
        let sample = Arc::new(Sample::new(noise, channels, RATE).expect("noise is a sample").0);
        let settings = LoopSettings::forward(frames / 8, frames / 8 * 7, LoopMode::Continuous);
        let round = SampleLoop::new(&sample, &settings).expect("the loop lies in the sample");
        Self { sample, round: Arc::new(round) }
    }

    fn instrument(self, setup: &Setup) -> Arc<Instrument> {
        Arc::new(Instrument::new(vec![self.region(setup)]))
    }

    fn region(self, setup: &Setup) -> Region {
        let envelope = if setup.moving {
            // 80 dB in ten minutes: a run is over long before.
            EnvelopeTimes { decay_s: 600.0, sustain: 0.0, release_s: 600.0, ..EnvelopeTimes::default() }
        } else {
            // Notes of `blocks_with_notes` are gone within the block after their end.
            EnvelopeTimes { release_s: 0.001, ..EnvelopeTimes::default() }
        };
        let filter = |number: usize| {
            let cutoff_hz = 1000.0 + 500.0 * number as f32;
            let settings = FilterSettings { kind: Kind::LowPass, cutoff_hz, resonance_db: 6.0, gain_db: 0.0 };
            RegionFilter::new(settings)
        };
        let mut modulation =
            Modulation { filters: (0..setup.filters).map(filter).collect(), ..Modulation::default() };
        if setup.swept {
            modulation.routes.push(Route::new(Source::Lfo(0), Target::Cutoff(0), 1200.0));
        }
        let modulation = Arc::new(modulation);
        let playback = Playback::Loop(self.round);
        Region { playback, envelope, modulation, ..Region::of(self.sample) }
    }
}

pub fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

pub fn at(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// Median of each rig's rounds, taken by turns.
pub fn by_turns(rigs: &mut [Rig], rounds: usize, mut measure: impl FnMut(&mut Rig) -> f64) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(rounds); rigs.len()];
    for _ in 0..rounds {
        rigs.iter_mut().zip(&mut times).for_each(|(rig, times)| times.push(measure(rig)));
    }
    times.into_iter().map(|rounds| at(&sorted(rounds), 0.5)).collect()
}
