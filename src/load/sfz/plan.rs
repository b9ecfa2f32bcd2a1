//! A region's opcodes → what they say together, before there is a sample.
//!
//! Levels add up where SFZ says so (volumes, tunings), else the last one wins. What controllers do is gathered by
//! target first, since depth, curve and step of one come as opcodes of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assemble::{RegionText, Set};
use super::op::{By, End, Goal, Level, Of, Op, Stage};
use super::opcodes::Part;
use super::table;
use super::value::Value;
use super::warnings::Place;

/// How a controller moves something.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moved {
    pub(super) depth: f64,
    pub(super) curve: u16,
    /// In steps of this; 0: smoothly.
    pub(super) step: f64,
}

/// What a controller moves: an opcode, the first two numbers in its name, and the controller's.
pub(super) type MovedBy = (OpKey, u16);

/// An opcode with the numbers in its name, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OpKey {
    pub(super) row: u16,
    pub(super) holes: [u16; 2],
}

/// Fade over keys, velocities or a controller: silent at `silent`, full at `full`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fade {
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
}

/// An LFO of SFZ 2, or one of SFZ 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LfoPlan {
    pub(super) rate_hz: f64,
    pub(super) delay_s: f64,
    pub(super) fade_s: f64,
    pub(super) phase: f64,
    pub(super) wave: i64,
    /// Goal, number of the EQ band if it is one, depth.
    pub(super) goals: Vec<(Goal, u16, f64)>,
}

impl LfoPlan {
    fn new(wave: i64) -> Self {
        Self { rate_hz: 0.0, delay_s: 0.0, fade_s: 0.0, phase: 0.0, wave, goals: Vec::new() }
    }
}

/// A flexible envelope.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct EgPlan {
    /// Point → seconds to it, level at it.
    pub(super) points: BTreeMap<u16, (f64, f64)>,
    pub(super) sustain: u16,
    pub(super) amp: bool,
    pub(super) goals: Vec<(Goal, u16, f64)>,
}

/// An envelope of SFZ 1: values of its stages as opcodes say them, in the order of [`Stage`], and their shapes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EnvelopePlan {
    pub(super) stages: [f64; 7],
    pub(super) velocity: [f64; 7],
    pub(super) depth: f64,
    pub(super) velocity_depth: f64,
    /// Of attack, decay and release.
    pub(super) shapes: [Option<f64>; 3],
    /// The decay is measured to zero.
    pub(super) decay_zero: bool,
    pub(super) used: bool,
}

impl EnvelopePlan {
    fn new(sustain: f64, release: f64) -> Self {
        let mut stages = [0.0; 7];
        stages[Stage::Sustain as usize] = sustain;
        stages[Stage::Release as usize] = release;
        let (velocity, shapes) = ([0.0; 7], [None; 3]);
        Self { stages, velocity, depth: 0.0, velocity_depth: 0.0, shapes, decay_zero: true, used: false }
    }
}

/// A filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FilterPlan {
    pub(super) kind: u8,
    pub(super) cutoff_hz: Option<f64>,
    pub(super) resonance_db: f64,
    pub(super) gain_db: f64,
    pub(super) key_track: f64,
    pub(super) key_centre: f64,
    pub(super) velocity_track: f64,
    pub(super) random_cents: f64,
    pub(super) channel_pressure: f64,
    pub(super) key_pressure: f64,
}

/// One band of the EQ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EqPlan {
    pub(super) frequency_hz: f64,
    pub(super) width: f64,
    pub(super) gain_db: f64,
    pub(super) kind: u8,
    pub(super) velocity_hz: f64,
    pub(super) velocity_db: f64,
}

