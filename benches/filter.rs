//! Cost of the filter bank: `cargo bench --bench filter --no-default-features`.
//!
//! ns per lane and frame, medians of interleaved rounds, whole chunks of 128 frames as the engine runs them: clearing,
//! lanes, lines, filter and state. "One at a time" is the same filter in plain Rust, voice after voice; "×" is how many
//! times faster than that, in the same run.

use std::hint::black_box;
use std::time::Instant;

use ictus::dsp::envelope::{Envelope, EnvelopeTimes};
use ictus::dsp::fast;
use ictus::dsp::filter::{
    Bank, Character, Coefficients, FilterSettings, Kind, LANES, MAX_FRAMES, State, Stretch,
};
use ictus::dsp::variant::Variant;

const RATE: f32 = 48_000.0;
const ROUNDS: usize = 41;
const CHUNKS: usize = 200;
/// As voices have it.
const SEGMENT: u32 = 32;

/// Voices whose filters stand still, or whose cutoff moves all the time, each in segments of its own.
struct Voices {
    bank: Bank,
    states: [State; LANES],
    lanes: usize,
    moving: bool,
    /// Frames of the segment that have passed, of each.
    at: [u32; LANES],
    ends: [Coefficients; 2],
}

impl Voices {
    fn new(variant: Variant, lanes: usize, moving: bool) -> Option<Self> {
        let settings =
            |cutoff_hz| FilterSettings { cutoff_hz, resonance_db: 6.0, ..FilterSettings::default() };
        let mut bank = Bank::with(variant)?;
        for lane in 0..lanes {
            for (n, value) in bank.values_mut(lane).iter_mut().enumerate() {
                *value = ((n * 7 + lane * 13) % 29) as f32 / 29.0 - 0.5;
            }
        }
        let at = std::array::from_fn(|lane| (lane as u32 * 11 + 3) % SEGMENT);
        let ends = [800.0, 900.0].map(|hz| settings(hz).coefficients(RATE));
        Some(Self { bank, states: [State::default(); LANES], lanes, moving, at, ends })
    }

    fn chunk(&mut self) {
        let [from, to] = self.ends;
        self.bank.clear();
        for (state, at) in self.states.iter().zip(&mut self.at).take(self.lanes) {
            let Some(lane) = self.bank.add(*state) else { return };
            if !self.moving {
                self.bank.stretch(lane, &Stretch::still(from, MAX_FRAMES as u32));
                continue;
            }
            let mut left = MAX_FRAMES as u32;
            while left > 0 {
                let frames = (SEGMENT - *at).min(left);
                // Up and down again: it is the ends that are swapped, not the cost.
                self.bank.stretch(lane, &Stretch { frames, from, to, length: SEGMENT, at: *at });
                *at = (*at + frames) % SEGMENT;
                left -= frames;
            }
        }
        black_box(self.bank.run(MAX_FRAMES));
        for (lane, state) in self.states.iter_mut().enumerate().take(self.lanes) {
            *state = self.bank.state(lane);
        }
    }

    /// ns per lane and frame.
    fn round(&mut self) -> f64 {
        // What was filtered last is filtered again; a low-pass never makes it louder than its resonance does, and the
        // denormals where it ends are what the engine's flush-to-zero removes.
        for lane in 0..self.lanes {
            self.bank.values_mut(lane).iter_mut().enumerate().for_each(|(n, value)| *value = (n % 7) as f32);
        }
        let started = Instant::now();
        for _ in 0..CHUNKS {
            self.chunk();
        }
        started.elapsed().as_secs_f64() * 1e9 / (CHUNKS * MAX_FRAMES * self.lanes) as f64
    }
}

/// The filter as one writes it for one voice.
fn one_at_a_time(values: &mut [f32], [a1, a2, a3]: [f32; 3], state: &mut [f32; 2]) {
    // A copy: through the reference the compiler might keep it in memory, at twice the cost.
    let [mut ic1, mut ic2] = *state;
    for value in values {
        let v3 = *value - ic2;
        let v1 = a1 * ic1 + a2 * v3;
        let v2 = ic2 + a2 * ic1 + a3 * v3;
        ic1 = 2.0 * v1 - ic1;
        ic2 = 2.0 * v2 - ic2;
        *value = v2;
    }
    *state = [ic1, ic2];
}

fn one_at_a_time_round() -> f64 {
    let mut values = [[0.0f32; MAX_FRAMES]; LANES];
    let mut states = [[0.0f32; 2]; LANES];
    let (g, k) = (0.0524f32, 0.7f32);
    let a1 = 1.0 / (1.0 + g * (g + k));
    let coefficients = black_box([a1, g * a1, g * g * a1]);
    for values in &mut values {
        values.iter_mut().enumerate().for_each(|(n, value)| *value = (n % 7) as f32);
    }
    let started = Instant::now();
    for _ in 0..CHUNKS {
        for (values, state) in values.iter_mut().zip(&mut states) {
            one_at_a_time(black_box(values), coefficients, state);
        }
    }
    started.elapsed().as_secs_f64() * 1e9 / (CHUNKS * MAX_FRAMES * LANES) as f64
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// ns per call.
fn calls(mut call: impl FnMut(f64) -> f64) -> f64 {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let mut sum = 0.0;
        for i in 0..10_000 {
            sum += call(black_box(f64::from(i)));
        }
        black_box(sum);
        rounds.push(started.elapsed().as_secs_f64() * 1e9 / 10_000.0);
    }
    median(rounds)
}

fn main() {
    let mut cases = Vec::new();
    for variant in Variant::ALL {
        for lanes in [16, 8, 1] {
            for moving in [false, true] {
                if let Some(voices) = Voices::new(variant, lanes, moving) {
                    cases.push((variant, voices, Vec::new()));
                }
            }
        }
    }
    let mut alone = Vec::new();
    for _ in 0..ROUNDS {
        alone.push(one_at_a_time_round());
        for (_, voices, rounds) in &mut cases {
            rounds.push(voices.round());
        }
    }
    let alone = median(alone);
    println!("ns per lane and frame; one at a time: {alone:.2}");
    for (variant, voices, rounds) in cases {
        let ns = median(rounds);
        let state = if voices.moving { "moving" } else { "still" };
        let name = format!("{variant:?}, {} lanes, {state}", voices.lanes);
        println!("{name:<28}{ns:>8.2} ({:.1} ×)", alone / ns);
    }

    println!("\nns per call");
    let settings = FilterSettings { kind: Kind::Peak, gain_db: 6.0, ..FilterSettings::default() };
    let character: Character = settings.character();
    let mut envelope = Envelope::start(&EnvelopeTimes { release_s: 1.0, ..Default::default() }, 48_000);
    envelope.release();
    for (name, ns) in [
        ("Character::at", calls(|x| f64::from(character.at(20.0 + x as f32, RATE) == Coefficients::OPEN))),
        (
            "FilterSettings::coefficients",
            calls(|x| {
                let settings = FilterSettings { cutoff_hz: 20.0 + x as f32, ..settings };
                f64::from(settings.coefficients(RATE) == Coefficients::OPEN)
            }),
        ),
        ("Envelope::level_after", calls(|x| f64::from(envelope.level_after(x as u32)))),
        ("fast::exp2", calls(|x| fast::exp2(x * 1e-3))),
        ("f64::exp2", calls(|x| (x * 1e-3).exp2())),
        ("fast::tan_pi", calls(|x| fast::tan_pi(x * 4.9e-5))),
        ("f64::tan", calls(|x| (x * 4.9e-5 * std::f64::consts::PI).tan())),
    ] {
        println!("{name:<30}{ns:>6.2}");
    }
}
