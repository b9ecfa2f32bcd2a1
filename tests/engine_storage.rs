//! What an engine says its memory is, is its memory: nearly every byte that making one allocates is in `storage()`. A
//! buffer that somebody adds and forgets there would be paged in by the audio thread.
//!
//! Alone in its file, since it counts with an allocator of its own; not under `rt-check`, which brings another.

#![cfg(not(feature = "rt-check"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

use ictus::dsp::interpolate::Interpolation;
use ictus::dsp::limiter::LimiterSettings;
use ictus::engine::{Engine, EngineConfig};

struct Counting;

/// Bytes that are allocated now.
static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: everything is handed to the system's allocator as it came; counting changes nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::SeqCst);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::SeqCst);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn nearly_all_that_an_engine_allocates_is_in_its_storage() {
    let config = EngineConfig {
        sample_rate: 48_000,
        channels: 2,
        polyphony: 256,
        interpolation: Interpolation::Cubic,
        limiter: Some(LimiterSettings { lookahead_s: 0.005, ..LimiterSettings::default() }),
    };
    // Tables that are made once and shared by all engines are no part of any.
    drop(Engine::new(config));
    let before = LIVE.load(Ordering::SeqCst);
    let (engine, ends) = Engine::new(config);
    let engine = Box::new(engine);
    let allocated = LIVE.load(Ordering::SeqCst) - before;
    let storage = engine.storage();
    let told: usize = storage.iter().map(|piece| piece.bytes).sum();
    let hot: usize = storage.iter().filter(|piece| !piece.is_queue).map(|piece| piece.bytes).sum();
    println!("note: {allocated} bytes allocated, {told} told, {hot} of them touched by every block");
    assert!(told as isize <= allocated, "nothing is told twice: {told} of {allocated}");
    // What is not told is small change: heads of queues, records of the first lane, the look-ahead.
    assert!(
        told as isize >= allocated - (32 << 10),
        "{} bytes of {allocated} are in no piece of storage()",
        allocated - told as isize
    );
    assert!(hot < 3 << 20, "what an ordinary user may lock, 8 MiB, must hold it: {hot}");
    drop(ends);
}
