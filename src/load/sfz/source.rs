//! Bytes and paths of SFZ files.
//!
//! Text is UTF-8, UTF-16 with a byte order mark, or else Latin-1, which no bytes can contradict. Paths were written on
//! other systems: `\` separates as `/` does, and where a name is not found as written, one that differs only in case is
//! taken. Paths may lead out of the instrument's folder (`../Samples/`), as those of published libraries do: an SFZ can
//! make a player read a file as a sound, but nothing of it is told to anybody. What is no regular file is never opened.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// Longest file of text, bytes: the largest published instruments have a few megabytes.
pub(super) const MAX_FILE_BYTES: u64 = 16 << 20;
/// Longest path, bytes.
const MAX_PATH_BYTES: usize = 4096;
/// Most folders whose names are kept in mind, and most names in one.
const MAX_FOLDERS: usize = 4096;
const MAX_NAMES: usize = 1 << 17;

/// Text of a file of unknown encoding, without a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> String {
    let utf16 = |bytes: &[u8], number: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| number([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => decode(rest),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        },
    }
}

/// A path as SFZ files write it, with `/` only.
pub(super) fn with_slashes(path: &str) -> String {
    path.replace('\\', "/")
}

/// The files around an instrument.
pub(super) struct Folder {
    /// Where the instrument itself lies.
    root: PathBuf,
    /// Names in folders that were searched, in lower case, with what they are really called.
    names: HashMap<PathBuf, HashMap<String, std::ffi::OsString>>,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), names: HashMap::new() }
    }

    /// Where a path of the instrument leads, as written or else in any case; whether the case was another.
    ///
    /// `None`: there is no such file.
    pub(super) fn find(&mut self, path: &str) -> Option<(PathBuf, bool)> {
        let written = with_slashes(path);
        if written.len() > MAX_PATH_BYTES || written.is_empty() {
            return None;
        }
        let direct = self.root.join(&written);
        if direct.exists() {
            return Some((direct, false));
        }
        let mut found = if Path::new(&written).is_absolute() { PathBuf::new() } else { self.root.clone() };
        for part in Path::new(&written).components() {
            match part {
                Component::Normal(name) => {
                    let next = found.join(name);
                    found = if next.exists() {
                        next
                    } else {
                        let lower = name.to_string_lossy().to_lowercase();
                        let real = self.names_in(&found)?.get(&lower)?.clone();
                        found.join(real)
                    };
                }
                other => found.push(other),
            }
        }
        Some((found, true))
    }

    /// Where a path would lead, whether or not there is anything.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.join(with_slashes(path))
    }

    fn names_in(&mut self, folder: &Path) -> Option<&HashMap<String, std::ffi::OsString>> {
        if !self.names.contains_key(folder) {
            if self.names.len() >= MAX_FOLDERS {
                self.names.clear();
            }
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_NAMES);
            let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
            // Two names that differ in case only: always the same one, whatever the order on the disk.
            names.sort_by(|a, b| b.cmp(a));
            let lower = names.into_iter().map(|name| (name.to_string_lossy().to_lowercase(), name)).collect();
            self.names.insert(folder.to_path_buf(), lower);
        }
        self.names.get(folder)
    }
}

/// Reads a whole file of text. Errors: those of the system; `InvalidData` for what is no regular file or too long.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let refuse = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    let about = std::fs::metadata(path)?;
    if !about.is_file() {
        return Err(refuse("it is not a regular file".into()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(refuse(format!(
            "it is longer than the {MAX_FILE_BYTES} bytes that an SFZ file may have; is it a sample?"
        )));
    }
    Ok(decode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::TestDir;
    use super::*;

    #[test]
    fn every_encoding_gives_the_same_text() {
        let text = "sample=Flügel é.wav";
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let le: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let be: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let latin1: Vec<u8> = text.chars().map(|c| c as u32 as u8).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [&[0xEF, 0xBB, 0xBF], text.as_bytes()].concat(),
            [&[0xFF, 0xFE], le.as_slice()].concat(),
            [&[0xFE, 0xFF], be.as_slice()].concat(),
            latin1,
        ] {
            assert_eq!(decode(&bytes), text);
        }
        assert_eq!(decode(&[0xFF, 0xFE, b'a']), "");
        assert_eq!(decode(&[]), "");
    }

    #[test]
    fn backslashes_and_wrong_case_find_the_file() {
        let dir = TestDir::new();
        dir.file("Samples/Piano/C4.wav", b"");
        let mut folder = Folder::new(dir.path());
        let target = dir.path().join("Samples/Piano/C4.wav");
        assert_eq!(folder.find("Samples/Piano/C4.wav"), Some((target.clone(), false)));
        assert_eq!(folder.find("Samples\\Piano\\C4.wav"), Some((target.clone(), false)));
        let (found, other_case) = folder.find("samples\\PIANO/c4.WAV").unwrap();
        assert_eq!(found.canonicalize().unwrap(), target.canonicalize().unwrap());
        // A file system that ignores case finds it at once.
        assert!(other_case || dir.path().join("samples").exists());
        assert!(folder.find("../nowhere/C4.wav").is_none());
        assert!(folder.find("").is_none());
        assert!(folder.find(&"x/".repeat(4000)).is_none());
        assert!(folder.find("a\0b").is_none());
        let up = format!("../{}/samples/piano/c4.wav", dir.path().file_name().unwrap().display());
        assert!(folder.find(&up).is_some());
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_folders_are_not_read() {
        for path in ["/dev/zero", "/"] {
            let error = read(Path::new(path)).unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file");
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_refused() {
        let dir = TestDir::new();
        let path = dir.file("big.sfz", &vec![b' '; MAX_FILE_BYTES as usize + 1]);
        assert!(read(&path).unwrap_err().to_string().contains("16777216 bytes"));
    }
}
