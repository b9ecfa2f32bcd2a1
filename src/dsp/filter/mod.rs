//! Resonant filters: a topology-preserving state-variable filter, computed across voices.
//!
//! One voice's filter is bound by latency: a frame needs the state that the frame before it left, a dozen cycles away.
//! So sixteen filters run side by side in the lanes of vectors ([`Bank`]), one lane per channel of a voice, and cost
//! together hardly more than one.
//!
//! All kinds are one kernel. With g = tan(π·f/fs) and k = 1/Q, its two integrators by the trapezoidal rule give band-pass
//! v₁ ≙ s/(s² + k·s + 1) and low-pass v₂ ≙ 1/(s² + k·s + 1), s in units of the cutoff, and the output is
//! m₀·v₀ + m₁·v₁ + m₂·v₂. A one-pole is the same kernel with k = 2, where (s + 1)² cancels against s + 1: so it does
//! while g changes, since v₁ + v₂ then obeys the one-pole's own equation.
//!
//! It cannot become unstable, however g and k change from frame to frame: with no input, the energy of the state,
//! ic₁² + ic₂², changes by −4·g·k·v₁² a frame, which is never positive (`tests`).
//!
//! Sources: Andrew Simper, "Solving the continuous SVF equations using trapezoidal integration and equivalent currents"
//! (2013); Vadim Zavalishin, "The Art of VA Filter Design", chapters 3 to 5; mixes of the bell and the shelves as
//! Simper's; their magnitudes are those of the Audio EQ Cookbook (R. Bristow-Johnson).

mod bank;
mod kernel;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

pub use bank::{Bank, LANES, MAX_FRAMES, State, Stretch};

use std::f64::consts::{PI, SQRT_2};

use super::fast;

/// Lowest cutoff, Hz: below what anybody hears; lower ones are clamped to it.
pub const MIN_CUTOFF_HZ: f32 = 5.0;
/// Highest cutoff as a part of the sample rate; higher ones, and NaN, are clamped to it.
pub const MAX_CUTOFF: f32 = 0.49;
/// Resonance is clamped to ± this, dB: Q from 0.007 to 71.
pub const MAX_RESONANCE_DB: f32 = 40.0;
/// Gain of bell and shelves is clamped to ± this, dB.
pub const MAX_GAIN_DB: f32 = 48.0;

/// What a filter does to the spectrum. In brackets, what SFZ calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Kind {
    /// 12 dB an octave above the cutoff (`lpf_2p`).
    #[default]
    LowPass,
    /// 12 dB an octave below the cutoff (`hpf_2p`).
    HighPass,
    /// 6 dB an octave on both sides; 0 dB at the cutoff, whatever the resonance (`bpf_2p`).
    BandPass,
    /// Nothing at the cutoff, 0 dB far from it (`brf_2p`).
    Notch,
    /// 0 dB everywhere; the phase turns by −180° at the cutoff.
    AllPass,
    /// 6 dB an octave above the cutoff; no resonance (`lpf_1p`).
    LowPass1,
    /// 6 dB an octave below the cutoff; no resonance (`hpf_1p`).
    HighPass1,
    /// 0 dB everywhere; the phase turns by −90° at the cutoff; no resonance (`apf_1p`).
    AllPass1,
    /// A bell: `gain_db` at the cutoff, 0 dB far from it (`peq`, `pkf_2p`, the bands `eqN_`).
    Peak,
    /// `gain_db` below the cutoff, half of it at the cutoff (`lsh`).
    LowShelf,
    /// `gain_db` above the cutoff, half of it at the cutoff (`hsh`).
    HighShelf,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 11] = [
        Self::LowPass,
        Self::HighPass,
        Self::BandPass,
        Self::Notch,
        Self::AllPass,
        Self::LowPass1,
        Self::HighPass1,
        Self::AllPass1,
        Self::Peak,
        Self::LowShelf,
        Self::HighShelf,
    ];
}

/// A filter as an instrument or a player says it. Numbers out of range, infinities included, are clamped; NaN is the
/// highest cutoff, and 0 dB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilterSettings {
    /// What it does.
    pub kind: Kind,
    /// Where, Hz: [`MIN_CUTOFF_HZ`] to [`MAX_CUTOFF`] of the sample rate.
    pub cutoff_hz: f32,
    /// Gain at the cutoff above that of the flattest response (Butterworth): Q = 10^(dB/20)/√2, so 0 dB has no peak.
    /// For bell, band-pass and notch it says how narrow they are. −40..=40. Source: SFZ 1.0, `resonance`; SF2.04,
    /// generator 9.
    pub resonance_db: f32,
    /// Of bell and shelves only, −48..=48.
    pub gain_db: f32,
}

impl Default for FilterSettings {
    /// A low-pass as open as can be, without a peak.
    fn default() -> Self {
        Self { kind: Kind::LowPass, cutoff_hz: f32::INFINITY, resonance_db: 0.0, gain_db: 0.0 }
    }
}

