//! ictus: a native sampler and audio output for live coding in JavaScript.
//!
//! The map: each module is a room; ARCHITECTURE.md says what it does, whom it may know, and which test
//! checks that. What runs on the audio thread (`rt`, `dsp`, `engine`, `pcm`) is held to the rules RT-1 … RT-12 there:
//! RT-2 by the lints denied below, which clippy.toml defines.

#![cfg_attr(rtsan, feature(sanitize))]

pub mod control;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros))]
pub mod dsp;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros))]
// RT-5: nothing that can panic.
#[cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]
pub mod engine;
pub mod instrument;
pub mod load;
pub mod midi;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros))]
#[cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]
pub mod pcm;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros))]
pub mod rt;
pub mod units;

#[cfg(feature = "device")]
pub mod device;
// Not in unit tests: nothing there would call its entries, and a test executable has no JavaScript to offer.
#[cfg(all(feature = "node", not(test)))]
mod node;
