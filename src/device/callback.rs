//! What runs on the audio thread for every block, whatever host or clock drives it.
//!
//! First callback: settle the scheduling policy (`realtime.rs`). Every callback: read the clock, let the
//! renderer fill the block inside the one `catch_unwind` of the house (RT-5), read the clock, note the figures
//! (`measure.rs`), look whether the thread still sleeps (`watchdog.rs`) and whether there is too much to do
//! (`effort.rs`). No allocation, no free, no lock that waits (RT-1, RT-2, RT-3).
//!
//! The renderer lies in a mutex that both sides only ever `try_lock`: the audio thread holds it while
//! rendering, `close` takes the renderer out once it is free and drops it on its own thread. Nobody waits in
//! it, so taking it is one compare-and-swap and giving it back wakes nobody. That keeps "after `close` no
//! callback runs" true even where a host's thread cannot be joined, and needs no `unsafe`.
//!
//! The same mutex is how a renderer outlives its device (`supervise.rs`). Each attempt to drive the stream is a
//! [`Drive`] with a number; only the callbacks of the active number render, those of all others are silence.
//! So handing over from a dead sound card to the clock, and back, is one store.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    DeviceCounters, Effort, RealtimeRequest, Render, XrunCause,
    adapt::{Adapter, Shape},
    effort::Governor,
    event::Signals,
    measure::Meter,
    quiet,
    realtime::Settlement,
    time,
    timing::{ClockMap, Filter, Line},
    watchdog::Watchdog,
};
use crate::rt::counters::Gauge;

/// What the audio threads of a stream, one after the other, share with its owner and its reporter.
#[derive(Default)]
pub(crate) struct Shared {
    render: Mutex<Option<Render>>,
    closing: AtomicBool,
    panicked: AtomicBool,
    /// Number of the drive whose callbacks render; 0 before there is one.
    active: AtomicU64,
    /// Callbacks of active drives that were finished, never reset.
    finished: AtomicU64,
    pace: Pace,
    pub counters: Arc<DeviceCounters>,
    /// Output latency as the host's timestamps give it, and what is added here, s.
    pub latency_s: Gauge,
    pub clock: ClockMap,
    pub signals: Arc<Signals>,
}

/// Wall times of the newest callback, by which an xrun's cause is told.
#[derive(Default)]
struct Pace {
    started_ns: AtomicU64,
    ended_ns: AtomicU64,
    block_ns: AtomicU64,
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

    /// From here on the callbacks of this drive render, and of no other.
    pub fn activate(&self, drive: &Drive) {
        self.active.store(drive.number, Ordering::SeqCst);
    }

    /// Number of the drive that renders.
    pub fn active(&self) -> u64 {
        self.active.load(Ordering::SeqCst)
    }

    /// Whether the stream is being closed, or is.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// When the newest block is over on the wall clock: where another drive takes over. 0 before the first.
    pub fn until_ns(&self) -> u64 {
        self.pace.started_ns.load(Ordering::Relaxed) + self.pace.block_ns.load(Ordering::Relaxed)
    }

    /// Waits until nobody is inside the renderer; false if somebody still is after `patience`.
    pub fn wait_idle(&self, patience: Duration) -> bool {
        self.reach(patience, |_| ()).is_some()
    }

    /// From here on every callback is silence; gives the renderer back to be dropped, or `None` if the audio
    /// thread did not leave it within `patience` (then it is stuck inside).
    pub fn stop(&self, patience: Duration) -> Option<Render> {
        self.closing.store(true, Ordering::SeqCst);
        self.reach(patience, Option::take).flatten()
    }

    fn reach<T>(&self, patience: Duration, act: impl FnOnce(&mut Option<Render>) -> T) -> Option<T> {
        let mut waited = Duration::ZERO;
        loop {
            if let Ok(mut slot) = self.render.try_lock() {
                return Some(act(&mut slot));
            }
            if waited >= patience {
                return None;
            }
            let step = Duration::from_micros(200);
            std::thread::sleep(step);
            waited += step;
        }
    }

    /// Lets the renderer do something, if it is there and free. False: it is not.
    fn with_render(&self, act: impl FnOnce(&mut Render)) -> bool {
        // Held by somebody else only while `close` takes the renderer out.
        let Ok(mut slot) = self.render.try_lock() else { return false };
        let Some(render) = slot.as_mut() else { return false };
        quiet::set_rendering(true);
        // RT-5. What the renderer left half done is never used again: it is not called after a panic.
        let outcome = catch_unwind(AssertUnwindSafe(|| act(render)));
        quiet::set_rendering(false);
        if let Err(payload) = outcome {
            self.panicked.store(true, Ordering::Relaxed);
            self.signals.panicked(payload);
            return false;
        }
        true
    }

