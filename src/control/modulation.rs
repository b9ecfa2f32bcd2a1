//! What moves an instrument's sound, as its users say it: envelopes, filters, LFOs and routes, read and checked.

use super::error::{Error, Result};
use super::value::{Options, Value};
use crate::dsp::envelope::{Curve, EnvelopeTimes};
use crate::dsp::filter::{FilterSettings, Kind, MAX_GAIN_DB, MAX_RESONANCE_DB};
use crate::dsp::lfo::{LfoSettings, Shape, Sync};
use crate::engine::event::CUTOFF_HZ;
use crate::instrument::{
    MAX_ENVELOPES, MAX_FILTERS, MAX_LFOS, Modulation, RegionFilter, Route, Source, Target,
};

/// Longest stage, s: an hour.
const MAX_STAGE_S: f64 = 3600.0;
/// Farthest that anything moves a pitch or a cutoff: ten octaves.
const MAX_CENTS: f64 = 12_000.0;
/// Largest change of level, dB.
const MAX_LEVEL_DB: f64 = 144.0;
/// Fastest LFO, Hz: above it is no modulation but a tone.
const MAX_LFO_HZ: f64 = 1000.0;
/// Routes of one instrument: each costs every voice a few nanoseconds a segment.
const MAX_ROUTES: usize = 64;

const ENVELOPE: [&str; 10] = [
    "delay",
    "attack",
    "hold",
    "decay",
    "sustain",
    "release",
    "start",
    "attackCurve",
    "decayCurve",
    "releaseCurve",
];

fn stages(options: &Options<'_>) -> Result<EnvelopeTimes> {
    let default = EnvelopeTimes::default();
    let seconds = |name: &str, default: f64| {
        options.number(name, 0.0, MAX_STAGE_S, " s").map(|value| value.unwrap_or(default))
    };
    Ok(EnvelopeTimes {
        delay_s: seconds("delay", default.delay_s)?,
        attack_s: seconds("attack", default.attack_s)?,
        hold_s: seconds("hold", default.hold_s)?,
        decay_s: seconds("decay", default.decay_s)?,
        sustain: options.number("sustain", 0.0, 1.0, "")?.unwrap_or(default.sustain),
        release_s: seconds("release", default.release_s)?,
        start: options.number("start", 0.0, 1.0, "")?.unwrap_or(default.start),
        attack_curve: curve(options, "attackCurve", default.attack_curve)?,
        decay_curve: curve(options, "decayCurve", default.decay_curve)?,
        release_curve: curve(options, "releaseCurve", default.release_curve)?,
    })
}

fn curve(options: &Options<'_>, name: &str, default: Curve) -> Result<Curve> {
    match options.get(name) {
        None => Ok(default),
        Some(Value::String(_)) => {
            let word = options.word(name, &["linear", "exponential"], |word| match word {
                "linear" => Some(Curve::LINEAR),
                "exponential" => Some(Curve::EXPONENTIAL),
                _ => None,
            })?;
            Ok(word.unwrap_or(default))
        }
        Some(_) => {
            let shape = options.number(
                name,
                -Curve::MAX_SHAPE,
                Curve::MAX_SHAPE,
                " (0 is linear), or 'linear' or 'exponential'",
            )?;
            Ok(shape.map_or(default, Curve::shape))
        }
    }
}

fn object(what: &str, value: &Value, names: &[&str]) -> Result<()> {
    match value {
        Value::Object(_) => Ok(()),
        other => Err(Error::InvalidType(format!(
            "{what} must be an object {{ {} }}, got {other}",
            names.join(", ")
        ))),
    }
}

/// Reads and checks the argument of `setEnvelope`; what is absent has its default.
pub fn read_envelope(value: &Value) -> Result<EnvelopeTimes> {
    object("envelope", value, &ENVELOPE)?;
    stages(&Options::read("envelope options", value, &ENVELOPE)?)
}

/// An envelope that moves something by so many cents.
fn deep_envelope(what: &str, value: &Value) -> Result<(EnvelopeTimes, f32)> {
    let names: Vec<&'static str> = ENVELOPE.into_iter().chain(["depth"]).collect();
    object(what, value, &names)?;
    let options = Options::read(what, value, &names)?;
    let depth = options.number("depth", -MAX_CENTS, MAX_CENTS, " cents")?.unwrap_or(0.0);
    Ok((stages(&options)?, depth as f32))
}

