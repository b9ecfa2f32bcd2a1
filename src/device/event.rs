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
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{JoinHandle, Thread},
    time::{Duration, Instant},
};

/// A fact about a running stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceEvent {
    /// The device was not served in time, at least once since the last of these events.
    Xrun,
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
    /// The device or its server is gone, or has asked for nothing for seconds. Sent once; the stream is to
    /// be closed.
    Lost {
        /// As the host tells it.
        message: String,
    },
}

/// Receives the events of one stream, on that stream's reporter thread, one at a time.
pub type Events = Arc<dyn Fn(DeviceEvent) + Send + Sync>;

const XRUN: u32 = 1;
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
    lost: Slot<String>,
    /// Kept after the event, for `open`, which may still be waiting for the first callback.
    is_lost: AtomicBool,
    last_fault_ns: std::sync::atomic::AtomicU64,
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
    pub fn xrun(&self) {
        self.raise(XRUN);
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

    /// Whatever thread the host reports errors on. Only the first one counts.
    pub fn lost(&self, message: String) {
        if !self.is_lost.swap(true, Ordering::AcqRel) {
            put(&self.lost, message);
            self.raise(LOST);
        }
    }

    /// Whether the device has gone.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    /// What the host said last, for an error message of `open`.
    pub fn last_words(&self) -> Option<String> {
        take(&self.lost).or_else(|| take(&self.fault))
    }

    /// Tells what has happened since, in the order from harmless to final. `demotion` words a demotion.
    fn tell(&self, bits: u32, events: &Events, demotion: &dyn Fn() -> String) {
        let said = |slot: &Slot<String>| take(slot).unwrap_or_else(|| "no details".to_owned());
        for (bit, event) in [
            (XRUN, &(|| DeviceEvent::Xrun) as &dyn Fn() -> DeviceEvent),
            (CHANGED, &|| DeviceEvent::Changed { message: said(&self.changed) }),
            (FAULT, &|| DeviceEvent::Fault { message: said(&self.fault) }),
            (DEMOTED, &|| DeviceEvent::Demoted { message: demotion() }),
            (PANICKED, &|| DeviceEvent::RenderPanicked { message: panic_message(take(&self.panic)) }),
            (LOST, &|| DeviceEvent::Lost { message: said(&self.lost) }),
        ] {
            if bits & bit != 0 {
                let event = event();
                // A closure that panics loses its own event, not the ones after it.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| events(event)));
            }
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

/// What the reporter asks the stream.
pub(crate) struct Questions {
    /// Words a demotion.
    pub demotion: Box<dyn Fn() -> String + Send>,
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
    pub fn start(signals: Arc<Signals>, events: Events, ask: Questions) -> std::io::Result<Self> {
        let theirs = signals.clone();
        let thread = std::thread::Builder::new().name("ictus-events".to_owned()).spawn(move || {
            let (mut progress, mut looked, mut idle) = ((ask.progress)(), Instant::now(), 0);
            loop {
                // Acquire: pairs with the Release of `raise`.
                let bits = theirs.bits.swap(0, Ordering::Acquire);
                theirs.tell(bits, &events, &ask.demotion);
                if bits & STOP != 0 {
                    return;
                }
                if looked.elapsed() >= ask.tick {
                    looked = Instant::now();
                    let now = (ask.progress)();
                    idle = if now == progress { idle + 1 } else { 0 };
                    progress = now;
                    if idle >= ask.patience {
                        let seconds = (ask.tick * ask.patience).as_secs();
                        theirs.lost(format!("no block has been rendered for {seconds} s"));
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
            progress: Box::new(|| 7),
            tick: Duration::from_millis(tick_ms),
            patience: 3,
        }
    }

    #[test]
    fn a_stream_that_renders_nothing_any_more_is_lost_once() {
        let (send, told) = std::sync::mpsc::channel();
        let send = Mutex::new(send);
        let events: Events = Arc::new(move |event| send.lock().unwrap().send(event).unwrap());
        let reporter = Reporter::start(Arc::default(), events, questions(5)).unwrap();
        let message = "no block has been rendered for 0 s".to_owned();
        assert_eq!(told.recv(), Ok(DeviceEvent::Lost { message }));
        std::thread::sleep(Duration::from_millis(50));
        drop(reporter);
        assert!(told.recv().is_err(), "it is told once");
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
            signals.lost("gone".to_owned());
            signals.lost("gone again".to_owned());
            signals.demoted();
            signals.changed("headphones".to_owned());
            signals.panicked(Box::new("index out of bounds"));
            signals.xrun();
        });
        for expected in [
            DeviceEvent::Xrun,
            DeviceEvent::Changed { message: "headphones".to_owned() },
            DeviceEvent::Demoted { message: "spun".to_owned() },
            DeviceEvent::RenderPanicked { message: "index out of bounds".to_owned() },
            DeviceEvent::Lost { message: "gone".to_owned() },
        ] {
            assert_eq!(events.iter().filter(|event| **event == expected).count(), 1, "{events:?}");
        }
        assert_eq!(events.len(), 5, "{events:?}");
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
                if event == DeviceEvent::Xrun {
                    crate::device::quiet::set_rendering(true); // keep the test's own output clean
                    panic!("mine");
                }
            }),
            questions(60_000),
        )
        .unwrap();
        signals.xrun();
        signals.lost(String::new());
        drop(reporter);
        assert_eq!(told.load(Ordering::SeqCst), 2);
    }
}
