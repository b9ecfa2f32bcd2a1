//! The options of engines and samplers: names, ranges, defaults. The one place that knows them.

use super::error::{Error, Result};
use super::value::{Options, Value};
use crate::dsp::interpolate::Interpolation;
use crate::dsp::limiter::{LimiterSettings, MAX_LOOKAHEAD_S};
use crate::engine::Stealing;
use crate::engine::event::Late;
use crate::units::{MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, db_to_gain};

/// Most output channels.
pub const MAX_CHANNELS: u32 = 32;
/// Most voices of one engine.
pub const MAX_POLYPHONY: u32 = 4096;
/// Voices of an engine, and of a sampler, unless said otherwise.
pub const DEFAULT_POLYPHONY: u32 = 256;
/// Rate of an offline engine unless said otherwise, Hz.
pub const DEFAULT_SAMPLE_RATE: u32 = 48_000;
/// Smallest and largest block that may be asked for, frames.
pub const BUFFER_SIZES: (u32, u32) = (8, 65_536);

/// Names of all engine options, in the order of the documentation.
pub const ENGINE_OPTIONS: [&str; 10] = [
    "backend",
    "device",
    "sampleRate",
    "bufferSize",
    "channels",
    "polyphony",
    "interpolation",
    "late",
    "limiter",
    "realtime",
];
/// Names of the options within `realtime`.
pub const REALTIME_OPTIONS: [&str; 5] = ["policy", "priority", "cpu", "lockMemory", "required"];
/// Highest number of a core that can be named: a cpu_set_t has 1024 bits.
const MAX_CPU: u32 = 1023;
/// Names of the options that a sampler has on top.
pub const SAMPLER_OPTIONS: [&str; 5] = ["polyphony", "gain", "stealing", "notePolyphony", "velocityCurve"];

/// Names of the options of `load()`.
pub const LOAD_OPTIONS: [&str; 7] =
    ["channel", "baseUrl", "preset", "bank", "interpolation", "onProgress", "signal"];

/// Names of the options of `createInstrument()`.
pub const INSTRUMENT_OPTIONS: [&str; 1] = ["interpolation"];

/// Words for [`EngineOptions::backend`].
pub const BACKENDS: [&str; 9] =
    ["auto", "alsa", "jack", "pipewire", "pulseaudio", "coreaudio", "wasapi", "clock", "offline"];

/// What an engine is to be; `None` is left to the device.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct EngineOptions {
    /// One of [`BACKENDS`].
    pub backend: Option<&'static str>,
    /// Id, name or part of a name.
    pub device: Option<String>,
    /// Hz.
    pub sample_rate: Option<u32>,
    /// Frames a callback.
    pub buffer_size: Option<u32>,
    /// Output channels.
    pub channels: Option<u32>,
    /// Voices over all samplers.
    pub polyphony: Option<u32>,
    /// Kernel.
    pub interpolation: Option<Interpolation>,
    /// What becomes of late notes that don't say.
    pub late: Option<Late>,
    /// `Some(None)`: no limiter.
    pub limiter: Option<Option<LimiterSettings>>,
    /// What to ask the kernel for.
    pub realtime: Option<Realtime>,
}

/// An interpolation by its name.
pub fn interpolation(name: &str) -> Option<Interpolation> {
    Interpolation::ALL.into_iter().find(|interpolation| interpolation.name() == name)
}

/// An interpolation in the field of that name. Errors: `InvalidArgument`.
pub fn read_interpolation(options: &Options<'_>) -> Result<Option<Interpolation>> {
    options.word("interpolation", &Interpolation::ALL.map(Interpolation::name), interpolation)
}

/// Words for [`Late`], in its order.
pub const LATE_POLICIES: [&str; 3] = ["play", "drop", "skip"];

/// A late policy by its name.
pub fn late_policy(name: &str) -> Option<Late> {
    LATE_POLICIES.iter().zip(Late::ALL).find(|(word, _)| **word == name).map(|(_, late)| late)
}

