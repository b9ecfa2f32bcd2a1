//! Rings that JavaScript brings along: `PcmRing`, `createTransport` and `generate` check here what they were given.

use super::error::{Error, Result};
use super::options::{ENGINE_OPTIONS, EngineOptions};
use super::value::{Options, Value, integer, word};
use crate::pcm::MAX_CHANNELS;
use crate::pcm::ring::MAX_FRAMES;
use crate::units::{MAX_SAMPLE_RATE, MIN_SAMPLE_RATE};

/// Most bytes of a ring's values: 1 GiB.
const MAX_BYTES: usize = 1 << 30;
/// Frames of a `PcmRing` unless said otherwise: a third of a second at 48 kHz.
const DEFAULT_FRAMES: u32 = 16_384;
/// What createTransport takes for the rate of a ring that names none: Kanon's default.
const DEFAULT_TRANSPORT_RATE: u32 = 44_100;

/// What `new PcmRing()` was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RingOptions {
    /// Values of one frame.
    pub channels: u32,
    /// Frames that fit.
    pub frames: u32,
    /// 64-bit floats instead of 32-bit ones.
    pub wide: bool,
    /// Hz; `None`: the engine's.
    pub rate: Option<u32>,
}

impl RingOptions {
    /// Reads and checks them.
    pub fn read(value: &Value) -> Result<Self> {
        let known = ["engine", "channels", "frames", "format", "sampleRate"];
        let options = Options::read("PcmRing options", value, &known)?;
        let wide = options.word("format", &["f32", "f64"], |name| match name {
            "f32" => Some(false),
            "f64" => Some(true),
            _ => None,
        })?;
        let read = Self {
            channels: options.integer("channels", 1, MAX_CHANNELS as u32, "")?.unwrap_or(2),
            frames: options.integer("frames", 1, MAX_FRAMES as u32 - 1, "")?.unwrap_or(DEFAULT_FRAMES),
            wide: wide.unwrap_or(false),
            rate: options.integer("sampleRate", MIN_SAMPLE_RATE, MAX_SAMPLE_RATE, " Hz")?,
        };
        let bytes = read.frames as usize * read.channels as usize * if read.wide { 8 } else { 4 };
        if bytes > MAX_BYTES {
            return Err(Error::Limit(format!(
                "a PcmRing holds 1 GiB at most; {} frames of {} channels would be {bytes} bytes",
                read.frames, read.channels
            )));
        }
        Ok(read)
    }
}

/// What a ring in JavaScript's memory turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RingSpec {
    /// Frames between two equal indices.
    pub size: usize,
    /// Values of one frame.
    pub stride: usize,
    /// Hz.
    pub rate: u32,
}

impl RingSpec {
    /// Checks a ring as JavaScript describes it: what `data`, `writeIdx` and `readIdx` are, in words, and how long.
    pub fn read(value: &Value) -> Result<Self> {
        let Value::Object(fields) = value else {
            return Err(Error::InvalidType(format!(
                "ringBuffer must be an object {{ data, writeIdx, readIdx, size, stride }}, got {value}"
            )));
        };
        let field = |name: &str| {
            fields.iter().find(|(field, _)| field == name).map_or(&Value::Undefined, |(_, value)| value)
        };
        let shared = |kind: &str| format!("{kind} over a SharedArrayBuffer");
        let memory = |name: &str, kinds: &[&str]| match field(name) {
            Value::String(found) if kinds.iter().any(|kind| *found == shared(kind)) => Ok(()),
            Value::String(found) => Err(Error::InvalidType(format!(
                "ringBuffer.{name} must be a {}, which the audio thread can read, got {found}",
                shared(&kinds.join(" or a "))
            ))),
            other => Err(Error::InvalidType(format!("ringBuffer.{name} must be a typed array, got {other}"))),
        };
        let length = |name: &str| match field(name) {
            Value::Number(length) => *length as usize,
            _ => 0,
        };
        memory("data", &["Float32Array", "Float64Array"])?;
        for (name, count) in [("writeIdx", "writeLength"), ("readIdx", "readLength")] {
            memory(name, &["Int32Array"])?;
            if length(count) == 0 {
                return Err(Error::InvalidArgument(format!(
                    "ringBuffer.{name} must have an element, got none"
                )));
            }
        }
        let size = integer("ringBuffer.size", field("size"), 2, MAX_FRAMES as u32, " frames")? as usize;
        let stride =
            integer("ringBuffer.stride", field("stride"), 1, MAX_CHANNELS as u32, " channels")? as usize;
        let values = length("dataLength");
        if values < size * stride {
            return Err(Error::InvalidArgument(format!(
                "ringBuffer.data must have size × stride = {} values, got {values}",
                size * stride
            )));
        }
        let rate = match field("sampleRate") {
            Value::Undefined => DEFAULT_TRANSPORT_RATE,
            given => integer("sampleRate", given, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE, " Hz")?,
        };
        Ok(Self { size, stride, rate })
    }
}

/// Checks mode and options of `createTransport()`; `engine_given` says whether an engine came with them.
pub fn check_transport(mode: &Value, options: &Value, engine_given: bool) -> Result<()> {
    word("mode", mode, &["PUSH", "PULL"], |name| matches!(name, "PUSH" | "PULL").then_some(()))?;
    let known: Vec<&str> = ENGINE_OPTIONS.into_iter().chain(["engine"]).collect();
    Options::read("createTransport options", options, &known)?;
    let Value::Object(fields) = options else { return Ok(()) };
    let own = fields.iter().filter(|(name, value)| name != "engine" && *value != Value::Undefined);
    if let Some((name, _)) = own.clone().next().filter(|_| engine_given) {
        return Err(Error::InvalidType(format!(
            "{name} is an option of the engine, and an engine is given; set it in new Engine({{ {name} }})"
        )));
    }
    EngineOptions::read(&Value::Object(own.cloned().collect())).map(drop)
}