/// Everything.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) place: Place,
    pub(super) sample: Option<(Arc<str>, Place)>,
    pub(super) delay_s: f64,
    pub(super) delay_random_s: f64,
    pub(super) delay_frames: f64,
    pub(super) offset: f64,
    pub(super) offset_random: f64,
    pub(super) end: Option<f64>,
    pub(super) count: f64,
    pub(super) loop_mode: Option<u8>,
    pub(super) loop_start: Option<f64>,
    pub(super) loop_end: Option<f64>,
    pub(super) loop_type: u8,
    pub(super) loop_crossfade_s: f64,
    pub(super) reverse: bool,
    pub(super) invert: bool,
    pub(super) group: i64,
    pub(super) off_by: Option<i64>,
    pub(super) off_mode: u8,
    pub(super) off_mode_set: bool,
    pub(super) off_time: Option<f64>,
    pub(super) polyphony: Option<f64>,
    /// The line that limits it: regions under it are a group if they name none.
    pub(super) polyphony_place: Option<Place>,
    pub(super) note_polyphony: Option<f64>,
    pub(super) self_mask: bool,
    pub(super) release_dead: bool,
    pub(super) release_decay_db: f64,
    pub(super) keys: (f64, f64),
    pub(super) velocities: (f64, f64),
    pub(super) channels: (f64, f64),
    pub(super) controllers: BTreeMap<u16, (f64, f64)>,
    pub(super) bend: (f64, f64),
    pub(super) channel_pressure: (f64, f64),
    pub(super) key_pressure: (f64, f64),
    pub(super) programs: (f64, f64),
    pub(super) random: (f64, f64),
    pub(super) sequence: (f64, f64),
    pub(super) timer: (f64, f64),
    pub(super) trigger: u8,
    pub(super) on_controllers: BTreeMap<u16, (f64, f64)>,
    pub(super) sustain: bool,
    pub(super) sostenuto: bool,
    pub(super) sustain_controller: f64,
    pub(super) switch_range: Option<(f64, f64)>,
    pub(super) switch_last: Option<(f64, f64)>,
    pub(super) switch_down: Option<f64>,
    pub(super) switch_up: Option<f64>,
    pub(super) switch_previous: Option<f64>,
    pub(super) switch_default: Option<f64>,
    pub(super) switch_label: Option<Arc<str>>,
    pub(super) previous_velocity: bool,
    pub(super) volume_db: f64,
    pub(super) levels_db: [f64; 3],
    pub(super) amplitude: f64,
    pub(super) level_amplitudes: [f64; 3],
    pub(super) pan: f64,
    pub(super) pan_key_track: f64,
    pub(super) pan_key_centre: f64,
    pub(super) pan_velocity_track: f64,
    pub(super) pan_random: f64,
    pub(super) position: f64,
    pub(super) width: f64,
    pub(super) amp_key_track: f64,
    pub(super) amp_key_centre: f64,
    pub(super) velocity_track: f64,
    pub(super) velocity_points: BTreeMap<u16, f64>,
    pub(super) amp_random_db: f64,
    pub(super) fade_in: [Fade; 2],
    pub(super) fade_out: [Fade; 2],
    pub(super) controller_fades: BTreeMap<u16, (Fade, Fade)>,
    /// Power, not gain: of keys, velocities, controllers.
    pub(super) fade_power: [bool; 3],
    pub(super) bend_up: f64,
    pub(super) bend_down: f64,
    /// `None`: as the sample says.
    pub(super) key_centre: Option<f64>,
    pub(super) key_track: f64,
    pub(super) pitch_velocity_track: f64,
    pub(super) pitch_random: f64,
    pub(super) transpose: f64,
    pub(super) tune: f64,
    pub(super) level_tunes: [f64; 3],
    pub(super) filters: [FilterPlan; 2],
    pub(super) eqs: BTreeMap<u16, EqPlan>,
    /// Amplitude, pitch, filter.
    pub(super) envelopes: [EnvelopePlan; 3],
    pub(super) old_lfos: [LfoPlan; 3],
    /// Depths by channel and key pressure of those.
    pub(super) old_lfo_pressures: [[f64; 2]; 3],
    pub(super) lfos: BTreeMap<u16, LfoPlan>,
    pub(super) egs: BTreeMap<u16, EgPlan>,
    pub(super) moved: BTreeMap<MovedBy, (Op, Moved)>,
}

