//! What one note can be asked for, and what the channel's other controllers, pressure, programs and MPE zones do.

use super::*;
use crate::engine::Programs;
use crate::instrument::{Modulation, Route, Source, Target};

fn control(channel: u8, controller: u8, value: f32) -> Event {
    Event::Control { sampler: 0, channel, controller, value }
}

fn on(channel: u8, note: u32, key: f32) -> Event {
    Event::NoteOn { sampler: 0, channel, late: Late::Play, note, key, velocity: 127.0, instrument: None }
}

fn turn(note: u32, param: NoteParam, value: f32) -> Event {
    Event::Turn { sampler: 0, note, param, value, over_s: 0.0 }
}

/// How fast a ramp is read: frames of it per frame.
fn speed(out: &[f32]) -> f32 {
    (out[out.len() - 1] - out[0]) / (out.len() - 1) as f32 / CENTRE
}

/// Seconds of a note whose own stages are these, against the formula of each.
#[test]
fn a_note_may_have_an_envelope_of_its_own() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 48_000)]);
    rig.send(note_on(1, 60.0, 127.0));
    for (param, value) in [
        (NoteParam::Wait, 0.01),
        (NoteParam::Attack, 0.02),
        (NoteParam::Decay, 0.01),
        (NoteParam::Sustain, 0.25),
        (NoteParam::Release, 0.05),
    ] {
        rig.send(turn(1, param, value));
    }
    rig.send_at(4800, release(1));
    let out = rig.left(9600);
    assert!(out[..480].iter().all(|v| *v == 0.0), "delay");
    // A straight line from 480 to 1440, rounded a few times.
    assert!((out[960] / CENTRE - 0.5).abs() < 1e-5 && (out[1440] / CENTRE - 1.0).abs() < 1e-5);
    assert!((out[1920] / CENTRE - 0.25).abs() < 1e-5, "sustain");
    assert!(out[7199] > 0.0 && out[7200..].iter().all(|v| *v == 0.0), "50 ms of release");
}

#[test]
fn rate_multiplies_and_glides_in_cents() {
    let mut rig = Rig::playing(config(), vec![ramp(480_000)]);
    rig.send(note_on(1, 60.0, 127.0));
    rig.send(turn(1, NoteParam::Rate, 2.0));
    assert!((speed(&rig.left(1000)) - 2.0).abs() < 1e-4);
    rig.send(Event::Turn { sampler: 0, note: 1, param: NoteParam::Rate, value: 0.5, over_s: 0.1 });
    let glide = rig.left(4800);
    // Two octaves down in 4800 frames: half way, in cents, it is at 1.
    assert!((speed(&glide[2300..2500]) - 1.0).abs() < 2e-3, "{}", speed(&glide[2300..2500]));
    rig.left(100);
    assert!((speed(&rig.left(1000)) - 0.5).abs() < 1e-4);
}

#[test]
fn a_note_plays_a_part_of_its_sample_and_backwards() {
    let mut rig = Rig::playing(config(), vec![ramp(10_000)]);
    rig.send(note_on(1, 60.0, 127.0));
    rig.send(turn(1, NoteParam::Begin, 0.25));
    rig.send(turn(1, NoteParam::End, 0.5));
    rig.send(turn(1, NoteParam::Speed, -1.0));
    let out = rig.left(4000);
    assert!((out[1000] / CENTRE - 3999.0).abs() < 0.01, "{}", out[1000] / CENTRE);
    assert!(out[2500..].iter().all(|v| *v == 0.0));
}

#[test]
fn a_cut_group_ends_the_notes_before_and_not_its_own_layers() {
    let mut rig = Rig::playing(config(), vec![constant(0.5, 480_000), constant(0.25, 480_000)]);
    for note in 1..=3 {
        rig.send_at(u64::from(note) * 1000, note_on(note, 60.0, 127.0));
        rig.send_at(u64::from(note) * 1000, turn(note, NoteParam::Cut, if note == 3 { 9.0 } else { 7.0 }));
    }
    let out = rig.left(5000);
    // 1 is cut by 2; 3 has another group.
    assert!((out[2600] / CENTRE - 0.75).abs() < 1e-5);
    assert!((out[4000] / CENTRE - 1.5).abs() < 1e-5);
}

