//! Polyphony: who makes room, and how softly (RT-11).

use super::*;

/// 6 ms at 48 kHz.
const FADE_FRAMES: usize = 288;

fn with(polyphony: usize, stealing: Stealing, regions: Vec<Region>) -> Rig {
    let config = EngineConfig { polyphony, ..config() };
    let (engine, ends) = Engine::new(config);
    let mut rig = Rig { engine, ends, channels: 2, facts: Vec::new(), late: Vec::new(), garbage: Vec::new() };
    rig.add_sampler(0, Sampler::new(polyphony, stealing, 1.0));
    rig.set_instrument(0, 0, regions);
    rig.send(Event::Assign { sampler: 0, channel: 0, instrument: Some(0) });
    rig
}

fn stolen(rig: &Rig) -> Vec<u32> {
    let stolen = |fact: &Fact| match fact {
        Fact::Stolen(_, note) => Some(*note),
        Fact::NoteEnded(..) | Fact::Late(..) => None,
    };
    rig.facts.iter().filter_map(stolen).collect()
}

#[test]
fn a_stolen_voice_fades_to_zero_within_6_ms() {
    let mut rig = with(1, Stealing::Quietest, vec![constant(1.0, 48_000)]);
    rig.note_at(0, 1, 60.0);
    // The last frame before the theft belongs to the picture: a cut would be a step from it.
    let mut out = rig.left(1000).split_off(999);
    // Velocity 1 is −84 dB: what is heard is the fade of the first voice.
    rig.send(note_on(2, 60.0, 1.0));
    out.extend(rig.left(2000));
    assert!(largest_step(&out) <= CENTRE / FADE_FRAMES as f32 * 1.01, "{}", largest_step(&out));
    assert!(out[FADE_FRAMES + 1..].iter().all(|v| *v < 1e-4));
    assert_eq!(stolen(&rig), [1]);
    assert_eq!(rig.ends.counters.voices_stolen.get(), 1);
}

#[test]
fn released_voices_go_first_and_then_the_quietest() {
    let mut rig = with(3, Stealing::Quietest, vec![constant(1.0, 480_000)]);
    for (note, velocity) in [(1, 100.0), (2, 40.0), (3, 127.0)] {
        rig.send(note_on(note, 60.0 + note as f32, velocity));
    }
    rig.render(100);
    rig.send(release(3));
    rig.render(1);
    rig.send(note_on(4, 70.0, 90.0));
    rig.render(100);
    rig.send(note_on(5, 71.0, 90.0));
    rig.render(1000);
    assert_eq!(stolen(&rig), [3, 2]);
}

#[test]
fn oldest_same_note_and_none_keep_their_word() {
    for (policy, expected) in [
        (Stealing::Oldest, vec![1]),
        (Stealing::SameNote, vec![2]),
        (Stealing::Quietest, vec![3]),
        (Stealing::None, vec![]),
    ] {
        let mut rig = with(3, policy, vec![constant(1.0, 480_000)]);
        for (note, key, velocity) in [(1, 60.0, 100.0), (2, 64.0, 100.0), (3, 67.0, 50.0)] {
            rig.send(note_on(note, key, velocity));
        }
        rig.render(100);
        rig.send(note_on(4, 64.0, 100.0));
        rig.render(1000);
        assert_eq!(stolen(&rig), expected, "{policy:?}");
        assert_eq!(rig.voices(), 3);
        assert_eq!(rig.ends.counters.dropped_events.get(), u64::from(policy == Stealing::None));
    }
}

#[test]
fn a_layer_of_the_starting_note_is_never_taken() {
    let layers = || (0..4).map(|_| constant(0.1, 480_000)).collect::<Vec<_>>();
    let mut rig = with(4, Stealing::Quietest, layers());
    rig.send(note_on(1, 60.0, 1.0));
    rig.render(100);
    rig.send(note_on(2, 60.0, 127.0));
    rig.render(1000);
    assert_eq!(stolen(&rig), [1, 1, 1, 1]);
    assert_eq!(rig.voices(), 4);
    // More layers than polyphony: the first ones sound, the rest are refused.
    let mut rig = with(2, Stealing::Quietest, layers());
    rig.send(note_on(1, 60.0, 127.0));
    assert!((rig.left(1)[0] - 0.2 * CENTRE).abs() < 1e-6);
    assert_eq!(stolen(&rig), [] as [u32; 0]);
}

