//! A zone and its sample → regions of the engine's model.
//!
//! Generators become settings and routes. What depends on the key or the velocity and cannot be moved while a note sounds
//! (times of envelopes by key, attack by velocity …) is settled by cutting the zone up: a region for each key, and one for
//! each four velocities, each with its own times.
//!
//! Attenuation (generator 48) counts 0.4 of what it says, as on the E-mu and Creative cards that banks were made on; every
//! current player does the same, and banks sound out of balance in one that does not. Modulators count in full.
//! The attack of the modulation envelope, convex by the specification (9.1.7: a logarithm), is the engine's exponential of
//! shape −5, which is within 0.19 of it at its worst and 0.05 beyond a third.
//! Source: SoundFont 2.04, sections 8.1.2, 8.1.3, 9.1.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::chunks::SampleHeader;
use super::generators as gens;
use super::modulators::{Fixed, MOD_ENV, MOD_LFO, Modulator, VIB_LFO, routed};
use super::samples::Decoded;
use super::zones::Zone;
use crate::dsp::envelope::{Curve, EnvelopeTimes};
use crate::dsp::filter::{FilterSettings, Kind};
use crate::dsp::lfo::{LfoSettings, Shape as Wave};
use crate::instrument::{
    LoopMode, LoopSettings, Modulation, Playback, Region, RegionFilter, Route, Sample, SampleLoop, Source,
    Target, VelocityCurve,
};

/// What is left of an attenuation in the tables of an E-mu 8000.
const ATTENUATION_HEARD: f64 = 0.4;
/// Hz of key 0, which absolute cents are counted from.
const KEY_0_HZ: f64 = 8.175_798_915_643_707;
/// Velocities that share the times of a region where velocity changes them.
const VELOCITY_STEP: u8 = 4;
/// Most routes of a region: work per block has a bound (RT-4), and no bank has a tenth.
const MAX_ROUTES: usize = 64;

/// Timecents as seconds; −12000 and below are no time at all.
fn seconds(timecents: f64) -> f64 {
    if timecents <= -12_000.0 { 0.0 } else { (timecents / 1200.0).exp2() }
}

fn hz(cents: f64) -> f32 {
    (KEY_0_HZ * (cents / 1200.0).exp2()) as f32
}

/// The regions of a zone. `group`: bits that tell its preset's exclusive classes from those of others.
pub(super) fn of_zone(
    zone: &Zone,
    header: &SampleHeader,
    decoded: &Decoded,
    group: u32,
    warnings: &mut Vec<String>,
) -> Vec<Region> {
    let gen_ = |number| zone.generators.get(number);
    let fixed_of = |number| Some(f64::from(gen_(number))).filter(|value| *value >= 0.0);
    let fixed = Fixed { key: fixed_of(gens::KEY), velocity: fixed_of(gens::VELOCITY) };
    let Some(base) = base(zone, header, decoded, fixed, group, warnings) else { return Vec::new() };

    // What differs by key or velocity in what the engine does not move.
    let settled: Vec<&Modulator> =
        zone.modulators.iter().filter(|modulator| !modulator.is_routed() && !modulator.is_send()).collect();
    let by_key = [
        gens::KEY_TO_MOD_ENV_HOLD,
        gens::KEY_TO_MOD_ENV_DECAY,
        gens::KEY_TO_VOL_ENV_HOLD,
        gens::KEY_TO_VOL_ENV_DECAY,
    ]
    .iter()
    .any(|number| gen_(*number) != 0);
    let each_key =
        (by_key && fixed.key.is_none()) || settled.iter().any(|modulator| modulator.differs_by(fixed).0);
    let each_velocity = settled.iter().any(|modulator| modulator.differs_by(fixed).1);
    for modulator in &settled {
        if modulator.value(fixed, 60.0, 64.0).is_none() {
            let to =
                gens::info(modulator.record.destination).map_or("an unknown generator", |info| info.name);
            warnings.push(format!(
                "a modulator (source 0x{:04X}) of {to} is left out: it can only move that while a note sounds",
                modulator.record.source
            ));
        }
    }
    let modulation = modulation(zone, fixed, warnings);
    let key_cells = cells(zone.keys, if each_key { 1 } else { 128 });
    let velocity_cells = cells(zone.velocities, if each_velocity { VELOCITY_STEP } else { 128 });
    let mut regions = Vec::new();
    for keys in &key_cells {
        for velocities in &velocity_cells {
            let middle =
                |range: &RangeInclusive<u8>| f64::from(*range.start()).midpoint(f64::from(*range.end()));
            let key = fixed.key.unwrap_or_else(|| middle(keys));
            let velocity = fixed.velocity.unwrap_or_else(|| middle(velocities));
            let value = |number: u16| {
                let of = settled.iter().filter(|modulator| modulator.record.destination == number);
                let more: f64 = of.filter_map(|modulator| modulator.value(fixed, key, velocity)).sum();
                zone.generators.with(number, more)
            };
            regions.push(Region {
                keys: keys.clone(),
                velocities: velocities.clone(),
                envelope: amplitude_envelope(&value, key),
                modulation: modulation.finish(&value, key),
                ..base.clone()
            });
        }
    }
    regions
}

