//! Modulators: what SoundFont lets controllers, velocity and key do to generators, as [`Route`]s of the engine.
//!
//! The engine gives every channel its volume, pan, expression and pitch bend, and every note its velocity curve, which are
//! the specification's default modulators 1, 5 to 7 and 10; what a bank says differently of those is added as the
//! difference. Sources that stand still while a note sounds (velocity and key) can move anything; the others what
//! the engine moves while a voice sounds: pitch, level, pan, filter, and rates and depths of LFOs.
//!
//! One default of the specification is left out, velocity to filter cutoff (8.4.2): no current player has it, and banks
//! are voiced without.
//! Source: SoundFont 2.04, sections 8.2 (sources, transforms), 8.3 (precedence), 8.4 (defaults), 9.5 (what adds up).

use std::sync::Arc;

use super::chunks::ModulatorRecord;
use super::generators as gens;
use crate::instrument::{Route, Shape, Source, Target};

/// A modulator and the amount it ends up with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Modulator {
    pub(super) record: ModulatorRecord,
    pub(super) amount: f64,
}

const fn default_modulator(
    source: u16,
    destination: u16,
    amount: i16,
    amount_source: u16,
) -> ModulatorRecord {
    ModulatorRecord { source, destination, amount, amount_source, transform: 0 }
}

/// "Initial pitch", which is no generator.
pub(super) const PITCH: u16 = 59;

const VELOCITY_TO_ATTENUATION: ModulatorRecord = default_modulator(0x0502, gens::ATTENUATION, 960, 0);
const VOLUME: ModulatorRecord = default_modulator(0x0587, gens::ATTENUATION, 960, 0);
const CHANNEL_PAN: ModulatorRecord = default_modulator(0x028A, gens::PAN, 500, 0);
const EXPRESSION: ModulatorRecord = default_modulator(0x058B, gens::ATTENUATION, 960, 0);
const BEND: ModulatorRecord = default_modulator(0x020E, PITCH, 12_700, 0x0010);

/// Section 8.4, but for 8.4.2 and the two effects sends.
const DEFAULTS: [ModulatorRecord; 7] = [
    VELOCITY_TO_ATTENUATION,
    default_modulator(0x000D, gens::VIB_LFO_TO_PITCH, 50, 0),
    default_modulator(0x0081, gens::VIB_LFO_TO_PITCH, 50, 0),
    VOLUME,
    CHANNEL_PAN,
    EXPRESSION,
    BEND,
];

/// Those that are alike replace or add up: everything but the amount.
fn alike(a: &ModulatorRecord, b: &ModulatorRecord) -> bool {
    ModulatorRecord { amount: 0, ..*a } == ModulatorRecord { amount: 0, ..*b }
}

/// The later of two that are alike counts.
fn put(list: &mut Vec<Modulator>, record: &ModulatorRecord) {
    let modulator = Modulator { record: *record, amount: record.amount.into() };
    match list.iter_mut().find(|known| alike(&known.record, record)) {
        Some(known) => *known = modulator,
        None => list.push(modulator),
    }
}

/// All modulators of a zone: defaults, replaced by the instrument's, with the preset's added. Each pair is (global, local).
pub(super) fn resolve(
    instrument: (&[ModulatorRecord], &[ModulatorRecord]),
    preset: (&[ModulatorRecord], &[ModulatorRecord]),
) -> Vec<Modulator> {
    let mut list = Vec::new();
    DEFAULTS.iter().chain(instrument.0).chain(instrument.1).for_each(|record| put(&mut list, record));
    let mut added = Vec::new();
    preset.0.iter().chain(preset.1).for_each(|record| put(&mut added, record));
    for modulator in added {
        match list.iter_mut().find(|known| alike(&known.record, &modulator.record)) {
            Some(known) => known.amount += modulator.amount,
            None => list.push(modulator),
        }
    }
    list
}

