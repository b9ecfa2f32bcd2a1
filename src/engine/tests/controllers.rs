//! MIDI controllers: pedals, volume, expression, pan, resets; and choke groups.

use super::*;

fn control(controller: u8, value: f32) -> Event {
    Event::Control { sampler: 0, channel: 0, controller, value }
}

fn off(key: f32) -> Event {
    Event::NoteOff { sampler: 0, channel: 0, key }
}

fn rig() -> Rig {
    Rig::playing(config(), vec![constant(1.0, 480_000)])
}

fn ended(rig: &Rig) -> Vec<u32> {
    rig.facts
        .iter()
        .filter_map(|fact| if let Fact::NoteEnded(_, note) = fact { Some(*note) } else { None })
        .collect()
}

#[test]
fn the_sustain_pedal_holds_what_is_let_go_until_it_is_up() {
    let mut rig = rig();
    rig.note_at(0, 1, 60.0);
    rig.note_at(0, 2, 64.0);
    rig.send_at(100, control(64, 127.0));
    rig.send_at(200, off(60.0));
    rig.send_at(200, release(2));
    rig.note_at(300, 3, 67.0);
    rig.render(5000);
    assert_eq!(ended(&rig), [] as [u32; 0]);
    rig.send(control(64, 63.0)); // 0..=63 is up
    rig.render(5000);
    assert_eq!(ended(&rig), [1, 2], "what is still held by its key goes on");
    rig.send(off(67.0));
    rig.render(5000);
    assert_eq!(ended(&rig), [1, 2, 3]);
}

#[test]
fn the_sustain_pedal_is_its_channels_own() {
    let mut rig = rig();
    rig.send(Event::Control { sampler: 0, channel: 1, controller: 64, value: 127.0 });
    rig.note_at(0, 1, 60.0);
    rig.send_at(100, off(60.0));
    rig.render(5000);
    assert_eq!(ended(&rig), [1]);
}

#[test]
fn sostenuto_holds_only_what_was_down_when_it_went_down() {
    let mut rig = rig();
    rig.note_at(0, 1, 60.0);
    rig.send_at(100, control(66, 127.0));
    rig.note_at(200, 2, 64.0);
    rig.send_at(300, off(60.0));
    rig.send_at(300, off(64.0));
    rig.render(5000);
    assert_eq!(ended(&rig), [2]);
    rig.send(control(66, 0.0));
    rig.render(5000);
    assert_eq!(ended(&rig), [2, 1]);
}

#[test]
fn what_two_pedals_hold_goes_with_the_second() {
    let mut rig = rig();
    rig.note_at(0, 1, 60.0);
    rig.send_at(100, control(66, 127.0));
    rig.send_at(100, control(64, 127.0));
    rig.send_at(200, off(60.0));
    rig.send_at(300, control(64, 0.0));
    rig.render(5000);
    assert_eq!(ended(&rig), [] as [u32; 0]);
    rig.send(control(66, 0.0));
    rig.render(5000);
    assert_eq!(ended(&rig), [1]);
}

#[test]
fn volume_and_expression_are_square_laws_that_multiply_and_glide() {
    for (controller, value) in [(7, 64.0), (11, 64.0), (7, 0.0)] {
        let mut rig = rig();
        rig.note_at(0, 1, 60.0);
        rig.send_at(1000, control(controller, value));
        let out = rig.left(2000);
        let expected = CENTRE * (value / 127.0f32).powi(2);
        assert_eq!(out[1000], CENTRE);
        assert!((out[1300] - expected).abs() < 1e-6, "CC {controller}: {} not {expected}", out[1300]);
        // 240 frames of glide, 2⁻²² for rounding.
        assert!(largest_step(&out) <= (CENTRE - expected) / 240.0 + 2f32.powi(-22));
        rig.send(control(18 - controller, 64.0)); // the other of 7 and 11
        let both = *rig.left(1000).last().unwrap();
        assert!((both - expected * (64.0f32 / 127.0).powi(2)).abs() < 1e-6);
    }
}

