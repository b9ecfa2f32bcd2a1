//! Counters, gauges and histograms that the audio thread writes and anybody reads.
//!
//! Every write is a few relaxed atomic operations on memory owned beforehand: wait-free, no allocation,
//! no lock (RT-1, RT-2). Relaxed is enough because a figure is only ever looked at, never acted upon: a
//! reader may see a count that is one block older than the sum beside it, and that is all that can happen.
//! Nothing here knows what is counted, and nothing here reads a clock.
//!
//! The histogram is log-linear in the way of HdrHistogram: eight buckets to the octave, found from the
//! exponent and the top mantissa bits of the value with no search, so that a quantile is never off by more
//! than one eighth of itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An event count, or the largest of several. Any thread may write, any may read; wait-free.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter at zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `n`. Wraps after 2⁶⁴, which at one frame per count is twelve million years at 48 kHz.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Back to zero.
    pub fn reset(&self) {
        self.0.store(0, Relaxed);
    }

    /// Keeps the larger of the count and `value`: a high-water mark.
    pub fn raise_to(&self, value: u64) {
        self.0.fetch_max(value, Relaxed);
    }
}

/// One number that is overwritten rather than counted up: a load, a latency, a peak. Starts at 0.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// A gauge at zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0)) // the bits of 0.0
    }

    /// Overwrites the value.
    pub fn store(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// The value last stored.
    pub fn load(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }

    /// Keeps the larger of the two. For gauges that are never negative; a negative or NaN `value` is
    /// ignored.
    pub fn raise_to(&self, value: f64) {
        // The bits of non-negative floats are ordered as the floats are (IEEE 754, 5.10), so an integer
        // maximum does it without a retry loop. `+ 0.0` turns −0.0, whose bits are the largest, into 0.0.
        if value >= 0.0 {
            self.0.fetch_max((value + 0.0).to_bits(), Relaxed);
        }
    }

    /// Back to zero.
    pub fn reset(&self) {
        self.store(0.0);
    }
}

/// Upper edge of the first bucket: everything at or below it is "at once" (a quarter of a microsecond).
const FIRST_EDGE: f64 = 0.25;
const OCTAVES: usize = 26; // 0.25 µs · 2²⁶ = 16.8 s
const PER_OCTAVE: usize = 8;
/// The first bucket, the octaves, and one for whatever is larger still.
const BUCKETS: usize = 1 + OCTAVES * PER_OCTAVE + 1;
/// The top three mantissa bits tell the eighths of an octave apart.
const SHIFT: u32 = 52 - 3;
/// The sum is kept in fixed point, so that adding to it is one wait-free instruction: 2¹⁶ steps per unit
/// overflow after 2⁴⁸ units, nine years' worth of microseconds spent rendering.
const SUM_STEPS: f64 = 65536.0;

/// A histogram of values ≥ 0 in any unit (the edges are laid out for µs: ≤ 0.25 µs up to 16.8 s).
///
/// About 1.7 KB, made once; recording is wait-free and safe on the audio thread, from several threads too.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
    max: Gauge,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram.
    pub const fn new() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], sum: AtomicU64::new(0), max: Gauge::new() }
    }

    /// Records one value. A negative one counts as 0 (a clock that stood still), NaN is ignored.
    pub fn record(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        let value = value.max(0.0);
        if let Some(bucket) = self.buckets.get(bucket_of(value)) {
            bucket.fetch_add(1, Relaxed);
        }
        // `as` saturates: one absurd value cannot wrap the sum on its own.
        self.sum.fetch_add((value.min(1e9) * SUM_STEPS + 0.5) as u64, Relaxed);
        self.max.raise_to(value);
    }

    /// The distribution so far. Allocates: for readers, never the audio thread.
    pub fn snapshot(&self) -> Distribution {
        // Counted from the buckets as read here, so that the quantiles agree with them whatever is being
        // recorded meanwhile.
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        let count: u64 = counts.iter().sum();
        if count == 0 {
            return Distribution::default();
        }
        let max = self.max.load();
        let upper = |index: usize| upper_edge(index).min(max);
        let quantile = |q: f64| {
            let rank = (q * count as f64).ceil().max(1.0) as u64;
            let mut seen = 0;
            for (index, n) in counts.iter().enumerate() {
                seen += n;
                if seen >= rank {
                    return upper(index);
                }
            }
            max
        };
        Distribution {
            count,
            mean: self.sum.load(Relaxed) as f64 / SUM_STEPS / count as f64,
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max,
            histogram: counts
                .iter()
                .enumerate()
                .filter(|(_, n)| **n > 0)
                // The last bucket has no edge of its own: the largest value seen is its honest end.
                .map(|(index, n)| Bucket {
                    up_to: if index + 1 == BUCKETS { max } else { upper_edge(index) },
                    count: *n,
                })
                .collect(),
        }
    }

    /// Forgets everything. A value being recorded at that moment may be half forgotten.
    pub fn reset(&self) {
        for bucket in &self.buckets {
            bucket.store(0, Relaxed);
        }
        self.sum.store(0, Relaxed);
        self.max.reset();
    }
}

