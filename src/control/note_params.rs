//! What can be asked of one note, from `NoteParams`, `NoteOptions` and `PlayOptions`: names, ranges and the words for
//! what is out of them. The table itself is the engine's (`engine::event::PARAMS`).

use super::error::{Error, Result};
use super::options::{LATE_POLICIES, late_policy};
use super::value::{Options, Value, integer, time};
use crate::engine::event::{PARAMS, ParamInfo};

/// What `set()` turns, and any note may be started with.
pub const NOTE_PARAMS: [&str; 8] =
    ["gain", "pan", "detune", "rate", "cutoff", "resonance", "pressure", "brightness"];

/// What else a note may be started with.
const START_PARAMS: [&str; 6] = ["attack", "decay", "sustain", "release", "delay", "portamento"];

/// What only `play()` takes and every note may have.
const PLAY_PARAMS: [&str; 8] = ["hcutoff", "hresonance", "bandf", "bandq", "begin", "end", "speed", "cut"];

/// What else `play()` takes.
const PLAY_OPTIONS: [&str; 4] = ["n", "note", "velocity", "loop"];

/// In the vocabulary of Tidal and Strudel, but not in this version.
const NOT_PLAYED: [&str; 4] = ["crush", "coarse", "shape", "vowel"];

/// What of `NoteOptions` is no parameter of the note itself.
const OTHER_OPTIONS: [&str; 5] = ["time", "duration", "channel", "late", "send"];

/// What a note sends to: `send: { reverb, delay, chorus }`.
pub const SENDS: [&str; 3] = ["reverb", "delay", "chorus"];

/// Longest duration of a note, s.
const MAX_DURATION_S: f64 = 1e9;

/// Unit and meaning of a range, as they stand behind it in a message.
fn unit(name: &str) -> &'static str {
    match name {
        "gain" => " (linear; 1 is unchanged)",
        "pan" => " (-1 is left, 1 is right)",
        "detune" => " cents",
        "rate" => " (1 is the recording's own speed)",
        "cutoff" | "hcutoff" | "bandf" => " Hz",
        "resonance" | "hresonance" | "bandq" => " dB",
        "attack" | "decay" | "release" | "delay" | "portamento" => " s",
        "brightness" => " (64 is the middle)",
        _ => "",
    }
}

/// A parameter by its name in JavaScript.
pub fn param(name: &str) -> Option<&'static ParamInfo> {
    PARAMS.iter().find(|info| info.name == name)
}

fn check(options: &Options<'_>, names: &[&'static str]) -> Result<()> {
    for name in names {
        if let Some(info) = param(name) {
            options.number(name, info.low, info.high, unit(name))?;
        }
    }
    Ok(())
}

/// Checks the params of `set()`.
pub fn check_params(value: &Value) -> Result<()> {
    if !matches!(value, Value::Object(_)) {
        return Err(Error::InvalidType(format!(
            "params must be an object {{ {} }}, got {value}",
            NOTE_PARAMS.join(", ")
        )));
    }
    check(&Options::read("note params", value, &NOTE_PARAMS)?, &NOTE_PARAMS)
}

/// Checks the options of `noteOn()`.
pub fn check_options(value: &Value) -> Result<()> {
    let names: Vec<&'static str> = NOTE_PARAMS.into_iter().chain(START_PARAMS).chain(OTHER_OPTIONS).collect();
    check_all("note options", value, &names)
}

/// Checks the options of `play()`.
pub fn check_play_options(value: &Value) -> Result<()> {
    if let Value::Object(fields) = value
        && let Some((name, _)) = fields.iter().find(|(name, _)| NOT_PLAYED.contains(&name.as_str()))
    {
        return Err(Error::InvalidArgument(format!(
            "{name} is not in this version of play(); leave it out, or put the effect on the sampler"
        )));
    }
    let names = NOTE_PARAMS.into_iter().chain(START_PARAMS).chain(OTHER_OPTIONS);
    let names: Vec<&'static str> = names.chain(PLAY_PARAMS).chain(PLAY_OPTIONS).collect();
    check_all("play options", value, &names)?;
    let options = Options::read("play options", value, &names)?;
    options.integer("n", 0, u32::MAX, "")?;
    options.number("note", 0.0, 127.0, "")?;
    options.number("velocity", 0.0, 127.0, "")?;
    match options.get("loop") {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(value @ Value::Object(_)) => {
            let places = Options::read("loop", value, &["start", "end"])?;
            let place =
                |name: &str, else_: f64| Ok::<_, Error>(places.number(name, 0.0, 1.0, "")?.unwrap_or(else_));
            let (start, end) = (place("start", 0.0)?, place("end", 1.0)?);
            if start < end {
                return Ok(());
            }
            Err(Error::InvalidArgument(format!(
                "loop.start must be less than loop.end, got {start} and {end}"
            )))
        }
        Some(other) => Err(Error::InvalidType(format!(
            "loop must be true, false, or an object {{ start, end }} from 0 to 1 of the sample, got {other}"
        ))),
    }
}

fn check_all(what: &str, value: &Value, names: &[&'static str]) -> Result<()> {
    let options = Options::read(what, value, names)?;
    check(&options, names)?;
    options.word("late", &LATE_POLICIES, late_policy)?;
    time("time", options.get("time").unwrap_or(&Value::Undefined))?;
    options.number("duration", 0.0, MAX_DURATION_S, " s")?;
    if let Some(channel) = options.get("channel") {
        integer("channel", channel, 0, 15, "")?;
    }
    match options.get("send") {
        None => Ok(()),
        Some(levels @ Value::Object(_)) => {
            let levels = Options::read("send levels", levels, &SENDS)?;
            for name in SENDS {
                levels.number(name, 0.0, super::MAX_GAIN, " (linear; 1 sends the whole note)")?;
            }
            Ok(())
        }
        Some(other) => Err(Error::InvalidType(format!(
            "send must be an object of levels {{ {} }}, got {other}",
            SENDS.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_row_in_the_engines_table() {
        for name in NOTE_PARAMS.into_iter().chain(START_PARAMS) {
            assert!(param(name).is_some(), "{name}");
        }
        for send in SENDS {
            assert!(param(&format!("send.{send}")).is_some(), "{send}");
        }
        // What glides in the engine's table can be turned by `set()`.
        assert!(NOTE_PARAMS.iter().all(|name| param(name).is_some_and(|info| info.glides)));
    }

    #[test]
    fn messages_say_name_range_unit_and_value() {
        let object = |name: &str, value: Value| Value::Object(vec![(name.into(), value)]);
        let wrong = |name: &str, value: f64| {
            check_options(&object(name, Value::Number(value))).unwrap_err().to_string()
        };
        assert_eq!(wrong("attack", -1.0), "attack must be a number from 0 to 3600 s, got -1");
        assert_eq!(wrong("cutoff", 0.0), "cutoff must be a number from 1 to 400000 Hz, got 0");
        let send = object("send", object("reverb", Value::Number(-1.0)));
        assert!(check_options(&send).unwrap_err().to_string().starts_with("reverb must be a number from 0"));
        assert!(check_options(&object("send", Value::Number(1.0))).is_err());
        assert!(check_params(&object("attack", Value::Number(1.0))).is_err(), "it has begun already");
        assert!(
            check_options(&object("atack", Value::Number(1.0))).unwrap_err().to_string().contains("attack")
        );
    }
}
