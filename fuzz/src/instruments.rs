//! Instruments out of bytes: everything that a region can say, in and out of its range, but for what `Region` states as
//! its own condition (keys and velocities within 0..=127, LFOs, envelopes and filters of any number).

use std::sync::Arc;

use ictus::dsp::envelope::{Curve, EnvelopeTimes};
use ictus::dsp::filter::{FilterSettings, Kind};
use ictus::dsp::interpolate::{Interpolation, Kernel};
use ictus::dsp::lfo::{LfoSettings, Shape as LfoShape, Sync};
use ictus::instrument::{
    Conditions, Instrument, LoopMode, LoopSettings, Manner, Modulation, Off, Playback, Region, RegionFilter,
    Route, Sample, SampleLoop, Shape, Source, Stage, StartRoute, StartTarget, Switches, Target, Trigger,
    VelocityCurve,
};

use crate::bytes::Bytes;

/// An instrument of up to four regions.
pub fn instrument(bytes: &mut Bytes<'_>) -> Instrument {
    let regions = (0..bytes.below(5)).map(|_| region(bytes)).collect();
    let kernel = bytes.flag().then(|| Kernel::new(bytes.of(&Interpolation::ALL)));
    Instrument::new(regions).with_kernel(kernel)
}

fn sample(bytes: &mut Bytes<'_>) -> Sample {
    let channels = 1 + bytes.byte() % 2;
    let frames = 1 + usize::from(bytes.pair()) % 3000;
    let rate = bytes.of(&[1, 1000, 8000, 44_100, 48_000, 192_000, 768_000, u32::MAX]);
    // Noise, full scale or as loud as a sample may be; or what the input says, value by value.
    let values = frames * usize::from(channels);
    let interleaved = match bytes.below(4) {
        0 => (0..values.min(64)).map(|_| bytes.around_f32(-1.0, 1.0)).collect(),
        kind => {
            let scale = if kind == 1 { 1e30 } else { 1.0 };
            let noise = |n: u32| n.wrapping_mul(2_654_435_761).rotate_left(13) as i32 as f32 * 2f32.powi(-31);
            (0..values as u32).map(|n| noise(n) * scale).collect()
        }
    };
    match Sample::new(interleaved, channels, rate) {
        Some((sample, _)) => sample,
        None => Sample::new(vec![0.5], 1, rate).expect("one frame is a sample").0,
    }
}

fn region(bytes: &mut Bytes<'_>) -> Region {
    let sample = Arc::new(sample(bytes));
    let playback = match bytes.below(4) {
        0 => Playback::Once,
        1 => Playback::OneShot,
        _ => sample_loop(bytes, &sample).map_or(Playback::Once, |round| Playback::Loop(Arc::new(round))),
    };
    let [low, high] = if bytes.flag() { [0, 127] } else { [bytes.byte() & 127, bytes.byte() & 127] };
    let [soft, loud] = if bytes.flag() { [1, 127] } else { [bytes.byte() & 127, bytes.byte() & 127] };
    Region {
        sample,
        keys: low..=high,
        velocities: soft..=loud,
        root_key: bytes.around(-10.0, 137.0),
        tune_cents: bytes.around(-1200.0, 1200.0),
        gain: bytes.around(0.0, 2.0),
        pan: bytes.around(-1.0, 1.0),
        offset_frames: bytes.around(0.0, 3000.0),
        end_frame: bytes.flag().then(|| bytes.around(0.0, 3000.0) as u32),
        playback,
        group: u32::from(bytes.byte() % 3),
        choked_by: u32::from(bytes.byte() % 3),
        envelope: envelope(bytes),
        velocity: VelocityCurve {
            track: bytes.around(-1.0, 1.0),
            points: bytes.flag().then(|| points(bytes, 0.0)),
        },
        group_polyphony: polyphony(bytes),
        key_polyphony: polyphony(bytes),
        modulation: Arc::new(modulation(bytes)),
        conditions: bytes.flag().then(|| Arc::new(conditions(bytes))),
        manner: manner(bytes),
    }
}

