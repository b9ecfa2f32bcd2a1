//! Values from a dynamic language, and how they become options: every name known, every number in its range, and
//! when not, an error that says what is allowed. A misspelt name is met with the right spelling.

use std::fmt;

use super::error::{Error, Result};

/// A JavaScript value, as far as options need it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Absent.
    Undefined,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number, NaN too.
    Number(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// A plain object, in its own order.
    Object(Vec<(String, Value)>),
    /// Anything else, by what `typeof` says.
    Other(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined => f.write_str("undefined"),
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) if value.is_infinite() && *value > 0.0 => f.write_str("Infinity"),
            Self::Number(value) if value.is_infinite() => f.write_str("-Infinity"),
            Self::Number(value) => write!(f, "{value}"),
            Self::String(value) if value.chars().count() > 60 => {
                write!(f, "\"{}…\"", value.chars().take(60).collect::<String>())
            }
            Self::String(value) => write!(f, "\"{value}\""),
            Self::Array(values) => write!(f, "an array of {}", values.len()),
            Self::Object(_) => f.write_str("an object"),
            Self::Other(kind) => write!(f, "a {kind}"),
        }
    }
}

/// A number in `low..=high`; `unit` is named in the error, e.g. `" Hz"`.
pub fn number(name: &str, value: &Value, low: f64, high: f64, unit: &str) -> Result<f64> {
    let allowed = || format!("{name} must be a number from {low} to {high}{unit}, got {value}");
    match value {
        Value::Number(number) if *number >= low && *number <= high => Ok(*number),
        Value::Number(_) => Err(Error::InvalidArgument(allowed())),
        _ => Err(Error::InvalidType(allowed())),
    }
}

/// A whole number in `low..=high`.
pub fn integer(name: &str, value: &Value, low: u32, high: u32, unit: &str) -> Result<u32> {
    let allowed = || format!("{name} must be a whole number from {low} to {high}{unit}, got {value}");
    match value {
        Value::Number(number)
            if *number >= f64::from(low) && *number <= f64::from(high) && number.fract() == 0.0 =>
        {
            Ok(*number as u32)
        }
        Value::Number(_) => Err(Error::InvalidArgument(allowed())),
        _ => Err(Error::InvalidType(allowed())),
    }
}

/// A time on the engine clock in seconds; absent means now. Past times are allowed: they are late, not wrong.
pub fn time(name: &str, value: &Value) -> Result<Option<f64>> {
    match value {
        Value::Undefined => Ok(None),
        Value::Number(number) if number.is_finite() => Ok(Some(*number)),
        Value::Number(_) => Err(Error::InvalidArgument(format!(
            "{name} must be a finite number of seconds on engine.currentTime, got {value}"
        ))),
        _ => Err(Error::InvalidType(format!(
            "{name} must be a finite number of seconds on engine.currentTime, got {value}"
        ))),
    }
}

/// An options object being read.
pub struct Options<'a> {
    fields: &'a [(String, Value)],
}

impl<'a> Options<'a> {
    /// Checks that `value` is an object (or absent) and that all its names are known.
    pub fn read(what: &str, value: &'a Value, known: &[&str]) -> Result<Self> {
        let fields: &[(String, Value)] = match value {
            Value::Undefined => &[],
            Value::Object(fields) => fields,
            other => return Err(Error::InvalidType(format!("{what} must be an object, got {other}"))),
        };
        if let Some((name, _)) = fields.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            let hint = nearest(name, known.iter().copied()).map_or_else(
                || format!("known are {}", known.join(", ")),
                |right| format!("did you mean '{right}'?"),
            );
            return Err(Error::InvalidType(format!("{what} have no option '{name}'; {hint}")));
        }
        Ok(Self { fields })
    }

    /// A field, unless absent or undefined.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value)
            .filter(|value| **value != Value::Undefined)
    }

    /// A number in a range.
    pub fn number(&self, name: &str, low: f64, high: f64, unit: &str) -> Result<Option<f64>> {
        self.get(name).map(|value| number(name, value, low, high, unit)).transpose()
    }

    /// A whole number in a range.
    pub fn integer(&self, name: &str, low: u32, high: u32, unit: &str) -> Result<Option<u32>> {
        self.get(name).map(|value| integer(name, value, low, high, unit)).transpose()
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(Error::InvalidType(format!("{name} must be true or false, got {other}"))),
        }
    }

    /// A string; `null` counts as absent, as in the options of the npm package `speaker`.
    pub fn string(&self, name: &str) -> Result<Option<String>> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(value)) => Ok(Some(value.clone())),
            Some(other) => Err(Error::InvalidType(format!("{name} must be a string, got {other}"))),
        }
    }

    /// One of a few words.
    pub fn word<T>(
        &self,
        name: &str,
        words: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        word(name, value, words, parse).map(Some)
    }

    /// Two numbers, low and high.
    pub fn pair(&self, name: &str, low: u32, high: u32) -> Result<Option<(u32, u32)>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let wrong =
            || Error::InvalidType(format!("{name} must be [low, high] within {low} to {high}, got {value}"));
        let Value::Array(values) = value else { return Err(wrong()) };
        let [from, to] = values.as_slice() else { return Err(wrong()) };
        let (from, to) = (
            integer(&format!("{name}[0]"), from, low, high, "")?,
            integer(&format!("{name}[1]"), to, low, high, "")?,
        );
        if from > to {
            return Err(Error::InvalidArgument(format!("{name} must be [low, high], got [{from}, {to}]")));
        }
        Ok(Some((from, to)))
    }
}