const FILTER_KINDS: [(&str, Kind); 10] = [
    ("lowpass", Kind::LowPass),
    ("highpass", Kind::HighPass),
    ("bandpass", Kind::BandPass),
    ("notch", Kind::Notch),
    ("peak", Kind::Peak),
    ("lowshelf", Kind::LowShelf),
    ("highshelf", Kind::HighShelf),
    ("lowpass1", Kind::LowPass1),
    ("highpass1", Kind::HighPass1),
    ("allpass", Kind::AllPass),
];

fn filter(value: &Value) -> Result<RegionFilter> {
    let names = ["type", "cutoff", "resonance", "gain", "keytrack", "keycenter", "velocity"];
    object("filter", value, &names)?;
    let options = Options::read("filter options", value, &names)?;
    let kind = options.word("type", &FILTER_KINDS.map(|(name, _)| name), |word| {
        FILTER_KINDS.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind)
    })?;
    let resonance = f64::from(MAX_RESONANCE_DB);
    let gain = f64::from(MAX_GAIN_DB);
    let settings = FilterSettings {
        kind: kind.unwrap_or_default(),
        cutoff_hz: options
            .number("cutoff", CUTOFF_HZ.0, CUTOFF_HZ.1, " Hz")?
            .map_or(f32::INFINITY, |hz| hz as f32),
        resonance_db: options.number("resonance", -resonance, resonance, " dB")?.unwrap_or(0.0) as f32,
        gain_db: options.number("gain", -gain, gain, " dB")?.unwrap_or(0.0) as f32,
    };
    let cents = |name: &str, most: f64, unit: &str| {
        options.number(name, -most, most, unit).map(|cents| cents.unwrap_or(0.0) as f32)
    };
    Ok(RegionFilter {
        settings,
        key_track_cents: cents("keytrack", 1200.0, " cents a key")?,
        key_centre: options.number("keycenter", 0.0, 127.0, "")?.unwrap_or(60.0) as f32,
        velocity_track_cents: cents("velocity", MAX_CENTS, " cents at full velocity")?,
    })
}

const SHAPES: [(&str, Shape); 6] = [
    ("sine", Shape::Sine),
    ("triangle", Shape::Triangle),
    ("square", Shape::Square),
    ("sawup", Shape::SawUp),
    ("sawdown", Shape::SawDown),
    ("random", Shape::Random),
];

/// An LFO and the routes that its depths are.
fn lfo(value: &Value, number: u8) -> Result<(LfoSettings, Vec<Route>)> {
    let names =
        ["shape", "width", "rate", "delay", "fade", "phase", "free", "pitch", "gain", "pan", "cutoff", "via"];
    object("lfo", value, &names)?;
    let options = Options::read("lfo options", value, &names)?;
    let shape = options.word("shape", &SHAPES.map(|(name, _)| name), |word| {
        SHAPES.iter().find(|(name, _)| *name == word).map(|(_, shape)| *shape)
    })?;
    let width = options.number("width", 0.0, 1.0, " of the period")?;
    let default = LfoSettings::default();
    let seconds = |name: &str| {
        options.number(name, 0.0, MAX_STAGE_S, " s").map(|seconds| seconds.unwrap_or(0.0) as f32)
    };
    let settings = LfoSettings {
        shape: width.map_or(shape.unwrap_or(default.shape), |width| Shape::Pulse(width as f32)),
        rate_hz: options.number("rate", 0.0, MAX_LFO_HZ, " Hz")?.map_or(default.rate_hz, |hz| hz as f32),
        delay_s: seconds("delay")?,
        fade_s: seconds("fade")?,
        phase: options.number("phase", 0.0, 1.0, " of the period")?.unwrap_or(0.0) as f32,
        sync: if options.flag("free")?.unwrap_or(false) { Sync::Free } else { Sync::Note },
    };
    let via = options.get("via").map(|value| source("via", value)).transpose()?.unwrap_or(Source::One);
    let mut routes = Vec::new();
    for (name, most, unit, to) in [
        ("pitch", MAX_CENTS, " cents", Target::Pitch),
        ("gain", MAX_LEVEL_DB, " dB", Target::Gain),
        ("pan", 1.0, "", Target::Pan),
        ("cutoff", MAX_CENTS, " cents", Target::Cutoff(0)),
    ] {
        if let Some(depth) = options.number(name, -most, most, unit)? {
            routes.push(Route::new(Source::Lfo(number), to, depth as f32).via(via));
        }
    }
    Ok((settings, routes))
}

