//! Four lanes of SSE2 for `quad`, and the kernels in eight lanes of AVX2 with FMA. `read_mono` and `read_stereo` ask the
//! run once whether it is for as many taps as they read.
//!
//! What asked for the `unsafe`: `cargo bench --bench interpolate` on a Zen 4 guest, runs of 32 stereo frames, ns a frame
//! as scalar / SSE2 / AVX2: linear 3.5 / 1.2 / 0.9, cubic 4.9 / 1.9 / 1.1, sinc16 21 / 5.9 / 2.8, sinc32 46 / 10 / 4.7.
//!
//! AVX-512 was tried for cubic and the sincs and left out. Of its loads 15 in 16 straddle two cache lines: beside AVX2 in the
//! same run, stereo, cubic took 1.5 times as long, sinc16 1.05 and 1.02 times (read at 0.75 and 1.5), sinc32 0.96 and 1.02
//! times; mono was never faster.

use std::arch::x86_64::*;

use super::quad::{taps, transposed};
use super::run::Run;
use super::sinc::Table;
use super::{Interpolation, Phase, taps_of};
use crate::dsp::ramp;

/// Four lanes of SSE2.
pub mod quad {
    use std::arch::x86_64::*;

    pub type Quad = __m128;
    pub type Phases = __m128i;

    macro_rules! sse2 {
        ($($(#[$attribute:meta])* fn $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)? $body:block)*) => {
            $($(#[$attribute])* #[target_feature(enable = "sse2")] #[inline] pub fn $name($($arg: $type),*) $(-> $out)? $body)*
        };
    }

    sse2! {
        fn splat(a: f32) -> Quad { _mm_set1_ps(a) }
        fn add(a: Quad, b: Quad) -> Quad { _mm_add_ps(a, b) }
        fn sub(a: Quad, b: Quad) -> Quad { _mm_sub_ps(a, b) }
        fn mul(a: Quad, b: Quad) -> Quad { _mm_mul_ps(a, b) }
        /// a·b + c, rounded twice: SSE2 has no FMA.
        fn mul_add(a: Quad, b: Quad, c: Quad) -> Quad { _mm_add_ps(_mm_mul_ps(a, b), c) }
        /// a0 b0 a1 b1
        fn zip_low(a: Quad, b: Quad) -> Quad { _mm_unpacklo_ps(a, b) }
        /// a2 b2 a3 b3
        fn zip_high(a: Quad, b: Quad) -> Quad { _mm_unpackhi_ps(a, b) }
        /// a0 a1 b0 b1
        fn lows(a: Quad, b: Quad) -> Quad { _mm_movelh_ps(a, b) }
        /// a2 a3 b2 b3
        fn highs(a: Quad, b: Quad) -> Quad { _mm_movehl_ps(b, a) }
        /// a0 a2 b0 b2
        fn evens(a: Quad, b: Quad) -> Quad { _mm_shuffle_ps::<0b10_00_10_00>(a, b) }
        /// a1 a3 b1 b3
        fn odds(a: Quad, b: Quad) -> Quad { _mm_shuffle_ps::<0b11_01_11_01>(a, b) }
        /// first, first + step, …, modulo 2³²
        fn phases(first: u32, step: u32) -> Phases {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| first.wrapping_add(step.wrapping_mul(i)) as i32);
            _mm_setr_epi32(a, b, c, d)
        }
        fn advance(a: Phases, by: u32) -> Phases { _mm_add_epi32(a, _mm_set1_epi32(by as i32)) }
        /// Their upper 24 bits as 0..1, exactly.
        fn fractions(a: Phases) -> Quad {
            _mm_mul_ps(_mm_cvtepi32_ps(_mm_srli_epi32::<8>(a)), _mm_set1_ps(1.0 / 16_777_216.0))
        }
        fn store(to: &mut [f32; 4], a: Quad) {
            // SAFETY: an array of four has room for four.
            unsafe { _mm_storeu_ps(to.as_mut_ptr(), a) }
        }
    }

    /// Four values.
    ///
    /// # Safety
    /// `from` points to four values.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub unsafe fn load(from: *const f32) -> Quad {
        // SAFETY: the caller says so.
        unsafe { _mm_loadu_ps(from) }
    }

    /// Two values, and zeros.
    ///
    /// # Safety
    /// `from` points to two values.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub unsafe fn load2(from: *const f32) -> Quad {
        // SAFETY: the caller says so; `_mm_loadl_epi64` reads 8 bytes at any alignment. (`_mm_load_sd` does so on the
        // machine, too, but in Rust it reads an `f64`, which has to be aligned.)
        _mm_castsi128_ps(unsafe { _mm_loadl_epi64(from.cast()) })
    }
}

use quad as v;

/// Up to 40 taps, which sinc16 takes an octave up, are worth a loop without a counter: of 24 it takes off a sixth, of 48 and
/// more nothing.
macro_rules! with_taps {
    ($taps:expr, $read:ident($($arg:expr),*)) => {
        match $taps {
            8 => $read::<8>($($arg),*),
            16 => $read::<16>($($arg),*),
            24 => $read::<24>($($arg),*),
            32 => $read::<32>($($arg),*),
            40 => $read::<40>($($arg),*),
            _ => $read::<0>($($arg),*),
        }
    };
}

/// Reads a run of a mono recording; `out` is as long as the run.
#[target_feature(enable = "avx2,fma")]
pub fn read_mono(interpolation: Interpolation, table: Option<&Table>, run: &Run<'_, 1>, out: &mut [f32]) {
    if !run.is_for(taps_of(interpolation, table)) {
        return;
    }
    let Some(table) = table else {
        return if interpolation == Interpolation::Linear {
            over_frames_mono::<2>(run, out)
        } else {
            over_frames_mono::<4>(run, out)
        };
    };
    with_taps!(table.taps(), sinc_mono(run, table, out))
}

/// Reads a run of a stereo recording; `left` and `right` are as long as the run.
#[target_feature(enable = "avx2,fma")]
pub fn read_stereo(
    interpolation: Interpolation,
    table: Option<&Table>,
    run: &Run<'_, 2>,
    left: &mut [f32],
    right: &mut [f32],
) {
    if !run.is_for(taps_of(interpolation, table)) {
        return;
    }
    let Some(table) = table else {
        return if interpolation == Interpolation::Linear {
            over_frames_stereo::<2>(run, left, right)
        } else {
            over_frames_stereo::<4>(run, left, right)
        };
    };
    with_taps!(table.taps(), sinc_stereo(run, table, left, right))
}

/// `ramp::add_line` in vectors of eight. Compiled without contraction into FMA, so the bits are the same.
#[target_feature(enable = "avx2,fma")]
pub fn add_line(out: &mut [f32], values: &[f32], gain: f32, slope: f32, first: u32) -> Option<f32> {
    ramp::add_line(out, values, gain, slope, first)
}

/// Fractions of eight consecutive frames.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn phases<const CHANNELS: usize>(run: &Run<'_, CHANNELS>) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let steps = _mm256_mullo_epi32(lanes, _mm256_set1_epi32(run.step() as u32 as i32));
    _mm256_add_epi32(_mm256_set1_epi32(run.first() as u32 as i32), steps)
}

