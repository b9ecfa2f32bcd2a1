//! The arguments of the calls that make sound: ranges and messages.
//!
//! JavaScript tests the ranges itself, on the way to its lane, and comes here only when something is off, for the
//! error; Rust callers come here first. So the words stand in one place and the fast path stays fast.

use super::error::{Error, Result};
use super::note_params;
use super::options::{INSTRUMENT_OPTIONS, LOAD_OPTIONS, read_interpolation};
use super::value::{Options, Value, integer, nearest, number, time};
use crate::engine::event::{MAX_BANK, MAX_GLIDE_S};

fn at(arguments: &[Value], place: usize) -> &Value {
    arguments.get(place).unwrap_or(&Value::Undefined)
}

fn note(value: &Value) -> Result<f64> {
    number("note", value, 0.0, 127.0, " (a MIDI key; 60 is C4)")
}

fn channel(value: &Value) -> Result<u32> {
    match value {
        Value::Undefined => Ok(0),
        value => integer("channel", value, 0, 15, ""),
    }
}

fn note_id(value: &Value) -> Result<()> {
    match value {
        Value::Number(id) if *id >= 0.0 && *id <= f64::from(u32::MAX) && id.fract() == 0.0 => Ok(()),
        Value::Number(_) => {
            Err(Error::InvalidArgument(format!("id must be what noteOn() returned, got {value}")))
        }
        _ => Err(Error::InvalidType(format!("id must be what noteOn() returned, got {value}"))),
    }
}

/// A century, ms: what is beyond is no time that anybody means.
const MAX_TIME_MS: f64 = 3.2e12;

/// Most values that one call renders: 4 GiB of them, below what a Float32Array holds in either runtime.
const MAX_RENDERED_VALUES: f64 = 1_073_741_824.0;

/// `schedule()` looks at its events itself and comes here with the one that is wrong: `[place, time, status, data1,
/// data2]`, or with what is no Float64Array.
fn scheduled(arguments: &[Value]) -> Result<()> {
    let [place, seconds, status, data @ ..] = arguments else {
        return Err(Error::InvalidType(format!(
            "schedule() takes a Float64Array of [time, status, data1, data2] × n, got {}",
            at(arguments, 0)
        )));
    };
    time(&format!("event {place}: time"), seconds)?;
    let name = |what: &str| format!("event {place}: {what}");
    let kind = integer(&name("status"), status, 0x80, 0xef, " (a MIDI channel message)")? & 0xf0;
    for (what, value) in ["data1", "data2"].iter().zip(data) {
        number(&name(what), value, 0.0, 127.0, "")?;
    }
    match kind {
        0xb0 => integer(&name("data1"), at(data, 0), 0, 127, " (a controller)").map(drop),
        0xc0 => integer(&name("data1"), at(data, 0), 0, 127, " (a program)").map(drop),
        _ => Ok(()),
    }
}

/// What `node` calls a Float32Array; its values are not looked at here.
pub const FLOATS: &str = "Float32Array";
/// What `node` calls a Uint8Array, a Buffer included.
pub const BYTES: &str = "Uint8Array";

