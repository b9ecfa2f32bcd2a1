//! The real-time floor: what the audio thread may stand on. Lanes in, collector out, counters, guards.
//!
//! Everything here is wait-free for the audio thread. It knows nothing about music.

pub mod collector;
pub mod counters;
pub mod guard;
pub mod lane;
pub mod lease;
pub mod source;
