//! What the audio thread measures of itself: time per block, load, and how regularly it is called.
//!
//! Load is render time ÷ block time: at 1 the block was finished exactly when the next was due. Jitter is
//! |actual − ideal| start of a callback. Where the driver knows when the block was due (the clock) that is
//! the ideal; elsewhere it is a grid of block durations that follows the observed starts slowly, as a
//! delay-locked loop of first order (the idea of Adriaensen, "Using a DLL to filter time", 2005).

use crate::rt::counters::{Counter, Gauge, Histogram};

/// Figures of one stream. Written by the audio thread, read by anybody; see [`crate::rt::counters`].
#[derive(Debug, Default)]
pub struct DeviceCounters {
    /// Callbacks so far.
    pub callbacks: Counter,
    /// Frames asked for so far.
    pub frames: Counter,
    /// Times that the device was not served in time, as the host reports it; for the clock, stretches in
    /// which a deadline was missed by more than a block.
    pub xruns: Counter,
    /// The same by cause, in the order of [`XrunCause::ALL`](super::XrunCause::ALL).
    pub xruns_by: [Counter; 4],
    /// How much the renderer is told to do, [`Effort::level`](super::Effort::level).
    pub effort: Gauge,
    /// Blocks whose rendering took longer than the block lasts. The device's buffer may have covered for it.
    pub overloads: Counter,
    /// µs spent rendering a block.
    pub callback_us: Histogram,
    /// µs, |actual − ideal| start of a callback.
    pub jitter_us: Histogram,
    /// Render time ÷ block time, smoothed over about a quarter of a second.
    pub load: Gauge,
    /// The largest render time ÷ block time of a single block.
    pub load_peak: Gauge,
}

impl DeviceCounters {
    /// Back to zero, all of it.
    pub fn reset(&self) {
        self.callbacks.reset();
        self.frames.reset();
        self.xruns.reset();
        self.xruns_by.iter().for_each(Counter::reset);
        self.overloads.reset();
        self.callback_us.reset();
        self.jitter_us.reset();
        self.load.reset();
        self.load_peak.reset();
    }
}

/// Time constant of the smoothed load, s.
const LOAD_SMOOTHING_S: f64 = 0.25;
/// Share of each deviation by which the grid moves. A device clock 100 ppm off shifts the grid by
/// 1e-4 ÷ 0.05 = 0.2 % of a block, 5 µs of 128 frames: below what the histogram is read for.
const GRID_GAIN: f64 = 0.05;
/// Deviations beyond this many blocks are a new start (a stall, a suspended machine), not jitter to follow.
const GRID_RESET_BLOCKS: f64 = 8.0;
/// Callbacks before the grid starts: hosts fill their buffer with the first ones, back to back.
const GRID_WARM_UP: u32 = 8;

/// The audio thread's side of [`DeviceCounters`].
#[derive(Debug)]
pub(crate) struct Meter {
    rate: u32,
    warm_up: u32,
    /// Start and length of the callback before this one on the grid, ns.
    grid: Option<(f64, f64)>,
    load: Option<f64>,
}

impl Meter {
    pub fn new(rate: u32) -> Self {
        Self { rate, warm_up: GRID_WARM_UP, grid: None, load: None }
    }

    /// Records one callback that ran from `start_ns` to `end_ns` for `frames` frames, and was due at
    /// `due_ns` if the driver knows that. Returns its load, unless it was for no frame.
    pub fn record(
        &mut self,
        counters: &DeviceCounters,
        start_ns: u64,
        end_ns: u64,
        frames: usize,
        due_ns: Option<u64>,
    ) -> Option<f64> {
        counters.callbacks.add(1);
        if frames == 0 {
            return None;
        }
        counters.frames.add(frames as u64);
        let render_ns = end_ns.saturating_sub(start_ns) as f64;
        let block_ns = frames as f64 * 1e9 / f64::from(self.rate);
        counters.callback_us.record(render_ns / 1e3);
        let load = render_ns / block_ns;
        let alpha = (block_ns / 1e9 / LOAD_SMOOTHING_S).min(1.0);
        let smoothed = self.load.map_or(load, |old| old + alpha * (load - old));
        self.load = Some(smoothed);
        counters.load.store(smoothed);
        counters.load_peak.raise_to(load);
        if load > 1.0 {
            counters.overloads.add(1);
        }
        if let Some(deviation_ns) = self.deviation(start_ns, block_ns, due_ns) {
            counters.jitter_us.record(deviation_ns.abs() / 1e3);
        }
        Some(load)
    }

