//! What a note sounds like: pitch, level, layers, release, loops.

use super::*;
use crate::engine::instruments::Installed;
use crate::instrument::{LoopMode, LoopSettings, Playback, SampleLoop};

#[test]
fn a_note_at_its_root_key_is_the_recording() {
    let mut rig = Rig::playing(config(), vec![ramp(1000)]);
    rig.note_at(0, 1, 60.0);
    let out = rig.render(1200);
    for (n, frame) in out.chunks(2).enumerate() {
        let expected = if n < 1000 { n as f32 * CENTRE } else { 0.0 };
        assert_eq!(frame, [expected; 2], "frame {n}");
    }
    assert_eq!(rig.facts, [Fact::NoteEnded(0, 1)]);
}

#[test]
fn an_octave_up_reads_every_second_value_and_down_the_halves() {
    for (key, speed) in [(72.0, 2.0), (48.0, 0.5), (84.0, 4.0)] {
        for interpolation in [Interpolation::Linear, Interpolation::Cubic] {
            let mut rig = Rig::playing(EngineConfig { interpolation, ..config() }, vec![ramp(4000)]);
            rig.note_at(0, 1, key);
            for (n, value) in rig.left(900).iter().enumerate().skip(4) {
                // Exact: the ramp is below 2¹², the positions are halves, and each value is scaled once.
                assert_eq!(*value, (n as f32 * speed) * CENTRE, "frame {n} at key {key}");
            }
        }
    }
}

#[test]
fn a_recording_at_another_rate_keeps_its_pitch() {
    let sample = Sample::new((0..4000).map(|n| n as f32).collect(), 1, 24_000).unwrap().0;
    let mut rig = Rig::playing(config(), vec![Region::of(Arc::new(sample))]);
    rig.note_at(0, 1, 60.0);
    for (n, value) in rig.left(1000).iter().enumerate() {
        assert_eq!(*value, n as f32 * 0.5 * CENTRE);
    }
}

#[test]
fn a_fractional_key_is_tuned_between_the_keys() {
    let mut rig = Rig::playing(config(), vec![ramp(4000)]);
    rig.note_at(0, 1, 60.5);
    let last = rig.left(1000)[999];
    let expected = 999.0 * (50f64 / 1200.0).exp2() * std::f64::consts::FRAC_1_SQRT_2;
    // The step is rounded to 2⁻³², 999 of them; the value to 2⁻²⁴ of about 700: 4e-5.
    assert!((f64::from(last) - expected).abs() < 1e-4, "{last} not {expected}");
}

#[test]
fn velocity_is_the_square_law() {
    for velocity in [1.0, 31.75, 63.5, 127.0f32] {
        let mut rig = Rig::playing(config(), vec![constant(1.0, 100)]);
        rig.send(note_on(1, 60.0, velocity));
        let expected = (f64::from(velocity) / 127.0).powi(2) * f64::from(CENTRE);
        let out = rig.left(1)[0];
        assert!((f64::from(out) - expected).abs() <= expected * 2f64.powi(-22), "{out} not {expected}");
    }
}

#[test]
fn velocity_zero_is_a_note_off() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 48_000)]);
    rig.note_at(0, 1, 60.0);
    rig.send_at(100, note_on(2, 60.0, 0.0));
    rig.render(1000);
    assert_eq!(rig.facts, [Fact::NoteEnded(0, 1)]);
}

#[test]
fn key_and_velocity_choose_the_regions_and_layers_add() {
    let soft = Region { velocities: 1..=63, ..constant(0.25, 4000) };
    let loud = Region { velocities: 64..=127, ..constant(0.5, 4000) };
    let body = Region { keys: 60..=60, ..constant(1.0, 4000) };
    let regions = [soft, loud, body];
    for (key, velocity, expected) in [(60.0, 127.0, 1.5), (61.0, 127.0, 0.5)] {
        let mut rig = Rig::playing(
            config(),
            regions
                .iter()
                .map(|r| Region {
                    keys: r.keys.clone(),
                    velocities: r.velocities.clone(),
                    root_key: key,
                    ..Region::of(r.sample.clone())
                })
                .collect(),
        );
        rig.send(note_on(1, key as f32, velocity));
        assert!((rig.left(1)[0] - expected * CENTRE).abs() < 1e-6);
    }
}

