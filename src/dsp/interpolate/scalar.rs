//! The kernels one frame at a time: the reference for all others, and what runs where there are no vectors.

use super::run::Run;
use super::sinc::Table;
use super::{Interpolation, Phase};

/// Reads a run: `right` is empty for mono.
pub fn read<const CHANNELS: usize>(
    interpolation: Interpolation,
    table: Option<&Table>,
    run: &Run<'_, CHANNELS>,
    left: &mut [f32],
    right: &mut [f32],
) {
    match (interpolation, table) {
        (Interpolation::Linear, _) => read_with::<CHANNELS>(run, left, right, |taps, at| {
            let [a, b] = [0, 1].map(|i| value(taps, i * CHANNELS));
            a + (b - a) * fraction(at)
        }),
        (Interpolation::Cubic, _) => read_with::<CHANNELS>(run, left, right, |taps, at| {
            hermite([0, 1, 2, 3].map(|i| value(taps, i * CHANNELS)), fraction(at))
        }),
        (_, Some(table)) => read_with::<CHANNELS>(run, left, right, |taps, at| {
            let (row, t) = table.row(at as u32);
            let here = table.values().get(row..).unwrap_or(&[]);
            let next = here.get(table.taps()..).unwrap_or(&[]);
            let taps = taps.iter().step_by(CHANNELS);
            taps.zip(here.iter().zip(next)).map(|(value, (a, b))| (a + (b - a) * t) * value).sum()
        }),
        (_, None) => {}
    }
}

#[inline(always)]
fn read_with<const CHANNELS: usize>(
    run: &Run<'_, CHANNELS>,
    left: &mut [f32],
    right: &mut [f32],
    kernel: impl Fn(&[f32], Phase) -> f32,
) {
    let mut right = right.iter_mut();
    let mut at = run.first();
    for l in left.iter_mut() {
        let first = (at >> 32) as usize * CHANNELS;
        let taps = run.frames().get(first..first + CHANNELS * run.taps()).unwrap_or(&[]);
        *l = kernel(taps, at);
        if CHANNELS == 2
            && let Some(r) = right.next()
        {
            *r = kernel(taps.get(1..).unwrap_or(&[]), at);
        }
        at = at.wrapping_add_signed(run.step());
    }
}

#[inline(always)]
fn value(taps: &[f32], i: usize) -> f32 {
    taps.get(i).copied().unwrap_or(0.0)
}

/// 24 bits of the fraction: exactly what an f32 holds.
#[inline(always)]
fn fraction(at: Phase) -> f32 {
    ((at as u32) >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Source: O. Niemitalo, "Polynomial interpolators for high-quality resampling of oversampled audio" (2001),
/// 4-point, 3rd-order Hermite, x-form (also known as Catmull-Rom).
#[inline(always)]
fn hermite([y0, y1, y2, y3]: [f32; 4], t: f32) -> f32 {
    let c1 = 0.5 * (y2 - y0);
    let c2 = y0 - 2.5 * y1 + 2.0 * y2 - 0.5 * y3;
    let c3 = 0.5 * (y3 - y0) + 1.5 * (y1 - y2);
    ((c3 * t + c2) * t + c1) * t + y1
}
