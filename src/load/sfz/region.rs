//! What a region's opcodes say → regions that the engine plays.
//!
//! Everything that moves becomes a route: a source, a shape, a target (`instrument::Modulation`). Controllers above 127
//! are ARIA's: 128 bend, 129 and 130 pressure, 131 velocity, 133 key, 135 and 136 random; what has no source stands
//! where the file sets it.

use std::collections::HashMap;
use std::sync::Arc;

use super::assemble::Assembled;
use super::curves::Curves;
use super::generate::Wave;
use super::op::{Goal, Of, Op, Stage as Phase};
use super::plan::{EgPlan, EnvelopePlan, EqPlan, Fade, FilterPlan, LfoPlan, Moved, Plan};
use super::table;
use super::warnings::{Place, Warnings};
use crate::dsp::envelope::{Curve, EnvelopeTimes};
use crate::dsp::filter::{FilterSettings, Kind};
use crate::dsp::lfo::{LfoSettings, Shape as LfoShape};
use crate::instrument::{
    Conditions, LoopMode, LoopSettings, MAX_ENVELOPES, MAX_FILTERS, MAX_LFOS, Manner, Modulation, Off, Play,
    Playback, Region, RegionFilter, Route, Sample, SampleLoop, Shape, Source, Stage, StartRoute, StartTarget,
    Switches, Target, Trigger, VelocityCurve,
};
use crate::load::FileLoop;

/// A decoded sample and what its file says of it.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    pub(super) sample: Arc<Sample>,
    /// From its file: `smpl`, `inst` or `INST`.
    pub(super) root_key: Option<f64>,
    /// The first that its file gives.
    pub(super) file_loop: Option<FileLoop>,
}

/// What a region sounds with.
pub(super) enum Sound<'a> {
    Recording(&'a Recording),
    Wave(Wave),
}

/// A loop: its sample's address, first frame, frame behind the last, left on release, there and back, crossfade.
type LoopKey = (usize, u32, u32, bool, bool, u32);

/// Makes regions, and shares between them what is the same.
pub(super) struct Maker<'a> {
    curves: &'a Curves,
    /// Controllers above 127 as the file sets them, 0..=1.
    constants: HashMap<u16, f64>,
    loops: HashMap<LoopKey, Arc<SampleLoop>>,
    waves: HashMap<(Wave, u8), (Arc<Sample>, Arc<SampleLoop>)>,
    modulation: Arc<Modulation>,
    conditions: Option<Arc<Conditions>>,
    /// Groups of regions that share a limit of voices but name no group, by the line that sets it.
    groups: HashMap<Place, u32>,
    pub(super) play: Play,
}

/// Groups that files do not name begin here.
const OWN_GROUPS: u32 = 0xF000_0000;

impl<'a> Maker<'a> {
    pub(super) fn new(assembled: &'a Assembled) -> Self {
        let constants = assembled.controllers.iter().filter(|(number, _)| *number > 127).copied().collect();
        // SFZ knows no neutral middle: the controllers that the engine keeps at 64 stand at 0, too.
        let mut controllers: Vec<(u8, f32)> = (71..=78).map(|number| (number, 0.0)).collect();
        for (number, value) in &assembled.controllers {
            // What selects banks and parameters is no sound.
            if *number < 120 && !(96..=101).contains(number) {
                controllers.retain(|(other, _)| u16::from(*other) != *number);
                controllers.push((*number as u8, (value * 127.0) as f32));
            }
        }
        Self {
            curves: &assembled.curves,
            constants,
            loops: HashMap::new(),
            waves: HashMap::new(),
            modulation: Arc::new(Modulation::none()),
            conditions: None,
            groups: HashMap::new(),
            play: Play { controllers, ..Play::default() },
        }
    }

    /// The regions of a plan: one, or one for each octave of a generated wave.
    pub(super) fn regions(&mut self, plan: &Plan, sound: &Sound<'_>, warnings: &mut Warnings) -> Vec<Region> {
        self.note_switches(plan);
        let modulation = self.modulation(plan, sound, warnings);
        if *self.modulation != modulation {
            self.modulation = Arc::new(modulation);
        }
        match sound {
            Sound::Recording(recording) => {
                let mut region = self.region(plan, &recording.sample, recording.root_key);
                region.playback = self.playback(plan, recording, warnings);
                vec![region]
            }
            Sound::Wave(wave) => self.wave_regions(plan, *wave),
        }
    }

    fn wave_regions(&mut self, plan: &Plan, wave: Wave) -> Vec<Region> {
        let (low, high) = key_range(plan).map_or((0, 127), |keys| (*keys.start(), *keys.end()));
        // Transposed up, a wave sounds as high as the key that it sounds like.
        let shift = ((plan.cents() / 100.0).round() as i64).clamp(-127, 127);
        let mut regions = Vec::new();
        let mut from = low;
        while from <= high {
            let octave_end = if wave.has_octaves() { (from / 12) * 12 + 11 } else { 127 };
            let to = octave_end.min(high);
            let sounding = (i64::from(octave_end) + shift).clamp(0, 127) as u8;
            let made = match self.waves.get(&(wave, sounding)) {
                Some(made) => Some(made.clone()),
                None => wave.sample(sounding),
            };
            let Some((sample, round)) = made else { break };
            self.waves.insert((wave, sounding), (sample.clone(), round.clone()));
            let mut region = self.region(plan, &sample, None);
            if key_range(plan).is_some() {
                region.keys = from..=to;
            }
            // Its own pitch is that of key 60, whatever the centre: the key sounds at the key's own pitch.
            region.tune_cents += 100.0 * (region.root_key - 60.0);
            region.playback = Playback::Loop(round);
            regions.push(region);
            from = to.saturating_add(1);
            if to == 127 {
                break;
            }
        }
        regions
    }