fn conditions(bytes: &mut Bytes<'_>) -> Conditions {
    use Trigger::{Attack, Controller, First, Legato, Release, ReleaseKey};
    Conditions {
        trigger: bytes.of(&[Attack, First, Legato, Release, ReleaseKey, Controller]),
        random: (0.0, bytes.around_f32(0.0, 1.0)),
        sequence: (bytes.byte(), bytes.byte()),
        controllers: (0..bytes.below(3))
            .map(|_| (bytes.byte(), (0.0, bytes.around_f32(0.0, 127.0))))
            .collect(),
        on_controllers: (0..bytes.below(3))
            .map(|_| (bytes.byte(), (1.0, bytes.around_f32(0.0, 127.0))))
            .collect(),
        switches: Switches {
            last: bytes.flag().then(|| (bytes.byte(), bytes.byte())),
            down: bytes.flag().then(|| bytes.byte()),
            up: bytes.flag().then(|| bytes.byte()),
            previous: bytes.flag().then(|| bytes.byte()),
        },
        ..Conditions::default()
    }
}

fn manner(bytes: &mut Bytes<'_>) -> Manner {
    if bytes.flag() {
        return Manner::default();
    }
    Manner {
        off: bytes.of(&[Off::Fast, Off::Normal, Off::Time(0.01), Off::Time(0.0)]),
        sustain: bytes.flag().then(|| bytes.byte()),
        self_mask: bytes.flag(),
        delay_s: f32::from(bytes.byte()) / 10_000.0,
        delay_random_s: f32::from(bytes.byte()) / 10_000.0,
        offset_random_frames: f32::from(bytes.byte()) * 20.0,
        release_decay_db: f32::from(bytes.byte()),
        own_bend: bytes.flag(),
        plain_controllers: bytes.flag(),
        decay_to_zero: bytes.flag(),
        reverse: bytes.flag(),
        width: f32::from(bytes.byte()) / 64.0 - 2.0,
        ..Manner::default()
    }
}

fn start_route(bytes: &mut Bytes<'_>) -> StartRoute {
    let to = match bytes.below(6) {
        0 => StartTarget::Amplitude(Stage::Attack),
        1 => StartTarget::Envelope(bytes.byte() % 6, Stage::Sustain),
        2 => StartTarget::LfoDelay(bytes.byte() % 6),
        3 => StartTarget::Offset,
        4 => StartTarget::Delay,
        _ => StartTarget::VelocityTrack,
    };
    let depth = f32::from(bytes.byte()) / 128.0 - 1.0;
    StartRoute { from: source(bytes), shape: shape(bytes), to, depth }
}

fn polyphony(bytes: &mut Bytes<'_>) -> u32 {
    match bytes.byte() {
        few @ 0..=9 => few.into(),
        _ => u32::MAX,
    }
}

fn sample_loop(bytes: &mut Bytes<'_>, sample: &Sample) -> Option<SampleLoop> {
    let settings = LoopSettings {
        start: u32::from(bytes.pair()) % (sample.frames() + 1),
        end: u32::from(bytes.pair()) % (sample.frames() + 2),
        mode: bytes.of(&[LoopMode::Continuous, LoopMode::Sustain]),
        alternate: bytes.flag(),
        crossfade_frames: bytes.around(0.0, 1000.0) as u32,
    };
    SampleLoop::new(sample, &settings)
}

fn envelope(bytes: &mut Bytes<'_>) -> EnvelopeTimes {
    if bytes.flag() {
        return EnvelopeTimes::default();
    }
    EnvelopeTimes {
        delay_s: bytes.around(0.0, 0.02),
        attack_s: bytes.around(0.0, 0.05),
        hold_s: bytes.around(0.0, 0.02),
        decay_s: bytes.around(0.0, 0.1),
        sustain: bytes.around(0.0, 1.0),
        release_s: bytes.around(0.0, 0.2),
        start: bytes.around(0.0, 1.0),
        attack_curve: curve(bytes),
        decay_curve: curve(bytes),
        release_curve: curve(bytes),
    }
}

