//! What is turned while it sounds: bend, gain, pan, mute, master (RT-11), and what comes out of the channels.

use super::*;

/// 5 ms at 48 kHz.
const RAMP_FRAMES: f32 = 240.0;

#[test]
fn gain_pan_mute_and_master_move_in_straight_lines() {
    let changes: [(Event, [f32; 2]); 4] = [
        (Event::SamplerGain { sampler: 0, gain: 0.25 }, [0.25 * CENTRE; 2]),
        (Event::SamplerPan { sampler: 0, pan: -1.0 }, [CENTRE * 2f32.sqrt(), 0.0]),
        (Event::SamplerMute { sampler: 0, muted: true }, [0.0; 2]),
        (Event::MasterGain { gain: 0.0 }, [0.0; 2]),
    ];
    for (event, target) in changes {
        let mut rig = Rig::playing(config(), vec![constant(1.0, 48_000)]);
        rig.note_at(0, 1, 60.0);
        rig.send_at(1000, event);
        let out = rig.render(2000);
        for (side, target) in target.into_iter().enumerate() {
            let values: Vec<f32> = out.iter().skip(side).step_by(2).copied().collect();
            assert_eq!(values[1000], CENTRE, "{event:?}");
            assert!((values[1240] - target).abs() < 1e-6, "{event:?}");
            let slope = (target - CENTRE).abs() / RAMP_FRAMES;
            // Rounding of each value: 2⁻²⁴ either side.
            assert!(largest_step(&values) <= slope + 2f32.powi(-22), "{event:?}");
        }
    }
}

#[test]
fn unmuting_comes_back_to_the_gain_set_meanwhile() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 48_000)]);
    rig.note_at(0, 1, 60.0);
    rig.send_at(10, Event::SamplerMute { sampler: 0, muted: true });
    rig.send_at(20, Event::SamplerGain { sampler: 0, gain: 0.5 });
    rig.send_at(1000, Event::SamplerMute { sampler: 0, muted: false });
    let out = rig.left(2000);
    assert_eq!((out[999], out[1999]), (0.0, 0.5 * CENTRE));
}

#[test]
fn a_full_bend_is_two_semitones_and_only_on_its_channel() {
    let mut rig = Rig::playing(config(), vec![ramp(48_000)]);
    rig.send_at(0, Event::PitchBend { sampler: 0, channel: 1, value: 8191.0 });
    rig.send_at(0, Event::PitchBend { sampler: 0, channel: 0, value: -8192.0 });
    rig.note_at(1000, 1, 60.0);
    let out = rig.left(2000);
    let expected = 999.0 * (-200f64 / 1200.0).exp2() * f64::from(CENTRE);
    assert!((f64::from(out[1999]) - expected).abs() < 1e-3, "{} not {expected}", out[1999]);
}

#[test]
fn a_bend_starts_on_its_frame_and_moves_without_a_jump_in_the_waveform() {
    let mut rig = Rig::playing(config(), vec![ramp(48_000)]);
    rig.note_at(0, 1, 60.0);
    rig.send_at(1000, Event::PitchBend { sampler: 0, channel: 0, value: 8191.0 });
    let out = rig.left(3000);
    let speed: Vec<f32> = out.windows(2).map(|pair| (pair[1] - pair[0]) / CENTRE).collect();
    assert!(speed[..1000].iter().all(|s| (s - 1.0).abs() < 1e-3));
    // The ramp read at any speed within the bend moves by between 1 and 2^(2/12) a frame: no jump.
    assert!(speed.iter().all(|s| (0.999..=1.1236).contains(s)));
    assert!((speed[2900] - (2f32).powf(2.0 / 12.0 * 8191.0 / 8192.0)).abs() < 1e-2);
}

#[test]
fn one_channel_is_the_mean_and_further_ones_are_silent() {
    for channels in [1, 2, 3, 8, 32] {
        let left = Region { pan: -1.0, ..constant(1.0, 100) };
        let mut rig = Rig::playing(EngineConfig { channels, ..config() }, vec![left]);
        rig.note_at(0, 1, 60.0);
        for frame in rig.render(100).chunks(channels) {
            match channels {
                1 => assert_eq!(frame, [0.5]),
                _ => {
                    assert_eq!(frame[..2], [1.0, 0.0]);
                    assert!(frame[2..].iter().all(|v| *v == 0.0));
                }
            }
        }
    }
}

#[test]
fn what_is_not_finite_never_leaves_and_is_counted() {
    // Values of 10³⁰ pass a sample, but a thousand of them at gain 10⁴ leave the range of f32.
    let mut rig = Rig::playing(config(), vec![Region { gain: 1e6, ..constant(1e30, 4000) }]);
    rig.send(Event::SamplerGain { sampler: 0, gain: 10_000.0 });
    rig.send(Event::MasterGain { gain: 10_000.0 });
    rig.note_at(0, 1, 60.0);
    rig.note_at(0, 2, 60.0);
    let out = rig.render(2000);
    assert!(out.iter().all(|value| value.is_finite()));
    assert!(rig.ends.counters.non_finite.get() > 0);
}