#[test]
fn note_off_lets_go_of_its_key_on_its_channel_and_release_of_one_note() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 480_000)]);
    rig.send(Event::Assign { sampler: 0, channel: 1, instrument: Some(0) });
    rig.note_at(0, 1, 60.0);
    rig.note_at(0, 2, 60.0);
    rig.note_at(0, 3, 64.0);
    rig.send_at(
        0,
        Event::NoteOn {
            sampler: 0,
            channel: 1,
            late: Late::Play,
            note: 4,
            key: 60.0,
            velocity: 100.0,
            instrument: None,
        },
    );
    rig.render(10);
    rig.send(release(2));
    rig.render(1000);
    assert_eq!(rig.facts, [Fact::NoteEnded(0, 2)]);
    rig.send(Event::NoteOff { sampler: 0, channel: 0, key: 60.0 });
    rig.render(1000);
    assert_eq!(rig.facts.len(), 2);
    assert_eq!(rig.facts[1], Fact::NoteEnded(0, 1));
    rig.send(Event::AllNotesOff { sampler: 0, channel: None });
    rig.render(1000);
    assert_eq!(rig.voices(), 0);
}

#[test]
fn release_follows_its_formula_and_ends_on_its_frame() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 48_000)]);
    rig.note_at(0, 1, 60.0);
    rig.send_at(1000, release(1));
    let out = rig.left(2000);
    let k = (1.0001f64 / 0.0001).ln();
    for (n, value) in out.iter().enumerate() {
        let x = (n as f64 - 1000.0) / 480.0;
        let expected = match n {
            0..1000 => 1.0,
            1000..1480 => 1.0001 * (-k * x).exp() - 0.0001,
            _ => 0.0,
        } * f64::from(CENTRE);
        // Between segment ends the level runs along the chord: off by (32·k/480)²/8 of the level at the segment's
        // start at most, which is e^(32·k/480) of the level here.
        let chord = (expected.abs() + 1e-4) * (32.0 * k / 480.0).powi(2) / 8.0 * (32.0 * k / 480.0).exp();
        assert!((f64::from(*value) - expected).abs() <= chord + 1e-6, "frame {n}: {value} not {expected}");
    }
    assert!(out[1479] > 0.0 && out[1480] == 0.0);
}

#[test]
fn a_one_shot_ignores_its_key() {
    let mut rig = Rig::playing(config(), vec![Region { playback: Playback::OneShot, ..constant(1.0, 5000) }]);
    rig.note_at(0, 1, 60.0);
    rig.send_at(10, Event::NoteOff { sampler: 0, channel: 0, key: 60.0 });
    assert_eq!(rig.left(6000).iter().filter(|v| **v == CENTRE).count(), 5000);
}

/// Between two frames of a lone 1 every kernel has a value of its own.
fn read_with(interpolation: Interpolation) -> f32 {
    let values = [0.0, 0.0, 1.0, 0.0, 0.0].repeat(20);
    let (kernel, mut out) = (Kernel::new(interpolation), [0.0]);
    kernel.read_mono(&values, (52 << 32) + (1 << 31), 1 << 32, &mut out);
    out[0]
}

/// Played on key 60, an octave below its root, every second frame is such a place.
fn halfway() -> Region {
    let values: Vec<f32> = [0.0, 0.0, 1.0, 0.0, 0.0].repeat(2000);
    Region { root_key: 72.0, envelope: held(), ..Region::of(mono(values)) }
}

#[test]
fn a_note_keeps_the_kernel_that_it_started_with_and_an_instruments_own_comes_first() {
    let render = |first: Interpolation, later: Interpolation, own: Option<Interpolation>| {
        let mut rig = Rig::playing(EngineConfig { interpolation: first, ..config() }, vec![]);
        let instrument = Instrument::new(vec![halfway()]).with_kernel(own.map(Kernel::new));
        rig.command(Command::SetInstrument(0, 1, Installed::new(Arc::new(instrument))));
        rig.note_at(0, 1, 60.0);
        // Frame 105 is halfway between frames 52 and 53, frame 1105 as far into the other note.
        let mut out = rig.left(500);
        rig.command(Command::SetKernel(Kernel::new(later)));
        out.extend(rig.left(500));
        rig.send(release(1));
        rig.send_at(2000, note_on(2, 60.0, 127.0));
        out.extend(rig.left(2000));
        [out[105], out[605], out[2105]]
    };
    for (first, later) in
        [(Interpolation::Linear, Interpolation::Sinc16), (Interpolation::Cubic, Interpolation::Linear)]
    {
        let [a, b] = [first, later].map(|kernel| read_with(kernel) * CENTRE);
        assert_ne!(a, b);
        assert_eq!(render(first, later, None), [a, a, b]);
        let own = read_with(Interpolation::Sinc8) * CENTRE;
        assert_eq!(render(first, later, Some(Interpolation::Sinc8)), [own; 3]);
    }
}