    /// Keyswitches of the instrument.
    fn note_switches(&mut self, plan: &Plan) {
        let key = |key: f64| (0.0..=127.0).contains(&key).then_some(key as u8);
        let Some((low, high)) = plan.switch_last else { return };
        let (low, high) = plan.switch_range.filter(|(low, high)| low <= high).unwrap_or((low, high));
        for number in 0..=127u8 {
            if f64::from(number) >= low && f64::from(number) <= high {
                self.play.switch_keys |= 1 << number;
            }
        }
        if let Some(default) = plan.switch_default.and_then(key) {
            self.play.switch_default.get_or_insert(default);
        }
        if let (Some(label), Some(key)) = (&plan.switch_label, plan.switch_last.and_then(|(low, _)| key(low)))
            && self.play.switches.iter().all(|(other, _)| *other != key)
        {
            self.play.switches.push((key, label.to_string()));
            self.play.switches.sort();
        }
    }

    fn region(&mut self, plan: &Plan, sample: &Arc<Sample>, file_root: Option<f64>) -> Region {
        let root_key = plan.key_centre.or(file_root).unwrap_or(60.0);
        let own_track = plan.key_track - 100.0;
        let group = match (group_number(plan.group), plan.polyphony_place) {
            (0, Some(place)) => {
                let next = OWN_GROUPS.wrapping_add(self.groups.len() as u32);
                *self.groups.entry(place).or_insert(next)
            }
            (group, _) => group,
        };
        // As loud in the middle as a stereo sample with the same on both sides, which is what instruments that mix them
        // are voiced for.
        let centre = if sample.channels() == 1 { std::f64::consts::SQRT_2 } else { 1.0 };
        let polyphony =
            |limit: Option<f64>| limit.filter(|limit| *limit >= 1.0).map_or(u32::MAX, |limit| limit as u32);
        let conditions = conditions(plan);
        let conditions = match (&self.conditions, conditions) {
            (_, None) => None,
            (Some(last), Some(new)) if **last == new => Some(last.clone()),
            (_, Some(new)) => {
                self.conditions = Some(Arc::new(new));
                self.conditions.clone()
            }
        };
        Region {
            keys: key_range(plan).unwrap_or(RangeEmpty::KEYS),
            velocities: velocity(plan.velocities.0)..=velocity(plan.velocities.1),
            root_key,
            tune_cents: plan.cents() - own_track * root_key,
            gain: centre * plan.gain() * 10f64.powf(-plan.amp_key_track * plan.amp_key_centre / 20.0),
            pan: (plan.pan + plan.position - plan.pan_key_track * plan.pan_key_centre) / 100.0,
            offset_frames: plan.offset.min(f64::from(sample.frames())),
            end_frame: plan.end.map(|end| (end + 1.0).max(0.0) as u32),
            group,
            choked_by: plan.off_by.map_or(0, group_number),
            envelope: self.amplitude(plan),
            velocity: VelocityCurve { track: plan.velocity_track / 100.0, points: velocity_points(plan) },
            group_polyphony: polyphony(plan.polyphony),
            key_polyphony: polyphony(plan.note_polyphony),
            modulation: self.modulation.clone(),
            conditions,
            manner: manner(plan, sample),
            ..Region::of(sample.clone())
        }
    }

    fn amplitude(&self, plan: &Plan) -> EnvelopeTimes {
        match plan.egs.values().find(|eg| eg.amp) {
            Some(eg) => flexible(eg).0,
            None => envelope(&plan.envelopes[Of::Amp as usize], true),
        }
    }

    fn playback(&mut self, plan: &Plan, recording: &Recording, warnings: &mut Warnings) -> Playback {
        let mode = plan.loop_mode.and_then(|mode| table::LOOP_MODES.get(usize::from(mode)).copied());
        let released =
            matches!(table::TRIGGERS.get(usize::from(plan.trigger)), Some(&"release" | &"release_key"));
        let default = if recording.file_loop.is_some() && !released { "loop_continuous" } else { "no_loop" };
        let mode = match mode.unwrap_or(default) {
            _ if plan.count >= 1.0 => "one_shot",
            // By the key that went up it cannot be let go again.
            "no_loop" if released => "one_shot",
            mode => mode,
        };
        let loop_mode = match mode {
            "one_shot" => return Playback::OneShot,
            "loop_continuous" => LoopMode::Continuous,
            "loop_sustain" => LoopMode::Sustain,
            _ => return Playback::Once,
        };
        let frames = recording.sample.frames();
        let of_file = recording.file_loop;
        let start = plan.loop_start.map_or(of_file.map_or(0, |round| round.start), |start| start as u32);
        let end = plan
            .loop_end
            .map_or(of_file.map_or(frames, |round| round.end), |end| (end as u32).saturating_add(1));
        let end = if end > frames || end <= start { frames } else { end };
        let start = if start >= end { 0 } else { start };
        let alternate = match table::LOOP_TYPES.get(usize::from(plan.loop_type)) {
            Some(&"alternate") => true,
            _ => of_file.is_some_and(|round| round.alternate && plan.loop_start.is_none()),
        };
        let crossfade_frames =
            (plan.loop_crossfade_s * f64::from(recording.sample.sample_rate())).min(f64::from(frames)) as u32;
        let sustain = loop_mode == LoopMode::Sustain;
        let key = (Arc::as_ptr(&recording.sample) as usize, start, end, sustain, alternate, crossfade_frames);
        if let Some(made) = self.loops.get(&key) {
            return Playback::Loop(made.clone());
        }
        let settings = LoopSettings { start, end, mode: loop_mode, alternate, crossfade_frames };
        match SampleLoop::new(&recording.sample, &settings) {
            Some(made) => {
                let made = Arc::new(made);
                self.loops.insert(key, made.clone());
                Playback::Loop(made)
            }
            None => {
                warnings.tell(plan.place, "the loop does not lie within the sample; it is left out");
                Playback::Once
            }
        }
    }

    // ── what moves

    /// Where a controller's value comes from, and the shape that its curve and steps give it; a constant's depth.
    fn source(&self, number: u16, moved: &Moved) -> (Source, Shape, f64) {
        let shape = self.shape(moved);
        match number {
            0..=127 => (Source::Controller(number as u8), shape, moved.depth),
            128 => (Source::Bend, shape, moved.depth),
            129 => (Source::ChannelPressure, shape, moved.depth),
            130 => (Source::NotePressure, shape, moved.depth),
            131 => (Source::Velocity, shape, moved.depth),
            133 => (Source::Key, shape, moved.depth),
            135 => (Source::Random, shape, moved.depth),
            136 if moved.curve == 0 => (Source::Random, Shape::Bipolar, moved.depth),
            136 => (Source::Random, shape, moved.depth),
            _ => {
                let value = self.constants.get(&number).copied().unwrap_or(0.0);
                let value = f64::from(shape.at(value as f32, false));
                (Source::One, Shape::Linear, value * moved.depth)
            }
        }
    }

