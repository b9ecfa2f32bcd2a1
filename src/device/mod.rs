//! Audio threads: cpal's hosts and the clock.
//!
//! [`open`] finds a device, starts an audio thread that calls a render closure for every block, asks the
//! kernel for real-time priority, reads back what it got, and returns when the first block has been
//! rendered. The room knows nothing of music: frames are whatever the closure writes.
//!
//! Threads. The *audio thread* belongs to cpal, to the JACK server's client library, or to `clock.rs`; it
//! runs `callback.rs` and nothing else (RT-1, RT-2, RT-5, RT-12). One *reporter* per stream (`event.rs`)
//! calls the event closure, so that neither the audio thread nor a server's thread ever does. Everything
//! else runs on the thread that calls.
//!
//! What this room deliberately does not do: reopen a lost device, mix, resample, limit, or fall back to
//! silence when there is no device.

mod backend;
mod callback;
mod choose;
mod clock;
#[cfg(target_os = "linux")]
mod dbus;
mod error;
mod event;
mod hosts;
mod measure;
mod memory;
mod quiet;
mod realtime;
mod remedy;
#[cfg(target_os = "linux")]
mod rtkit;
mod stream;
mod time;
mod wakeups;
mod watchdog;

pub use backend::Backend;
pub use error::DeviceError;
pub use event::{DeviceEvent, Events};
pub use hosts::{DeviceInfo, list};
pub use measure::DeviceCounters;
pub use memory::{Locked, Rank, lock_memory, locked_bytes, touch_memory};
pub use realtime::{Policy, RealtimeRequest, RealtimeStatus};
pub use remedy::Distribution;
#[cfg(target_os = "linux")]
pub use rtkit::{RtkitInfo, rtkit_info};
pub use stream::{Stream, open};
#[cfg(target_os = "linux")]
pub use time::timer_resolution_ns;
pub use wakeups::{Wakeups, measure_wakeups};

/// Fills one block: interleaved, `frames × channels`, any number of frames per call, all of it.
///
/// Thread: audio. It must not allocate, free, lock, block or panic (RT-1 … RT-5); if it panics all the
/// same, the output is silence for good and [`DeviceEvent::RenderPanicked`] tells it.
pub type Render = Box<dyn FnMut(&mut [f32]) + Send>;

/// What is asked of [`open`].
#[derive(Debug, Clone)]
pub struct Request {
    /// Which host to open. [`Backend::Auto`] tries a running JACK server, then the system's default.
    pub backend: Backend,
    /// Id, name, or part of a name as [`list`] gives them. `None`: the host's default.
    pub device: Option<String>,
    /// Hz, 1000..=768000. `None`: the device's own (the clock: 48000).
    pub sample_rate: Option<u32>,
    /// Frames per callback, ≥ 1, clamped to what the device can do; JACK always has the server's. `None`:
    /// 128 where the audio thread is granted real-time priority, else 512.
    pub buffer_size: Option<u32>,
    /// Output channels, 1..=64.
    pub channels: u16,
    /// `None`: `realtime: false`, leave the thread as it is.
    pub realtime: Option<RealtimeRequest>,
}

impl Default for Request {
    /// What `{}` means in JavaScript: any real device, stereo, SCHED_FIFO 70 if it can be had.
    fn default() -> Self {
        Self {
            backend: Backend::Auto,
            device: None,
            sample_rate: None,
            buffer_size: None,
            channels: 2,
            realtime: Some(RealtimeRequest::default()),
        }
    }
}

/// What was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The host that answered, never [`Backend::Auto`].
    pub backend: Backend,
    /// A name that [`Request::device`] accepts: the id on ALSA and the clock, the name elsewhere.
    pub device: String,
    /// Hz.
    pub sample_rate: u32,
    /// Frames per callback as the device says. A hint: single callbacks may be smaller or larger.
    pub buffer_size: u32,
    /// Interleaved channels in each frame that [`Render`] fills.
    pub channels: u16,
}
