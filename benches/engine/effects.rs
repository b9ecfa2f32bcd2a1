//! What sends and effects cost.

use std::hint::black_box;
use std::time::Instant;

use ictus::dsp::effects::{Effect, Kind, defaults};
use ictus::engine::event::Event;
use ictus::engine::message::Command;

use crate::rig::{BLOCK, RATE, ROUNDS, Recording, Rig, Setup, UNIT, at, by_turns, sorted};

/// What sends and effects cost: with all of 16 voices sending to them, and by themselves.
pub fn effects(recordings: &[Recording; 2]) {
    let base = Setup { voices: 16, ..UNIT };
    let cases: [(&str, &[Kind]); 5] = [
        ("none", &[]),
        ("reverb", &[Kind::Reverb]),
        ("delay", &[Kind::Delay]),
        ("chorus", &[Kind::Chorus]),
        ("all three", &Kind::ALL),
    ];
    let mut rigs = cases.map(|(_, kinds)| {
        let mut rig = Rig::new(&base, recordings);
        for (send, kind) in (0u8..).zip(Kind::ALL).filter(|(_, kind)| kinds.contains(kind)) {
            let effect = Box::new(Effect::new(kind, RATE, &defaults(kind)));
            rig.send(Command::SetEffect(0, send, Some(effect)));
            rig.play(Event::SamplerSend { sampler: 0, send, level: 0.5 }, None);
        }
        // Until nothing glides any more.
        rig.blocks(100);
        rig
    });
    let sending = by_turns(&mut rigs, ROUNDS, |rig| rig.blocks(128));
    let mut alone = Kind::ALL.map(|kind| (Effect::new(kind, RATE, &defaults(kind)), 0u64, Vec::new()));
    for _ in 0..ROUNDS {
        for (effect, frame, times) in &mut alone {
            let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
            let started = Instant::now();
            for _ in 0..128 {
                left.fill(0.1);
                right.fill(-0.1);
                effect.process(*frame, black_box(&mut left), black_box(&mut right));
                *frame += BLOCK as u64;
            }
            times.push(started.elapsed().as_secs_f64() * 1e6 / 128.0);
        }
    }
    println!(
        "\neffects, one block of 128 frames, µs: with 16 voices (linear, stereo, held) that send to them, and alone"
    );
    for ((name, kinds), ns) in cases.iter().zip(&sending) {
        let own = alone.iter().find(|(effect, ..)| *kinds == [effect.kind()]);
        let own =
            own.map_or(String::new(), |(_, _, times)| format!("{:.2}", at(&sorted(times.clone()), 0.5)));
        println!("  {name:<24}{:>8.2}{own:>16}", ns / 1e3);
    }
}