    fn shape(&self, moved: &Moved) -> Shape {
        let plain = match moved.curve {
            0 => Shape::Linear,
            1 => Shape::Bipolar,
            number => self.curves.get(number).map_or(Shape::Linear, Shape::Table),
        };
        if moved.step <= 0.0 || moved.depth == 0.0 {
            return plain;
        }
        let steps = (moved.depth / moved.step).abs();
        let point = |at: usize| (f64::from(plain.at(at as f32 / 127.0, false)) * steps).trunc() / steps;
        Shape::Table(Arc::new(std::array::from_fn(|at| point(at) as f32)))
    }

    /// A route whose effect at a value is `effect` of the value times the depth, whatever its law.
    fn bent(&self, number: u16, moved: &Moved, to: Target, effect: impl Fn(f64) -> f64) -> Route {
        let (from, shape, depth) = self.source(number, moved);
        if from == Source::One {
            return Route::new(Source::One, to, effect(depth) as f32);
        }
        let point = |at: usize| {
            let value = if from == Source::Bend { at as f32 / 63.5 - 1.0 } else { at as f32 / 127.0 };
            effect(f64::from(shape.at(value, from == Source::Bend)) * depth) as f32
        };
        let table = Shape::Table(Arc::new(std::array::from_fn(point)));
        Route { shape: table, ..Route::new(from, to, 1.0) }
    }

    fn modulation(&mut self, plan: &Plan, sound: &Sound<'_>, warnings: &mut Warnings) -> Modulation {
        let mut made = Modulation::none();
        let places = Places::of(plan, &mut made, warnings);
        self.still(plan, sound, &places, &mut made);
        for (((key, number), (op, moved)), holes) in plan.moved.iter().map(|entry| (entry, entry.0.0.holes)) {
            let _ = key;
            if !self.curves.has(moved.curve) {
                warnings.tell(
                    plan.place,
                    &format!("there is no <curve> {}; a straight line is used", moved.curve),
                );
            }
            self.moved(plan, &places, &mut made, (*op, holes), *number, moved);
        }
        made
    }

    /// One `_onccN`.
    fn moved(
        &self,
        plan: &Plan,
        places: &Places,
        made: &mut Modulation,
        (op, [n, x]): (Op, [u16; 2]),
        number: u16,
        moved: &Moved,
    ) {
        let (from, shape, depth) = self.source(number, moved);
        let route =
            |to: Target, depth: f64| Route { shape: shape.clone(), ..Route::new(from, to, depth as f32) };
        let start =
            |to: StartTarget, depth: f64| StartRoute { from, shape: shape.clone(), to, depth: depth as f32 };
        // Depth of an LFO or envelope, by a controller.
        let scaled = |by: Source, to: Target, depth: f64| Route {
            from: by,
            shape: Shape::Linear,
            via: from,
            via_shape: shape.clone(),
            to,
            depth: depth as f32,
        };
        match op {
            Op::Volume => made.routes.push(route(Target::Gain, depth)),
            Op::Amplitude => made.routes.push(route(Target::Amplitude, depth / 100.0)),
            Op::Pan | Op::Position => made.routes.push(route(Target::Pan, depth / 100.0)),
            Op::Width => made.routes.push(route(Target::Width, depth / 100.0)),
            Op::Tune => made.routes.push(route(Target::Pitch, depth)),
            Op::Cutoff(f) => {
                made.routes.extend(places.filters[usize::from(f)].map(|at| route(Target::Cutoff(at), depth)));
            }
            Op::Resonance(f) => {
                made.routes
                    .extend(places.filters[usize::from(f)].map(|at| route(Target::Resonance(at), depth)));
            }
            Op::FilterGain(f) => {
                made.routes
                    .extend(places.filters[usize::from(f)].map(|at| route(Target::FilterGain(at), depth)));
            }
            Op::EqGain => made.routes.extend(places.eq(n).map(|at| route(Target::FilterGain(at), depth))),
            Op::EqFrequency => {
                let Some((at, eq)) = places.eq(n).zip(plan.eqs.get(&n)) else { return };
                let cents = |hz: f64| interval(eq.frequency_hz, eq.frequency_hz + hz);
                made.routes.push(self.bent(number, moved, Target::Cutoff(at), cents));
            }
            Op::EqWidth => {
                let Some((at, eq)) = places.eq(n).zip(plan.eqs.get(&n)) else { return };
                let change = |octaves: f64| narrowness(eq.width + octaves) - narrowness(eq.width);
                made.routes.push(self.bent(number, moved, Target::Resonance(at), change));
            }
            Op::LfoRate => self.rate(places.lfo(n), plan.lfos.get(&n), made, number, moved),
            Op::OldLfoRate(of) => {
                self.rate(
                    places.old_lfos[of as usize],
                    Some(&plan.old_lfos[of as usize]),
                    made,
                    number,
                    moved,
                );
            }
            Op::LfoDelay => {
                made.at_start.extend(places.lfo(n).map(|at| start(StartTarget::LfoDelay(at), depth)));
            }
            Op::LfoFade => {
                made.at_start.extend(places.lfo(n).map(|at| start(StartTarget::LfoFade(at), depth)));
            }
            Op::OldLfoDelay(of) => {
                let lfo = places.old_lfos[of as usize];
                made.at_start.extend(lfo.map(|at| start(StartTarget::LfoDelay(at), depth)));
            }
            Op::OldLfoFade(of) => {
                let lfo = places.old_lfos[of as usize];
                made.at_start.extend(lfo.map(|at| start(StartTarget::LfoFade(at), depth)));
            }
            Op::OldLfoDepth(of) => {
                if let (Some(lfo), Some((to, unit))) = (places.old_lfos[of as usize], places.old_goal(of)) {
                    made.routes.push(scaled(Source::Lfo(lfo), to, depth * unit));
                }
            }
            Op::LfoTo(goal) => {
                if let (Some(lfo), Some((to, unit))) = (places.lfo(n), places.goal(goal, x)) {
                    made.routes.push(scaled(
                        Source::Lfo(lfo),
                        to,
                        depth * unit * places.bend_of(plan, goal, x),
                    ));
                }
            }
            Op::EgTo(goal) => {
                if let (Some((eg, peak)), Some((to, unit))) = (places.eg(n), places.envelope_goal(goal, x)) {
                    let depth = depth * unit * peak * places.bend_of(plan, goal, x);
                    made.routes.push(scaled(Source::Envelope(eg), to, depth));
                }
            }
            Op::EgTime => {
                let Some(((eg, _), plan)) = places.eg(n).zip(plan.egs.get(&n)) else { return };
                if let Some(stage) = flexible_stage(plan, x) {
                    made.at_start.push(start(StartTarget::Envelope(eg, stage), depth));
                }
            }
            Op::EgLevel => {
                let Some(((eg, peak), plan)) = places.eg(n).zip(plan.egs.get(&n)) else { return };
                if x == plan.sustain && peak != 0.0 {
                    made.at_start.push(start(StartTarget::Envelope(eg, Stage::Sustain), depth / peak));
                }
            }
            Op::EnvelopeDepth(of) => {
                if let (Some(eg), Some((to, unit))) = (places.envelopes[of as usize], places.old_goal(of)) {
                    made.routes.push(scaled(Source::Envelope(eg), to, depth * unit));
                }
            }
            Op::Envelope(of, phase) => {
                let unit = if matches!(phase, Phase::Sustain | Phase::Start) { 0.01 } else { 1.0 };
                let to = match (of, places.envelopes[of as usize]) {
                    (Of::Amp, _) => StartTarget::Amplitude(stage(phase)),
                    (_, Some(at)) => StartTarget::Envelope(at, stage(phase)),
                    (_, None) => return,
                };
                made.at_start.push(start(to, depth * unit));
            }
            Op::Offset => made.at_start.push(start(StartTarget::Offset, depth)),
            Op::Delay => made.at_start.push(start(StartTarget::Delay, depth)),
            Op::AmpVelocityTrack => {
                made.at_start.push(start(StartTarget::VelocityTrack, depth / 100.0));
            }
            _ => {}
        }
    }

