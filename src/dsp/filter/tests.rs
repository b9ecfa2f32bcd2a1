//! The closed forms: magnitudes against the Audio EQ Cookbook's biquads in f64, stability against the energy balance of
//! the trapezoidal rule, and the same bits for any lane, neighbour and partition.

use std::f64::consts::{PI, SQRT_2};

use super::*;
use crate::dsp::variant::Variant;

const RATE: f32 = 48_000.0;

fn banks() -> impl Iterator<Item = Bank> {
    Variant::ALL.into_iter().filter_map(Bank::with)
}

/// Numbers that look random, −1..1; the same ones each time.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let word = (self.0 >> ((self.0 >> 28) + 4) ^ self.0).wrapping_mul(277_803_737);
        (word >> 22 ^ word) as i32 as f32 * 2f32.powi(-31)
    }

    fn values(seed: u32, count: usize) -> Vec<f32> {
        let mut noise = Self(seed);
        (0..count).map(|_| noise.next()).collect()
    }

    /// Between the two, evenly on a logarithmic scale.
    fn between(&mut self, low: f32, high: f32) -> f32 {
        low * (high / low).powf(self.next() * 0.5 + 0.5)
    }
}

fn settings(kind: Kind, cutoff_hz: f32, resonance_db: f32, gain_db: f32) -> FilterSettings {
    FilterSettings { kind, cutoff_hz, resonance_db, gain_db }
}

/// One filter that stands still, in chunks of 128.
fn filtered(bank: &mut Bank, coefficients: Coefficients, values: &[f32]) -> Vec<f32> {
    let mut state = State::default();
    let mut out = Vec::new();
    for chunk in values.chunks(MAX_FRAMES) {
        bank.clear();
        let lane = bank.add(state).unwrap();
        bank.values_mut(lane)[..chunk.len()].copy_from_slice(chunk);
        bank.stretch(lane, &Stretch::still(coefficients, chunk.len() as u32));
        assert_eq!(bank.run(chunk.len()), 0);
        out.extend_from_slice(&bank.values(lane)[..chunk.len()]);
        state = bank.state(lane);
    }
    out
}

/// A voice of the tests: values, and segments of coefficients one after the other, first to last.
#[derive(Clone)]
struct Voice {
    values: Vec<f32>,
    /// Frames of each segment, and where it goes.
    segments: Vec<(u32, Coefficients)>,
    first: Coefficients,
    state: State,
    position: usize,
}

impl Voice {
    /// Cutoff, resonance and kind at random; segments of 1 to 32 frames, of which some stand still.
    fn new(seed: u32, frames: usize) -> Self {
        let mut noise = Noise(seed);
        let kind = Kind::ALL[seed as usize % Kind::ALL.len()];
        let any = |noise: &mut Noise| {
            settings(kind, noise.between(30.0, 20_000.0), noise.next() * 20.0, noise.next() * 12.0)
                .coefficients(RATE)
        };
        let first = any(&mut noise);
        let mut segments: Vec<(u32, Coefficients)> = Vec::new();
        let mut total = 0;
        while total < frames {
            let length = 1 + (noise.next().abs() * 31.9) as u32;
            let last = segments.last().map_or(first, |(_, last)| *last);
            let to = if noise.next() > 0.3 { last } else { any(&mut noise) };
            segments.push((length, to));
            total += length as usize;
        }
        let values = Noise::values(seed + 1000, frames);
        Self { values, segments, first, state: State::default(), position: 0 }
    }

    fn still(seed: u32, frames: usize) -> Self {
        let mut voice = Self::new(seed, frames);
        voice.segments = vec![(frames as u32, voice.first)];
        voice
    }