/// A source, and what it is turned into.
#[derive(Clone, Copy, Debug, PartialEq)]
enum From {
    /// Stands still, whatever is played.
    Constant(f64),
    /// Velocity or key: stands still for one note.
    Note(NoteSource, Curve),
    /// Moves while a note sounds.
    Live(Source, Curve),
    /// A link to another modulator, or a number that the specification does not know.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoteSource {
    Velocity,
    Key,
}

/// Section 8.2.1: type, polarity and direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Curve {
    /// 0 linear, 1 concave, 2 convex, 3 switch.
    kind: u16,
    bipolar: bool,
    /// From the maximum down.
    falls: bool,
}

/// −(40/96)·log10(1 − x): 96 dB of attenuation over the square of what is left. Source: section 9.5 of 2.01.
fn concave(x: f64) -> f64 {
    if x >= 1.0 { 1.0 } else { (-(40.0 / 96.0) * (1.0 - x).log10()).clamp(0.0, 1.0) }
}

impl Curve {
    fn of(source: u16) -> Self {
        Self { kind: source >> 10 & 3, bipolar: source & 0x200 != 0, falls: source & 0x100 != 0 }
    }

    /// The value for a place in the range, 0..=1 of `value` out of 127.
    ///
    /// Linear sources run to 127/128, so that their middle is 64; `whole`: those that have 14 bits run to 1.
    fn at(self, value: f64, whole: bool) -> f64 {
        let unit = match self.kind {
            0 | 3 if !whole => value / 128.0,
            _ => value / 127.0,
        };
        let unit = if self.falls { 1.0 - unit } else { unit };
        let bent = |unit: f64| match self.kind {
            0 => unit,
            1 => concave(unit),
            2 => 1.0 - concave(1.0 - unit),
            _ => f64::from(u8::from(unit >= 0.5)),
        };
        match (self.bipolar, self.kind) {
            (false, _) => bent(unit),
            (true, 0 | 3) => 2.0 * bent(unit) - 1.0,
            // Each half is bent outwards from the middle.
            (true, _) if unit >= 0.5 => bent(2.0 * unit - 1.0),
            (true, _) => -bent(1.0 - 2.0 * unit),
        }
    }

    fn shape(self, source: Source, absolute: bool) -> Shape {
        let fourteen_bits = source == Source::Bend;
        if fourteen_bits && !absolute && self == (Self { kind: 0, bipolar: true, falls: false }) {
            return Shape::Linear;
        }
        Shape::Table(Arc::new(std::array::from_fn(|value| {
            let value = self.at(value as f64, fourteen_bits);
            (if absolute { value.abs() } else { value }) as f32
        })))
    }
}

impl From {
    /// `key` and `velocity`: those that the zone has instead of the note's.
    fn read(source: u16, fixed_key: Option<f64>, fixed_velocity: Option<f64>) -> Self {
        let (curve, number) = (Curve::of(source), source & 0x7F);
        if source & 0x80 != 0 {
            // Data entry, banks and the like are no controllers that sound (section 8.2.1).
            return match number {
                0 | 6 | 32 | 38 | 98..=101 | 120..=127 => Self::Unknown,
                number => Self::Live(Source::Controller(number as u8), curve),
            };
        }
        let note = |which, fixed: Option<f64>| {
            fixed.map_or(Self::Note(which, curve), |value| Self::Constant(curve.at(value, false)))
        };
        match number {
            0 => Self::Constant(1.0),
            2 => note(NoteSource::Velocity, fixed_velocity),
            3 => note(NoteSource::Key, fixed_key),
            10 => Self::Live(Source::NotePressure, curve),
            13 => Self::Live(Source::ChannelPressure, curve),
            14 => Self::Live(Source::Bend, curve),
            // Semitones of a full bend, as long as nobody has set them: 2 of 127.
            16 => Self::Constant(curve.at(2.0, false)),
            _ => Self::Unknown,
        }
    }

