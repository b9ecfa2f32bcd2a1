//! What happens to thousands of voices at once, in one block: they start, they all follow controllers, they all end.

use std::hint::black_box;
use std::time::Instant;

use ictus::dsp::interpolate::Interpolation;
use ictus::engine::event::Event;

use crate::rig::{BLOCK, RATE, Recording, Rig, Setup, UNIT, at, on, sorted};

const VOICES: u32 = 4096;
/// Controllers in one block: what a million events a second would be worth of four blocks.
const CONTROLLERS: u32 = 12_000;
const ROUNDS: usize = 21;

/// Each block is timed by itself; they stand beside a block in which the same voices are held.
pub fn storms(recordings: &[Recording; 2]) {
    let setup = Setup { voices: VOICES as usize, interpolation: Interpolation::Cubic, ..UNIT };
    let mut rig = Rig::new(&setup, recordings);
    let names = [
        "held",
        "12 000 controllers, one channel",
        "the block after it",
        "4096 notes are let go and end",
        "the block after it",
        "4096 notes start",
        "the block after it",
    ];
    let mut times = names.map(|_| Vec::with_capacity(ROUNDS));
    let mut notes = VOICES;
    for _ in 0..ROUNDS {
        rig.engine.process(&mut rig.out);
        let mut timed = Vec::new();
        timed.push(block(&mut rig));
        for n in 0..CONTROLLERS {
            let controller = [7, 10, 11, 1][n as usize % 4];
            // Between blocks: taken in by the block that is timed.
            rig.play(
                Event::Control { sampler: 0, channel: 0, controller, value: (n % 100) as f32 / 2.0 },
                None,
            );
        }
        timed.push(block(&mut rig));
        timed.push(block(&mut rig));
        rig.play(Event::AllNotesOff { sampler: 0, channel: Some(0) }, None);
        timed.push(block(&mut rig));
        timed.push(block(&mut rig));
        assert_eq!(rig.ends.counters.voices.load(), 0.0, "a release of 1 ms is over");
        for n in 0..VOICES {
            notes += 1;
            rig.play(on(notes, 53.03 + 13.96 * n as f32 / VOICES as f32), None);
        }
        timed.push(block(&mut rig));
        assert_eq!(rig.ends.counters.voices.load() as u32, VOICES);
        timed.push(block(&mut rig));
        times.iter_mut().zip(timed).for_each(|(times, ms)| times.push(ms));
    }
    let period = BLOCK as f64 * 1e3 / f64::from(RATE);
    println!("\n4096 voices, cubic, stereo: one block of 128 frames ({period:.2} ms at 48 kHz), ms (× held)");
    let medians = times.map(|times| at(&sorted(times), 0.5));
    for (name, ms) in names.iter().zip(medians) {
        println!("  {name:<36}{ms:>8.2} ({:>5.2}×)", ms / medians[0]);
    }
}

/// ms of one block.
fn block(rig: &mut Rig) -> f64 {
    let started = Instant::now();
    rig.engine.process(black_box(&mut rig.out));
    let ms = started.elapsed().as_secs_f64() * 1e3;
    // As the notifier does: facts are taken out, or the collector runs full.
    while rig.ends.collector.collect().is_some() {}
    ms
}