const SOURCES: [(&str, Source); 7] = [
    ("velocity", Source::Velocity),
    ("key", Source::Key),
    ("random", Source::Random),
    ("bend", Source::Bend),
    ("pressure", Source::Pressure),
    ("channelpressure", Source::ChannelPressure),
    ("notepressure", Source::NotePressure),
];

/// Sources that carry a number: how many there are of each.
fn numbered(word: &str) -> Option<Source> {
    let after = |prefix: &str, most: usize| {
        let number: usize = word.strip_prefix(prefix)?.parse().ok()?;
        u8::try_from(number).ok().filter(|_| number < most)
    };
    after("cc", 128)
        .map(Source::Controller)
        .or_else(|| after("lfo", MAX_LFOS).map(Source::Lfo))
        .or_else(|| after("envelope", MAX_ENVELOPES).map(Source::Envelope))
}

fn source(name: &str, value: &Value) -> Result<Source> {
    let wrong = || {
        let words = SOURCES.map(|(word, _)| word).join(", ");
        format!(
            "{name} must be one of {words}, cc0 to cc127, lfo0 to lfo{} or envelope0 to envelope{}, got {value}",
            MAX_LFOS - 1,
            MAX_ENVELOPES - 1
        )
    };
    let Value::String(word) = value else { return Err(Error::InvalidType(wrong())) };
    let plain = SOURCES.iter().find(|(known, _)| known == word).map(|(_, source)| *source);
    plain.or_else(|| numbered(word)).ok_or_else(|| Error::InvalidArgument(wrong()))
}

fn route(value: &Value) -> Result<Route> {
    let names = ["from", "via", "to", "depth", "filter"];
    object("route", value, &names)?;
    let options = Options::read("route", value, &names)?;
    let from = source("from", options.get("from").unwrap_or(&Value::Undefined))?;
    let filter = options.integer("filter", 0, MAX_FILTERS as u32 - 1, "")?.unwrap_or(0) as u8;
    let targets = [
        ("pitch", Target::Pitch, MAX_CENTS),
        ("gain", Target::Gain, MAX_LEVEL_DB),
        ("pan", Target::Pan, 1.0),
        ("cutoff", Target::Cutoff(filter), MAX_CENTS),
        ("resonance", Target::Resonance(filter), f64::from(MAX_RESONANCE_DB)),
    ];
    let found = options.word("to", &targets.map(|(name, ..)| name), |word| {
        targets.iter().find(|(name, ..)| *name == word).map(|(_, to, most)| (*to, *most))
    })?;
    let Some((to, most)) = found else {
        let words = targets.map(|(name, ..)| name).join(", ");
        return Err(Error::InvalidType(format!("to must be one of {words}, got undefined")));
    };
    let depth = options.number("depth", -most, most, " (cents, dB, or -1..1 for pan)")?.unwrap_or(0.0);
    let via = options.get("via").map(|value| source("via", value)).transpose()?.unwrap_or(Source::One);
    Ok(Route::new(from, to, depth as f32).via(via))
}

fn list<'a>(options: &'a Options<'_>, name: &str, most: usize) -> Result<&'a [Value]> {
    match options.get(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) if items.len() <= most => Ok(items),
        Some(Value::Array(items)) => {
            Err(Error::InvalidArgument(format!("{name} may be at most {most}, got {}", items.len())))
        }
        Some(other) => Err(Error::InvalidType(format!("{name} must be an array, got {other}"))),
    }
}