    /// Takes a lane for its next frames.
    fn enter(&self, bank: &mut Bank, frames: usize) -> usize {
        let lane = bank.add(self.state).unwrap();
        bank.values_mut(lane)[..frames].copy_from_slice(&self.values[self.position..self.position + frames]);
        let (mut start, mut from) = (0, self.first);
        for (length, to) in &self.segments {
            let end = start + *length as usize;
            let (first, last) = (start.max(self.position), end.min(self.position + frames));
            if first < last {
                let at = (first - start) as u32;
                let frames = (last - first) as u32;
                bank.stretch(lane, &Stretch { frames, from, to: *to, length: *length, at });
            }
            (start, from) = (end, *to);
        }
        lane
    }

    fn leave(&mut self, bank: &Bank, lane: usize, frames: usize, out: &mut Vec<u32>) {
        out.extend(bank.values(lane)[..frames].iter().map(|value| value.to_bits()));
        self.state = bank.state(lane);
        self.position += frames;
    }
}

/// The bits of each voice, all of them in one bank, in runs of these lengths.
fn run(bank: &mut Bank, mut voices: Vec<Voice>, runs: impl Iterator<Item = usize>) -> Vec<Vec<u32>> {
    let frames = voices[0].values.len();
    let mut out = vec![Vec::new(); voices.len()];
    let mut done = 0;
    for length in runs {
        let length = length.min(frames - done);
        bank.clear();
        let lanes: Vec<usize> = voices.iter().map(|voice| voice.enter(bank, length)).collect();
        assert_eq!(bank.run(length), 0);
        for ((voice, lane), out) in voices.iter_mut().zip(lanes).zip(&mut out) {
            voice.leave(bank, lane, length, out);
        }
        done += length;
        if done == frames {
            break;
        }
    }
    out
}

/// b and a of the Audio EQ Cookbook; one-poles by the same bilinear transform.
fn cookbook(settings: &FilterSettings) -> ([f64; 3], [f64; 3]) {
    let w0 = 2.0 * PI * f64::from(settings.cutoff_hz) / f64::from(RATE);
    let (s, c) = w0.sin_cos();
    let q = 10f64.powf(f64::from(settings.resonance_db) / 20.0) / SQRT_2;
    let alpha = s / (2.0 * q);
    let a = 10f64.powf(f64::from(settings.gain_db) / 40.0);
    let t = (w0 / 2.0).tan();
    let poles = [1.0 + alpha, -2.0 * c, 1.0 - alpha];
    let beta = 2.0 * a.sqrt() * alpha;
    match settings.kind {
        Kind::LowPass => ([(1.0 - c) / 2.0, 1.0 - c, (1.0 - c) / 2.0], poles),
        Kind::HighPass => ([(1.0 + c) / 2.0, -(1.0 + c), (1.0 + c) / 2.0], poles),
        Kind::BandPass => ([alpha, 0.0, -alpha], poles),
        Kind::Notch => ([1.0, -2.0 * c, 1.0], poles),
        Kind::AllPass => ([1.0 - alpha, -2.0 * c, 1.0 + alpha], poles),
        Kind::LowPass1 => ([t, t, 0.0], [1.0 + t, t - 1.0, 0.0]),
        Kind::HighPass1 => ([1.0, -1.0, 0.0], [1.0 + t, t - 1.0, 0.0]),
        Kind::AllPass1 => ([t - 1.0, t + 1.0, 0.0], [1.0 + t, t - 1.0, 0.0]),
        Kind::Peak => {
            ([1.0 + alpha * a, -2.0 * c, 1.0 - alpha * a], [1.0 + alpha / a, -2.0 * c, 1.0 - alpha / a])
        }
        Kind::LowShelf => (
            [
                a * ((a + 1.0) - (a - 1.0) * c + beta),
                2.0 * a * ((a - 1.0) - (a + 1.0) * c),
                a * ((a + 1.0) - (a - 1.0) * c - beta),
            ],
            [
                (a + 1.0) + (a - 1.0) * c + beta,
                -2.0 * ((a - 1.0) + (a + 1.0) * c),
                (a + 1.0) + (a - 1.0) * c - beta,
            ],
        ),
        Kind::HighShelf => (
            [
                a * ((a + 1.0) + (a - 1.0) * c + beta),
                -2.0 * a * ((a - 1.0) + (a + 1.0) * c),
                a * ((a + 1.0) + (a - 1.0) * c - beta),
            ],
            [
                (a + 1.0) - (a - 1.0) * c + beta,
                2.0 * ((a - 1.0) - (a + 1.0) * c),
                (a + 1.0) - (a - 1.0) * c - beta,
            ],
        ),
    }
}

