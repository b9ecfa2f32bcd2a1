//! Samples that are computed: `*sine` and its like.
//!
//! Each is one turn of a wave on key 60, that loops. What has overtones is summed from them, so many as stay below
//! 20 kHz on the highest key of an octave: keys are split into octaves, and none of them aliases.
//! Source: sfzformat.com, "sample".

use std::f64::consts::TAU;
use std::sync::Arc;

use crate::instrument::{LoopMode, LoopSettings, Sample, SampleLoop};

/// Values of one turn.
const TURN_FRAMES: usize = 2048;
/// Turns in a sample: so many that its rate is a whole number of Hz to within 0.001 cents.
const TURNS: usize = 4;
/// Frames of noise: it repeats after 2.7 s at 48 kHz.
const NOISE_FRAMES: usize = 1 << 17;
/// What overtones stay below, Hz.
const TOP_HZ: f64 = 20_000.0;

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wave {
    Sine,
    Saw,
    Square,
    Triangle,
    Noise,
    Silence,
}

impl Wave {
    /// By its name, `*sine`.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "*sine" => Some(Self::Sine),
            "*saw" => Some(Self::Saw),
            "*square" => Some(Self::Square),
            "*triangle" | "*tri" => Some(Self::Triangle),
            "*noise" => Some(Self::Noise),
            "*silence" => Some(Self::Silence),
            _ => None,
        }
    }

    /// Whether it has a pitch.
    pub(super) fn is_pitched(self) -> bool {
        !matches!(self, Self::Noise | Self::Silence)
    }

    /// Whether it sounds other in other octaves.
    pub(super) fn has_octaves(self) -> bool {
        matches!(self, Self::Saw | Self::Square | Self::Triangle)
    }

    /// Its sample, for keys up to this one, and its loop. Peaks are near 1.
    pub(super) fn sample(self, highest_key: u8) -> Option<(Arc<Sample>, Arc<SampleLoop>)> {
        let middle_c = key_hz(60.0);
        let (values, rate) = match self {
            Self::Silence => (vec![0.0; TURN_FRAMES], 48_000),
            Self::Noise => (noise(), 48_000),
            _ => {
                let harmonics =
                    ((TOP_HZ / key_hz(f64::from(highest_key))) as usize).clamp(1, TURN_FRAMES / 4);
                let turn = self.turn(harmonics);
                let rate = (middle_c * TURN_FRAMES as f64).round() as u32;
                (turn.repeat(TURNS), rate)
            }
        };
        let frames = values.len() as u32;
        let sample = Sample::new(values, 1, rate)?.0;
        let round = SampleLoop::new(&sample, &LoopSettings::forward(0, frames, LoopMode::Continuous))?;
        Some((Arc::new(sample), Arc::new(round)))
    }

    /// One turn of so many harmonics.
    fn turn(self, harmonics: usize) -> Vec<f32> {
        let amplitude = |n: usize| {
            let odd = n % 2 == 1;
            let sign = if n % 4 == 3 { -1.0 } else { 1.0 };
            match self {
                Self::Saw => 2.0 / (std::f64::consts::PI * n as f64),
                Self::Square if odd => 4.0 / (std::f64::consts::PI * n as f64),
                Self::Triangle if odd => sign * 8.0 / (std::f64::consts::PI * n as f64).powi(2),
                Self::Sine if n == 1 => 1.0,
                _ => 0.0,
            }
        };
        let amplitudes: Vec<(usize, f64)> =
            (1..=harmonics).map(|n| (n, amplitude(n))).filter(|(_, amplitude)| *amplitude != 0.0).collect();
        // Phases repeat with the turn: one table of sines serves all harmonics.
        let sines: Vec<f64> =
            (0..TURN_FRAMES).map(|at| (TAU * at as f64 / TURN_FRAMES as f64).sin()).collect();
        let value = |at: usize| {
            amplitudes
                .iter()
                .map(|(n, amplitude)| amplitude * sines.get(n * at % TURN_FRAMES).copied().unwrap_or(0.0))
                .sum::<f64>()
        };
        (0..TURN_FRAMES).map(|at| value(at) as f32).collect()
    }
}

fn key_hz(key: f64) -> f64 {
    440.0 * ((key - 69.0) / 12.0).exp2()
}

/// White, even between −1 and 1, and always the same (xorshift by Marsaglia, 2003).
fn noise() -> Vec<f32> {
    let mut state = 0x2545_F491u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0
    };
    (0..NOISE_FRAMES).map(|_| next() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_the_pitch_of_middle_c() {
        let (sample, _) = Wave::Sine.sample(127).unwrap();
        let hz = f64::from(sample.sample_rate()) / TURN_FRAMES as f64;
        // Half a Hz of 535 809.
        assert!((1200.0 * (hz / key_hz(60.0)).log2()).abs() < 0.002);
        assert_eq!(sample.value(TURN_FRAMES as i64 / 4, 0), 1.0);
        assert_eq!(sample.frames() as usize, TURNS * TURN_FRAMES);
    }

    #[test]
    fn overtones_end_below_20_khz() {
        // On key 120, 8372 Hz, there is room for two harmonics; a square has only the first.
        let values = Wave::Square.turn((TOP_HZ / key_hz(120.0)) as usize);
        for (at, value) in values.iter().enumerate() {
            let sine = 4.0 / std::f64::consts::PI * (TAU * at as f64 / TURN_FRAMES as f64).sin();
            assert!((f64::from(*value) - sine).abs() < 1e-6);
        }
        let low = Wave::Saw.turn(400);
        // A saw falls from 1 to −1; summed from sines it starts at 0 and is near 1 soon after.
        assert!((low[TURN_FRAMES / 8] - 0.75).abs() < 0.01 && (low[TURN_FRAMES / 2]).abs() < 0.01);
        let triangle = Wave::Triangle.turn(400);
        assert!(
            (triangle[TURN_FRAMES / 4] - 1.0).abs() < 0.01 && (triangle[TURN_FRAMES / 8] - 0.5).abs() < 0.01
        );
    }

    #[test]
    fn noise_is_even_and_silence_silent() {
        let (sample, _) = Wave::Noise.sample(127).unwrap();
        let values = sample.interleaved();
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64;
        let square = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64;
        // Of n even values: 3 sigma of the mean is 3·√(1/3/n) = 0.005, and the mean square is 1/3.
        assert!(mean.abs() < 0.005 && (square - 1.0 / 3.0).abs() < 0.005, "{mean} {square}");
        assert!(Wave::Silence.sample(0).unwrap().0.interleaved().iter().all(|v| *v == 0.0));
    }
}