    /// Fills a block with what is rendered, or with silence.
    fn render(&self, out: &mut [f32]) {
        let silent = self.is_closing() || self.panicked.load(Ordering::Relaxed);
        if silent || !self.with_render(|render| render.render(out)) {
            out.fill(0.0);
        }
    }

    /// Counts that the device was not served in time, and tells it. `behind_ns`: by how much, where the driver
    /// knows. Any thread; wait-free.
    pub fn xrun(&self, now_ns: u64, rate: u32, behind_ns: Option<u64>) {
        let (cause, lost_ns) = self.pace.cause(now_ns, behind_ns);
        let frames = (lost_ns as f64 * 1e-9 * f64::from(rate)).round() as u64;
        self.counters.xruns.add(1);
        self.counters.xruns_by[cause as usize].add(1);
        self.signals.xrun(cause, frames);
    }
}

impl Pace {
    /// Why the device was not served, and for how long. Rendering that took longer than its block is to blame
    /// if there was any just now; else the kernel, if the thread was not woken for more than a block; else
    /// somebody else: the device, its driver, another client of its server.
    fn cause(&self, now_ns: u64, behind_ns: Option<u64>) -> (XrunCause, u64) {
        let (started, ended) =
            (self.started_ns.load(Ordering::Relaxed), self.ended_ns.load(Ordering::Relaxed));
        let block = self.block_ns.load(Ordering::Relaxed);
        let inside = started > ended;
        let took = if inside { now_ns } else { ended }.saturating_sub(started);
        let recent = inside || now_ns.saturating_sub(ended) <= (4 * block).max(100_000_000);
        let late = behind_ns.unwrap_or_else(|| now_ns.saturating_sub(started + block));
        if took > block && recent {
            (XrunCause::Overload, behind_ns.unwrap_or(took - block))
        } else if behind_ns.is_some() || (late > block && !inside) {
            (XrunCause::Scheduling, late)
        } else {
            (XrunCause::Device, if inside { 0 } else { late })
        }
    }
}

/// One attempt to drive a stream: a device, or the clock in its place.
pub(crate) struct Drive {
    pub number: u64,
    pub shared: Arc<Shared>,
    pub realtime: Settlement,
    /// Callbacks that were finished, never reset: whoever opens waits for the first.
    finished: AtomicU64,
    lost: AtomicBool,
    /// Whether it counts as a JACK client that is to be closed (`hosts.rs`).
    pub leaving: AtomicBool,
    /// What was said of the loss, for the error of whoever is opening. Both sides only ever `try_lock`.
    last_words: Mutex<Option<String>>,
}

impl Drive {
    pub fn new(number: u64, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            number,
            shared,
            realtime: Settlement::default(),
            finished: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            last_words: Mutex::default(),
        })
    }

    /// Callbacks that were finished.
    pub fn finished(&self) -> u64 {
        self.finished.load(Ordering::Acquire)
    }

    /// Whether a block has been asked for and the scheduling policy is known.
    pub fn is_running(&self) -> bool {
        self.finished() > 0
    }

    /// Whether it is this one that renders.
    pub fn is_active(&self) -> bool {
        self.shared.active() == self.number
    }

    /// The device is gone. Whatever thread notices; only the first call counts.
    pub fn lose(&self, message: String) {
        if self.is_lost() {
            return;
        }
        if let Ok(mut words) = self.last_words.try_lock() {
            words.get_or_insert(message);
        }
        // The words are there before the fact.
        if !self.lost.swap(true, Ordering::AcqRel) && self.is_active() {
            self.shared.signals.lost();
        }
    }

    /// What was said when the device went, once.
    pub fn last_words(&self) -> Option<String> {
        self.last_words.try_lock().ok()?.take()
    }

    /// Whether the device is gone.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// The host reports that the device was not served.
    pub fn xrun(&self, rate: u32) {
        if self.is_active() {
            self.shared.xrun(time::now_ns(), rate, None);
        }
    }

    /// What the host says of its latency, s, on top of `added`.
    pub fn set_latency(&self, seconds: f64, added: f64) {
        if self.is_active() {
            self.shared.latency_s.store(seconds + added);
        }
    }
}

impl Drop for Drive {
    /// One whose device went away before it had been started.
    fn drop(&mut self) {
        super::hosts::jack_has_left(self);
    }
}