    /// A controller moves an LFO's rate by Hz.
    fn rate(&self, at: Option<u8>, lfo: Option<&LfoPlan>, made: &mut Modulation, number: u16, moved: &Moved) {
        let (Some(at), Some(lfo)) = (at, lfo) else { return };
        let Some(settings) = made.lfos.get_mut(usize::from(at)) else { return };
        if lfo.rate_hz <= 0.0 && settings.rate_hz <= 0.0 {
            // It stands still unless it is moved: what it reaches at most is its rate, and the route slows it down.
            settings.rate_hz = moved.depth.abs().max(0.01) as f32;
        }
        let base = f64::from(settings.rate_hz);
        let cents = |hz: f64| interval(base, lfo.rate_hz + hz);
        made.routes.push(self.bent(number, moved, Target::LfoRate(at), cents));
    }

    /// Routes that no controller has a part in.
    fn still(&self, plan: &Plan, sound: &Sound<'_>, places: &Places, made: &mut Modulation) {
        let mut routes = Vec::new();
        let mut add = |from: Source, to: Target, depth: f64| {
            if depth != 0.0 {
                routes.push(Route::new(from, to, depth as f32));
            }
        };
        let pitched = match sound {
            Sound::Wave(wave) => wave.is_pitched(),
            Sound::Recording(_) => true,
        };
        let key_track = if pitched { plan.key_track } else { 0.0 };
        add(Source::Key, Target::Pitch, 127.0 * (key_track - 100.0));
        add(Source::Velocity, Target::Pitch, plan.pitch_velocity_track);
        add(Source::Key, Target::Gain, 127.0 * plan.amp_key_track);
        add(Source::Random, Target::Gain, plan.amp_random_db);
        add(Source::Key, Target::Pan, 1.27 * plan.pan_key_track);
        add(Source::Velocity, Target::Pan, plan.pan_velocity_track / 100.0);
        for (filter, at) in plan.filters.iter().zip(places.filters) {
            let Some(at) = at else { continue };
            add(Source::Random, Target::Cutoff(at), filter.random_cents);
            add(Source::ChannelPressure, Target::Cutoff(at), filter.channel_pressure);
            add(Source::NotePressure, Target::Cutoff(at), filter.key_pressure);
        }
        for (n, eq) in &plan.eqs {
            let Some(at) = places.eq(*n) else { continue };
            add(Source::Velocity, Target::FilterGain(at), eq.velocity_db);
            add(
                Source::Velocity,
                Target::Cutoff(at),
                interval(eq.frequency_hz, eq.frequency_hz + eq.velocity_hz),
            );
        }
        for of in [Of::Pitch, Of::Filter] {
            if let (Some(eg), Some((to, unit))) = (places.envelopes[of as usize], places.old_goal(of)) {
                add(Source::Envelope(eg), to, plan.envelopes[of as usize].depth * unit);
            }
        }
        for (lfo, at) in plan.old_lfos.iter().zip(places.old_lfos) {
            places.goals(plan, lfo, at, &mut add);
        }
        for (n, lfo) in &plan.lfos {
            places.goals(plan, lfo, places.lfo(*n), &mut add);
        }
        for (n, eg) in &plan.egs {
            let Some((at, peak)) = places.eg(*n) else { continue };
            for (goal, band, depth) in &eg.goals {
                if let Some((to, unit)) = places.envelope_goal(*goal, *band) {
                    add(Source::Envelope(at), to, depth * unit * peak * places.bend_of(plan, *goal, *band));
                }
            }
        }
        // Scaled, or with a shape.
        for of in [Of::Pitch, Of::Filter] {
            let depth = plan.envelopes[of as usize].velocity_depth;
            if let (Some(eg), Some((to, unit))) = (places.envelopes[of as usize], places.old_goal(of))
                && depth != 0.0
            {
                routes
                    .push(Route::new(Source::Envelope(eg), to, (depth * unit) as f32).via(Source::Velocity));
            }
        }
        for (of, [channel, key]) in [Of::Amp, Of::Pitch, Of::Filter].into_iter().zip(plan.old_lfo_pressures) {
            if let (Some(lfo), Some((to, unit))) = (places.old_lfos[of as usize], places.old_goal(of)) {
                for (via, depth) in [(Source::ChannelPressure, channel), (Source::NotePressure, key)] {
                    if depth != 0.0 {
                        routes.push(Route::new(Source::Lfo(lfo), to, (depth * unit) as f32).via(via));
                    }
                }
            }
        }
        let mut shaped = |from: Source, to: Target, shape: Shape, depth: f64| {
            routes.push(Route { shape, ..Route::new(from, to, depth as f32) });
        };
        if plan.pan_random != 0.0 {
            shaped(Source::Random, Target::Pan, Shape::Bipolar, plan.pan_random / 100.0);
        }
        if plan.pitch_random != 0.0 {
            shaped(Source::Random, Target::Pitch, Shape::Bipolar, plan.pitch_random);
        }
        if own_bend(plan) {
            shaped(Source::Bend, Target::Pitch, Shape::Upper, plan.bend_up);
            shaped(Source::Bend, Target::Pitch, Shape::Lower, plan.bend_down);
        }
        let [keys, velocities, controllers] = plan.fade_power;
        for (fade_in, fade_out, from, power) in [
            (plan.fade_in[0], plan.fade_out[0], Source::Key, keys),
            (plan.fade_in[1], plan.fade_out[1], Source::Velocity, velocities),
        ] {
            if let Some(table) = fades(fade_in, fade_out, power) {
                shaped(from, Target::Amplitude, table, 1.0);
            }
        }
        for (number, (fade_in, fade_out)) in &plan.controller_fades {
            let moved = Moved { depth: 1.0, ..Moved::default() };
            let (from, _, constant) = self.source(*number, &moved);
            let Some(table) = fades(*fade_in, *fade_out, controllers) else { continue };
            match from {
                Source::One => shaped(
                    from,
                    Target::Amplitude,
                    Shape::Linear,
                    f64::from(table.at(constant as f32, false)),
                ),
                _ => shaped(from, Target::Amplitude, table, 1.0),
            }
        }
        // Velocity moves envelopes when a note starts.
        for of in [Of::Amp, Of::Pitch, Of::Filter] {
            let envelope = &plan.envelopes[of as usize];
            for phase in PHASES {
                let amount = envelope.velocity[phase as usize];
                let unit = if matches!(phase, Phase::Sustain | Phase::Start) { 0.01 } else { 1.0 };
                let to = match (of, places.envelopes[of as usize]) {
                    (Of::Amp, _) => StartTarget::Amplitude(stage(phase)),
                    (_, Some(at)) => StartTarget::Envelope(at, stage(phase)),
                    (_, None) => continue,
                };
                if amount != 0.0 {
                    let (from, depth) = (Source::Velocity, (amount * unit) as f32);
                    made.at_start.push(StartRoute { from, shape: Shape::Linear, to, depth });
                }
            }
        }
        made.routes.append(&mut routes);
    }
}