fn curve(bytes: &mut Bytes<'_>) -> Curve {
    match bytes.below(4) {
        0 => Curve::LINEAR,
        1 => Curve::EXPONENTIAL,
        2 => Curve::falling(bytes.around(0.0, 100.0)),
        _ => Curve::shape(bytes.around(-20.0, 20.0)),
    }
}

fn modulation(bytes: &mut Bytes<'_>) -> Modulation {
    if bytes.below(3) == 0 {
        return Modulation::default();
    }
    // More than the stated maxima, too: beyond them nothing is heard.
    Modulation {
        envelopes: (0..bytes.below(6)).map(|_| envelope(bytes)).collect(),
        lfos: (0..bytes.below(6)).map(|_| lfo(bytes)).collect(),
        filters: (0..bytes.below(5)).map(|_| filter(bytes)).collect(),
        routes: (0..bytes.below(12)).map(|_| route(bytes)).collect(),
        at_start: (0..bytes.below(4)).map(|_| start_route(bytes)).collect(),
    }
}

fn lfo(bytes: &mut Bytes<'_>) -> LfoSettings {
    let shape = match bytes.below(7) {
        0 => LfoShape::Sine,
        1 => LfoShape::Triangle,
        2 => LfoShape::Square,
        3 => LfoShape::Pulse(bytes.around_f32(0.0, 1.0)),
        4 => LfoShape::SawUp,
        5 => LfoShape::SawDown,
        _ => LfoShape::Random,
    };
    LfoSettings {
        shape,
        rate_hz: bytes.around_f32(0.0, 1000.0),
        delay_s: bytes.around_f32(0.0, 0.05),
        fade_s: bytes.around_f32(0.0, 0.05),
        phase: bytes.around_f32(0.0, 1.0),
        sync: bytes.of(&[Sync::Note, Sync::Free]),
    }
}

fn filter(bytes: &mut Bytes<'_>) -> RegionFilter {
    RegionFilter {
        settings: FilterSettings {
            kind: bytes.of(&Kind::ALL),
            cutoff_hz: bytes.around_f32(0.0, 24_000.0),
            resonance_db: bytes.around_f32(-40.0, 40.0),
            gain_db: bytes.around_f32(-48.0, 48.0),
        },
        key_track_cents: bytes.around_f32(-1200.0, 1200.0),
        key_centre: bytes.around_f32(0.0, 127.0),
        velocity_track_cents: bytes.around_f32(-9600.0, 9600.0),
    }
}

fn source(bytes: &mut Bytes<'_>) -> Source {
    match bytes.below(11) {
        0 => Source::One,
        1 => Source::Velocity,
        2 => Source::Key,
        3 => Source::Random,
        4 => Source::Controller(bytes.byte()),
        5 => Source::Bend,
        6 => Source::Pressure,
        7 => Source::ChannelPressure,
        8 => Source::NotePressure,
        9 => Source::Envelope(bytes.byte() % 8),
        _ => Source::Lfo(bytes.byte() % 8),
    }
}

fn shape(bytes: &mut Bytes<'_>) -> Shape {
    match bytes.below(3) {
        0 => Shape::Linear,
        1 => Shape::Bipolar,
        _ => Shape::Table(points(bytes, -1.0)),
    }
}

fn points(bytes: &mut Bytes<'_>, low: f64) -> Arc<[f32; 128]> {
    let [from, to] = [bytes.around_f32(low, 1.0), bytes.around_f32(low, 1.0)];
    Arc::new(std::array::from_fn(|at| from + (to - from) * at as f32 / 127.0))
}

fn route(bytes: &mut Bytes<'_>) -> Route {
    let to = match bytes.below(7) {
        0 => Target::Pitch,
        1 => Target::Gain,
        2 => Target::Pan,
        3 => Target::Cutoff(bytes.byte() % 5),
        4 => Target::Resonance(bytes.byte() % 5),
        5 => Target::FilterGain(bytes.byte() % 5),
        _ => Target::LfoRate(bytes.byte() % 6),
    };
    Route {
        from: source(bytes),
        shape: shape(bytes),
        via: source(bytes),
        via_shape: shape(bytes),
        to,
        depth: bytes.around_f32(-12_000.0, 12_000.0),
    }
}
