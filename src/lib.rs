//! ictus: a native sampler and audio output for live coding in JavaScript.
//!
//! The map: each module is a room; ARCHITECTURE.md says what it does, whom it may know, and which test
//! checks that. Audio-thread code (`rt`, `dsp`, `engine`) is held to the rules RT-1 … RT-12 there.

#[deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros)]
pub mod rt;
pub mod units;

#[cfg(feature = "device")]
pub mod device;
