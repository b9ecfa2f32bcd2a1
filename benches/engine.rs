//! Cost of the whole engine: `cargo bench --bench engine --no-default-features`.
//!
//! An offline engine at 48 kHz, blocks of 128 frames, two channels, no limiter but where it is named. Voices go round
//! loops in one second of noise, each at its own pitch from a fifth down to a fifth up (where sincs read more taps), so
//! caches are as warm as real notes leave them; what a gigabyte costs that fits no cache has a table of its own. What is
//! measured in one table takes turns, round by round, after a block that is not timed, and every figure is the median of
//! its rounds: noise of the machine hits all alike. "×" stands beside linear, stereo, 64 held voices, measured in the
//! same rounds of that table.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ictus::dsp::effects::{Effect, Kind, defaults};
use ictus::dsp::envelope::EnvelopeTimes;
use ictus::dsp::interpolate::Interpolation;
use ictus::dsp::limiter::LimiterSettings;
use ictus::engine::event::{Event, Late, encode};
use ictus::engine::instruments::Installed;
use ictus::engine::message::Command;
use ictus::engine::{Engine, EngineConfig, EngineEnds, Sampler, Stealing};
use ictus::instrument::{Instrument, LoopMode, LoopSettings, Playback, Region, Sample, SampleLoop};

const RATE: u32 = 48_000;
const BLOCK: usize = 128;
const ROUNDS: usize = 41;
/// Blocks of one voice in a round: at 1024 voices two blocks, at 16 voices 128.
const VOICE_BLOCKS: usize = 2048;
const COUNTS: [usize; 4] = [16, 64, 256, 1024];

/// What an engine of the benchmark plays.
#[derive(Clone, Copy)]
struct Setup {
    interpolation: Interpolation,
    stereo: bool,
    voices: usize,
    /// Envelopes move for minutes: half of the voices decay, the others have been released.
    moving: bool,
    limiter: bool,
    instruments: u16,
    samplers: u16,
    /// Events that wait for a frame that never comes.
    waiting: u32,
}

const UNIT: Setup = Setup {
    interpolation: Interpolation::Linear,
    stereo: true,
    voices: 64,
    moving: false,
    limiter: false,
    instruments: 1,
    samplers: 1,
    waiting: 0,
};

struct Rig {
    engine: Engine,
    ends: EngineEnds,
    out: Vec<f32>,
    voices: usize,
    notes: u32,
}