/// A plain region.
fn plain(place: Place) -> Plan {
    let filter = FilterPlan {
        kind: 5, // lpf_2p
        cutoff_hz: None,
        resonance_db: 0.0,
        gain_db: 0.0,
        key_track: 0.0,
        key_centre: 60.0,
        velocity_track: 0.0,
        random_cents: 0.0,
        channel_pressure: 0.0,
        key_pressure: 0.0,
    };
    Plan {
        place,
        sample: None,
        delay_s: 0.0,
        delay_random_s: 0.0,
        delay_frames: 0.0,
        offset: 0.0,
        offset_random: 0.0,
        end: None,
        count: 0.0,
        loop_mode: None,
        loop_start: None,
        loop_end: None,
        loop_type: 0,
        loop_crossfade_s: 0.0,
        reverse: false,
        invert: false,
        group: 0,
        off_by: None,
        off_mode: 0,
        off_mode_set: false,
        off_time: None,
        polyphony: None,
        polyphony_place: None,
        note_polyphony: None,
        self_mask: true,
        release_dead: false,
        release_decay_db: 0.0,
        keys: (0.0, 127.0),
        velocities: (0.0, 127.0),
        channels: (1.0, 16.0),
        controllers: BTreeMap::new(),
        bend: (-8192.0, 8192.0),
        channel_pressure: (0.0, 127.0),
        key_pressure: (0.0, 127.0),
        programs: (0.0, 127.0),
        random: (0.0, 1.0),
        sequence: (1.0, 1.0),
        timer: (0.0, f64::INFINITY),
        trigger: 0,
        on_controllers: BTreeMap::new(),
        sustain: true,
        sostenuto: true,
        sustain_controller: 64.0,
        switch_range: None,
        switch_last: None,
        switch_down: None,
        switch_up: None,
        switch_previous: None,
        switch_default: None,
        switch_label: None,
        previous_velocity: false,
        volume_db: 0.0,
        levels_db: [0.0; 3],
        amplitude: 100.0,
        level_amplitudes: [100.0; 3],
        pan: 0.0,
        pan_key_track: 0.0,
        pan_key_centre: 60.0,
        pan_velocity_track: 0.0,
        pan_random: 0.0,
        position: 0.0,
        width: 100.0,
        amp_key_track: 0.0,
        amp_key_centre: 60.0,
        velocity_track: 100.0,
        velocity_points: BTreeMap::new(),
        amp_random_db: 0.0,
        fade_in: [Fade::default(); 2],
        fade_out: [Fade::default(); 2],
        controller_fades: BTreeMap::new(),
        fade_power: [true; 3],
        bend_up: 200.0,
        bend_down: -200.0,
        key_centre: Some(60.0),
        key_track: 100.0,
        pitch_velocity_track: 0.0,
        pitch_random: 0.0,
        transpose: 0.0,
        tune: 0.0,
        level_tunes: [0.0; 3],
        filters: [filter; 2],
        eqs: BTreeMap::new(),
        // SFZ 1: ampeg_release is 0 by default; ARIA's 1 ms, since a cut would click.
        envelopes: [
            EnvelopePlan::new(100.0, 0.001),
            EnvelopePlan::new(0.0, 0.0),
            EnvelopePlan::new(0.0, 0.0),
        ],
        // The LFOs of SFZ 1 are sines.
        old_lfos: [LfoPlan::new(1), LfoPlan::new(1), LfoPlan::new(1)],
        old_lfo_pressures: [[0.0; 2]; 3],
        lfos: BTreeMap::new(),
        egs: BTreeMap::new(),
        moved: BTreeMap::new(),
    }
}

impl Plan {
    /// What a region's opcodes say.
    pub(super) fn of(text: &RegionText) -> Self {
        let mut plan = plain(text.place);
        for set in text.sets() {
            match set.name.part {
                Part::Base => plan.set(set),
                part => plan.set_moved(part, set),
            }
        }
        plan
    }

    fn set_moved(&mut self, part: Part, set: &Set) {
        let key = OpKey { row: set.name.row, holes: set.name.holes };
        let (_, moved) = self.moved.entry((key, set.name.cc)).or_insert((set.op, Moved::default()));
        let number = set.value.number();
        match part {
            Part::Depth => moved.depth = number,
            Part::Curve => moved.curve = number as u16,
            Part::Step => moved.step = number,
            Part::Smooth | Part::Base => {}
        }
        // An EQ band, an LFO or an envelope that only controllers bring in.
        self.touch(set.op, set.name.holes);
    }

    /// Makes what an opcode belongs to, if it is not there.
    fn touch(&mut self, op: Op, [n, _]: [u16; 2]) {
        match op {
            Op::EqFrequency | Op::EqWidth | Op::EqGain => {
                self.eq(n);
            }
            Op::LfoRate | Op::LfoDelay | Op::LfoFade | Op::LfoTo(_) => {
                self.lfo(n);
            }
            Op::EgTime | Op::EgLevel | Op::EgTo(_) => {
                self.egs.entry(n).or_default();
            }
            Op::Envelope(of, _) => self.envelope(of).used = true,
            _ => {}
        }
    }