/// Real-time options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realtime {
    /// `realtime: false`: nothing is asked for.
    Off,
    /// Ask, with these.
    Ask {
        /// fifo, rr or other.
        policy: Policy,
        /// 1..=99.
        priority: u32,
        /// Denial is an error.
        required: bool,
        /// Core to keep the audio thread on.
        cpu: Option<u32>,
        /// Whether memory is locked.
        lock_memory: bool,
    },
}

/// Scheduling policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// SCHED_FIFO.
    Fifo,
    /// SCHED_RR.
    RoundRobin,
    /// SCHED_OTHER.
    Other,
}

/// JACK's own clients run at 10 below the server's 80 or less; 70 is above every ordinary task and below the server.
const DEFAULT_PRIORITY: u32 = 70;

impl Default for Realtime {
    fn default() -> Self {
        Self::Ask {
            policy: Policy::Fifo,
            priority: DEFAULT_PRIORITY,
            required: false,
            cpu: None,
            lock_memory: true,
        }
    }
}

impl Realtime {
    /// Whether memory is to be locked.
    pub fn locks_memory(&self) -> bool {
        matches!(self, Self::Ask { lock_memory: true, .. })
    }
}

impl EngineOptions {
    /// Reads and checks an options object.
    pub fn read(value: &Value) -> Result<Self> {
        let options = Options::read("Engine options", value, &ENGINE_OPTIONS)?;
        Self::from_options(&options)
    }

    fn from_options(options: &Options<'_>) -> Result<Self> {
        let backend = |name: &str| BACKENDS.into_iter().find(|backend| *backend == name);
        Ok(Self {
            backend: options.word("backend", &BACKENDS, backend)?,
            device: options.string("device")?,
            sample_rate: options.integer("sampleRate", MIN_SAMPLE_RATE, MAX_SAMPLE_RATE, " Hz")?,
            buffer_size: options.integer("bufferSize", BUFFER_SIZES.0, BUFFER_SIZES.1, " frames")?,
            channels: options.integer("channels", 1, MAX_CHANNELS, "")?,
            polyphony: options.integer("polyphony", 1, MAX_POLYPHONY, " voices")?,
            interpolation: read_interpolation(options)?,
            late: options.word("late", &LATE_POLICIES, late_policy)?,
            limiter: options.get("limiter").map(limiter).transpose()?,
            realtime: options.get("realtime").map(realtime).transpose()?,
        })
    }

    /// Fills in what the environment says where the program says nothing: `ICTUS_BACKEND`, `ICTUS_DEVICE`.
    pub fn or_environment(mut self, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        if self.backend.is_none()
            && let Some(name) = variable("ICTUS_BACKEND").filter(|name| !name.is_empty())
        {
            let known = BACKENDS.into_iter().find(|backend| *backend == name);
            self.backend = Some(known.ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "the environment variable ICTUS_BACKEND must be one of {}, got \"{name}\"",
                    BACKENDS.join(", ")
                ))
            })?);
        }
        if self.device.is_none() {
            self.device = variable("ICTUS_DEVICE").filter(|name| !name.is_empty());
        }
        Ok(self)
    }

    /// The first option that contradicts what an open engine has, by name, with both values.
    pub fn contradiction(&self, open: &Self) -> Option<(&'static str, String, String)> {
        fn differ<T: PartialEq + std::fmt::Debug>(
            name: &'static str,
            wanted: &Option<T>,
            open: &Option<T>,
        ) -> Option<(&'static str, String, String)> {
            let wanted = wanted.as_ref()?;
            let text = |value: &T| format!("{value:?}").to_lowercase().replace('"', "'");
            (Some(wanted) != open.as_ref())
                .then(|| (name, text(wanted), open.as_ref().map_or("the device's own".into(), text)))
        }
        let backend = self.backend.filter(|backend| *backend != "auto");
        differ("backend", &backend, &open.backend)
            .or_else(|| differ("device", &self.device, &open.device))
            .or_else(|| differ("sampleRate", &self.sample_rate, &open.sample_rate))
            .or_else(|| differ("bufferSize", &self.buffer_size, &open.buffer_size))
            .or_else(|| differ("channels", &self.channels, &open.channels))
            .or_else(|| differ("polyphony", &self.polyphony, &open.polyphony))
            .or_else(|| differ("interpolation", &self.interpolation, &open.interpolation))
            .or_else(|| differ("late", &self.late, &open.late))
            .or_else(|| differ("limiter", &self.limiter, &open.limiter))
            .or_else(|| differ("realtime", &self.realtime, &open.realtime))
    }
}