/// What a callback has to know of the device that drives it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// What the renderer fills.
    pub rendered: Shape,
    /// What the device takes.
    pub device: Shape,
    pub realtime: Option<RealtimeRequest>,
    /// The host owns the audio thread.
    pub servers_thread: bool,
}

/// A device that comes while something sounds fades in: 20 ms, slow enough to be no click at any frequency.
const FADE_IN_S: f64 = 0.02;

/// One drive's work on the audio thread. Owned by that thread.
pub(crate) struct Callback {
    drive: Arc<Drive>,
    terms: Terms,
    meter: Meter,
    watchdog: Watchdog,
    filter: Filter,
    governor: Governor,
    adapter: Option<Adapter>,
    first: bool,
    active: bool,
    /// Position on the renderer's clock at the start of the block before.
    position: f64,
    /// Frames of the fade-in that are over, and its length.
    faded: (u32, u32),
}

/// A callback that has begun: when it started, and when it should have.
pub(crate) struct Begun {
    start_ns: u64,
    due_ns: Option<u64>,
}

impl Callback {
    /// Errors: rates that cannot be converted.
    pub fn new(drive: Arc<Drive>, terms: Terms) -> Result<Self, String> {
        let fade = (FADE_IN_S * f64::from(terms.device.rate)) as u32;
        Ok(Self {
            terms,
            meter: Meter::new(terms.device.rate),
            watchdog: Watchdog::default(),
            filter: Filter::new(terms.device.rate),
            governor: Governor::default(),
            adapter: Adapter::new(terms.rendered, terms.device)?,
            first: true,
            active: false,
            position: f64::NAN,
            // The first device starts with the renderer's own first frame, bit for bit.
            faded: if drive.number == FIRST { (0, 0) } else { (0, fade) },
            drive,
        })
    }

    /// Seconds that are added to the device's own latency.
    pub fn added_latency_s(&self) -> f64 {
        self.adapter.as_ref().map_or(0.0, |adapter| adapter.latency_s(self.terms.device.rate))
    }

    /// One callback in one piece. `out`: interleaved, `frames × channels` of the device. `due_ns`: when the
    /// block should have started, if the driver knows.
    pub fn run(&mut self, out: &mut [f32], frames: usize, due_ns: Option<u64>) {
        let begun = self.begin(frames, due_ns);
        self.fill(out);
        self.end(begun, frames);
    }

    /// Start of a callback for `frames` frames.
    pub fn begin(&mut self, frames: usize, due_ns: Option<u64>) -> Begun {
        if self.first {
            self.drive.realtime.settle(self.terms.realtime, self.terms.servers_thread);
        }
        let start_ns = time::now_ns();
        let before = std::mem::replace(&mut self.active, self.drive.is_active());
        if self.active {
            if !before && self.drive.number != FIRST {
                // Whatever the drive before had it do: this one starts with all of it.
                self.ease(Effort::Full);
            }
            let shared = &*self.drive.shared;
            let block_ns = time::frames_to_ns(frames as u64, self.terms.device.rate);
            shared.pace.block_ns.store(block_ns, Ordering::Relaxed);
            shared.pace.started_ns.store(start_ns, Ordering::Relaxed);
            self.tell_time(due_ns.unwrap_or(start_ns), frames);
        }
        Begun { start_ns, due_ns }
    }

    /// Publishes which frame of the renderer's clock is due now.
    fn tell_time(&mut self, start_ns: u64, frames: usize) {
        if frames == 0 {
            return;
        }
        let (at_ns, period) = self.filter.observe(start_ns, frames);
        let backlog = self.adapter.as_ref().map_or(0.0, Adapter::backlog);
        let ratio = f64::from(self.terms.rendered.rate) / f64::from(self.terms.device.rate);
        let (shared, before) = (&*self.drive.shared, self.position);
        let mut position = before;
        shared.with_render(|render| {
            let Some(frame) = render.frame() else { return };
            position = frame as f64 - backlog;
            // Suspended: it stands where it stood.
            let frames_per_ns = if position == before { 0.0 } else { ratio / period };
            shared.clock.publish(Line { frame: position, at_ns, frames_per_ns });
        });
        self.position = position;
    }

    /// Fills one piece of the block, wholly, in any case.
    pub fn fill(&mut self, out: &mut [f32]) {
        let Self { drive, adapter, .. } = self;
        if !self.active {
            out.fill(0.0);
            return;
        }
        match adapter {
            Some(adapter) => adapter.fill(out, |block| drive.shared.render(block)),
            None => drive.shared.render(out),
        }
        self.fade_in(out);
    }