/// Their upper 24 bits as 0..1, exactly.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn fractions(phases: __m256i) -> __m256 {
    let integers = _mm256_cvtepi32_ps(_mm256_srli_epi32::<8>(phases));
    _mm256_mul_ps(integers, _mm256_set1_ps(1.0 / 16_777_216.0))
}

/// Linear (`TAPS` = 2) or cubic (4), eight consecutive frames in the lanes.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn over_frames_mono<const TAPS: usize>(run: &Run<'_, 1>, out: &mut [f32]) {
    let mut phases = phases(run);
    let jump = _mm256_set1_epi32((run.step() as u32).wrapping_mul(8) as i32);
    for (group, out) in out.chunks_mut(8).enumerate() {
        let at: [Phase; 8] = run.places(8 * group);
        let t = fractions(phases);
        let y = if TAPS == 2 {
            let [a, b, c, d, e, f, g, h] = at.map(|at| {
                // SAFETY: `at` is a place of the run, so `tap + 2 ≤ frames.len()` (`Run`): two values are there.
                unsafe { v::load2(taps(run, at)) }
            });
            let (low, high) = (join(v::lows(a, b), v::lows(e, f)), join(v::lows(c, d), v::lows(g, h)));
            let y0 = _mm256_shuffle_ps::<0b10_00_10_00>(low, high);
            let y1 = _mm256_shuffle_ps::<0b11_01_11_01>(low, high);
            _mm256_fmadd_ps(_mm256_sub_ps(y1, y0), t, y0)
        } else {
            let [a, b, c, d, e, f, g, h] = at.map(|at| {
                // SAFETY: `at` is a place of the run, so `tap + 4 ≤ frames.len()` (`Run`): four values are there.
                unsafe { v::load(taps(run, at)) }
            });
            let (ae, bf, cg, dh) = (join(a, e), join(b, f), join(c, g), join(d, h));
            let (ab, cd) = (_mm256_unpacklo_ps(ae, bf), _mm256_unpacklo_ps(cg, dh));
            let (ab2, cd2) = (_mm256_unpackhi_ps(ae, bf), _mm256_unpackhi_ps(cg, dh));
            hermite([lows(ab, cd), highs(ab, cd), lows(ab2, cd2), highs(ab2, cd2)], t)
        };
        put(out, y);
        phases = _mm256_add_epi32(phases, jump);
    }
}