    fn eq(&mut self, n: u16) -> &mut EqPlan {
        let frequency_hz = match n {
            1 => 50.0,
            2 => 500.0,
            _ => 5000.0,
        };
        self.eqs.entry(n).or_insert(EqPlan {
            frequency_hz,
            width: 1.0,
            gain_db: 0.0,
            kind: 0,
            velocity_hz: 0.0,
            velocity_db: 0.0,
        })
    }

    fn lfo(&mut self, n: u16) -> &mut LfoPlan {
        self.lfos.entry(n).or_insert_with(|| LfoPlan::new(0))
    }

    fn envelope(&mut self, of: Of) -> &mut EnvelopePlan {
        &mut self.envelopes[of as usize]
    }

    fn set(&mut self, set: &Set) {
        let number = set.value.number();
        let [n, x] = set.holes();
        let word = if let Value::Word(word) = set.value { word } else { 0 };
        let is_word = matches!(set.value, Value::Word(_));
        let text = || if let Value::Text(text) = &set.value { Some(text.clone()) } else { None };
        let end_of = |pair: &mut (f64, f64), end: End, value: f64| match end {
            End::Low => pair.0 = value,
            End::High => pair.1 = value,
        };
        match set.op {
            // Handled where they stand, or without meaning for a region.
            Op::Nothing
            | Op::DefaultPath
            | Op::NoteOffset
            | Op::OctaveOffset
            | Op::SwitchNoteOffset
            | Op::SwitchOctaveOffset
            | Op::SetController
            | Op::SetControllerHd
            | Op::LabelController
            | Op::CurveIndex
            | Op::CurvePoint => {}
            Op::Sample => self.sample = text().map(|path| (path, set.place)),
            Op::Delay => self.delay_s = number,
            Op::DelayRandom => self.delay_random_s = number,
            Op::DelaySamples => self.delay_frames = number,
            Op::Offset => self.offset = number,
            Op::OffsetRandom => self.offset_random = number,
            Op::EndFrame => self.end = Some(number),
            Op::Count => self.count = number,
            Op::LoopMode => self.loop_mode = Some(word),
            Op::LoopFrame(End::Low) => self.loop_start = Some(number),
            Op::LoopFrame(End::High) => self.loop_end = Some(number),
            Op::LoopType => self.loop_type = word,
            Op::LoopCrossfade => self.loop_crossfade_s = number,
            Op::Direction => self.reverse = word == 1,
            Op::Phase => self.invert = word == 1,
            Op::Group => self.group = number as i64,
            Op::OffBy => self.off_by = Some(number as i64),
            Op::OffMode => {
                self.off_mode = word;
                self.off_mode_set = true;
            }
            Op::OffTime => self.off_time = Some(number),
            Op::Polyphony => {
                self.polyphony = Some(if is_word { 1.0 } else { number });
                self.polyphony_place = Some(set.place);
            }
            Op::NotePolyphony => self.note_polyphony = Some(number),
            Op::NoteSelfMask => self.self_mask = number != 0.0,
            Op::ReleaseDead => self.release_dead = number != 0.0,
            Op::ReleaseDecay => self.release_decay_db = number,
            Op::Key => {
                self.keys = (number, number);
                self.key_centre = Some(number);
            }
            Op::KeyRange(end) => end_of(&mut self.keys, end, number),
            Op::VelocityRange(end) => end_of(&mut self.velocities, end, number),
            Op::ChannelRange(end) => end_of(&mut self.channels, end, number),
            Op::ControllerRange(end) => {
                end_of(self.controllers.entry(n).or_insert((0.0, 127.0)), end, number);
            }
            Op::ControllerRangeHd(end) => {
                end_of(self.controllers.entry(n).or_insert((0.0, 127.0)), end, number * 127.0);
            }
            Op::BendRange(end) => end_of(&mut self.bend, end, number),
            Op::ChannelPressure(end) => end_of(&mut self.channel_pressure, end, number),
            Op::KeyPressure(end) => end_of(&mut self.key_pressure, end, number),
            Op::ProgramRange(end) => end_of(&mut self.programs, end, number),
            Op::Random(end) => end_of(&mut self.random, end, number),
            Op::SequenceLength => self.sequence.0 = number,
            Op::SequencePosition => self.sequence.1 = number,
            Op::Timer(end) => end_of(&mut self.timer, end, number),
            Op::Trigger => self.trigger = word,
            Op::OnController(end) => {
                end_of(self.on_controllers.entry(n).or_insert((-1.0, 127.0)), end, number);
            }
            Op::OnControllerHd(end) => {
                let value = if number < 0.0 { -1.0 } else { number * 127.0 };
                end_of(self.on_controllers.entry(n).or_insert((-1.0, 127.0)), end, value);
            }
            Op::SustainSwitch => self.sustain = number != 0.0,
            Op::SostenutoSwitch => self.sostenuto = number != 0.0,
            Op::SustainController => self.sustain_controller = number,
            Op::SwitchRange(end) => end_of(self.switch_range.get_or_insert((0.0, 127.0)), end, number),
            Op::SwitchLast => self.switch_last = Some((number, number)),
            Op::SwitchLastRange(end) => end_of(self.switch_last.get_or_insert((0.0, 127.0)), end, number),
            Op::SwitchDown => self.switch_down = Some(number),
            Op::SwitchUp => self.switch_up = Some(number),
            Op::SwitchPrevious => self.switch_previous = Some(number),
            Op::SwitchDefault => self.switch_default = Some(number),
            Op::SwitchLabel => self.switch_label = text(),
            Op::SwitchVelocity => self.previous_velocity = word == 1,
            Op::Volume => self.volume_db = number,
            Op::Amplitude => self.amplitude = number,
            Op::LevelVolume(level) => self.levels_db[level as usize] = number,
            Op::LevelAmplitude(level) => self.level_amplitudes[level as usize] = number,
            Op::LevelTune(level) => self.level_tunes[level as usize] = number,
            Op::Pan => self.pan = number,
            Op::PanKeyTrack => self.pan_key_track = number,
            Op::PanKeyCentre => self.pan_key_centre = number,
            Op::PanVelocityTrack => self.pan_velocity_track = number,
            Op::PanRandom => self.pan_random = number,
            Op::Position => self.position = number,
            Op::Width => self.width = number,
            Op::AmpKeyTrack => self.amp_key_track = number,
            Op::AmpKeyCentre => self.amp_key_centre = number,
            Op::AmpVelocityTrack => self.velocity_track = number,
            Op::AmpVelocityPoint => {
                self.velocity_points.insert(n.min(127), number);
            }
            Op::AmpRandom => self.amp_random_db = number,
            Op::FadeIn(by, end) => self.fade(by, n, end, number, true),
            Op::FadeOut(by, end) => self.fade(by, n, end, number, false),
            Op::FadeCurve(by) => {
                self.fade_power[by as usize] = table::FADE_CURVES.get(usize::from(word)) == Some(&"power")
            }
            Op::BendUp => self.bend_up = number,
            Op::BendDown => self.bend_down = number,
            Op::PitchKeyCentre => self.key_centre = if is_word { None } else { Some(number) },
            Op::PitchKeyTrack => self.key_track = number,
            Op::PitchVelocityTrack => self.pitch_velocity_track = number,
            Op::PitchRandom => self.pitch_random = number,
            Op::Transpose => self.transpose = number,
            Op::Tune => self.tune = number,
            Op::Cutoff(f) => self.filters[usize::from(f)].cutoff_hz = Some(number),
            Op::CutoffChannelPressure(f) => self.filters[usize::from(f)].channel_pressure = number,
            Op::CutoffKeyPressure(f) => self.filters[usize::from(f)].key_pressure = number,
            Op::Resonance(f) => self.filters[usize::from(f)].resonance_db = number,
            Op::FilterType(f) => self.filters[usize::from(f)].kind = word,
            Op::FilterGain(f) => self.filters[usize::from(f)].gain_db = number,
            Op::FilterKeyTrack(f) => self.filters[usize::from(f)].key_track = number,
            Op::FilterKeyCentre(f) => self.filters[usize::from(f)].key_centre = number,
            Op::FilterVelocityTrack(f) => self.filters[usize::from(f)].velocity_track = number,
            Op::FilterRandom(f) => self.filters[usize::from(f)].random_cents = number,
            Op::EqFrequency => self.eq(n).frequency_hz = number,
            Op::EqWidth => self.eq(n).width = number,
            Op::EqGain => self.eq(n).gain_db = number,
            Op::EqType => self.eq(n).kind = word,
            Op::EqVelocityFrequency => self.eq(n).velocity_hz = number,
            Op::EqVelocityGain => self.eq(n).velocity_db = number,
            Op::Envelope(of, stage) => {
                let envelope = self.envelope(of);
                envelope.stages[stage as usize] = number;
                envelope.used = true;
            }
            Op::EnvelopeShape(of, stage) => {
                let at = match stage {
                    Stage::Attack => 0,
                    Stage::Decay => 1,
                    _ => 2,
                };
                self.envelope(of).shapes[at] = Some(number);
            }
            Op::EnvelopeDecayZero(of) => self.envelope(of).decay_zero = number != 0.0,
            Op::EnvelopeVelocity(of, stage) => {
                let envelope = self.envelope(of);
                envelope.velocity[stage as usize] = number;
                envelope.used = true;
            }
            Op::EnvelopeDepth(of) => self.envelope(of).depth = number,
            Op::EnvelopeVelocityDepth(of) => self.envelope(of).velocity_depth = number,
            Op::OldLfoDelay(of) => self.old_lfos[of as usize].delay_s = number,
            Op::OldLfoFade(of) => self.old_lfos[of as usize].fade_s = number,
            Op::OldLfoRate(of) => self.old_lfos[of as usize].rate_hz = number,
            Op::OldLfoDepth(of) => {
                let goal = match of {
                    Of::Amp => Goal::Volume,
                    Of::Pitch => Goal::Pitch,
                    Of::Filter => Goal::Cutoff(0),
                };
                self.old_lfos[of as usize].goals = vec![(goal, 0, number)];
            }
            Op::OldLfoChannelPressure(of) => self.old_lfo_pressures[of as usize][0] = number,
            Op::OldLfoKeyPressure(of) => self.old_lfo_pressures[of as usize][1] = number,
            Op::LfoRate => self.lfo(n).rate_hz = number,
            Op::LfoPhase => self.lfo(n).phase = number,
            Op::LfoDelay => self.lfo(n).delay_s = number,
            Op::LfoFade => self.lfo(n).fade_s = number,
            Op::LfoWave => self.lfo(n).wave = number as i64,
            Op::LfoTo(goal) => put_goal(&mut self.lfo(n).goals, goal, x, number),
            Op::EgTime => self.egs.entry(n).or_default().points.entry(x).or_default().0 = number,
            Op::EgLevel => self.egs.entry(n).or_default().points.entry(x).or_default().1 = number,
            Op::EgSustain => self.egs.entry(n).or_default().sustain = number as u16,
            Op::EgAmp => self.egs.entry(n).or_default().amp = number != 0.0,
            Op::EgTo(goal) => put_goal(&mut self.egs.entry(n).or_default().goals, goal, x, number),
        }
    }