    /// Its value when one note is all there is.
    fn value(self, key: f64, velocity: f64) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(value),
            Self::Note(NoteSource::Velocity, curve) => Some(curve.at(velocity, false)),
            Self::Note(NoteSource::Key, curve) => Some(curve.at(key, false)),
            Self::Live(..) | Self::Unknown => None,
        }
    }

    /// As the engine follows it: a source and a shape, or a factor.
    fn followed(self, absolute: bool) -> Result<(Source, Shape), f64> {
        match self {
            Self::Constant(value) => Err(if absolute { value.abs() } else { value }),
            Self::Note(NoteSource::Velocity, curve) => {
                Ok((Source::Velocity, curve.shape(Source::Velocity, absolute)))
            }
            Self::Note(NoteSource::Key, curve) => Ok((Source::Key, curve.shape(Source::Key, absolute))),
            Self::Live(source, curve) => Ok((source, curve.shape(source, absolute))),
            Self::Unknown => Err(0.0),
        }
    }
}

/// Zone's own key and velocity, where it has them instead of the note's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fixed {
    pub(super) key: Option<f64>,
    pub(super) velocity: Option<f64>,
}

impl Modulator {
    fn sources(&self, fixed: Fixed) -> [From; 2] {
        [self.record.source, self.record.amount_source]
            .map(|source| From::read(source, fixed.key, fixed.velocity))
    }

    /// What it adds to its generator for one key and velocity, if nothing that moves takes part.
    pub(super) fn value(&self, fixed: Fixed, key: f64, velocity: f64) -> Option<f64> {
        let [source, amount_source] = self.sources(fixed);
        let value = source.value(key, velocity)? * amount_source.value(key, velocity)? * self.amount;
        Some(if self.record.transform == 2 { value.abs() } else { value })
    }

    /// Whether key or velocity take part, and so the value differs from note to note.
    pub(super) fn differs_by(&self, fixed: Fixed) -> (bool, bool) {
        let by = |which| {
            self.sources(fixed).iter().any(|from| matches!(from, From::Note(note, _) if *note == which))
        };
        (by(NoteSource::Key), by(NoteSource::Velocity))
    }

    /// Whether the engine can move its destination while a voice sounds, or the engine itself does what it says.
    pub(super) fn is_routed(&self) -> bool {
        routed(self.record.destination).is_some()
    }

    /// Whether what it moves is an effects send, which voices of this version do not have.
    pub(super) fn is_send(&self) -> bool {
        matches!(self.record.destination, gens::CHORUS_SEND | gens::REVERB_SEND)
    }

    /// The exponent of v/127 that it makes of a velocity's level, if it is the one that every zone has: 2 by default.
    pub(super) fn velocity_exponent(&self) -> Option<f64> {
        alike(&self.record, &VELOCITY_TO_ATTENUATION).then_some(2.0 * self.amount / 960.0)
    }

    /// The route that it is; `None` where nothing moves. Errors: why it cannot be followed.
    pub(super) fn route(&self, fixed: Fixed) -> Result<Option<Route>, &'static str> {
        // What the engine does for every instrument, and how much of it: the rest is left to do.
        let done = [VOLUME, CHANNEL_PAN, EXPRESSION, BEND].iter().find(|known| alike(&self.record, known));
        let amount = self.amount - done.map_or(0.0, |done| f64::from(done.amount));
        let Some((to, driver, unit)) = routed(self.record.destination) else {
            return Err("the engine does not move that while a voice sounds");
        };
        if amount == 0.0 {
            return Ok(None);
        }
        let absolute = self.record.transform == 2;
        let sources = self.sources(fixed);
        if sources.contains(&From::Unknown) {
            return Err("its source is a link or unknown");
        }
        let (mut depth, mut followed) = (if absolute { amount.abs() } else { amount } * unit, Vec::new());
        if let Some(source) = driver {
            followed.push((source, Shape::Linear));
        }
        for from in sources {
            match from.followed(absolute) {
                Ok(pair) => followed.push(pair),
                Err(factor) => depth *= factor,
            }
        }
        let mut followed = followed.into_iter();
        let one = || (Source::One, Shape::Linear);
        let (from, shape) = followed.next().unwrap_or_else(one);
        let (via, via_shape) = followed.next().unwrap_or_else(one);
        if followed.next().is_some() {
            return Err("two sources for one depth of an LFO or envelope are one too many");
        }
        let depth = depth as f32;
        Ok((depth != 0.0).then_some(Route { from, shape, via, via_shape, to, depth }))
    }
}