/// |B(e^jω)/A(e^jω)|
fn magnitude((b, a): &([f64; 3], [f64; 3]), hz: f64) -> f64 {
    let w = 2.0 * PI * hz / f64::from(RATE);
    let at = |p: &[f64; 3]| {
        let re = p[0] + p[1] * w.cos() + p[2] * (2.0 * w).cos();
        re.hypot(p[1] * w.sin() + p[2] * (2.0 * w).sin())
    };
    at(b) / at(a)
}

/// |Σ values·e^(−jωn)|
fn spectrum(values: &[f32], hz: f64) -> f64 {
    let (step_im, step_re) = (2.0 * PI * hz / f64::from(RATE)).sin_cos();
    let (mut re, mut im, mut turn_re, mut turn_im) = (0.0, 0.0, 1.0, 0.0);
    for value in values.iter().map(|value| f64::from(*value)) {
        re += value * turn_re;
        im -= value * turn_im;
        (turn_re, turn_im) = (turn_re * step_re - turn_im * step_im, turn_re * step_im + turn_im * step_re);
    }
    re.hypot(im)
}

const CUTOFFS: [f32; 6] = [20.0, 150.0, 1_000.0, 6_000.0, 15_000.0, 23_000.0];

fn every_setting() -> impl Iterator<Item = FilterSettings> {
    let gains = |kind| match kind {
        Kind::Peak | Kind::LowShelf | Kind::HighShelf => vec![-24.0, 15.0],
        _ => vec![0.0],
    };
    Kind::ALL.into_iter().flat_map(move |kind| {
        gains(kind).into_iter().flat_map(move |gain| {
            CUTOFFS.into_iter().flat_map(move |cutoff| {
                [-20.0, 0.0, 12.0, 40.0].map(|resonance| settings(kind, cutoff, resonance, gain))
            })
        })
    })
}

#[test]
fn the_closed_form_is_the_cookbooks() {
    for settings in every_setting() {
        let expected = cookbook(&settings);
        for hz in [1.0, 15.0, 20.0, 150.0, 990.0, 1_000.0, 5_000.0, 15_000.0, 20_000.0, 23_990.0] {
            let (is, should) = (response(&settings, RATE, hz), magnitude(&expected, hz));
            // k and the mix are rounded to 2⁻²⁴ each; in a notch, or far up a slope, the terms cancel.
            let largest = [0.0, 10_f64.powf(f64::from(settings.gain_db) / 20.0), should]
                .into_iter()
                .fold(1.0, f64::max);
            assert!(
                (is - should).abs() <= 2f64.powi(-21) * largest,
                "{settings:?} at {hz}: {is} not {should}"
            );
        }
    }
}

