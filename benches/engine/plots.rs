//! What `npm run bench` draws: a line of JSON each, said only when it asks for them by `ICTUS_BENCH_PLOTS=1`.

use std::sync::LazyLock;

static WANTED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("ICTUS_BENCH_PLOTS").is_some());

/// A line named `name` in a plot, through these points.
pub fn line(plot: &str, name: &str, x: &[f64], y: &[f64]) {
    if *WANTED {
        println!("@plot {{\"plot\":\"{plot}\",\"name\":\"{name}\",\"x\":{x:?},\"y\":{y:?}}}");
    }
}

/// Buckets of a histogram: two to an octave, from 1 µs on.
const BUCKETS: i32 = 22;

/// How a block's times are spread: shares of all, bucket by bucket. `times`: µs, in ascending order.
pub fn histogram(plot: &str, name: &str, times: &[f64]) {
    let bound = |bucket: i32| (f64::from(bucket) / 2.0).exp2();
    let below = |us: f64| times.partition_point(|time| *time < us) as f64 / times.len() as f64;
    let bounds: Vec<f64> = (0..BUCKETS).map(bound).collect();
    let last = |bucket: i32| if bucket + 1 == BUCKETS { 1.0 } else { below(bound(bucket + 1)) };
    let first = |bucket: i32| if bucket == 0 { 0.0 } else { below(bound(bucket)) };
    let shares: Vec<f64> = (0..BUCKETS).map(|bucket| last(bucket) - first(bucket)).collect();
    line(plot, name, &bounds, &shares);
}
