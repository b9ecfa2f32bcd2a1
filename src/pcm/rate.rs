//! A stream whose rate is not the engine's: rubato's sinc resampler, fed in the pieces that it asks for.
//!
//! It always makes the same number of output frames, so that its work is spread evenly, and takes what input it needs for
//! them. Everything is allocated in `new`; [`Rate::pull`] is for the audio thread.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};

/// Output frames made at a time: 1.3 ms at 48 kHz, which is what it adds to the latency at most.
const PIECE: usize = 64;
/// Taps at the lower of both rates. 1.3 ms of delay at 48 kHz; flat to 0.9 of the lower Nyquist frequency.
const TAPS: usize = 128;
/// Most taps, for streams many times faster than the engine.
const MAX_TAPS: usize = 2048;
/// Phases of the table: with a cubic between them what they leave is below −100 dB.
const PHASES: usize = 128;

/// A running conversion.
pub struct Rate {
    resampler: Async<f32>,
    channels: usize,
    input: Vec<f32>,
    output: Vec<f32>,
    /// Frames of `output` that have been handed on.
    used: usize,
    /// Silent input frames in a row.
    silent: usize,
    /// Input frames after which nothing is left of what came before.
    memory: usize,
}

impl Rate {
    /// From `from` Hz to `to` Hz; `None` when rubato refuses, which rates within our limits rule out.
    ///
    /// Thread: control. Allocates, and computes a table for a millisecond or so.
    pub fn new(from: u32, to: u32, channels: usize) -> Option<Self> {
        let ratio = f64::from(to) / f64::from(from);
        let taps = ((TAPS as f64 / ratio.min(1.0)) as usize).min(MAX_TAPS);
        let parameters = SincInterpolationParameters::new(taps, WindowFunction::BlackmanHarris2)
            .oversampling_factor(PHASES)
            .interpolation(SincInterpolationType::Cubic);
        let resampler = Async::new_sinc(ratio, 1.0, &parameters, PIECE, channels, FixedAsync::Output).ok()?;
        let input = resampler.input_frames_max();
        Some(Self {
            channels,
            input: vec![0.0; input * channels],
            output: vec![0.0; PIECE * channels],
            used: PIECE,
            silent: usize::MAX / 2,
            // Its buffer holds two filters beside the piece.
            memory: 2 * taps.next_multiple_of(8) + input,
            resampler,
        })
    }

    /// Whether silence in gives silence out: nothing is left of what came before.
    pub fn is_settled(&self) -> bool {
        self.silent >= self.memory
    }

    /// Fills `out`, interleaved, with frames at the engine's rate. `feed` is asked for input: it fills what it is given and
    /// says whether all of it is silent.
    ///
    /// Thread: audio. No allocation.
    pub fn pull(&mut self, out: &mut [f32], mut feed: impl FnMut(&mut [f32]) -> bool) {
        let mut rest = out;
        while !rest.is_empty() {
            if self.used >= PIECE {
                self.make(&mut feed);
            }
            let frames = (PIECE - self.used).min(rest.len() / self.channels);
            if frames == 0 {
                break;
            }
            let (now, later) = rest.split_at_mut(frames * self.channels);
            if let Some(made) =
                self.output.get(self.used * self.channels..(self.used + frames) * self.channels)
            {
                now.copy_from_slice(made);
            }
            self.used += frames;
            rest = later;
        }
    }

