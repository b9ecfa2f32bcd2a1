//! The engine that all share who name none: one per process, whatever is loaded, reloaded or run in workers.

use std::sync::Mutex;

use super::engine::Engine;
use super::error::{Error, Result};
use super::options::{DEFAULT_POLYPHONY, EngineOptions};
use super::{lock, notifier};

static DEFAULT: Mutex<Option<Engine>> = Mutex::new(None);

/// The default engine; opened with these options when there is none, and then with room for at least `voices`.
///
/// Errors: those of [`Engine::open`]; `InvalidArgument` when one is open already and an option contradicts it.
pub fn default_engine(mut options: EngineOptions, voices: u32) -> Result<Engine> {
    // Held while opening: two threads that come at once get the same engine.
    let mut default = lock(&DEFAULT);
    if let Some(engine) = default.as_ref().filter(|engine| !engine.is_closed()) {
        if let Some((name, wanted, open)) = options.contradiction(&engine.settled()) {
            return Err(Error::InvalidArgument(format!(
                "the default engine is open already with {name} {open}, and {wanted} was asked for; close() it \
                 first, or make an engine of your own with new Engine({{ {name} }})"
            )));
        }
        return Ok(engine.clone());
    }
    options.polyphony = options.polyphony.or(Some(voices.max(DEFAULT_POLYPHONY)));
    let engine = Engine::open(options)?;
    *default = Some(engine.clone());
    Ok(engine)
}

/// Closes every engine of the process: its end has come.
pub fn close_all() {
    lock(&DEFAULT).take();
    let engines = notifier::watched();
    std::thread::scope(|scope| {
        for engine in &engines {
            scope.spawn(|| engine.close());
        }
    });
}
