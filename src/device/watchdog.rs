//! Notices a real-time thread that does not sleep between its blocks.
//!
//! Some devices are not paced: ALSA's `null` and `file` PCMs call back as fast as they can, pipewire-alsa
//! spins in poll. Under SCHED_FIFO such a thread takes a core away from everything else, the shell that
//! could kill it included. So the callback compares its thread's CPU time with wall time, window by window;
//! above the limit the thread is taken off real-time priority, by itself, and says so. A renderer that
//! really needs more than the limit is demoted too: the machine would be as frozen.

/// Wall time of one window. Long enough that one late block is no verdict, short enough that the machine
/// is unresponsive for a blink only.
const WINDOW_NS: u64 = 250_000_000;
/// Share of a core above which the thread is held to be spinning. The kernel's own throttling of real-time
/// threads (sched_rt_runtime_us, 95 %) must stay above it.
const LIMIT: f64 = 0.9;

/// Compares CPU time with wall time. Owned by the thread that it watches.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    window: Option<(u64, u64)>,
}

impl Watchdog {
    /// Call once per block. Returns the share of a core (0.9..=1) that was used if a window has just ended
    /// above the limit. `cpu_ns` is read only at the edges of windows, which are `patience_ns` long where that
    /// is less than a quarter of a second: RLIMIT_RTTIME ends processes whose real-time threads don't sleep.
    pub fn check(
        &mut self,
        wall_ns: u64,
        patience_ns: u64,
        cpu_ns: impl FnOnce() -> Option<u64>,
    ) -> Option<f64> {
        if let Some((wall, cpu)) = self.window {
            let elapsed = wall_ns.saturating_sub(wall);
            if elapsed < WINDOW_NS.min(patience_ns) {
                return None;
            }
            let now = cpu_ns()?;
            self.window = Some((wall_ns, now));
            let share = now.saturating_sub(cpu) as f64 / elapsed as f64;
            return (share > LIMIT).then_some(share);
        }
        self.window = cpu_ns().map(|cpu| (wall_ns, cpu));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `blocks` of 10 ms of wall time, each using `busy` of it; returns the first verdict and its block.
    fn run(busy: f64, blocks: u64) -> Option<(u64, f64)> {
        let mut watchdog = Watchdog::default();
        (0..blocks).find_map(|n| {
            let wall = 5_000_000_000 + n * 10_000_000;
            watchdog
                .check(wall, u64::MAX, || Some((n as f64 * 10_000_000.0 * busy) as u64))
                .map(|share| (n, share))
        })
    }

    #[test]
    fn a_spinning_thread_is_found_at_the_end_of_the_first_window() {
        let (block, share) = run(1.0, 100).expect("100 % of a core is above 90 %");
        assert_eq!(block, 25); // 25 × 10 ms = one window
        assert!((share - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_thread_that_sleeps_is_left_alone() {
        assert_eq!(run(0.0, 1000), None);
        assert_eq!(run(0.89, 1000), None);
    }

    #[test]
    fn one_busy_stretch_inside_a_window_is_no_verdict() {
        let mut watchdog = Watchdog::default();
        let mut cpu = 0;
        for n in 0..200u64 {
            // Every fourth 10 ms block is fully busy: 25 % over any window.
            cpu += if n % 4 == 0 { 10_000_000 } else { 0 };
            assert_eq!(watchdog.check(n * 10_000_000, u64::MAX, || Some(cpu)), None);
        }
    }

    #[test]
    fn where_the_kernel_is_less_patient_so_is_the_window() {
        let mut watchdog = Watchdog::default();
        let block = (0..100u64)
            .find(|n| watchdog.check(n * 10_000_000, 50_000_000, || Some(n * 10_000_000)).is_some());
        assert_eq!(block, Some(5)); // 5 × 10 ms
    }

    #[test]
    fn without_a_cpu_clock_there_is_no_verdict() {
        let mut watchdog = Watchdog::default();
        assert!((0..100).all(|n| watchdog.check(n * 1_000_000_000, u64::MAX, || None).is_none()));
    }
}
