//! What holds for every stream of events: same bits for any block partition (RT-6), same bits twice (RT-7), finite
//! output (RT-8), no voice and no note lost, independence of where on the clock it happens.

use super::*;
use crate::dsp::filter::{FilterSettings, Kind};
use crate::dsp::lfo::{LfoSettings, Shape};
use crate::instrument::{LoopMode, LoopSettings, Playback, SampleLoop};
use crate::instrument::{Modulation, RegionFilter, Route, Source, Stage, StartRoute, StartTarget, Target};
use proptest::prelude::*;

fn instrument() -> Vec<Region> {
    let noise: Vec<f32> =
        (0..2000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as f32 / 1.7e7 - 1.0).collect();
    let looped = mono(noise.clone());
    let settings =
        LoopSettings { crossfade_frames: 200, ..LoopSettings::forward(500, 1400, LoopMode::Sustain) };
    let sample_loop = SampleLoop::new(&looped, &settings).unwrap();
    let stereo = Sample::new(noise.clone(), 2, 44_100).unwrap().0;
    let envelope = EnvelopeTimes {
        delay_s: 0.001,
        attack_s: 0.004,
        hold_s: 0.002,
        decay_s: 0.03,
        sustain: 0.4,
        release_s: 0.02,
        ..EnvelopeTimes::default()
    };
    vec![
        Region {
            keys: 0..=70,
            group: 1,
            choked_by: 2,
            playback: Playback::Loop(Arc::new(sample_loop)),
            envelope,
            pan: -0.3,
            ..Region::of(looped)
        },
        Region {
            group: 2,
            keys: 40..=127,
            velocities: 50..=127,
            tune_cents: 7.0,
            ..Region::of(Arc::new(stereo))
        },
        Region { keys: 0..=50, modulation: Arc::new(moving()), ..Region::of(mono(noise.clone())) },
        Region { keys: 60..=127, playback: Playback::OneShot, pan: 0.8, ..Region::of(mono(noise)) },
    ]
}

/// Envelopes, LFOs and filters on everything they can move.
fn moving() -> Modulation {
    let envelope = EnvelopeTimes { delay_s: 0.003, attack_s: 0.004, decay_s: 0.02, sustain: 0.0, ..held() };
    let lfo = |shape, rate_hz| LfoSettings { shape, rate_hz, fade_s: 0.01, ..LfoSettings::default() };
    let filter = |kind| {
        let settings = FilterSettings { kind, cutoff_hz: 900.0, resonance_db: 12.0, gain_db: 6.0 };
        RegionFilter { key_track_cents: 100.0, ..RegionFilter::new(settings) }
    };
    Modulation {
        envelopes: vec![envelope],
        lfos: vec![lfo(Shape::Sine, 7.0), lfo(Shape::Random, 50.0), lfo(Shape::SawUp, 3.0)],
        filters: vec![filter(Kind::LowPass), filter(Kind::Peak)],
        routes: vec![
            Route::new(Source::Envelope(0), Target::Pitch, -300.0),
            Route::new(Source::Lfo(0), Target::Cutoff(0), 2400.0).via(Source::Controller(1)),
            Route::new(Source::Lfo(1), Target::Gain, 6.0),
            Route::new(Source::Lfo(2), Target::Pan, 0.5).via(Source::Pressure),
            Route::new(Source::Velocity, Target::Cutoff(1), 1200.0),
            Route::new(Source::Random, Target::LfoRate(2), 1200.0),
            Route::new(Source::Bend, Target::Resonance(1), 9.0),
            Route::new(Source::Controller(7), Target::Amplitude, 1.5),
            Route::new(Source::Lfo(0), Target::AmplitudeSum, 0.5),
            Route::new(Source::Lfo(2), Target::Width, 1.0),
        ],
        at_start: [
            StartTarget::Amplitude(Stage::Attack),
            StartTarget::Envelope(0, Stage::Decay),
            StartTarget::LfoDelay(1),
            StartTarget::LfoFade(2),
            StartTarget::Delay,
            StartTarget::VelocityTrack,
        ]
        .map(|to| StartRoute { from: Source::Controller(1), shape: Default::default(), to, depth: 0.02 })
        .into(),
    }
}

