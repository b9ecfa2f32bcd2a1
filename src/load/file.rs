//! One path → an instrument: a WAV file over the whole keyboard, or whatever else the path turns out to be.

use std::path::Path;
use std::sync::Arc;

use super::Loaded;
use super::error::LoadError;
use super::folder::load_folder;
use super::names::read_stem;
use super::pool::{Job, OnError, OnProgress, decode_all};
use crate::instrument::Region;

/// Root key of a sample whose name does not tell: C4.
const DEFAULT_ROOT_KEY: u8 = 60;

/// Loads a WAV file, or a folder of them (see [`load_folder`]).
///
/// A file sounds on the whole keyboard, all velocities. Its root key is the note its name ends in (`flute-A4.wav`,
/// `A0v12.wav`), else key 60.
///
/// Thread: any but the audio thread; blocks. `progress` is heard on this thread.
/// Errors: any [`LoadError`]; the path in it is the one given.
pub fn load_file(path: &Path, progress: &mut OnProgress<'_>) -> Result<Loaded, LoadError> {
    if path.is_dir() {
        return load_folder(path, progress);
    }
    let jobs = [Job { open: path.to_path_buf(), shown: path.to_path_buf() }];
    let batch = decode_all(&jobs, OnError::Stop, progress)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let read = read_stem(&name);
    let root = read.key.filter(|_| read.key_at_end).unwrap_or(DEFAULT_ROOT_KEY);
    let region = |sample| Region { root_key: f64::from(root), ..Region::of(sample) };
    let regions = batch.sample(0).map(Arc::clone).map(region).into_iter().collect();
    Ok(Loaded { name, regions, warnings: batch.warnings() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::TestDir;
    use super::*;
    use crate::instrument::Playback;
    use std::ops::ControlFlow;

    fn load(path: &Path) -> Result<Loaded, LoadError> {
        load_file(path, &mut |_| ControlFlow::Continue(()))
    }

    #[test]
    fn a_file_sounds_everywhere_and_its_name_gives_the_root() {
        let dir = TestDir::new();
        for (file, root) in [
            ("flute-A4.wav", 69.0),
            ("A0v12.wav", 21.0),
            ("kick.wav", 60.0),
            ("A1 kick.wav", 60.0),
            ("C2.WAV", 36.0),
            ("x", 60.0),
        ] {
            dir.wavs(&[file]);
            let loaded = load(&dir.path().join(file)).unwrap();
            let [region] = loaded.regions.as_slice() else { panic!("{file}") };
            assert_eq!(region.root_key, root, "{file}");
            assert_eq!((region.keys.clone(), region.velocities.clone()), (0..=127, 1..=127));
            assert_eq!(region.sample.interleaved(), [1.0 / 32_768.0]);
            assert!(matches!(region.playback, Playback::Once));
            assert_eq!(loaded.warnings, Vec::<String>::new());
        }
        assert_eq!(load(&dir.path().join("flute-A4.wav")).unwrap().name, "flute-A4");
    }

    #[test]
    fn a_folder_goes_to_the_folder_loader() {
        let dir = TestDir::new();
        dir.wavs(&["C4.wav", "C5.wav"]);
        assert_eq!(load(dir.path()).unwrap().regions.len(), 2);
    }

    #[test]
    fn a_format_of_text_is_known_by_its_extension() {
        let dir = TestDir::new();
        let path = dir.file("piano.sfz", b"<region> sample=a.wav");
        let error = load(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("\"{}\" is an SFZ instrument; this version reads WAV", path.display())
        );
    }

    #[test]
    fn an_absent_file_is_not_found() {
        let error = load(Path::new("absent/kick.wav")).unwrap_err();
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            error.to_string(),
            format!("there is no file \"absent/kick.wav\"; looked in \"{}\"", here.join("absent").display())
        );
        assert!(matches!(error, LoadError::NotFound { .. }));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_permission_is_an_error_of_the_system() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TestDir::new();
        dir.wavs(&["a.wav"]);
        let path = dir.path().join("a.wav");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        // Root may read everything: then there is nothing to test.
        if std::fs::File::open(&path).is_err() {
            let error = load(&path).unwrap_err();
            assert!(matches!(error, LoadError::Io { .. }));
            assert!(error.to_string().starts_with(&format!("cannot read \"{}\": ", path.display())));
        }
    }
}
