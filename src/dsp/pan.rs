//! The pan law: equal power.
//!
//! A mono source is placed by g_left = cos θ, g_right = sin θ with θ = (pan + 1)·π/4, so that g_left² + g_right² = 1
//! and the centre is −3 dB a side. A stereo source keeps its channels apart and is balanced by the same law, √2
//! louder, so that the centre leaves it untouched.
//! Source: Web Audio API, section "StereoPannerNode: panning algorithm" (mono case).

use std::f64::consts::{FRAC_PI_4, SQRT_2};

/// Left and right gain for a mono source; `pan` is −1 (left) to 1 (right), clamped.
pub fn mono(pan: f64) -> [f32; 2] {
    let (right, left) = ((pan.clamp(-1.0, 1.0) + 1.0) * FRAC_PI_4).sin_cos();
    // cos(π/2) is 6e-17 in f64: hard right is meant to be silent on the left.
    [if left < 1e-12 { 0.0 } else { left as f32 }, right as f32]
}

/// Left and right gain for a stereo source; `pan` is −1 to 1, clamped; exactly `[1, 1]` at 0.
pub fn stereo(pan: f64) -> [f32; 2] {
    if pan == 0.0 {
        return [1.0, 1.0];
    }
    let (right, left) = ((pan.clamp(-1.0, 1.0) + 1.0) * FRAC_PI_4).sin_cos();
    [if left < 1e-12 { 0.0 } else { (left * SQRT_2) as f32 }, (right * SQRT_2) as f32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_is_the_same_everywhere() {
        for step in -100..=100 {
            let pan = f64::from(step) / 100.0;
            // Each gain is rounded to 24 bits, so g² is off by at most 2⁻²⁴·2·g, both sides together below 2⁻²².
            let [l, r] = mono(pan).map(f64::from);
            assert!((l * l + r * r - 1.0).abs() < 2f64.powi(-22), "mono at {pan}");
            let [l, r] = stereo(pan).map(f64::from);
            assert!((l * l + r * r - 2.0).abs() < 2f64.powi(-21), "stereo at {pan}");
        }
    }

    #[test]
    fn the_ends_are_silent_on_the_other_side_and_the_centre_is_even() {
        assert_eq!(mono(-1.0), [1.0, 0.0]);
        assert_eq!(mono(1.0), [0.0, 1.0]);
        assert_eq!(mono(0.0), [0.5f64.sqrt() as f32; 2]);
        assert_eq!(stereo(0.0), [1.0, 1.0]);
        assert_eq!(mono(-7.0), mono(-1.0));
    }
}