#[test]
fn pan_is_equal_power_with_64_in_the_middle() {
    for (value, expected) in [(0.0, [1.0, 0.0]), (64.0, [CENTRE, CENTRE]), (127.0, [0.0, 1.0])] {
        let mut rig = rig();
        rig.send(control(10, value));
        rig.render(300);
        rig.send(note_on(1, 60.0, 127.0));
        let out = rig.render(10);
        for side in 0..2 {
            assert!((out[side] - expected[side]).abs() < 1e-6, "CC 10 = {value}: {:?}", &out[..2]);
        }
    }
}

#[test]
fn resetting_lets_pedals_up_and_keeps_volume_and_pan() {
    let mut rig = rig();
    for event in [control(7, 64.0), control(11, 10.0), control(64, 127.0)] {
        rig.send(event);
    }
    rig.send(Event::PitchBend { sampler: 0, channel: 0, value: 8191.0 });
    rig.note_at(0, 1, 60.0);
    rig.note_at(0, 2, 60.0);
    rig.send_at(100, release(2));
    rig.render(1000);
    rig.send(control(121, 0.0));
    let out = rig.left(2000);
    assert_eq!(ended(&rig), [2]);
    assert!((out[1999] - CENTRE * (64.0f32 / 127.0).powi(2)).abs() < 1e-6);
}

#[test]
fn all_sound_off_and_all_notes_off_are_controllers_too() {
    let mut rig = rig();
    rig.note_at(0, 1, 60.0);
    rig.render(100);
    rig.send(control(120, 0.0));
    assert!(rig.left(1000)[289..].iter().all(|v| *v == 0.0));
    rig.note_at(0, 2, 60.0);
    rig.send(control(123, 0.0));
    rig.render(1000);
    assert_eq!(ended(&rig), [1, 2]);
}

#[test]
fn controllers_nobody_listens_to_change_nothing() {
    let mut rig = rig();
    rig.note_at(0, 1, 60.0);
    for controller in [0, 2, 3, 12, 32, 65, 80, 102, 119, 122] {
        rig.send_at(10, control(controller, 99.0));
    }
    assert!(rig.left(1000).iter().all(|v| *v == CENTRE));
}

#[test]
fn a_closed_hat_chokes_the_open_one_within_6_ms_and_not_itself() {
    let open = Region { keys: 46..=46, root_key: 46.0, choked_by: 1, ..constant(0.5, 48_000) };
    let closed =
        || Region { keys: 42..=42, root_key: 42.0, group: 1, choked_by: 1, ..constant(0.25, 48_000) };
    let mut rig = Rig::playing(config(), vec![open, closed(), closed()]);
    rig.note_at(0, 1, 46.0);
    let mut out = rig.left(1000).split_off(999);
    rig.send(note_on(2, 42.0, 127.0));
    out.extend(rig.left(1000));
    assert_eq!(ended(&rig), [1]);
    assert!((out[600] - 0.5 * CENTRE).abs() < 1e-6, "both layers of the closed hat sound");
    rig.send(note_on(3, 42.0, 127.0));
    rig.render(1000);
    assert_eq!(ended(&rig), [1, 2], "a new closed hat ends the old one");
}

#[test]
fn panic_leaves_no_pedal_down_and_no_bend() {
    let mut rig = rig();
    rig.send(control(64, 127.0));
    rig.send(Event::PitchBend { sampler: 0, channel: 0, value: 8191.0 });
    rig.send_at(5000, control(64, 0.0));
    rig.send_at(5000, Event::PitchBend { sampler: 0, channel: 0, value: 0.0 });
    rig.render(1000);
    rig.send(Event::Panic);
    rig.render(9000);
    rig.send(note_on(1, 60.0, 127.0));
    rig.send_at(10_100, release(1));
    rig.render(2000);
    assert_eq!(ended(&rig), [1]);
}