#[test]
fn portamento_glides_from_the_key_before_by_switch_by_key_and_by_note() {
    for how in 0..3 {
        let mut rig = Rig::playing(config(), vec![ramp(480_000)]);
        rig.send(on(0, 1, 48.0));
        match how {
            0 => {
                rig.send(control(0, 65, 127.0));
                rig.send(control(0, 5, 127.0)); // 2 s
            }
            1 => {
                rig.send(control(0, 84, 48.0));
                rig.send(control(0, 5, 127.0));
            }
            _ => {}
        }
        rig.render(1000);
        rig.send(Event::AllSoundOff { sampler: 0, channel: None });
        rig.render(1000);
        rig.send(on(0, 2, 60.0));
        if how == 2 {
            rig.send(turn(2, NoteParam::Portamento, 2.0));
        }
        let out = rig.left(96_100);
        assert!((speed(&out[..100]) - 0.5).abs() < 1e-3, "{how}: begins an octave below");
        // Half way in time is half way in cents.
        assert!((speed(&out[47_950..48_050]) - 0.5f32.sqrt()).abs() < 1e-3, "{how}");
        assert!((speed(&out[96_000..]) - 1.0).abs() < 1e-3, "{how}: arrives");
    }
}

/// A glide's phase: the playhead is the integral of its speed, whatever the segments.
#[test]
fn the_phase_of_a_glide_is_its_integral() {
    let mut rig = Rig::playing(config(), vec![ramp(480_000)]);
    rig.send(note_on(1, 60.0, 127.0));
    rig.send(Event::Turn { sampler: 0, note: 1, param: NoteParam::Detune, value: 0.0, over_s: 0.0 });
    rig.render(1000);
    rig.send(Event::Turn { sampler: 0, note: 1, param: NoteParam::Detune, value: 1200.0, over_s: 1.0 });
    let out = rig.left(48_001);
    let start = f64::from(out[0] / CENTRE);
    for frame in [1000usize, 12_345, 24_000, 47_999] {
        // ∫ 2^(t/T) dt = T/ln 2 · (2^(t/T) − 1); the midpoint rule's error is h²/24·(ln 2/T)²·t: below 1e−6 frames.
        let x = frame as f64 / 48_000.0;
        let expected = start + 48_000.0 / std::f64::consts::LN_2 * (x.exp2() - 1.0);
        let heard = f64::from(out[frame] / CENTRE);
        // f32 holds 70 000 to 2⁻⁸; inside a segment the line is off by at most (32/2)·32·ln2/48 000/2 = 0.004.
        assert!((heard - expected).abs() < 0.02, "frame {frame}: {heard} not {expected}");
    }
}

#[test]
fn a_registered_parameter_sets_the_bend_range_and_tuning() {
    let bent = |range: &[(u8, f32)]| {
        let mut rig = Rig::playing(config(), vec![ramp(480_000)]);
        for (controller, value) in range {
            rig.send(control(0, *controller, *value));
        }
        rig.send(Event::PitchBend { sampler: 0, channel: 0, value: 8191.0 });
        rig.render(1000);
        rig.send(note_on(1, 60.0, 127.0));
        1200.0 * speed(&rig.left(2000)).log2()
    };
    let full = 8191.0 / 8192.0;
    assert!((bent(&[]) - 200.0 * full).abs() < 0.5);
    assert!((bent(&[(101, 0.0), (100, 0.0), (6, 12.0)]) - 1200.0 * full).abs() < 0.5);
    assert!((bent(&[(101, 0.0), (100, 0.0), (6, 1.0), (38, 50.0)]) - 150.0 * full).abs() < 0.5);
    // Incremented from 2 to 3; and nothing once the parameter is deselected or another is meant.
    assert!((bent(&[(101, 0.0), (100, 0.0), (96, 0.0)]) - 300.0 * full).abs() < 0.5);
    assert!((bent(&[(101, 127.0), (100, 127.0), (6, 12.0)]) - 200.0 * full).abs() < 0.5);
    assert!((bent(&[(101, 0.0), (100, 0.0), (99, 1.0), (6, 12.0)]) - 200.0 * full).abs() < 0.5);
    // Fine tuning up by a quarter tone, coarse down by two semitones.
    assert!((bent(&[(101, 0.0), (100, 1.0), (6, 96.0)]) - (200.0 * full + 50.0)).abs() < 0.5);
    assert!((bent(&[(101, 0.0), (100, 2.0), (6, 62.0)]) - (200.0 * full - 200.0)).abs() < 0.5);
}

