//! Doing less: what fades, what reads cheaper, and that nothing of it happens unasked.

use super::*;

fn playing(interpolation: Interpolation) -> Rig {
    let mut rig =
        Rig::playing(EngineConfig { interpolation, polyphony: 64, ..config() }, vec![constant(1.0, 480_000)]);
    rig.facts.clear();
    rig
}

fn stolen(rig: &Rig) -> Vec<u32> {
    let stolen = |fact: &Fact| match fact {
        Fact::Stolen(_, note) => Some(*note),
        Fact::NoteEnded(..) | Fact::Late(..) => None,
    };
    rig.facts.iter().filter_map(stolen).collect()
}

/// Sixteen notes, of which note 1 is quietest; 5 is let go.
fn sixteen(rig: &mut Rig) {
    for note in 1..=16u32 {
        rig.send(note_on(note, 60.0 + note as f32 / 10.0, 40.0 + 5.0 * note as f32));
    }
    rig.render(100);
    rig.send(release(5));
    rig.render(1);
}

#[test]
fn the_share_that_is_asked_for_fades_quietest_first_and_those_let_go_before_them() {
    let mut rig = playing(Interpolation::Linear);
    sixteen(&mut rig);
    rig.engine.set_effort(Effort::Fewer(Share::new(0.25)));
    rig.render(1000);
    let mut faded = stolen(&rig);
    faded.sort_unstable();
    assert_eq!(faded, [1, 2, 3, 5], "a quarter of sixteen");
    assert_eq!(rig.ends.counters.voices_stolen.get(), 4);
    assert_eq!(rig.ends.counters.voices.load(), 12.0);
    // Told again, it takes a quarter of what is left.
    rig.engine.set_effort(Effort::Fewer(Share::new(0.25)));
    rig.render(1000);
    assert_eq!(rig.ends.counters.voices.load(), 9.0);
    rig.engine.set_effort(Effort::Fewer(Share::new(1.0)));
    rig.render(1000);
    assert_eq!(rig.ends.counters.voices.load(), 0.0);
    // Nobody left: nothing to do, and new notes sound.
    rig.engine.set_effort(Effort::Fewer(Share::new(1.0)));
    rig.send(note_on(99, 60.0, 100.0));
    assert!(rig.left(100)[50] > 0.1);
}

#[test]
fn what_fades_to_save_time_fades_as_a_stolen_voice_does() {
    let mut rig = playing(Interpolation::Linear);
    rig.send(note_on(1, 60.0, 127.0));
    let mut out = rig.left(1000).split_off(999);
    rig.engine.set_effort(Effort::Fewer(Share::new(1.0)));
    out.extend(rig.left(1000));
    let fade = (STEAL_FADE_S * f64::from(RATE)) as usize;
    assert!(largest_step(&out) <= CENTRE / fade as f32 * 1.01, "{}", largest_step(&out));
    assert!(out[fade + 1..].iter().all(|value| *value == 0.0));
}

/// Kernels differ in the bits of a sine. What a voice reads with is told by them.
#[test]
fn new_voices_read_cheaper_and_those_that_sound_go_on_as_they_did() {
    let render = |interpolation: Interpolation, efforts: [Effort; 2]| {
        let mut rig = Rig::playing(EngineConfig { interpolation, ..config() }, vec![sine(9_000.0, 48_000)]);
        rig.engine.set_effort(efforts[0]);
        rig.send(note_on(1, 63.3, 127.0));
        let mut out = rig.left(500);
        rig.engine.set_effort(efforts[1]);
        out.extend(rig.left(500));
        out
    };
    let (full, cheaper) = (Effort::Full, Effort::Cheaper);
    for (wanted, instead) in [
        (Interpolation::Sinc32, Interpolation::Cubic),
        (Interpolation::Sinc8, Interpolation::Cubic),
        (Interpolation::Cubic, Interpolation::Linear),
        (Interpolation::Linear, Interpolation::Linear),
    ] {
        let cheap = render(wanted, [cheaper, full]);
        assert_eq!(cheap, render(instead, [full, full]), "{wanted:?}, begun while there was too much to do");
        let dear = render(wanted, [full, cheaper]);
        assert_eq!(dear, render(wanted, [full, full]), "{wanted:?}, begun before");
        assert_eq!(wanted == instead, dear == cheap, "{wanted:?}: the two can be told apart");
    }
}

#[test]
fn thousands_of_voices_shed_in_two_passes() {
    let mut rig = Rig::playing(EngineConfig { polyphony: 4096, ..config() }, vec![constant(1.0, 480_000)]);
    rig.add_sampler(1, Sampler::new(4096, Stealing::Quietest, 1.0));
    for note in 1..=4000u32 {
        rig.send(note_on(note, 60.0, 1.0 + (note % 127) as f32));
    }
    rig.render(64);
    rig.engine.set_effort(Effort::Fewer(Share::new(0.5)));
    rig.render(1000);
    assert_eq!(rig.ends.counters.voices.load(), 2007.0, "127 of 255 of 4000 are 1993");
}
