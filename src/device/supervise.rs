//! What happens to a stream whose device goes away: a server stops, a plug is pulled, a machine sleeps.
//!
//! The renderer is kept, and with it everything that is scheduled. Its callbacks change hands by number
//! (`callback.rs`): the clock takes over where the last block ended, catching up with what was missed, so that
//! time goes on as the wall clock does; meanwhile a thread of its own looks for the device again, at growing
//! intervals. When it has one that asks for blocks, that one takes over from the clock and fades in.
//!
//! Nothing of this runs on an audio thread: the reporter deals with the loss, `ictus-reopen` with the rest, and
//! dead streams are dropped by threads that nobody waits for, since a dead server's library may never return.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Backend, Format, Request,
    callback::{Drive, FIRST, Shared},
    stream::{self, CLOSE, Driver},
};

/// The first pause between two attempts, and the longest; each is twice the one before. A server that restarts
/// is there within a second, and one that does not is no reason to keep a core awake.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// For so long 'auto' waits for the backend that it had, before it takes any other: a server that is being
/// restarted would find its card taken.
const LOYALTY: Duration = Duration::from_secs(3);
/// Frames per block of the clock while it stands in. Nobody hears it.
const STAND_IN_FRAMES: u32 = 256;
/// How often a thread that pauses looks whether the stream is being closed.
const NAP: Duration = Duration::from_millis(10);

/// A stream's driver and whatever takes its place.
pub(crate) struct Supervised {
    request: Request,
    shared: Arc<Shared>,
    current: Mutex<Current>,
    next: AtomicU64,
}

struct Current {
    /// `None` when the stream is closed.
    driver: Option<Driver>,
    drive: Arc<Drive>,
    /// Of the device, also while the clock stands in.
    format: Format,
}

impl Supervised {
    /// Around a first driver, which is running or about to.
    pub fn new(request: Request, driver: Driver, drive: Arc<Drive>, format: Format) -> Self {
        Self {
            // The renderer's rate stands from here on, whatever the next device has.
            request: Request { sample_rate: Some(format.sample_rate), ..request },
            shared: drive.shared.clone(),
            current: Mutex::new(Current { driver: Some(driver), drive, format }),
            next: AtomicU64::new(FIRST + 1),
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The drive that renders.
    pub fn drive(&self) -> Arc<Drive> {
        self.current().drive.clone()
    }

    /// The device, or the one that is lost.
    pub fn format(&self) -> Format {
        self.current().format.clone()
    }

    /// For closing; the stream has been stopped before.
    pub fn take_driver(&self) -> Option<Driver> {
        self.current().driver.take()
    }

    fn new_drive(&self) -> Arc<Drive> {
        Drive::new(self.next.fetch_add(1, Ordering::Relaxed), self.shared.clone())
    }

    /// Deals with the loss of the device that renders and says what was said of it; `None` if it is there, or
    /// the stream is being closed.
    ///
    /// Thread: the stream's reporter.
    pub fn lose(self: &Arc<Self>) -> Option<String> {
        let mut current = self.current();
        if !current.drive.is_lost() || self.shared.is_closing() {
            return None;
        }
        let message = current.drive.last_words().unwrap_or_else(|| "no details".to_owned());
        if let Some(Driver::Clock(_)) = current.driver {
            // Nothing is behind the clock: what hangs is the renderer.
            return Some(message);
        }
        let drive = self.new_drive();
        self.shared.activate(&drive);
        let free = self.shared.wait_idle(CLOSE);
        self.shared.latency_s.store(0.0);
        let stand_in = Format { buffer_size: STAND_IN_FRAMES, ..current.format.clone() };
        let since = Some(self.shared.until_ns());
        // Without a thread to spare nothing keeps time until the device is back; that is told by its silence.
        let clock = stream::start_clock(&drive, &stand_in, self.request.realtime, since).ok();
        let dead = std::mem::replace(&mut current.driver, clock);
        let lost = current.format.clone();
        current.drive = drive;
        drop(current);
        if let Some(dead) = dead {
            dead.release(free, false);
        }
        let ours = self.clone();
        let _ = std::thread::Builder::new()
            .name("ictus-reopen".to_owned())
            .spawn(move || ours.reopen(lost.backend));
        Some(message)
    }

    /// Looks for a device until there is one, or the stream is closed.
    fn reopen(self: Arc<Self>, lost: Backend) {
        let since = Instant::now();
        let mut pause = PAUSES.0;
        // The clock's thread, too, may need rtkit.
        let _ = stream::await_first_callback(&self.drive(), &self.format(), self.request.realtime);
        while self.sleep(pause) {
            pause = (pause * 2).min(PAUSES.1);
            let loyal = self.request.backend == Backend::Auto && since.elapsed() < LOYALTY;
            let backend = if loyal { lost } else { self.request.backend };
            if let Some((driver, drive, format)) = self.attempt(backend) {
                self.hand_over(driver, drive, format);
                return;
            }
        }
    }

    /// Sleeps; false once the stream is being closed.
    fn sleep(&self, pause: Duration) -> bool {
        let start = Instant::now();
        while !self.shared.is_closing() {
            if start.elapsed() >= pause {
                return true;
            }
            std::thread::sleep(NAP);
        }
        false
    }

    /// A device that asks for blocks, if there is one.
    fn attempt(&self, backend: Backend) -> Option<(Driver, Arc<Drive>, Format)> {
        let drive = self.new_drive();
        let request = Request { backend, ..self.request.clone() };
        let connected = stream::connect(&request, &drive).ok()?;
        let format = connected.format.clone();
        let driver = Driver::start(connected, &drive).ok()?;
        if stream::await_first_callback(&drive, &format, self.request.realtime).is_ok() && !drive.is_lost() {
            return Some((driver, drive, format));
        }
        driver.release(true, false);
        None
    }

    fn hand_over(&self, driver: Driver, drive: Arc<Drive>, format: Format) {
        let mut current = self.current();
        if self.shared.is_closing() {
            drop(current);
            return driver.release(true, false);
        }
        self.shared.activate(&drive);
        let clock = current.driver.replace(driver);
        current.drive = drive.clone();
        current.format = format.clone();
        drop(current);
        if let Some(clock) = clock {
            clock.release(self.shared.wait_idle(CLOSE), false);
        }
        self.shared.signals.restored(format);
        // It may have gone in the very moment before it became the one whose loss is told.
        if drive.is_lost() {
            self.shared.signals.lost();
        }
    }
}