/// Where in a modulation a plan's filters, LFOs and envelopes stand.
#[derive(Debug, Default)]
struct Places {
    filters: [Option<u8>; 2],
    eqs: Vec<(u16, u8)>,
    /// Amplitude, pitch, filter; the first is the region's own and has no place.
    envelopes: [Option<u8>; 3],
    /// Number, place, and the level that 1 stands for.
    egs: Vec<(u16, u8, f64)>,
    old_lfos: [Option<u8>; 3],
    lfos: Vec<(u16, u8)>,
}

impl Places {
    /// Gives places to what is used, as long as there are any.
    fn of(plan: &Plan, made: &mut Modulation, warnings: &mut Warnings) -> Self {
        let mut places = Self::default();
        let moved = |wanted: &dyn Fn(Op) -> bool| plan.moved.values().any(|(op, _)| wanted(*op));
        for (number, filter) in plan.filters.iter().enumerate() {
            if let Some(settings) = filter_settings(filter)
                && made.filters.len() < MAX_FILTERS
            {
                places.filters[number] = Some(made.filters.len() as u8);
                made.filters.push(RegionFilter {
                    settings,
                    key_track_cents: filter.key_track as f32,
                    key_centre: filter.key_centre as f32,
                    velocity_track_cents: filter.velocity_track as f32,
                });
            }
        }
        for (n, eq) in &plan.eqs {
            let by_lfo = |goals: &[(Goal, u16, f64)]| goals.iter().any(|(_, band, _)| band == n);
            let moves = plan.moved.iter().any(|((key, _), (op, _))| match op {
                Op::EqGain => key.holes[0] == *n,
                Op::LfoTo(Goal::EqGain) | Op::EgTo(Goal::EqGain) => key.holes[1] == *n,
                _ => false,
            }) || plan.lfos.values().any(|lfo| by_lfo(&lfo.goals))
                || plan.egs.values().any(|eg| by_lfo(&eg.goals));
            if eq.gain_db == 0.0 && eq.velocity_db == 0.0 && !moves {
                continue;
            }
            if made.filters.len() >= MAX_FILTERS {
                let told = format!(
                    "more than {MAX_FILTERS} filters and bands of EQ: eq{n} and those behind it are left out"
                );
                warnings.tell(plan.place, &told);
                break;
            }
            places.eqs.push((*n, made.filters.len() as u8));
            made.filters.push(RegionFilter::new(eq_settings(eq)));
        }
        for of in [Of::Pitch, Of::Filter] {
            let envelope = &plan.envelopes[of as usize];
            let deep = envelope.depth != 0.0
                || envelope.velocity_depth != 0.0
                || moved(&|op| op == Op::EnvelopeDepth(of));
            if deep {
                places.envelopes[of as usize] = Some(made.envelopes.len() as u8);
                made.envelopes.push(self::envelope(envelope, false));
            }
        }
        for (n, eg) in &plan.egs {
            let used = !eg.goals.is_empty()
                || plan
                    .moved
                    .iter()
                    .any(|((key, _), (op, _))| matches!(op, Op::EgTo(_)) && key.holes[0] == *n);
            if !used {
                continue;
            }
            if made.envelopes.len() >= MAX_ENVELOPES {
                let told =
                    format!("more than {MAX_ENVELOPES} envelopes: eg{n} and those behind it are left out");
                warnings.tell(plan.place, &told);
                break;
            }
            let (times, peak) = flexible(eg);
            places.egs.push((*n, made.envelopes.len() as u8, peak));
            made.envelopes.push(times);
        }
        for (number, lfo) in plan.old_lfos.iter().enumerate() {
            let of = [Of::Amp, Of::Pitch, Of::Filter][number];
            let deep = lfo.goals.iter().any(|(_, _, depth)| *depth != 0.0)
                || plan.old_lfo_pressures[number] != [0.0; 2]
                || moved(&|op| op == Op::OldLfoDepth(of));
            if deep && made.lfos.len() < MAX_LFOS {
                places.old_lfos[number] = Some(made.lfos.len() as u8);
                made.lfos.push(lfo_settings(lfo));
            }
        }
        for (n, lfo) in &plan.lfos {
            let used = !lfo.goals.is_empty()
                || plan
                    .moved
                    .iter()
                    .any(|((key, _), (op, _))| matches!(op, Op::LfoTo(_)) && key.holes[0] == *n);
            if !used {
                continue;
            }
            if made.lfos.len() >= MAX_LFOS {
                let told = format!("more than {MAX_LFOS} LFOs: lfo{n} and those behind it are left out");
                warnings.tell(plan.place, &told);
                break;
            }
            places.lfos.push((*n, made.lfos.len() as u8));
            made.lfos.push(lfo_settings(lfo));
        }
        places
    }

