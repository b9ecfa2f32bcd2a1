//! Sends and what is behind them: levels, tails, and effects that come and go.

use super::*;
use crate::dsp::effects::{Effect, Kind, Values, defaults};
use crate::engine::event::op;

/// A delay of 100 frames without feedback: what was sent comes back, 100 frames later, bit for bit.
fn echo() -> Box<Effect> {
    let mut values: Values = defaults(Kind::Delay);
    values[1] = 100.0 / RATE as f32;
    values[2] = 0.0;
    Box::new(Effect::new(Kind::Delay, RATE, &values))
}

fn reverb() -> Box<Effect> {
    let mut values = defaults(Kind::Reverb);
    values[1] = 0.3;
    Box::new(Effect::new(Kind::Reverb, RATE, &values))
}

const DELAY: u8 = 1;

fn rig_with(effect: Box<Effect>) -> Rig {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 480_000)]);
    let send = Kind::ALL.iter().position(|kind| *kind == effect.kind()).unwrap() as u8;
    rig.command(Command::SetEffect(0, send, Some(effect)));
    rig
}

fn send(note: u32, level: f32) -> Event {
    Event::Turn { sampler: 0, note, param: NoteParam::Delay, value: level, over_s: 0.0 }
}

fn control(controller: u8, value: f32) -> Event {
    Event::Control { sampler: 0, channel: 0, controller, value }
}

fn default_send(level: f32) -> Event {
    Event::SamplerSend { sampler: 0, send: DELAY, level }
}

#[test]
fn what_a_note_sends_comes_back_from_the_effect() {
    let mut rig = rig_with(echo());
    rig.note_at(50, 1, 60.0);
    rig.send_at(50, send(1, 0.5));
    rig.note_at(1000, 2, 60.0);
    let out = rig.left(1500);
    assert_eq!([out[49], out[50], out[149]], [0.0, CENTRE, CENTRE]);
    assert_eq!([out[150], out[999]], [CENTRE * 1.5; 2]);
    assert_eq!(out[1400], CENTRE * 2.5, "the second note sends nothing");
}

#[test]
fn a_note_without_a_level_has_its_samplers_and_the_channels_controller_is_added() {
    for (own, default, cc, expected) in [
        (None, 0.25, 0.0, 0.25),
        (Some(0.5), 0.25, 0.0, 0.5),
        (Some(0.0), 0.25, 0.0, 0.0),
        (None, 0.0, 127.0, 1.0),
        (Some(0.5), 0.25, 127.0, 1.5),
    ] {
        let mut rig = rig_with(echo());
        rig.send(default_send(default));
        rig.send(control(94, cc));
        rig.note_at(0, 1, 60.0);
        if let Some(level) = own {
            rig.send_at(0, send(1, level));
        }
        let out = rig.left(1000);
        assert_eq!(out[900], CENTRE + CENTRE * expected, "{own:?}, {default}, {cc}");
    }
}

#[test]
fn controllers_91_93_and_94_are_those_of_reverb_chorus_and_delay() {
    for (controller, kind) in [(91, Kind::Reverb), (93, Kind::Chorus), (94, Kind::Delay)] {
        for other in Kind::ALL {
            let mut rig = rig_with(Box::new(Effect::new(other, RATE, &defaults(other))));
            rig.send(control(controller, 127.0));
            rig.note_at(0, 1, 60.0);
            rig.send_at(4800, release(1));
            rig.left(20_000);
            // The default delay's first echo is 18 000 frames late.
            let heard = rig.left(10_000).iter().any(|value| *value != 0.0)
                || other == Kind::Chorus && {
                    rig.send(note_on(2, 60.0, 127.0));
                    rig.left(2000)[1990] != CENTRE
                };
            assert_eq!(heard, kind == other, "CC {controller} and {other:?}");
        }
    }
}

#[test]
fn levels_turned_while_a_note_sounds_glide_in_what_is_sent() {
    for event in [control(94, 127.0), default_send(1.0)] {
        let mut rig = rig_with(echo());
        rig.note_at(0, 1, 60.0);
        rig.send_at(1000, event);
        let out = rig.left(3000);
        assert_eq!(out[1100], CENTRE);
        assert!((out[1220] - 1.5 * CENTRE).abs() < 0.01 * CENTRE, "half way after 120 of 240 frames");
        assert_eq!(out[1400], 2.0 * CENTRE);
        // 240 frames; 2⁻²² for rounding.
        assert!(largest_step(&out[200..]) <= CENTRE / 240.0 + 2f32.powi(-22));
    }
}

