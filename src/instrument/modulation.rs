//! What moves a region's sound: envelopes and LFOs of its own, filters, and the routes from what is played to what is
//! heard.
//!
//! One table of routes serves SFZ (`_oncc`, `_veltrack`, `lfoN_…`, `egN_…`) and SoundFont (modulators, generators 5 to
//! 12) alike: a source, shaped, times a second source, times a depth, added to a target. Source of the idea: SoundFont
//! 2.04, section 8.2 "Modulator data structures".

use std::sync::Arc;

use crate::dsp::envelope::EnvelopeTimes;
use crate::dsp::filter::FilterSettings;
use crate::dsp::lfo::LfoSettings;

/// Envelopes of a region beside that of its amplitude.
pub const MAX_ENVELOPES: usize = 4;
/// LFOs of a region.
pub const MAX_LFOS: usize = 4;
/// Filters of a region, one behind the other.
pub const MAX_FILTERS: usize = 3;

/// Where a modulation comes from, and its range before it is shaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Always 1.
    One,
    /// Note-on velocity, 0..=1 for 0..=127.
    Velocity,
    /// Key, 0..=1 for 0..=127.
    Key,
    /// One number for each voice, 0..=1, the same whenever the same notes are played.
    Random,
    /// A controller of its channel, 0..=1 for 0..=127.
    Controller(u8),
    /// Pitch bend, −1..=1.
    Bend,
    /// Pressure of its channel and its key, whichever is higher, 0..=1.
    Pressure,
    /// Pressure of its channel alone, 0..=1.
    ChannelPressure,
    /// Pressure of its key or its note alone, 0..=1.
    NotePressure,
    /// An envelope of the region, by number, 0..=1.
    Envelope(u8),
    /// An LFO of the region, by number, −1..=1.
    Lfo(u8),
}

/// What a source's values are turned into.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Shape {
    /// As they are.
    #[default]
    Linear,
    /// 0..=1 to −1..=1.
    Bipolar,
    /// What of it is above 0.
    Upper,
    /// What of it is below 0, as a positive number.
    Lower,
    /// Points for 0, 1/127 … 1 with straight lines between; sources from −1 to 1 are laid over its whole length. Source:
    /// SFZ `<curve>`; SoundFont's concave, convex and switch shapes are computed into one.
    Table(Arc<[f32; 128]>),
}

impl Shape {
    /// The value that a source's becomes. `bipolar`: the source runs from −1 to 1.
    pub fn at(&self, value: f32, bipolar: bool) -> f32 {
        match self {
            Self::Linear => value,
            Self::Bipolar if bipolar => value,
            Self::Bipolar => 2.0 * value - 1.0,
            Self::Upper => value.max(0.0),
            Self::Lower => (-value).max(0.0),
            Self::Table(points) => {
                let unit = if bipolar { 0.5 * (value + 1.0) } else { value };
                let place = (unit * 127.0).clamp(0.0, 127.0);
                let at = (place as usize).min(126);
                let (from, to) = (points.get(at), points.get(at + 1));
                let (from, to) = (from.copied().unwrap_or(0.0), to.copied().unwrap_or(0.0));
                from + (to - from) * (place - at as f32)
            }
        }
    }
}

/// What a modulation is added to, and in which unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Cents.
    Pitch,
    /// dB.
    Gain,
    /// −1..=1 from left to right, on top of the region's.
    Pan,
    /// Cutoff of a filter, by number, cents.
    Cutoff(u8),
    /// Resonance of a filter, by number, dB.
    Resonance(u8),
    /// Gain of a filter that has one, by number, dB.
    FilterGain(u8),
    /// Rate of an LFO, by number, cents.
    LfoRate(u8),
    /// Linear amplitude: what all such routes come to is multiplied, not added. Source: ARIA `amplitude_oncc`.
    Amplitude,
    /// Linear amplitude: 1 and all such routes together are one factor. Source: SFZ 2 `lfoN_amplitude`.
    AmplitudeSum,
    /// Stereo width, on top of the region's.
    Width,
}

/// Stages of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // as `EnvelopeTimes`
pub enum Stage {
    Delay,
    Attack,
    Hold,
    Decay,
    Sustain,
    Release,
    Start,
}

/// What is moved once, when a voice starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTarget {
    /// A stage of the amplitude envelope, s, or 0..=1 for levels.
    Amplitude(Stage),
    /// A stage of another envelope, by number.
    Envelope(u8, Stage),
    /// Delay of an LFO, by number, s.
    LfoDelay(u8),
    /// Fade of an LFO, by number, s.
    LfoFade(u8),
    /// Frames that the playhead starts later in the sample.
    Offset,
    /// Silence before the voice begins, s.
    Delay,
    /// How far velocity counts, on top of the region's: 1 is in full.
    VelocityTrack,
}