/// All that something listens to, RPN and MPE's zones among them.
const CONTROLLERS: [u8; 26] =
    [0, 1, 5, 6, 7, 10, 11, 38, 64, 65, 66, 67, 71, 72, 73, 74, 75, 84, 91, 96, 97, 100, 101, 120, 121, 123];

fn any_event() -> impl Strategy<Value = Event> {
    let sampler = 0;
    prop_oneof![
        8 => (1u32..40, 0u8..3, 20f32..110.0, 1f32..127.0)
            .prop_map(move |(note, channel, key, velocity)| Event::NoteOn { sampler, channel, late: Late::Play, note, key: (key * 2.0).round() / 2.0, velocity, instrument: None }),
        3 => (0u8..3, 20u8..110).prop_map(move |(channel, key)| Event::NoteOff { sampler, channel, key: key.into() }),
        4 => (1u32..40, any::<bool>())
            .prop_map(move |(note, timed)| Event::Release { sampler, note, timed }),
        2 => (0u8..3, -8192f32..8191.0).prop_map(move |(channel, value)| Event::PitchBend { sampler, channel, value }),
        1 => (0f32..2.0).prop_map(move |gain| Event::SamplerGain { sampler, gain }),
        1 => (-1f32..1.0).prop_map(move |pan| Event::SamplerPan { sampler, pan }),
        1 => any::<bool>().prop_map(move |muted| Event::SamplerMute { sampler, muted }),
        1 => (0f32..2.0).prop_map(move |gain| Event::MasterGain { gain }),
        1 => prop::option::of(0u8..3).prop_map(move |channel| Event::AllNotesOff { sampler, channel }),
        1 => prop::option::of(0u8..3).prop_map(move |channel| Event::AllSoundOff { sampler, channel }),
        1 => (0u8..3, any::<bool>()).prop_map(move |(channel, on)| Event::Assign { sampler, channel, instrument: on.then_some(0) }),
        6 => (1u32..40, 0..PARAMS.len(), 0f64..1.0, 0f32..0.05).prop_map(move |(note, param, place, over_s)| {
            let info = PARAMS[param];
            // A parameter's whole range, but for amplitudes and times: an hour of attack is silence.
            let high = if info.high > 1000.0 && info.name != "detune" { info.high.sqrt() } else { info.high };
            let value = (info.low + (high - info.low) * place) as f32;
            Event::Turn { sampler, note, param: info.param, value, over_s }
        }),
        2 => (0u8..3, 0f32..127.0).prop_map(move |(channel, value)| Event::ChannelPressure { sampler, channel, value }),
        2 => (0u8..3, 20u8..110, 0f32..127.0).prop_map(move |(channel, key, value)| {
            Event::PolyPressure { sampler, channel, key: key.into(), value }
        }),
        1 => (0u8..3, 0u8..2).prop_map(move |(channel, program)| {
            Event::Program { sampler, channel, program, bank: None }
        }),
        1 => prop::option::of(1u32..40).prop_map(move |note| Event::Cancel { sampler, note }),
        4 => (0u8..3, prop::sample::select(CONTROLLERS.to_vec()), 0f32..127.0)
            .prop_map(move |(channel, controller, value)| Event::Control { sampler, channel, controller, value }),
        1 => Just(Event::Panic),
    ]
}

fn rig(polyphony: usize, interpolation: Interpolation) -> Rig {
    let mut rig = Rig::playing(EngineConfig { polyphony, interpolation, ..config() }, instrument());
    for channel in 1..3 {
        rig.send(Event::Assign { sampler: 0, channel, instrument: Some(0) });
    }
    rig
}

