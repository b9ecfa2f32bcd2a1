//! Cost of the interpolation kernels: `cargo bench --bench interpolate --no-default-features`.
//!
//! ns per frame are medians of interleaved rounds, each kernel reading runs of 32 frames, as voices do, all over a
//! second of noise; "×" is beside linear, scalar, of the same shape in the same run. Noise and aliasing
//! are measured out of the whole engine: `--bench engine -- quality`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ictus::dsp::interpolate::{Interpolation, Kernel, ONE_FRAME, Step, Variant};
use ictus::engine::event::{Event, Late, encode};
use ictus::engine::instruments::Installed;
use ictus::engine::message::Command;
use ictus::engine::{Engine, EngineConfig, EngineEnds, Sampler, Stealing};
use ictus::instrument::{Instrument, LoopMode, LoopSettings, Playback, Region, Sample, SampleLoop};

const RATE: f64 = 48_000.0;
const ROUNDS: usize = 41;
const RUN: usize = 32;
const FRAMES_A_ROUND: usize = 32 * 1024;

fn main() {
    let started = Instant::now();
    black_box(Interpolation::ALL.map(Kernel::new));
    println!("all tables: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);

    let kernels: Vec<(Interpolation, Variant, Kernel)> = Interpolation::ALL
        .into_iter()
        .flat_map(|interpolation| Variant::ALL.map(|variant| (interpolation, variant)))
        .filter_map(|(interpolation, variant)| {
            Some((interpolation, variant, Kernel::with(interpolation, variant)?))
        })
        .collect();
    let noise: Vec<f32> = (0..2 * 49_152u32)
        .map(|n| {
            (n.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(40_503) as i32) as f32
                * 2f32.powi(-31)
        })
        .collect();
    // A fifth down, up to a fifth up: no ratio is a whole one. And an octave and two, where sincs take more taps.
    let ratios = [0.749_153_5, 1.498_307, 2.0, 4.0];

    println!("\nns per frame (× linear scalar), runs of {RUN} frames, reading at these ratios");
    println!("{:<14}{:<8}{:>18}{:>18}{:>18}{:>18}", "", "", "0.75", "1.5", "2", "4");
    for stereo in [false, true] {
        let mut times = vec![vec![Vec::with_capacity(ROUNDS); ratios.len()]; kernels.len()];
        for _ in 0..ROUNDS {
            for ((_, _, kernel), times) in kernels.iter().zip(&mut times) {
                for (ratio, times) in ratios.iter().zip(times) {
                    times.push(round(kernel, &noise, *ratio, stereo));
                }
            }
        }
        let medians: Vec<Vec<f64>> = times
            .into_iter()
            .map(|kernel| {
                kernel
                    .into_iter()
                    .map(|mut rounds| {
                        rounds.sort_by(f64::total_cmp);
                        rounds[ROUNDS / 2]
                    })
                    .collect()
            })
            .collect();
        for ((interpolation, variant, _), row) in kernels.iter().zip(&medians) {
            print!(
                "{:<14}{:<8}",
                format!("{} {}", interpolation.name(), if stereo { "stereo" } else { "mono" }),
                format!("{variant:?}")
            );
            for (ns, base) in row.iter().zip(&medians[0]) {
                print!("{:>10.2} ({:>4.2}×)", ns, ns / base);
            }
            println!();
        }
    }

    println!("\ncomplete voices (64 of them, each at its own pitch), ns per voice and frame");
    for (name, stereo, lowest) in [
        ("mono, to a fifth down", false, 53.03),
        ("stereo, to a fifth down", true, 53.03),
        ("stereo, to a fifth up", true, 60.03),
    ] {
        let mut engines = Interpolation::ALL.map(|kernel| Voices::new(kernel, &noise, stereo, lowest));
        let mut times = [const { Vec::new() }; 5];
        for _ in 0..ROUNDS {
            engines.iter_mut().zip(&mut times).for_each(|(voices, times)| times.push(voices.round()));
        }
        print!("{name:<24}");
        for (interpolation, mut times) in Interpolation::ALL.into_iter().zip(times) {
            times.sort_by(f64::total_cmp);
            print!("{:>9} {:.2}", interpolation.name(), times[ROUNDS / 2]);
        }
        println!();
    }
}

/// ns per frame.
fn round(kernel: &Kernel, noise: &[f32], ratio: f64, stereo: bool) -> f64 {
    let step = (ratio * ONE_FRAME as f64) as Step;
    let (mut left, mut right) = ([0.0; RUN], [0.0; RUN]);
    let length = noise.len() as u64 / 2 * ONE_FRAME;
    let (first, last) = (200 * ONE_FRAME, length - 1000 * ONE_FRAME);
    let mut position = first;
    let started = Instant::now();
    for _ in 0..FRAMES_A_ROUND / RUN {
        if stereo {
            kernel.read_stereo(black_box(noise), position, step, &mut left, &mut right);
            black_box(&right);
        } else {
            kernel.read_mono(black_box(noise), position, step, &mut left);
        }
        black_box(&left);
        position = position.wrapping_add_signed(step * RUN as Step);
        if position > last {
            position = first + (position & (ONE_FRAME - 1));
        }
    }
    started.elapsed().as_secs_f64() * 1e9 / FRAMES_A_ROUND as f64
}

/// An engine with 64 held voices on loops, each at its own pitch within a fifth; blocks of 128 frames.
struct Voices {
    engine: Engine,
    _ends: EngineEnds,
    out: Vec<f32>,
}

const VOICES: usize = 64;

impl Voices {
    fn new(interpolation: Interpolation, noise: &[f32], stereo: bool, lowest: f32) -> Self {
        let config = EngineConfig {
            sample_rate: RATE as u32,
            channels: 2,
            polyphony: VOICES,
            interpolation,
            limiter: None,
        };
        let (engine, mut ends) = Engine::new(config);
        let sample = Sample::new(noise.to_vec(), if stereo { 2 } else { 1 }, RATE as u32).unwrap().0;
        let sample = Arc::new(sample);
        let settings = LoopSettings::forward(1000, 40_000, LoopMode::Continuous);
        let sample_loop = SampleLoop::new(&sample, &settings).unwrap();
        let region = Region { playback: Playback::Loop(Arc::new(sample_loop)), ..Region::of(sample) };
        let sampler = Sampler::new(VOICES, Stealing::Quietest, 1.0);
        assert!(ends.lane.send(Command::AddSampler(0, Box::new(sampler))).is_ok());
        assert!(
            ends.lane
                .send(Command::SetInstrument(0, 0, Installed::new(Arc::new(Instrument::new(vec![region])))))
                .is_ok()
        );
        let mut events = vec![Event::Assign { sampler: 0, channel: 0, instrument: Some(0) }];
        events.extend((0..VOICES as u32).map(|note| Event::NoteOn {
            sampler: 0,
            channel: 0,
            late: Late::Play,
            note: note + 1,
            key: lowest + 6.96 * note as f32 / VOICES as f32,
            velocity: 10.0,
            instrument: None,
        }));
        let mut voices = Self { engine, _ends: ends, out: vec![0.0; 256] };
        for event in events {
            assert!(voices._ends.lane.memory().push(&encode(event, None), 0));
            voices.engine.process(&mut voices.out);
        }
        assert_eq!(voices._ends.counters.voices.load() as usize, VOICES);
        voices
    }

    fn round(&mut self) -> f64 {
        let started = Instant::now();
        for _ in 0..32 {
            self.engine.process(black_box(&mut self.out));
        }
        started.elapsed().as_secs_f64() * 1e9 / (32 * 128 * VOICES) as f64
    }
}
