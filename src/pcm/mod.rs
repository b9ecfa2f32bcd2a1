//! PCM that JavaScript computes: how its bytes become frames, the ring that it writes and the audio thread reads, and the
//! source that plays a ring.
//!
//! Knows nothing of engines or of JavaScript: memory comes in as pointers that `control` has checked, and [`Stream`] goes
//! out as an [`rt::source::Source`](crate::rt::source::Source). [`format`] and the writing half of [`ring`] run on control
//! threads, the rest on the audio thread, by RT-1 to RT-8.

mod fade;
pub mod format;
mod rate;
pub mod ring;
mod route;
mod stream;

#[cfg(test)]
mod tests;

pub use stream::{Phase, Stream, StreamShared, StreamSpec};

/// Most channels of a stream.
pub const MAX_CHANNELS: usize = 32;
