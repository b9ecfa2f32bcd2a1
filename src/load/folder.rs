//! A folder of sound files → an instrument, by the names of the files.
//!
//! - Names with notes (see `super::names`) give root keys; every sample sounds on the keys nearest to its own.
//!   Several files for a note with velocities in their names (`A0v1`, `A0v2`; `Piano.pp.C4`, `Piano.ff.C4`) share the
//!   velocities 1 to 127 evenly, in order; velocities on their own, without a second file, change nothing.
//! - When no name has a note, the folder is a kit: one key for each file, in natural order, upwards from key 36 (C2,
//!   where General MIDI has the kick), at its own pitch, played to its end whatever the key does.
//! - When only some have one, the others are left out, each with a warning.
//!
//! Read are files with an extension of sound (`sniff::AUDIO`), in any case; links are followed to files. Hidden files, `__MACOSX` and
//! subfolders are not. A file that cannot be read is a warning, and the others fill its place on the keyboard; in a
//! kit its key stays empty, so that the keys of the others do not depend on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Loaded;
use super::error::LoadError;
use super::names::{FileName, read_stem};
use super::natural;
use super::pool::{Job, OnError, OnProgress, decode_all};
use super::sniff::{AUDIO, OTHER_AUDIO, READ_HERE};
use super::spread::{key_ranges, velocity_ranges};
use crate::instrument::{Play, Playback, Region};
use crate::units::key_name;

/// The first key of a kit: General MIDI's "Bass Drum 1".
const KIT_FIRST_KEY: u8 = 36;
/// Keys from there to the top.
const KIT_KEYS: usize = 92;
/// Most layers of a note: one velocity each.
const MAX_LAYERS: usize = 127;

/// Loads the sound files of a folder as one instrument: by notes in their names, or else as a kit from key 36 upwards.
///
/// Thread: any but the audio thread; blocks. `progress` is heard on this thread.
/// Errors: `NotFound` for an absent or empty folder, `Unsupported` when it has files but no sound, the first file's
/// error when none can be read. One bad file among good ones is a warning.
pub fn load_folder(path: &Path, progress: &mut OnProgress<'_>) -> Result<Loaded, LoadError> {
    let listing = Listing::read(path).map_err(|error| LoadError::of_system(path, path, error))?;
    if listing.sounds.is_empty() {
        return Err(listing.without_sounds(path));
    }
    let mut warnings = listing.left_out(path);
    let files: Vec<(PathBuf, FileName)> =
        listing.sounds.iter().map(|name| (path.join(name), read_stem(&stem(name)))).collect();
    let plan = if files.iter().any(|(_, name)| name.key.is_some()) {
        plan_notes(files, &mut warnings)
    } else {
        plan_kit(files, &mut warnings)
    };
    let jobs: Vec<Job> = plan.places.iter().map(|place| place.job()).collect();
    let batch = decode_all(&jobs, OnError::GoOn, progress)?;
    warnings.extend(batch.warnings());
    let sounding =
        plan.places.iter().enumerate().filter_map(|(job, place)| Some((place.key, batch.sample(job)?)));
    let regions = if plan.kit {
        let region = |(key, sample)| Region {
            keys: key..=key,
            root_key: f64::from(key),
            playback: Playback::OneShot,
            ..Region::of(Arc::clone(sample))
        };
        sounding.map(region).collect()
    } else {
        // Places are in order of key, then layer: so are the samples of each note.
        let mut notes: BTreeMap<u8, Vec<_>> = BTreeMap::new();
        sounding.for_each(|(key, sample)| notes.entry(key).or_default().push(sample));
        let roots: Vec<u8> = notes.keys().copied().collect();
        let mut regions = Vec::new();
        for ((root, layers), keys) in notes.iter().zip(key_ranges(&roots)) {
            for (sample, velocities) in layers.iter().zip(velocity_ranges(layers.len())) {
                let sample = Arc::clone(sample);
                regions.push(Region {
                    keys: keys.clone(),
                    velocities,
                    root_key: f64::from(*root),
                    ..Region::of(sample)
                });
            }
        }
        regions
    };
    if regions.is_empty() {
        let note = format!("none of the {} sound files in \"{}\" could be read", jobs.len(), path.display());
        let error = batch
            .into_error_if_empty()
            .map(|error| if jobs.len() > 1 { error.with_note(&note) } else { error });
        return Err(error.unwrap_or(LoadError::Unsupported { path: path.to_path_buf(), message: note }));
    }
    Ok(Loaded { name: folder_name(path), regions, warnings, play: Play::default() })
}

