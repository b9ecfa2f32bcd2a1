//! What runs on the audio thread for every block, whatever host or clock drives it.
//!
//! First callback: settle the scheduling policy (`realtime.rs`). Every callback: read the clock, let the
//! render closure fill the block inside the one `catch_unwind` of the house (RT-5), read the clock, note
//! the figures (`measure.rs`), look whether the thread still sleeps (`watchdog.rs`). No allocation, no free,
//! no lock that waits (RT-1, RT-2, RT-3).
//!
//! The closure lies in a mutex that both sides only ever `try_lock`: the audio thread holds it while
//! rendering, `close` takes the closure out once it is free and drops it on its own thread. Nobody waits in
//! it, so taking it is one compare-and-swap and giving it back wakes nobody. That keeps "after `close` no
//! callback runs" true even where a host's thread cannot be joined, and needs no `unsafe`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    DeviceCounters, RealtimeRequest, Render, event::Signals, measure::Meter, quiet, realtime::Settlement,
    time, watchdog::Watchdog,
};
use crate::rt::counters::Gauge;

/// What the audio thread shares with the stream's owner and reporter.
#[derive(Default)]
pub(crate) struct Shared {
    render: Mutex<Option<Render>>,
    closing: AtomicBool,
    panicked: AtomicBool,
    /// Callbacks that were finished, never reset: `open` waits for the first, [`ErrorWatch`] for another.
    finished: AtomicU64,
    pub realtime: Settlement,
    pub counters: Arc<DeviceCounters>,
    /// Output latency as the host's timestamps give it, s.
    pub latency_s: Gauge,
    pub signals: Arc<Signals>,
}

impl Shared {
    /// Before the first callback.
    pub fn set_render(&self, render: Render) {
        if let Ok(mut slot) = self.render.try_lock() {
            *slot = Some(render);
        }
    }

    /// Callbacks that were finished.
    pub fn finished(&self) -> u64 {
        self.finished.load(Ordering::Acquire)
    }

    /// Whether the first block has been rendered and the scheduling policy is known.
    pub fn is_running(&self) -> bool {
        self.finished() > 0
    }

    /// From here on every callback is silence; gives the closure back to be dropped, or `None` if the audio
    /// thread did not leave it within `patience` (then it is stuck inside).
    pub fn stop(&self, patience: Duration) -> Option<Render> {
        self.closing.store(true, Ordering::SeqCst);
        let mut waited = Duration::ZERO;
        loop {
            if let Ok(mut slot) = self.render.try_lock() {
                return slot.take();
            }
            if waited >= patience {
                return None;
            }
            let step = Duration::from_micros(200);
            std::thread::sleep(step);
            waited += step;
        }
    }
}

/// One stream's work on the audio thread. Owned by that thread.
pub(crate) struct Callback {
    shared: Arc<Shared>,
    request: Option<RealtimeRequest>,
    servers_thread: bool,
    meter: Meter,
    watchdog: Watchdog,
    first: bool,
}

/// A callback that has begun: when it started, and when it should have.
pub(crate) struct Begun {
    start_ns: u64,
    due_ns: Option<u64>,
}

impl Callback {
    pub fn new(
        shared: Arc<Shared>,
        rate: u32,
        request: Option<RealtimeRequest>,
        servers_thread: bool,
    ) -> Self {
        let (meter, watchdog) = (Meter::new(rate), Watchdog::default());
        Self { shared, request, servers_thread, meter, watchdog, first: true }
    }

    /// One callback in one piece. `out`: interleaved, `frames × channels`. `due_ns`: when the block should
    /// have started, if the driver knows.
    pub fn run(&mut self, out: &mut [f32], frames: usize, due_ns: Option<u64>) {
        let begun = self.begin(due_ns);
        self.fill(out);
        self.end(begun, frames);
    }

    /// Start of a callback.
    pub fn begin(&mut self, due_ns: Option<u64>) -> Begun {
        if self.first {
            self.shared.realtime.settle(self.request, self.servers_thread);
        }
        Begun { start_ns: time::now_ns(), due_ns }
    }

    /// Fills one piece of the block, wholly, in any case.
    pub fn fill(&mut self, out: &mut [f32]) {
        let shared = &*self.shared;
        if shared.closing.load(Ordering::SeqCst) || shared.panicked.load(Ordering::Relaxed) {
            out.fill(0.0);
            return;
        }
        // Held by somebody else only while `close` takes the closure out.
        let Ok(mut slot) = shared.render.try_lock() else {
            out.fill(0.0);
            return;
        };
        let Some(render) = slot.as_mut() else {
            out.fill(0.0);
            return;
        };
        quiet::set_rendering(true);
        // RT-5. What the closure left half done is never used again: it is not called after a panic.
        let outcome = catch_unwind(AssertUnwindSafe(|| render(out)));
        quiet::set_rendering(false);
        if let Err(payload) = outcome {
            out.fill(0.0);
            shared.panicked.store(true, Ordering::Relaxed);
            shared.signals.panicked(payload);
        }
    }

    /// End of a callback for `frames` frames.
    pub fn end(&mut self, begun: Begun, frames: usize) {
        let end_ns = time::now_ns();
        let shared = &*self.shared;
        self.meter.record(&shared.counters, begun.start_ns, end_ns, frames, begun.due_ns);
        check(&mut self.watchdog, shared, end_ns);
        self.first = false;
        // Release: whoever sees the first callback finished sees the policy settled.
        shared.finished.fetch_add(1, Ordering::Release);
    }
}

