//! Banks of named sounds: a folder of folders as Tidal has it, a `strudel.json` map, `{ bd: ['a.wav', 'b.wav'] }`.
//!
//! A sound is a list of samples, told apart by number (`bd:3` is the fourth, in natural order of the files' names), or
//! samples by note, each for the keys that are nearest to its own. Every region of a list has a key of its own, at
//! which it sounds at its own pitch: its number.
//!
//! Sources: Tidal Cycles, "Custom samples" (one folder a sound); Strudel, "Samples" (`strudel.json`, `_base`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::error::{Fault, LoadError};
use super::folder::{folder_name, sounds_in, subfolders};
use super::names::key_of_entry;
use super::pool::{Batch, Job, OnError, OnProgress, decode_all};
use super::spread::key_ranges;
use crate::instrument::Region;

/// Samples of a list that one instrument holds: a key each.
const KEYS: usize = 128;
/// Largest map that is read, bytes: the largest on the web have a hundredth.
const MAX_MAP_BYTES: u64 = 16 << 20;
/// Most sounds of a bank, and most samples of one.
const MAX_SOUNDS: usize = 900;
const MAX_SAMPLES: usize = 65_536;

/// One sound.
#[derive(Debug)]
pub struct Sound {
    /// What it is played by.
    pub name: String,
    /// Samples of a list; 0 of one by note.
    pub count: usize,
    /// Of a list: number n is region n of the whole, on key n modulo 128, in parts of 128. By note: one part.
    pub parts: Vec<Vec<Region>>,
}

/// A bank of sounds.
#[derive(Debug)]
pub struct Bank {
    /// Of the folder or file.
    pub name: String,
    /// A folder's in natural order of their names, a map's in order of them.
    pub sounds: Vec<Sound>,
    /// What was left out.
    pub warnings: Vec<String>,
}

/// What a sound is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Files {
    /// In order.
    List(Vec<String>),
    /// Notes and paths.
    Notes(Vec<(String, String)>),
}

/// Whether a path is a bank: a folder of folders with sound files and with none itself, or a JSON file.
pub fn is_bank(path: &Path) -> bool {
    if path.is_dir() {
        return sounds_in(path).is_ok_and(|own| own.is_empty())
            && subfolders(path)
                .is_ok_and(|folders| folders.iter().any(|f| sounds_in(f).is_ok_and(|s| !s.is_empty())));
    }
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// Loads a bank from a folder of folders, or from a map in JSON; `base` goes before the map's own `_base`.
///
/// Thread: any but the audio thread; blocks. Errors: any [`LoadError`]; one bad sample among good ones is a warning.
pub fn load_bank(path: &Path, base: Option<&Path>, progress: &mut OnProgress<'_>) -> Result<Bank, LoadError> {
    let (name, sounds, base) = if path.is_dir() {
        let of_system = |error| LoadError::of_system(path, path, error);
        let mut sounds = Vec::new();
        for folder in subfolders(path).map_err(of_system)? {
            let files = sounds_in(&folder).map_err(of_system)?;
            let files: Vec<String> = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
            if !files.is_empty() {
                sounds.push((folder_name(&folder), Files::List(files)));
            }
        }
        (folder_name(path), sounds, None)
    } else {
        let (sounds, own) = read_map(path)?;
        let beside = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let base = base.map(Path::to_path_buf).or(own.map(|own| beside.join(own))).unwrap_or(beside);
        (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), sounds, Some(base))
    };
    load_sounds(&name, &sounds, base.as_deref(), progress)
}