/// A file and the key it is meant for.
struct Place {
    key: u8,
    path: PathBuf,
}

impl Place {
    fn job(&self) -> Job {
        Job { open: self.path.clone(), shown: self.path.clone() }
    }
}

/// Which files to decode, in the order of the regions to come.
struct Plan {
    places: Vec<Place>,
    kit: bool,
}

fn plan_kit(files: Vec<(PathBuf, FileName)>, warnings: &mut Vec<String>) -> Plan {
    for (path, _) in files.iter().skip(KIT_KEYS) {
        warnings.push(format!(
            "{}: is left out; a kit has room for {KIT_KEYS} files, on keys {KIT_FIRST_KEY} to 127",
            path.display()
        ));
    }
    let places = (KIT_FIRST_KEY..=127).zip(files).map(|(key, (path, _))| Place { key, path }).collect();
    Plan { places, kit: true }
}

fn plan_notes(files: Vec<(PathBuf, FileName)>, warnings: &mut Vec<String>) -> Plan {
    let mut notes: BTreeMap<u8, Vec<(Option<u16>, PathBuf)>> = BTreeMap::new();
    for (path, name) in files {
        match name.key {
            Some(key) => notes.entry(key).or_default().push((name.layer, path)),
            None => {
                let shown = path.display();
                warnings.push(format!(
                    "{shown}: is left out; its name has no note such as C4, others in the folder do"
                ));
            }
        }
    }
    let mut places = Vec::new();
    for (key, mut files) in notes {
        let note = key_name(key);
        // Without a velocity first, and each group in natural order: the sort is stable.
        files.sort_by_key(|(layer, _)| *layer);
        let layered = files.iter().any(|(layer, _)| layer.is_some());
        let mut last: Option<(Option<u16>, String)> = None;
        let mut layers = 0;
        for (layer, path) in files {
            let shown = path.display();
            let why = match &last {
                _ if layered && layer.is_none() => {
                    format!("its name has no velocity such as v1, other files for {note} have one")
                }
                Some((same, first)) if *same == layer => {
                    let what = if layered { "the same note and velocity" } else { "the same note" };
                    let how = "layers are told apart by v1, v2 … or pp, ff in the name";
                    format!("it is {what} as \"{first}\" ({note}); {how}")
                }
                _ if layers == MAX_LAYERS => {
                    format!("{note} has {MAX_LAYERS} layers already, one for each velocity")
                }
                _ => {
                    last = Some((layer, shown.to_string()));
                    layers += 1;
                    places.push(Place { key, path });
                    continue;
                }
            };
            warnings.push(format!("{shown}: is left out; {why}"));
        }
    }
    Plan { places, kit: false }
}

/// What lies in a folder, hidden things aside.
struct Listing {
    /// File names in natural order.
    sounds: Vec<PathBuf>,
    /// Lower-case extension → files.
    others: BTreeMap<String, usize>,
    /// In natural order.
    folders: Vec<PathBuf>,
}

