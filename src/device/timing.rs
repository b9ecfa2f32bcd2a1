//! The renderer's clock told in wall time: which frame is due at which nanosecond, free of jitter and with the
//! drift between both clocks in it.
//!
//! Callbacks start when the kernel gets round to it, some microseconds to milliseconds after they should.
//! [`Filter`] is the second-order delay-locked loop of F. Adriaensen, "Using a DLL to filter time" (Linux Audio
//! Conference 2005), with the period counted per frame, since callbacks may have any size. It follows the
//! device's real rate: a sound card 50 ppm fast gains 180 ms an hour on the wall clock, which a constant rate
//! would get wrong. [`ClockMap`] carries its line to whoever asks, as a sequence lock whose writer never waits.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::rt::counters::Gauge;

/// Hz. How fast the loop follows once it has locked: callback jitter of 1 ms at 100 callbacks a second moves
/// the line by 20 µs, and a change of rate is followed within seconds.
const BANDWIDTH: f64 = 0.1;
/// Hz, and s for which it holds: to lock on in the first place.
const LOCKING: (f64, f64) = (1.0, 4.0);
/// The loop is stable below 1; very long blocks would go beyond.
const LARGEST_STEP: f64 = 0.3;
/// Deviations beyond this are a new start, not jitter: ns, and blocks.
const RESET: (f64, f64) = (50e6, 8.0);

/// The audio thread's side: filters the times at which callbacks start.
#[derive(Debug)]
pub(crate) struct Filter {
    nominal: f64,
    state: Option<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// Filtered start of the newest callback, ns.
    at: f64,
    /// ns per frame.
    period: f64,
    /// Of the newest callback.
    frames: f64,
    /// Since the loop was started.
    elapsed_s: f64,
}

impl Filter {
    pub fn new(rate: u32) -> Self {
        Self { nominal: 1e9 / f64::from(rate), state: None }
    }

    /// A callback for `frames` frames starts at `start_ns`. Returns when it should have, and the ns per frame.
    pub fn observe(&mut self, start_ns: u64, frames: usize) -> (f64, f64) {
        let (start, frames) = (start_ns as f64, frames as f64);
        let fresh = State { at: start, period: self.nominal, frames, elapsed_s: 0.0 };
        let next = match self.state {
            None => fresh,
            Some(before) => {
                let length = before.frames * before.period;
                let expected = before.at + length;
                let error = start - expected;
                if error.abs() > RESET.0.max(RESET.1 * length) {
                    fresh
                } else {
                    let elapsed_s = before.elapsed_s + length / 1e9;
                    let bandwidth = if elapsed_s < LOCKING.1 { LOCKING.0 } else { BANDWIDTH };
                    let omega = (std::f64::consts::TAU * bandwidth * length / 1e9).clamp(1e-9, LARGEST_STEP);
                    State {
                        at: expected + std::f64::consts::SQRT_2 * omega * error,
                        period: before.period + omega * omega * error / before.frames.max(1.0),
                        frames,
                        elapsed_s,
                    }
                }
            }
        };
        self.state = Some(next);
        (next.at, next.period)
    }
}

/// A line: at `at_ns` the clock stands at `frame`, and goes on by `frames_per_ns`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    pub frame: f64,
    pub at_ns: f64,
    pub frames_per_ns: f64,
}

/// The newest [`Line`]. One writer at a time, wait-free; readers try again while it writes.
#[derive(Debug, Default)]
pub(crate) struct ClockMap {
    /// Odd while the figures are being written; 0 before the first.
    sequence: AtomicU64,
    frame: Gauge,
    at_ns: Gauge,
    frames_per_ns: Gauge,
}

