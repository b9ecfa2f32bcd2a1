//! Notes and velocities in names: in those of files, which were not written for us, and in the keys of a map, which
//! were.
//!
//! A note in a file name is a letter, at most one accidental (`#`, `b`, `s`, `♯`, `♭`) and an octave from −1 to 9
//! (`C4`, `f#3`, `Bb3`, `Cs4`; C4 is key 60), set off from the rest: by anything that is not a letter or digit, or by
//! case (`FluteA4`). Behind it may follow a velocity, `A0v12`. The last such note counts: `A1-room-C3` is C3.
//! Plain numbers do not count (`060_kick`, `piano 60`): they number files far more often than keys.
//!
//! A velocity layer is a word of its own: `v12` or `vel12`, or a dynamic, `ppp pp p mp mf f ff fff`, in lower case or,
//! from two letters on, in upper case.

use crate::units::key_from_name;

/// What a file's stem says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileName {
    /// Key of its note.
    pub(super) key: Option<u8>,
    /// Nothing but a velocity follows the note.
    pub(super) key_at_end: bool,
    /// Orders the layers of a note; the numbers of files, or the usual velocities of dynamics.
    pub(super) layer: Option<u16>,
}

/// Dynamics and the velocities that notation programs play them at.
const DYNAMICS: [(&str, u16); 8] =
    [("ppp", 16), ("pp", 33), ("p", 49), ("mp", 64), ("mf", 80), ("f", 96), ("ff", 112), ("fff", 127)];