    /// Actual − ideal start, ns; `None` while there is no ideal.
    fn deviation(&mut self, start_ns: u64, block_ns: f64, due_ns: Option<u64>) -> Option<f64> {
        let start = start_ns as f64;
        if let Some(due_ns) = due_ns {
            return Some(start - due_ns as f64);
        }
        if self.warm_up > 0 {
            self.warm_up -= 1;
            return None;
        }
        let Some((before, length)) = self.grid else {
            self.grid = Some((start, block_ns));
            return None;
        };
        let ideal = before + length;
        let deviation = start - ideal;
        let follow = if deviation.abs() > GRID_RESET_BLOCKS * block_ns { 1.0 } else { GRID_GAIN };
        self.grid = Some((ideal + follow * deviation, block_ns));
        Some(deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK_NS: u64 = 10_000_000; // 480 frames at 48 kHz

    #[test]
    fn load_is_render_time_over_block_time() {
        let counters = DeviceCounters::default();
        let mut meter = Meter::new(48_000);
        for n in 0..100 {
            meter.record(&counters, n * BLOCK_NS, n * BLOCK_NS + BLOCK_NS / 4, 480, None);
        }
        assert_eq!(counters.callbacks.get(), 100);
        assert_eq!(counters.frames.get(), 48_000);
        assert!((counters.load.load() - 0.25).abs() < 1e-12);
        assert_eq!(counters.load_peak.load(), 0.25);
        assert_eq!(counters.overloads.get(), 0);
        let d = counters.callback_us.snapshot();
        assert_eq!((d.mean, d.max), (2500.0, 2500.0));
        meter.record(&counters, 0, 2 * BLOCK_NS, 480, None);
        assert_eq!(counters.load_peak.load(), 2.0);
        assert_eq!(counters.overloads.get(), 1);
        // One step of the smoothing: 0.25 + (10 ms ÷ 250 ms) · (2 − 0.25)
        assert!((counters.load.load() - 0.32).abs() < 1e-12);
        counters.reset();
        assert_eq!((counters.callbacks.get(), counters.callback_us.snapshot().count), (0, 0));
    }

    #[test]
    fn a_regular_callback_has_no_jitter_and_one_late_block_has_its_lateness() {
        let counters = DeviceCounters::default();
        let mut meter = Meter::new(48_000);
        for n in 0..200u64 {
            let late = if n == 100 { 3_000_000 } else { 0 };
            meter.record(&counters, n * BLOCK_NS + late, n * BLOCK_NS + late, 480, None);
        }
        let d = counters.jitter_us.snapshot();
        assert_eq!(d.count, 200 - u64::from(GRID_WARM_UP) - 1);
        assert_eq!(d.max, 3000.0);
        // The grid moved by 5 % of it and creeps back: 150 µs · 0.95ⁿ.
        assert!(d.p50 <= 150.0);
    }

    #[test]
    fn callbacks_of_changing_size_lie_on_the_grid_too() {
        let counters = DeviceCounters::default();
        let mut meter = Meter::new(48_000);
        let mut at = 0;
        for n in 0..300usize {
            let frames = [58, 480, 64, 96_000][n % 4];
            meter.record(&counters, at, at, frames, None);
            at += frames as u64 * 1_000_000_000 / 48_000;
        }
        assert!(counters.jitter_us.snapshot().max < 0.1, "{:?}", counters.jitter_us.snapshot());
    }

    #[test]
    fn a_known_deadline_is_the_ideal() {
        let counters = DeviceCounters::default();
        let mut meter = Meter::new(48_000);
        meter.record(&counters, 1_050_000, 1_060_000, 480, Some(1_000_000));
        let d = counters.jitter_us.snapshot();
        assert_eq!((d.count, d.max), (1, 50.0));
    }
}