    fn eq(&self, n: u16) -> Option<u8> {
        self.eqs.iter().find(|(other, _)| *other == n).map(|(_, at)| *at)
    }

    fn lfo(&self, n: u16) -> Option<u8> {
        self.lfos.iter().find(|(other, _)| *other == n).map(|(_, at)| *at)
    }

    fn eg(&self, n: u16) -> Option<(u8, f64)> {
        self.egs.iter().find(|(other, ..)| *other == n).map(|(_, at, peak)| (*at, *peak))
    }

    /// What an envelope or LFO of SFZ 1 moves, and its unit.
    fn old_goal(&self, of: Of) -> Option<(Target, f64)> {
        match of {
            Of::Amp => Some((Target::Gain, 1.0)),
            Of::Pitch => Some((Target::Pitch, 1.0)),
            Of::Filter => self.filters[0].map(|at| (Target::Cutoff(at), 1.0)),
        }
    }

    /// What one of SFZ 2 moves, and its unit.
    fn goal(&self, goal: Goal, band: u16) -> Option<(Target, f64)> {
        match goal {
            Goal::Volume => Some((Target::Gain, 1.0)),
            Goal::Amplitude => Some((Target::AmplitudeSum, 0.01)),
            Goal::Pan => Some((Target::Pan, 0.01)),
            Goal::Width => Some((Target::Width, 0.01)),
            Goal::Pitch => Some((Target::Pitch, 1.0)),
            Goal::Cutoff(f) => self.filters[usize::from(f)].map(|at| (Target::Cutoff(at), 1.0)),
            Goal::Resonance(f) => self.filters[usize::from(f)].map(|at| (Target::Resonance(at), 1.0)),
            Goal::EqFrequency => self.eq(band).map(|at| (Target::Cutoff(at), 1.0)),
            Goal::EqWidth => self.eq(band).map(|at| (Target::Resonance(at), 1.0)),
            Goal::EqGain => self.eq(band).map(|at| (Target::FilterGain(at), 1.0)),
        }
    }

    /// What an envelope moves: what it does to the amplitude is multiplied.
    fn envelope_goal(&self, goal: Goal, band: u16) -> Option<(Target, f64)> {
        match goal {
            Goal::Amplitude => Some((Target::Amplitude, 0.01)),
            other => self.goal(other, band),
        }
    }

    /// Hz and octaves of an EQ band, as cents and dB at its own frequency and width; 1 for all else.
    fn bend_of(&self, plan: &Plan, goal: Goal, band: u16) -> f64 {
        let Some(eq) = plan.eqs.get(&band) else { return 1.0 };
        match goal {
            // d(1200·log2 f)/df, d(dB)/d(width) by a small step.
            Goal::EqFrequency => 1200.0 / std::f64::consts::LN_2 / eq.frequency_hz.max(1.0),
            Goal::EqWidth => (narrowness(eq.width + 0.01) - narrowness(eq.width)) / 0.01,
            _ => 1.0,
        }
    }

    fn goals(&self, plan: &Plan, lfo: &LfoPlan, at: Option<u8>, add: &mut impl FnMut(Source, Target, f64)) {
        let Some(at) = at else { return };
        for (goal, band, depth) in &lfo.goals {
            if let Some((to, unit)) = self.goal(*goal, *band) {
                add(Source::Lfo(at), to, depth * unit * self.bend_of(plan, *goal, *band));
            }
        }
    }
}

const PHASES: [Phase; 7] =
    [Phase::Delay, Phase::Start, Phase::Attack, Phase::Hold, Phase::Decay, Phase::Sustain, Phase::Release];

fn stage(phase: Phase) -> Stage {
    match phase {
        Phase::Delay => Stage::Delay,
        Phase::Start => Stage::Start,
        Phase::Attack => Stage::Attack,
        Phase::Hold => Stage::Hold,
        Phase::Decay => Stage::Decay,
        Phase::Sustain => Stage::Sustain,
        Phase::Release => Stage::Release,
    }
}

/// Cents from one frequency to another; ten octaves at most.
fn interval(from_hz: f64, to_hz: f64) -> f64 {
    if from_hz <= 0.0 || to_hz == from_hz {
        return 0.0;
    }
    (1200.0 * (to_hz.max(1e-9) / from_hz).log2()).clamp(-12_000.0, 12_000.0)
}

/// A bell's width in octaves as the engine's resonance, dB: Q = 1 / (2·sinh(ln 2 / 2 · width)), and 0 dB is Q = 1/√2.
/// Source: Audio EQ Cookbook.
fn narrowness(octaves: f64) -> f64 {
    let q = 0.5 / (0.5 * std::f64::consts::LN_2 * octaves.clamp(0.01, 10.0)).sinh();
    20.0 * (q * std::f64::consts::SQRT_2).log10()
}