#[test]
fn impulse_responses_have_the_closed_forms_spectrum() {
    for mut bank in banks() {
        for settings in every_setting() {
            let coefficients = settings.coefficients(RATE);
            let [g, k, ..] = coefficients.terms.map(f64::from);
            // Until the slowest mode has fallen by e¹⁸ = 2²⁶.
            let slowest = if k > 2.0 { (k - (k * k - 4.0).sqrt()) / 2.0 } else { k / 2.0 };
            let frames = (18.0 / (2.0 * (g.min(1.0 / g) * slowest).atan())).ceil() as usize + 64;
            if frames > 60_000 {
                continue; // the narrowest at the lowest cutoffs
            }
            let mut impulse = vec![0.0; frames];
            impulse[0] = 1.0;
            let out = filtered(&mut bank, coefficients, &impulse);
            let cutoff = f64::from(settings.cutoff_hz);
            let all = [10.0, 100.0, 1_000.0, 10_000.0, 20_000.0, cutoff, cutoff * 0.9];
            let highest = all.map(|hz| response(&settings, RATE, hz)).into_iter().fold(1.0, f64::max);
            for hz in all {
                let (is, should) = (spectrum(&out, hz), response(&settings, RATE, hz));
                // a₁ ≈ 1 − g·k is rounded to 2⁻²⁴, so the damping g·k is off by a relative 2⁻²⁴/(g·k), and so is the
                // height of the resonance; the five roundings of a frame into the state count the same way.
                let loss = (g.min(1.0 / g) * slowest).min(1.0);
                let off = (is - should).abs() / (highest * 2f64.powi(-24) * (1.0 + 1.0 / loss));
                assert!(off <= 6.0, "{bank:?} {settings:?} at {hz}: {is} not {should}, {off}");
            }
        }
    }
}

#[test]
fn resonance_is_the_gain_at_the_cutoff_above_the_flat_one() {
    for db in [-40.0, -6.0, 0.0, 3.0, 24.0, 40.0] {
        for kind in [Kind::LowPass, Kind::HighPass] {
            let height = response(&settings(kind, 1_000.0, db, 0.0), RATE, 1_000.0) * SQRT_2;
            assert!((20.0 * height.log10() - f64::from(db)).abs() < 1e-5, "{kind:?} {db}: {height}");
        }
    }
    for gain in [-12.0, 6.0] {
        for (kind, hz) in [(Kind::Peak, 1_000.0), (Kind::LowShelf, 0.01), (Kind::HighShelf, 23_999.99)] {
            let height = 20.0 * response(&settings(kind, 1_000.0, 0.0, gain), RATE, hz).log10();
            assert!((height - f64::from(gain)).abs() < 1e-4, "{kind:?} {gain}: {height}");
        }
    }
}

#[test]
fn whatever_is_asked_for_is_clamped() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1.0, 0.0, 1e-30];
    for kind in Kind::ALL {
        for cutoff in odd {
            for resonance in odd {
                for gain in odd {
                    let [g, k, mix @ ..] = settings(kind, cutoff, resonance, gain).coefficients(RATE).terms;
                    // g ≤ tan(0.49·π)·4, k ≤ √2·100·16.
                    assert!(g > 0.0 && g < 128.0 && k > 0.0 && k < 2300.0, "{kind:?} {g} {k}");
                    assert!(mix.into_iter().all(|m| m.abs() < 1e5), "{kind:?} {mix:?}");
                }
            }
        }
    }
    let open = settings(Kind::LowPass, 0.49 * RATE, 0.0, 0.0);
    for cutoff in [f32::NAN, f32::INFINITY, 23_700.0] {
        let same = FilterSettings { cutoff_hz: cutoff, ..open };
        assert_eq!(same.coefficients(RATE), open.coefficients(RATE));
    }
    assert_eq!(
        settings(Kind::LowPass, -1.0, f32::NAN, 0.0).coefficients(RATE),
        settings(Kind::LowPass, 5.0, 0.0, 0.0).coefficients(RATE)
    );
}

