//! Interpolation kernels: a recording read at any speed.
//!
//! Positions are 32.32 fixed point: adding the increment n times is exact, so that frame n of a voice is at the same
//! place whether it was reached in one block or in a hundred (RT-6). The rounding of a ratio to 2⁻³² drifts by less
//! than a hundredth of a frame in an hour. Steps may be negative: then it is read backwards.
//!
//! Recordings are interleaved. Frames whose taps do not all lie within the slice are silence, never a panic (RT-5);
//! callers with guard frames and joints around loops never meet that.
//!
//! Each kernel has a scalar form (`scalar`), the reference; one for 4 lanes that every x86-64 (SSE2) and 64-bit ARM
//! (NEON) has (`quad`); and one for AVX2 with FMA (`x86`). They differ by roundings. A [`Kernel`] is made once, on the
//! control thread, for the best this machine has; the audio thread only follows its pointer. A value depends on
//! recording, position and step alone: lanes hold consecutive frames, or the taps of one frame, and what is left of a
//! run that fills no vector goes through the same instructions with its last frame repeated (RT-6).

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod quad;
mod run;
mod scalar;
mod sinc;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::ramp;
pub use super::variant::Variant;
use run::Run;
use sinc::{Table, Tables};

/// A position in a recording: frames in the upper 32 bits, fraction in the lower.
pub type Phase = u64;

/// From one position to the next, in the units of [`Phase`]; negative: backwards. What is read at a position is the same
/// in both directions, since kernels are even.
pub type Step = i64;

/// One frame in [`Phase`] units.
pub const ONE_FRAME: Phase = 1 << 32;
/// A recording at its own speed.
pub const UNISON: Step = ONE_FRAME as Step;

/// Most frames a kernel takes together. It begins at most half of them − 1 before the position, and ends half of
/// them behind it.
pub const MAX_TAPS: usize = 128;

/// How values between frames are found. The figures are the signal-to-noise of a sine of 1, 10 and 16 kHz at 48 kHz,
/// transposed by +7 and by −5 semitones, the worse of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Interpolation {
    /// Straight line between neighbours: 63, 22, 11 dB.
    Linear,
    /// 4-point, 3rd-order Hermite: 91, 29, 14 dB.
    #[default]
    Cubic,
    /// Windowed sinc over 8 frames: 93, 49, 21 dB; like all sincs, band-limited when it reads faster than 1:1.
    Sinc8,
    /// Windowed sinc over 16 frames: 97, 96, 66 dB.
    Sinc16,
    /// Windowed sinc over 32 frames: 107, 105, 104 dB.
    Sinc32,
}

impl Interpolation {
    /// All, cheapest first.
    pub const ALL: [Self; 5] = [Self::Linear, Self::Cubic, Self::Sinc8, Self::Sinc16, Self::Sinc32];

    /// Its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Cubic => "cubic",
            Self::Sinc8 => "sinc8",
            Self::Sinc16 => "sinc16",
            Self::Sinc32 => "sinc32",
        }
    }
}

/// An interpolation made ready for this machine.
#[derive(Clone, Copy)]
pub struct Kernel {
    interpolation: Interpolation,
    /// One that `is_available`: `new` and `with` are the only constructors.
    variant: Variant,
    /// For the sincs; the audio thread only follows this pointer.
    tables: Option<&'static Tables>,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernel({:?}, {:?})", self.interpolation, self.variant)
    }
}

impl Kernel {
    /// The fastest that this machine has. A sinc's tables are computed when its first kernel in the process is made,
    /// and stay.
    ///
    /// Thread: control. Allocates, and takes some milliseconds for the first of a sinc.
    pub fn new(interpolation: Interpolation) -> Self {
        Self { interpolation, variant: Variant::best(), tables: sinc::tables(interpolation) }
    }

    /// One of given instructions, for comparisons; `None` where the machine doesn't have them.
    ///
    /// Thread: control, as [`Kernel::new`].
    pub fn with(interpolation: Interpolation, variant: Variant) -> Option<Self> {
        variant.is_available().then(|| Self { interpolation, variant, tables: sinc::tables(interpolation) })
    }

    /// Which interpolation it is.
    pub fn interpolation(&self) -> Interpolation {
        self.interpolation
    }

    /// Frames it takes together at this step: a sinc that reads fast takes more, to keep its cutoff sharp, in either
    /// direction.
    pub fn taps(&self, step: Step) -> usize {
        taps_of(self.interpolation, self.table(step))
    }

    /// Frames before the position that it takes, one less than behind it: it rings until it is half its taps away from
    /// the recording's last frame, or backwards from the first.
    pub fn frames_before(&self, step: Step) -> u32 {
        (self.taps(step) / 2 - 1) as u32
    }