fn looped(values: Vec<f32>, start: u32, end: u32, mode: LoopMode) -> Region {
    let sample = mono(values);
    let sample_loop = SampleLoop::new(&sample, &LoopSettings::forward(start, end, mode)).unwrap();
    Region { playback: Playback::Loop(Arc::new(sample_loop)), envelope: held(), ..Region::of(sample) }
}

/// The sound of a loop, unrolled by hand.
fn unrolled(values: &[f32], start: usize, end: usize, frames: usize) -> Vec<f32> {
    (0..frames).map(|n| values[if n < end { n } else { start + (n - end) % (end - start) }]).collect()
}

#[test]
fn a_loop_sounds_as_if_it_were_unrolled_at_every_speed() {
    let values: Vec<f32> = (0..900).map(|n| ((n as f32) * 0.731).sin()).collect();
    for (start, end) in [(100, 700), (0, 900), (313, 572), (5, 8), (899, 900), (10, 40)] {
        for interpolation in Interpolation::ALL {
            for key in [60.0, 67.3, 41.9, 96.0] {
                let frames = 4000;
                let mut rig = Rig::playing(
                    EngineConfig { interpolation, ..config() },
                    vec![looped(values.clone(), start, end, LoopMode::Continuous)],
                );
                rig.note_at(0, 1, key);
                let out = rig.left(frames);
                let long = unrolled(&values, start as usize, end as usize, frames * 9);
                let mut plain =
                    Rig::playing(EngineConfig { interpolation, ..config() }, vec![Region::of(mono(long))]);
                plain.note_at(0, 1, key);
                assert_eq!(
                    bits(&out),
                    bits(&plain.left(frames)),
                    "{start}..{end} at key {key} {interpolation:?}"
                );
            }
        }
    }
}

#[test]
fn a_sustain_loop_plays_its_tail_after_release() {
    let mut values = vec![0.5f32; 1000];
    values.extend(vec![0.25; 20_000]);
    let region = Region {
        envelope: EnvelopeTimes { release_s: 100.0, ..EnvelopeTimes::default() },
        ..looped(values, 100, 1000, LoopMode::Sustain)
    };
    let mut rig = Rig::playing(config(), vec![region]);
    rig.note_at(0, 1, 60.0);
    let held = rig.left(10_000);
    assert!(held.iter().all(|v| *v == 0.5 * CENTRE));
    rig.send(release(1));
    let tail = rig.left(3000);
    // Over in at most one more pass; the release of 100 s has fallen by 0.6 % in 3000 frames.
    assert!((tail[2999] / CENTRE - 0.25).abs() < 0.002, "{}", tail[2999]);
}

#[test]
fn a_stereo_recording_keeps_its_sides() {
    let sample =
        Sample::new((0..200).map(|n| if n % 2 == 0 { 1.0 } else { -0.5 }).collect(), 2, RATE).unwrap().0;
    let mut rig = Rig::playing(config(), vec![Region::of(Arc::new(sample))]);
    rig.note_at(0, 1, 60.0);
    assert!(rig.render(100).chunks(2).all(|frame| frame == [1.0, -0.5]));
}

#[test]
fn a_note_without_a_sound_is_counted_and_ends() {
    let mut rig = Rig::playing(config(), vec![Region { keys: 60..=60, ..constant(1.0, 10) }]);
    rig.send(note_on(1, 61.0, 100.0));
    rig.send(Event::NoteOn {
        sampler: 0,
        channel: 5,
        late: Late::Play,
        note: 2,
        key: 60.0,
        velocity: 100.0,
        instrument: None,
    });
    assert!(rig.left(10).iter().all(|v| *v == 0.0));
    assert_eq!(rig.facts, [Fact::NoteEnded(0, 1), Fact::NoteEnded(0, 2)]);
    assert_eq!(rig.ends.counters.silent_notes.get(), 2);
}