fn load(source: &Value, options: &Value) -> Result<()> {
    match source {
        Value::String(_) | Value::Other(FLOATS | BYTES) => {}
        Value::Object(entries) => {
            for (name, path) in entries {
                let is_path = |path: &Value| matches!(path, Value::String(_));
                let listed =
                    matches!(path, Value::Array(paths) if !paths.is_empty() && paths.iter().all(is_path));
                if !is_path(path) && !listed {
                    return Err(Error::InvalidType(format!(
                        "\"{name}\" must be the path of one sample, or a list of paths, got {path}"
                    )));
                }
            }
        }
        other => {
            return Err(Error::InvalidType(format!(
                "load() takes a path, an object of note names and paths such as {{ C4: 'c4.wav' }}, the \
                 bytes of a file in a Uint8Array, or values in a Float32Array, got {other}"
            )));
        }
    }
    let options = Options::read("load options", options, &LOAD_OPTIONS)?;
    channel(options.get("channel").unwrap_or(&Value::Undefined))?;
    options.string("baseUrl")?;
    match options.get("preset") {
        None | Some(Value::String(_)) => {}
        Some(value @ Value::Number(_)) => drop(integer("preset", value, 0, 127, "")?),
        Some(other) => {
            return Err(Error::InvalidType(format!(
                "preset must be a program from 0 to 127 or a preset's name, got {other}"
            )));
        }
    }
    options.integer("bank", 0, 16_383, "")?;
    read_interpolation(&options)?;
    match options.get("onProgress") {
        None | Some(Value::Other("function")) => Ok(()),
        Some(other) => Err(Error::InvalidType(format!("onProgress must be a function, got {other}"))),
    }?;
    match options.get("signal") {
        None | Some(Value::Object(_)) => Ok(()),
        Some(other) => Err(Error::InvalidType(format!("signal must be an AbortSignal, got {other}"))),
    }
}

fn add_sample(data: &Value) -> Result<()> {
    let wrong = || {
        Err(Error::InvalidType(format!(
            "a sample is a path, a Float32Array (interleaved), or an array of Float32Arrays, one a channel, got {data}"
        )))
    };
    match data {
        Value::String(_) | Value::Other(FLOATS) => Ok(()),
        Value::Array(channels) if channels.iter().all(|channel| *channel == Value::Other(FLOATS)) => Ok(()),
        _ => wrong(),
    }
}

/// `send()` passes the bytes themselves; this is about what is none.
fn message(value: &Value) -> Result<()> {
    let wrong = || {
        Err(Error::InvalidType(format!(
            "message must be a Uint8Array or an array of bytes (one MIDI message), got {value}"
        )))
    };
    match value {
        Value::Other(BYTES) => Ok(()),
        Value::Array(bytes) if bytes.iter().all(|byte| matches!(byte, Value::Number(_))) => {
            for (at, byte) in bytes.iter().enumerate() {
                integer(&format!("byte {at} of the message"), byte, 0, 255, "")?;
            }
            Ok(())
        }
        _ => wrong(),
    }
}

