//! Cost of the whole engine: `cargo bench --bench engine --no-default-features`.
//!
//! An offline engine at 48 kHz, blocks of 128 frames, two channels, no limiter but where it is named. Voices go round
//! loops in one second of noise, each at its own pitch from a fifth down to a fifth up (where sincs read more taps), so
//! caches are as warm as real notes leave them; what a gigabyte costs that fits no cache has a table of its own. What is
//! measured in one table takes turns, round by round, after a block that is not timed, and every figure is the median of
//! its rounds: noise of the machine hits all alike. "×" stands beside linear, stereo, 64 held voices, measured in the
//! same rounds of that table.

mod effects;
mod memory;
mod plots;
mod quality;
mod rig;
mod storms;

use std::hint::black_box;
use std::time::Instant;

use ictus::dsp::interpolate::Interpolation;

use rig::{BLOCK, COUNTS, RATE, ROUNDS, Recording, Rig, Setup, UNIT, at, by_turns, sorted};

/// Measures and prints.
type Table = fn(&[Recording; 2]);

fn main() {
    // One second each, mono and stereo.
    let recordings = [false, true].map(|stereo| Recording::new(stereo, RATE));
    // One table alone: `-- memory`.
    let wanted = std::env::args().nth(1).filter(|name| !name.starts_with('-'));
    let tables: [(&str, Table); 8] = [
        ("voices", voices),
        ("moved", moved),
        ("block", one_block),
        ("storms", storms::storms),
        ("flat", flat),
        ("memory", memory::memory),
        ("effects", effects::effects),
        ("quality", |_| quality::quality()),
    ];
    for (name, table) in tables {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            table(&recordings);
        }
    }
}

/// What filters and LFOs add to a voice.
fn moved(recordings: &[Recording; 2]) {
    let cubic = Setup { interpolation: Interpolation::Cubic, ..UNIT };
    let filtered = Setup { filters: 1, ..cubic };
    let setups = [
        ("plain", cubic),
        ("a filter", filtered),
        ("two filters", Setup { filters: 2, ..cubic }),
        ("a filter swept by an LFO", Setup { swept: true, ..filtered }),
        ("vibrato", Setup { vibrato: true, ..cubic }),
        ("a filter and vibrato", Setup { vibrato: true, ..filtered }),
        ("two filters and vibrato", Setup { vibrato: true, filters: 2, ..cubic }),
    ];
    for stereo in [true, false] {
        let shape = if stereo { "stereo" } else { "mono" };
        println!("\ncubic, {shape}, held, with what moves it: ns per voice and frame (× plain, same voices)");
        print!("{:<26}", "");
        COUNTS.iter().for_each(|voices| print!("{voices:>12} voices"));
        println!();
        let all =
            setups.iter().flat_map(|(_, setup)| COUNTS.map(|voices| Setup { voices, stereo, ..*setup }));
        let mut rigs: Vec<Rig> = all.map(|setup| Rig::new(&setup, recordings)).collect();
        let medians = by_turns(&mut rigs, ROUNDS, Rig::round);
        for ((name, _), row) in setups.iter().zip(medians.chunks(COUNTS.len())) {
            print!("  {name:<24}");
            row.iter().zip(&medians).for_each(|(ns, plain)| print!("{ns:>10.2} ({:>5.2}×)", ns / plain));
            println!();
            if stereo {
                plots::line("moved", name, &COUNTS.map(|voices| voices as f64), row);
            }
        }
    }
}

fn voices(recordings: &[Recording; 2]) {
    println!("ns per voice and frame, complete voices (× linear, stereo, 64 held)");
    for moving in [false, true] {
        for stereo in [true, false] {
            let shape = if stereo { "stereo" } else { "mono" };
            let state = if moving { "envelopes moving" } else { "held" };
            print!("\n{:<26}", format!("{shape}, {state}"));
            COUNTS.iter().for_each(|voices| print!("{:>12} voices", voices));
            println!();
            let setups = Interpolation::ALL.into_iter().flat_map(|interpolation| {
                COUNTS.map(|voices| Setup { interpolation, stereo, voices, moving, ..UNIT })
            });
            let mut rigs: Vec<Rig> =
                std::iter::once(UNIT).chain(setups).map(|setup| Rig::new(&setup, recordings)).collect();
            let medians = by_turns(&mut rigs, ROUNDS, Rig::round);
            for (interpolation, row) in Interpolation::ALL.into_iter().zip(medians[1..].chunks(COUNTS.len()))
            {
                print!("  {:<24}", interpolation.name());
                row.iter().for_each(|ns| print!("{:>10.2} ({:>5.2}×)", ns, ns / medians[0]));
                println!();
                if stereo && !moving {
                    plots::line("voices", interpolation.name(), &COUNTS.map(|voices| voices as f64), row);
                }
            }
        }
    }
}