/// Reads the stem of a file's name.
pub(super) fn read_stem(stem: &str) -> FileName {
    let note = stem.char_indices().rev().find_map(|(at, _)| note_at(stem, at));
    let (before, after) = match note {
        Some((_, start, end)) => (stem.get(..start).unwrap_or(""), stem.get(end..).unwrap_or("")),
        None => (stem, ""),
    };
    let layer = words(after).chain(words(before)).find_map(layer_of);
    FileName {
        key: note.map(|(key, ..)| key),
        key_at_end: note.is_some() && words(after).all(|word| layer_of(word).is_some()),
        layer,
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The note that begins at this byte: key, start, end.
fn note_at(stem: &str, start: usize) -> Option<(u8, usize, usize)> {
    let rest = stem.get(start..)?;
    let letter = rest.chars().next().filter(|c| matches!(c, 'A'..='G' | 'a'..='g'))?;
    let free =
        stem.get(..start)?.chars().next_back().is_none_or(|before| {
            !before.is_alphanumeric() || (before.is_lowercase() && letter.is_uppercase())
        });
    let body = rest.get(1..)?;
    let accidental = match body.chars().next()? {
        sign @ ('#' | '♯' | '♭' | 'b') => sign.len_utf8(),
        // "Es4", "bs2": more likely words than E sharp and B sharp.
        's' | 'S' if !matches!(letter, 'E' | 'e' | 'B' | 'b') => 1,
        _ => 0,
    };
    let octave = body.get(accidental..)?;
    let sign = usize::from(octave.starts_with('-'));
    let digits = octave.get(sign..)?.bytes().take_while(u8::is_ascii_digit).count();
    let end = start + 1 + accidental + sign + digits;
    if !free || digits != 1 || !set_off_behind(stem.get(end..)?) {
        return None;
    }
    Some((key_from_name(stem.get(start..end)?)?, start, end))
}

/// Whether a note may end before this: at a separator, or at a velocity such as `v12`.
fn set_off_behind(rest: &str) -> bool {
    match words(rest).next() {
        Some(word) if rest.starts_with(word) => number_behind(word, "v").is_some(),
        _ => true,
    }
}

fn layer_of(word: &str) -> Option<u16> {
    let dynamic = DYNAMICS
        .iter()
        .find(|(name, _)| word == *name || (name.len() > 1 && word == name.to_ascii_uppercase()));
    number_behind(word, "vel").or_else(|| number_behind(word, "v")).or(dynamic.map(|(_, velocity)| *velocity))
}

/// The number in `v12`, of at most three digits.
fn number_behind(word: &str, prefix: &str) -> Option<u16> {
    let digits = word
        .get(prefix.len()..)
        .filter(|d| (1..=3).contains(&d.len()) && d.bytes().all(|b| b.is_ascii_digit()))?;
    word.get(..prefix.len()).filter(|found| found.eq_ignore_ascii_case(prefix))?;
    digits.parse().ok()
}

/// The key that a map's entry names: a note name or a key number 0 to 127.
///
/// Errors: the rest of a sentence that begins with the name.
pub(super) fn key_of_entry(name: &str) -> Result<u8, String> {
    let number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let key = if number { name.parse().ok().filter(|key| *key <= 127) } else { key_from_name(name) };
    key.ok_or_else(|| {
        let hint = nearest(name).map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default();
        let range = "write a note from \"C-1\" to \"G9\", such as \"C4\", \"F#4\" or \"Bb3\", or a number from 0 to 127";
        format!("is no key: {range}{hint}")
    })
}

/// The note somebody may have meant.
fn nearest(name: &str) -> Option<String> {
    let plain: String =
        name.chars().filter(|c| !c.is_whitespace() && *c != '_').collect::<String>().to_ascii_lowercase();
    let plain = plain.replace("sharp", "#").replace("flat", "b");
    let moved = |digits: &str, rest: &str| format!("{rest}{digits}"); // "4c"
    let digits = plain.len() - plain.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (front, rest) = plain.split_at(digits);
    let german = plain.strip_prefix('h').map(|rest| format!("b{rest}")).unwrap_or_default();
    let no_octave =
        if plain.ends_with(|c: char| c.is_ascii_digit()) { String::new() } else { format!("{plain}4") };
    let found = [plain.clone(), plain.replace('-', ""), german, moved(front, rest), no_octave]
        .into_iter()
        .find(|name| key_from_name(name).is_some())?;
    let mut chars = found.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_found_where_they_are_set_off() {
        for (stem, key) in [
            ("A4", 69),
            ("flute-A4", 69),
            ("Piano.ff.C#4", 61),
            ("Piano.pp.Bb3", 58),
            ("Cs4", 61),
            ("cello_fs2_long", 42),
            ("A0v12", 21),
            ("D#1v3", 27),
            ("FluteA4", 69),
            ("fluteBb3", 58),
            ("03 C2", 36),
            ("A1-room-C3", 48),
            ("string (e3) 2", 52),
            ("pad C-1", 0),
            ("pad-C-1", 0),
            ("harp♯C♯4", 61),
            ("G9", 127),
            ("tom [C4]", 60),
        ] {
            assert_eq!(read_stem(stem).key, Some(key), "{stem}");
        }
    }

    #[test]
    fn words_and_numbers_are_not_notes() {
        for stem in [
            "", "kick", "060_kick", "piano 60", "bass1", "abs4", "BASS2", "C44", "kickC", "A", "808",
            "snareb2", "C4x", "Des", "es1", "bs2", "TRB2", "a10", "G#9", "Cb-1", "C--1", "é4", "B2B", "ABC4",
            "d4d4",
        ] {
            assert_eq!(read_stem(stem).key, None, "{stem}");
        }
    }

    #[test]
    fn a_velocity_may_stand_anywhere_as_a_word() {
        for (stem, layer) in [
            ("A0v12", Some(12)),
            ("C4_v3", Some(3)),
            ("v3_C4", Some(3)),
            ("C4-vel127", Some(127)),
            ("C4 V5", Some(5)),
            ("Piano.ff.C4", Some(112)),
            ("Piano.mf.C4", Some(80)),
            ("Piano PP C4", Some(33)),
            ("p_C4", Some(49)),
            ("C4", None),
            ("Flute F C4", None),
            ("C4_v1234", None),
            ("viola C4", None),
            ("C4_v", None),
        ] {
            assert_eq!(read_stem(stem).layer, layer, "{stem}");
        }
    }

    #[test]
    fn a_note_ends_a_name_even_with_a_velocity_behind() {
        for (stem, at_end) in [
            ("flute-A4", true),
            ("A0v12", true),
            ("C4_v3", true),
            ("C4.ff", true),
            ("C4_room", false),
            ("A1 kick", false),
            ("kick", false),
        ] {
            assert_eq!(read_stem(stem).key_at_end, at_end, "{stem}");
        }
    }

    #[test]
    fn map_entries_are_notes_or_key_numbers() {
        for (name, key) in
            [("C4", 60), ("f#4", 66), ("Bb3", 58), ("C-1", 0), ("0", 0), ("127", 127), ("060", 60)]
        {
            assert_eq!(key_of_entry(name), Ok(key));
        }
    }

    #[test]
    fn other_entries_are_met_with_the_nearest_spelling() {
        let rule = "is no key: write a note from \"C-1\" to \"G9\", such as \"C4\", \"F#4\" or \"Bb3\", or a number from 0 to 127";
        for (name, meant) in [
            ("C", "C4"),
            ("f#", "F#4"),
            (" C4", "C4"),
            ("c 4", "C4"),
            ("C_4", "C4"),
            ("H3", "B3"),
            ("4C", "C4"),
            ("C sharp 4", "C#4"),
            ("Eflat2", "Eb2"),
            ("C-4", "C4"),
        ] {
            assert_eq!(key_of_entry(name), Err(format!("{rule}; did you mean \"{meant}\"?")), "{name}");
        }
        for name in ["", "128", "-1", "1.5", "bd", "C10", "99999999999999999999", "ü"] {
            assert_eq!(key_of_entry(name), Err(rule.into()), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_survived(name in ".{0,24}", close in "[A-Ga-g#b♯s0-9v_. -]{0,12}") {
            for name in [name, close] {
                let _ = (read_stem(&name), key_of_entry(&name));
            }
        }
    }
}