    fn fade_in(&mut self, out: &mut [f32]) {
        let (over, length) = &mut self.faded;
        if *over >= *length {
            return;
        }
        for frame in out.chunks_mut(usize::from(self.terms.device.channels)) {
            let gain = *over as f32 / *length as f32;
            frame.iter_mut().for_each(|value| *value *= gain);
            *over = (*over + 1).min(*length);
        }
    }

    /// End of a callback for `frames` frames.
    pub fn end(&mut self, begun: Begun, frames: usize) {
        let end_ns = time::now_ns();
        let drive = &*self.drive;
        let shared = &*drive.shared;
        if self.active {
            shared.pace.ended_ns.store(end_ns, Ordering::Relaxed);
            let load = self.meter.record(&shared.counters, begun.start_ns, end_ns, frames, begun.due_ns);
            let block_s = frames as f64 / f64::from(self.terms.device.rate);
            if let Some(load) = load
                && let Some(effort) = self.governor.observe(load, block_s)
            {
                self.ease(effort);
            }
        }
        let drive = &*self.drive;
        check(&mut self.watchdog, drive, end_ns);
        self.first = false;
        // Release: whoever sees the first callback finished sees the policy settled.
        drive.finished.fetch_add(1, Ordering::Release);
        if self.active {
            drive.shared.finished.fetch_add(1, Ordering::Release);
        }
    }

    /// Tells the renderer how much to do, and tells of it when that is something new.
    fn ease(&mut self, effort: Effort) {
        let shared = &*self.drive.shared;
        let known = shared.counters.effort.load() == f64::from(effort.level());
        let load = self.governor.load();
        if shared.with_render(|render| render.ease(effort, load)) && !known {
            shared.counters.effort.store(f64::from(effort.level()));
            shared.signals.eased(effort);
        }
    }
}

/// Number of a stream's first drive.
pub(crate) const FIRST: u64 = 1;

/// Demotes the calling thread, the audio thread, if it has been spinning.
fn check(watchdog: &mut Watchdog, drive: &Drive, now_ns: u64) {
    if let Some(share) = watchdog.check(now_ns, drive.realtime.patience_ns(), time::thread_cpu_ns)
        && drive.realtime.demote(share)
    {
        drive.shared.signals.demoted();
    }
}

/// A device that reports this many errors and for this long, with no block between them, is gone: cpal's
/// ALSA host goes on asking a PulseAudio that has died for ever, at full speed.
const HOPELESS: (u32, u64) = (100, 1_000_000_000);
/// What such a loop is slowed down to.
const PAUSE: Duration = Duration::from_millis(1);

/// Tells a device that recovers from its errors from one that will not.
pub(crate) struct ErrorWatch {
    drive: Arc<Drive>,
    /// Callbacks finished and time at the first error of the row.
    row: Option<(u64, u64)>,
    count: u32,
}

impl ErrorWatch {
    pub fn new(drive: Arc<Drive>) -> Self {
        Self { drive, row: None, count: 0 }
    }

