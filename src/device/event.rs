//! What happens to a running stream, and the thread that tells it.
//!
//! The audio thread and the servers' threads must not run foreign code, so they only set a bit, leave what
//! is to be said in a slot made beforehand, and wake the reporter: one `futex` call, made when something
//! goes wrong and never in the steady state (RT-2). The reporter turns bits into [`DeviceEvent`]s and calls
//! the closure. Several xruns between two of its wake-ups are one event; the counter has their number.
//!
//! Once a second it also looks whether blocks are still being rendered. Not every host tells that it died
//! (ALSA's JACK plugin just falls silent), and a stream that asks for nothing is as lost as one that says so.

use std::{
    any::Any,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread::{JoinHandle, Thread},
    time::{Duration, Instant},
};

use super::{Effort, Format};

/// A fact about a running stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceEvent {
    /// The device was not served in time for this reason, at least once since the last of these events.
    Xrun {
        /// Why.
        cause: XrunCause,
        /// How many frames were missed, as far as that is known: 0 where it is not.
        frames: u64,
    },
    /// The render closure panicked. From here on the stream is silent; `message` is the panic's.
    RenderPanicked {
        /// The panic's own words.
        message: String,
    },
    /// The audio thread spun and was taken off real-time priority.
    Demoted {
        /// How much of a core it used, and what to do.
        message: String,
    },
    /// The system routed the stream to another device; it goes on.
    Changed {
        /// As the host tells it.
        message: String,
    },
    /// The host reported an error that it may recover from. At most one a second is passed on.
    Fault {
        /// As the host tells it.
        message: String,
    },
    /// The renderer has too much to do, and was told to do less; or all of it again.
    Eased {
        /// How much.
        effort: Effort,
    },
    /// The device or its server is gone, or has asked for nothing for seconds. The clock goes on without it,
    /// and it is being looked for. Sent once a loss.
    Lost {
        /// As the host tells it.
        message: String,
    },
    /// A device is there again, this one.
    Restored {
        /// What it is; the rate and the channels are as before.
        format: Format,
    },
}

/// Why a device was not served in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XrunCause {
    /// Rendering took longer than the block lasts.
    Overload,
    /// The kernel did not wake the audio thread in time.
    Scheduling,
    /// A disk was slower than the sound that streams from it. Not this room's: the engine knows.
    Disk,
    /// Somebody else: the device, its driver, another client of its server.
    Device,
}

impl XrunCause {
    /// In the order in which they are counted.
    pub const ALL: [Self; 4] = [Self::Overload, Self::Scheduling, Self::Disk, Self::Device];

    /// The name in the public API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overload => "overload",
            Self::Scheduling => "scheduling",
            Self::Disk => "disk",
            Self::Device => "device",
        }
    }
}

/// Receives the events of one stream, on that stream's reporter thread, one at a time.
pub type Events = Arc<dyn Fn(DeviceEvent) + Send + Sync>;

/// One bit for each cause, in the order of [`XrunCause::ALL`].
const XRUN: u32 = 1 << 16;
const EASED: u32 = 1 << 7;
const RESTORED: u32 = 1 << 8;
const PANICKED: u32 = 1 << 1;
const DEMOTED: u32 = 1 << 2;
const CHANGED: u32 = 1 << 3;
const FAULT: u32 = 1 << 4;
const LOST: u32 = 1 << 5;
const STOP: u32 = 1 << 6;

/// A message on its way to the reporter. Both sides only ever `try_lock`: nobody waits, so locking is one
/// compare-and-swap and unlocking wakes nobody (RT-2).
type Slot<T> = Mutex<Option<T>>;

fn put<T>(slot: &Slot<T>, value: T) {
    if let Ok(mut slot) = slot.try_lock() {
        slot.get_or_insert(value);
    }
}

fn take<T>(slot: &Slot<T>) -> Option<T> {
    slot.try_lock().ok()?.take()
}

