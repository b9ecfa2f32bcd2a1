//! How late threads are woken: an absolute timer per block, with and without real-time priority, at the same
//! time and so under the same conditions.
//!
//! What is measured is what an audio thread lives on: the distance between the moment at which it asked to be
//! woken and the moment at which it runs. The kernel, the machine's firmware, a hypervisor and the other
//! programs all show up in it; the audio server does not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    RealtimeRequest, RealtimeStatus,
    realtime::Settlement,
    time::{frames_to_ns, now_ns, sleep_until},
};
use crate::rt::counters::{Distribution, Histogram};

/// Time between two wake-ups, in frames at 48 kHz: 64 frames, 1.33 ms, the block of a small live setup.
const FRAMES: u64 = 64;
const RATE: u32 = 48_000;

/// What [`measure_wakeups`] found.
#[derive(Debug, Clone)]
pub struct Wakeups {
    /// What the thread that asked for real-time priority got.
    pub status: RealtimeStatus,
    /// µs of lateness with it; `None` where it was not granted.
    pub realtime: Option<Distribution>,
    /// µs of lateness of a thread as any other.
    pub ordinary: Distribution,
}

/// Has threads woken every 1.33 ms for `seconds` and tells how late they ran. With 0 seconds it only finds out
/// what is granted.
///
/// Thread: control; blocks for that long. Errors: the system has no thread to spare.
pub fn measure_wakeups(seconds: f64, request: RealtimeRequest) -> std::io::Result<Wakeups> {
    let ordinary = Sleeper::start("ictus-ordinary", None, seconds)?;
    let realtime = Sleeper::start("ictus-realtime", Some(request), seconds)?;
    realtime.settle();
    let status = realtime.settlement.status(Some(request));
    ordinary.settle();
    let (realtime, ordinary) = (realtime.finish(), ordinary.finish());
    Ok(Wakeups { realtime: status.granted.then_some(realtime), status, ordinary })
}

struct Sleeper {
    request: Option<RealtimeRequest>,
    settlement: Arc<Settlement>,
    go: Arc<AtomicBool>,
    late_us: Arc<Histogram>,
    thread: std::thread::JoinHandle<()>,
}

impl Sleeper {
    fn start(name: &str, request: Option<RealtimeRequest>, seconds: f64) -> std::io::Result<Self> {
        let (settlement, go, late_us) =
            (Arc::<Settlement>::default(), Arc::<AtomicBool>::default(), Arc::<Histogram>::default());
        let (theirs, started, late) = (settlement.clone(), go.clone(), late_us.clone());
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            theirs.settle(request, false);
            while !started.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(1));
            }
            let origin = now_ns();
            let count = (seconds * f64::from(RATE) / FRAMES as f64) as u64;
            for n in 1..=count {
                let due = origin + frames_to_ns(n * FRAMES, RATE);
                let mut now = now_ns();
                while now < due {
                    sleep_until(due);
                    now = now_ns();
                }
                late.record((now - due) as f64 / 1e3);
            }
        })?;
        Ok(Self { request, settlement, go, late_us, thread })
    }

    /// Waits for the policy to be settled, asks rtkit if need be, and lets the thread begin.
    fn settle(&self) {
        while !self.settlement.is_settled() && !self.thread.is_finished() {
            std::thread::sleep(Duration::from_micros(200));
        }
        self.settlement.ask_rtkit(self.request);
        self.go.store(true, Ordering::Release);
    }

    fn finish(self) -> Distribution {
        let _ = self.thread.join();
        self.late_us.snapshot()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wake_up_is_counted_and_none_is_early() {
        let found = measure_wakeups(0.2, RealtimeRequest::default()).unwrap();
        assert_eq!(found.ordinary.count, 150); // 0.2 s ÷ (64 ÷ 48000)
        assert_eq!(found.realtime.is_some(), found.status.granted);
        assert!(found.realtime.is_none_or(|late| late.count == 150 && late.max > 0.0));
    }

    #[test]
    fn in_no_time_only_the_priority_is_found_out() {
        let found = measure_wakeups(0.0, RealtimeRequest::default()).unwrap();
        assert_eq!(found.ordinary.count, 0);
        assert!(found.status.granted || found.status.reason.is_some());
    }
}
