//! What is done with arbitrary bytes. Each module is a target: `run(bytes)` returns, whatever the bytes, or panics, and
//! that is a finding. libFuzzer calls it (`fuzz_targets/`), and so can anything else.
//!
//! `npm run fuzz` builds and runs all of them. A finding is repaired together with a test in the room that it was found
//! in; no crashing inputs are kept here.

mod bytes;
pub mod engine_events;
mod instruments;
pub mod midi_message;
pub mod sound;
