//! Tables of the windowed sincs: one for each step of ratio, computed once.
//!
//! A kernel of `T` taps and cutoff `f` (cycles per frame, where its response is −6 dB) is
//!
//! ```text
//!   h(x) = sin(2πfx) / (πx) · I₀(β √(1 − (2x/T)²)) / I₀(β),   |x| ≤ T/2
//! ```
//!
//! a sinc under a Kaiser window: J. F. Kaiser and R. W. Schafer, "On the use of the I₀-sinh window for spectrum
//! analysis" (IEEE ASSP-28, 1980). Tables hold it at fractions of a frame, a row each; between two rows values run
//! straight: J. O. Smith, "Digital Audio Resampling", section "Theory of Operation". With P rows a frame the straight
//! line adds noise 0.037·(2πf/P)² below a sine of f cycles a frame: −112 dB for 16 kHz at 48 kHz and P = 256. Every
//! row adds up to exactly 1, so that a constant stays what it is.
//!
//! **Up to 1:1** the cutoff is half of the recording's rate. There the sinc is 1 at 0 and 0 at all other frames: read
//! on its frames, a recording comes out bit by bit.
//!
//! **Faster** than 1:1 the cutoff follows. From an octave up on, all that would be folded is at least 80 dB down:
//! the stopband begins where the new Nyquist frequency is, which is [`Design::edge`] / T above the cutoff. Between
//! unison and octave this margin grows with the square of the octave: what folds there, folds from just above the
//! new Nyquist frequency to just below it. Taps grow with the ratio, up to four times, so that the band's edge stays
//! as sharp; the rows a frame shrink with it, since the kernel gets smoother. Beyond that the edge gets blunt, and
//! finally nothing is left of the sinc but its window, whose response is 80 dB down at [`Design::edge`]' / T: there
//! the aim ends (`tests` says at which ratio).

use super::{Interpolation, MAX_TAPS, ONE_FRAME, Phase};
use std::f64::consts::PI;
use std::sync::LazyLock;

/// Rows a frame at ratios below 2: 32 KiB for 32 taps, which fits the first-level cache. Under Miri, which takes half an
/// hour to compute that many, a few: it looks at places in memory, not at decibels.
const PHASE_BITS: u32 = if cfg!(miri) { 3 } else { 8 };

/// Steps of ratio: semitones, which are the ratios that music has, for two octaves, and from there on quarters of an
/// octave, up to 64.
const SEMITONES: usize = 24;
const QUARTERS: usize = 16;
const RATIO_STEPS: usize = 1 + SEMITONES + QUARTERS;

/// How far a ratio may lie above its step: half a cent, so that an equal-tempered interval meets its own.
const TOLERANCE: f64 = 1.0003;

/// What was chosen for each sinc.
struct Design {
    /// Up to 1:1.
    taps: usize,
    /// Of the Kaiser window. Larger: less noise far from Nyquist, a wider transition. Scanned in steps of a quarter
    /// against the aims of targets.md; noise at 1/10/16 kHz in dB by β, without the roundings of f32:
    ///
    /// ```text
    ///   8 taps: 8.0 → 93/58/23 (but 87 at 1 kHz, +7 semitones)   9.0 → 94/49/21   10.0 → 99/44/20
    ///  16 taps: 8.5 → 94/91/78    9.0 → 98/97/67    9.25 → 100/101/63   9.5 → 102/105/61
    ///  32 taps: 9.0 → 103/100/111 9.5 → 108/105/107 10.0 → 112/111/106
    /// ```
    beta: f64,
    /// (Frequency of −80 dB − cutoff) · taps, found by bisection for β.
    edge: f64,
}

const SINC8: Design = Design { taps: 8, beta: 9.0, edge: 2.83 };
const SINC16: Design = Design { taps: 16, beta: 9.0, edge: 2.83 };
const SINC32: Design = Design { taps: 32, beta: 9.5, edge: 2.95 };

impl Design {
    /// Frames taken together at a ratio: as many as keep the transition's width in the output constant, and one
    /// vector of eight more per octave, for what the cutoff gives way to the stopband.
    fn taps_at(&self, ratio: f64) -> usize {
        let wanted = ((self.taps as f64 + 8.0) * ratio - 8.0) / 8.0;
        (8 * wanted.round() as usize).min(4 * self.taps)
    }

    /// Cutoff in cycles per frame of the recording.
    fn cutoff_at(&self, ratio: f64) -> f64 {
        let margin = ratio.log2().min(1.0).powi(2) * self.edge / self.taps_at(ratio) as f64;
        (0.5 / ratio - margin).max(0.0)
    }

    fn phase_bits_at(&self, ratio: f64) -> u32 {
        PHASE_BITS - (ratio.log2() + 1e-9).clamp(0.0, 2.0) as u32
    }
}

/// Rows begin on cache lines, in values, so that they touch no more of them than they must.
const LINE: usize = 16;

