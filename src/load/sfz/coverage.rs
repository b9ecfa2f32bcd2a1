//! The page `docs/sfz.md`, made of the table.
//!
//! A test holds the page against the table; `ICTUS_WRITE_DOCS=1 cargo test coverage` writes it anew.

use super::opcodes::{Kind, Origin, Row, Status};
use super::table::TABLE;

const HEAD: &str = "# SFZ: what is read, and how\n\n\
<!-- Made from src/load/sfz/table.rs by `ICTUS_WRITE_DOCS=1 cargo test --lib coverage`; a test fails when it is stale. -->\n\n\
`sampler.load('piano.sfz')` reads SFZ 1, SFZ 2 and the extensions of ARIA in the meaning of [sfzformat.com](https://sfzformat.com). \
Whatever of a file has no effect is in `instrument.warnings`, once for each opcode, with how often it occurs and the file and \
line of the first.\n\n\
**Text.** UTF-8, UTF-16 with a byte order mark, or Latin-1; any line ends; `//` and `/* */` comments; several opcodes a line, \
values with spaces. `#include` is relative to the instrument's own file, in any depth up to 32; a file that includes itself is \
left out. `#define $NAME value` is replaced in names, values and paths, the longest name that fits first. \
`<control> <global> <master> <group> <region> <curve>`; `<effect>`, `<midi>` and `<sample>` are left out.\n\n\
**Samples.** Paths are relative to the instrument's file, behind `default_path`, with `/` or `\\`; where the case is wrong the \
file is found all the same. What cannot be read costs its regions and a warning. `*sine *saw *square *triangle *noise *silence` \
are generated.\n\n\
**Limits.** 262 144 regions, 4096 opcodes under one header, 16 MiB a file of text and 64 MiB with all that it includes, \
20 000 includes; for each region 4 LFOs, 4 envelopes besides that of its amplitude, 3 filters and bands of EQ.\n\n\
**Controllers.** Those marked *cc* are moved by `_onccN` (also `_ccN`, `ccN`), with `_curveccN` and `_stepccN`; `_smoothccN` is \
read and left to the engine, which smooths every controller. Numbers above 127 are ARIA's: 128 pitch bend, 129 and 130 channel \
and key pressure, 131 velocity, 133 key, 135 and 136 random; others stand where `set_hdccN` puts them.\n";

/// The whole page.
fn page() -> String {
    let count = |wanted: fn(&Status) -> bool| TABLE.iter().filter(|row| wanted(&row.status)).count();
    let mut page = format!(
        "{HEAD}\n{} opcodes are known: {} in full, {} in part, {} ignored with a warning, {} that have nothing to be heard.\n",
        TABLE.len(),
        count(|status| matches!(status, Status::Full)),
        count(|status| matches!(status, Status::Partial(_))),
        count(|status| matches!(status, Status::Ignored(_))),
        count(|status| matches!(status, Status::Silent(_))),
    );
    page += "\n## Read\n\n| opcode | values | default | of | |\n|---|---|---|---|---|\n";
    for row in TABLE.iter().filter(|row| matches!(row.status, Status::Full | Status::Partial(_))) {
        let told = match row.status {
            Status::Partial(what) => format!("in part: {what}"),
            _ => String::new(),
        };
        page += &format!(
            "| {} | {} | {} | {} | {told} |\n",
            names(row),
            values(row.kind),
            row.default,
            origin(row.origin)
        );
    }
    page += "\n## Ignored\n\n| opcode | of | why |\n|---|---|---|\n";
    for row in TABLE {
        if let Status::Ignored(why) | Status::Silent(why) = row.status {
            page += &format!("| {} | {} | {why} |\n", names(row), origin(row.origin));
        }
    }
    page
}

fn names(row: &Row) -> String {
    let mut all = format!("`{}`", row.name);
    for alias in row.aliases {
        all += &format!(", `{alias}`");
    }
    if row.cc {
        all += " *cc*";
    }
    all
}

fn values(kind: Kind) -> String {
    let unit = |unit: &str| if unit.is_empty() { String::new() } else { format!(" {unit}") };
    match kind {
        Kind::Number(low, high, of) => format!("{low} to {high}{}", unit(of)),
        Kind::Integer(low, high, of) => format!("{low} to {high}{}", unit(of)),
        Kind::Key => "key: 0 to 127, or a note name".into(),
        Kind::KeyOr(words) => format!("key, or {}", words.join(", ")),
        Kind::Word(words) => words.join(", "),
        Kind::IntegerOr(low, high, words) => format!("{low} to {high}, or {}", words.join(", ")),
        Kind::Switch => "on, off".into(),
        Kind::Text => "text".into(),
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::V1 => "SFZ 1",
        Origin::V2 => "SFZ 2",
        Origin::Aria => "ARIA",
        Origin::Other(name) => name,
    }
}

#[test]
fn coverage_page_is_what_the_table_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sfz.md");
    let page = page();
    if std::env::var_os("ICTUS_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/sfz.md is stale: ICTUS_WRITE_DOCS=1 cargo test --lib coverage writes it anew"
    );
}

#[test]
fn every_coverage_row_does_something_or_says_why_not() {
    use super::op::Op;
    for row in TABLE {
        let nothing = row.op == Op::Nothing;
        match row.status {
            Status::Full | Status::Partial(_) => assert!(!nothing, "{} sets nothing", row.name),
            Status::Ignored(why) | Status::Silent(why) => {
                assert!(nothing && !why.is_empty(), "{} is not ignored", row.name);
            }
        }
    }
}
