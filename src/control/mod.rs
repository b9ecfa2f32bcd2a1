//! What a user holds: engines, samplers, instruments, as Rust objects. Validation, defaults, ids, loading, the helper
//! thread, error codes. JavaScript meets all of it through `node`, which decides nothing; MIDI and Rust tests meet it
//! directly.
//!
//! Threads: any but the audio thread. Locks are allowed here, and never held while a user's code runs.

mod calls;
mod default_engine;
mod devices;
#[cfg(feature = "device")]
mod doctor;
mod effects;
mod engine;
mod error;
mod instrument;
mod loading;
mod messages;
mod modulation;
mod note_params;
mod notifier;
mod options;
mod places;
mod port;
mod presets;
#[cfg(feature = "device")]
mod residence;
mod ring;
mod sampler;
mod speaker;
mod stats;
mod stream;
mod value;

#[cfg(test)]
mod tests;

pub use crate::load::sf2::{Preset, PresetWish};
pub use calls::{BYTES, FLOATS, check_call};
pub use default_engine::{close_all, default_engine};
pub use devices::{DeviceInfo, devices};
#[cfg(feature = "device")]
pub use doctor::{Check, CheckStatus, DOCTOR_OPTIONS, DoctorOptions, Report, doctor};
pub use engine::{Engine, EngineInfo, Notice, monotonic_ns};
pub use error::{Error, ErrorKind, Result};
pub use instrument::{Instrument, InstrumentInfo};
pub use loading::{Cancel, Loading, Metadata, Progress, SampleSource, Source, make_region, read_metadata};
pub use messages::message_record;
pub use modulation::{read_envelope, read_modulation};
pub use note_params::{NOTE_PARAMS, SENDS};
pub use options::{EngineOptions, LATE_POLICIES, LOAD_OPTIONS, SamplerOptions, interpolation};
pub use port::{NOTE_RESERVE, Port};
pub use ring::{GenerateOptions, RingOptions, RingSpec, check_transport};
pub use sampler::{PlacedSound, Sampler};
pub use speaker::{FORMATS, SpeakerOptions, check_latency, open_speaker};
pub use stats::{RealtimeInfo, Stats, XrunsBy};
pub use stream::{Holder, Stream, StreamEvent};
pub use value::Value;

// What `node` passes on as it is.
#[cfg(feature = "device")]
pub use crate::device::{RealtimeRequest, Wakeups, measure_wakeups};
pub use crate::engine::event::{PARAMS, op};
pub use crate::pcm::ring::{Adopted, Place};
pub use crate::rt::counters::Distribution;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Highest linear gain that may be set: +80 dB.
pub const MAX_GAIN: f64 = crate::engine::event::MAX_GAIN;

/// The version of this package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Locks; a thread that panicked while it held the lock has left nothing half done that matters here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