/// A range in pieces of at most `step`.
fn cells((low, high): (u8, u8), step: u8) -> Vec<RangeInclusive<u8>> {
    (low..=high).step_by(step.into()).map(|from| from..=high.min(from.saturating_add(step - 1))).collect()
}

/// Everything that is the same for all keys and velocities; `None` when the sample leaves nothing to play.
fn base(
    zone: &Zone,
    header: &SampleHeader,
    decoded: &Decoded,
    fixed: Fixed,
    group: u32,
    warnings: &mut Vec<String>,
) -> Option<Region> {
    let gen_ = |number| zone.generators.get(number);
    let sample = &decoded.sample;
    let frames = i64::from(sample.frames());
    let moved = |at: i64, fine, coarse| at + i64::from(gen_(fine)) + 32_768 * i64::from(gen_(coarse));
    let start = moved(0, gens::START, gens::START_COARSE).clamp(0, frames);
    let end = moved(frames, gens::END, gens::END_COARSE).clamp(0, frames);
    if start >= end {
        warnings.push(format!(
            "sample \"{}\" is left out of a zone that moves its start behind its end",
            header.name
        ));
        return None;
    }
    let playback = match gen_(gens::SAMPLE_MODES) {
        mode @ (1 | 3) => {
            let from = moved(decoded.looped.0.into(), gens::LOOP_START, gens::LOOP_START_COARSE);
            let to = moved(decoded.looped.1.into(), gens::LOOP_END, gens::LOOP_END_COARSE);
            let mode = if mode == 1 { LoopMode::Continuous } else { LoopMode::Sustain };
            looped(sample, from, to, mode).unwrap_or_else(|| {
                warnings.push(format!(
                    "sample \"{}\" is played without its loop, {from} to {to}: it has {frames} frames",
                    header.name
                ));
                Playback::Once
            })
        }
        _ => Playback::Once,
    };
    let root = match (gen_(gens::ROOT_KEY), header.key) {
        (said @ 0..=127, _) => f64::from(said),
        (_, recorded @ 0..=127) => f64::from(recorded),
        _ => 60.0, // 255 is "no pitch", others are none
    };
    let mut tune_cents =
        f64::from(100 * gen_(gens::COARSE_TUNE) + gen_(gens::FINE_TUNE)) + f64::from(header.correction_cents);
    // The engine moves 100 cents a key; what a zone wants differently is a route by key (see `modulation`), which begins
    // at key 0.
    let scale = f64::from(gen_(gens::SCALE_TUNING));
    tune_cents += match fixed.key {
        Some(key) => scale * (key - root) + 100.0 * root,
        None => (100.0 - scale) * root,
    };
    let velocity = velocity_curve(zone);
    let fixed_gain = fixed.velocity.map_or(1.0, |fixed| velocity.gain(fixed));
    let quiet_cb =
        ATTENUATION_HEARD * f64::from(gen_(gens::ATTENUATION)) + f64::from(gen_(gens::FILTER_Q)) / 2.0;
    let class = gen_(gens::EXCLUSIVE_CLASS) as u32;
    let exclusive = if class == 0 { 0 } else { group | class };
    Some(Region {
        root_key: root,
        tune_cents,
        gain: 10f64.powf(-quiet_cb / 200.0) * fixed_gain,
        pan: f64::from(gen_(gens::PAN)) / 500.0,
        offset_frames: start as f64,
        end_frame: (end < frames).then_some(end as u32),
        playback,
        group: exclusive,
        choked_by: exclusive,
        velocity: if fixed.velocity.is_some() { VelocityCurve::flat() } else { velocity },
        ..Region::of(Arc::clone(sample))
    })
}