#[test]
fn the_soft_pedal_makes_notes_that_start_softer_and_darker() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 480_000)]);
    rig.send(control(0, 67, 127.0));
    rig.send(note_on(1, 60.0, 127.0));
    let soft = *rig.left(2000).last().unwrap();
    rig.send(control(0, 67, 0.0));
    assert!((soft / CENTRE - 10f32.powf(-3.0 / 20.0)).abs() < 1e-5, "3 dB less");
    let nyquist = Region { ..Region::of(mono((0..48_000).map(|n| [1.0, -1.0][n % 2]).collect())) };
    let level = |pedal: f32| {
        let mut rig = Rig::playing(config(), vec![Region { envelope: held(), ..nyquist.clone() }]);
        rig.send(control(0, 67, pedal));
        rig.send(note_on(1, 60.0, 127.0));
        rig.left(4000)[3000..].iter().fold(0.0f32, |most, v| most.max(v.abs()))
    };
    assert!(level(127.0) < 0.5 * level(0.0), "a low-pass takes the highest tone");
}

#[test]
fn attack_and_release_follow_their_controllers() {
    let time_to = |events: &[(u8, f32)], part: f32, released: bool| {
        let envelope = EnvelopeTimes { attack_s: 0.05, release_s: 0.05, ..EnvelopeTimes::default() };
        let mut rig = Rig::playing(config(), vec![Region { envelope, ..constant(1.0, 480_000) }]);
        for (controller, value) in events {
            rig.send(control(0, *controller, *value));
        }
        rig.send(note_on(1, 60.0, 127.0));
        if released {
            rig.render(96_000);
            rig.send(release(1));
            return rig.left(96_000).iter().position(|v| *v == 0.0).unwrap() as f32;
        }
        rig.left(96_000).iter().position(|v| *v >= part * CENTRE).unwrap() as f32
    };
    assert!((time_to(&[(73, 80.0)], 0.999, false) / time_to(&[], 0.999, false) - 2.0).abs() < 0.01);
    assert!((time_to(&[(73, 48.0)], 0.999, false) / time_to(&[], 0.999, false) - 0.5).abs() < 0.01);
    assert!((time_to(&[(72, 80.0)], 0.0, true) / time_to(&[], 0.0, true) - 2.0).abs() < 0.01);
}

#[test]
fn controllers_sent_before_a_note_are_there_with_its_first_frame_and_glide_under_others() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 480_000)]);
    rig.send(control(0, 7, 64.0));
    rig.send(note_on(1, 60.0, 127.0));
    let quiet = CENTRE * (64.0f32 / 127.0).powi(2);
    assert!((rig.left(1)[0] - quiet).abs() < 1e-6);
    rig.send(control(0, 7, 127.0));
    let out = rig.left(300);
    assert!(out[1] < quiet * 1.1 && out[260] == CENTRE);
}

#[test]
fn the_modulation_wheel_and_pressure_bring_vibrato_and_at_rest_there_is_none() {
    let wobble = |events: &[Event]| {
        let mut rig = Rig::playing(config(), vec![ramp(960_000)]);
        rig.send(note_on(1, 60.0, 127.0));
        events.iter().for_each(|event| rig.send(*event));
        rig.render(2000);
        let out = rig.left(48_000);
        let speeds: Vec<f32> = out.chunks(400).map(speed).collect();
        speeds.iter().fold(0.0f32, |most, s| most.max(1200.0 * s.log2()))
    };
    assert!(wobble(&[]) < 0.01);
    // 50 cents at the crest; a chunk of 400 frames is 1/22 of a period of 5.5 Hz: 0.3 % below it on average.
    for event in [
        control(0, 1, 127.0),
        Event::ChannelPressure { sampler: 0, channel: 0, value: 127.0 },
        Event::PolyPressure { sampler: 0, channel: 0, key: 60.0, value: 127.0 },
        turn(1, NoteParam::Pressure, 127.0),
    ] {
        assert!((wobble(&[event]) - 50.0).abs() < 1.0, "{event:?}: {}", wobble(&[event]));
    }
    assert!(wobble(&[Event::PolyPressure { sampler: 0, channel: 0, key: 61.0, value: 127.0 }]) < 0.01);
}