/// Loads named sounds; relative paths start at `base`. Errors: as [`load_bank`].
pub fn load_sounds(
    name: &str,
    sounds: &[(String, Files)],
    base: Option<&Path>,
    progress: &mut OnProgress<'_>,
) -> Result<Bank, LoadError> {
    let invalid = |message: String| LoadError::Invalid { path: PathBuf::from(name), message };
    let mut jobs = Vec::new();
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for (sound, files) in sounds {
        let mut own = Vec::new();
        let mut add = |path: &String| {
            let shown = PathBuf::from(path);
            let open = base.map_or_else(|| shown.clone(), |base| base.join(&shown));
            jobs.push(Job { open, shown });
        };
        match files {
            Files::List(list) => list.iter().for_each(&mut add),
            Files::Notes(notes) => {
                for (note, path) in notes {
                    let key = key_of_entry(note)
                        .map_err(|rest| invalid(format!("\"{note}\" of \"{sound}\" {rest}")))?;
                    own.push(key);
                    add(path);
                }
            }
        }
        keys.push(own);
    }
    if sounds.len() > MAX_SOUNDS || jobs.len() > MAX_SAMPLES {
        let (sounds, samples) = (sounds.len(), jobs.len());
        let what = format!(
            "it has {sounds} sounds with {samples} samples; {MAX_SOUNDS} and {MAX_SAMPLES} are the most"
        );
        return Err(Fault::Limit(what).at(Path::new(name)));
    }
    if jobs.is_empty() {
        return Err(invalid(format!("\"{name}\" has no samples; a bank has sounds with at least one each")));
    }
    let batch = decode_all(&jobs, OnError::GoOn, progress)?;
    let mut warnings = batch.warnings();
    let mut first = 0;
    let mut loaded = Vec::new();
    for ((sound, files), keys) in sounds.iter().zip(keys) {
        let (count, parts) = match files {
            Files::List(list) => {
                let parts = listed(&batch, first..first + list.len());
                first += list.len();
                (parts.iter().map(Vec::len).sum(), parts)
            }
            Files::Notes(notes) => {
                let part = by_note(&batch, first, &keys);
                first += notes.len();
                (0, vec![part])
            }
        };
        if parts.iter().any(|part| !part.is_empty()) {
            loaded.push(Sound { name: sound.clone(), count, parts });
        } else {
            warnings.push(format!("\"{sound}\" is left out: none of its samples can be read"));
        }
    }
    if loaded.is_empty() {
        return Err(batch
            .into_error_if_empty()
            .unwrap_or_else(|| invalid(format!("\"{name}\" has no sounds"))));
    }
    Ok(Bank { name: name.into(), sounds: loaded, warnings })
}

/// Samples by number. One that cannot be read is not counted: the next takes its number, as if it were not there.
fn listed(batch: &Batch, jobs: std::ops::Range<usize>) -> Vec<Vec<Region>> {
    let samples: Vec<_> = jobs.filter_map(|job| batch.sample(job)).collect();
    let region = |(key, sample): (u8, &&Arc<_>)| Region {
        keys: key..=key,
        root_key: f64::from(key),
        ..Region::of(Arc::clone(sample))
    };
    samples.chunks(KEYS).map(|part| (0u8..).zip(part).map(region).collect()).collect()
}

/// Samples by note, each for the keys that are nearest; the first of a key counts.
fn by_note(batch: &Batch, first: usize, keys: &[u8]) -> Vec<Region> {
    let mut by_key = BTreeMap::new();
    for (number, key) in keys.iter().enumerate() {
        if let Some(sample) = batch.sample(first + number) {
            by_key.entry(*key).or_insert(sample);
        }
    }
    let roots: Vec<u8> = by_key.keys().copied().collect();
    let spread = by_key.iter().zip(key_ranges(&roots));
    let region = |((root, sample), keys): ((&u8, &&Arc<_>), _)| Region {
        keys,
        root_key: f64::from(*root),
        ..Region::of(Arc::clone(sample))
    };
    spread.map(region).collect()
}

/// Sounds by name, and the `_base` of a map.
type Map = (Vec<(String, Files)>, Option<String>);

/// Reads a map.
fn read_map(path: &Path) -> Result<Map, LoadError> {
    let (file, len) = super::audio::open_file(path, path, "a JSON map of samples")?;
    if len > MAX_MAP_BYTES {
        return Err(
            Fault::Limit(format!("it has {len} bytes; maps of at most {MAX_MAP_BYTES} are read")).at(path)
        );
    }
    drop(file);
    let text = fs::read(path).map_err(|error| LoadError::of_system(path, path, error))?;
    let value: Value = serde_json::from_slice(&text)
        .map_err(|error| Fault::Corrupt(format!("it is no JSON: {error}")).at(path))?;
    let wrong = |what: String| LoadError::Invalid {
        path: path.to_path_buf(),
        message: format!("\"{}\": {what}", path.display()),
    };
    let Value::Object(map) = value else {
        return Err(wrong(
            "a map of samples is an object, such as { \"bd\": [\"a.wav\", \"b.wav\"] }".into(),
        ));
    };
    let mut base = None;
    let mut sounds = Vec::new();
    for (name, value) in map {
        if name == "_base" {
            let Value::String(own) = value else {
                return Err(wrong("\"_base\" must be a folder, as a string".into()));
            };
            if own.contains("://") || own.starts_with("github:") {
                return Err(wrong(format!(
                    "\"_base\" is on the web (\"{own}\"), and only files are read; download them and name their folder \
                     as baseUrl"
                )));
            }
            base = Some(own);
            continue;
        }
        let path_of = |value: &Value| match value {
            Value::String(path) if path.contains("://") => Err(wrong(format!(
                "\"{name}\" is on the web (\"{path}\"), and only files are read; download it"
            ))),
            Value::String(path) => Ok(path.clone()),
            _ => Err(wrong(format!("\"{name}\" must be a path, a list of paths, or paths by note"))),
        };
        let files = match &value {
            Value::Array(list) => Files::List(list.iter().map(path_of).collect::<Result<_, _>>()?),
            Value::Object(notes) => {
                let mut files = Vec::new();
                for (note, value) in notes {
                    let list = match value {
                        Value::Array(list) => list.first().map(path_of).transpose()?, // the first of a note's takes
                        one => Some(path_of(one)?),
                    };
                    files.extend(list.map(|path| (note.clone(), path)));
                }
                Files::Notes(files)
            }
            one => Files::List(vec![path_of(one)?]),
        };
        sounds.push((name, files));
    }
    Ok((sounds, base))
}

