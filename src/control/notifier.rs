//! The notifier: one helper thread for all engines of the process. It frees what the audio threads sent out, sends on
//! what found a full lane, and tells listeners what happened.
//!
//! It polls: waking a thread is a system call, which the audio thread does not make (RT-2). It runs only while
//! engines are open, and keeps no process alive.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::lock;

/// A hundred times a second: what is freed late costs memory only, and a fact is told within a frame of video.
const PERIOD: Duration = Duration::from_millis(10);

/// No shorter, however soon something is due: it would only be seen a block later.
const SHORTEST: Duration = Duration::from_millis(1);

/// Time that an engine nobody holds must have been silent.
const IDLE: Duration = Duration::from_millis(100);

struct Watched {
    engine: Engine,
    idle_since: Option<Instant>,
}

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());
static RUNNING: Mutex<bool> = Mutex::new(false);

/// Takes an engine into care.
pub fn watch(engine: &Engine) {
    lock(&WATCHED).push(Watched { engine: engine.clone(), idle_since: None });
    let mut running = lock(&RUNNING);
    if !*running {
        let started = std::thread::Builder::new().name("ictus-notifier".into()).spawn(run);
        // Without the thread memory is freed later, by close() and render(); sound goes on.
        *running = started.is_ok();
    }
}

/// Every open engine.
pub fn watched() -> Vec<Engine> {
    lock(&WATCHED).iter().map(|watched| watched.engine.clone()).collect()
}

fn run() {
    let mut pause = PERIOD;
    loop {
        std::thread::sleep(pause);
        pause = watched().iter().map(|engine| engine.shared().tick()).min().unwrap_or(PERIOD);
        // Streams may ask to be looked at sooner: they wait for a certain frame.
        pause = pause.clamp(SHORTEST, PERIOD);
        close_forgotten();
        let mut running = lock(&RUNNING);
        if lock(&WATCHED).is_empty() {
            *running = false;
            return;
        }
    }
}

/// Drops closed engines, and closes those that nobody holds any more once they are silent: an engine whose objects
/// were garbage-collected plays what was scheduled and then goes.
fn close_forgotten() {
    // Dropped with no lock held: the last handle of an engine takes its listeners along.
    let gone: Vec<_> = lock(&WATCHED).extract_if(.., |watched| watched.is_over()).collect();
    for Watched { engine, .. } in gone {
        engine.close();
    }
}

impl Watched {
    /// Whether the engine is closed, or has been silent for a while with nobody to play it.
    fn is_over(&mut self) -> bool {
        let held = self.engine.handles() > 0;
        if held || !self.engine.is_idle() {
            self.idle_since = None;
        } else if self.idle_since.is_none() {
            self.idle_since = Some(Instant::now());
        }
        self.engine.is_closed() || self.idle_since.is_some_and(|since| since.elapsed() >= IDLE)
    }
}