/// A kernel at `2^phase_bits + 1` fractions of a frame, the last of them a whole one.
pub struct Table {
    taps: usize,
    phase_bits: u32,
    /// Rows of `taps` values without gaps, from `start` on. `new` makes room for all of them, and nothing changes them.
    values: Box<[f32]>,
    start: usize,
}

impl Table {
    fn new(design: &Design, ratio: f64) -> Self {
        let taps = design.taps_at(ratio);
        let phase_bits = design.phase_bits_at(ratio);
        let phases = 1usize << phase_bits;
        let cutoff = design.cutoff_at(ratio);
        // The kernel is even: half of it is enough.
        let half: Vec<f64> = (0..=taps / 2 * phases)
            .map(|i| kernel(i as f64 / phases as f64, taps as f64, cutoff, design.beta))
            .collect();
        let mut values = vec![0.0; (phases + 1) * taps + LINE].into_boxed_slice();
        let start = values.as_ptr().align_offset(size_of::<[f32; LINE]>()).min(LINE);
        for (phase, to) in values[start..start + (phases + 1) * taps].chunks_mut(taps).enumerate() {
            // Tap j is (taps/2 − 1) frames before the position plus j, and the position a fraction behind its frame.
            let row = (0..taps).map(|tap| half[((tap + 1) * phases).abs_diff(taps / 2 * phases + phase)]);
            to.copy_from_slice(&normalised(row.collect()));
        }
        Self { taps, phase_bits, values, start }
    }

    /// Frames taken together: a multiple of 8, at most [`MAX_TAPS`].
    #[inline(always)]
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// Where the row at or before this fraction begins among the values, and how far behind it the fraction is, 0..1.
    /// `taps` values from there and `taps` more, the next row, are within the table.
    #[inline(always)]
    pub fn row(&self, fraction: u32) -> (usize, f32) {
        let phase = fraction >> (32 - self.phase_bits);
        let rest = (fraction << self.phase_bits) >> 8;
        (phase as usize * self.taps, rest as f32 * (1.0 / 16_777_216.0))
    }

    /// The values, for reading at the places that `row` gives.
    #[inline(always)]
    pub fn values(&self) -> &[f32] {
        self.values.get(self.start..).unwrap_or(&[])
    }
}

/// The windowed sinc. At whole frames and cutoff ½ it is exactly 0, which `sin` in f64 is not.
fn kernel(x: f64, taps: f64, cutoff: f64, beta: f64) -> f64 {
    let inside = (1.0 - (2.0 * x / taps).powi(2)).max(0.0);
    let window = bessel_i0(beta * inside.sqrt());
    let angle = 2.0 * PI * cutoff * x;
    let sinc = if angle == 0.0 {
        1.0
    } else if cutoff == 0.5 && x.fract() == 0.0 {
        0.0
    } else {
        angle.sin() / angle
    };
    sinc * window
}

/// I₀ by its power series, Σ (x²/4)ᵏ / k!²: all terms positive, so nothing cancels.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= x * x / (4.0 * k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

/// A row as f32 with a sum of exactly 1: multiples of 2⁻³⁰, and what rounding to f32 has left over, some 1e-8, is
/// given to the smallest value, where f32 is finer than 2⁻³⁰.
fn normalised(row: Vec<f64>) -> Vec<f32> {
    const UNIT: f64 = (1u32 << 30) as f64;
    let sum: f64 = row.iter().sum();
    let mut row: Vec<f64> =
        row.iter().map(|value| f64::from((value / sum * UNIT).round() as f32) / UNIT).collect();
    let left_over = 1.0 - row.iter().sum::<f64>();
    if let Some(smallest) = row.iter_mut().min_by(|a, b| a.abs().total_cmp(&b.abs())) {
        *smallest += left_over;
    }
    row.iter().map(|value| *value as f32).collect()
}

fn ratio_at(step: usize) -> f64 {
    if step <= SEMITONES {
        (step as f64 / 12.0).exp2()
    } else {
        4.0 * ((step - SEMITONES) as f64 / 4.0).exp2()
    }
}

/// One sinc: a table for each step of ratio.
pub struct Tables {
    /// Highest step that each table is for.
    ratios: [Phase; RATIO_STEPS],
    tables: [Table; RATIO_STEPS],
}

impl Tables {
    fn new(design: &Design) -> Self {
        let ratios = std::array::from_fn(|i| match i {
            0 => ONE_FRAME,
            _ => (ratio_at(i) * TOLERANCE * ONE_FRAME as f64) as Phase,
        });
        Self { ratios, tables: std::array::from_fn(|i| Table::new(design, ratio_at(i))) }
    }

    /// The table for a step; beyond the last ratio the last.
    pub fn at(&self, step: Phase) -> &Table {
        let [unison, .., last] = &self.tables;
        if step <= ONE_FRAME {
            return unison;
        }
        self.tables.get(self.ratios.partition_point(|highest| *highest < step)).unwrap_or(last)
    }
}