impl ClockMap {
    /// Audio thread.
    pub fn publish(&self, line: Line) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        // The odd number is there before any figure changes …
        fence(Ordering::Release);
        self.frame.store(line.frame);
        self.at_ns.store(line.at_ns);
        self.frames_per_ns.store(line.frames_per_ns);
        // … and every figure before the even one.
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// Any other thread. `None` before the first callback.
    pub fn line(&self) -> Option<Line> {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before == 0 {
                return None;
            }
            let line = Line {
                frame: self.frame.load(),
                at_ns: self.at_ns.load(),
                frames_per_ns: self.frames_per_ns.load(),
            };
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before {
                return Some(line);
            }
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jitter in −1..1, the same in every run.
    fn noise(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }

    /// A device that runs `ppm` fast, with callbacks of changing size that start up to a millisecond late.
    fn drift(ppm: f64, sizes: &[usize]) {
        let rate = 48_000;
        let period = 1e9 / f64::from(rate) / (1.0 + ppm * 1e-6);
        let mut filter = Filter::new(rate);
        let (mut frame, mut seed) = (0.0, 1);
        let (mut worst, mut constant) = (0.0f64, 0.0f64);
        for n in 0..60_000usize {
            let frames = sizes[n % sizes.len()];
            let due = 5e12 + frame * period;
            let late = 0.5e6 + 0.5e6 * noise(&mut seed);
            let (at, found) = filter.observe((due + late) as u64, frames);
            if n > 40_000 {
                // Mean lateness is half a millisecond, and no filter can know it.
                worst = worst.max((at - due - 0.5e6).abs());
                constant = constant.max((found / period - 1.0).abs());
            }
            frame += frames as f64;
        }
        // Uniform noise of ±0.5 ms has σ = 289 µs; a loop of this bandwidth at 257 callbacks a second lets
        // √(1.06 · 2π · 0.1 ÷ 257) = 5 % of it through, and among 20 000 values some have 5 σ.
        assert!(worst < 80e3, "{ppm} ppm: the line is {worst} ns off");
        assert!(constant < 40e-6, "{ppm} ppm: the rate is {constant} off");
    }

    #[test]
    fn a_clock_that_drifts_is_followed_and_jitter_is_filtered_out() {
        for ppm in [0.0, 100.0, -100.0, 500.0] {
            drift(ppm, &[128]);
            drift(ppm, &[58, 480, 64, 144]);
        }
    }

    #[test]
    fn a_perfect_clock_is_told_exactly() {
        let mut filter = Filter::new(48_000);
        for n in 0..10_000u64 {
            let (at, period) = filter.observe(n * 10_000_000, 480);
            assert!((at - (n * 10_000_000) as f64).abs() < 1.0, "{n}: {at}");
            assert!((period * 48.0 - 1e6).abs() < 1e-3);
        }
    }

    #[test]
    fn a_gap_is_a_new_start() {
        let mut filter = Filter::new(48_000);
        filter.observe(0, 480);
        filter.observe(10_000_000, 480);
        let slept = 3_600_000_000_000;
        assert_eq!(filter.observe(slept, 480), (slept as f64, 1e9 / 48_000.0));
    }

    #[test]
    fn blocks_of_seconds_do_not_make_it_swing() {
        let mut filter = Filter::new(48_000);
        for n in 0..50u64 {
            let late = if n == 10 { 1_000_000.0 } else { 0.0 };
            let due = n as f64 * 2e9;
            let (at, _) = filter.observe((due + late) as u64, 96_000);
            assert!((at - due).abs() <= 1_000_000.0, "{n}: {at}");
        }
    }

    #[test]
    fn a_reader_never_sees_half_a_line() {
        let map = ClockMap::default();
        assert_eq!(map.line(), None);
        let rounds = if cfg!(miri) { 50 } else { 200_000 };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..=rounds {
                    let n = f64::from(n);
                    map.publish(Line { frame: n, at_ns: 2.0 * n, frames_per_ns: 3.0 * n });
                }
            });
            loop {
                let Some(line) = map.line() else { continue };
                assert_eq!((line.at_ns, line.frames_per_ns), (2.0 * line.frame, 3.0 * line.frame));
                if line.frame == f64::from(rounds) {
                    break;
                }
            }
        });
    }
}
