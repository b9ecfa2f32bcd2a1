//! Voices over more memory than any cache holds: 1 GiB of distinct stereo samples.

use std::sync::Arc;

use ictus::dsp::interpolate::Interpolation;
use ictus::instrument::{Instrument, Playback, Region};

use crate::rig::{ROUNDS, Recording, Rig, Setup, UNIT, by_turns};

/// Stereo frames of each of 1024 recordings that are 1 GiB together.
const SHARE: u32 = (1 << 30) / (1024 * 8);

/// Every voice in memory of its own: nothing that is read has been read before, and the next voice begins elsewhere.
pub fn memory(recordings: &[Recording; 2]) {
    let gibibyte: Vec<Region> = (0..1024u32)
        .map(|n| {
            let keys = (n % 128) as u8..=(n % 128) as u8;
            let velocities = (n / 128 * 8 + 1) as u8..=(n / 128 * 8 + 8) as u8;
            // A fifth down to a fifth up, as in the other tables.
            let root_key = f64::from(n % 128) + 6.97 - 13.96 * f64::from(n) / 1024.0;
            let recording = Recording::new(true, SHARE);
            let playback = Playback::Loop(recording.round);
            Region { keys, velocities, root_key, playback, ..Region::of(recording.sample) }
        })
        .collect();
    let gibibyte = Arc::new(Instrument::new(gibibyte));
    assert!(gibibyte.bytes() >= 1 << 30);
    println!("\n1024 voices, stereo, held, ns per voice and frame (× all in one recording of 384 KiB)");
    println!("  {:<24}{:>12}{:>24}", "", "one recording", "1 GiB of recordings");
    let kernels = [Interpolation::Linear, Interpolation::Cubic, Interpolation::Sinc16];
    let mut rigs: Vec<Rig> = kernels
        .into_iter()
        .flat_map(|interpolation| {
            let setup = Setup { interpolation, voices: 1024, ..UNIT };
            [Rig::new(&setup, recordings), Rig::playing(&setup, gibibyte.clone())]
        })
        .collect();
    let medians = by_turns(&mut rigs, ROUNDS, Rig::round);
    for (interpolation, pair) in kernels.into_iter().zip(medians.chunks(2)) {
        let [one, all] = pair else { continue };
        println!("  {:<24}{one:>13.2}{all:>16.2} ({:.2}×)", interpolation.name(), all / one);
    }
}
