//! See `ictus_fuzz::engine_events`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ictus_fuzz::engine_events::run(bytes));