/// One of a few words, with the nearest named when it is none of them.
pub fn word<T>(name: &str, value: &Value, words: &[&str], parse: impl Fn(&str) -> Option<T>) -> Result<T> {
    let list = || words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    let Value::String(text) = value else {
        return Err(Error::InvalidType(format!("{name} must be one of {}, got {value}", list())));
    };
    parse(text).ok_or_else(|| {
        let hint = nearest(text, words.iter().copied()).map(|right| format!("; did you mean '{right}'?"));
        Error::InvalidArgument(format!(
            "{name} must be one of {}, got {value}{}",
            list(),
            hint.unwrap_or_default()
        ))
    })
}

/// The word that is nearest to a misspelt one, when it is near enough to be meant.
pub fn nearest<'a>(wrong: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    words
        .map(|word| (distance(&lower, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Edits (insert, delete, replace, swap neighbours) between two words: the restricted Damerau–Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_say_what_is_allowed_and_what_came() {
        let say = |value| number("velocity", &value, 0.0, 127.0, "").unwrap_err().to_string();
        assert_eq!(say(Value::Number(300.0)), "velocity must be a number from 0 to 127, got 300");
        assert_eq!(say(Value::Number(f64::NAN)), "velocity must be a number from 0 to 127, got NaN");
        assert_eq!(
            say(Value::Number(f64::NEG_INFINITY)),
            "velocity must be a number from 0 to 127, got -Infinity"
        );
        assert_eq!(
            say(Value::String("loud".into())),
            "velocity must be a number from 0 to 127, got \"loud\""
        );
        assert_eq!(say(Value::Null), "velocity must be a number from 0 to 127, got null");
    }

    #[test]
    fn a_misspelt_option_is_met_with_the_right_spelling() {
        let known = ["sampleRate", "bufferSize", "channels"];
        let options = |name: &str| Value::Object(vec![(name.into(), Value::Number(1.0))]);
        let say = |name: &str| {
            Options::read("Engine options", &options(name), &known).err().map(|error| error.to_string())
        };
        assert_eq!(
            say("samplerate").unwrap(),
            "Engine options have no option 'samplerate'; did you mean 'sampleRate'?"
        );
        assert_eq!(
            say("bufferSzie").unwrap(),
            "Engine options have no option 'bufferSzie'; did you mean 'bufferSize'?"
        );
        assert_eq!(
            say("colour").unwrap(),
            "Engine options have no option 'colour'; known are sampleRate, bufferSize, channels"
        );
        assert_eq!(say("channels"), None);
    }

    #[test]
    fn words_know_their_neighbours() {
        let words = ["linear", "cubic"];
        let parse = |text: &str| words.contains(&text).then_some(());
        let say = |value| word("interpolation", &value, &words, parse).unwrap_err().to_string();
        assert_eq!(
            say(Value::String("qubic".into())),
            "interpolation must be one of 'linear', 'cubic', got \"qubic\"; did you mean 'cubic'?"
        );
        assert_eq!(say(Value::Number(3.0)), "interpolation must be one of 'linear', 'cubic', got 3");
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        for (a, b, expected) in [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), expected);
        }
    }

    #[test]
    fn an_undefined_field_counts_as_absent() {
        let value = Value::Object(vec![("gain".into(), Value::Undefined)]);
        let options = Options::read("options", &value, &["gain"]).unwrap();
        assert_eq!(options.number("gain", 0.0, 1.0, ""), Ok(None));
    }
}
