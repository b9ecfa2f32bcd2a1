//! What comes and goes: instruments, samplers, lanes. Nothing is freed in `process` (RT-1, RT-3): the guard around
//! every render would panic.

use super::*;
use crate::engine::instruments::Installed;
use crate::rt::lane::lane;

#[test]
fn an_instrument_replaced_while_it_sounds_leaves_when_its_last_voice_has_ended() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 3000)]);
    rig.note_at(0, 1, 60.0);
    rig.render(100);
    rig.set_instrument(0, 1, vec![constant(0.5, 3000)]);
    rig.send(note_on(2, 60.0, 127.0));
    assert!((rig.left(100)[50] - 1.5 * CENTRE).abs() < 1e-6, "what rings keeps its sample");
    assert!(rig.garbage.is_empty());
    rig.render(3000);
    assert!(matches!(rig.garbage[..], [Outgoing::Instrument(0, _)]));
}

#[test]
fn a_removed_instrument_rings_out_and_new_notes_are_silent() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 3000)]);
    rig.note_at(0, 1, 60.0);
    rig.render(100);
    rig.send_at(2000, Event::Assign { sampler: 0, channel: 0, instrument: Some(0) });
    rig.render(1);
    rig.command(Command::RemoveInstrument(0));
    rig.send(note_on(2, 60.0, 127.0));
    assert_eq!(rig.left(100)[50], CENTRE);
    rig.render(3000);
    assert!(matches!(rig.garbage[..], [Outgoing::Instrument(0, _)]));
    // The place is free again, and nothing that meant the old instrument plays the new one.
    rig.set_instrument(0, 0, vec![constant(1.0, 10)]);
    rig.send(note_on(3, 60.0, 127.0));
    assert_eq!(rig.left(1)[0], 0.0);
    rig.send(Event::Assign { sampler: 0, channel: 0, instrument: Some(0) });
    rig.send(note_on(4, 60.0, 127.0));
    assert_eq!(rig.left(1)[0], CENTRE);
}

#[test]
fn a_note_sent_before_its_instrument_goes_still_plays_it() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 3000)]);
    rig.send(note_on(1, 60.0, 127.0));
    rig.command(Command::RemoveInstrument(0));
    assert_eq!(rig.left(10)[9], CENTRE);
}

#[test]
fn an_instrument_nobody_plays_leaves_at_once() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 3000)]);
    rig.set_instrument(0, 1, vec![constant(0.5, 3000)]);
    rig.render(1);
    assert_eq!(rig.garbage.len(), 1);
}

#[test]
fn a_taken_place_gives_the_message_back() {
    let mut rig = Rig::playing(config(), vec![]);
    rig.set_instrument(3, 0, vec![]);
    rig.add_sampler(0, Sampler::new(1, Stealing::None, 1.0));
    rig.set_instrument(60_000, 1, vec![]);
    rig.render(1);
    assert!(rig.garbage.iter().all(|g| matches!(g, Outgoing::Refused(_))));
    assert_eq!(rig.garbage.len(), 3);
}

#[test]
fn a_closed_sampler_fades_forgets_its_schedule_and_leaves() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 480_000)]);
    rig.note_at(0, 1, 60.0);
    rig.note_at(2000, 2, 60.0);
    rig.render(100);
    rig.command(Command::CloseSampler(0));
    rig.send(note_on(3, 60.0, 127.0));
    let out = rig.left(4000);
    assert!(out[288..].iter().all(|v| *v == 0.0));
    assert!(matches!(rig.garbage[..], [Outgoing::Sampler(0, _)]));
    rig.add_sampler(0, Sampler::new(4, Stealing::Oldest, 1.0));
    rig.send(Event::Assign { sampler: 0, channel: 0, instrument: Some(0) });
    rig.send(note_on(1, 60.0, 127.0));
    assert_eq!(rig.left(10)[9], CENTRE);
}

#[test]
fn an_abandoned_sampler_plays_what_was_scheduled_and_then_leaves() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 1000)]);
    rig.note_at(5000, 1, 60.0);
    rig.note_at(6000, 2, 60.0);
    rig.send_at(5500, release(2));
    rig.command(Command::AbandonSampler(0));
    rig.render(5000);
    assert!(rig.garbage.is_empty());
    assert_eq!(rig.left(500)[100], CENTRE);
    rig.render(2000);
    assert!(matches!(rig.garbage[..], [Outgoing::Sampler(0, _)]));
}

#[test]
fn lanes_come_and_go_and_each_keeps_its_order() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 48_000)]);
    let (mut other, receiver) = lane(64, 8);
    rig.command(Command::AddLane(Box::new(receiver)));
    let instrument = Arc::new(Instrument::new(vec![constant(0.25, 48_000)]));
    assert!(other.send(Command::SetInstrument(1, 1, Installed::new(instrument))).is_ok());
    other.memory().push(&encode(Event::Assign { sampler: 0, channel: 9, instrument: Some(1) }, None), 0);
    let note = Event::NoteOn {
        sampler: 0,
        channel: 9,
        late: Late::Play,
        note: 77,
        key: 60.0,
        velocity: 127.0,
        instrument: None,
    };
    other.memory().push(&encode(note, None), 0);
    assert_eq!(rig.left(10)[5], 0.25 * CENTRE);
    other.memory().push(&encode(Event::AllSoundOff { sampler: 0, channel: None }, None), 0);
    drop(other);
    rig.render(1000);
    assert_eq!(rig.voices(), 0, "what was sent before the end is received");
    assert!(matches!(rig.garbage[..], [Outgoing::Lane(_)]));
}

#[test]
fn one_lane_too_many_is_given_back() {
    let mut rig = Rig::new(config());
    let senders: Vec<_> = (0..MAX_LANES)
        .map(|_| {
            let (sender, receiver) = lane(2, 1);
            rig.command(Command::AddLane(Box::new(receiver)));
            sender
        })
        .collect();
    rig.render(1);
    assert!(matches!(rig.garbage[..], [Outgoing::Refused(Command::AddLane(_))]));
    drop(senders);
}

#[test]
fn a_full_collector_loses_facts_by_count_and_garbage_never() {
    let mut rig = Rig::playing(config(), vec![Region { envelope: held(), ..constant(1.0, 1) }]);
    let mut out = [0.0; 64];
    let mut notes = 0;
    for _ in 0..5000 {
        for _ in 0..16 {
            notes += 1;
            rig.send(note_on(notes, 60.0, 127.0));
        }
        rig.engine.process(&mut out); // nobody collects
    }
    for generation in 1..=200 {
        rig.set_instrument(0, generation, vec![]);
        rig.engine.process(&mut out);
    }
    rig.collect();
    let told = rig.facts.iter().filter(|f| matches!(f, Fact::NoteEnded(..))).count() as u64;
    assert_eq!(told + rig.ends.counters.facts_lost.get(), u64::from(notes));
    assert!(rig.ends.counters.facts_lost.get() > 0);
    assert_eq!(rig.garbage.len(), 200);
}