    fn table(&self, step: Step) -> Option<&'static Table> {
        self.tables.map(|tables| tables.at(step.unsigned_abs()))
    }

    /// Reads `out.len()` frames of a mono recording, starting at `position` with `step` between them.
    ///
    /// Thread: any; no allocation.
    pub fn read_mono(&self, frames: &[f32], position: Phase, step: Step, out: &mut [f32]) {
        let table = self.table(step);
        let (before, run, after) =
            Run::<1>::within(frames, taps_of(self.interpolation, table), position, step, out.len());
        if before + after > 0 {
            out.iter_mut().take(before).for_each(|value| *value = 0.0);
            out.iter_mut().rev().take(after).for_each(|value| *value = 0.0);
        }
        let range = before..out.len() - after;
        if let Some(out) = out.get_mut(range) {
            self.mono(table, &run, out);
        }
    }

    #[inline(always)]
    fn mono(&self, table: Option<&Table>, run: &Run<'_, 1>, out: &mut [f32]) {
        match self.variant {
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2 => {
                // SAFETY: a kernel of this variant is only made where AVX2 and FMA were detected (`with`).
                unsafe { x86::read_mono(self.interpolation, table, run, out) }
            }
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            Variant::Quad => {
                // SAFETY: SSE2 is part of x86-64 and NEON of aarch64: no processor that runs this is without.
                unsafe { quad::read_mono(self.interpolation, table, run, out) }
            }
            _ => scalar::read::<1>(self.interpolation, table, run, out, &mut []),
        }
    }

    /// Reads `left.len()` frames of an interleaved stereo recording; `right` is as long as `left`.
    ///
    /// Thread: any; no allocation.
    pub fn read_stereo(
        &self,
        frames: &[f32],
        position: Phase,
        step: Step,
        left: &mut [f32],
        right: &mut [f32],
    ) {
        let count = left.len().min(right.len());
        let table = self.table(step);
        let (before, run, after) =
            Run::<2>::within(frames, taps_of(self.interpolation, table), position, step, count);
        if before + after > 0 {
            let range = before..count - after;
            for side in [&mut *left, &mut *right] {
                side.iter_mut().take(range.start).for_each(|value| *value = 0.0);
                side.iter_mut().skip(range.end).for_each(|value| *value = 0.0);
            }
            if let (Some(left), Some(right)) = (left.get_mut(range.clone()), right.get_mut(range)) {
                self.stereo(table, &run, left, right);
            }
        } else if let (Some(left), Some(right)) = (left.get_mut(..count), right.get_mut(..count)) {
            self.stereo(table, &run, left, right);
        }
    }

    /// Adds values to `out` with a straight line of gain: `ramp::add_line`, the same bits in wider vectors.
    ///
    /// Thread: any; no allocation.
    pub fn add_line(
        &self,
        out: &mut [f32],
        values: &[f32],
        gain: f32,
        slope: f32,
        first: u32,
    ) -> Option<f32> {
        match self.variant {
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2 => {
                // SAFETY: a kernel of this variant is only made where AVX2 and FMA were detected (`with`).
                unsafe { x86::add_line(out, values, gain, slope, first) }
            }
            _ => ramp::add_line(out, values, gain, slope, first),
        }
    }

    #[inline(always)]
    fn stereo(&self, table: Option<&Table>, run: &Run<'_, 2>, left: &mut [f32], right: &mut [f32]) {
        match self.variant {
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2 => {
                // SAFETY: a kernel of this variant is only made where AVX2 and FMA were detected (`with`).
                unsafe { x86::read_stereo(self.interpolation, table, run, left, right) }
            }
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            Variant::Quad => {
                // SAFETY: SSE2 is part of x86-64 and NEON of aarch64: no processor that runs this is without.
                unsafe { quad::read_stereo(self.interpolation, table, run, left, right) }
            }
            _ => scalar::read::<2>(self.interpolation, table, run, left, right),
        }
    }
}

/// Frames that a kernel takes together.
fn taps_of(interpolation: Interpolation, table: Option<&Table>) -> usize {
    match (interpolation, table) {
        (Interpolation::Linear, _) => 2,
        (_, Some(table)) => table.taps(),
        (_, None) => 4,
    }
}

/// Values in a cache line of the processors we know how to ask.
const LINE_VALUES: usize = 16;

/// Asks the processor to fetch memory that will be read soon; does nothing where there is no way to.
///
/// What asked for the `unsafe`: `cargo bench --bench engine --no-default-features -- memory`.
pub fn prefetch(values: &[f32]) {
    for line in values.chunks(LINE_VALUES) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 has the instruction, and it reads nothing, here or anywhere.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
}