fn filter_settings(filter: &FilterPlan) -> Option<FilterSettings> {
    let cutoff_hz = filter.cutoff_hz? as f32;
    let kind = match table::FILTERS.get(usize::from(filter.kind)).copied()? {
        "lpf_1p" => Kind::LowPass1,
        "hpf_1p" => Kind::HighPass1,
        "apf_1p" => Kind::AllPass1,
        "bpf_1p" | "bpf_2p" | "bpf_2p_sv" => Kind::BandPass,
        "brf_1p" | "brf_2p" | "brf_2p_sv" => Kind::Notch,
        "lpf_2p" | "lpf_2p_sv" | "lpf_4p" | "lpf_6p" => Kind::LowPass,
        "hpf_2p" | "hpf_2p_sv" | "hpf_4p" | "hpf_6p" => Kind::HighPass,
        "pkf_2p" | "peq" => Kind::Peak,
        "lsh" => Kind::LowShelf,
        "hsh" => Kind::HighShelf,
        _ => return None,
    };
    Some(FilterSettings {
        kind,
        cutoff_hz,
        resonance_db: filter.resonance_db as f32,
        gain_db: filter.gain_db as f32,
    })
}

fn eq_settings(eq: &EqPlan) -> FilterSettings {
    let kind = match table::EQ_TYPES.get(usize::from(eq.kind)).copied() {
        Some("lshelf") => Kind::LowShelf,
        Some("hshelf") => Kind::HighShelf,
        _ => Kind::Peak,
    };
    let resonance_db = if kind == Kind::Peak { narrowness(eq.width) as f32 } else { 0.0 };
    FilterSettings { kind, cutoff_hz: eq.frequency_hz as f32, resonance_db, gain_db: eq.gain_db as f32 }
}

fn lfo_settings(lfo: &LfoPlan) -> LfoSettings {
    LfoSettings {
        shape: match lfo.wave {
            1 => LfoShape::Sine,
            2 => LfoShape::Pulse(0.75),
            3 => LfoShape::Square,
            4 => LfoShape::Pulse(0.25),
            5 => LfoShape::Pulse(0.125),
            6 => LfoShape::SawUp,
            7 => LfoShape::SawDown,
            -1 | 12 => LfoShape::Random,
            _ => LfoShape::Triangle,
        },
        rate_hz: lfo.rate_hz as f32,
        delay_s: lfo.delay_s as f32,
        fade_s: lfo.fade_s as f32,
        phase: lfo.phase as f32,
        ..LfoSettings::default()
    }
}

fn envelope(plan: &EnvelopePlan, amplitude: bool) -> EnvelopeTimes {
    let at = |phase: Phase| plan.stages[phase as usize];
    let [attack, decay, release] = plan.shapes;
    // Amplitudes fall as what is discharged; pitch and cutoff, which are heard by their logarithm, in straight lines.
    // −10.3616 is ARIA's default.
    let falling = if amplitude { Curve::shape(-10.3616) } else { Curve::LINEAR };
    let times = EnvelopeTimes {
        delay_s: at(Phase::Delay),
        attack_s: at(Phase::Attack),
        hold_s: at(Phase::Hold),
        decay_s: at(Phase::Decay),
        sustain: at(Phase::Sustain) / 100.0,
        release_s: at(Phase::Release),
        start: at(Phase::Start) / 100.0,
        attack_curve: attack.map_or(Curve::LINEAR, Curve::shape),
        decay_curve: decay.map_or(falling, Curve::shape),
        release_curve: release.map_or(falling, Curve::shape),
    };
    // That of the amplitude waits until controllers have set its sustain level.
    if plan.decay_zero && !amplitude { times.decaying_to_zero() } else { times }
}

/// A flexible envelope as attack, hold, decay, sustain and release, and the level that its peak stands for.
///
/// The highest point up to the sustain point is the peak; what comes before it is one attack, what comes behind it one
/// decay, and all behind the sustain point one release.
fn flexible(eg: &EgPlan) -> (EnvelopeTimes, f64) {
    let points: Vec<(u16, f64, f64)> =
        eg.points.iter().map(|(n, (time, level))| (*n, *time, *level)).collect();
    let (before, behind): (Vec<_>, Vec<_>) = points.into_iter().partition(|(n, ..)| *n <= eg.sustain);
    let peak =
        before.iter().map(|(.., level)| *level).fold(0.0f64, |a, b| if b.abs() > a.abs() { b } else { a });
    if peak == 0.0 {
        return (EnvelopeTimes { sustain: 0.0, ..EnvelopeTimes::default() }, 0.0);
    }
    let first = before.iter().position(|(.., level)| *level == peak).unwrap_or(0);
    let last = before.iter().rposition(|(.., level)| *level == peak).unwrap_or(0);
    let time = |points: &[(u16, f64, f64)]| points.iter().map(|(_, time, _)| time).sum::<f64>();
    // Leading points at the start level are a delay.
    let start =
        before.first().filter(|(n, time, _)| *n == 0 && *time == 0.0).map_or(0.0, |(.., level)| *level);
    let still = before.iter().take(first).take_while(|(.., level)| *level == start).count();
    let times = EnvelopeTimes {
        delay_s: time(before.get(..still).unwrap_or(&[])),
        attack_s: time(before.get(still..=first).unwrap_or(&[])),
        hold_s: time(before.get(first + 1..=last).unwrap_or(&[])),
        decay_s: time(before.get(last + 1..).unwrap_or(&[])),
        sustain: (before.last().map_or(0.0, |(.., level)| *level) / peak).clamp(0.0, 1.0),
        release_s: time(&behind),
        start: (start / peak).clamp(0.0, 1.0),
        attack_curve: Curve::LINEAR,
        decay_curve: Curve::LINEAR,
        release_curve: Curve::LINEAR,
    };
    (times, peak)
}