/// A loop that lies within its sample, or nearly: an end up to 8 frames behind it is taken for the sample's.
fn looped(sample: &Arc<Sample>, from: i64, to: i64, mode: LoopMode) -> Option<Playback> {
    let frames = i64::from(sample.frames());
    let to = if (frames..=frames + 8).contains(&to) { frames } else { to };
    let (from, to) = (u32::try_from(from).ok()?, u32::try_from(to).ok()?);
    Some(Playback::Loop(Arc::new(SampleLoop::new(sample, &LoopSettings::forward(from, to, mode))?)))
}

/// 40·log10(v/127) dB by default, which is the engine's own curve.
fn velocity_curve(zone: &Zone) -> VelocityCurve {
    let exponent = zone.modulators.iter().find_map(Modulator::velocity_exponent).unwrap_or(2.0);
    if exponent == 2.0 {
        return VelocityCurve::default();
    }
    if exponent == 0.0 {
        return VelocityCurve::flat();
    }
    let points =
        std::array::from_fn(|velocity| ((velocity as f64).max(0.5) / 127.0).powf(exponent).min(8.0) as f32);
    VelocityCurve { track: 1.0, points: Some(Arc::new(points)) }
}

/// The envelope of a zone's level. `value`: of a generator, for this key and velocity.
fn amplitude_envelope(value: &impl Fn(u16) -> f64, key: f64) -> EnvelopeTimes {
    let by_key = |number| value(number) * (60.0 - key);
    let sustain_cb = value(gens::VOL_ENV_SUSTAIN);
    let silent = sustain_cb >= 1000.0;
    // A decay is the time for 100 dB; down to the sustain level it takes its part of that.
    let fall_db = if silent { 100.0 } else { sustain_cb / 10.0 };
    let decay = seconds(value(gens::VOL_ENV_DECAY) + by_key(gens::KEY_TO_VOL_ENV_DECAY));
    EnvelopeTimes {
        delay_s: seconds(value(gens::VOL_ENV_DELAY)),
        // The shortest that can be said is 1 ms, and that is heard as such: no click.
        attack_s: (value(gens::VOL_ENV_ATTACK) / 1200.0).exp2(),
        hold_s: seconds(value(gens::VOL_ENV_HOLD) + by_key(gens::KEY_TO_VOL_ENV_HOLD)),
        decay_s: decay * fall_db / 100.0,
        sustain: if silent { 0.0 } else { 10f64.powf(-sustain_cb / 200.0) },
        release_s: seconds(value(gens::VOL_ENV_RELEASE)),
        start: 0.0,
        attack_curve: Curve::LINEAR,
        decay_curve: Curve::falling(fall_db),
        release_curve: Curve::falling(100.0),
    }
}

/// The envelope of pitch and filter.
fn modulation_envelope(value: &impl Fn(u16) -> f64, key: f64) -> EnvelopeTimes {
    let by_key = |number| value(number) * (60.0 - key);
    let sustain = 1.0 - value(gens::MOD_ENV_SUSTAIN) / 1000.0;
    let decay = seconds(value(gens::MOD_ENV_DECAY) + by_key(gens::KEY_TO_MOD_ENV_DECAY));
    let release = seconds(value(gens::MOD_ENV_RELEASE));
    EnvelopeTimes {
        delay_s: seconds(value(gens::MOD_ENV_DELAY)),
        attack_s: seconds(value(gens::MOD_ENV_ATTACK)),
        hold_s: seconds(value(gens::MOD_ENV_HOLD) + by_key(gens::KEY_TO_MOD_ENV_HOLD)),
        // Times are for the whole way; from or to the sustain level it is a part.
        decay_s: decay * (1.0 - sustain),
        sustain,
        release_s: if sustain > 0.0 { release * sustain } else { release },
        start: 0.0,
        attack_curve: Curve::shape(-5.0),
        decay_curve: Curve::LINEAR,
        release_curve: Curve::LINEAR,
    }
}

/// What moves a zone, but for the envelope, which may differ by key and velocity.
struct Moving {
    routes: Vec<Route>,
    lfos: Vec<LfoSettings>,
    filters: Vec<RegionFilter>,
    /// The same for all cells that have the same envelope.
    plain: Option<Arc<Modulation>>,
}