/// Linear (`TAPS` = 2) or cubic (4): two vectors of interleaved frames 0 1 4 5 and 2 3 6 7, which two shuffles part.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn over_frames_stereo<const TAPS: usize>(run: &Run<'_, 2>, left: &mut [f32], right: &mut [f32]) {
    let mut phases = phases(run);
    let jump = _mm256_set1_epi32((run.step() as u32).wrapping_mul(8) as i32);
    for (group, (left, right)) in left.chunks_mut(8).zip(right.chunks_mut(8)).enumerate() {
        let at: [Phase; 8] = run.places(8 * group);
        let t = fractions(phases);
        // Of frames i and i + 4, `TAPS · 2` values each.
        let load = |i: usize, values: usize| {
            let [low, high] = [at[i], at[i + 4]].map(|at| {
                // SAFETY: `at` is a place of the run, so `tap + TAPS ≤ frames.len() / 2` (`Run`): there are
                // `2 · TAPS` values, and `values + 4` is no more.
                unsafe { v::load(taps(run, at).add(values)) }
            });
            join(low, high)
        };
        let four = |i: usize, t: __m256| {
            let (a, b) = (load(i, 0), load(i + 1, 0));
            let (y0, y1) = (lows(a, b), highs(a, b));
            if TAPS == 2 {
                _mm256_fmadd_ps(_mm256_sub_ps(y1, y0), t, y0)
            } else {
                let (a, b) = (load(i, 4), load(i + 1, 4));
                hermite([y0, y1, lows(a, b), highs(a, b)], t)
            }
        };
        let a = four(0, _mm256_unpacklo_ps(t, t));
        let b = four(2, _mm256_unpackhi_ps(t, t));
        put(left, _mm256_shuffle_ps::<0b10_00_10_00>(a, b));
        put(right, _mm256_shuffle_ps::<0b11_01_11_01>(a, b));
        phases = _mm256_add_epi32(phases, jump);
    }
}

/// As in `scalar`.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn hermite([y0, y1, y2, y3]: [__m256; 4], t: __m256) -> __m256 {
    let half = _mm256_set1_ps(0.5);
    let c1 = _mm256_mul_ps(_mm256_sub_ps(y2, y0), half);
    let c3 = _mm256_mul_ps(_mm256_sub_ps(y3, y0), half);
    let c3 = _mm256_fmadd_ps(_mm256_sub_ps(y1, y2), _mm256_set1_ps(1.5), c3);
    let c2 = _mm256_fmadd_ps(y1, _mm256_set1_ps(-2.5), y0);
    let c2 = _mm256_fmadd_ps(y2, _mm256_set1_ps(2.0), c2);
    let c2 = _mm256_fmadd_ps(y3, _mm256_set1_ps(-0.5), c2);
    _mm256_fmadd_ps(_mm256_fmadd_ps(_mm256_fmadd_ps(c3, t, c2), t, c1), t, y1)
}