impl Listing {
    fn read(path: &Path) -> std::io::Result<Self> {
        let mut listing = Self { sounds: Vec::new(), others: BTreeMap::new(), folders: Vec::new() };
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = PathBuf::from(entry.file_name());
            if name.to_string_lossy().starts_with('.') || name.as_os_str() == "__MACOSX" {
                continue;
            }
            // Follows links; a dangling one counts as the file that it promises, and fails with its name.
            if fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()) {
                listing.folders.push(name);
                continue;
            }
            match extension(&name).as_str() {
                known if AUDIO.contains(&known) => listing.sounds.push(name),
                other => *listing.others.entry(other.to_string()).or_default() += 1,
            }
        }
        let natural = |a: &PathBuf, b: &PathBuf| {
            natural::compare(&stem(a), &stem(b)).then_with(|| a.cmp(b)) // "a.wav" before "a 2.wav"
        };
        listing.sounds.sort_by(natural);
        listing.folders.sort_by(natural);
        Ok(listing)
    }

    /// Warnings for sounds in formats that are not read.
    fn left_out(&self, path: &Path) -> Vec<String> {
        let audio = self.others.iter().filter(|(extension, _)| OTHER_AUDIO.contains(&extension.as_str()));
        let text = |(extension, count): (&String, &usize)| {
            let files = if *count == 1 { "file is" } else { "files are" };
            format!("{}: {count} .{extension} {files} left out; {READ_HERE}", path.display())
        };
        audio.map(text).collect()
    }

    /// The error for a folder without a sound file: what it has instead.
    fn without_sounds(&self, path: &Path) -> LoadError {
        let shown = path.display();
        let kinds: Vec<String> =
            self.others.iter().map(|(extension, count)| kind(extension, *count)).collect();
        let below = |folder: &&PathBuf| {
            Self::read(&path.join(folder)).is_ok_and(|listing| !listing.sounds.is_empty())
        };
        let with_sounds = self.folders.iter().find(below);
        let message = match (kinds.is_empty(), with_sounds) {
            (_, Some(folder)) => format!(
                "\"{shown}\" has no sound file itself, but \"{}\" has; subfolders are not read, load them one by one",
                path.join(folder).display()
            ),
            (false, None) => {
                format!("\"{shown}\" has no sound file, only {}; {READ_HERE}", kinds.join(", "))
            }
            (true, None) => {
                let message = format!("there is no file in the folder \"{shown}\"; it needs sound files");
                return LoadError::NotFound { path: path.to_path_buf(), message };
            }
        };
        LoadError::Unsupported { path: path.to_path_buf(), message }
    }
}

fn kind(extension: &str, count: usize) -> String {
    match extension {
        "" => format!("{count} without an extension"),
        extension => format!("{count} .{extension}"),
    }
}

