//! MIDI as bytes and as events. Pure: no ports, no files, no state.

mod message;

pub use message::{Malformed, decode};