/// `TAPS` of the table, or 0 where the compiler need not know; eight taps of one frame in the lanes.
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
fn sinc_mono<const TAPS: usize>(run: &Run<'_, 1>, table: &Table, out: &mut [f32]) {
    let count = if TAPS == 0 { table.taps() } else { TAPS };
    let values = table.values().as_ptr();
    for (group, out) in out.chunks_mut(4).enumerate() {
        let sums = run.places::<4>(4 * group).map(|at| {
            let (taps, (row, t)) = (taps(run, at), table.row(at as u32));
            let (mut here, mut next) = (_mm256_setzero_ps(), _mm256_setzero_ps());
            for i in (0..count).step_by(8) {
                // SAFETY: taps are a multiple of 8 (`Table::taps`), so `i + 8` is at most their number. So many
                // values are in the recording (`Run`: its taps are those of this table), and twice as many in the
                // table from `row` on (`Table::row`).
                let (x, a, b) = unsafe {
                    let row = values.add(row + i);
                    (_mm256_loadu_ps(taps.add(i)), _mm256_loadu_ps(row), _mm256_loadu_ps(row.add(count)))
                };
                here = _mm256_fmadd_ps(a, x, here);
                next = _mm256_fmadd_ps(b, x, next);
            }
            fold(_mm256_fmadd_ps(_mm256_sub_ps(next, here), _mm256_set1_ps(t), here))
        });
        let [a, b, c, d] = transposed(sums);
        put4(out, v::add(v::add(a, b), v::add(c, d)));
    }
}

/// As `sinc_mono`, four frames of the recording in the lanes.
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
fn sinc_stereo<const TAPS: usize>(run: &Run<'_, 2>, table: &Table, left: &mut [f32], right: &mut [f32]) {
    let count = if TAPS == 0 { table.taps() } else { TAPS };
    let values = table.values().as_ptr();
    let doubled_low = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    let doubled_high = _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7);
    for (group, (left, right)) in left.chunks_mut(4).zip(right.chunks_mut(4)).enumerate() {
        let [a, b, c, d] = run.places::<4>(4 * group).map(|at| {
            let (taps, (row, t)) = (taps(run, at), table.row(at as u32));
            let t = _mm256_set1_ps(t);
            let (mut low, mut high) = (_mm256_setzero_ps(), _mm256_setzero_ps());
            for i in (0..count).step_by(8) {
                // SAFETY: as in `sinc_mono`, with two values a frame in the recording.
                let (x, y, a, b) = unsafe {
                    let (row, taps) = (values.add(row + i), taps.add(2 * i));
                    (
                        _mm256_loadu_ps(taps),
                        _mm256_loadu_ps(taps.add(8)),
                        _mm256_loadu_ps(row),
                        _mm256_loadu_ps(row.add(count)),
                    )
                };
                let c = _mm256_fmadd_ps(_mm256_sub_ps(b, a), t, a);
                low = _mm256_fmadd_ps(_mm256_permutevar8x32_ps(c, doubled_low), x, low);
                high = _mm256_fmadd_ps(_mm256_permutevar8x32_ps(c, doubled_high), y, high);
            }
            fold(_mm256_add_ps(low, high))
        });
        let (ab, cd) = (v::add(v::lows(a, b), v::highs(a, b)), v::add(v::lows(c, d), v::highs(c, d)));
        put4(left, v::evens(ab, cd));
        put4(right, v::odds(ab, cd));
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn join(low: __m128, high: __m128) -> __m256 {
    _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
}

/// Sum of both halves.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn fold(a: __m256) -> __m128 {
    _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a))
}

/// a0 a1 b0 b1, in each half.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn lows(a: __m256, b: __m256) -> __m256 {
    _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)))
}

/// a2 a3 b2 b3, in each half.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn highs(a: __m256, b: __m256) -> __m256 {
    _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)))
}

/// Writes as many lanes as there is room for.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn put(out: &mut [f32], values: __m256) {
    if let Ok(out) = <&mut [f32; 8]>::try_from(&mut *out) {
        // SAFETY: an array of eight has room for eight.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), values) }
    } else {
        let mut lanes = [0.0; 8];
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), values) }
        out.iter_mut().zip(lanes).for_each(|(to, from)| *to = from);
    }
}

/// The same for four.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn put4(out: &mut [f32], values: __m128) {
    if let Ok(out) = <&mut [f32; 4]>::try_from(&mut *out) {
        v::store(out, values);
    } else {
        let mut lanes = [0.0; 4];
        v::store(&mut lanes, values);
        out.iter_mut().zip(lanes).for_each(|(to, from)| *to = from);
    }
}
