//! The two clocks of this room: wall time for deadlines and measurements, CPU time for the watchdog.
//!
//! The audio thread may read them (RT-2 makes that exception for `device`): on Linux the monotonic clock is
//! read in user space (vDSO), the thread's CPU time is a system call and is read four times a second.

#[cfg(target_os = "linux")]
mod sys {
    fn read(clock: libc::clockid_t) -> u64 {
        let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `t` is a live, writable timespec and both clock ids used here exist on every Linux.
        unsafe { libc::clock_gettime(clock, &mut t) };
        t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
    }

    pub fn now_ns() -> u64 {
        read(libc::CLOCK_MONOTONIC)
    }

    pub fn slept_ns() -> u64 {
        read(libc::CLOCK_BOOTTIME).saturating_sub(now_ns())
    }

    pub fn thread_cpu_ns() -> Option<u64> {
        Some(read(libc::CLOCK_THREAD_CPUTIME_ID))
    }

    pub fn timer_resolution_ns() -> u64 {
        let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: as above.
        unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC, &mut t) };
        t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
    }

    pub fn sleep_until(deadline_ns: u64) {
        let t = libc::timespec {
            tv_sec: (deadline_ns / 1_000_000_000) as libc::time_t,
            tv_nsec: (deadline_ns % 1_000_000_000) as _,
        };
        // SAFETY: `t` is a valid timespec, and a null remainder is allowed with TIMER_ABSTIME.
        // Interrupted by a signal it returns early, which the callers' loop takes care of.
        unsafe {
            libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &t, std::ptr::null_mut());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use std::{
        sync::OnceLock,
        time::{Duration, Instant},
    };

    pub fn now_ns() -> u64 {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        ORIGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }

    pub fn slept_ns() -> u64 {
        0
    }

    pub fn thread_cpu_ns() -> Option<u64> {
        None
    }

    pub fn sleep_until(deadline_ns: u64) {
        std::thread::sleep(Duration::from_nanos(deadline_ns.saturating_sub(now_ns())));
    }
}

/// Nanoseconds on a clock that never goes back; its origin means nothing.
pub(crate) fn now_ns() -> u64 {
    sys::now_ns()
}

/// Nanoseconds of CPU time that the calling thread has used, or `None` where that cannot be read.
pub(crate) fn thread_cpu_ns() -> Option<u64> {
    sys::thread_cpu_ns()
}

/// Steps in which the kernel can time a wake-up, ns: 1 with high-resolution timers, else a tick.
#[cfg(target_os = "linux")]
pub fn timer_resolution_ns() -> u64 {
    sys::timer_resolution_ns()
}

/// Nanoseconds that the machine has slept since it was started, which [`now_ns`] does not count; 0 where that
/// cannot be told.
pub(crate) fn slept_ns() -> u64 {
    sys::slept_ns()
}

/// Sleeps until [`now_ns`] reads `deadline_ns`; may return early.
pub(crate) fn sleep_until(deadline_ns: u64) {
    sys::sleep_until(deadline_ns);
}

/// When frame `frame` is due, in ns after frame 0: exact for any count, so nothing drifts.
pub(crate) fn frames_to_ns(frame: u64, rate: u32) -> u64 {
    let rate = u64::from(rate);
    // Whole seconds apart from the rest: `frame · 10⁹` would overflow after 4.7 days at 44.1 kHz.
    frame / rate * 1_000_000_000 + frame % rate * 1_000_000_000 / rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_become_ns_without_drift_for_a_thousand_years() {
        assert_eq!(frames_to_ns(0, 44_100), 0);
        assert_eq!(frames_to_ns(441, 44_100), 10_000_000);
        assert_eq!(frames_to_ns(1, 44_100), 22_675); // 22675.7 rounded down, once
        let seconds = 500 * 365 * 86_400;
        for rate in [44_100, 48_000, 192_000] {
            assert_eq!(frames_to_ns(seconds * u64::from(rate), rate), seconds * 1_000_000_000);
        }
    }

    #[test]
    fn clocks_go_forward() {
        let (wall, cpu) = (now_ns(), thread_cpu_ns());
        sleep_until(wall + 2_000_000);
        assert!(now_ns() >= wall);
        assert!(thread_cpu_ns() >= cpu);
    }
}