#[test]
fn energy_grows_by_no_more_than_the_input_brings_however_wildly_it_is_turned() {
    // ic₁² + ic₂² changes by 4·g·v₁·(v₀ − k·v₁) a frame, which is at most g·v₀²/k, and never positive without input.
    for mut bank in banks() {
        let mut noise = Noise(7);
        let mut states = [State::default(); LANES];
        for frame in 0..4_000 {
            bank.clear();
            let mut inputs = [(0.0, 0.0f64, 0.0f64, 0.0f64); LANES];
            for (state, input) in states.iter().zip(&mut inputs) {
                let kind = Kind::ALL[(frame + input.0 as usize) % Kind::ALL.len()];
                let cutoff = noise.between(5.0, 30_000.0);
                let coefficients =
                    settings(kind, cutoff, noise.next() * 40.0, noise.next() * 24.0).coefficients(RATE);
                let value = if frame % 100 < 60 { noise.next() } else { 0.0 };
                let lane = bank.add(*state).unwrap();
                bank.values_mut(lane)[0] = value;
                bank.stretch(lane, &Stretch::still(coefficients, 1));
                let [g, k, ..] = coefficients.terms.map(f64::from);
                *input = (value, g, k, energy(state));
            }
            assert_eq!(bank.run(1), 0);
            for (lane, (state, (value, g, k, before))) in states.iter_mut().zip(inputs).enumerate() {
                *state = bank.state(lane);
                let brought = g / k * f64::from(value).powi(2);
                // Each of ic₁ and ic₂ is a sum of a few products, each rounded to 2⁻²⁴ of no more than twice the
                // larger of state and input.
                let rounding = 2f64.powi(-19) * (before + f64::from(value).powi(2));
                assert!(energy(state) <= before + brought + rounding, "{bank:?} frame {frame} lane {lane}");
            }
        }
    }
}

fn energy(state: &State) -> f64 {
    state.integrators.iter().map(|ic| f64::from(*ic).powi(2)).sum()
}

#[test]
fn noise_through_filters_that_jump_every_frame_stays_bounded_and_dies_away() {
    for mut bank in banks() {
        let mut voices: Vec<Voice> = (0..16).map(|seed| Voice::new(seed, 1)).collect();
        for (seed, voice) in (0..).zip(&mut voices) {
            let mut noise = Noise(seed + 50);
            voice.values = Noise::values(seed, 48_000);
            voice.values[24_000..].fill(0.0);
            voice.segments = (0..48_000)
                .map(|_| {
                    let cutoff = noise.between(5.0, 24_000.0);
                    (1, settings(Kind::LowPass, cutoff, noise.next() * 40.0, 0.0).coefficients(RATE))
                })
                .collect();
        }
        // Entering looks through all segments: a voice at a time, in pieces.
        for voice in voices {
            let pieces: Vec<Voice> = (0..375)
                .map(|i| Voice {
                    values: voice.values[i * 128..][..128].to_vec(),
                    segments: voice.segments[i * 128..][..128].to_vec(),
                    first: if i == 0 { voice.first } else { voice.segments[i * 128 - 1].1 },
                    ..voice.clone()
                })
                .collect();
            let mut state = State::default();
            let mut peaks = [0.0f32; 2];
            for (i, mut piece) in pieces.into_iter().enumerate() {
                piece.state = state;
                bank.clear();
                let lane = piece.enter(&mut bank, 128);
                assert_eq!(bank.run(128), 0);
                state = bank.state(lane);
                let peak = bank.values(lane).iter().fold(0.0f32, |peak, value| peak.max(value.abs()));
                if i < 188 {
                    peaks[0] = peaks[0].max(peak);
                } else if i == 374 {
                    peaks[1] = peak;
                }
            }
            // A resonance of 40 dB held for ever makes 71 of a 1; these never stay long enough.
            assert!(peaks[0] > 0.1 && peaks[0] < 71.0, "{bank:?}: {peaks:?}");
            assert!(peaks[1] < 1e-3 * peaks[0], "{bank:?}: {peaks:?}");
        }
    }
}