const FRAMES: usize = 6000;

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 48 }, ..ProptestConfig::default() })]

    #[test]
    fn any_partition_gives_the_same_bits(
        events in prop::collection::vec((0u64..5000, any_event()), 1..60),
        blocks in prop::collection::vec(1usize..700, 1..12),
        polyphony in 1usize..12,
        kernel in 0usize..5,
    ) {
        let interpolation = Interpolation::ALL[kernel];
        let mut renders = [vec![FRAMES], vec![1], vec![7], vec![64], vec![511], blocks].into_iter().map(|blocks| {
            let mut rig = rig(polyphony, interpolation);
            for (frame, event) in &events {
                rig.send_at(*frame, *event);
            }
            let out = rig.render_in(FRAMES, &blocks);
            // Facts of one chunk are told in the order of starting, not of ending.
            let mut facts = std::mem::take(&mut rig.facts);
            facts.sort_unstable();
            (bits(&out), facts, rig.ends.counters.voices_stolen.get())
        });
        let whole = renders.next().unwrap();
        for other in renders {
            prop_assert!(other.0 == whole.0, "the bits differ");
            prop_assert_eq!(&other.1, &whole.1);
            prop_assert_eq!(other.2, whole.2);
        }
    }

    #[test]
    fn everything_ends_stays_finite_and_bounded(
        events in prop::collection::vec((0u64..5000, any_event()), 1..120),
        polyphony in 1usize..40,
        kernel in 0usize..5,
    ) {
        let mut rig = rig(polyphony, Interpolation::ALL[kernel]);
        for (frame, event) in &events {
            rig.send_at(*frame, *event);
        }
        rig.send_at(5000, Event::Panic);
        let out = rig.render_in(FRAMES, &[128]);
        // Values ≤ 1.3 after cubic overshoot, ≤ 3 after a sinc's; at most polyphony + 32 voices, gain 2 × √2 × 2.
        let overshoot = if kernel < 2 { 1.3 } else { 3.0 };
        let bound = (polyphony + 32) as f32 * overshoot * 2.0 * 2.0 * std::f32::consts::SQRT_2;
        prop_assert!(out.iter().all(|value| value.is_finite() && value.abs() <= bound));
        prop_assert!(out[out.len() - 100..].iter().all(|value| *value == 0.0));
        prop_assert_eq!(rig.voices(), 0);
        prop_assert_eq!(rig.ends.counters.malformed_records.get(), 0);
    }

    #[test]
    fn the_same_music_later_has_the_same_bits(
        notes in prop::collection::vec((0u64..2000, 1u32..40, 20f32..110.0, 1f32..127.0, 1u64..1500), 1..30),
        shift in 1u64..1000,
        kernel in 0usize..5,
    ) {
        let render = |shift: u64| {
            let mut rig = rig(24, Interpolation::ALL[kernel]);
            for (frame, note, key, velocity, length) in &notes {
                rig.send_at(frame + shift, note_on(*note, *key, *velocity));
                rig.send_at(frame + shift + length, release(*note));
            }
            rig.render_in(FRAMES + shift as usize, &[256])
        };
        let (there, later) = (render(0), render(shift));
        prop_assert!(bits(&later[2 * shift as usize..]) == bits(&there), "the bits differ");
    }

    #[test]
    fn any_record_whatever_leaves_the_engine_standing(
        records in prop::collection::vec((0u32..16, any::<[f64; 7]>()), 1..200),
    ) {
        let mut rig = rig(8, Interpolation::Cubic);
        for (op, rest) in records {
            let mut record = [f64::from(op); 8];
            record[1..].copy_from_slice(&rest);
            rig.ends.lane.memory().push(&record, 0);
        }
        prop_assert!(rig.render_in(1000, &[100]).iter().all(|value| value.is_finite()));
    }
}

#[test]
fn two_renders_of_the_same_events_are_equal() {
    let render = || {
        let mut rig = rig(4, Interpolation::Cubic);
        for note in 1..50u32 {
            rig.note_at(u64::from(note) * 97, note, 40.0 + note as f32);
        }
        bits(&rig.render_in(8000, &[128]))
    };
    assert_eq!(render(), render());
}

#[test]
fn extreme_parameters_stay_finite() {
    Interpolation::ALL.into_iter().for_each(extreme_parameters_stay_finite_with);
}

fn extreme_parameters_stay_finite_with(interpolation: Interpolation) {
    for key in [0.0, 127.0] {
        for root_key in [-200.0, 0.0, 127.0, 400.0] {
            for rate in [1_000, 768_000] {
                for gain in [0.0, 1e-30, 1e3] {
                    let sample =
                        Sample::new((0..500).map(|n| (n as f32).sin()).collect(), 1, rate).unwrap().0;
                    let region = Region { root_key, gain, ..Region::of(Arc::new(sample)) };
                    let mut rig = Rig::playing(EngineConfig { interpolation, ..config() }, vec![region]);
                    rig.send(Event::PitchBend { sampler: 0, channel: 0, value: 8191.0 });
                    rig.note_at(0, 1, key);
                    rig.send_at(1500, release(1));
                    assert!(rig.render_in(3000, &[64]).iter().all(|value| value.is_finite()));
                }
            }
        }
    }
}
