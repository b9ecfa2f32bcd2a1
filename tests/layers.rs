//! The rooms keep to ARCHITECTURE.md: reads its table of rooms and holds every path in `src/` against it.
//!
//! A room may use its own modules, the rooms and crates in its "may use" column, and the standard library but for
//! what "must never meet" takes away. Whatever the table does not grant is forbidden, so a new `use crate::…` across
//! rooms fails here until the table says why it may. Test code inside a room is held to the same rule.
//!
//! This reads tokens, not types: a path made by a macro in another room is not seen. Words of the table that this
//! file does not know fail the test, rather than being skipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates that every room but the bare `units` may use. thiserror only derives; each room has its own error enum.
const EVERYWHERE: &[&str] = &["thiserror"];

/// What a word in the table stands for, unless it is the name of a room: paths, `::` between segments.
fn meaning(word: &str) -> Option<&'static [&'static str]> {
    Some(match word {
        "std" | "atomics" => &[], // granted to all, and what is taken from a room stands in its last column
        "ringbuf" => &["ringbuf"],
        "cpal" => &["cpal"],
        "rubato" => &["rubato"],
        "thread-priority" => &["thread_priority", "libc"], // libc reads back what the kernel granted
        "decoders" => &["hound", "symphonia", "serde_json"],
        "alsa-sys" => &["alsa_sys"],
        "jack" => &["jack"],
        "jack-sys" => &["jack_sys"],
        "napi" => &["napi", "napi_derive"],
        "the engine's event type" => &["crate::engine::event", "crate::engine::Event"],
        "files" => &["std::fs"],
        "threads" => &["std::thread"],
        "locks" => &["std::sync::Mutex", "std::sync::RwLock", "std::sync::Condvar"],
        "`Arc`" => &["std::sync::Arc"],
        "clocks" | "wall clock" => &["std::time::Instant", "std::time::SystemTime"],
        // Said to people: the first three follow from what is not granted, the last no test can see.
        "everything else" | "our other rooms" | "engine state" | "any decision" => &[],
        _ => return None,
    })
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Rules {
    granted: Vec<String>,
    denied: Vec<String>,
}

/// Reads the table `room | may use | must never meet`.
fn read_table(text: &str) -> Result<BTreeMap<String, Rules>, String> {
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let is_header = |line: &&str| cells(line) == ["room", "may use", "must never meet"];
    let at = text.lines().position(|line| is_header(&line)).ok_or("no table of rooms")?;
    let rows: Vec<_> =
        text.lines().skip(at + 2).take_while(|line| line.trim_start().starts_with('|')).map(cells).collect();
    let names: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();

    let mut table = BTreeMap::new();
    let mut above = Vec::new();
    for row in &rows {
        let [room, may, never] = row.as_slice() else { return Err(format!("not three columns: {row:?}")) };
        let paths = |word: &str| -> Result<Vec<String>, String> {
            if word == "all of the above" {
                return Ok(above.clone());
            }
            if names.iter().any(|name| name == word) {
                return Ok(vec![format!("crate::{word}")]);
            }
            let known =
                meaning(word).ok_or(format!("row {room}: what is {word:?}? Teach it to tests/layers.rs"))?;
            Ok(known.iter().map(|path| (*path).to_owned()).collect())
        };
        let mut rules = Rules::default();
        for word in may.split(", ") {
            rules.granted.extend(paths(word)?);
        }
        for word in never.split(", ") {
            rules.denied.extend(paths(word)?);
        }
        if let Some(both) = rules.granted.iter().find(|path| rules.denied.contains(path)) {
            return Err(format!("row {room} both grants and denies {both}"));
        }
        // "the above" are the rooms and what they may use: who stands on them sees both.
        above.push(format!("crate::{room}"));
        above.extend(rules.granted.iter().cloned());
        if never != "everything else" {
            rules.granted.extend(EVERYWHERE.iter().map(|name| (*name).to_owned()));
        }
        table.insert(room.clone(), rules);
    }
    Ok(table)
}

/// The crates that Cargo.toml lets the library use, as they are written in paths.
fn read_dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]") && !line.contains("dev-") && !line.contains("build-");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            names.push(name.trim().replace('-', "_"));
        }
    }
    names
}