#[test]
fn a_release_ends_in_exact_zeros() {
    let envelope = EnvelopeTimes { release_s: 3.0, ..EnvelopeTimes::default() };
    let mut rig = Rig::playing(config(), vec![Region { envelope, ..sine(440.0, 480_000) }]);
    rig.note_at(0, 1, 60.0);
    rig.send_at(100, release(1));
    let out = rig.render(4 * RATE as usize);
    assert!(out.iter().all(|value| *value == 0.0 || value.is_normal()), "denormals came out");
    assert!(out[(3 * RATE as usize + 101) * 2..].iter().all(|value| *value == 0.0));
    assert_eq!(rig.voices(), 0);
}

#[test]
fn the_limiter_holds_the_sum_and_leaves_quieter_music_alone() {
    let limiter = Some(LimiterSettings::default());
    let mut loud = Rig::playing(EngineConfig { limiter, ..config() }, vec![sine(440.0, 48_000)]);
    for note in 1..=8 {
        loud.note_at(0, note, 60.0);
    }
    let out = loud.render(20_000);
    let peak = out.iter().fold(0.0f32, |peak, value| peak.max(value.abs()));
    assert_eq!(peak, LimiterSettings::default().ceiling);
    let render = |limiter| {
        let mut rig = Rig::playing(EngineConfig { limiter, ..config() }, vec![sine(440.0, 48_000)]);
        rig.note_at(0, 1, 60.0);
        bits(&rig.render(20_000))
    };
    assert_eq!(render(limiter), render(None));
}

#[test]
fn meters_read_what_left_since_they_were_last_asked() {
    let mut rig = Rig::playing(config(), vec![Region { pan: -1.0, ..constant(0.5, 300) }]);
    rig.note_at(100, 1, 60.0);
    rig.render_in(400, &[100]);
    let meter = |rig: &Rig| rig.ends.counters.meter.read();
    let reading = meter(&rig);
    assert_eq!(reading.peak, [0.5, 0.0]);
    // 300 of 400 frames at 0.5.
    assert!((reading.rms[0] - (0.25f64 * 300.0 / 400.0).sqrt()).abs() < 1e-9, "{}", reading.rms[0]);
    rig.render_in(400, &[100]);
    assert_eq!(meter(&rig), Reading::default());
}

fn turn(note: u32, param: NoteParam, value: f32, over_s: f32) -> Event {
    Event::Turn { sampler: 0, note, param, value, over_s }
}

#[test]
fn one_note_turns_and_the_others_stay() {
    let mut rig = Rig::playing(config(), vec![constant(1.0, 48_000)]);
    rig.note_at(0, 1, 60.0);
    rig.note_at(0, 2, 60.0);
    rig.send_at(1000, turn(1, NoteParam::Gain, 0.0, 0.01));
    let out = rig.left(3000);
    // From two voices to one, in a straight line of 480 frames.
    assert_eq!(out[1000], 2.0 * CENTRE);
    assert!((out[1240] - 1.5 * CENTRE).abs() < 1e-5);
    assert!((out[1480] - CENTRE).abs() < 1e-6 && (out[2999] - CENTRE).abs() < 1e-6);
    assert!(largest_step(&out) <= CENTRE / 480.0 + 2f32.powi(-21));
}

#[test]
fn what_is_turned_as_a_note_starts_is_so_from_its_first_frame() {
    let mut rig = Rig::playing(config(), vec![ramp(48_000)]);
    rig.send(Event::Control { sampler: 0, channel: 0, controller: 7, value: 63.5 });
    rig.render(480);
    rig.note_at(480, 1, 60.0);
    for (param, value) in [(NoteParam::Gain, 0.5), (NoteParam::Pan, -1.0), (NoteParam::Detune, 1200.0)] {
        rig.send_at(480, turn(1, param, value, 0.0));
    }
    let out = rig.render(100);
    for (n, frame) in out.chunks(2).enumerate() {
        // An octave up; volume a quarter, gain a half; hard left is √2 of the centre's 1/√2.
        let expected = 2.0 * n as f32 * 0.25 * 0.5;
        assert!(
            (frame[0] - expected).abs() <= expected * 2f32.powi(-21),
            "frame {n}: {} not {expected}",
            frame[0]
        );
        assert!(frame[1].abs() < 1e-5);
    }
}

#[test]
fn detuning_glides_and_arrives() {
    let mut rig = Rig::playing(config(), vec![ramp(480_000)]);
    rig.note_at(0, 1, 60.0);
    rig.send_at(1000, turn(1, NoteParam::Detune, -1200.0, 0.1));
    let out = rig.left(8000);
    let speed: Vec<f32> = out.windows(2).map(|pair| (pair[1] - pair[0]) / CENTRE).collect();
    assert!(speed[..1000].iter().all(|s| (s - 1.0).abs() < 1e-3));
    // Half way, 600 cents down; then an octave.
    assert!((speed[1000 + 2400] - 0.5f32.sqrt()).abs() < 0.01, "{}", speed[3400]);
    assert!(speed[6000..].iter().all(|s| (s - 0.5).abs() < 2e-3));
    // Values near 5000 are rounded to 2⁻¹¹, and two differences of them stand side by side: 4e-3 at the gain of 0.7.
    assert!(speed.windows(2).all(|pair| pair[1] <= pair[0] + 4e-3), "downwards throughout");
}
