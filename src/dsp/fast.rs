//! The few transcendental functions that voices need once a segment, as polynomials: a call into the maths library
//! costs 10 ns and more, and its last bits differ from one platform's library to the next (RT-7).
//!
//! All are branch-free `f64`: an argument is reduced exactly to where a Taylor polynomial's remainder is known, so that
//! every bound below is Lagrange's, plus roundings (a few 2⁻⁵³). NaN gives NaN, never a panic. What is computed once a
//! note or a setting stays with std and `units`.

use std::f64::consts::{LN_2, LOG2_10, PI, SQRT_2, TAU};

/// 1.5 · 2⁵²: adding it leaves no room behind the point, so the sum is rounded to an integer, which then stands in its
/// low bits. `f64::round` is a call on processors older than SSE4.1.
const TO_INTEGER: f64 = 6_755_399_441_055_744.0;
/// The same for sixteenths: 1.5 · 2⁴⁸.
const TO_SIXTEENTH: f64 = 422_212_465_065_984.0;

/// 2^(i/16).
const SIXTEENTHS: [f64; 16] = [
    1.0,
    1.0442737824274138,
    1.0905077326652577,
    1.1387886347566916,
    1.189207115002721,
    1.241857812073484,
    1.2968395546510096,
    1.3542555469368927,
    SQRT_2,
    1.4768261459394993,
    1.5422108254079407,
    1.6104903319492543,
    1.681792830507429,
    1.7562521603732995,
    1.8340080864093424,
    1.9152065613971474,
];

/// 2^x; `x` is clamped to ±1000. Exact for integers.
///
/// Relative error ≤ 2·10⁻¹³: 2^x = 2^n · 2^(i/16) · e^(r·ln 2) with |r| ≤ 1/32, of which Taylor's polynomial of degree 5
/// leaves 0.0217⁶/6! = 1.4·10⁻¹³.
#[inline]
pub fn exp2(x: f64) -> f64 {
    let x = x.clamp(-1000.0, 1000.0);
    let shifted = x + TO_SIXTEENTH;
    let r = (x - (shifted - TO_SIXTEENTH)) * LN_2;
    let sixteenths = shifted.to_bits();
    // The integer part + 1023 is the exponent's field; the shift drops what else the sum held.
    let power = f64::from_bits((sixteenths >> 4).wrapping_add(1023) << 52);
    let r2 = r * r;
    let e = (1.0 + r) + r2 * ((1.0 / 2.0 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0)));
    e * (SIXTEENTHS[(sixteenths & 15) as usize] * power)
}

/// An interval in cents as a frequency ratio: `units::cents_to_ratio` within 3·10⁻¹⁰ cents.
#[inline]
pub fn cents_to_ratio(cents: f64) -> f64 {
    exp2(cents / 1200.0)
}

/// Decibels as linear amplitude: `units::db_to_gain` within a relative 3·10⁻¹³ as far as ±1000 dB.
#[inline]
pub fn db_to_gain(db: f64) -> f64 {
    exp2(db * (LOG2_10 / 20.0))
}

/// sin z to degree 13; the remainder is below z¹⁵/15!.
#[inline(always)]
fn sin_polynomial(z: f64) -> f64 {
    let z2 = z * z;
    let low = -1.0 / 6.0 + z2 * (1.0 / 120.0);
    let middle = -1.0 / 5_040.0 + z2 * (1.0 / 362_880.0);
    let high = -1.0 / 39_916_800.0 + z2 * (1.0 / 6_227_020_800.0);
    let z4 = z2 * z2;
    z + z * z2 * (low + z4 * (middle + z4 * high))
}