/// Source text as identifiers, `::` and single characters: no comments, no string or character literals.
fn tokens(source: &str) -> Vec<String> {
    let text: Vec<char> = source.chars().collect();
    let at = |i: usize| text.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut out, mut i) = (Vec::new(), 0);
    while i < text.len() {
        match (at(i), at(i + 1)) {
            ('/', '/') => i += text[i..].iter().take_while(|c| **c != '\n').count(),
            ('/', '*') => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= text.len() {
                        break;
                    }
                }
            }
            (':', ':') => {
                out.push("::".to_owned());
                i += 2;
            }
            ('"', _) => {
                i += 1;
                while i < text.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            // A character: 'x' or '\…'. Anything else behind a quote is a lifetime, and of no interest either.
            ('\'', '\\') => {
                i += 3;
                i += text[i.min(text.len())..].iter().take_while(|c| **c != '\'').count() + 1;
            }
            ('\'', _) => i += if at(i + 2) == '\'' { 3 } else { 1 },
            (c, _) if is_word(c) => {
                let word: String = text[i..].iter().take_while(|c| is_word(**c)).collect();
                i += word.chars().count();
                // r"…", r#"…"# and br"…": the same number of # closes them.
                let hashes = text[i..].iter().take_while(|c| **c == '#').count();
                if matches!(word.as_str(), "r" | "br" | "cr") && at(i + hashes) == '"' {
                    let close: Vec<char> =
                        std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                    i += hashes + 1;
                    while i < text.len() && !text[i..].starts_with(&close) {
                        i += 1;
                    }
                    i += close.len();
                } else {
                    out.push(word);
                }
            }
            (c, _) => {
                if !c.is_whitespace() {
                    out.push(c.to_string());
                }
                i += 1;
            }
        }
    }
    out
}

/// The paths of one `use` tree or path expression that starts at `i`, and the index behind it.
fn tree(tokens: &[String], mut i: usize, prefix: &[String]) -> (Vec<Vec<String>>, usize) {
    let is = |i: usize, what: &str| tokens.get(i).is_some_and(|token| token == what);
    let is_name = |i: usize| {
        tokens.get(i).is_some_and(|t| t == "*" || t.starts_with(|c: char| c.is_alphabetic() || c == '_'))
    };
    let mut path = prefix.to_vec();
    loop {
        if is(i, "{") {
            let mut all = Vec::new();
            i += 1;
            while i < tokens.len() && !is(i, "}") {
                let (more, next) = tree(tokens, i, &path);
                all.extend(more);
                i = next.max(i + 1);
                // `as name` says nothing of where a path leads.
                while i < tokens.len() && !is(i, ",") && !is(i, "}") {
                    i += 1;
                }
                i += usize::from(is(i, ","));
            }
            return (all, i + 1);
        }
        if !is_name(i) {
            return (vec![path], i);
        }
        path.push(tokens[i].clone());
        i += 1;
        if !is(i, "::") {
            return (vec![path], i);
        }
        i += 1;
    }
}

/// Every path in a file of the module `module` (segments from the crate's root), with `super` and `self` resolved
/// to `crate::…`. Bare names are no paths, unless a `use` brings them in.
fn paths(source: &str, module: &[String]) -> Vec<Vec<String>> {
    let tokens = tokens(source);
    let is = |i: usize, what: &str| tokens.get(i).is_some_and(|token| token == what);
    // Inline modules open around here: the name, and how deep in braces it started.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let (mut depth, mut i, mut out) = (0_usize, 0, Vec::new());
    while i < tokens.len() {
        let word = tokens[i].as_str();
        let starts_name = word.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if word == "mod" && is(i + 2, "{") {
            inline.push((tokens[i + 1].clone(), depth));
            (depth, i) = (depth + 1, i + 3);
            continue;
        }
        let from = match word {
            "use" => Some(i + 1 + usize::from(is(i + 1, "::"))),
            "crate" if i > 0 && is(i - 1, "extern") => Some(i + 1),
            _ if starts_name && is(i + 1, "::") && (i == 0 || !is(i - 1, "::")) => Some(i),
            _ => None,
        };
        if let Some(from) = from {
            let here: Vec<String> =
                module.iter().cloned().chain(inline.iter().map(|(name, _)| name.clone())).collect();
            let (found, next) = tree(&tokens, from, &[]);
            out.extend(found.into_iter().map(|path| resolve(path, &here)));
            i = next.max(i + 1);
            continue;
        }
        match word {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last().is_some_and(|(_, opened)| *opened == depth) {
                    inline.pop();
                }
            }
            _ => {}
        }
        i += 1;
    }
    out
}