#[test]
fn a_program_change_selects_by_bank_and_falls_back_to_bank_0() {
    let mut rig = Rig::new(config());
    for (index, value) in [(0u16, 0.1), (1, 0.2), (2, 0.3)] {
        rig.set_instrument(index, index, vec![constant(value, 480_000)]);
    }
    let programs = Programs::new(vec![(0, 5, 0), (0, 6, 1), (129, 5, 2)]);
    rig.command(Command::SetPrograms(0, Box::new(programs)));
    let mut heard = |events: &[Event]| {
        events.iter().for_each(|event| rig.send(*event));
        rig.send(note_on(1, 60.0, 127.0));
        let level = *rig.left(500).last().unwrap() / CENTRE;
        rig.send(Event::AllSoundOff { sampler: 0, channel: None });
        rig.render(1000);
        (level * 10.0).round()
    };
    let program = |program, bank| Event::Program { sampler: 0, channel: 0, program, bank };
    assert_eq!(heard(&[]), 0.0);
    assert_eq!(heard(&[program(5, None)]), 1.0);
    assert_eq!(heard(&[program(6, None)]), 2.0);
    assert_eq!(heard(&[control(0, 0, 1.0), control(0, 32, 1.0)]), 2.0, "a bank waits for its program");
    assert_eq!(heard(&[program(5, None)]), 3.0);
    assert_eq!(heard(&[program(6, None)]), 2.0, "bank 129 has no program 6");
    assert_eq!(heard(&[program(99, Some(0))]), 2.0, "what nobody has changes nothing");
    assert_eq!(heard(&[program(5, Some(0))]), 1.0);
}

#[test]
fn in_an_mpe_zone_each_note_has_its_own_bend_and_the_master_moves_all() {
    let mut rig = Rig::playing(config(), vec![ramp(4_800_000)]);
    for (controller, value) in [(101, 0.0), (100, 6.0), (6, 5.0)] {
        rig.send(control(0, controller, value));
    }
    let semitones = |rig: &mut Rig, channel: u8, events: &[Event]| {
        events.iter().for_each(|event| rig.send(*event));
        rig.render(1000);
        // Members play what their master does.
        rig.send(on(channel, 9, 60.0));
        let cents = 12.0 * speed(&rig.left(2000)).log2();
        rig.send(Event::AllSoundOff { sampler: 0, channel: None });
        rig.render(1000);
        cents
    };
    let bend = |channel, value| Event::PitchBend { sampler: 0, channel, value };
    assert!((semitones(&mut rig, 1, &[bend(1, -4096.0)]) + 24.0).abs() < 0.01, "members bend by 48");
    assert!(semitones(&mut rig, 2, &[]).abs() < 0.01, "each for itself");
    assert!((semitones(&mut rig, 2, &[bend(0, 4096.0)]) - 1.0).abs() < 0.01, "the master by 2");
    assert!((semitones(&mut rig, 1, &[]) + 23.0).abs() < 0.01, "both add up");
    // RPN 0 on one member is meant for all.
    let range = [control(2, 101, 0.0), control(2, 100, 0.0), control(2, 6, 12.0)];
    assert!((semitones(&mut rig, 1, &range) + 5.0).abs() < 0.01);
    let assign = Event::Assign { sampler: 0, channel: 6, instrument: Some(0) };
    let alone = semitones(&mut rig, 6, &[assign, bend(6, 8191.0)]);
    assert!((alone - 2.0).abs() < 0.01, "channel 7 is no member: {alone}");
}

#[test]
fn a_masters_pedal_and_volume_are_its_members_too() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 480_000)]);
    for (controller, value) in [(101, 0.0), (100, 6.0), (6, 15.0)] {
        rig.send(control(0, controller, value));
    }
    rig.send(on(3, 1, 60.0));
    rig.send(control(0, 64, 127.0));
    rig.render(100);
    rig.send(release(1));
    let out = rig.left(5000);
    assert_eq!(*out.last().unwrap(), CENTRE, "held");
    rig.send(control(0, 7, 64.0));
    assert!((rig.left(1000)[999] - CENTRE * (64.0f32 / 127.0).powi(2)).abs() < 1e-6);
    rig.send(control(0, 64, 0.0));
    rig.render(1000);
    assert_eq!(rig.voices(), 0);
}

