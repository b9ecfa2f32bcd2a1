//! The border with Node and Bun: converts, calls `control`, converts back. It decides nothing about music.
//!
//! Every entry catches unwinding, nothing prints, and what JavaScript does not hold any more is let go of, not cut.
//! The hot calls do not come through here: `lib/lane.cjs` writes them into the memory that [`engine`] lends.

#![allow(missing_docs)] // The public face is index.d.ts; these are the private hands of lib/.

mod devices;
#[cfg(feature = "device")]
mod doctor;
mod engine;
mod error;
mod instrument;
mod pcm;
mod sampler;
mod value;

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::control;
use error::throw;

/// JavaScript environments (main thread, workers) that have the addon loaded.
static ENVIRONMENTS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread's environment counts.
    static ATTACHED: Cell<bool> = const { Cell::new(false) };
}

/// Called once by each JavaScript environment, which has a thread of its own.
#[napi(catch_unwind)]
pub fn attach(env: Env) -> Result<()> {
    if !ATTACHED.replace(true) {
        ENVIRONMENTS.fetch_add(1, Ordering::AcqRel);
    }
    // For a worker that is terminated: its exit event never comes.
    env.add_env_cleanup_hook((), |()| {
        pcm::revoke_all();
        leave();
    })?;
    Ok(())
}

/// The environment ends. With the last of them every engine fades out and closes: an exit while sounding neither clicks
/// nor leaves a server with a dead client. Node runs no cleanup hooks on process.exit(), so lib/ calls this, too.
#[napi(catch_unwind)]
pub fn leave() {
    if ATTACHED.replace(false) && ENVIRONMENTS.fetch_sub(1, Ordering::AcqRel) == 1 {
        control::close_all();
    }
}

#[napi(catch_unwind)]
pub fn version() -> &'static str {
    control::VERSION
}

/// ms on the clock by which the audio thread is timed.
#[napi(catch_unwind)]
pub fn monotonic_now() -> f64 {
    control::monotonic_ns() / 1e6
}

/// Checks the arguments of a call that makes sound; throws what is wrong with them.
#[napi(catch_unwind)]
pub fn check_call(env: Env, call: String, arguments: Vec<Unknown>) -> Result<()> {
    let arguments: Vec<_> = arguments.into_iter().map(value::read).collect::<Result<_>>()?;
    control::check_call(&call, &arguments).map_err(|error| throw(&env, &error))
}

/// Checks the options of a sampler before its engine is opened; `with_load`: options of `load()` stand beside them.
#[napi(catch_unwind)]
pub fn check_sampler_options(env: Env, options: Unknown, engine_given: bool, with_load: bool) -> Result<()> {
    let others: &[&str] = if with_load { &control::LOAD_OPTIONS } else { &[] };
    control::SamplerOptions::read_among(&value::read(options)?, engine_given, others)
        .map(drop)
        .map_err(|error| throw(&env, &error))
}

/// Does nothing: what a call into native code costs at least, for the benchmark.
#[napi]
pub fn noop() {}