    /// Call at every error; true when there is no hope left. On the audio thread it sleeps for a moment
    /// from the second error in a row on: no block is being waited for, and the loop would freeze the
    /// machine under SCHED_FIFO.
    pub fn error(&mut self, now_ns: u64) -> bool {
        let finished = self.drive.finished();
        match self.row {
            Some((before, since)) if before == finished => {
                self.count += 1;
                if self.drive.realtime.is_current_thread() {
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
        let drive = Drive::new(FIRST, shared.clone());
        shared.activate(&drive);
        (shared, Callback::new(drive, TERMS).unwrap())
    }

    const STEREO: Shape = Shape { rate: 48_000, channels: 2 };
    const TERMS: Terms = Terms { rendered: STEREO, device: STEREO, realtime: None, servers_thread: false };

    #[test]
    fn a_block_is_what_the_closure_wrote_and_is_counted() {
        let (shared, mut callback) = callback(Some(Box::new(|out: &mut [f32]| out.fill(0.5))));
        assert!(!callback.drive.is_running());
        let mut out = [9.0; 96];
        callback.run(&mut out, 48, None);
        assert_eq!(out, [0.5; 96]);
        assert!(callback.drive.is_running() && callback.drive.realtime.is_settled());
        assert_eq!((shared.counters.callbacks.get(), shared.counters.frames.get()), (1, 48));
    }

    #[test]
    fn a_panic_is_silence_for_good_and_leaves_its_message() {
        quiet::panics();
        let calls = Arc::new(AtomicUsize::new(0));
        let theirs = calls.clone();
        let (shared, mut callback) = callback(Some(Box::new(move |out: &mut [f32]| {
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
        let (shared, mut callback) = callback(Some(Box::new(|out: &mut [f32]| out.fill(0.5))));
        assert!(shared.stop(Duration::ZERO).is_some());
        assert!(shared.stop(Duration::ZERO).is_none());
        let mut out = [9.0; 8];
        callback.run(&mut out, 4, None);
        assert_eq!(out, [0.0; 8]);
    }

    #[test]
    fn errors_in_a_row_are_the_end_and_errors_between_blocks_are_not() {
        let ms = 1_000_000;
        let (_, mut callback) = callback(None);
        let mut watch = ErrorWatch::new(callback.drive.clone());
        // One error every 10 ms with a block before each: for ever.
        for n in 0..1_000 {
            callback.run(&mut [], 0, None);
            assert!(!watch.error(n * 10 * ms));
        }
        // No block any more: 100 of them, and a second.
        let verdict = (1_000..).find(|n| watch.error(n * 10 * ms));
        assert_eq!(verdict, Some(1_099)); // the row began with error 999, at 9.99 s
        // Two errors far apart are no row of a hundred.
        let mut watch = ErrorWatch::new(Drive::new(FIRST, Arc::default()));
        assert!(!watch.error(0) && !watch.error(100_000 * ms));
    }

    /// RT-1: the guard counts what this thread allocates or frees and panics if there was anything. The
    /// first callback, which asks the kernel, is held to it as well.
    #[test]
    fn a_callback_allocates_nothing() {
        let (shared, mut callback) = callback(Some(Box::new(|out: &mut [f32]| out.fill(0.25))));
        callback.terms.realtime = Some(RealtimeRequest::default());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut out = [0.0; 128];
                callback.run(&mut out[..0], 0, None); // a thread's first use of a thread-local may allocate
                callback.first = true;
                let guard = crate::rt::guard::Guard::enter();
                for _ in 0..10_000 {
                    callback.run(&mut out, 64, None);
                }
                check(&mut callback.watchdog, &callback.drive, u64::MAX); // the end of a window
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

    /// A renderer that counts its frames, and what it was told to do.
    struct Counts {
        frame: u64,
        told: Arc<Mutex<Vec<Effort>>>,
        busy: Duration,
    }

    impl crate::device::Renderer for Counts {
        fn render(&mut self, out: &mut [f32]) {
            std::thread::sleep(self.busy);
            self.frame += out.len() as u64 / 2;
            out.fill(0.5);
        }

        fn frame(&self) -> Option<u64> {
            Some(self.frame)
        }

        fn ease(&mut self, effort: Effort, load: f64) {
            assert!(effort == Effort::Full || load > 0.85);
            self.told.lock().unwrap().push(effort);
        }
    }

    fn counts(busy: Duration) -> (Arc<Mutex<Vec<Effort>>>, Render) {
        let told = Arc::<Mutex<Vec<Effort>>>::default();
        (told.clone(), Box::new(Counts { frame: 0, told, busy }))
    }

    #[test]
    fn only_the_active_drive_renders_and_the_next_one_fades_in() {
        let (_, render) = counts(Duration::ZERO);
        let (shared, mut first) = callback(Some(render));
        let second = Drive::new(2, shared.clone());
        let mut next = Callback::new(second.clone(), TERMS).unwrap();
        let mut out = [9.0; 96];
        next.run(&mut out, 48, None);
        assert_eq!(out, [0.0; 96]);
        assert!(second.is_running(), "it has been heard of all the same");
        first.run(&mut out, 48, None);
        assert_eq!(out, [0.5; 96], "the first starts at once");
        shared.activate(&second);
        first.run(&mut out, 48, None);
        assert_eq!(out, [0.0; 96]);
        // 20 ms are 960 frames: a straight line from 0, and then all of it.
        let mut long = vec![9.0; 2 * 2_000];
        next.run(&mut long, 2_000, None);
        for (n, frame) in long.chunks(2).enumerate() {
            let expected = if n < 960 { 0.5 * (n as f32 / 960.0) } else { 0.5 };
            assert_eq!(frame, [expected; 2], "frame {n}");
        }
        assert_eq!(shared.counters.frames.get(), 48 + 2_000, "what nobody hears is not counted");
        assert_eq!(shared.finished(), 2);
    }

    #[test]
    fn the_clock_map_tells_the_renderers_frames_and_stands_when_it_does() {
        let (_, render) = counts(Duration::ZERO);
        let (shared, mut callback) = callback(Some(render));
        let mut out = [0.0; 960];
        for n in 0..4u64 {
            callback.run(&mut out, 480, Some(1_000_000_000 + n * 10_000_000));
        }
        let line = shared.clock.line().expect("it has run");
        assert_eq!((line.frame, line.at_ns), (1_440.0, 1_030_000_000.0));
        assert!((line.frames_per_ns * 1e9 - 48_000.0).abs() < 1e-6, "{line:?}");
        shared.set_render(Box::new(Counts { frame: 7, told: Arc::default(), busy: Duration::ZERO }));
        callback.begin(480, None);
        callback.begin(480, None);
        let line = shared.clock.line().expect("it has run");
        assert_eq!((line.frame, line.frames_per_ns), (7.0, 0.0), "nothing was rendered between");
    }

    /// At another rate the map counts the renderer's frames as the device plays them.
    #[test]
    fn the_clock_map_sees_through_the_converter() {
        let (_, render) = counts(Duration::ZERO);
        let shared = Arc::new(Shared::default());
        shared.set_render(render);
        let drive = Drive::new(FIRST, shared.clone());
        shared.activate(&drive);
        let rendered = Shape { rate: 44_100, channels: 2 };
        let mut callback = Callback::new(drive, Terms { rendered, ..TERMS }).unwrap();
        let mut lines = Vec::new();
        for n in 0..100u64 {
            callback.run(&mut [0.0; 2 * 96], 96, Some(n * 2_000_000));
            lines.extend(shared.clock.line());
        }
        for two in lines[2..].windows(2) {
            let step = two[1].frame - two[0].frame;
            // 88.2 frames each, but for what rubato rounds to whole frames.
            assert!((step - 88.2).abs() < 1.1, "{step}");
            assert!((two[1].frames_per_ns * 1e9 - 44_100.0).abs() < 1.0);
        }
        assert!(callback.added_latency_s() > 0.001);
    }

    #[test]
    fn too_long_blocks_ease_the_renderer_and_are_told_once_a_level() {
        let (told, render) = counts(Duration::from_millis(2));
        let (shared, mut callback) = callback(Some(render));
        while told.lock().unwrap().len() < 3 {
            callback.run(&mut [0.0; 96], 48, None); // 1 ms
        }
        assert_eq!(*told.lock().unwrap(), [Effort::Cheaper, Effort::Fewer, Effort::Fewer]);
        assert_eq!(shared.counters.effort.load(), 2.0);
        let second = Drive::new(2, shared.clone());
        shared.activate(&second);
        Callback::new(second, TERMS).unwrap().run(&mut [0.0; 96], 48, None);
        assert_eq!(told.lock().unwrap().last(), Some(&Effort::Full), "another device, another try");
    }

    #[test]
    fn an_xrun_is_blamed_on_what_was_seen_just_before() {
        let ms = 1_000_000;
        let pace = |started: u64, ended: u64| Pace {
            started_ns: AtomicU64::new(started * ms),
            ended_ns: AtomicU64::new(ended * ms),
            block_ns: AtomicU64::new(10 * ms),
        };
        // A block of 10 ms took 14, and the device says so a moment later.
        assert_eq!(pace(1_000, 1_014).cause(1_015 * ms, None), (XrunCause::Overload, 4 * ms));
        // It is still at it.
        assert_eq!(pace(1_000, 990).cause(1_025 * ms, None), (XrunCause::Overload, 15 * ms));
        // The block took 1 ms, and the next call came 15 ms after it should have.
        assert_eq!(pace(1_000, 1_001).cause(1_025 * ms, None), (XrunCause::Scheduling, 15 * ms));
        // All was in time here.
        assert_eq!(pace(1_000, 1_001).cause(1_010 * ms, None), (XrunCause::Device, 0));
        // An overload of long ago is no reason.
        assert_eq!(pace(1_000, 1_014).cause(2_000 * ms, None).0, XrunCause::Scheduling);
        // A driver that knows.
        assert_eq!(pace(1_000, 1_001).cause(1_012 * ms, Some(12 * ms)), (XrunCause::Scheduling, 12 * ms));
        assert_eq!(pace(1_000, 1_014).cause(1_015 * ms, Some(12 * ms)), (XrunCause::Overload, 12 * ms));
    }
}