    fn fade(&mut self, by: By, controller: u16, end: End, value: f64, is_in: bool) {
        let fade = match (by, is_in) {
            (By::Key, true) => &mut self.fade_in[0],
            (By::Key, false) => &mut self.fade_out[0],
            (By::Velocity, true) => &mut self.fade_in[1],
            (By::Velocity, false) => &mut self.fade_out[1],
            (By::Controller, true) => &mut self.controller_fades.entry(controller).or_default().0,
            (By::Controller, false) => &mut self.controller_fades.entry(controller).or_default().1,
        };
        match end {
            End::Low => fade.low = Some(value),
            End::High => fade.high = Some(value),
        }
    }

    /// Linear amplitude of everything that stands still.
    pub(super) fn gain(&self) -> f64 {
        let db = self.volume_db + self.levels_db.iter().sum::<f64>();
        let amplitudes = self.level_amplitudes.iter().map(|percent| percent / 100.0).product::<f64>();
        let sign = if self.invert { -1.0 } else { 1.0 };
        sign * 10f64.powf(db / 20.0) * self.amplitude / 100.0 * amplitudes
    }

    /// Cents on top of the key.
    pub(super) fn cents(&self) -> f64 {
        self.tune + 100.0 * self.transpose + self.level_tunes.iter().sum::<f64>()
    }
}

/// The levels, in the order of [`Plan::levels_db`].
const _: () =
    assert!(Level::Global as usize == 0 && Level::Group as usize == 2 && By::Controller as usize == 2);

fn put_goal(goals: &mut Vec<(Goal, u16, f64)>, goal: Goal, band: u16, depth: f64) {
    match goals.iter_mut().find(|(other, of, _)| *other == goal && *of == band) {
        Some((_, _, old)) => *old = depth,
        None => goals.push((goal, band, depth)),
    }
}