/// `super::…` and `self::…` as seen from `here`, told from the crate's root; other paths as they are.
fn resolve(path: Vec<String>, here: &[String]) -> Vec<String> {
    if !matches!(path.first().map(String::as_str), Some("super" | "self")) {
        return path;
    }
    let steps = path.iter().take_while(|s| *s == "super" || *s == "self").count();
    let up = path[..steps].iter().filter(|s| *s == "super").count();
    let base = &here[..here.len().saturating_sub(up)];
    std::iter::once("crate".to_owned())
        .chain(base.iter().cloned())
        .chain(path[steps..].iter().cloned())
        .collect()
}

/// What a file of `room` does that the table forbids, one sentence each.
fn violations(
    table: &BTreeMap<String, Rules>,
    dependencies: &[String],
    module: &[String],
    source: &str,
) -> Vec<String> {
    let room = &module[0];
    let Some(rules) = table.get(room) else {
        return vec![format!("the room {room} has no row in the table")];
    };
    let starts = |path: &str, with: &str| path == with || path.starts_with(&format!("{with}::"));
    let own = format!("crate::{room}");
    let mut out = Vec::new();
    for path in paths(source, module) {
        // core and alloc are the standard library under other names.
        let head = match path[0].as_str() {
            "core" | "alloc" => "std",
            head => head,
        };
        let told =
            std::iter::once(head).chain(path[1..].iter().map(String::as_str)).collect::<Vec<_>>().join("::");
        let ours = head == "crate" || dependencies.iter().any(|name| name == head);
        if ours && !starts(&told, &own) && !rules.granted.iter().any(|granted| starts(&told, granted)) {
            out.push(format!("{room} uses {told}, which its row does not grant"));
        }
        // A glob of the parent brings the denied thing in as well.
        let glob = told.strip_suffix("::*");
        let is_denied = |denied: &&String| {
            starts(&told, denied) || glob.is_some_and(|parent| starts(denied.as_str(), parent))
        };
        if let Some(denied) = rules.denied.iter().filter(|d| d.starts_with("std::")).find(is_denied) {
            out.push(format!("{room} uses {told}, but must never meet {denied}"));
        }
    }
    out
}

/// All .rs files under `folder`, each with its module's path from the crate's root.
fn sources(folder: &Path, module: &[String]) -> Vec<(PathBuf, Vec<String>)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).expect("src/ is readable") {
        let path = entry.expect("src/ is readable").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let inner: Vec<String> = module.iter().cloned().chain([name.clone()]).collect();
        if path.is_dir() {
            out.extend(sources(&path, &inner));
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push((path, if name == "mod" { module.to_vec() } else { inner }));
        }
    }
    out
}

#[test]
fn every_room_keeps_to_its_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).expect(name);
    let table = read_table(&read("ARCHITECTURE.md")).unwrap_or_else(|e| panic!("ARCHITECTURE.md: {e}"));
    let dependencies = read_dependencies(&read("Cargo.toml"));
    let mut found = Vec::new();
    for (path, module) in sources(&root.join("src"), &[]) {
        if module == ["lib"] {
            continue; // the map itself: it declares the rooms and uses none
        }
        let source = fs::read_to_string(&path).expect("a source file is readable");
        let file = path.strip_prefix(root).unwrap_or(&path).display();
        found.extend(
            violations(&table, &dependencies, &module, &source).iter().map(|v| format!("{file}: {v}")),
        );
    }
    assert!(found.is_empty(), "against the table of rooms in ARCHITECTURE.md:\n{}", found.join("\n"));
}

// ── the check itself, on small houses

const HOUSE: &str = "
text before
| room | may use | must never meet |
|---|---|---|
| units | std | everything else |
| rt | ringbuf, atomics | our other rooms, napi, cpal |
| engine | units, rt | files, locks, wall clock |
| midi | units, the engine's event type | engine state |
| control | all of the above | napi |

text after | with | bars |
";

fn check(module: &str, source: &str) -> Vec<String> {
    let names = ["ringbuf", "cpal", "napi", "hound", "thiserror"].map(str::to_owned);
    let module: Vec<String> = module.split("::").map(str::to_owned).collect();
    violations(&read_table(HOUSE).expect("the house is well-formed"), &names, &module, source)
}

#[test]
fn the_table_is_read_row_by_row() {
    let table = read_table(HOUSE).expect("well-formed");
    assert_eq!(table.len(), 5);
    assert_eq!(table["units"], Rules::default());
    assert_eq!(table["engine"].granted, ["crate::units", "crate::rt", "thiserror"]);
    assert!(table["control"].granted.contains(&"crate::midi".to_owned()));
    assert!(table["control"].granted.contains(&"ringbuf".to_owned()));
    assert!(!table["control"].granted.contains(&"crate::control".to_owned()));
}