impl Rig {
    fn new(setup: &Setup, recordings: &[Recording; 2]) -> Self {
        let (engine, ends) = Engine::new(EngineConfig {
            sample_rate: RATE,
            channels: 2,
            polyphony: setup.voices + 64,
            interpolation: setup.interpolation,
            limiter: setup.limiter.then(LimiterSettings::default),
        });
        let mut rig = Self {
            engine,
            ends,
            out: vec![0.0; 2 * BLOCK],
            voices: setup.voices,
            notes: setup.voices as u32,
        };
        for index in 0..setup.samplers {
            rig.send(Command::AddSampler(index, Box::new(Sampler::new(4096, Stealing::Quietest, 1.0))));
        }
        // The first plays; the others are there, each with a recording of its own.
        let [mono, stereo] = recordings;
        let played = if setup.stereo { stereo } else { mono };
        rig.send(Command::SetInstrument(0, 0, Installed::new(played.clone().instrument(setup.moving))));
        for index in 1..setup.instruments {
            let other = Recording::new(setup.stereo, 4096).instrument(false);
            rig.send(Command::SetInstrument(index, index, Installed::new(other)));
        }
        for sampler in 0..setup.samplers {
            for channel in 0..16u8 {
                let other = (sampler * 16 + u16::from(channel)) % setup.instruments;
                let instrument = Some(if sampler == 0 && channel == 0 { 0 } else { other });
                rig.play(Event::Assign { sampler, channel, instrument }, None);
            }
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

    /// One in which every voice plays a region of its own: key n % 128, eight velocities for each 128 of them.
    fn playing(setup: &Setup, instrument: Arc<Instrument>) -> Self {
        let (engine, ends) = Engine::new(EngineConfig {
            sample_rate: RATE,
            channels: 2,
            polyphony: setup.voices + 64,
            interpolation: setup.interpolation,
            limiter: None,
        });
        let out = vec![0.0; 2 * BLOCK];
        let mut rig = Self { engine, ends, out, voices: setup.voices, notes: setup.voices as u32 };
        rig.send(Command::AddSampler(0, Box::new(Sampler::new(4096, Stealing::Quietest, 1.0))));
        rig.send(Command::SetInstrument(0, 0, Installed::new(instrument)));
        rig.play(Event::Assign { sampler: 0, channel: 0, instrument: Some(0) }, None);
        for n in 0..setup.voices as u32 {
            let (key, velocity) = ((n % 128) as f32, (n / 128 * 8 + 4) as f32);
            let note = Event::NoteOn { sampler: 0, channel: 0, late: Late::Play, note: n + 1, key, velocity };
            rig.play(note, None);
        }
        rig.engine.process(&mut rig.out);
        assert_eq!(rig.ends.counters.voices.load() as usize, setup.voices);
        rig
    }

    fn send(&mut self, mut command: Command) {
        while let Err(refused) = self.ends.lane.send(command) {
            command = refused;
            self.engine.take_in();
        }
    }

    fn play(&mut self, event: Event, seconds: Option<f64>) {
        while !self.ends.lane.memory().push(&encode(event, seconds), 0) {
            self.engine.take_in();
        }
    }

    /// ns per voice and frame.
    fn round(&mut self) -> f64 {
        let blocks = (VOICE_BLOCKS / self.voices).max(1);
        self.blocks(blocks) / (BLOCK * self.voices) as f64
    }

    /// ns per block, after one that is not timed.
    fn blocks(&mut self, count: usize) -> f64 {
        self.engine.process(&mut self.out);
        let started = Instant::now();
        for _ in 0..count {
            self.engine.process(black_box(&mut self.out));
        }
        started.elapsed().as_secs_f64() * 1e9 / count as f64
    }

    /// ns per block in which a note starts and the one before it ends; sending them is not timed.
    fn blocks_with_notes(&mut self, count: usize) -> f64 {
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

fn on(note: u32, key: f32) -> Event {
    Event::NoteOn { sampler: 0, channel: 0, late: Late::Play, note, key, velocity: 10.0 }
}

/// A recording and its loop; rigs share them, so that none of them owes its figure to where its memory lies.
#[derive(Clone)]
struct Recording {
    sample: Arc<Sample>,
    round: Arc<SampleLoop>,
}

impl Recording {
    fn new(stereo: bool, frames: u32) -> Self {
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

    fn instrument(self, moving: bool) -> Arc<Instrument> {
        let envelope = if moving {
            // 80 dB in ten minutes: a run is over long before.
            EnvelopeTimes { decay_s: 600.0, sustain: 0.0, release_s: 600.0, ..EnvelopeTimes::default() }
        } else {
            // Notes of `blocks_with_notes` are gone within the block after their end.
            EnvelopeTimes { release_s: 0.001, ..EnvelopeTimes::default() }
        };
        let playback = Playback::Loop(self.round);
        Arc::new(Instrument::new(vec![Region { playback, envelope, ..Region::of(self.sample) }]))
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn at(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// Median of each rig's rounds, taken by turns.
fn by_turns(rigs: &mut [Rig], rounds: usize, mut measure: impl FnMut(&mut Rig) -> f64) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(rounds); rigs.len()];
    for _ in 0..rounds {
        rigs.iter_mut().zip(&mut times).for_each(|(rig, times)| times.push(measure(rig)));
    }
    times.into_iter().map(|rounds| at(&sorted(rounds), 0.5)).collect()
}

fn main() {
    // One second each, mono and stereo.
    let recordings = [false, true].map(|stereo| Recording::new(stereo, RATE));
    // One table alone: `-- memory`.
    let wanted = std::env::args().nth(1).filter(|name| !name.starts_with('-'));
    let is_wanted = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    if is_wanted("voices") {
        voices(&recordings);
    }
    if is_wanted("block") {
        one_block(&recordings);
    }
    if is_wanted("flat") {
        flat(&recordings);
    }
    if is_wanted("memory") {
        memory(&recordings);
    }
    if is_wanted("effects") {
        effects(&recordings);
    }
}

fn voices(recordings: &[Recording; 2]) {
    println!("ns per voice and frame, complete voices (× linear, stereo, 64 held)");
    for moving in [false, true] {
        for stereo in [true, false] {
            let shape = if stereo { "stereo" } else { "mono" };
            let state = if moving { "envelopes moving" } else { "held" };
            print!("\n{:<26}", format!("{shape}, {state}"));
            COUNTS.iter().for_each(|voices| print!("{:>12} voices", voices));
            println!();
            let setups = Interpolation::ALL.into_iter().flat_map(|interpolation| {
                COUNTS.map(|voices| Setup { interpolation, stereo, voices, moving, ..UNIT })
            });
            let mut rigs: Vec<Rig> =
                std::iter::once(UNIT).chain(setups).map(|setup| Rig::new(&setup, recordings)).collect();
            let medians = by_turns(&mut rigs, ROUNDS, Rig::round);
            for (interpolation, row) in Interpolation::ALL.into_iter().zip(medians[1..].chunks(COUNTS.len()))
            {
                print!("  {:<24}", interpolation.name());
                row.iter().for_each(|ns| print!("{:>10.2} ({:>5.2}×)", ns, ns / medians[0]));
                println!();
            }
        }
    }
}

/// Each block timed by itself: what a device at 128 frames would have waited for.
fn one_block(recordings: &[Recording; 2]) {
    let sixteen = Setup { voices: 16, ..UNIT };
    let cubic = Setup { interpolation: Interpolation::Cubic, ..sixteen };
    let setups = [
        ("linear, held", sixteen),
        ("cubic, held", cubic),
        ("cubic, envelopes moving", Setup { moving: true, ..cubic }),
        ("cubic, held, limiter", Setup { limiter: true, ..cubic }),
        ("cubic, moving, limiter", Setup { moving: true, limiter: true, ..cubic }),
        ("sinc32, held", Setup { interpolation: Interpolation::Sinc32, ..sixteen }),
        ("no voice, limiter", Setup { voices: 0, limiter: true, ..cubic }),
    ];
    let mut unit = Rig::new(&UNIT, recordings);
    let mut rigs = setups.map(|(_, setup)| Rig::new(&setup, recordings));
    let mut times = setups.map(|_| Vec::with_capacity(400 * 100));
    let mut units = Vec::new();
    for _ in 0..400 {
        units.push(unit.round());
        for (rig, times) in rigs.iter_mut().zip(&mut times) {
            rig.engine.process(&mut rig.out);
            for _ in 0..100 {
                let started = Instant::now();
                rig.engine.process(black_box(&mut rig.out));
                times.push(started.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    let unit = at(&sorted(units), 0.5);
    println!(
        "\none block of 128 frames, 16 voices, stereo, 40 000 blocks each, µs (× what 16 voices of linear,"
    );
    println!("stereo, out of 64 held ones take: {unit:.2} ns per voice and frame)");
    println!("  {:<24}{:>17}{:>9}{:>9}{:>13}", "", "median", "p99", "p99.9", "p99/median");
    for ((name, _), times) in setups.iter().zip(times) {
        let times = sorted(times);
        let [median, p99, p999] = [0.5, 0.99, 0.999].map(|share| at(&times, share));
        println!(
            "  {name:<24}{median:>8.2} ({:>5.2}×){p99:>9.2}{p999:>9.2}{:>13.2}",
            median * 1e3 / (unit * (16 * BLOCK) as f64),
            p99 / median
        );
    }
}

/// Stereo frames of each of 1024 recordings that are 1 GiB together.
const SHARE: u32 = (1 << 30) / (1024 * 8);

/// Every voice in memory of its own: nothing that is read has been read before, and the next voice begins elsewhere.
fn memory(recordings: &[Recording; 2]) {
    let gibibyte: Vec<Region> = (0..1024u32)
        .map(|n| {
            let keys = (n % 128) as u8..=(n % 128) as u8;
            let velocities = (n / 128 * 8 + 1) as u8..=(n / 128 * 8 + 8) as u8;
            // A fifth down to a fifth up, as in the other tables.
            let root_key = f64::from(n % 128) + 6.97 - 13.96 * f64::from(n) / 1024.0;
            let recording = Recording::new(true, SHARE);
            let playback = Playback::Loop(recording.round);
            Region { keys, velocities, root_key, playback, ..Region::of(recording.sample) }
        })
        .collect();
    let gibibyte = Arc::new(Instrument::new(gibibyte));
    assert!(gibibyte.bytes() >= 1 << 30);
    println!("\n1024 voices, stereo, held, ns per voice and frame (× all in one recording of 384 KiB)");
    println!("  {:<24}{:>12}{:>24}", "", "one recording", "1 GiB of recordings");
    let kernels = [Interpolation::Linear, Interpolation::Cubic, Interpolation::Sinc16];
    let mut rigs: Vec<Rig> = kernels
        .into_iter()
        .flat_map(|interpolation| {
            let setup = Setup { interpolation, voices: 1024, ..UNIT };
            [Rig::new(&setup, recordings), Rig::playing(&setup, gibibyte.clone())]
        })
        .collect();
    let medians = by_turns(&mut rigs, ROUNDS, Rig::round);
    for (interpolation, pair) in kernels.into_iter().zip(medians.chunks(2)) {
        let [one, all] = pair else { continue };
        println!("  {:<24}{one:>13.2}{all:>16.2} ({:.2}×)", interpolation.name(), all / one);
    }
}

/// What is only there must cost nothing.
fn flat(recordings: &[Recording; 2]) {
    let base = Setup { voices: 16, ..UNIT };
    let setups = [
        ("alone", base),
        ("100 instruments", Setup { instruments: 100, ..base }),
        ("1000 instruments", Setup { instruments: 1000, ..base }),
        ("1000 events wait", Setup { waiting: 1000, ..base }),
        ("50 000 events wait", Setup { waiting: 50_000, ..base }),
        ("100 samplers", Setup { samplers: 100, ..base }),
        ("all of it", Setup { instruments: 1000, waiting: 50_000, samplers: 100, ..base }),
    ];
    let (mut held, mut noted, mut units) = (Vec::new(), Vec::new(), Vec::new());
    // Engines are made anew for each pass: where their memory comes to lie is worth up to a tenth.
    for _ in 0..9 {
        let mut unit = [Rig::new(&UNIT, recordings)];
        let mut rigs = setups.map(|(_, setup)| Rig::new(&setup, recordings));
        units.push(by_turns(&mut unit, ROUNDS, Rig::round)[0]);
        held.push(by_turns(&mut rigs, ROUNDS, |rig| rig.blocks(128)));
        noted.push(by_turns(&mut rigs, ROUNDS, |rig| rig.blocks_with_notes(128)));
    }
    let unit = at(&sorted(units), 0.5) * (16 * BLOCK) as f64;
    let median =
        |tables: &[Vec<f64>], row: usize| at(&sorted(tables.iter().map(|table| table[row]).collect()), 0.5);
    println!(
        "\nwhat is only there: one block, 16 voices held, linear, stereo, µs (× alone; × what 16 voices of linear,"
    );
    println!("stereo, out of 64 held ones take)");
    println!("  {:<24}{:>24}{:>38}", "", "held", "and a note starts, another ends");
    for (row, (name, _)) in setups.iter().enumerate() {
        print!("  {name:<24}");
        for (tables, width) in [(&held, 8), (&noted, 24)] {
            let ns = median(tables, row);
            print!("{:>width$.2} ({:.2}×; {:.2}×)", ns / 1e3, ns / median(tables, 0), ns / unit);
        }
        println!();
    }
}

/// What sends and effects cost: with all of 16 voices sending to them, and by themselves.
fn effects(recordings: &[Recording; 2]) {
    let base = Setup { voices: 16, ..UNIT };
    let cases: [(&str, &[Kind]); 5] = [
        ("none", &[]),
        ("reverb", &[Kind::Reverb]),
        ("delay", &[Kind::Delay]),
        ("chorus", &[Kind::Chorus]),
        ("all three", &Kind::ALL),
    ];
    let mut rigs = cases.map(|(_, kinds)| {
        let mut rig = Rig::new(&base, recordings);
        for (send, kind) in (0u8..).zip(Kind::ALL).filter(|(_, kind)| kinds.contains(kind)) {
            let effect = Box::new(Effect::new(kind, RATE, &defaults(kind)));
            rig.send(Command::SetEffect(0, send, Some(effect)));
            rig.play(Event::SamplerSend { sampler: 0, send, level: 0.5 }, None);
        }
        // Until nothing glides any more.
        rig.blocks(100);
        rig
    });
    let sending = by_turns(&mut rigs, ROUNDS, |rig| rig.blocks(128));
    let mut alone = Kind::ALL.map(|kind| (Effect::new(kind, RATE, &defaults(kind)), 0u64, Vec::new()));
    for _ in 0..ROUNDS {
        for (effect, frame, times) in &mut alone {
            let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
            let started = Instant::now();
            for _ in 0..128 {
                left.fill(0.1);
                right.fill(-0.1);
                effect.process(*frame, black_box(&mut left), black_box(&mut right));
                *frame += BLOCK as u64;
            }
            times.push(started.elapsed().as_secs_f64() * 1e6 / 128.0);
        }
    }
    println!(
        "\neffects, one block of 128 frames, µs: with 16 voices (linear, stereo, held) that send to them, and alone"
    );
    for ((name, kinds), ns) in cases.iter().zip(&sending) {
        let own = alone.iter().find(|(effect, ..)| *kinds == [effect.kind()]);
        let own =
            own.map_or(String::new(), |(_, _, times)| format!("{:.2}", at(&sorted(times.clone()), 0.5)));
        println!("  {name:<24}{:>8.2}{own:>16}", ns / 1e3);
    }
}