#[test]
fn what_is_sent_follows_the_voice_through_its_envelope_and_its_end() {
    let mut rig = rig_with(echo());
    rig.send(default_send(1.0));
    rig.note_at(0, 1, 60.0);
    rig.send_at(1000, release(1));
    rig.send_at(1200, control(7, 64.0));
    rig.send_at(1300, Event::AllSoundOff { sampler: 0, channel: Some(0) });
    let out = rig.left(3000);
    // Wet is dry 100 frames later: worked out backwards, frame by frame.
    let mut dry = out.clone();
    for at in 100..3000 {
        dry[at] = out[at] - dry[at - 100];
    }
    assert!((dry[999] - CENTRE).abs() < 1e-5);
    // Not a step anywhere: the release, 80 dB in 480 frames, is the steepest, and what it has left of itself when the wet
    // sound's begins is e^(−9.2·100/480) = 0.15.
    let steepest = 1.15 * CENTRE * 10_000f32.ln() / 480.0;
    assert!(largest_step(&out[150..]) <= steepest * 1.01, "{}", largest_step(&out[150..]));
    assert!(dry[1600..].iter().all(|value| value.abs() < 1e-5), "nothing is left over");
}

#[test]
fn filtered_voices_send_what_comes_out_of_their_filters() {
    let cutoff = |value| Event::Turn { sampler: 0, note: 1, param: NoteParam::Cutoff, value, over_s: 0.0 };
    let mut rig = rig_with(echo());
    rig.note_at(0, 1, 60.0);
    rig.send_at(0, cutoff(300.0));
    rig.send_at(0, send(1, 1.0));
    let both = rig.left(2000);
    let mut rig = rig_with(echo());
    rig.note_at(0, 1, 60.0);
    rig.send_at(0, cutoff(300.0));
    let dry = rig.left(2000);
    for at in 100..2000 {
        assert!((both[at] - dry[at] - dry[at - 100]).abs() < 1e-6, "{at}");
    }
}

#[test]
fn a_sampler_sounds_and_stays_until_its_tails_are_silent() {
    let mut rig = rig_with(reverb());
    rig.note_at(0, 1, 60.0);
    rig.send_at(0, Event::Turn { sampler: 0, note: 1, param: NoteParam::Reverb, value: 1.0, over_s: 0.0 });
    rig.send_at(480, release(1));
    rig.command(Command::AbandonSampler(0));
    rig.left(4800);
    assert_eq!(rig.voices(), 0);
    assert!(rig.garbage.is_empty() && !rig.ends.lane.memory().is_quiet(), "its tail sounds");
    let tail = rig.left(9600);
    assert!(tail.iter().any(|value| value.abs() > 1e-4));
    // 180 dB in three times 0.3 s, and a second for what is too quiet to be heard.
    rig.left(110_000);
    assert!(matches!(rig.garbage[..], [Outgoing::Sampler(0, _)]));
    assert!(rig.ends.lane.memory().is_quiet());
}

#[test]
fn an_effect_that_is_replaced_or_taken_away_fades_and_leaves() {
    for next in [None, Some(reverb())] {
        let mut rig = rig_with(reverb());
        rig.send(Event::SamplerSend { sampler: 0, send: 0, level: 1.0 });
        rig.note_at(0, 1, 60.0);
        rig.send_at(9600, release(1));
        let before = rig.left(14_400);
        rig.command(Command::SetEffect(0, 0, next));
        let out = rig.left(1000);
        // The fade takes 288 frames from a sound that steps by itself.
        let (own, loudest) = (
            largest_step(&before[14_000..]),
            3.0 * before[14_000..].iter().fold(0.0f32, |a, b| a.max(b.abs())),
        );
        assert!((out[0] - before[14_399]).abs() <= own + loudest / 288.0);
        assert!(out[300..].iter().all(|value| *value == 0.0), "faded in 6 ms");
        assert!(matches!(rig.garbage[..], [Outgoing::Effect(_)]));
    }
}