/// Reads and checks the argument of `setModulation`.
pub fn read_modulation(value: &Value) -> Result<Modulation> {
    let names = ["filters", "lfos", "pitchEnvelope", "filterEnvelope", "routes"];
    object("modulation", value, &names)?;
    let options = Options::read("modulation", value, &names)?;
    let mut modulation = Modulation::none();
    for value in list(&options, "filters", MAX_FILTERS)? {
        modulation.filters.push(filter(value)?);
    }
    for (number, value) in (0u8..).zip(list(&options, "lfos", MAX_LFOS)?) {
        let (settings, routes) = lfo(value, number)?;
        modulation.lfos.push(settings);
        modulation.routes.extend(routes);
    }
    for (name, to) in [("pitchEnvelope", Target::Pitch), ("filterEnvelope", Target::Cutoff(0))] {
        if let Some(value) = options.get(name) {
            let (times, depth) = deep_envelope(name, value)?;
            let number = modulation.envelopes.len() as u8;
            modulation.envelopes.push(times);
            modulation.routes.push(Route::new(Source::Envelope(number), to, depth));
        }
    }
    for value in list(&options, "routes", MAX_ROUTES)? {
        modulation.routes.push(route(value)?);
    }
    Ok(modulation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(fields: &[(&str, Value)]) -> Value {
        Value::Object(fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
    }

    fn text(word: &str) -> Value {
        Value::String(word.into())
    }

    #[test]
    fn each_part_becomes_its_part_of_the_model() {
        let filter = object(&[("type", text("highpass")), ("cutoff", Value::Number(300.0))]);
        let lfo =
            object(&[("shape", text("triangle")), ("pitch", Value::Number(30.0)), ("via", text("cc1"))]);
        let envelope = object(&[("attack", Value::Number(0.5)), ("depth", Value::Number(-1200.0))]);
        let route = object(&[
            ("from", text("velocity")),
            ("to", text("cutoff")),
            ("filter", Value::Number(1.0)),
            ("depth", Value::Number(2400.0)),
        ]);
        let modulation = read_modulation(&object(&[
            ("filters", Value::Array(vec![filter])),
            ("lfos", Value::Array(vec![lfo])),
            ("filterEnvelope", envelope),
            ("routes", Value::Array(vec![route])),
        ]))
        .unwrap();
        assert_eq!(modulation.filters[0].settings.kind, Kind::HighPass);
        assert_eq!(modulation.envelopes[0].attack_s, 0.5);
        assert_eq!(
            modulation.routes,
            [
                Route::new(Source::Lfo(0), Target::Pitch, 30.0).via(Source::Controller(1)),
                Route::new(Source::Envelope(0), Target::Cutoff(0), -1200.0),
                Route::new(Source::Velocity, Target::Cutoff(1), 2400.0),
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        let said = |fields: &[(&str, Value)]| read_modulation(&object(fields)).unwrap_err().to_string();
        let one = |name: &str, fields: &[(&str, Value)]| said(&[(name, Value::Array(vec![object(fields)]))]);
        assert!(one("filters", &[("type", text("lowpas"))]).contains("did you mean 'lowpass'?"));
        assert!(one("filters", &[("cutoff", Value::Number(0.0))]).contains("from 1 to 400000 Hz"));
        assert!(one("lfos", &[("via", text("cc128"))]).contains("cc0 to cc127"));
        assert!(one("lfos", &[("rate", Value::Number(1e6))]).contains("from 0 to 1000 Hz"));
        assert!(one("routes", &[("from", text("lfo4")), ("to", text("pitch"))]).contains("lfo0 to lfo3"));
        assert!(one("routes", &[("from", text("key"))]).contains("to must be one of"));
        assert!(said(&[("filters", Value::Array(vec![object(&[]); 4]))]).contains("at most 3, got 4"));
        assert!(said(&[("lfo", Value::Array(vec![]))]).contains("did you mean 'lfos'?"));
        assert!(read_modulation(&Value::Number(1.0)).is_err());
    }

    #[test]
    fn curves_are_words_or_shapes() {
        let curve = |value: Value| read_envelope(&object(&[("attackCurve", value)])).map(|e| e.attack_curve);
        assert_eq!(curve(text("exponential")).unwrap(), Curve::EXPONENTIAL);
        assert_eq!(curve(Value::Number(0.0)).unwrap(), Curve::LINEAR);
        assert!(curve(text("curly")).is_err() && curve(Value::Number(f64::NAN)).is_err());
    }
}