    fn make(&mut self, feed: &mut impl FnMut(&mut [f32]) -> bool) {
        self.used = 0;
        let frames = self.resampler.input_frames_next();
        let Some(input) = self.input.get_mut(..frames * self.channels) else { return };
        let silent = feed(input);
        self.silent = if silent { self.silent.saturating_add(frames) } else { 0 };
        let adapters = (
            InterleavedSlice::new(&*input, self.channels, frames),
            InterleavedSlice::new_mut(&mut self.output, self.channels, PIECE),
        );
        let made = match adapters {
            (Ok(input), Ok(mut output)) => {
                self.resampler.process_into_buffer(&input, &mut output, None).is_ok()
            }
            _ => false,
        };
        if !made {
            // The sizes are those that it asked for: it has no reason to refuse.
            self.output.fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn resample(from: u32, to: u32, hz: f64, frames: usize) -> Vec<f32> {
        let mut rate = Rate::new(from, to, 1).unwrap();
        let mut n = 0u64;
        let mut out = vec![0.0; frames];
        let guard = crate::rt::guard::Guard::enter();
        rate.pull(&mut out, |input| {
            for value in input.iter_mut() {
                *value = (TAU * hz * n as f64 / f64::from(from)).sin() as f32;
                n += 1;
            }
            false
        });
        drop(guard);
        out
    }

    /// Fits a sine of this frequency and returns signal and residue, as powers.
    fn fit(values: &[f32], hz: f64, rate: u32) -> (f64, f64) {
        let (mut sines, mut cosines) = (0.0, 0.0);
        for (n, value) in values.iter().enumerate() {
            let angle = TAU * hz * n as f64 / f64::from(rate);
            sines += f64::from(*value) * angle.sin();
            cosines += f64::from(*value) * angle.cos();
        }
        let scale = 2.0 / values.len() as f64;
        let (a, b) = (sines * scale, cosines * scale);
        let residue = values.iter().enumerate().map(|(n, value)| {
            let angle = TAU * hz * n as f64 / f64::from(rate);
            (f64::from(*value) - a * angle.sin() - b * angle.cos()).powi(2)
        });
        (0.5 * (a * a + b * b), residue.sum::<f64>() / values.len() as f64)
    }

    #[test]
    fn a_sine_stays_a_sine() {
        for (from, to) in
            [(44_100, 48_000), (48_000, 44_100), (22_050, 48_000), (96_000, 48_000), (8_000, 48_000)]
        {
            let hz = 1_000.0;
            let out = resample(from, to, hz, 12_000);
            // Whole periods, past the beginning: 4800 frames at 48 kHz, 4410 at 44.1 kHz.
            let whole = &out[2_000..2_000 + to as usize / 10 * 2];
            let (signal, residue) = fit(whole, hz, to);
            let (level, noise) = (10.0 * (2.0 * signal).log10(), 10.0 * (residue / signal).log10());
            assert!(
                level.abs() < 0.01 && noise < -95.0,
                "{from} to {to}: {level:.4} dB, noise {noise:.1} dB"
            );
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_left_out() {
        let out = resample(96_000, 48_000, 30_000.0, 12_000);
        let peak = out[2_000..].iter().fold(0.0f32, |peak, value| peak.max(value.abs()));
        assert!(peak < 1e-4, "folded at {peak}");
    }

    #[test]
    fn silence_settles_to_exact_zeros() {
        let mut rate = Rate::new(44_100, 48_000, 2).unwrap();
        assert!(rate.is_settled());
        let mut out = [0.0; 512];
        rate.pull(&mut out, |input| {
            input.fill(0.5);
            false
        });
        assert!(!rate.is_settled());
        while !rate.is_settled() {
            rate.pull(&mut out, |input| {
                input.fill(0.0);
                true
            });
        }
        rate.pull(&mut out, |input| {
            input.fill(0.0);
            true
        });
        assert_eq!(out, [0.0; 512]);
    }

    #[test]
    fn pieces_give_the_same_bits() {
        let run = |pieces: &[usize]| {
            let mut rate = Rate::new(44_100, 48_000, 1).unwrap();
            let mut n = 0u32;
            let mut all = Vec::new();
            for piece in pieces {
                let mut out = vec![0.0; *piece];
                rate.pull(&mut out, |input| {
                    for value in input.iter_mut() {
                        *value = ((n * 7919) % 1000) as f32 / 1000.0;
                        n += 1;
                    }
                    false
                });
                all.extend(out.into_iter().map(f32::to_bits));
            }
            all
        };
        assert_eq!(run(&[511]), run(&[1, 7, 64, 100, 128, 128, 83]));
    }
}