/// The bits and slots between the threads of one stream.
#[derive(Default)]
pub(crate) struct Signals {
    bits: AtomicU32,
    panic: Slot<Box<dyn Any + Send>>,
    changed: Slot<String>,
    fault: Slot<String>,
    restored: Slot<Format>,
    /// Frames missed since they were last told, by cause.
    missed: [AtomicU64; 4],
    /// [`Effort::level`].
    effort: AtomicU32,
    last_fault_ns: AtomicU64,
    reporter: OnceLock<Thread>,
}

impl Signals {
    fn raise(&self, bit: u32) {
        // Release: what was put into a slot before is there when the reporter sees the bit.
        self.bits.fetch_or(bit, Ordering::Release);
        if let Some(thread) = self.reporter.get() {
            thread.unpark();
        }
    }

    /// Audio or server thread.
    pub fn xrun(&self, cause: XrunCause, frames: u64) {
        self.missed[cause as usize].fetch_add(frames, Ordering::Relaxed);
        self.raise(XRUN << cause as u32);
    }

    /// Audio thread.
    pub fn eased(&self, effort: Effort) {
        self.effort.store(u32::from(effort.level()), Ordering::Relaxed);
        self.raise(EASED);
    }

    /// Whoever has brought a device back.
    pub fn restored(&self, format: Format) {
        put(&self.restored, format);
        self.raise(RESTORED);
    }

    /// Audio thread. Takes the payload over, so that it is not freed there (RT-3).
    pub fn panicked(&self, payload: Box<dyn Any + Send>) {
        put(&self.panic, payload);
        self.raise(PANICKED);
    }

    /// Audio thread.
    pub fn demoted(&self) {
        self.raise(DEMOTED);
    }

    /// Whatever thread the host reports errors on.
    pub fn changed(&self, message: String) {
        put(&self.changed, message);
        self.raise(CHANGED);
    }

    /// Whatever thread the host reports errors on.
    pub fn fault(&self, now_ns: u64, message: impl FnOnce() -> String) {
        let last = self.last_fault_ns.load(Ordering::Relaxed);
        if last == 0 || now_ns.saturating_sub(last) >= 1_000_000_000 {
            self.last_fault_ns.store(now_ns.max(1), Ordering::Relaxed);
            put(&self.fault, message());
            self.raise(FAULT);
        }
    }

    /// Whatever thread the host reports errors on: the active drive's device is gone.
    pub fn lost(&self) {
        self.raise(LOST);
    }

    /// What the host said last, for an error message of `open`.
    pub fn last_words(&self) -> Option<String> {
        take(&self.fault)
    }

    /// Tells what has happened since, in the order from harmless to final. `lost` deals with the loss of a
    /// device and words it, `None` where it was told already; `demotion` words a demotion.
    fn tell(&self, bits: u32, events: &Events, ask: &mut Questions) {
        let said = |slot: &Slot<String>| take(slot).unwrap_or_else(|| "no details".to_owned());
        let tell = |event: DeviceEvent| {
            // A closure that panics loses its own event, not the ones after it.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| events(event)));
        };
        for cause in XrunCause::ALL {
            if bits & (XRUN << cause as u32) != 0 {
                let frames = self.missed[cause as usize].swap(0, Ordering::Relaxed);
                tell(DeviceEvent::Xrun { cause, frames });
            }
        }
        if bits & EASED != 0 {
            let effort = match self.effort.load(Ordering::Relaxed) {
                0 => Effort::Full,
                1 => Effort::Cheaper,
                _ => Effort::Fewer,
            };
            tell(DeviceEvent::Eased { effort });
        }
        if bits & CHANGED != 0 {
            tell(DeviceEvent::Changed { message: said(&self.changed) });
        }
        if bits & FAULT != 0 {
            tell(DeviceEvent::Fault { message: said(&self.fault) });
        }
        if bits & DEMOTED != 0 {
            tell(DeviceEvent::Demoted { message: (ask.demotion)() });
        }
        if bits & PANICKED != 0 {
            tell(DeviceEvent::RenderPanicked { message: panic_message(take(&self.panic)) });
        }
        // Of a device that came and went since the last look, the coming is told first.
        if bits & RESTORED != 0
            && let Some(format) = take(&self.restored)
        {
            tell(DeviceEvent::Restored { format });
        }
        if bits & LOST != 0
            && let Some(message) = (ask.lost)()
        {
            tell(DeviceEvent::Lost { message });
        }
    }
}