/// A modulation that is looked at once, when a voice starts.
#[derive(Clone, Debug, PartialEq)]
pub struct StartRoute {
    /// What it follows: no envelope and no LFO, which have not begun.
    pub from: Source,
    /// How.
    pub shape: Shape,
    /// What it moves.
    pub to: StartTarget,
    /// By how much at a source of 1, in the target's unit.
    pub depth: f32,
}

/// One modulation: `shape(from) × via_shape(via) × depth`, added to the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// What it follows.
    pub from: Source,
    /// How.
    pub shape: Shape,
    /// What scales it; [`Source::One`]: nothing.
    pub via: Source,
    /// How.
    pub via_shape: Shape,
    /// What it moves.
    pub to: Target,
    /// By how much at a source of 1, in the target's unit.
    pub depth: f32,
}

impl Route {
    /// A source straight to a target.
    pub fn new(from: Source, to: Target, depth: f32) -> Self {
        Self { from, shape: Shape::Linear, via: Source::One, via_shape: Shape::Linear, to, depth }
    }

    /// The same, scaled by a second source.
    pub fn via(self, via: Source) -> Self {
        Self { via, ..self }
    }
}

/// A filter of a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegionFilter {
    /// Kind, cutoff, resonance, gain.
    pub settings: FilterSettings,
    /// Cents that its cutoff moves per key above `key_centre`. Source: SFZ `fil_keytrack`.
    pub key_track_cents: f32,
    /// Key at which the cutoff is as set. Source: SFZ `fil_keycenter`.
    pub key_centre: f32,
    /// Cents that its cutoff is higher at full velocity. Source: SFZ `fil_veltrack`.
    pub velocity_track_cents: f32,
}

impl RegionFilter {
    /// A filter that follows neither key nor velocity.
    pub fn new(settings: FilterSettings) -> Self {
        Self { settings, key_track_cents: 0.0, key_centre: 60.0, velocity_track_cents: 0.0 }
    }
}

/// Everything that moves a region's sound. Beyond the stated maxima nothing is heard of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Modulation {
    /// At most [`MAX_ENVELOPES`].
    pub envelopes: Vec<EnvelopeTimes>,
    /// At most [`MAX_LFOS`].
    pub lfos: Vec<LfoSettings>,
    /// At most [`MAX_FILTERS`].
    pub filters: Vec<RegionFilter>,
    /// From what is played to what is heard.
    pub routes: Vec<Route>,
    /// The same, looked at once.
    pub at_start: Vec<StartRoute>,
}

/// Rate of the vibrato that the modulation wheel brings in, Hz: a singer's.
const VIBRATO_HZ: f32 = 5.5;
/// Its depth at the top of the wheel, cents. Source: SoundFont 2.04, section 8.4.6.
const VIBRATO_CENTS: f32 = 50.0;

impl Default for Modulation {
    /// What a player expects of any instrument: vibrato on the modulation wheel and on pressure, each up to 50 cents
    /// (SoundFont 2.04, sections 8.4.5 and 8.4.6). At rest it changes nothing.
    fn default() -> Self {
        let vibrato = |via| Route::new(Source::Lfo(0), Target::Pitch, VIBRATO_CENTS).via(via);
        Self {
            envelopes: Vec::new(),
            lfos: vec![LfoSettings { rate_hz: VIBRATO_HZ, ..LfoSettings::default() }],
            filters: Vec::new(),
            routes: vec![vibrato(Source::Controller(1)), vibrato(Source::Pressure)],
            at_start: Vec::new(),
        }
    }
}

impl Modulation {
    /// None at all.
    pub fn none() -> Self {
        let (lfos, envelopes, filters) = (Vec::new(), Vec::new(), Vec::new());
        Self { envelopes, lfos, filters, routes: Vec::new(), at_start: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_map_the_ends_to_the_ends() {
        let table = Shape::Table(Arc::new(std::array::from_fn(|at| at as f32 * 2.0)));
        assert_eq!([0.0, 0.25, 1.0].map(|v| Shape::Bipolar.at(v, false)), [-1.0, -0.5, 1.0]);
        assert_eq!([-1.0, 0.0, 1.0].map(|v| Shape::Bipolar.at(v, true)), [-1.0, 0.0, 1.0]);
        assert_eq!([0.0, 0.5, 1.0, 9.0].map(|v| table.at(v, false)), [0.0, 127.0, 254.0, 254.0]);
        assert_eq!([-1.0, 0.0, 1.0].map(|v| table.at(v, true)), [0.0, 127.0, 254.0]);
        assert_eq!(table.at(0.5 / 127.0, false), 1.0, "straight lines between points");
    }
}
