//! What opcodes are: the types of the table, and how a name is looked up in it.
//!
//! The table itself is `table`. A row's name may have holes, written `N`, `X` and `Y`, which any number fills
//! (`lfoN_freq`, `egN_timeX`); a digit in it stands for itself (`cutoff2`). A row that says so has a family of
//! modulations by controllers behind it: `_onccN` (also `_ccN`, `ccN`), `_curveccN`, `_smoothccN`, `_stepccN`.
//! Everything else follows from the table: reading, ranges, warnings, the page `docs/sfz.md`.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::op::Op;
use super::table::TABLE;

/// Most different names that are kept in mind: more is no instrument.
const MAX_NAMES: usize = 1 << 16;

/// What values an opcode takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A number within a range, its unit.
    Number(f64, f64, &'static str),
    /// A whole number within a range, its unit.
    Integer(i64, i64, &'static str),
    /// A key: 0..=127 or a note name; −1 is none.
    Key,
    /// One of these.
    Word(&'static [&'static str]),
    /// A whole number within a range, or one of these.
    IntegerOr(i64, i64, &'static [&'static str]),
    /// A key, or one of these.
    KeyOr(&'static [&'static str]),
    /// `on` or `off`, 1 or 0.
    Switch,
    /// Anything.
    Text,
}

/// Who made it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// SFZ 1.
    V1,
    /// SFZ 2.
    V2,
    /// Plogue's ARIA.
    Aria,
    /// Another player.
    Other(&'static str),
}

/// Whether it does what its author meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It does.
    Full,
    /// But for this.
    Partial(&'static str),
    /// It has no effect, because of this; a warning says so.
    Ignored(&'static str),
    /// There is nothing in it to be heard; no warning.
    Silent(&'static str),
}

/// One opcode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) op: Op,
    pub(super) kind: Kind,
    /// For the page; what reading starts from is in `plan`.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(super) default: &'static str,
    /// For the page.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(super) origin: Origin,
    pub(super) status: Status,
    /// Controllers may move it.
    pub(super) cc: bool,
}

/// Part of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The opcode itself.
    Base,
    /// How much a controller moves it.
    Depth,
    /// By which curve.
    Curve,
    /// How slowly, ms.
    Smooth,
    /// In steps of what size.
    Step,
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Place in the table.
    pub(super) row: u16,
    /// The first two holes.
    pub(super) holes: [u16; 2],
    pub(super) part: Part,
    /// Of which controller, unless it is the opcode itself.
    pub(super) cc: u16,
}

impl Name {
    pub(super) fn row(&self) -> &'static Row {
        TABLE.get(usize::from(self.row)).unwrap_or(&TABLE[0])
    }
}

/// Suffixes of a family, longest first where one ends another.
const PARTS: [(&str, Part); 6] = [
    ("_curvecc#", Part::Curve),
    ("_smoothcc#", Part::Smooth),
    ("_stepcc#", Part::Step),
    ("_oncc#", Part::Depth),
    ("_cc#", Part::Depth),
    ("cc#", Part::Depth),
];

/// A digit run of a row's name: any number, or this one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hole {
    Any,
    Literal(u16),
}

/// Names with every number replaced by `#` → rows with that shape.
type Shapes = HashMap<String, Vec<(u16, Vec<Hole>)>>;

fn shapes() -> &'static Shapes {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    SHAPES.get_or_init(|| {
        let mut shapes = Shapes::new();
        for (number, row) in (0u16..).zip(TABLE) {
            for name in std::iter::once(&row.name).chain(row.aliases) {
                let (shape, holes) = shape_of_row(name);
                shapes.entry(shape).or_default().push((number, holes));
            }
        }
        shapes
    })
}

