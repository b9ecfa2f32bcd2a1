//! An opcode's value, read by the rules of its row.

use std::sync::Arc;

use super::opcodes::Kind;
use super::reader::shortened;
use crate::units::key_from_name;

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    /// By its place among the row's words.
    Word(u8),
    Text(Arc<str>),
}

impl Value {
    /// The number, or 0.
    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Word(_) | Self::Text(_) => 0.0,
        }
    }
}

/// A value and what is to be told of it; or what is wrong, when there is none.
pub(super) fn read(kind: Kind, text: &str) -> Result<(Value, Option<String>), String> {
    match kind {
        Kind::Text => Ok((Value::Text(text.into()), None)),
        Kind::Word(words) => word(text, words).map(|word| (word, None)).ok_or_else(|| one_of(text, words)),
        Kind::Switch => match text.to_ascii_lowercase().as_str() {
            "on" | "1" | "true" => Ok((Value::Number(1.0), None)),
            "off" | "0" | "false" => Ok((Value::Number(0.0), None)),
            _ => Err(one_of(text, &["on", "off"])),
        },
        Kind::Number(low, high, unit) => number(text, low, high, unit, false),
        Kind::Integer(low, high, unit) => number(text, low as f64, high as f64, unit, true),
        Kind::IntegerOr(low, high, words) => match word(text, words) {
            Some(word) => Ok((word, None)),
            None => number(text, low as f64, high as f64, "", true),
        },
        Kind::Key => key(text),
        Kind::KeyOr(words) => match word(text, words) {
            Some(word) => Ok((word, None)),
            None => key(text),
        },
    }
}

fn word(text: &str, words: &[&str]) -> Option<Value> {
    let at = words.iter().position(|word| word.eq_ignore_ascii_case(text))?;
    Some(Value::Word(at as u8))
}

fn one_of(text: &str, words: &[&str]) -> String {
    format!("\"{}\" is none of {}", shortened(text), words.join(", "))
}

fn key(text: &str) -> Result<(Value, Option<String>), String> {
    if let Some(key) = key_from_name(&capitalised(text)) {
        return Ok((Value::Number(f64::from(key)), None));
    }
    number(text, -1.0, 127.0, "", true).map_err(|_| {
        format!("\"{}\" is no key: a number from 0 to 127, or a note such as c#4", shortened(text))
    })
}

/// `c#4` → `C#4`; flats stay small.
fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_uppercase(), characters.as_str().to_ascii_lowercase())
    })
}

/// A number within its range; what is beyond counts as the nearest that is allowed. What follows the number, such as
/// a unit, is told and left out.
fn number(
    text: &str,
    low: f64,
    high: f64,
    unit: &str,
    whole: bool,
) -> Result<(Value, Option<String>), String> {
    let digits = numeric_prefix(text);
    let (head, rest) = text.split_at(digits);
    let number: f64 = head
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| format!("\"{}\" is no number", shortened(text)))?;
    // Fractions of whole numbers are cut off, as by every player that reads them with atoi.
    let number = if whole { number.trunc() } else { number };
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let told = if number < low || number > high {
        Some(format!(
            "{} is outside {low}..{high}{unit}; {} is used",
            shortened(head),
            number.clamp(low, high)
        ))
    } else if !rest.trim().is_empty() {
        Some(format!("\"{}\" behind the number is left out", shortened(rest.trim())))
    } else {
        None
    };
    Ok((Value::Number(number.clamp(low, high)), told))
}

/// Bytes of the longest beginning that is a number.
fn numeric_prefix(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let whole = digits(sign);
    let mut end = sign + whole;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) && end > sign {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(kind: Kind, text: &str) -> f64 {
        match read(kind, text) {
            Ok((value, None)) => value.number(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let kind = Kind::Number(-1e6, 1e6, "dB");
        for (text, number) in [
            ("1", 1.0),
            ("-3.5", -3.5),
            (".25", 0.25),
            ("1.", 1.0),
            ("+2", 2.0),
            ("1e3", 1000.0),
            ("-0.001", -0.001),
        ] {
            assert_eq!(ok(kind, text), number, "{text}");
        }
        assert_eq!(ok(Kind::Integer(0, 9, ""), "3.9"), 3.0);
        for text in ["", "x", "-", ".", "e5", "nan", "inf", "--1"] {
            assert!(read(kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_or_has_a_tail_is_told() {
        let kind = Kind::Number(0.0, 127.0, "");
        assert_eq!(
            read(kind, "200"),
            Ok((Value::Number(127.0), Some("200 is outside 0..127; 127 is used".into())))
        );
        assert_eq!(
            read(Kind::Number(-144.0, 6.0, "dB"), "-6dB"),
            Ok((Value::Number(-6.0), Some("\"dB\" behind the number is left out".into())))
        );
        assert_eq!(read(kind, "1e999").unwrap_err(), "\"1e999\" is no number");
    }

    #[test]
    fn keys_are_numbers_or_notes() {
        for (text, key) in [
            ("60", 60.0),
            ("c4", 60.0),
            ("C#4", 61.0),
            ("db4", 61.0),
            ("Bb3", 58.0),
            ("g9", 127.0),
            ("c-1", 0.0),
            ("-1", -1.0),
        ] {
            assert_eq!(ok(Kind::Key, text), key, "{text}");
        }
        assert_eq!(
            read(Kind::Key, "h4").unwrap_err(),
            "\"h4\" is no key: a number from 0 to 127, or a note such as c#4"
        );
        assert_eq!(read(Kind::KeyOr(&["sample"]), "sample"), Ok((Value::Word(0), None)));
    }

    #[test]
    fn words_are_words() {
        assert_eq!(read(Kind::Word(&["a", "b"]), "B"), Ok((Value::Word(1), None)));
        assert_eq!(read(Kind::Word(&["a", "b"]), "c").unwrap_err(), "\"c\" is none of a, b");
        assert_eq!(ok(Kind::Switch, "on"), 1.0);
        assert_eq!(ok(Kind::Switch, "0"), 0.0);
        assert_eq!(read(Kind::IntegerOr(0, 9, &["x"]), "x"), Ok((Value::Word(0), None)));
        assert_eq!(ok(Kind::IntegerOr(0, 9, &["x"]), "4"), 4.0);
    }
}