/// Demotes the calling thread, the audio thread, if it has been spinning.
fn check(watchdog: &mut Watchdog, shared: &Shared, now_ns: u64) {
    if let Some(share) = watchdog.check(now_ns, shared.realtime.patience_ns(), time::thread_cpu_ns)
        && shared.realtime.demote(share)
    {
        shared.signals.demoted();
    }
}

/// A device that reports this many errors and for this long, with no block between them, is gone: cpal's
/// ALSA host goes on asking a PulseAudio that has died for ever, at full speed.
const HOPELESS: (u32, u64) = (100, 1_000_000_000);
/// What such a loop is slowed down to.
const PAUSE: Duration = Duration::from_millis(1);

/// Tells a device that recovers from its errors from one that will not.
pub(crate) struct ErrorWatch {
    shared: Arc<Shared>,
    /// Callbacks finished and time at the first error of the row.
    row: Option<(u64, u64)>,
    count: u32,
}

impl ErrorWatch {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, row: None, count: 0 }
    }

    /// Call at every error; true when there is no hope left. On the audio thread it sleeps for a moment
    /// from the second error in a row on: no block is being waited for, and the loop would freeze the
    /// machine under SCHED_FIFO.
    pub fn error(&mut self, now_ns: u64) -> bool {
        let finished = self.shared.finished.load(Ordering::Relaxed);
        match self.row {
            Some((before, since)) if before == finished => {
                self.count += 1;
                if self.shared.realtime.is_current_thread() {
                    std::thread::sleep(PAUSE);
                }
                self.count >= HOPELESS.0 && now_ns.saturating_sub(since) >= HOPELESS.1
            }
            _ => {
                self.row = Some((finished, now_ns));
                self.count = 1;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn callback(render: Option<Render>) -> (Arc<Shared>, Callback) {
        let shared = Arc::new(Shared::default());
        if let Some(render) = render {
            shared.set_render(render);
        }
        (shared.clone(), Callback::new(shared, 48_000, None, false))
    }

    #[test]
    fn a_block_is_what_the_closure_wrote_and_is_counted() {
        let (shared, mut callback) = callback(Some(Box::new(|out| out.fill(0.5))));
        assert!(!shared.is_running());
        let mut out = [9.0; 96];
        callback.run(&mut out, 48, None);
        assert_eq!(out, [0.5; 96]);
        assert!(shared.is_running() && shared.realtime.is_settled());
        assert_eq!((shared.counters.callbacks.get(), shared.counters.frames.get()), (1, 48));
    }

    #[test]
    fn a_panic_is_silence_for_good_and_leaves_its_message() {
        quiet::panics();
        let calls = Arc::new(AtomicUsize::new(0));
        let theirs = calls.clone();
        let (shared, mut callback) = callback(Some(Box::new(move |out| {
            theirs.fetch_add(1, Ordering::Relaxed);
            out.fill(0.5);
            panic!("voice {} of 7", 8);
        })));
        for _ in 0..3 {
            let mut out = [9.0; 8];
            callback.run(&mut out, 4, None);
            assert_eq!(out, [0.0; 8]);
        }
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        // The closure is still owned by the stream, to be dropped by its closer.
        assert!(shared.stop(Duration::ZERO).is_some());
    }

    #[test]
    fn after_stop_the_closure_is_gone_and_callbacks_are_silence() {
        let (shared, mut callback) = callback(Some(Box::new(|out| out.fill(0.5))));
        assert!(shared.stop(Duration::ZERO).is_some());
        assert!(shared.stop(Duration::ZERO).is_none());
        let mut out = [9.0; 8];
        callback.run(&mut out, 4, None);
        assert_eq!(out, [0.0; 8]);
    }

    #[test]
    fn errors_in_a_row_are_the_end_and_errors_between_blocks_are_not() {
        let ms = 1_000_000;
        let (shared, mut callback) = callback(None);
        let mut watch = ErrorWatch::new(shared);
        // One error every 10 ms with a block before each: for ever.
        for n in 0..1_000 {
            callback.run(&mut [], 0, None);
            assert!(!watch.error(n * 10 * ms));
        }
        // No block any more: 100 of them, and a second.
        let verdict = (1_000..).find(|n| watch.error(n * 10 * ms));
        assert_eq!(verdict, Some(1_099)); // the row began with error 999, at 9.99 s
        // Two errors far apart are no row of a hundred.
        let mut watch = ErrorWatch::new(Arc::new(Shared::default()));
        assert!(!watch.error(0) && !watch.error(100_000 * ms));
    }

    /// RT-1: the guard counts what this thread allocates or frees and panics if there was anything. The
    /// first callback, which asks the kernel, is held to it as well.
    #[test]
    fn a_callback_allocates_nothing() {
        let (shared, mut callback) = callback(Some(Box::new(|out| out.fill(0.25))));
        callback.request = Some(RealtimeRequest::default());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut out = [0.0; 128];
                callback.run(&mut out[..0], 0, None); // a thread's first use of a thread-local may allocate
                callback.first = true;
                let guard = crate::rt::guard::Guard::enter();
                for _ in 0..10_000 {
                    callback.run(&mut out, 64, None);
                }
                check(&mut callback.watchdog, &callback.shared, u64::MAX); // the end of a window
                drop(guard);
            });
        });
        assert_eq!(shared.counters.callbacks.get(), 10_001);
    }

    #[test]
    fn without_a_closure_there_is_silence() {
        let mut out = [9.0; 8];
        callback(None).1.run(&mut out, 4, None);
        assert_eq!(out, [0.0; 8]);
    }
}