/// Each block timed by itself: what a device at 128 frames would have waited for.
fn one_block(recordings: &[Recording; 2]) {
    let sixteen = Setup { voices: 16, ..UNIT };
    let cubic = Setup { interpolation: Interpolation::Cubic, ..sixteen };
    let setups = [
        ("linear, held", sixteen),
        ("cubic, held", cubic),
        ("cubic, envelopes moving", Setup { moving: true, ..cubic }),
        ("cubic, held, limiter", Setup { limiter: true, ..cubic }),
        ("cubic, moving, limiter", Setup { moving: true, limiter: true, ..cubic }),
        ("sinc32, held", Setup { interpolation: Interpolation::Sinc32, ..sixteen }),
        ("no voice, limiter", Setup { voices: 0, limiter: true, ..cubic }),
    ];
    let mut unit = Rig::new(&UNIT, recordings);
    let mut rigs = setups.map(|(_, setup)| Rig::new(&setup, recordings));
    let mut times = setups.map(|_| Vec::with_capacity(400 * 100));
    let mut units = Vec::new();
    for _ in 0..400 {
        units.push(unit.round());
        for (rig, times) in rigs.iter_mut().zip(&mut times) {
            rig.engine.process(&mut rig.out);
            for _ in 0..100 {
                let started = Instant::now();
                rig.engine.process(black_box(&mut rig.out));
                times.push(started.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    let unit = at(&sorted(units), 0.5);
    println!(
        "\none block of 128 frames, 16 voices, stereo, 40 000 blocks each, µs (× what 16 voices of linear,"
    );
    println!("stereo, out of 64 held ones take: {unit:.2} ns per voice and frame)");
    println!("  {:<24}{:>17}{:>9}{:>9}{:>13}", "", "median", "p99", "p99.9", "p99/median");
    for ((name, _), times) in setups.iter().zip(times) {
        let times = sorted(times);
        plots::histogram("blocks", name, &times);
        let [median, p99, p999] = [0.5, 0.99, 0.999].map(|share| at(&times, share));
        println!(
            "  {name:<24}{median:>8.2} ({:>5.2}×){p99:>9.2}{p999:>9.2}{:>13.2}",
            median * 1e3 / (unit * (16 * BLOCK) as f64),
            p99 / median
        );
    }
}

/// What is only there must cost nothing.
fn flat(recordings: &[Recording; 2]) {
    let base = Setup { voices: 16, ..UNIT };
    let setups = [
        ("alone", base),
        ("100 instruments", Setup { instruments: 100, ..base }),
        ("1000 instruments", Setup { instruments: 1000, ..base }),
        ("1000 events wait", Setup { waiting: 1000, ..base }),
        ("50 000 events wait", Setup { waiting: 50_000, ..base }),
        ("100 samplers", Setup { samplers: 100, ..base }),
        ("all of it", Setup { instruments: 1000, waiting: 50_000, samplers: 100, ..base }),
    ];
    let (mut held, mut noted, mut units) = (Vec::new(), Vec::new(), Vec::new());
    // Engines are made anew for each pass: where their memory comes to lie is worth up to a tenth.
    for _ in 0..9 {
        let mut unit = [Rig::new(&UNIT, recordings)];
        let mut rigs = setups.map(|(_, setup)| Rig::new(&setup, recordings));
        units.push(by_turns(&mut unit, ROUNDS, Rig::round)[0]);
        held.push(by_turns(&mut rigs, ROUNDS, |rig| rig.blocks(128)));
        noted.push(by_turns(&mut rigs, ROUNDS, |rig| rig.blocks_with_notes(128)));
    }
    let unit = at(&sorted(units), 0.5) * (16 * BLOCK) as f64;
    let median =
        |tables: &[Vec<f64>], row: usize| at(&sorted(tables.iter().map(|table| table[row]).collect()), 0.5);
    println!(
        "\nwhat is only there: one block, 16 voices held, linear, stereo, µs (× alone; × what 16 voices of linear,"
    );
    println!("stereo, out of 64 held ones take)");
    println!("  {:<24}{:>24}{:>38}", "", "held", "and a note starts, another ends");
    for (row, (name, _)) in setups.iter().enumerate() {
        print!("  {name:<24}");
        for (tables, width) in [(&held, 8), (&noted, 24)] {
            let ns = median(tables, row);
            print!("{:>width$.2} ({:.2}×; {:.2}×)", ns / 1e3, ns / median(tables, 0), ns / unit);
        }
        println!();
        let beside = |tables| median(tables, row) / median(tables, 0);
        plots::line("flat", name, &[0.0, 1.0], &[beside(&held), beside(&noted)]);
    }
}