#[cfg(test)]
mod tests {
    use super::super::testing::TestDir;
    use super::*;
    use std::ops::ControlFlow;

    fn load(path: &Path, base: Option<&Path>) -> Result<Bank, LoadError> {
        load_bank(path, base, &mut |_| ControlFlow::Continue(()))
    }

    /// Name, count, and for each region: key and which file, as `wavs` numbers them.
    type Row = (String, usize, Vec<(u8, u16)>);

    fn rows(bank: &Bank) -> Vec<Row> {
        let region = |r: &Region| (*r.keys.start(), (r.sample.value(0, 0) * 32_768.0) as u16);
        bank.sounds
            .iter()
            .map(|sound| {
                (sound.name.clone(), sound.count, sound.parts.iter().flatten().map(region).collect())
            })
            .collect()
    }

    #[test]
    fn a_folder_of_folders_is_a_bank_in_natural_order() {
        let dir = TestDir::new();
        dir.wavs(&["bd/10.wav", "bd/2.WAV", "sn/a.wav", "empty/.hidden.wav"]);
        dir.file("sn/readme.txt", b"");
        dir.file("sn/b.wav", b"RIFF");
        assert!(is_bank(dir.path()) && !is_bank(&dir.path().join("bd")));
        let bank = load(dir.path(), None).unwrap();
        assert_eq!(rows(&bank), [("bd".into(), 2, vec![(0, 2), (1, 1)]), ("sn".into(), 1, vec![(0, 3)])]);
        assert_eq!(bank.warnings.len(), 1, "{:?}", bank.warnings);
    }

    #[test]
    fn more_than_128_samples_go_on_in_another_part() {
        let dir = TestDir::new();
        let names: Vec<String> = (0..130).map(|n| format!("x/{n}.wav")).collect();
        dir.wavs(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let bank = load(dir.path(), None).unwrap();
        let [sound] = bank.sounds.as_slice() else { panic!() };
        assert_eq!((sound.count, sound.parts.len(), sound.parts[1].len()), (130, 2, 2));
        assert_eq!(sound.parts[1][1].keys, 1..=1);
    }

    #[test]
    fn a_strudel_map_has_lists_notes_and_a_base() {
        let dir = TestDir::new();
        dir.wavs(&["s/a.wav", "s/b.wav", "s/c3.wav", "s/c5.wav"]);
        let map = br#"{ "_base": "s/", "bd": ["a.wav", "b.wav"], "one": "b.wav", "pi": { "c3": "c3.wav", "c5": ["c5.wav"] } }"#;
        let path = dir.file("strudel.json", map);
        assert!(is_bank(&path));
        let bank = load(&path, None).unwrap();
        assert_eq!(bank.name, "strudel");
        assert_eq!(
            rows(&bank),
            [
                ("bd".into(), 2, vec![(0, 1), (1, 2)]),
                ("one".into(), 1, vec![(0, 2)]),
                ("pi".into(), 0, vec![(0, 3), (60, 4)]),
            ]
        );
        let elsewhere = TestDir::new();
        elsewhere.wavs(&["a.wav"]);
        let bank = load(&path, Some(elsewhere.path())).unwrap();
        assert_eq!((bank.sounds.len(), bank.sounds[0].count), (1, 1));
        assert!(bank.warnings.iter().any(|w| w == "\"one\" is left out: none of its samples can be read"));
    }

    #[test]
    fn maps_that_make_no_sense_are_refused_with_the_place() {
        let dir = TestDir::new();
        for (map, message) in [
            (&b"{ \"bd\": "[..], "it is no JSON: EOF while parsing a value at line 1 column 8"),
            (b"[]", "a map of samples is an object"),
            (b"{ \"bd\": 7 }", "\"bd\" must be a path, a list of paths, or paths by note"),
            (
                b"{ \"_base\": \"https://x.org/\" }",
                "\"_base\" is on the web (\"https://x.org/\"), and only files are read",
            ),
            (b"{ \"bd\": [\"https://x.org/a.wav\"] }", "\"bd\" is on the web"),
            (b"{ \"pi\": { \"H9\": \"a.wav\" } }", "\"H9\" of \"pi\" is no key"),
            (b"{}", "has no samples"),
            (b"{ \"bd\": [\"none.wav\"] }", "there is no file \"none.wav\""),
        ] {
            let error = load(&dir.file("map.json", map), None).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