fn shape_of_row(name: &str) -> (String, Vec<Hole>) {
    let (mut shape, mut holes) = (String::new(), Vec::new());
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        if matches!(c, 'N' | 'X' | 'Y') {
            shape.push('#');
            holes.push(Hole::Any);
        } else if let Some(digit) = c.to_digit(10) {
            let mut number = digit;
            while let Some(digit) = characters.peek().and_then(|c| c.to_digit(10)) {
                number = number * 10 + digit;
                characters.next();
            }
            shape.push('#');
            holes.push(Hole::Literal(number as u16));
        } else {
            shape.push(c);
        }
    }
    (shape, holes)
}

/// A name with its numbers replaced, and the numbers; `None` when one is no u16.
fn shape_of(name: &str) -> Option<(String, Vec<u16>)> {
    let (mut shape, mut numbers) = (String::with_capacity(name.len()), Vec::new());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            numbers.push(rest.get(..digits)?.parse().ok()?);
            shape.push('#');
            rest = rest.get(digits..)?;
        } else {
            shape.push(first.to_ascii_lowercase());
            rest = rest.get(first.len_utf8()..)?;
        }
    }
    Some((shape, numbers))
}

fn row_of(shape: &str, numbers: &[u16]) -> Option<(u16, [u16; 2])> {
    let rows = shapes().get(shape)?;
    let fits = |holes: &[Hole]| {
        holes.len() == numbers.len()
            && holes.iter().zip(numbers).all(|(hole, number)| match hole {
                Hole::Any => true,
                Hole::Literal(literal) => literal == number,
            })
    };
    let (row, holes) = rows.iter().find(|(_, holes)| fits(holes))?;
    let mut filled = holes.iter().zip(numbers).filter(|(hole, _)| **hole == Hole::Any).map(|(_, n)| *n);
    Some((*row, [filled.next().unwrap_or(0), filled.next().unwrap_or(0)]))
}

/// Looks a name up, whatever its case.
pub(super) fn find(name: &str) -> Option<Name> {
    let (shape, numbers) = shape_of(name)?;
    if let Some((row, holes)) = row_of(&shape, &numbers) {
        return Some(Name { row, holes, part: Part::Base, cc: 0 });
    }
    let (cc, numbers) = numbers.split_last()?;
    PARTS.iter().find_map(|(suffix, part)| {
        let (row, holes) = row_of(shape.strip_suffix(suffix)?, numbers)?;
        let family = TABLE.get(usize::from(row)).is_some_and(|row| row.cc);
        family.then_some(Name { row, holes, part: *part, cc: *cc })
    })
}

/// The known name that is nearest to one that is not, if any is near: two letters added, lost or changed at most.
pub(super) fn nearest(name: &str) -> Option<String> {
    let (shape, numbers) = shape_of(name)?;
    let (base, suffix) = PARTS
        .iter()
        .find_map(|(suffix, _)| Some((shape.strip_suffix(suffix)?, *suffix)))
        .unwrap_or((shape.as_str(), ""));
    let limit = if base.len() < 5 { 1 } else { 2 };
    let candidates = shapes().iter().filter(|(known, rows)| {
        let family = rows.iter().any(|(row, _)| TABLE.get(usize::from(*row)).is_some_and(|row| row.cc));
        (suffix.is_empty() || family) && known.matches('#').count() == base.matches('#').count()
    });
    let (_, known) = candidates
        .filter_map(|(known, _)| Some((distance(base, known, limit)?, known)))
        .min()
        .filter(|(distance, _)| *distance > 0)?;
    // The numbers as they were written.
    let mut numbers = numbers.iter();
    let full: Vec<String> = format!("{known}{suffix}")
        .chars()
        .map(|c| match c {
            '#' => numbers.next().map_or_else(String::new, u16::to_string),
            other => other.to_string(),
        })
        .collect();
    Some(full.concat())
}

/// Letters to add, take away or change, if they are at most `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit || a.len() > 40 {
        return None;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().filter(|distance| *distance <= limit)
}

/// Names met so far, so that each is taken apart once.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashMap<String, Option<Name>>,
}

