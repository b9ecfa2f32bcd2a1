//! The notifier: one helper thread for all engines of the process. It frees what the audio threads sent out, sends on
//! what found a full lane, and tells listeners what happened.
//!
//! It polls: waking a thread is a system call, which the audio thread does not make (RT-2). It runs only while
//! engines are open, and keeps no process alive.

use std::sync::Mutex;
use std::time::Duration;

use super::engine::Engine;
use super::lock;

/// A hundred times a second: what is freed late costs memory only, and a fact is told within a frame of video.
const PERIOD: Duration = Duration::from_millis(10);

/// Ticks that an engine nobody holds must have been silent: a tenth of a second.
const IDLE_TICKS: u32 = 10;

struct Watched {
    engine: Engine,
    idle: u32,
}

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());
static RUNNING: Mutex<bool> = Mutex::new(false);

/// Takes an engine into care.
pub fn watch(engine: &Engine) {
    lock(&WATCHED).push(Watched { engine: engine.clone(), idle: 0 });
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
    loop {
        std::thread::sleep(PERIOD);
        for engine in watched() {
            engine.shared().tick();
        }
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
        self.idle = if held || !self.engine.is_idle() { 0 } else { self.idle + 1 };
        self.engine.is_closed() || self.idle >= IDLE_TICKS
    }
}