#[test]
fn an_effect_that_is_silent_leaves_at_once_and_one_for_no_sampler_comes_back() {
    let mut rig = rig_with(echo());
    rig.command(Command::SetEffect(0, DELAY, Some(echo())));
    rig.command(Command::SetEffect(9, DELAY, Some(echo())));
    rig.command(Command::SetEffect(0, 200, Some(echo())));
    rig.left(1);
    assert_eq!(rig.garbage.iter().filter(|gone| matches!(gone, Outgoing::Effect(_))).count(), 3);
}

#[test]
fn panic_all_sound_off_and_close_silence_tails_within_6_ms_and_what_comes_after_is_heard() {
    for command in 0..3 {
        let mut rig = rig_with(reverb());
        rig.send(Event::SamplerSend { sampler: 0, send: 0, level: 1.0 });
        rig.note_at(0, 1, 60.0);
        rig.left(9600);
        match command {
            0 => rig.send(Event::Panic),
            1 => rig.send(Event::AllSoundOff { sampler: 0, channel: None }),
            _ => rig.command(Command::CloseSampler(0)),
        }
        let out = rig.left(1000);
        assert!(out[..200].iter().all(|value| *value != 0.0), "it fades");
        assert!(out[289..].iter().all(|value| *value == 0.0), "by {command}");
        if command < 2 {
            rig.note_at(11_000, 2, 60.0);
            rig.send_at(11_500, release(2));
            assert!(rig.left(6000)[4000..].iter().any(|value| value.abs() > 1e-4), "it has a tail again");
        }
    }
}

#[test]
fn parameters_are_turned_by_events() {
    let mut rig = rig_with(echo());
    rig.send(default_send(1.0));
    let level = |value| Event::EffectParam { sampler: 0, send: DELAY, param: 0, value };
    rig.note_at(0, 1, 60.0);
    rig.send_at(1000, level(0.5));
    let out = rig.left(4000);
    assert_eq!([out[999], out[3999]], [2.0 * CENTRE, 1.5 * CENTRE]);
    assert!(largest_step(&out[200..]) <= CENTRE / 2000.0);
}

#[test]
fn records_of_effects_are_checked() {
    let record =
        |op: u32, channel: f64, a: f64, b: f64| [f64::from(op), 0.0, channel, 0.0, a, b, f64::NAN, 0.0];
    let taken = |record| event::decode(&record, RATE).is_some();
    for (send, kind) in Kind::ALL.into_iter().enumerate() {
        for (number, param) in kind.params().iter().enumerate() {
            let at = |value: f64| taken(record(op::EFFECT_PARAM, send as f64, number as f64, value));
            assert!(at(f64::from(param.low as f32)) && at(f64::from(param.high as f32)), "{param:?}");
            assert!(!at(param.low - 1.0) && !at(param.high * 1.001) && !at(f64::NAN), "{param:?}");
        }
        assert!(!taken(record(op::EFFECT_PARAM, send as f64, kind.params().len() as f64, 0.0)));
        assert!(taken(record(op::SAMPLER_SEND, 0.0, send as f64, 1.0)));
    }
    assert!(!taken(record(op::EFFECT_PARAM, 3.0, 0.0, 1.0)));
    assert!(
        !taken(record(op::SAMPLER_SEND, 0.0, 3.0, 1.0)) && !taken(record(op::SAMPLER_SEND, 0.0, 0.0, -1.0))
    );
}

#[test]
fn sends_have_the_same_bits_in_any_blocks() {
    let render = |blocks: &[usize]| {
        let mut rig = rig_with(reverb());
        rig.command(Command::SetEffect(0, DELAY, Some(echo())));
        rig.send(Event::SamplerSend { sampler: 0, send: 0, level: 0.7 });
        rig.note_at(0, 1, 60.0);
        rig.note_at(700, 2, 67.3);
        rig.send_at(700, send(2, 0.3));
        rig.send_at(900, control(94, 90.0));
        rig.send_at(1300, Event::EffectParam { sampler: 0, send: 0, param: 1, value: 0.5 });
        rig.send_at(2100, release(1));
        rig.send_at(3000, Event::Panic);
        rig.note_at(4000, 3, 50.0);
        rig.send_at(4100, release(3));
        bits(&rig.render_in(6000, blocks))
    };
    let whole = render(&[6000]);
    for blocks in [&[1][..], &[7], &[64], &[511], &[100, 3, 128]] {
        assert!(render(blocks) == whole, "in blocks of {blocks:?}");
    }
}