/// Numbers of LFOs and envelopes in a region's modulation.
pub(super) const MOD_LFO: u8 = 0;
pub(super) const VIB_LFO: u8 = 1;
pub(super) const MOD_ENV: u8 = 0;

/// Where a destination is in the engine, what drives it besides the modulator, and how many of the target's units one of
/// the generator's is.
pub(super) fn routed(destination: u16) -> Option<(Target, Option<Source>, f64)> {
    let (mod_lfo, vib_lfo) = (Some(Source::Lfo(MOD_LFO)), Some(Source::Lfo(VIB_LFO)));
    let envelope = Some(Source::Envelope(MOD_ENV));
    Some(match destination {
        gens::MOD_LFO_TO_PITCH => (Target::Pitch, mod_lfo, 1.0),
        gens::VIB_LFO_TO_PITCH => (Target::Pitch, vib_lfo, 1.0),
        gens::MOD_ENV_TO_PITCH => (Target::Pitch, envelope, 1.0),
        gens::MOD_LFO_TO_CUTOFF => (Target::Cutoff(0), mod_lfo, 1.0),
        gens::MOD_ENV_TO_CUTOFF => (Target::Cutoff(0), envelope, 1.0),
        gens::MOD_LFO_TO_VOLUME => (Target::Gain, mod_lfo, 0.1),
        gens::FILTER_CUTOFF => (Target::Cutoff(0), None, 1.0),
        gens::FILTER_Q => (Target::Resonance(0), None, 0.1),
        gens::MOD_LFO_RATE => (Target::LfoRate(MOD_LFO), None, 1.0),
        gens::VIB_LFO_RATE => (Target::LfoRate(VIB_LFO), None, 1.0),
        gens::ATTENUATION => (Target::Gain, None, -0.1),
        gens::PAN => (Target::Pan, None, 1.0 / 500.0),
        gens::COARSE_TUNE => (Target::Pitch, None, 100.0),
        gens::FINE_TUNE | PITCH => (Target::Pitch, None, 1.0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(source: u16, destination: u16, amount: i16) -> ModulatorRecord {
        default_modulator(source, destination, amount, 0)
    }

    #[test]
    fn curves_have_the_values_of_the_specification() {
        let at = |source, value| Curve::of(source).at(value, false);
        assert_eq!([0.0, 64.0, 127.0].map(|v| at(0x0000, v)), [0.0, 0.5, 127.0 / 128.0]);
        assert_eq!([0.0, 64.0, 127.0].map(|v| at(0x0100, v)), [1.0, 0.5, 1.0 / 128.0]);
        assert_eq!([0.0, 64.0, 127.0].map(|v| at(0x0200, v)), [-1.0, 0.0, 126.0 / 128.0]);
        assert_eq!([0.0, 63.0, 64.0, 127.0].map(|v| at(0x0C00, v)), [0.0, 0.0, 1.0, 1.0]);
        assert_eq!([0.0, 63.0, 64.0].map(|v| at(0x0E00, v)), [-1.0, -1.0, 1.0]);
        assert_eq!([0.0, 127.0].map(|v| at(0x0400, v)), [0.0, 1.0]);
        assert_eq!([0.0, 127.0].map(|v| at(0x0800, v)), [0.0, 1.0]);
        // 960 cB by the falling concave curve are 40·log10(127/v) dB.
        for velocity in [1.0f64, 32.0, 64.0, 100.0] {
            let db = 96.0 * at(0x0500, velocity);
            assert!((db - (40.0 * (127.0 / velocity).log10()).min(96.0)).abs() < 1e-9);
        }
        // Convex is concave from the other end.
        for value in 0..=127 {
            let value = f64::from(value);
            assert!((at(0x0800, value) + at(0x0500, value) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn instruments_replace_and_presets_add() {
        let wheel = record(0x0081, gens::VIB_LFO_TO_PITCH, 20);
        let found = resolve((&[wheel], &[record(0x0081, gens::VIB_LFO_TO_PITCH, 30)]), (&[wheel], &[]));
        assert_eq!(found.len(), DEFAULTS.len());
        let amount = found.iter().find(|m| alike(&m.record, &wheel)).unwrap().amount;
        assert_eq!(amount, 50.0, "30 of the local zone, and 20 of the preset");
        let other = record(0x0081, gens::PAN, 7);
        assert_eq!(resolve((&[], &[]), (&[other], &[other])).last().unwrap().amount, 7.0);
    }

    #[test]
    fn defaults_that_the_engine_has_are_no_routes_and_their_changes_are() {
        let none = Fixed::default();
        for modulator in resolve((&[], &[]), (&[], &[])) {
            let route = modulator.route(none).unwrap();
            let vibrato = modulator.record.destination == gens::VIB_LFO_TO_PITCH;
            if modulator.velocity_exponent().is_none() {
                assert_eq!(route.is_some(), vibrato, "{modulator:?}");
            }
        }
        // A volume that does nothing takes the engine's back: +96 dB where that is −96 dB.
        let mute = Modulator { record: VOLUME, amount: 0.0 }.route(none).unwrap().unwrap();
        assert_eq!((mute.from, mute.to, mute.depth), (Source::Controller(7), Target::Gain, 96.0));
    }

    #[test]
    fn a_second_source_scales_and_an_absolute_transform_folds() {
        let none = Fixed::default();
        let mut lfo = record(0x0081, gens::MOD_LFO_TO_PITCH, 100);
        let route = Modulator { record: lfo, amount: 100.0 }.route(none).unwrap().unwrap();
        assert_eq!((route.from, route.via, route.depth), (Source::Lfo(0), Source::Controller(1), 100.0));
        lfo.amount_source = 0x0082;
        assert!(Modulator { record: lfo, amount: 100.0 }.route(none).is_err());
        let mut bend = record(0x020E, gens::FINE_TUNE, -50);
        bend.transform = 2;
        let route = Modulator { record: bend, amount: -50.0 }.route(none).unwrap().unwrap();
        assert_eq!(route.depth, 50.0);
        assert_eq!(route.shape.at(-1.0, true), 1.0);
        let link = record(0x007F, gens::PAN, 1);
        assert!(Modulator { record: link, amount: 1.0 }.route(none).is_err());
    }

    #[test]
    fn what_stands_still_for_a_note_has_a_value() {
        let attack = Modulator { record: record(0x0102, gens::VOL_ENV_ATTACK, 1280), amount: 1280.0 };
        assert_eq!(attack.value(Fixed::default(), 60.0, 64.0), Some(640.0));
        assert_eq!(attack.differs_by(Fixed::default()), (false, true));
        let fixed = Fixed { velocity: Some(127.0), key: None };
        assert_eq!((attack.differs_by(fixed), attack.value(fixed, 60.0, 1.0)), ((false, false), Some(10.0)));
        let wheel = Modulator { record: record(0x0081, gens::VOL_ENV_ATTACK, 1), amount: 1.0 };
        assert_eq!(wheel.value(Fixed::default(), 60.0, 64.0), None);
        assert!(!wheel.is_routed() && wheel.route(Fixed::default()).is_err());
    }
}
