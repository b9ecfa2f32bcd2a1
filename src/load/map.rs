//! A map of notes to files → an instrument: `{ C4: 'c4.wav', 'F#4': 'fs4.wav' }`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Loaded;
use super::error::LoadError;
use super::names::key_of_entry;
use super::pool::{Job, OnError, OnProgress, decode_all};
use super::spread::key_ranges;
use crate::instrument::{Play, Region};

/// Loads one sound file per named key; each sounds on the keys that are nearest to its own.
///
/// - `entries`: a note name (`C4`, `F#4`, `Bb3`) or key number (`60`), and a path.   - `base`: where relative paths
///   begin; `None` is the working directory.
///
/// The lowest sample reaches down to key 0, the highest up to 127; a key exactly between two belongs to the upper
/// one, as in Tone.js. One file under several keys is decoded once. Every file has to be readable.
///
/// Thread: any but the audio thread; blocks. `progress` is heard on this thread.
/// Errors: `Invalid` for an empty map, a name that is no key, two names of one key; else those of the first file, in
/// the order of the entries, that fails, missing files first.
pub fn load_map(
    entries: &[(String, PathBuf)],
    base: Option<&Path>,
    progress: &mut OnProgress<'_>,
) -> Result<Loaded, LoadError> {
    let invalid =
        |path: &Path, message: String| Err(LoadError::Invalid { path: path.to_path_buf(), message });
    if entries.is_empty() {
        return invalid(
            Path::new(""),
            "the map is empty; give it a file for each note, such as { C4: \"c4.wav\" }".into(),
        );
    }
    let mut jobs = Vec::with_capacity(entries.len());
    let mut job_of_key: BTreeMap<u8, usize> = BTreeMap::new();
    for (number, (name, path)) in entries.iter().enumerate() {
        let key = match key_of_entry(name) {
            Ok(key) => key,
            Err(rest) => return invalid(path, format!("\"{name}\" (for \"{}\") {rest}", path.display())),
        };
        if path.as_os_str().is_empty() {
            return invalid(path, format!("the path of \"{name}\" is empty; give the path of a sound file"));
        }
        if let Some((other, first)) = job_of_key.insert(key, number).and_then(|earlier| entries.get(earlier))
        {
            return invalid(
                path,
                format!(
                    "\"{other}\" (for \"{}\") and \"{name}\" (for \"{}\") are both key {key}; give each key one file",
                    first.display(),
                    path.display()
                ),
            );
        }
        let open = base.map_or_else(|| path.clone(), |base| base.join(path));
        jobs.push(Job { open, shown: path.clone() });
    }
    let batch = decode_all(&jobs, OnError::Stop, progress)?;
    let roots: Vec<u8> = job_of_key.keys().copied().collect();
    let spread = job_of_key.iter().zip(key_ranges(&roots));
    let regions = spread.filter_map(|((root, job), keys)| {
        let sample = Arc::clone(batch.sample(*job)?);
        Some(Region { keys, root_key: f64::from(*root), ..Region::of(sample) })
    });
    Ok(Loaded {
        name: "map".into(),
        regions: regions.collect(),
        warnings: batch.warnings(),
        play: Play::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::TestDir;
    use super::*;
    use std::ops::ControlFlow;

    fn load(entries: &[(&str, &str)], base: Option<&Path>) -> Result<Loaded, LoadError> {
        let entries: Vec<_> =
            entries.iter().map(|(name, path)| (name.to_string(), PathBuf::from(path))).collect();
        load_map(&entries, base, &mut |_| ControlFlow::Continue(()))
    }

    #[test]
    fn each_sample_reaches_halfway_to_its_neighbours() {
        let dir = TestDir::new();
        dir.wavs(&["c4.wav", "fs4.wav", "c5.wav"]);
        let loaded =
            load(&[("72", "c5.wav"), ("C4", "c4.wav"), ("F#4", "fs4.wav")], Some(dir.path())).unwrap();
        let found: Vec<_> = loaded
            .regions
            .iter()
            .map(|r| (r.keys.clone(), r.root_key, r.sample.value(0, 0) * 32_768.0))
            .collect();
        // 63 lies between 60 and 66 and goes up, 69 between 66 and 72 as well.
        assert_eq!(found, [(0..=62, 60.0, 1.0), (63..=68, 66.0, 2.0), (69..=127, 72.0, 3.0)]);
        assert_eq!((loaded.name.as_str(), loaded.warnings.len()), ("map", 0));
    }

    #[test]
    fn one_file_under_two_keys_is_one_sample() {
        let dir = TestDir::new();
        dir.wavs(&["a.wav"]);
        let loaded = load(&[("C4", "a.wav"), ("C5", "./a.wav")], Some(dir.path())).unwrap();
        assert!(Arc::ptr_eq(&loaded.regions[0].sample, &loaded.regions[1].sample));
    }

    #[test]
    fn absolute_paths_do_not_need_the_base() {
        let dir = TestDir::new();
        dir.wavs(&["a.wav"]);
        let path = dir.path().join("a.wav");
        assert!(load(&[("C4", path.to_str().unwrap())], Some(Path::new("/nowhere"))).is_ok());
        assert!(load(&[("C4", path.to_str().unwrap())], None).is_ok());
    }

    #[test]
    fn wrong_maps_are_met_with_exact_messages() {
        for (entries, message) in [
            (&[][..], "the map is empty; give it a file for each note, such as { C4: \"c4.wav\" }"),
            (
                &[("H4", "h.wav")],
                "\"H4\" (for \"h.wav\") is no key: write a note from \"C-1\" to \"G9\", such as \"C4\", \"F#4\" or \"Bb3\", or a \
                 number from 0 to 127; did you mean \"B4\"?",
            ),
            (
                &[("C4", "a.wav"), ("60", "b.wav")],
                "\"C4\" (for \"a.wav\") and \"60\" (for \"b.wav\") are both key 60; give each key one file",
            ),
            (&[("C4", "")], "the path of \"C4\" is empty; give the path of a sound file"),
        ] {
            let error = load(entries, None).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(matches!(error, LoadError::Invalid { .. }));
        }
    }

    #[test]
    fn a_file_that_is_missing_or_no_wav_ends_loading() {
        let dir = TestDir::new();
        dir.wavs(&["a.wav"]);
        dir.file("b.wav", b"OggS");
        let base = dir.path();
        let missing = load(&[("C4", "a.wav"), ("D4", "none.wav")], Some(base)).unwrap_err();
        assert_eq!(
            missing.to_string(),
            format!("there is no file \"none.wav\"; looked in \"{}\"", base.display())
        );
        let ogg = load(&[("C4", "a.wav"), ("D4", "b.wav")], Some(base)).unwrap_err();
        assert_eq!(ogg.to_string(), "cannot read \"b.wav\": its Ogg stream ends too early");
        let folder = load(&[("C4", ".")], Some(base)).unwrap_err();
        assert_eq!(folder.to_string(), "\".\" is a folder, not a sound file");
    }
}