fn limiter(value: &Value) -> Result<Option<LimiterSettings>> {
    match value {
        Value::Bool(false) => return Ok(None),
        Value::Bool(true) => return Ok(Some(LimiterSettings::default())),
        Value::Object(_) => {}
        other => {
            return Err(Error::InvalidType(format!(
                "limiter must be true, false or an object {{ ceiling, lookahead, release }}, got {other}"
            )));
        }
    }
    let options = Options::read("limiter options", value, &["ceiling", "lookahead", "release"])?;
    let default = LimiterSettings::default();
    Ok(Some(LimiterSettings {
        ceiling: options
            .number("ceiling", -60.0, 0.0, " dBFS")?
            .map_or(default.ceiling, |ceiling| db_to_gain(ceiling) as f32),
        lookahead_s: options.number("lookahead", 0.0, MAX_LOOKAHEAD_S, " s")?.unwrap_or(default.lookahead_s),
        release_s: options.number("release", 0.001, 10.0, " s")?.unwrap_or(default.release_s),
    }))
}

fn realtime(value: &Value) -> Result<Realtime> {
    match value {
        Value::Bool(false) => return Ok(Realtime::Off),
        Value::Bool(true) => return Ok(Realtime::default()),
        Value::Object(_) => {}
        other => {
            return Err(Error::InvalidType(format!(
                "realtime must be false or an object {{ policy, priority, cpu, lockMemory, required \
                 }}, got {other}"
            )));
        }
    }
    let options = Options::read("realtime options", value, &REALTIME_OPTIONS)?;
    let policy = options.word("policy", &["fifo", "rr", "other"], |name| match name {
        "fifo" => Some(Policy::Fifo),
        "rr" => Some(Policy::RoundRobin),
        "other" => Some(Policy::Other),
        _ => None,
    })?;
    Ok(Realtime::Ask {
        policy: policy.unwrap_or(Policy::Fifo),
        priority: options.integer("priority", 1, 99, "")?.unwrap_or(DEFAULT_PRIORITY),
        required: options.flag("required")?.unwrap_or(false),
        cpu: options.integer("cpu", 0, MAX_CPU, "")?,
        lock_memory: options.flag("lockMemory")?.unwrap_or(true),
    })
}

/// What a sampler is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerOptions {
    /// Voices it may have at a time.
    pub polyphony: u32,
    /// Linear amplitude.
    pub gain: f64,
    /// Whom a new voice displaces.
    pub stealing: Stealing,
    /// Notes that one key may have at a time; `None`: as many as there are.
    pub note_polyphony: Option<u32>,
    /// Power to which velocities are raised.
    pub velocity_curve: f64,
}

impl SamplerOptions {
    /// Reads the sampler's part of its options; `engine_given` says whether an engine came with them, and then
    /// options of engines are out of place.
    pub fn read(value: &Value, engine_given: bool) -> Result<Self> {
        Self::read_among(value, engine_given, &[])
    }