static TABLES8: LazyLock<Tables> = LazyLock::new(|| Tables::new(&SINC8));
static TABLES16: LazyLock<Tables> = LazyLock::new(|| Tables::new(&SINC16));
static TABLES32: LazyLock<Tables> = LazyLock::new(|| Tables::new(&SINC32));

/// What an interpolation needs; computed when it is first asked for, and then kept.
///
/// Thread: control. Allocates, and may wait for another thread that is computing the same.
pub fn tables(interpolation: Interpolation) -> Option<&'static Tables> {
    match interpolation {
        Interpolation::Linear | Interpolation::Cubic => None,
        Interpolation::Sinc8 => Some(&TABLES8),
        Interpolation::Sinc16 => Some(&TABLES16),
        Interpolation::Sinc32 => Some(&TABLES32),
    }
}

const _: () = assert!(4 * SINC32.taps == MAX_TAPS);

#[cfg(test)]
mod tests {
    use super::*;

    /// I₀ by its integral, (1/π) ∫ e^(x cos θ) dθ over 0..π: the trapezoidal rule is exact to f64 for so smooth and
    /// periodic a function.
    fn i0_by_integral(x: f64) -> f64 {
        (0..128).map(|i| (x * (PI * (f64::from(i) + 0.5) / 128.0).cos()).exp()).sum::<f64>() / 128.0
    }

    fn designs() -> [(Design, &'static Tables); 3] {
        [(SINC8, &*TABLES8), (SINC16, &*TABLES16), (SINC32, &*TABLES32)]
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn tables_are_the_formula_and_every_row_adds_up_to_one() {
        for (design, tables) in designs() {
            for (step, table) in tables.tables.iter().enumerate() {
                let (taps, phases) = (table.taps, 1usize << table.phase_bits);
                let cutoff = design.cutoff_at(ratio_at(step));
                assert_eq!(table.values().len(), (phases + 1) * taps + LINE - table.start);
                for (phase, row) in table.values().chunks(taps).take(phases + 1).enumerate() {
                    let expected: Vec<f64> = (0..taps)
                        .map(|tap| {
                            let x = tap as f64 - (taps / 2 - 1) as f64 - phase as f64 / phases as f64;
                            let inside = (1.0 - (x / (taps as f64 / 2.0)).powi(2)).max(0.0).sqrt();
                            let window = i0_by_integral(design.beta * inside);
                            let sinc = if x == 0.0 {
                                2.0 * cutoff
                            } else {
                                (2.0 * PI * cutoff * x).sin() / (PI * x)
                            };
                            // Where the cutoff is 0, the sinc's limit divided by its height.
                            if cutoff == 0.0 { window } else { sinc * window }
                        })
                        .collect();
                    let sum: f64 = expected.iter().sum();
                    for (value, expected) in row.iter().zip(&expected) {
                        // Rounded to 2⁻²⁵ and 2⁻³¹, and the smallest takes the roundings of all: Σ|c| ≤ 3 times the
                        // one, 128 times the other.
                        let bound = 4.0 * 2f64.powi(-25) + 129.0 * 2f64.powi(-31);
                        assert!(
                            (f64::from(*value) - expected / sum).abs() <= bound,
                            "{taps} taps, row {phase}"
                        );
                    }
                    assert_eq!(
                        row.iter().map(|value| f64::from(*value)).sum::<f64>(),
                        1.0,
                        "{taps} taps, row {phase}"
                    );
                    assert!(row.iter().map(|value| value.abs()).sum::<f32>() <= 3.0);
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn a_step_finds_the_table_of_its_ratio() {
        for (_, tables) in designs() {
            let at = |ratio: f64| {
                let table = tables.at((ratio * ONE_FRAME as f64) as Phase);
                tables.tables.iter().position(|other| std::ptr::eq(other, table)).unwrap()
            };
            assert_eq!([at(0.0), at(0.5), at(1.0)], [0, 0, 0]);
            for step in 1..RATIO_STEPS {
                assert_eq!(at(ratio_at(step)), step);
                assert_eq!(at(ratio_at(step) * 1.001), (step + 1).min(RATIO_STEPS - 1));
            }
            assert_eq!(at(1e9), RATIO_STEPS - 1);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore)]
    fn taps_and_rows_keep_within_what_others_rely_on() {
        for (design, tables) in designs() {
            assert_eq!(tables.tables[0].taps, design.taps);
            for table in &tables.tables {
                assert!(table.taps.is_multiple_of(8) && table.taps <= MAX_TAPS);
                for fraction in [0, 1, 0x7fff_ffff, u32::MAX] {
                    let (row, t) = table.row(fraction);
                    assert!(row + 2 * table.taps <= table.values().len() && (0.0..1.0).contains(&t));
                    let phase = (row / table.taps) as f64 + f64::from(t);
                    let expected = f64::from(fraction) * 2f64.powi(table.phase_bits as i32 - 32);
                    assert!((phase - expected).abs() < 2f64.powi(-23));
                }
                assert_eq!(table.values().as_ptr().align_offset(64), 0);
            }
        }
    }
}