/// What a [`Histogram`] held when it was read. All values in the histogram's unit; all 0 when it is empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution {
    /// How many values.
    pub count: u64,
    /// Their mean, from the exact sum (not from the buckets).
    pub mean: f64,
    /// Half of the values are at most this: the upper edge of the bucket, never above `max`.
    pub p50: f64,
    /// 99 % of the values are at most this.
    pub p99: f64,
    /// 99.9 % of the values are at most this.
    pub p999: f64,
    /// The largest value, exactly.
    pub max: f64,
    /// The buckets that hold anything, in rising order.
    pub histogram: Vec<Bucket>,
}

/// One bucket: values above the edge before it, up to and including `up_to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Upper edge, inclusive.
    pub up_to: f64,
    /// How many values fell into it.
    pub count: u64,
}

/// Bucket of a value ≥ 0. Intervals are open below and closed above.
fn bucket_of(value: f64) -> usize {
    if value <= FIRST_EDGE {
        return 0;
    }
    // One less than the bits is the next smaller float: an exact edge thereby falls below itself.
    let steps = ((value.to_bits() - 1) >> SHIFT) - (FIRST_EDGE.to_bits() >> SHIFT);
    (1 + steps as usize).min(BUCKETS - 1)
}

/// Upper edge of a bucket; infinite for the last.
fn upper_edge(index: usize) -> f64 {
    if index + 1 == BUCKETS {
        return f64::INFINITY;
    }
    f64::from_bits(((FIRST_EDGE.to_bits() >> SHIFT) + index as u64) << SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_counts_keeps_its_high_water_and_resets() {
        let counter = Counter::new();
        counter.add(3);
        counter.add(4);
        assert_eq!(counter.get(), 7);
        counter.raise_to(5);
        assert_eq!(counter.get(), 7);
        counter.raise_to(9);
        assert_eq!(counter.get(), 9);
        counter.reset();
        assert_eq!(counter.get(), 0);
    }

    #[test]
    fn a_gauge_keeps_the_last_value_and_rises_only_upwards() {
        let gauge = Gauge::new();
        assert_eq!(gauge.load(), 0.0);
        gauge.store(-1.5);
        assert_eq!(gauge.load(), -1.5);
        gauge.reset();
        for (value, expected) in
            [(0.25, 0.25), (0.125, 0.25), (f64::NAN, 0.25), (-3.0, 0.25), (-0.0, 0.25), (7.5, 7.5)]
        {
            gauge.raise_to(value);
            assert_eq!(gauge.load(), expected, "after raise_to({value})");
        }
    }

    #[test]
    fn edges_are_eighths_of_octaves_and_belong_to_the_bucket_below() {
        assert_eq!(bucket_of(0.0), 0);
        assert_eq!(bucket_of(FIRST_EDGE), 0);
        assert_eq!(bucket_of(FIRST_EDGE.next_up()), 1);
        for index in 1..BUCKETS - 1 {
            // Closed form: octave o starts at 0.25 · 2^o and is cut into eight equal pieces.
            let (octave, eighth) = ((index - 1) / 8, (index - 1) % 8);
            let expected = 0.25 * 2f64.powi(octave as i32) * (1.0 + (eighth + 1) as f64 / 8.0);
            assert_eq!(upper_edge(index), expected);
            assert_eq!(bucket_of(expected), index, "edge {expected}");
            assert_eq!(bucket_of(expected.next_up()), index + 1, "just above {expected}");
        }
        assert_eq!(upper_edge(BUCKETS - 2), 16_777_216.0); // 16.8 s
        assert_eq!(bucket_of(1e300), BUCKETS - 1);
        assert_eq!(bucket_of(f64::INFINITY), BUCKETS - 1);
    }

    #[test]
    fn one_to_a_thousand_gives_the_quantiles_that_arithmetic_gives() {
        let histogram = Histogram::new();
        for n in 1..=1000 {
            histogram.record(n as f64);
        }
        let d = histogram.snapshot();
        assert_eq!(d.count, 1000);
        assert_eq!(d.mean, 500.5); // n(n+1)/2 ÷ n: whole numbers, exact in fixed point
        assert_eq!(d.max, 1000.0);
        assert_eq!(d.p50, 512.0); // 500 lies in (480, 512]
        assert_eq!(d.p99, 1000.0); // 990 lies in (960, 1024], cut at the maximum
        assert_eq!(d.p999, 1000.0);
        assert_eq!(d.histogram.iter().map(|b| b.count).sum::<u64>(), 1000);
        // (480, 512] holds 481…512.
        assert!(d.histogram.contains(&Bucket { up_to: 512.0, count: 32 }));
        assert!(d.histogram.windows(2).all(|w| w[0].up_to < w[1].up_to));
    }

    #[test]
    fn a_quantile_is_at_most_an_eighth_too_high() {
        for value in [0.3, 1.0, 2.67, 33.3, 1333.3, 2_000_000.0] {
            let histogram = Histogram::new();
            for _ in 0..100 {
                histogram.record(value);
            }
            histogram.record(value * 1.0e3);
            let d = histogram.snapshot();
            assert!(d.p50 >= value && d.p50 <= value * 1.125, "{value}: {}", d.p50);
        }
    }

    #[test]
    fn all_at_zero_is_one_first_bucket() {
        let histogram = Histogram::new();
        for _ in 0..5 {
            histogram.record(0.0);
        }
        let d = histogram.snapshot();
        assert_eq!(d.histogram, vec![Bucket { up_to: FIRST_EDGE, count: 5 }]);
        assert_eq!((d.mean, d.p50, d.p999, d.max), (0.0, 0.0, 0.0, 0.0));
    }

    #[test]
    fn nonsense_is_survived_and_the_last_bucket_ends_at_the_maximum() {
        let histogram = Histogram::new();
        histogram.record(f64::NAN);
        assert_eq!(histogram.snapshot(), Distribution::default());
        histogram.record(-1.0);
        histogram.record(4e7);
        let d = histogram.snapshot();
        assert_eq!(d.count, 2);
        assert_eq!(d.mean, 2e7);
        assert_eq!(d.histogram[0], Bucket { up_to: FIRST_EDGE, count: 1 });
        assert_eq!(d.histogram[1], Bucket { up_to: 4e7, count: 1 });
        histogram.reset();
        assert_eq!(histogram.snapshot(), Distribution::default());
    }

    #[test]
    fn two_threads_lose_nothing() {
        let histogram = Histogram::new();
        let each = if cfg!(miri) { 100 } else { 20_000 };
        std::thread::scope(|scope| {
            for value in [1.0, 3.0] {
                let histogram = &histogram;
                scope.spawn(move || (0..each).for_each(|_| histogram.record(value)));
            }
        });
        let d = histogram.snapshot();
        assert_eq!((d.count, d.mean, d.max), (2 * each, 2.0, 3.0));
    }
}