#[test]
fn a_sampler_keeps_to_its_own_polyphony() {
    let mut rig = with(8, Stealing::Oldest, vec![constant(1.0, 480_000)]);
    rig.add_sampler(1, Sampler::new(2, Stealing::Oldest, 1.0));
    rig.send(Event::Assign { sampler: 1, channel: 0, instrument: Some(0) });
    for note in 1..=3 {
        rig.send(note_on(note, 60.0, 100.0));
        rig.send(Event::NoteOn {
            sampler: 1,
            channel: 0,
            late: Late::Play,
            note,
            key: 60.0,
            velocity: 100.0,
            instrument: None,
        });
    }
    rig.render(1000);
    assert_eq!(rig.facts.iter().filter(|f| matches!(f, Fact::Stolen(1, 1))).count(), 1);
    assert_eq!(rig.voices(), 5);
}

#[test]
fn a_storm_of_notes_keeps_its_bounds_and_never_clicks() {
    // Every note steals; the fades alone would need 30 000 voices.
    let mut rig = with(16, Stealing::Oldest, vec![constant(0.01, 480_000)]);
    let mut out = Vec::new();
    for round in 0..300u32 {
        for n in 0..40 {
            rig.send(note_on(round * 40 + n + 1, 60.0, 127.0));
        }
        out.extend(rig.left(16));
        assert!(rig.voices() <= 16 + 32);
    }
    rig.send(Event::Panic);
    out.extend(rig.left(4000));
    // At most 16 new voices can have been heard a block; each comes in with a step of its own (the sample starts at
    // 0.01), and each cut decays by 1/48 of its value a frame.
    assert!(largest_step(&out) <= 17.0 * 0.01 * CENTRE, "{}", largest_step(&out));
    assert!(out[out.len() - 1000..].iter().all(|v| *v == 0.0));
    assert_eq!(rig.voices(), 0);
    let ended = rig.facts.iter().filter(|f| matches!(f, Fact::NoteEnded(..))).count();
    assert_eq!(
        ended + rig.ends.counters.facts_lost.get() as usize,
        300 * 40,
        "every note was told to have ended"
    );
}

#[test]
fn a_cut_voice_is_led_to_zero() {
    // One voice and room for 32 fades: with a note every 2 frames, each note from the 34th on cuts the oldest fade,
    // 64 frames old. New notes are silent (velocity 1), so that every fall is a fade or a residue.
    let mut rig = with(1, Stealing::Oldest, vec![constant(1.0, 480_000)]);
    rig.note_at(0, 1, 60.0);
    let mut out = rig.left(10);
    for note in 2..=60 {
        rig.send(note_on(note, 60.0, 1.0));
        out.extend(rig.left(2));
    }
    out.extend(rig.left(2000));
    // The loud voice fades by 1/288 a frame until it is cut at (1 − 64/288) of its level, which then falls by 1/48 of
    // itself a frame at first: never a step of its whole level.
    let cut = largest_step(&out);
    assert!(cut <= CENTRE * (1.0 / 47.0), "{cut}");
    assert!(cut >= CENTRE * (1.0 / 288.0) * 2.0, "no voice was cut: the test does not test");
}

#[test]
fn what_is_led_to_zero_ends_on_the_same_frame_in_any_block() {
    let render = |blocks: &[usize]| {
        let mut rig = with(1, Stealing::Oldest, vec![constant(1.0, 480_000)]);
        for note in 1..=60 {
            rig.note_at(u64::from(note), note, 60.0);
        }
        rig.send_at(70, Event::AllSoundOff { sampler: 0, channel: None });
        bits(&rig.render_in(4000, blocks))
    };
    let whole = render(&[4000]);
    for blocks in [1, 7, 64, 127] {
        assert!(render(&[blocks]) == whole, "blocks of {blocks}");
    }
}

#[test]
fn a_choked_voice_makes_room() {
    let open = Region { keys: 46..=46, root_key: 46.0, choked_by: 1, ..constant(0.5, 48_000) };
    let closed = Region { keys: 42..=42, root_key: 42.0, group: 1, ..constant(0.25, 48_000) };
    let mut rig = with(1, Stealing::None, vec![open, closed]);
    rig.note_at(0, 1, 46.0);
    rig.render(1000);
    rig.send(note_on(2, 42.0, 127.0));
    assert!((rig.left(1000)[999] - 0.25 * CENTRE).abs() < 1e-6);
    assert_eq!(rig.ends.counters.dropped_events.get(), 0);
}