/// `db` within ± `limit`; NaN is 0.
fn clamp_db(db: f32, limit: f32) -> f64 {
    f64::from(if db.is_nan() { 0.0 } else { db.clamp(-limit, limit) })
}

impl FilterSettings {
    /// What of it does not depend on the cutoff, for callers whose cutoff alone moves.
    ///
    /// Thread: any; about 5 ns.
    pub fn character(&self) -> Character {
        let k = SQRT_2 * fast::db_to_gain(-clamp_db(self.resonance_db, MAX_RESONANCE_DB));
        // Square root of the gain: what a bell has half way up, in dB.
        let a = || fast::db_to_gain(clamp_db(self.gain_db, MAX_GAIN_DB) / 2.0);
        let (scale, k, mix) = match self.kind {
            Kind::LowPass => (1.0, k, [0.0, 0.0, 1.0]),
            Kind::HighPass => (1.0, k, [1.0, -k, -1.0]),
            Kind::BandPass => (1.0, k, [0.0, k, 0.0]),
            Kind::Notch => (1.0, k, [1.0, -k, 0.0]),
            Kind::AllPass => (1.0, k, [1.0, -2.0 * k, 0.0]),
            Kind::LowPass1 => (1.0, 2.0, [0.0, 1.0, 1.0]),
            Kind::HighPass1 => (1.0, 2.0, [1.0, -1.0, -1.0]),
            Kind::AllPass1 => (1.0, 2.0, [-1.0, 2.0, 2.0]),
            Kind::Peak => {
                let a = a();
                (1.0, k / a, [1.0, k / a * (a * a - 1.0), 0.0])
            }
            Kind::LowShelf => {
                let a = a();
                (1.0 / a.sqrt(), k, [1.0, k * (a - 1.0), a * a - 1.0])
            }
            Kind::HighShelf => {
                let a = a();
                (a.sqrt(), k, [a * a, k * (1.0 - a) * a, 1.0 - a * a])
            }
        };
        Character { scale, k: k as f32, mix: mix.map(|m| m as f32) }
    }

    /// The filter at a sample rate.
    ///
    /// Thread: any; about 10 ns.
    pub fn coefficients(&self, sample_rate: f32) -> Coefficients {
        self.character().at(self.cutoff_hz, sample_rate)
    }
}

/// A filter but for its cutoff.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Character {
    /// By what g is multiplied.
    scale: f64,
    k: f32,
    mix: [f32; 3],
}

impl Character {
    /// The filter with this cutoff, clamped as [`FilterSettings`] says.
    ///
    /// Thread: any; about 4 ns, a polynomial and a division.
    pub fn at(&self, cutoff_hz: f32, sample_rate: f32) -> Coefficients {
        // In this order NaN is the highest: `min` takes the number of the two.
        let cutoff_hz = cutoff_hz.min(MAX_CUTOFF * sample_rate).max(MIN_CUTOFF_HZ);
        let g = fast::tan_pi(f64::from(cutoff_hz) / f64::from(sample_rate)) * self.scale;
        let [m0, m1, m2] = self.mix;
        Coefficients { terms: [g as f32, self.k, m0, m1, m2] }
    }
}

/// A filter at a sample rate, as the kernel takes it. Between two of them all five terms run in straight lines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// g, k, m₀, m₁, m₂.
    terms: [f32; TERMS],
}

/// g, k, m₀, m₁, m₂.
const TERMS: usize = 5;

impl Coefficients {
    /// Lets everything through, to the bit.
    pub const OPEN: Self = Self { terms: [0.0, 2.0, 1.0, 0.0, 0.0] };

    /// Where a straight line to `to`, `length` frames long, is at frame `at`: what the kernel has there.
    pub fn towards(&self, to: &Self, at: u32, length: u32) -> Self {
        let over = 1.0 / length.max(1) as f32;
        let mut terms = self.terms;
        for (term, to) in terms.iter_mut().zip(to.terms) {
            *term += (to - *term) * over * at as f32;
        }
        Self { terms }
    }
}

/// |H| of a filter for a sine of `hz`: the closed form. The analog response at tan(π·hz/fs), which is what the
/// trapezoidal rule makes of the frequency.
///
/// For tests and pictures: f64 throughout, std's functions; not for the audio thread's every frame.
pub fn response(settings: &FilterSettings, sample_rate: f32, hz: f64) -> f64 {
    let Character { scale, k, mix } = settings.character();
    let [m0, m1, m2] = mix.map(f64::from);
    let cutoff = f64::from(settings.cutoff_hz.min(MAX_CUTOFF * sample_rate).max(MIN_CUTOFF_HZ));
    let warped = |hz: f64| (PI * hz / f64::from(sample_rate)).tan();
    // s = j·w; the numerator m₁·s + m₂ over s² + k·s + 1 = (1 − w²) + j·k·w.
    let w = warped(hz) / (warped(cutoff) * scale);
    let (re, im) = (1.0 - w * w, f64::from(k) * w);
    let power = re * re + im * im;
    let real = m0 + (m2 * re + m1 * w * im) / power;
    let imaginary = (m1 * w * re - m2 * im) / power;
    real.hypot(imaginary)
}