#[test]
fn a_lane_that_stands_still_has_the_same_bits_beside_ones_that_move() {
    for mut bank in banks() {
        for seed in 0..Kind::ALL.len() as u32 {
            let still = Voice::still(seed, 1024);
            let alone = run(&mut bank, vec![still.clone()], std::iter::repeat(128));
            let mut crowd: Vec<Voice> = (0..16).map(|other| Voice::new(100 + other, 1024)).collect();
            crowd[(seed as usize * 5) % 16] = still;
            let among = run(&mut bank, crowd, std::iter::repeat(128));
            assert_eq!(alone[0], among[(seed as usize * 5) % 16], "{bank:?} {seed}");
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_lane_or_on_its_neighbours() {
    for mut bank in banks() {
        let voices: Vec<Voice> = (0..16).map(|seed| Voice::new(seed, 1000)).collect();
        let together = run(&mut bank, voices.clone(), std::iter::repeat(128));
        for (lane, voice) in voices.iter().enumerate() {
            let alone = run(&mut bank, vec![voice.clone()], std::iter::repeat(128));
            assert_eq!(alone[0], together[lane], "{bank:?} lane {lane}");
        }
        let (mut turned, mut expected) = (voices[..11].to_vec(), together[..11].to_vec());
        turned.rotate_left(3);
        expected.rotate_left(3);
        assert_eq!(run(&mut bank, turned, std::iter::repeat(128)), expected, "{bank:?}");
    }
}

#[test]
fn bits_do_not_depend_on_where_runs_are_cut() {
    for mut bank in banks() {
        let voices: Vec<Voice> = (0..16).map(|seed| Voice::new(seed, 1500)).collect();
        let whole = run(&mut bank, voices.clone(), std::iter::repeat(128));
        for length in [1, 7, 31, 64, 127] {
            let cut = run(&mut bank, voices.clone(), std::iter::repeat(length));
            assert!(cut == whole, "{bank:?} in runs of {length}");
        }
        let mut noise = Noise(3);
        let any = std::iter::repeat_with(|| 1 + (noise.next().abs() * 127.0) as usize);
        assert!(run(&mut bank, voices.clone(), any) == whole, "{bank:?} in runs of any length");
    }
}

#[test]
fn all_instructions_make_the_same_sound() {
    // Resonance of 9 dB at 1 kHz and above: what a rounding leaves falls by g·k/2 > 0.008 a frame, so at most
    // 1/0.008 frames' of 5 roundings each of states below 4 are there at once: 125·5·4·2⁻²⁵ = 7.5e-5. Roundings of
    // the coefficients are to 2⁻²⁴/(g·k) of the output, less than that.
    let mut voices: Vec<Voice> = (0..16).map(|seed| Voice::new(seed, 2048)).collect();
    for (seed, voice) in (0..).zip(&mut voices) {
        let mut noise = Noise(seed);
        let mut cutoff =
            || settings(Kind::LowPass, noise.between(1_000.0, 15_000.0), 9.0, 0.0).coefficients(RATE);
        voice.first = cutoff();
        voice.segments.iter_mut().for_each(|(_, to)| *to = cutoff());
    }
    let all: Vec<_> =
        banks().map(|mut bank| run(&mut bank, voices.clone(), std::iter::repeat(128))).collect();
    for other in &all[1..] {
        for (is, should) in other.iter().flatten().zip(all[0].iter().flatten()) {
            let (is, should) = (f32::from_bits(*is), f32::from_bits(*should));
            assert!((is - should).abs() < 7.5e-5, "{is} not {should}");
        }
    }
}

#[test]
fn a_cutoff_that_is_swept_in_one_segment_makes_no_step() {
    // A sine of 440 Hz at full level; its own steps are 2π·440/48000 = 0.0576. From 800 to 3200 Hz its phase comes back
    // from −48° to −11°, 0.64 rad, and its gain from 0.957 to 1. g runs straight from 0.052 to 0.213, and both hang on
    // 1/g, so they move fastest at first: four times as fast as on average (0.213/0.052). 4·(0.64 + 0.043)/32 = 0.085.
    let coefficients = [800.0, 3_200.0].map(|hz| settings(Kind::LowPass, hz, 0.0, 0.0).coefficients(RATE));
    let values: Vec<f32> =
        (0..4096).map(|n| (2.0 * PI * 440.0 / 48_000.0 * f64::from(n)).sin() as f32).collect();
    for mut bank in banks() {
        let mut swept = |start: u32, over: u32| {
            let [low, high] = coefficients;
            let voice = Voice {
                values: values.clone(),
                segments: vec![(start, low), (over, high), (4096, high)],
                first: low,
                state: State::default(),
                position: 0,
            };
            let out = run(&mut bank, vec![voice], std::iter::repeat(128)).remove(0);
            let out: Vec<f32> = out.into_iter().map(f32::from_bits).collect();
            let last = out[3500..].iter().fold(0.0f32, |peak, value| peak.max(value.abs()));
            assert!((last - 1.0).abs() < 0.01);
            out.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
        };
        let starts = [2000, 2013, 2027, 2040, 2054, 2068, 2081, 2095];
        for start in starts {
            let step = swept(start, 32);
            assert!(step < 0.0576 + 0.085, "swept at {start}: {step}");
        }
        // What it is for: the same at once does step.
        assert!(starts.into_iter().map(|start| swept(start, 1)).fold(0.0, f32::max) > 0.2);
    }
}

#[test]
fn without_lines_everything_passes_and_where_they_end_the_filter_stands_still() {
    let low = settings(Kind::LowPass, 300.0, 6.0, 0.0).coefficients(RATE);
    let high = settings(Kind::LowPass, 3_000.0, 6.0, 0.0).coefficients(RATE);
    let values = Noise::values(1, 128);
    for mut bank in banks() {
        bank.clear();
        let [through, short, whole] = [0, 1, 2].map(|_| bank.add(State::default()).unwrap());
        for lane in [through, short, whole] {
            bank.values_mut(lane).copy_from_slice(&values);
        }
        let turn = Stretch { frames: 32, from: low, to: high, length: 32, at: 0 };
        bank.stretch(short, &turn);
        bank.stretch(whole, &turn);
        bank.stretch(whole, &Stretch::still(high, 50));
        bank.stretch(whole, &Stretch::still(high, 0));
        bank.stretch(whole, &Stretch::still(high, 4_000_000));
        assert_eq!(bank.run(128), 0);
        assert_eq!(bank.values(through), values);
        // `to` is from + 32·slope but for roundings of the terms, a few 2⁻²⁴.
        for (is, should) in bank.values(short).iter().zip(bank.values(whole)) {
            assert!((is - should).abs() < 1e-5, "{bank:?}: {is} not {should}");
        }
        assert_ne!(bank.values(short), values);
    }
}

#[test]
fn a_filter_that_was_fed_what_is_no_number_recovers() {
    let low = settings(Kind::LowPass, 300.0, 6.0, 0.0).coefficients(RATE);
    for mut bank in banks() {
        for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            bank.clear();
            for lane in 0..3 {
                bank.add(State::default()).unwrap();
                bank.values_mut(lane).fill(0.25);
                bank.stretch(lane, &Stretch::still(low, 128));
            }
            bank.values_mut(1)[5] = poison;
            assert_eq!(bank.run(64), 1, "{bank:?}");
            assert_eq!(bank.state(1), State::default());
            assert_eq!(bank.values(0), bank.values(2));
            assert!(bank.values(0).iter().all(|value| value.is_finite()));
        }
    }
}

#[test]
fn a_bank_is_full_after_sixteen_and_empty_when_cleared() {
    let mut bank = Bank::default();
    for lane in 0..LANES {
        assert_eq!(
            (bank.add(State::default()), bank.lanes(), bank.free()),
            (Some(lane), lane + 1, 15 - lane)
        );
    }
    assert_eq!(bank.add(State::default()), None);
    bank.clear();
    assert_eq!(bank.add(State::default()), Some(0));
    assert_eq!(bank.values(LANES), [0.0; 0]);
    let [left, right] = bank.pair_mut(14);
    assert_eq!((left.len(), right.len()), (MAX_FRAMES, MAX_FRAMES));
    assert_eq!(bank.pair_mut(15).map(|side| side.len()), [0, 0]);
}