/// tan(π·x) for 0 ≤ x < ½, what prewarping needs of x = f/fs.
///
/// Relative error ≤ 10⁻¹²: of at most π/4, a sine to degree 13 and a cosine to degree 12 leave 0.785¹⁴/15! = 3·10⁻¹⁴
/// and 0.785¹⁴/14!·√2 = 6·10⁻¹³; above ¼ it is 1 over the tangent of what is left to ½, which is exact to subtract.
#[inline]
pub fn tan_pi(x: f64) -> f64 {
    let steep = x > 0.25;
    let z = PI * if steep { 0.5 - x } else { x };
    let z2 = z * z;
    let z4 = z2 * z2;
    let low = -1.0 / 2.0 + z2 * (1.0 / 24.0);
    let middle = -1.0 / 720.0 + z2 * (1.0 / 40_320.0);
    let high = -1.0 / 3_628_800.0 + z2 * (1.0 / 479_001_600.0);
    let cos = 1.0 + z2 * (low + z4 * (middle + z4 * high));
    let sin = sin_polynomial(z);
    if steep { cos / sin } else { sin / cos }
}

/// sin(2π·x), `x` in turns, any finite number below 2⁵¹.
///
/// Absolute error ≤ 10⁻⁹, a thirtieth of half an ulp of an `f32` at 1: degree 13 of at most π/2 leaves
/// 1.571¹⁵/15! = 6.7·10⁻¹⁰.
#[inline]
pub fn sin_turns(x: f64) -> f64 {
    // To −½..½ of a turn, then mirrored at a quarter: the sine is the same on both sides of its crest.
    let turn = x - ((x + TO_INTEGER) - TO_INTEGER);
    sin_polynomial(TAU * (0.25 - (turn.abs() - 0.25).abs()).copysign(turn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units;

    /// `count` numbers from `from` to `to`, evenly.
    fn sweep(from: f64, to: f64, count: u32) -> impl Iterator<Item = f64> {
        (0..=count).map(move |i| from + (to - from) * f64::from(i) / f64::from(count))
    }

    #[test]
    fn powers_of_two_are_within_2e_13() {
        for x in sweep(-1000.0, 1000.0, 1_000_003).chain(sweep(-1.0, 1.0, 100_003)) {
            let (is, should) = (exp2(x), x.exp2());
            // std's own error is below 2⁻⁵².
            assert!((is / should - 1.0).abs() <= 2e-13, "2^{x}: {is} not {should}");
        }
        for n in -1000..=1000 {
            assert_eq!(exp2(f64::from(n)), f64::from(n).exp2());
        }
        assert!(exp2(f64::NAN).is_nan());
        assert_eq!(exp2(f64::INFINITY), 1000f64.exp2());
        assert_eq!(exp2(f64::NEG_INFINITY), (-1000f64).exp2());
    }

    #[test]
    fn cents_and_decibels_are_those_of_units() {
        for cents in sweep(-14_400.0, 14_400.0, 144_007) {
            let off = (cents_to_ratio(cents) / units::cents_to_ratio(cents)).log2() * 1200.0;
            assert!(off.abs() <= 3e-10, "{cents} cents: off by {off}");
        }
        for db in sweep(-1000.0, 1000.0, 20_011) {
            assert!((db_to_gain(db) / units::db_to_gain(db) - 1.0).abs() <= 3e-13, "{db} dB");
        }
    }

    #[test]
    fn the_tangent_is_within_1e_12() {
        for x in sweep(0.0, 0.4999, 1_000_003).chain(sweep(1e-9, 1e-3, 10_007)).filter(|x| *x > 0.0) {
            let (is, should) = (tan_pi(x), (PI * x).tan());
            // Near ½ std is asked for the tangent of a π·x that is rounded: off by 2⁻⁵³·π/2 ÷ (π·(½ − x)).
            let rounded = 2f64.powi(-53) * 2.0 / (0.5 - x);
            assert!((is / should - 1.0).abs() <= 1e-12 + rounded, "tan π{x}: {is} not {should}");
        }
        assert_eq!(tan_pi(0.0), 0.0);
        assert!(tan_pi(f64::NAN).is_nan());
    }

    #[test]
    fn the_sine_is_within_1e_9() {
        for x in sweep(-3.0, 3.0, 600_011) {
            let (is, should) = (sin_turns(x), (TAU * x).sin());
            assert!((is - should).abs() <= 1e-9, "sin 2π{x}: {is} not {should}");
        }
        assert_eq!([0.0, 0.5, 1.0].map(sin_turns).map(f64::abs), [0.0; 3]);
        assert!(sin_turns(f64::NAN).is_nan());
    }
}