/// What `engine.generate()` was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOptions {
    /// Values of one frame.
    pub channels: u32,
    /// s that are computed before they are heard.
    pub ahead_s: f64,
    /// Frames that are computed at a time.
    pub block: u32,
    /// What a later call goes on with.
    pub name: Option<String>,
}

impl GenerateOptions {
    /// Reads and checks them. `fill` is what JavaScript was given, in words: 'function' or 'URL' are right.
    pub fn read(fill: &Value, value: &Value) -> Result<Self> {
        if !matches!(fill, Value::String(kind) if kind == "function" || kind == "URL") {
            return Err(Error::InvalidType(format!(
                "fill must be a function (block, frame) or the URL of a module that exports one, got {}",
                match fill {
                    Value::String(kind) => format!("a {kind}"),
                    other => other.to_string(),
                }
            )));
        }
        let known = ["channels", "ahead", "blockSize", "name"];
        let options = Options::read("generate options", value, &known)?;
        Ok(Self {
            channels: options.integer("channels", 1, MAX_CHANNELS as u32, "")?.unwrap_or(2),
            ahead_s: options.number("ahead", 0.005, 10.0, " s")?.unwrap_or(0.1),
            block: options.integer("blockSize", 1, 65_536, " frames")?.unwrap_or(128),
            name: options.string("name")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(fields: &[(&str, Value)]) -> Value {
        Value::Object(fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
    }

    fn text(text: &str) -> Value {
        Value::String(text.into())
    }

    fn ring(change: &[(&str, Value)]) -> Value {
        let mut fields = vec![
            ("data", text("Float64Array over a SharedArrayBuffer")),
            ("dataLength", Value::Number(2048.0)),
            ("writeIdx", text("Int32Array over a SharedArrayBuffer")),
            ("writeLength", Value::Number(1.0)),
            ("readIdx", text("Int32Array over a SharedArrayBuffer")),
            ("readLength", Value::Number(1.0)),
            ("size", Value::Number(1024.0)),
            ("stride", Value::Number(2.0)),
        ];
        for (name, value) in change {
            fields.retain(|(field, _)| field != name);
            fields.push((name, value.clone()));
        }
        object(&fields)
    }

    #[test]
    fn a_ring_is_taken_when_everything_about_it_is_right() {
        assert_eq!(RingSpec::read(&ring(&[])), Ok(RingSpec { size: 1024, stride: 2, rate: 44_100 }));
        for (change, words) in [
            (("data", text("Float64Array")), "got Float64Array"),
            (("data", text("Int8Array over a SharedArrayBuffer")), "Float32Array or a Float64Array over"),
            (("data", Value::Undefined), "ringBuffer.data must be a typed array, got undefined"),
            (
                ("writeIdx", text("Uint32Array over a SharedArrayBuffer")),
                "ringBuffer.writeIdx must be a Int32Array",
            ),
            (("readLength", Value::Number(0.0)), "ringBuffer.readIdx must have an element"),
            (("size", Value::Number(1.0)), "ringBuffer.size must be a whole number from 2"),
            (("size", Value::Number(1025.0)), "size × stride = 2050 values, got 2048"),
            (("stride", Value::Number(33.0)), "ringBuffer.stride must be a whole number from 1 to 32"),
            (("sampleRate", Value::Number(0.0)), "sampleRate must be"),
        ] {
            let error = RingSpec::read(&ring(&[change])).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(RingSpec::read(&Value::Null).unwrap_err().to_string().contains("got null"));
    }

    #[test]
    fn a_ring_of_ones_own_has_limits() {
        assert_eq!(
            RingOptions::read(&Value::Undefined),
            Ok(RingOptions { channels: 2, frames: 16_384, wide: false, rate: None })
        );
        let huge = object(&[("frames", Value::Number(1e9)), ("channels", Value::Number(32.0))]);
        assert!(matches!(RingOptions::read(&huge), Err(Error::Limit(_))));
        let word = object(&[("format", text("f23"))]);
        assert!(RingOptions::read(&word).unwrap_err().to_string().contains("'f32'"));
        assert!(RingOptions::read(&object(&[("size", Value::Number(1.0))])).is_err());
    }

    #[test]
    fn a_transport_is_push_or_pull() {
        assert_eq!(check_transport(&text("PULL"), &Value::Undefined, false), Ok(()));
        assert!(check_transport(&text("PULSE"), &Value::Undefined, false).is_err());
        let options = object(&[("backend", text("clock"))]);
        assert_eq!(check_transport(&text("PUSH"), &options, false), Ok(()));
        assert!(
            check_transport(&text("PUSH"), &options, true)
                .unwrap_err()
                .to_string()
                .contains("engine is given")
        );
        assert!(check_transport(&text("PUSH"), &object(&[("backend", text("klock"))]), false).is_err());
    }

    #[test]
    fn a_generator_is_a_function_or_a_url() {
        assert!(GenerateOptions::read(&text("function"), &Value::Undefined).is_ok());
        let error = GenerateOptions::read(&text("string"), &Value::Undefined).unwrap_err().to_string();
        assert!(error.ends_with("got a string"), "{error}");
    }
}
