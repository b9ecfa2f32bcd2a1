//! The kernels in four lanes, over what SSE2 and NEON have in common. `read_mono` and `read_stereo` ask the run once
//! whether it is for as many taps as they read.
//!
//! Linear and cubic hold four consecutive frames in the lanes. A sinc holds four taps of one frame, and four frames
//! are added up together. Stereo stays interleaved until the last instruction.

#[cfg(target_arch = "aarch64")]
use super::neon as v;
use super::run::Run;
use super::sinc::Table;
#[cfg(target_arch = "x86_64")]
use super::x86::quad as v;
use super::{Interpolation, Phase, taps_of};

use v::Quad;

/// Functions compiled for the instructions of `v`.
macro_rules! with_lanes {
    ($($(#[$attribute:meta])* $visible:vis fn $name:ident $(<const $n:ident: $of:ty>)? ($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block)*) => {
        $(
            $(#[$attribute])*
            #[cfg_attr(target_arch = "x86_64", target_feature(enable = "sse2"))]
            #[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
            #[inline]
            $visible fn $name $(<const $n: $of>)? ($($arg: $type),*) $(-> $out)? $body
        )*
    };
}

with_lanes! {
    /// Reads a run of a mono recording; `out` is as long as the run.
    pub fn read_mono(interpolation: Interpolation, table: Option<&Table>, run: &Run<'_, 1>, out: &mut [f32]) {
        if !run.is_for(taps_of(interpolation, table)) {
            return;
        }
        let mut phases = v::phases(run.first() as u32, run.step() as u32);
        for (group, out) in out.chunks_mut(4).enumerate() {
            let first = 4 * group;
            let values = match (interpolation, table) {
                (Interpolation::Linear, _) => linear_mono(run, first, v::fractions(phases)),
                (_, Some(table)) => sinc_mono(run, table, first),
                (_, None) => cubic_mono(run, first, v::fractions(phases)),
            };
            put(out, values);
            phases = v::advance(phases, (run.step() as u32).wrapping_mul(4));
        }
    }

    /// Reads a run of a stereo recording; `left` and `right` are as long as the run.
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
        let mut phases = v::phases(run.first() as u32, run.step() as u32);
        for (group, (left, right)) in left.chunks_mut(4).zip(right.chunks_mut(4)).enumerate() {
            let first = 4 * group;
            let [a, b] = match (interpolation, table) {
                (Interpolation::Linear, _) => linear_stereo(run, first, v::fractions(phases)),
                (_, Some(table)) => sinc_stereo(run, table, first),
                (_, None) => cubic_stereo(run, first, v::fractions(phases)),
            };
            put(left, v::evens(a, b));
            put(right, v::odds(a, b));
            phases = v::advance(phases, (run.step() as u32).wrapping_mul(4));
        }
    }

    fn linear_mono(run: &Run<'_, 1>, first: usize, t: Quad) -> Quad {
        let [a, b, c, d] = run.places::<4>(first).map(|at| {
            // SAFETY: `at` is a place of the run, so `tap + 2 ≤ frames.len()` (`Run`): two values are there.
            unsafe { v::load2(taps(run, at)) }
        });
        let (ab, cd) = (v::lows(a, b), v::lows(c, d));
        let (y0, y1) = (v::evens(ab, cd), v::odds(ab, cd));
        v::mul_add(v::sub(y1, y0), t, y0)
    }

    fn linear_stereo(run: &Run<'_, 2>, first: usize, t: Quad) -> [Quad; 2] {
        let [a, b, c, d] = run.places::<4>(first).map(|at| {
            // SAFETY: `at` is a place of the run, so `tap + 2 ≤ frames.len() / 2` (`Run`): four values are there.
            unsafe { v::load(taps(run, at)) }
        });
        let pair = |a, b, t| v::mul_add(v::sub(v::highs(a, b), v::lows(a, b)), t, v::lows(a, b));
        [pair(a, b, v::zip_low(t, t)), pair(c, d, v::zip_high(t, t))]
    }

    fn cubic_mono(run: &Run<'_, 1>, first: usize, t: Quad) -> Quad {
        let y = transposed(run.places::<4>(first).map(|at| {
            // SAFETY: `at` is a place of the run, so `tap + 4 ≤ frames.len()` (`Run`): four values are there.
            unsafe { v::load(taps(run, at)) }
        }));
        hermite(y, t)
    }

    fn cubic_stereo(run: &Run<'_, 2>, first: usize, t: Quad) -> [Quad; 2] {
        let [a, b, c, d] = run.places::<4>(first).map(|at| {
            let taps = taps(run, at);
            // SAFETY: `at` is a place of the run, so `tap + 4 ≤ frames.len() / 2` (`Run`): eight values are there.
            unsafe { [v::load(taps), v::load(taps.add(4))] }
        });
        let pair = |[a, a2]: [Quad; 2], [b, b2]: [Quad; 2], t| {
            hermite([v::lows(a, b), v::highs(a, b), v::lows(a2, b2), v::highs(a2, b2)], t)
        };
        [pair(a, b, v::zip_low(t, t)), pair(c, d, v::zip_high(t, t))]
    }

    /// As in `scalar`.
    fn hermite(y: [Quad; 4], t: Quad) -> Quad {
        let [y0, y1, y2, y3] = y;
        let half = v::splat(0.5);
        let c1 = v::mul(v::sub(y2, y0), half);
        let c3 = v::mul_add(v::sub(y1, y2), v::splat(1.5), v::mul(v::sub(y3, y0), half));
        let c2 = v::mul_add(y2, v::splat(2.0), v::mul_add(y1, v::splat(-2.5), y0));
        let c2 = v::mul_add(y3, v::splat(-0.5), c2);
        v::mul_add(v::mul_add(v::mul_add(c3, t, c2), t, c1), t, y1)
    }

    fn sinc_mono(run: &Run<'_, 1>, table: &Table, first: usize) -> Quad {
        let values = table.values().as_ptr();
        let [a, b, c, d] = transposed(run.places::<4>(first).map(|at| {
            let (taps, (row, t)) = (taps(run, at), table.row(at as u32));
            let (mut here, mut next) = (v::splat(0.0), v::splat(0.0));
            for i in (0..table.taps()).step_by(4) {
                // SAFETY: taps are a multiple of 4 (`Table::taps`), so `i + 4` is at most their number. So many
                // values are in the recording (`Run`: its taps are those of this table), and twice as many in the
                // table from `row` on (`Table::row`).
                let (x, a, b) = unsafe {
                    let row = values.add(row + i);
                    (v::load(taps.add(i)), v::load(row), v::load(row.add(table.taps())))
                };
                here = v::mul_add(a, x, here);
                next = v::mul_add(b, x, next);
            }
            v::mul_add(v::sub(next, here), v::splat(t), here)
        }));
        v::add(v::add(a, b), v::add(c, d))
    }

    fn sinc_stereo(run: &Run<'_, 2>, table: &Table, first: usize) -> [Quad; 2] {
        let values = table.values().as_ptr();
        let [a, b, c, d] = run.places::<4>(first).map(|at| {
            let (taps, (row, t)) = (taps(run, at), table.row(at as u32));
            let t = v::splat(t);
            let (mut low, mut high) = (v::splat(0.0), v::splat(0.0));
            for i in (0..table.taps()).step_by(4) {
                // SAFETY: as in `sinc_mono`, with two values a frame in the recording.
                let (x, y, a, b) = unsafe {
                    let (row, taps) = (values.add(row + i), taps.add(2 * i));
                    (v::load(taps), v::load(taps.add(4)), v::load(row), v::load(row.add(table.taps())))
                };
                let c = v::mul_add(v::sub(b, a), t, a);
                low = v::mul_add(v::zip_low(c, c), x, low);
                high = v::mul_add(v::zip_high(c, c), y, high);
            }
            v::add(low, high)
        });
        [v::add(v::lows(a, b), v::highs(a, b)), v::add(v::lows(c, d), v::highs(c, d))]
    }

    pub fn transposed(rows: [Quad; 4]) -> [Quad; 4] {
        let [a, b, c, d] = rows;
        let (ab, cd) = (v::zip_low(a, b), v::zip_low(c, d));
        let (ab2, cd2) = (v::zip_high(a, b), v::zip_high(c, d));
        [v::lows(ab, cd), v::highs(ab, cd), v::lows(ab2, cd2), v::highs(ab2, cd2)]
    }

    /// Writes as many lanes as there is room for.
    fn put(out: &mut [f32], values: Quad) {
        match <&mut [f32; 4]>::try_from(&mut *out) {
            Ok(out) => v::store(out, values),
            Err(_) => {
                let mut lanes = [0.0; 4];
                v::store(&mut lanes, values);
                out.iter_mut().zip(lanes).for_each(|(to, from)| *to = from);
            }
        }
    }
}

/// First tap of the frame at `at`, a place of the run. Not yet read: that is for who knows how many there are.
#[inline(always)]
pub fn taps<const CHANNELS: usize>(run: &Run<'_, CHANNELS>, at: Phase) -> *const f32 {
    run.frames().as_ptr().wrapping_add((at >> 32) as usize * CHANNELS)
}