/// Checks the arguments of a call by the name it has in JavaScript; the error is the one to throw.
pub fn check_call(call: &str, arguments: &[Value]) -> Result<()> {
    match call {
        "noteOn" => {
            note(at(arguments, 0))?;
            if *at(arguments, 1) != Value::Undefined {
                number("velocity", at(arguments, 1), 0.0, 127.0, "")?;
            }
            if let Value::Object(_) = at(arguments, 2) {
                note_params::check_options(at(arguments, 2))?;
            } else {
                time("time", at(arguments, 2))?;
                channel(at(arguments, 3))?;
            }
        }
        "play" => {
            match at(arguments, 0) {
                Value::String(_) | Value::Object(_) => {}
                other => {
                    return Err(Error::InvalidType(format!(
                        "play() takes the name of a sound, such as 'bd' or 'bd:3', or an Instrument, got {other}"
                    )));
                }
            }
            note_params::check_play_options(at(arguments, 1))?;
        }
        "sound" => {
            let (Value::String(wanted), Value::Array(known)) = (at(arguments, 0), at(arguments, 1)) else {
                return Ok(());
            };
            let known = || {
                known.iter().filter_map(|name| {
                    if let Value::String(name) = name { Some(name.as_str()) } else { None }
                })
            };
            let hint = match nearest(wanted, known()) {
                Some(name) => format!("did you mean '{name}'?"),
                None if known().next().is_none() => "load() a bank, a map or a file first".into(),
                None => format!("there are {}", known().take(20).collect::<Vec<_>>().join(", ")),
            };
            return Err(Error::InvalidArgument(format!("there is no sound '{wanted}'; {hint}")));
        }
        "noteOff" => {
            note(at(arguments, 0))?;
            time("time", at(arguments, 1))?;
            channel(at(arguments, 2))?;
        }
        "set" => {
            note_id(at(arguments, 0))?;
            note_params::check_params(at(arguments, 1))?;
            let options = Options::read("set options", at(arguments, 2), &["time", "over"])?;
            time("time", options.get("time").unwrap_or(&Value::Undefined))?;
            options.number("over", 0.0, MAX_GLIDE_S, " s")?;
        }
        "cancel" => {
            if *at(arguments, 0) != Value::Undefined {
                note_id(at(arguments, 0))?;
            }
        }
        "controlChange" => {
            integer("controller", at(arguments, 0), 0, 127, "")?;
            number("value", at(arguments, 1), 0.0, 127.0, "")?;
            time("time", at(arguments, 2))?;
            channel(at(arguments, 3))?;
        }
        "programChange" => {
            integer("program", at(arguments, 0), 0, 127, "")?;
            if *at(arguments, 1) != Value::Undefined {
                integer("bank", at(arguments, 1), 0, MAX_BANK, "")?;
            }
            time("time", at(arguments, 2))?;
            channel(at(arguments, 3))?;
        }
        "channelPressure" => {
            number("pressure", at(arguments, 0), 0.0, 127.0, "")?;
            time("time", at(arguments, 1))?;
            channel(at(arguments, 2))?;
        }
        "polyPressure" => {
            note(at(arguments, 0))?;
            number("pressure", at(arguments, 1), 0.0, 127.0, "")?;
            time("time", at(arguments, 2))?;
            channel(at(arguments, 3))?;
        }
        "send" => {
            message(at(arguments, 0))?;
            time("time", at(arguments, 1))?;
        }
        "schedule" => scheduled(arguments)?,
        "release" => {
            note_id(at(arguments, 0))?;
            time("time", at(arguments, 1))?;
        }
        "pitchBend" => {
            number("pitch bend", at(arguments, 0), -8192.0, 8191.0, " (0 is the middle)")?;
            time("time", at(arguments, 1))?;
            channel(at(arguments, 2))?;
        }
        "allNotesOff" | "allSoundOff" => {
            channel(at(arguments, 0))?;
            time("time", at(arguments, 1))?;
        }
        "assign" => {
            integer("channel", at(arguments, 0), 0, 15, "")?;
            if !matches!(at(arguments, 1), Value::Null) {
                return Err(Error::InvalidType(format!(
                    "instrument must be an Instrument (from load() or createInstrument()) or null, got {}",
                    at(arguments, 1)
                )));
            }
            time("time", at(arguments, 2))?;
        }
        "engine" => {
            return Err(Error::InvalidType(format!("engine must be an Engine, got {}", at(arguments, 0))));
        }
        "signal" => {
            return Err(Error::InvalidType(format!(
                "signal must be an AbortSignal, got {}",
                at(arguments, 0)
            )));
        }
        "createInstrument" => {
            let Value::String(_) = at(arguments, 0) else {
                return Err(Error::InvalidType(format!("name must be a string, got {}", at(arguments, 0))));
            };
            let options = Options::read("instrument options", at(arguments, 1), &INSTRUMENT_OPTIONS)?;
            read_interpolation(&options)?;
        }
        "load" => load(at(arguments, 0), at(arguments, 1))?,
        "addSample" => add_sample(at(arguments, 0))?,
        "timeAt" => {
            number(
                "performanceNow",
                at(arguments, 0),
                -MAX_TIME_MS,
                MAX_TIME_MS,
                " ms, as performance.now() gives it",
            )?;
        }
        "frames" => match (at(arguments, 0), at(arguments, 1), at(arguments, 2)) {
            (_, Value::Number(length), Value::Number(stride)) => {
                return Err(Error::InvalidArgument(format!(
                    "frames must be whole frames of {stride} values, got {length} values"
                )));
            }
            (given, ..) => {
                return Err(Error::InvalidType(format!(
                    "frames must be a Float32Array, a Float64Array or an array of numbers, got {given}"
                )));
            }
        },
        "gain" => {
            number("gain", at(arguments, 0), 0.0, super::MAX_GAIN, " (linear; 1 is unchanged)")?;
        }
        "pan" => {
            number("pan", at(arguments, 0), -1.0, 1.0, " (-1 is left, 1 is right)")?;
        }
        "muted" => match at(arguments, 0) {
            Value::Bool(_) => {}
            other => return Err(Error::InvalidType(format!("muted must be true or false, got {other}"))),
        },
        "render" => {
            let frames = integer("frames", at(arguments, 0), 0, 1 << 28, "")?;
            let channels = if let Value::Number(channels) = at(arguments, 2) { *channels } else { 1.0 };
            if f64::from(frames) * channels > MAX_RENDERED_VALUES {
                return Err(Error::InvalidArgument(format!(
                    "{frames} frames of {channels} channels are more than {MAX_RENDERED_VALUES} values, the most that \
                     one array holds; render in pieces"
                )));
            }
            match at(arguments, 1) {
                Value::Undefined | Value::Other(FLOATS) => {}
                other => return Err(Error::InvalidType(format!("into must be a Float32Array, got {other}"))),
            }
        }
        other => return Err(Error::InvalidArgument(format!("there is no call '{other}'"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(value: f64) -> Value {
        Value::Number(value)
    }

    fn say(call: &str, arguments: &[Value]) -> String {
        check_call(call, arguments).unwrap_err().to_string()
    }

    #[test]
    fn wrong_arguments_are_named_with_their_range() {
        assert_eq!(
            say("noteOn", &[n(128.0)]),
            "note must be a number from 0 to 127 (a MIDI key; 60 is C4), got 128"
        );
        assert_eq!(say("noteOn", &[n(60.0), n(300.0)]), "velocity must be a number from 0 to 127, got 300");
        assert_eq!(
            say("noteOn", &[n(60.0), n(1.0), n(f64::NAN)]),
            "time must be a finite number of seconds on engine.currentTime, got NaN"
        );
        assert_eq!(
            say("noteOn", &[n(60.0), n(1.0), Value::Undefined, n(16.0)]),
            "channel must be a whole number from 0 to 15, got 16"
        );
        assert_eq!(
            say("noteOn", &[n(60.0), n(1.0), Value::Object(vec![("chanel".into(), n(1.0))])]),
            "note options have no option 'chanel'; did you mean 'channel'?"
        );
        assert_eq!(
            say("release", &[Value::String("a".into())]),
            "id must be what noteOn() returned, got \"a\""
        );
        assert_eq!(
            say("pitchBend", &[n(8192.0)]),
            "pitch bend must be a number from -8192 to 8191 (0 is the middle), got 8192"
        );
        assert_eq!(say("muted", &[n(1.0)]), "muted must be true or false, got 1");
        assert_eq!(say("noteON", &[]), "there is no call 'noteON'");
    }

    #[test]
    fn right_arguments_pass() {
        let options = Value::Object(vec![("time".into(), n(1.0)), ("duration".into(), n(0.5))]);
        for (call, arguments) in [
            ("noteOn", vec![n(60.5)]),
            ("noteOn", vec![n(0.0), n(127.0), n(-5.0), n(15.0)]),
            ("noteOn", vec![n(0.0), n(127.0), options]),
            ("noteOff", vec![n(60.0), Value::Undefined, n(3.0)]),
            ("release", vec![n(0.0)]),
            ("allNotesOff", vec![]),
            ("gain", vec![n(0.0)]),
            ("render", vec![n(128.0)]),
        ] {
            assert_eq!(check_call(call, &arguments), Ok(()), "{call}");
        }
    }
}
