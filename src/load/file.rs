//! One path → an instrument: a sound file over the whole keyboard, or whatever else the path turns out to be.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::Loaded;
use super::audio;
use super::error::LoadError;
use super::folder::load_folder;
use super::hints::Hints;
use super::names::read_stem;
use super::pool::{Job, OnError, OnProgress, Progress, decode_all};
use super::sfz::load_sfz;
use crate::instrument::{LoopMode, LoopSettings, Play, Playback, Region, Sample, SampleLoop};

/// Root key of a sample whose name does not tell: C4.
const DEFAULT_ROOT_KEY: f64 = 60.0;

/// Loads a sound file, an SFZ instrument (see [`load_sfz`]), or a folder of sound files (see [`load_folder`]).
///
/// A file sounds on the whole keyboard, all velocities. Its root key is the note its name ends in (`flute-A4.wav`,
/// `A0v12.wav`), else the one that the file itself gives (a `smpl`, `inst` or `INST` chunk), else key 60. The first loop
/// that the file gives is played.
///
/// Thread: any but the audio thread; blocks. `progress` is heard on this thread.
/// Errors: any [`LoadError`]; the path in it is the one given.
pub fn load_file(path: &Path, progress: &mut OnProgress<'_>) -> Result<Loaded, LoadError> {
    if path.is_dir() {
        return load_folder(path, progress);
    }
    if is_sfz(path) {
        return load_sfz(path, progress);
    }
    let jobs = [Job { open: path.to_path_buf(), shown: path.to_path_buf() }];
    let batch = decode_all(&jobs, OnError::Stop, progress)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let regions = batch.sample(0).zip(batch.hints(0)).map(|(sample, hints)| whole(&name, sample, hints));
    Ok(Loaded {
        name,
        regions: regions.into_iter().collect(),
        warnings: batch.warnings(),
        play: Play::default(),
    })
}

/// Loads the bytes of a sound file, as [`load_file`] loads the file. `name`: its name, for messages and for the note
/// that it may end in.
///
/// Thread: any but the audio thread. `progress` is heard on this thread.
/// Errors: `Unsupported`, `Corrupt`, `Limit`, `Aborted`.
pub fn load_bytes(bytes: &[u8], name: &str, progress: &mut OnProgress<'_>) -> Result<Loaded, LoadError> {
    let shown = Path::new(name);
    let mut tell = |loaded, bytes| match progress(&Progress { loaded, total: 1, bytes, current: name }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(LoadError::Aborted { path: shown.to_path_buf() }),
    };
    tell(0, 0)?;
    let audio = audio::read_bytes(bytes, shown)?.into_audio(shown)?;
    tell(1, bytes.len() as u64)?;
    let region = whole(name, &audio.sample, &audio.hints);
    Ok(Loaded { name: name.into(), regions: vec![region], warnings: audio.warnings, play: Play::default() })
}

/// One sample over the whole keyboard, with the root that its name or else its file gives, and its first loop.
fn whole(stem: &str, sample: &Arc<Sample>, hints: &Hints) -> Region {
    let read = read_stem(stem);
    let named = read.key.filter(|_| read.key_at_end).map(f64::from);
    let root_key = named.or(hints.root_key).unwrap_or(DEFAULT_ROOT_KEY);
    let playback = hints.loops.first().and_then(|round| {
        let settings = LoopSettings {
            alternate: round.alternate,
            ..LoopSettings::forward(round.start, round.end, LoopMode::Continuous)
        };
        Some(Playback::Loop(Arc::new(SampleLoop::new(sample, &settings)?)))
    });
    Region { root_key, playback: playback.unwrap_or(Playback::Once), ..Region::of(Arc::clone(sample)) }
}

/// An SFZ file has no signature: it is known by its name.
fn is_sfz(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sfz"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::TestDir;
    use super::*;

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
        dir.wavs(&["a.wav"]);
        let path = dir.file("piano.SFZ", b"<region> sample=a.wav key=50");
        let loaded = load(&path).unwrap();
        assert_eq!((loaded.name.as_str(), loaded.regions[0].keys.clone()), ("piano", 50..=50));
        let path = dir.file("piano.dspreset", b"<DecentSampler>");
        let error = load(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("\"{}\" is a Decent Sampler preset; {}", path.display(), super::super::sniff::READ_HERE)
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

    #[test]
    fn a_file_gives_its_loop_and_unless_its_name_does_its_root() {
        let flac = include_bytes!("../../tests/audio/ramp24.flac");
        let dir = TestDir::new();
        for (file, root) in [("ramp.flac", 57.0), ("ramp-C5.flac", 72.0)] {
            let loaded = load(&dir.file(file, flac)).unwrap();
            let [region] = loaded.regions.as_slice() else { panic!("{file}") };
            assert_eq!(region.root_key, root);
            let round = region.sample_loop().unwrap();
            assert_eq!((round.start(), round.end(), round.mode()), (100, 900, LoopMode::Continuous));
        }
        let loaded = load_bytes(flac, "bytes", &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((loaded.name.as_str(), loaded.regions[0].root_key), ("bytes", 57.0));
        assert_eq!(
            load_bytes(b"RIFF", "bytes", &mut |_| ControlFlow::Continue(())).unwrap_err().to_string(),
            "cannot read \"bytes\": the file ends after 4 bytes, within its 12-byte RIFF header"
        );
    }
}
