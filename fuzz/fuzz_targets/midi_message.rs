//! See `ictus_fuzz::midi_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ictus_fuzz::midi_message::run(bytes));