fn panic_message(payload: Option<Box<dyn Any + Send>>) -> String {
    let Some(payload) = payload else { return "no details".to_owned() };
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

/// Looks without progress after the machine has slept.
const PATIENCE_AFTER_SLEEP: u32 = 2;

/// What the reporter asks the stream.
pub(crate) struct Questions {
    /// Words a demotion.
    pub demotion: Box<dyn Fn() -> String + Send>,
    /// Deals with the loss of the device that renders, and words it; `None` if there is nothing to tell.
    pub lost: Box<dyn FnMut() -> Option<String> + Send>,
    /// Nothing has been rendered for this many s.
    pub stuck: Box<dyn Fn(u64) + Send>,
    /// ns that the machine has slept since it was started.
    pub slept: Box<dyn Fn() -> u64 + Send>,
    /// Callbacks finished so far.
    pub progress: Box<dyn Fn() -> u64 + Send>,
    /// How often to look at the progress.
    pub tick: Duration,
    /// Looks without progress after which the stream is lost. Counted in looks and not in time, because a
    /// process that was stopped wakes up with all of its threads late.
    pub patience: u32,
}

/// The thread that calls the event closure. It lives at ordinary priority.
pub(crate) struct Reporter {
    signals: Arc<Signals>,
    thread: Option<JoinHandle<()>>,
}

impl Reporter {
    /// Starts it. Errors: the system has no thread to spare.
    pub fn start(signals: Arc<Signals>, events: Events, mut ask: Questions) -> std::io::Result<Self> {
        let theirs = signals.clone();
        let thread = std::thread::Builder::new().name("ictus-events".to_owned()).spawn(move || {
            let (mut progress, mut looked, mut idle) = ((ask.progress)(), Instant::now(), 0);
            let (mut slept, mut patience) = ((ask.slept)(), ask.patience);
            loop {
                // Acquire: pairs with the Release of `raise`.
                let bits = theirs.bits.swap(0, Ordering::Acquire);
                theirs.tell(bits, &events, &mut ask);
                if bits & STOP != 0 {
                    return;
                }
                if looked.elapsed() >= ask.tick {
                    looked = Instant::now();
                    let now = (ask.progress)();
                    if now != progress {
                        (idle, patience) = (0, ask.patience);
                    } else {
                        idle += 1;
                    }
                    progress = now;
                    let before = std::mem::replace(&mut slept, (ask.slept)());
                    if slept.saturating_sub(before) > 1_000_000_000 {
                        // A device that is well goes on when the machine wakes up; one that is not is not
                        // waited for as long.
                        (idle, patience) = (0, PATIENCE_AFTER_SLEEP.min(ask.patience));
                    }
                    if idle >= patience {
                        (ask.stuck)((ask.tick * patience).as_secs());
                    }
                } else if bits == 0 {
                    std::thread::park_timeout(ask.tick);
                }
            }
        })?;
        // A signal raised before this line would find nobody to wake; the one `unpark` makes up for it.
        let _ = signals.reporter.set(thread.thread().clone());
        thread.thread().unpark();
        Ok(Self { signals, thread: Some(thread) })
    }
}

impl Drop for Reporter {
    /// Tells what is still to be told and joins; called from an event closure it cannot join itself.
    fn drop(&mut self) {
        self.signals.raise(STOP);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a stream that renders nothing, looked at every `tick_ms`.
    fn questions(tick_ms: u64) -> Questions {
        Questions {
            demotion: Box::new(|| "spun".to_owned()),
            lost: {
                let mut message = Some("gone".to_owned());
                Box::new(move || message.take())
            },
            stuck: Box::new(|_| ()),
            slept: Box::new(|| 0),
            progress: Box::new(|| 7),
            tick: Duration::from_millis(tick_ms),
            patience: 3,
        }
    }

    /// How many looks it takes until a stream that renders nothing is called stuck; `slept` is asked once a look.
    fn looks(slept: impl Fn(u32) -> u64 + Send + 'static) -> u32 {
        let (send, told) = std::sync::mpsc::channel();
        let looks = Arc::new(AtomicU32::new(0));
        let theirs = looks.clone();
        let ask = Questions {
            stuck: Box::new(move |_| {
                let _ = send.send(());
            }),
            slept: Box::new(move || slept(theirs.fetch_add(1, Ordering::SeqCst))),
            patience: 5,
            ..questions(5)
        };
        let reporter = Reporter::start(Arc::default(), Arc::new(|_| {}), ask).unwrap();
        told.recv().expect("it is told");
        let n = looks.load(Ordering::SeqCst);
        drop(reporter);
        n - 1 // the first is before the first look
    }

    #[test]
    fn a_stream_that_renders_nothing_any_more_is_stuck() {
        assert_eq!(looks(|_| 0), 5);
        // The machine slept for an hour before the third look: two more, and it is enough.
        assert_eq!(looks(|look| if look < 3 { 0 } else { 3_600_000_000_000 }), 5);
        assert_eq!(looks(|look| if look < 1 { 0 } else { 3_600_000_000_000 }), 3);
    }

    fn collect(raise: impl FnOnce(&Signals)) -> Vec<DeviceEvent> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let signals = Arc::new(Signals::default());
        let theirs = seen.clone();
        let reporter = Reporter::start(
            signals.clone(),
            Arc::new(move |event| theirs.lock().unwrap().push(event)),
            questions(60_000),
        )
        .unwrap();
        raise(&signals);
        drop(reporter);
        Arc::try_unwrap(seen).unwrap().into_inner().unwrap()
    }

    #[test]
    fn everything_raised_before_the_end_is_told_before_the_end() {
        let events = collect(|signals| {
            signals.lost();
            signals.lost();
            signals.eased(Effort::Fewer);
            signals.demoted();
            signals.changed("headphones".to_owned());
            signals.panicked(Box::new("index out of bounds"));
            signals.xrun(XrunCause::Overload, 40);
            signals.xrun(XrunCause::Overload, 2);
            signals.xrun(XrunCause::Device, 0);
        });
        for expected in [
            DeviceEvent::Xrun { cause: XrunCause::Overload, frames: 42 },
            DeviceEvent::Xrun { cause: XrunCause::Device, frames: 0 },
            DeviceEvent::Eased { effort: Effort::Fewer },
            DeviceEvent::Changed { message: "headphones".to_owned() },
            DeviceEvent::Demoted { message: "spun".to_owned() },
            DeviceEvent::RenderPanicked { message: "index out of bounds".to_owned() },
            DeviceEvent::Lost { message: "gone".to_owned() },
        ] {
            assert_eq!(events.iter().filter(|event| **event == expected).count(), 1, "{events:?}");
        }
        assert_eq!(events.len(), 7, "{events:?}");
    }

    #[test]
    fn faults_are_limited_to_one_a_second() {
        let events = collect(|signals| {
            for ms in 1..=900 {
                signals.fault(ms * 1_000_000, || format!("at {ms} ms"));
            }
        });
        assert_eq!(events, vec![DeviceEvent::Fault { message: "at 1 ms".to_owned() }]);
    }

    #[test]
    fn an_event_closure_that_panics_does_not_stop_the_reporter() {
        let told = Arc::new(AtomicU32::new(0));
        let signals = Arc::new(Signals::default());
        let theirs = told.clone();
        crate::device::quiet::panics();
        let reporter = Reporter::start(
            signals.clone(),
            Arc::new(move |event| {
                theirs.fetch_add(1, Ordering::SeqCst);
                if matches!(event, DeviceEvent::Xrun { .. }) {
                    crate::device::quiet::set_rendering(true); // keep the test's own output clean
                    panic!("mine");
                }
            }),
            questions(60_000),
        )
        .unwrap();
        signals.xrun(XrunCause::Device, 1);
        signals.lost();
        drop(reporter);
        assert_eq!(told.load(Ordering::SeqCst), 2);
    }
}