/// To which stage the time of a point belongs.
fn flexible_stage(eg: &EgPlan, point: u16) -> Option<Stage> {
    let (_, peak) = flexible(eg);
    let peaks =
        || eg.points.iter().filter(|(n, (_, level))| **n <= eg.sustain && *level == peak).map(|(n, _)| *n);
    let (first, last) = (peaks().next()?, peaks().next_back()?);
    Some(match point {
        _ if point > eg.sustain => Stage::Release,
        _ if point <= first => Stage::Attack,
        _ if point <= last => Stage::Hold,
        _ => Stage::Decay,
    })
}

fn key_range(plan: &Plan) -> Option<std::ops::RangeInclusive<u8>> {
    let (low, high) = plan.keys;
    let by_controller = plan.on_controllers.values().any(|(low, _)| *low >= 0.0) && plan.trigger == 0;
    if low > high || high < 0.0 || low > 127.0 || by_controller {
        return None;
    }
    Some(low.max(0.0) as u8..=high.min(127.0) as u8)
}

/// No keys at all.
struct RangeEmpty;

impl RangeEmpty {
    #[allow(clippy::reversed_empty_ranges)] // what it is for
    const KEYS: std::ops::RangeInclusive<u8> = 1..=0;
}

fn velocity(value: f64) -> u8 {
    value.round().clamp(1.0, 127.0) as u8
}

/// Groups are numbers of either sign; 0 is none.
fn group_number(group: i64) -> u32 {
    group as u32
}

fn velocity_points(plan: &Plan) -> Option<Arc<[f32; 128]>> {
    if plan.velocity_points.is_empty() {
        return None;
    }
    let mut points = plan.velocity_points.clone();
    points.entry(0).or_insert(0.0);
    points.entry(127).or_insert(1.0);
    Some(Arc::new(super::curves::joined(&points)))
}

/// What both fades come to, 0..=1, for each value; `None` without any.
fn fades(fade_in: Fade, fade_out: Fade, power: bool) -> Option<Shape> {
    if fade_in == Fade::default() && fade_out == Fade::default() {
        return None;
    }
    let law = |x: f64| if power { x.sqrt() } else { x };
    let ramp = |value: f64, low: f64, high: f64| match value {
        _ if value <= low && low < high => 0.0,
        _ if value >= high => 1.0,
        _ if low < high => (value - low) / (high - low),
        _ => 0.0,
    };
    let value = |at: f64| {
        let mut gain = 1.0;
        if fade_in != Fade::default() {
            let low = fade_in.low.unwrap_or(0.0);
            gain *= law(ramp(at, low, fade_in.high.unwrap_or(low).max(low)));
        }
        if fade_out != Fade::default() {
            let high = fade_out.high.unwrap_or(127.0);
            let low = fade_out.low.unwrap_or(high).min(high);
            // At the low end it is still there in full, also when both ends are one.
            gain *= if at <= low { 1.0 } else { law(1.0 - ramp(at, low, high)) };
        }
        gain
    };
    Some(Shape::Table(Arc::new(std::array::from_fn(|at| value(at as f64) as f32))))
}

fn own_bend(plan: &Plan) -> bool {
    (plan.bend_up, plan.bend_down) != (200.0, -200.0)
}

fn manner(plan: &Plan, sample: &Sample) -> Manner {
    let off = match (table::OFF_MODES.get(usize::from(plan.off_mode)), plan.off_time) {
        (Some(&"normal"), _) => Off::Normal,
        (Some(&"time"), time) => Off::Time(time.unwrap_or(0.006) as f32),
        // ARIA's default is a time of 6 ms.
        (_, Some(time)) if !plan.off_mode_set => Off::Time(time as f32),
        _ => Off::Fast,
    };
    Manner {
        off,
        sustain: plan.sustain.then_some(plan.sustain_controller as u8),
        sostenuto: plan.sostenuto,
        self_mask: plan.self_mask,
        delay_s: (plan.delay_s + plan.delay_frames / f64::from(sample.sample_rate())) as f32,
        delay_random_s: plan.delay_random_s as f32,
        offset_random_frames: plan.offset_random as f32,
        release_decay_db: plan.release_decay_db as f32,
        release_dead: plan.release_dead,
        own_bend: own_bend(plan),
        plain_controllers: true,
        decay_to_zero: plan.envelopes[Of::Amp as usize].decay_zero && !plan.egs.values().any(|eg| eg.amp),
        previous_velocity: plan.previous_velocity,
        reverse: plan.reverse,
        width: (plan.width / 100.0) as f32,
    }
}

fn conditions(plan: &Plan) -> Option<Conditions> {
    let span = |(low, high): (f64, f64)| (low as f32, high as f32);
    let key = |key: Option<f64>| key.filter(|key| (0.0..=127.0).contains(key)).map(|key| key as u8);
    let whole = |(low, high): (f64, f64)| (low.clamp(0.0, 127.0) as u8, high.clamp(0.0, 127.0) as u8);
    let on_controllers: Vec<_> = plan
        .on_controllers
        .iter()
        .filter(|(number, (low, _))| **number < 128 && *low >= 0.0)
        .map(|(number, range)| (*number as u8, span(*range)))
        .collect();
    let trigger = match table::TRIGGERS.get(usize::from(plan.trigger)).copied() {
        Some("release") => Trigger::Release,
        Some("release_key") => Trigger::ReleaseKey,
        Some("first") => Trigger::First,
        Some("legato") => Trigger::Legato,
        _ if !on_controllers.is_empty() => Trigger::Controller,
        _ => Trigger::Attack,
    };
    let conditions = Conditions {
        trigger,
        random: span(plan.random),
        sequence: (plan.sequence.0 as u8, plan.sequence.1 as u8),
        controllers: plan
            .controllers
            .iter()
            .filter(|(number, _)| **number < 128)
            .map(|(number, range)| (*number as u8, span(*range)))
            .collect(),
        on_controllers,
        bend: span(plan.bend),
        channel_pressure: span(plan.channel_pressure),
        key_pressure: span(plan.key_pressure),
        channels: ((plan.channels.0 - 1.0) as u8, (plan.channels.1 - 1.0) as u8),
        programs: whole(plan.programs),
        timer_s: span(plan.timer),
        switches: Switches {
            last: plan.switch_last.map(whole),
            down: key(plan.switch_down),
            up: key(plan.switch_up),
            previous: key(plan.switch_previous),
        },
    };
    (!conditions.is_neutral()).then_some(conditions)
}
