//! See `ictus_fuzz::sound`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ictus_fuzz::sound::any(bytes));