#[test]
fn one_key_keeps_to_its_polyphony_and_a_group_to_its_own() {
    let mut sampler = Sampler::new(32, Stealing::Quietest, 1.0);
    sampler.key_polyphony = 2;
    let mut rig = Rig::new(config());
    rig.add_sampler(1, sampler);
    rig.set_instrument(0, 0, vec![constant(1.0, 480_000)]);
    rig.send(Event::Assign { sampler: 1, channel: 0, instrument: Some(0) });
    for (note, key) in [(1, 60.0), (2, 60.0), (3, 62.0), (4, 60.0)] {
        let event = Event::NoteOn {
            sampler: 1,
            channel: 0,
            late: Late::Play,
            note,
            key,
            velocity: 127.0,
            instrument: None,
        };
        rig.send_at(u64::from(note) * 1000, event);
    }
    rig.render(6000);
    assert_eq!(rig.voices(), 3);
    assert_eq!(rig.facts, [Fact::NoteEnded(1, 1)], "the oldest on the key, and no other key's");

    let group = |value, group, most| Region { group, group_polyphony: most, ..constant(value, 480_000) };
    let low = Region { keys: 0..=59, ..group(1.0, 1, 2) };
    let high = Region { keys: 60..=127, ..group(1.0, 2, u32::MAX) };
    let mut rig = Rig::playing(config(), vec![low.clone(), low, high]);
    for (note, key) in [(1, 40.0), (2, 41.0), (3, 70.0), (4, 42.0), (5, 43.0)] {
        rig.note_at(u64::from(note) * 1000, note, key);
    }
    rig.send_at(3500, release(2));
    rig.render(3400);
    let last_of = |note| Fact::NoteEnded(0, note);
    rig.render(4000);
    // 2 has been let go by itself; then 1 makes room for 5. Layers count as one note.
    assert_eq!(rig.facts, [last_of(2), last_of(1)]);
}

#[test]
fn a_velocity_curve_bends_what_is_played() {
    let level = |curve: f32, velocity: f32| {
        let mut sampler = Sampler::new(32, Stealing::Quietest, 1.0);
        sampler.velocity_curve = curve;
        let mut rig = Rig::new(config());
        rig.add_sampler(1, sampler);
        rig.set_instrument(0, 0, vec![constant(1.0, 4800)]);
        rig.send(Event::Assign { sampler: 1, channel: 0, instrument: Some(0) });
        rig.send(Event::NoteOn {
            sampler: 1,
            channel: 0,
            late: Late::Play,
            note: 1,
            key: 60.0,
            velocity,
            instrument: None,
        });
        rig.left(100)[99] / CENTRE
    };
    assert!((level(1.0, 63.5) - 0.25).abs() < 1e-6);
    assert!((level(0.5, 31.75) - 0.25).abs() < 1e-6, "√¼ of 127 is half");
    assert!(level(10.0, 1.0) > 0.0, "never to nothing");
}

#[test]
fn routes_add_what_their_sources_say() {
    let routes = vec![
        Route::new(Source::Controller(20), Target::Pitch, 1200.0),
        Route::new(Source::Velocity, Target::Gain, -20.0),
        Route::new(Source::Key, Target::Pan, 1.0).via(Source::Controller(21)),
    ];
    let modulation = Arc::new(Modulation { routes, ..Modulation::none() });
    let mut rig = Rig::playing(config(), vec![Region { modulation, ..ramp(480_000) }]);
    rig.send(control(0, 20, 63.5));
    rig.send(control(0, 21, 127.0));
    rig.render(1000);
    rig.send(note_on(1, 127.0, 127.0));
    rig.send(turn(1, NoteParam::Detune, -6700.0));
    let out = rig.render(1000);
    let right: Vec<f32> = out.iter().skip(1).step_by(2).copied().collect();
    assert!(out.iter().step_by(2).all(|v| v.abs() < 1e-3), "key 127 is hard right");
    // Centre of a mono sample, 20 dB down, panned right by √2, an octave and 67 semitones up and down: half an octave.
    let speed = (right[999] - right[0]) / 999.0;
    let expected = CENTRE * 2f32.sqrt() * 0.1 * 0.5f32.exp2();
    assert!((speed / expected - 1.0).abs() < 1e-3, "{speed} not {expected}");
}