impl Names {
    pub(super) fn find(&mut self, name: &str) -> Option<Name> {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let found = find(name);
        if self.known.len() < MAX_NAMES {
            self.known.insert(name.into(), found);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<(&'static str, [u16; 2], Part, u16)> {
        find(name).map(|name| (name.row().name, name.holes, name.part, name.cc))
    }

    #[test]
    fn holes_take_any_number_and_digits_stand_for_themselves() {
        assert_eq!(read("lokey"), Some(("lokey", [0, 0], Part::Base, 0)));
        assert_eq!(read("LoKey"), Some(("lokey", [0, 0], Part::Base, 0)));
        assert_eq!(read("lfo01_freq"), Some(("lfoN_freq", [1, 0], Part::Base, 0)));
        assert_eq!(read("eg2_time13"), Some(("egN_timeX", [2, 13], Part::Base, 0)));
        assert_eq!(read("cutoff2"), Some(("cutoff2", [0, 0], Part::Base, 0)));
        assert_eq!(read("cutoff3"), None);
        assert_eq!(read("locc64"), Some(("loccN", [64, 0], Part::Base, 0)));
        assert_eq!(read("v063"), Some(("vN", [63, 0], Part::Base, 0)));
        assert_eq!(read("ampeg_vel2attack"), Some(("ampeg_vel2attack", [0, 0], Part::Base, 0)));
        assert_eq!(read("lfo1_cutoff2"), Some(("lfoN_cutoff2", [1, 0], Part::Base, 0)));
    }

    #[test]
    fn families_of_modulations_are_understood_in_every_spelling() {
        for (name, expected) in [
            ("amplitude_oncc7", ("amplitude", [0, 0], Part::Depth, 7)),
            ("amplitude_cc7", ("amplitude", [0, 0], Part::Depth, 7)),
            ("ampeg_releasecc72", ("ampeg_release", [0, 0], Part::Depth, 72)),
            ("pan_curvecc10", ("pan", [0, 0], Part::Curve, 10)),
            ("cutoff2_smoothcc74", ("cutoff2", [0, 0], Part::Smooth, 74)),
            ("tune_stepcc1", ("tune", [0, 0], Part::Step, 1)),
            ("pitch_oncc1", ("tune", [0, 0], Part::Depth, 1)),
            ("gain_cc7", ("volume", [0, 0], Part::Depth, 7)),
            ("lfo2_freq_oncc117", ("lfoN_freq", [2, 0], Part::Depth, 117)),
            ("eq1_gain_oncc30", ("eqN_gain", [1, 0], Part::Depth, 30)),
            ("eq3_freqcc30", ("eqN_freq", [3, 0], Part::Depth, 30)),
            ("lfo1_eq2gain_oncc5", ("lfoN_eqXgain", [1, 2], Part::Depth, 5)),
        ] {
            assert_eq!(read(name), Some(expected), "{name}");
        }
        assert_eq!(read("lokey_oncc1"), None);
        assert_eq!(read("amplitude_oncc"), None);
        assert_eq!(read("amplitude_oncc99999"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_slip_is_met_with_the_right_name() {
        for (slip, right) in [
            ("ampeg_relase", Some("ampeg_release")),
            ("pitch_keycentre", Some("pitch_keycenter")),
            ("ampltude_oncc20", Some("amplitude_oncc20")),
            ("lfo3_feq", Some("lfo3_freq")),
            ("loky", Some("lokey")),
            ("something_else_entirely", None),
            ("q", None),
        ] {
            assert_eq!(nearest(slip).as_deref(), right, "{slip}");
        }
    }

    #[test]
    fn no_two_rows_have_the_same_name() {
        for (shape, rows) in shapes() {
            for (i, (_, a)) in rows.iter().enumerate() {
                assert!(rows[i + 1..].iter().all(|(_, b)| a != b), "{shape}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_looked_up_without_trouble(name in "[a-zN0-9_é]{0,30}") {
            find(&name);
            nearest(&name);
        }
    }
}