fn extension(name: &Path) -> String {
    name.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn stem(name: &Path) -> String {
    name.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The paths of a folder's sound files, in natural order.
pub(super) fn sounds_in(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    Ok(Listing::read(path)?.sounds.iter().map(|name| path.join(name)).collect())
}

/// The paths of a folder's folders, in natural order.
pub(super) fn subfolders(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    Ok(Listing::read(path)?.folders.iter().map(|name| path.join(name)).collect())
}

/// The folder's own name, also of `.` and `kit/..`.
pub(super) fn folder_name(path: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    name(path).or_else(|| name(&path.canonicalize().ok()?)).unwrap_or_else(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::super::testing::TestDir;
    use super::*;
    use std::ops::{ControlFlow, RangeInclusive};

    fn load(path: &Path) -> Result<Loaded, LoadError> {
        load_folder(path, &mut |_| ControlFlow::Continue(()))
    }

    type Row = (RangeInclusive<u8>, RangeInclusive<u8>, f64, u16);

    /// Keys, velocities, root, and which of the files, counted from 1 as they were given to `wavs`.
    fn rows(loaded: &Loaded) -> Vec<Row> {
        let row = |r: &Region| {
            (r.keys.clone(), r.velocities.clone(), r.root_key, (r.sample.value(0, 0) * 32_768.0) as u16)
        };
        loaded.regions.iter().map(row).collect()
    }

    /// Loads these files as a folder; the warnings without the folder's path.
    fn folder(names: &[&str]) -> (Vec<Row>, Vec<String>) {
        let dir = TestDir::new();
        dir.wavs(names);
        let loaded = load(dir.path()).unwrap();
        let prefix = format!("{}/", dir.path().display());
        let warnings = loaded.warnings.iter().map(|warning| warning.replace(&prefix, "")).collect();
        (rows(&loaded), warnings)
    }

    #[test]
    fn notes_in_names_are_spread_over_the_keyboard() {
        let (rows, warnings) = folder(&["flute-C5.wav", "flute-C4.WAV", "flute-A4.Wav"]);
        assert_eq!(
            rows,
            [(0..=64, 1..=127, 60.0, 2), (65..=70, 1..=127, 69.0, 3), (71..=127, 1..=127, 72.0, 1)]
        );
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn velocities_in_names_make_layers_in_order() {
        let (found, warnings) = folder(&["A0v10.wav", "A0v2.wav", "A0v1.wav", "C1v5.wav"]);
        assert_eq!(
            found,
            [
                (0..=22, 1..=42, 21.0, 3),
                (0..=22, 43..=84, 21.0, 2),
                (0..=22, 85..=127, 21.0, 1),
                (23..=127, 1..=127, 24.0, 4)
            ]
        );
        assert_eq!(warnings, Vec::<String>::new());
        let (found, _) = folder(&["Piano.ff.C4.wav", "Piano.mf.C4.wav", "Piano.pp.C4.wav"]);
        assert_eq!(
            found,
            [(0..=127, 1..=42, 60.0, 3), (0..=127, 43..=84, 60.0, 2), (0..=127, 85..=127, 60.0, 1)]
        );
    }

    #[test]
    fn of_several_recordings_of_one_note_the_first_sounds() {
        let (found, warnings) = folder(&["a C4.wav", "b C4.wav", "b C5.wav", "x C5 v1.wav", "y C5 v1.wav"]);
        assert_eq!(found, [(0..=65, 1..=127, 60.0, 1), (66..=127, 1..=127, 72.0, 4)]);
        assert_eq!(warnings.len(), 3);
        assert!(
            warnings[0].starts_with("b C4.wav: is left out; it is the same note as \""),
            "{}",
            warnings[0]
        );
        assert!(
            warnings[0].ends_with("a C4.wav\" (C4); layers are told apart by v1, v2 … or pp, ff in the name")
        );
        assert_eq!(
            warnings[1],
            "b C5.wav: is left out; its name has no velocity such as v1, other files for C5 have one"
        );
        assert!(warnings[2].starts_with("y C5 v1.wav: is left out; it is the same note and velocity as \""));
    }

    #[test]
    fn a_folder_without_notes_is_a_kit_from_key_36() {
        let (found, warnings) = folder(&["tom 10.wav", "kick.wav", "Snare.wav", "tom 2.wav"]);
        assert_eq!(
            found,
            [
                (36..=36, 1..=127, 36.0, 2),
                (37..=37, 1..=127, 37.0, 3),
                (38..=38, 1..=127, 38.0, 4),
                (39..=39, 1..=127, 39.0, 1)
            ]
        );
        assert_eq!(warnings, Vec::<String>::new());
        let dir = TestDir::new();
        dir.wavs(&["kick.wav"]);
        assert!(matches!(load(dir.path()).unwrap().regions[0].playback, Playback::OneShot));
    }

    #[test]
    fn a_kit_ends_at_key_127() {
        let names: Vec<String> = (1..=94).map(|n| format!("hit {n}.wav")).collect();
        let (found, warnings) = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found.len(), 92);
        assert_eq!(found[91], (127..=127, 1..=127, 127.0, 92));
        assert_eq!(
            warnings,
            [93, 94]
                .map(|n| format!("hit {n}.wav: is left out; a kit has room for 92 files, on keys 36 to 127"))
        );
    }

    #[test]
    fn files_without_a_note_are_left_out_beside_files_with_one() {
        let (found, warnings) = folder(&["C4.wav", "room.wav"]);
        assert_eq!(found, [(0..=127, 1..=127, 60.0, 1)]);
        assert_eq!(
            warnings,
            ["room.wav: is left out; its name has no note such as C4, others in the folder do"]
        );
    }

    #[test]
    fn more_layers_than_velocities_are_left_out() {
        let names: Vec<String> = (1..=129).map(|n| format!("C4v{n}.wav")).collect();
        let (found, warnings) = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found.len(), 127);
        assert_eq!(found[126], (0..=127, 127..=127, 60.0, 127));
        assert_eq!(
            warnings,
            [128, 129].map(|n| format!(
                "C4v{n}.wav: is left out; C4 has 127 layers already, one for each velocity"
            ))
        );
    }

    #[test]
    fn an_unreadable_file_is_a_warning_and_its_neighbours_take_its_keys() {
        let dir = TestDir::new();
        dir.wavs(&["C4.wav", "C6.wav", "E4v1.wav", "E4v2.wav"]);
        let broken = dir.file("C5.wav", b"fLaC");
        dir.file("E4v3.wav", b"RIFF");
        let loaded = load(dir.path()).unwrap();
        assert_eq!(
            rows(&loaded),
            [
                (0..=61, 1..=127, 60.0, 1),
                (62..=73, 1..=63, 64.0, 3),
                (62..=73, 64..=127, 64.0, 4),
                (74..=127, 1..=127, 84.0, 2)
            ]
        );
        let e4 = dir.path().join("E4v3.wav");
        assert_eq!(
            loaded.warnings,
            [
                format!(
                    "cannot read \"{}\": the file ends after 4 bytes, within its 12-byte RIFF header",
                    e4.display()
                ),
                format!("cannot read \"{}\": its FLAC stream ends too early", broken.display()),
            ]
        );
    }

    #[test]
    fn a_broken_file_leaves_its_key_of_a_kit_empty() {
        let dir = TestDir::new();
        dir.wavs(&["a.wav", "c.wav"]);
        dir.file("b.wav", b"");
        let loaded = load(dir.path()).unwrap();
        assert_eq!(rows(&loaded), [(36..=36, 1..=127, 36.0, 1), (38..=38, 1..=127, 38.0, 2)]);
        assert_eq!(loaded.warnings.len(), 1);
    }

    #[test]
    fn when_no_file_can_be_read_the_first_error_is_returned() {
        let dir = TestDir::new();
        let a = dir.file("a.wav", b"fLaC");
        let alone = load(dir.path()).unwrap_err();
        assert_eq!(
            alone.to_string(),
            format!("cannot read \"{}\": its FLAC stream ends too early", a.display())
        );
        dir.file("b.wav", b"");
        let error = load(dir.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot read \"{}\": its FLAC stream ends too early; none of the 2 sound files in \"{}\" could be read",
                a.display(),
                dir.path().display()
            )
        );
        assert!(matches!(error, LoadError::Corrupt { .. }));
    }

    #[test]
    fn a_folder_without_sounds_says_what_it_has() {
        let dir = TestDir::new();
        let shown = dir.path().display();
        let error = load(dir.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("there is no file in the folder \"{shown}\"; it needs sound files")
        );
        assert!(matches!(error, LoadError::NotFound { .. }));

        for name in ["a.wv", "b.WV", "LICENSE", "c.txt", ".hidden.wav", "__MACOSX/d.wav"] {
            dir.file(name, b"");
        }
        let error = load(dir.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("\"{shown}\" has no sound file, only 1 without an extension, 1 .txt, 2 .wv; {READ_HERE}")
        );
        assert!(matches!(error, LoadError::Unsupported { .. }));

        dir.wavs(&["drums/kick.wav"]);
        let error = load(dir.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "\"{shown}\" has no sound file itself, but \"{shown}/drums\" has; subfolders are not read, load them one by one"
            )
        );

        let absent = dir.path().join("absent");
        let error = load(&absent).unwrap_err();
        assert_eq!(error.to_string(), format!("there is no file \"{}\"", absent.display()));
    }

    #[test]
    fn hidden_files_subfolders_and_other_formats_do_not_disturb() {
        let dir = TestDir::new();
        dir.wavs(&["C4.wav", "._C4.wav", ".D4.wav", "__MACOSX/E4.wav", "more/F4.wav", "G4.wav/x.wav"]);
        dir.file("C4.caf", b"");
        dir.file("a.wma", b"");
        dir.file("b.wma", b"");
        dir.file("readme.txt", b"");
        let loaded = load(dir.path()).unwrap();
        assert_eq!(rows(&loaded), [(0..=127, 1..=127, 60.0, 1)]);
        let shown = dir.path().display();
        assert_eq!(
            loaded.warnings,
            [
                format!("{shown}: 1 .caf file is left out; {READ_HERE}"),
                format!("{shown}: 2 .wma files are left out; {READ_HERE}"),
            ]
        );
        assert_eq!(loaded.name, dir.path().file_name().unwrap().to_string_lossy());
        assert_eq!(load(&dir.path().join("more/..")).unwrap().name, loaded.name);
    }

    #[cfg(unix)]
    #[test]
    fn links_to_files_are_followed_and_loops_are_not() {
        use std::os::unix::fs::symlink;
        let dir = TestDir::new();
        dir.wavs(&["C4.wav"]);
        symlink("C4.wav", dir.path().join("C5.wav")).unwrap();
        symlink(".", dir.path().join("loop")).unwrap();
        symlink("self.wav", dir.path().join("self.wav")).unwrap();
        symlink("gone.wav", dir.path().join("C6.wav")).unwrap();
        let loaded = load(dir.path()).unwrap();
        assert_eq!(rows(&loaded), [(0..=65, 1..=127, 60.0, 1), (66..=127, 1..=127, 72.0, 1)]);
        assert!(Arc::ptr_eq(&loaded.regions[0].sample, &loaded.regions[1].sample));
        let shown = dir.path().display();
        assert_eq!(
            loaded.warnings,
            [
                format!(
                    "{shown}/self.wav: is left out; its name has no note such as C4, others in the folder do"
                ),
                format!("there is no file \"{shown}/C6.wav\""),
            ]
        );
    }
}