#[test]
fn words_nobody_taught_it_and_contradictions_are_refused() {
    let row = |may: &str, never: &str| {
        read_table(&format!("|room|may use|must never meet|\n|-|-|-|\n|a|{may}|{never}|")).unwrap_err()
    };
    assert!(row("quaver", "files").contains("quaver"));
    assert!(row("cpal", "cpal").contains("both grants and denies cpal"));
    assert_eq!(read_table("no table").unwrap_err(), "no table of rooms");
}

#[test]
fn granted_paths_pass() {
    assert_eq!(
        check("engine", "use crate::{rt::lane::Lane, units as u}; use std::sync::atomic::AtomicU64;"),
        [""; 0]
    );
    assert_eq!(
        check("engine::voice", "use super::pool::Pool; fn f() { crate::rt::guard::check(); }"),
        [""; 0]
    );
    assert_eq!(check("engine", "#[derive(thiserror::Error)] pub(crate) struct E;"), [""; 0]);
    assert_eq!(check("midi", "use crate::engine::event::Event;"), [""; 0]);
    assert_eq!(check("control", "use crate::midi::Parser; use std::sync::Mutex;"), [""; 0]);
}

#[test]
fn forbidden_rooms_are_found_however_they_are_written() {
    for source in [
        "use crate::control::Sampler;",
        "use crate::{units, control::{Sampler, Engine}};",
        "use ::{std::fmt, crate::control};",
        "fn f() -> crate::control::Id { todo() }",
        "use super::control::Sampler;",
        "mod deep { use super::super::control; }",
        "mod deep { mod er { } } mod next { fn f() { super::super::control::x() } }",
        "#[cfg(test)] mod tests { use super::*; use crate::control::Sampler; }",
    ] {
        let found = check("engine", source);
        assert!(found.len() == 1 || source.contains("Engine}"), "{source}: {found:?}");
        assert!(found[0].starts_with("engine uses crate::control"), "{source}: {found:?}");
    }
    assert_eq!(check("engine::voice::pool", "use super::super::super::control::X;").len(), 1);
    assert_eq!(check("engine::voice::pool", "use super::super::control::X;"), [""; 0]);
    assert_eq!(check("midi", "use crate::engine::pool::Pool;").len(), 1);
    assert_eq!(check("engine", "use crate::*;"), ["engine uses crate::*, which its row does not grant"]);
    assert_eq!(check("attic", ""), ["the room attic has no row in the table"]);
}

#[test]
fn forbidden_crates_and_parts_of_std_are_found() {
    assert_eq!(check("engine", "use cpal;").len(), 1);
    assert_eq!(check("engine", "extern crate cpal;").len(), 1);
    assert_eq!(check("engine", "fn f() { hound::WavReader::open(p) }").len(), 1);
    assert_eq!(check("control", "use napi::bindgen_prelude::*;").len(), 1);
    assert_eq!(check("units", "#[derive(thiserror::Error)] struct E;").len(), 1);
    assert_eq!(check("engine", "use std::{fs::File, sync::{Arc, Mutex}};").len(), 2);
    assert_eq!(check("engine", "use std::time::Duration;"), [""; 0]);
    assert_eq!(check("engine", "use std::time::*;").len(), 1, "a glob brings the clocks along");
    assert_eq!(check("engine", "let t = std::time::Instant::now();").len(), 1);
}

#[test]
fn comments_and_literals_are_not_code() {
    let source = r##"
        //! [`crate::control::Sampler`] in a doc comment
        /* crate::control /* nested */ cpal::x */
        const A: &str = "crate::control::X \" cpal::y";
        const B: &str = r#"crate::control "quoted" "#;
        const C: (char, char, char) = ('"', '\'', '\u{22}');
        fn f<'a>(x: &'a str) -> &'a str { x }
        use crate::rt::lane;
    "##;
    assert_eq!(check("engine", source), [""; 0]);
    assert_eq!(
        check("engine", &format!("{source} use crate::control;")).len(),
        1,
        "and reading goes on behind them"
    );
}

#[test]
fn dependencies_are_those_of_the_library() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nthread-priority = \"3\"\n# old = 1\n\
        [target.'cfg(unix)'.dependencies]\nlibc = { version = \"0.2\" }\n[dev-dependencies]\nproptest = \"1\"\n";
    assert_eq!(read_dependencies(manifest), ["thread_priority", "libc"]);
}
