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
//! A device that goes away is replaced by the clock and opened again when it is back (`supervise.rs`). One that
//! runs at another rate, or has more channels, is adapted to (`adapt.rs`).
//!
//! What this room deliberately does not do: mix, limit, or fall back to silence when there is no device to open.

mod adapt;
mod backend;
mod callback;
mod choose;
mod clock;
#[cfg(target_os = "linux")]
mod dbus;
mod effort;
mod error;
mod event;
mod hosts;
mod measure;
mod memory;
#[cfg(target_os = "linux")]
mod pulse;
mod quiet;
mod realtime;
mod remedy;
#[cfg(target_os = "linux")]
mod rtkit;
mod stream;
mod supervise;
mod time;
mod timing;
mod wakeups;
mod watchdog;

pub use backend::Backend;
pub use effort::Effort;
pub use error::DeviceError;
pub use event::{DeviceEvent, Events, XrunCause};
pub use hosts::{DeviceInfo, list};
pub use measure::DeviceCounters;
pub use memory::{Locked, Rank, lock_memory, locked_bytes, touch_memory};
pub use realtime::{Policy, RealtimeRequest, RealtimeStatus};
pub use remedy::Distribution;
#[cfg(target_os = "linux")]
pub use rtkit::{RtkitInfo, rtkit_info};
pub use stream::{Stream, monotonic_ns, open};
#[cfg(target_os = "linux")]
pub use time::timer_resolution_ns;
pub use wakeups::{Wakeups, measure_wakeups};

/// Fills blocks on the audio thread. Closures that take a block do.
pub trait Renderer: Send {
    /// Fills one block: interleaved, `frames × channels`, any number of frames per call, all of it.
    ///
    /// Thread: audio. It must not allocate, free, lock, block or panic (RT-1 … RT-5); if it panics all the
    /// same, the output is silence for good and [`DeviceEvent::RenderPanicked`] tells it.
    fn render(&mut self, out: &mut [f32]);

    /// The first frame of the next block on the renderer's own clock, for [`Stream::frame_at`]; `None` if it
    /// has none. Thread: audio.
    fn frame(&self) -> Option<u64> {
        None
    }

    /// How much to do from the next block on. Told on a change, and again while [`Effort::Fewer`] does not
    /// suffice. `load`: time that blocks take ÷ time that they last, smoothed. Thread: audio.
    fn ease(&mut self, _effort: Effort, _load: f64) {}
}

impl<F: FnMut(&mut [f32]) + Send> Renderer for F {
    fn render(&mut self, out: &mut [f32]) {
        self(out);
    }
}

/// What [`open`] is given to drive.
pub type Render = Box<dyn Renderer>;

/// What is asked of [`open`].
#[derive(Debug, Clone)]
pub struct Request {
    /// Which host to open. [`Backend::Auto`] tries a running JACK server, then PulseAudio, then ALSA.
    pub backend: Backend,
    /// Id, name, or part of a name as [`list`] gives them. `None`: the host's default.
    pub device: Option<String>,
    /// Hz, 1000..=768000, converted where the device has another. `None`: the device's own (the clock: 48000).
    pub sample_rate: Option<u32>,
    /// Frames per callback, ≥ 1, clamped to what the device can do; JACK always has the server's. `None`:
    /// 128 where the audio thread is granted real-time priority, else 512; four times and twice that through
    /// PulseAudio.
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
    /// Hz, of what is rendered.
    pub sample_rate: u32,
    /// Hz, of the device; where it differs the rate is converted.
    pub device_rate: u32,
    /// Frames per callback as the device says, at `sample_rate`. A hint: single callbacks may be smaller or
    /// larger.
    pub buffer_size: u32,
    /// Interleaved channels in each frame that [`Render`] fills.
    pub channels: u16,
}
