//! Noise and aliasing of each interpolation, out of the whole engine: one held voice that plays a sine.

use std::f64::consts::TAU;
use std::sync::Arc;

use ictus::dsp::interpolate::Interpolation;
use ictus::engine::event::{Event, Late, encode};
use ictus::engine::instruments::Installed;
use ictus::engine::message::Command;
use ictus::engine::{Engine, EngineConfig, Sampler, Stealing};
use ictus::instrument::{Instrument, Region, Sample};

use crate::plots;
use crate::rig::RATE;

const FIT: usize = 16_384;

pub fn quality() {
    println!("\nsignal-to-noise of a sine out of the engine, dB, worse of +7 and −5 semitones");
    let hz = [100.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0, 10_000.0, 13_000.0, 16_000.0];
    table(&hz, "noise", |interpolation, hz| {
        let noise = |semitones: f32| signal_to_noise(interpolation, hz, semitones);
        noise(7.0).min(noise(-5.0))
    });
    println!(
        "\nwhat is folded, dB: loudest of sines between the new Nyquist frequency and the old one, by ratio"
    );
    let ratios = [1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0];
    table(&ratios, "aliasing", folded);
}

/// Prints a row for each interpolation, and draws it under this name.
fn table(columns: &[f64], name: &str, mut value: impl FnMut(Interpolation, f64) -> f64) {
    print!("  {:<10}", "");
    columns.iter().for_each(|column| print!("{column:>9}"));
    println!();
    for interpolation in Interpolation::ALL {
        let row: Vec<f64> = columns.iter().map(|column| value(interpolation, *column)).collect();
        print!("  {:<10}", interpolation.name());
        row.iter().for_each(|value| print!("{value:>9.1}"));
        println!();
        plots::line(name, interpolation.name(), columns, &row);
    }
}

/// `count` frames of a sine of `hz`, transposed, after the first 200, and its angle from frame to frame.
fn play(interpolation: Interpolation, hz: f64, semitones: f64, count: usize) -> (Vec<f64>, f64) {
    let ratio = (semitones / 12.0).exp2();
    let angle = TAU * hz / f64::from(RATE);
    let frames = 2000 + (count as f64 * ratio) as usize;
    let sine = (0..frames).map(|n| (angle * n as f64).sin() as f32).collect();
    let region = Region::of(Arc::new(Sample::new(sine, 1, RATE).expect("a sine is a sample").0));
    // The key is an f32: fractions of a semitone are told by the root, an f64.
    let region = Region { root_key: 60.0 - semitones, ..region };
    let (mut engine, mut ends) = Engine::new(EngineConfig {
        sample_rate: RATE,
        channels: 2,
        polyphony: 1,
        interpolation,
        limiter: None,
    });
    let sampler = Box::new(Sampler::new(1, Stealing::None, 1.0));
    assert!(ends.lane.send(Command::AddSampler(0, sampler)).is_ok());
    let instrument = Arc::new(Instrument::new(vec![region]));
    assert!(ends.lane.send(Command::SetInstrument(0, 0, Installed::new(instrument))).is_ok());
    for event in [
        Event::Assign { sampler: 0, channel: 0, instrument: Some(0) },
        Event::NoteOn {
            sampler: 0,
            channel: 0,
            late: Late::Play,
            note: 1,
            key: 60.0,
            velocity: 127.0,
            instrument: None,
        },
    ] {
        assert!(ends.lane.memory().push(&encode(event, None), 0));
    }
    // The beginning of the recording is a corner, which a sinc spreads over its taps.
    let mut out = vec![0.0; 2 * (200 + count)];
    engine.process(&mut out);
    let left = out.chunks(2).skip(200).map(|frame| f64::from(frame[0]) * std::f64::consts::SQRT_2);
    (left.collect(), angle * ratio)
}

/// dB of the sine that fits best over what is left without it.
fn signal_to_noise(interpolation: Interpolation, hz: f64, semitones: f32) -> f64 {
    let (out, angle) = play(interpolation, hz, semitones.into(), FIT);
    let (mut ss, mut sc, mut cc, mut ys, mut yc, mut yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (n, y) in out.iter().enumerate() {
        let (s, c) = (angle * n as f64).sin_cos();
        ss += s * s;
        sc += s * c;
        cc += c * c;
        ys += y * s;
        yc += y * c;
        yy += y * y;
    }
    let determinant = ss * cc - sc * sc;
    let (a, b) = ((ys * cc - yc * sc) / determinant, (yc * ss - ys * sc) / determinant);
    let signal = a * ys + b * yc;
    10.0 * (signal / (yy - signal)).log10()
}

/// Loudest sine that comes out though its pitch has no place in the output, in dB of what went in.
fn folded(interpolation: Interpolation, ratio: f64) -> f64 {
    let half = f64::from(RATE) / 2.0;
    let nyquist = half / ratio;
    let mut worst = f64::NEG_INFINITY;
    for i in 0..60 {
        // Dense near the new Nyquist frequency, where it is loudest.
        let hz = nyquist + (half - nyquist) * (f64::from(i) / 60.0).powi(2);
        let (out, _) = play(interpolation, hz + 0.37, 12.0 * ratio.log2(), 2048);
        let power = out.iter().map(|y| y.powi(2)).sum::<f64>() / out.len() as f64;
        worst = worst.max(10.0 * (power * 2.0).log10());
    }
    worst
}