    /// The same where options of another call stand beside them, as in `Sampler.from()`.
    pub fn read_among(value: &Value, engine_given: bool, others: &[&str]) -> Result<Self> {
        let own = SAMPLER_OPTIONS.into_iter().chain(ENGINE_OPTIONS).chain(["engine"]);
        let known: Vec<&str> = own.chain(others.iter().copied()).collect();
        let options = Options::read("Sampler options", value, &known)?;
        let elsewhere = |name: &&&str| SAMPLER_OPTIONS.contains(name) || others.contains(name);
        let out_of_place = ENGINE_OPTIONS.iter().find(|name| !elsewhere(name) && options.get(name).is_some());
        if let Some(name) = out_of_place.filter(|_| engine_given) {
            return Err(Error::InvalidType(format!(
                "{name} is an option of the engine, and an engine is given; set it in new Engine({{ {name} }})"
            )));
        }
        // Checked here too, so that a wrong value is met even where the default engine is open already.
        EngineOptions::from_options(&options)?;
        let stealing =
            options.word("stealing", &["quietest", "oldest", "same-note", "none"], |name| match name {
                "quietest" => Some(Stealing::Quietest),
                "oldest" => Some(Stealing::Oldest),
                "same-note" => Some(Stealing::SameNote),
                "none" => Some(Stealing::None),
                _ => None,
            })?;
        Ok(Self {
            polyphony: options
                .integer("polyphony", 1, MAX_POLYPHONY, " voices")?
                .unwrap_or(DEFAULT_POLYPHONY),
            gain: options.number("gain", 0.0, super::MAX_GAIN, "")?.unwrap_or(1.0),
            stealing: stealing.unwrap_or_default(),
            note_polyphony: options.integer("notePolyphony", 1, MAX_POLYPHONY, " notes on one key")?,
            velocity_curve: options
                .number("velocityCurve", 0.1, 10.0, " (an exponent; 1 leaves velocities as they are)")?
                .unwrap_or(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(fields: &[(&str, Value)]) -> Value {
        Value::Object(fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
    }

    #[test]
    fn every_option_has_its_range() {
        let rate = |hz: f64| EngineOptions::read(&object(&[("sampleRate", Value::Number(hz))]));
        assert_eq!(
            rate(0.0).unwrap_err().to_string(),
            "sampleRate must be a whole number from 1000 to 768000 Hz, got 0"
        );
        assert!(rate(10e6).is_err() && rate(44_100.5).is_err() && rate(44_100.0).is_ok());
        let backend = |name: &str| EngineOptions::read(&object(&[("backend", Value::String(name.into()))]));
        assert!(backend("jakc").unwrap_err().to_string().ends_with("got \"jakc\"; did you mean 'jack'?"));
        assert_eq!(backend("offline").unwrap().backend, Some("offline"));
        let realtime =
            |value: Value| EngineOptions::read(&object(&[("realtime", value)])).map(|o| o.realtime);
        assert_eq!(realtime(Value::Bool(false)), Ok(Some(Realtime::Off)));
        assert!(realtime(object(&[("priority", Value::Number(100.0))])).is_err());
        assert!(realtime(object(&[("prioritty", Value::Number(10.0))])).is_err());
        assert!(realtime(Value::Number(70.0)).is_err());
    }

    #[test]
    fn the_environment_speaks_only_where_the_program_does_not() {
        let env = |name: &str| match name {
            "ICTUS_BACKEND" => Some("clock".to_string()),
            "ICTUS_DEVICE" => Some("hw:1".to_string()),
            _ => None,
        };
        let empty = EngineOptions::default().or_environment(env).unwrap();
        assert_eq!((empty.backend, empty.device.as_deref()), (Some("clock"), Some("hw:1")));
        let own = EngineOptions { backend: Some("offline"), ..EngineOptions::default() };
        assert_eq!(own.or_environment(env).unwrap().backend, Some("offline"));
        let wrong = EngineOptions::default().or_environment(|_| Some("klock".into()));
        assert!(wrong.unwrap_err().to_string().contains("ICTUS_BACKEND"));
    }

    #[test]
    fn engine_options_beside_an_engine_are_out_of_place() {
        let options = object(&[("backend", Value::String("clock".into()))]);
        assert!(SamplerOptions::read(&options, false).is_ok());
        let error = SamplerOptions::read(&options, true).unwrap_err();
        assert!(error.to_string().starts_with("backend is an option of the engine"));
        let both = object(&[("polyphony", Value::Number(8.0))]);
        assert_eq!(SamplerOptions::read(&both, true).unwrap().polyphony, 8);
    }

    #[test]
    fn a_contradiction_is_named() {
        let open =
            EngineOptions { sample_rate: Some(48_000), backend: Some("clock"), ..EngineOptions::default() };
        let wanted = EngineOptions { sample_rate: Some(44_100), ..EngineOptions::default() };
        assert_eq!(wanted.contradiction(&open), Some(("sampleRate", "44100".into(), "48000".into())));
        assert_eq!(EngineOptions::default().contradiction(&open), None);
    }
}