impl Moving {
    fn finish(&self, value: &impl Fn(u16) -> f64, key: f64) -> Arc<Modulation> {
        if let Some(plain) = &self.plain {
            return Arc::clone(plain);
        }
        Arc::new(Modulation {
            envelopes: vec![modulation_envelope(value, key)],
            lfos: self.lfos.clone(),
            filters: self.filters.clone(),
            routes: self.routes.clone(),
            ..Modulation::none()
        })
    }
}

fn modulation(zone: &Zone, fixed: Fixed, warnings: &mut Vec<String>) -> Moving {
    let gen_ = |number| f64::from(zone.generators.get(number));
    let mut routes: Vec<Route> = Vec::new();
    // Depths that the zone itself has.
    for number in [
        gens::MOD_LFO_TO_PITCH,
        gens::VIB_LFO_TO_PITCH,
        gens::MOD_ENV_TO_PITCH,
        gens::MOD_LFO_TO_CUTOFF,
        gens::MOD_ENV_TO_CUTOFF,
        gens::MOD_LFO_TO_VOLUME,
    ] {
        if let Some((to, Some(from), unit)) = routed(number)
            && gen_(number) != 0.0
        {
            routes.push(Route::new(from, to, (gen_(number) * unit) as f32));
        }
    }
    // Keys that are not 100 cents apart, and a key of its own, which is 0: the engine adds 100 cents a key.
    let scale = if fixed.key.is_some() { 0.0 } else { gen_(gens::SCALE_TUNING) };
    if scale != 100.0 {
        routes.push(Route::new(Source::Key, Target::Pitch, ((scale - 100.0) * 127.0) as f32));
    }
    let mut sends = gen_(gens::REVERB_SEND) > 0.0 || gen_(gens::CHORUS_SEND) > 0.0;
    for modulator in &zone.modulators {
        sends |= modulator.is_send();
        if modulator.velocity_exponent().is_some() || !modulator.is_routed() {
            continue;
        }
        match modulator.route(fixed) {
            Ok(route) => routes.extend(route),
            Err(why) => warnings.push(format!(
                "a modulator (source 0x{:04X}, amount source 0x{:04X}) is left out: {why}",
                modulator.record.source, modulator.record.amount_source
            )),
        }
    }
    if sends {
        warnings.push("its reverb and chorus sends are not heard: voices have none".into());
    }
    if routes.len() > MAX_ROUTES {
        warnings.push(format!("a zone has {} modulators; the first {MAX_ROUTES} are followed", routes.len()));
        routes.truncate(MAX_ROUTES);
    }
    let uses = |wanted: Source| routes.iter().any(|route| route.from == wanted || route.via == wanted);
    let lfo = |delay, rate| LfoSettings {
        shape: Wave::Triangle,
        rate_hz: hz(gen_(rate)),
        delay_s: seconds(gen_(delay)) as f32,
        ..LfoSettings::default()
    };
    let lfos = match (uses(Source::Lfo(MOD_LFO)), uses(Source::Lfo(VIB_LFO))) {
        (false, false) => Vec::new(),
        _ => vec![lfo(gens::MOD_LFO_DELAY, gens::MOD_LFO_RATE), lfo(gens::VIB_LFO_DELAY, gens::VIB_LFO_RATE)],
    };
    let (cutoff, q) = (gen_(gens::FILTER_CUTOFF), gen_(gens::FILTER_Q));
    let moves = routes.iter().any(|route| matches!(route.to, Target::Cutoff(_) | Target::Resonance(_)));
    // "If the cutoff exceeds 20 kHz and Q is zero, the response is flat": 13500 cents are 19.9 kHz, and the default.
    let filters = if cutoff >= 13_500.0 && q == 0.0 && !moves {
        Vec::new()
    } else {
        vec![RegionFilter::new(FilterSettings {
            kind: Kind::LowPass,
            cutoff_hz: hz(cutoff),
            // The height above the flat response, in cB.
            resonance_db: (q / 10.0) as f32,
            gain_db: 0.0,
        })]
    };
    let has_envelope = uses(Source::Envelope(MOD_ENV));
    let plain = (!has_envelope).then(|| {
        Arc::new(Modulation {
            envelopes: Vec::new(),
            lfos: lfos.clone(),
            filters: filters.clone(),
            routes: routes.clone(),
            ..Modulation::none()
        })
    });
    Moving { routes, lfos, filters, plain }
}
