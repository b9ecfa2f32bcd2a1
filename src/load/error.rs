//! What can go wrong between a path and its sound.
//!
//! Two levels: a [`Fault`] is found inside a file and does not know what the file is called; a [`LoadError`] is what
//! the caller gets, and its message holds the path as the caller gave it. Codes (`ERR_…`) are `control`'s.

use std::io;
use std::path::{Path, PathBuf};

use super::sniff;

/// Why nothing was loaded. The message of each names the path as it was given.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No such file or folder, or a folder with nothing in it.
    #[error("{message}")]
    NotFound {
        /// As given.
        path: PathBuf,
        /// The sentence.
        message: String,
    },
    /// Perhaps sound, but not in a format that this version decodes.
    #[error("{message}")]
    Unsupported {
        /// As given.
        path: PathBuf,
        /// The sentence.
        message: String,
    },
    /// A file that contradicts itself or ends too early; the message says at which byte.
    #[error("{message}")]
    Corrupt {
        /// As given.
        path: PathBuf,
        /// The sentence.
        message: String,
    },
    /// A stated limit was exceeded.
    #[error("{message}")]
    Limit {
        /// As given.
        path: PathBuf,
        /// The sentence.
        message: String,
    },
    /// The system refused: permission, a failing disk.
    #[error("cannot read \"{}\": {source}", path.display())]
    Io {
        /// As given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A wrong argument, such as a map entry that names no key.
    #[error("{message}")]
    Invalid {
        /// The file concerned, as given; empty when it is about none.
        path: PathBuf,
        /// The sentence.
        message: String,
    },
    /// The progress function said so.
    #[error("loading was aborted at \"{}\"", path.display())]
    Aborted {
        /// The file that was being read, as given.
        path: PathBuf,
    },
}

impl LoadError {
    /// The path as it was given; `None` when the error is about no file.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::NotFound { path, .. }
            | Self::Unsupported { path, .. }
            | Self::Corrupt { path, .. }
            | Self::Limit { path, .. }
            | Self::Io { path, .. }
            | Self::Invalid { path, .. }
            | Self::Aborted { path } => {
                Some(path).filter(|path| !path.as_os_str().is_empty()).map(PathBuf::as_path)
            }
        }
    }

    /// The same error with more to say: `; {note}` at the end of its message.
    pub(super) fn with_note(mut self, note: &str) -> Self {
        match &mut self {
            Self::NotFound { message, .. }
            | Self::Unsupported { message, .. }
            | Self::Corrupt { message, .. }
            | Self::Limit { message, .. }
            | Self::Invalid { message, .. } => {
                message.push_str("; ");
                message.push_str(note);
            }
            Self::Io { source, .. } => *source = io::Error::new(source.kind(), format!("{source}; {note}")),
            Self::Aborted { .. } => {}
        }
        self
    }

    /// What the system said about a path: `shown` is the path as given, `open` the one that was tried.
    pub(super) fn of_system(shown: &Path, open: &Path, source: io::Error) -> Self {
        let path = shown.to_path_buf();
        match source.kind() {
            _ if path.as_os_str().is_empty() => Self::Invalid {
                message: "the path \"\" is empty; give the path of a file or folder".into(),
                path,
            },
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                // A relative path fails because of where it was looked for more often than not: say where.
                let place = match (open.parent(), std::env::current_dir()) {
                    (Some(folder), Ok(here)) if open != shown || open.is_relative() => {
                        format!(
                            "; looked in \"{}\"",
                            here.join(folder).display().to_string().trim_end_matches('/')
                        )
                    }
                    _ => String::new(),
                };
                Self::NotFound { message: format!("there is no file \"{}\"{place}", shown.display()), path }
            }
            // A path with a NUL in it is no path on any system.
            io::ErrorKind::InvalidInput => {
                Self::Invalid { message: format!("\"{}\" is not a path: {source}", shown.display()), path }
            }
            _ => Self::Io { path, source },
        }
    }
}

/// What is wrong inside a file, before the file's name is known.
#[derive(Debug)]
pub(super) enum Fault {
    /// Reads on from `cannot read "kick.wav": `.
    Corrupt(String),
    /// Reads on from `"kick.flac" `.
    Unsupported(String),
    /// No signature that is known; reads on like `Unsupported`, if the extension does not tell more.
    Unknown(String),
    /// Reads on from `cannot read "kick.wav": `.
    Limit(String),
    Io(io::Error),
    Aborted,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Sizes were held against the file's length before: somebody is writing to it.
            io::ErrorKind::UnexpectedEof => Self::Corrupt("the file became shorter while it was read".into()),
            _ => Self::Io(error),
        }
    }
}

impl Fault {
    /// The error for the caller, with the path as it was given.
    pub(super) fn at(self, path: &Path) -> LoadError {
        let shown = path.display();
        let path = path.to_path_buf();
        match self {
            Self::Corrupt(what) => {
                LoadError::Corrupt { message: format!("cannot read \"{shown}\": {what}"), path }
            }
            Self::Unsupported(what) => {
                LoadError::Unsupported { message: format!("\"{shown}\" {what}"), path }
            }
            Self::Unknown(what) => match sniff::name_by_extension(&path) {
                Some(name) => Self::Unsupported(format!("is {name}; {}", sniff::READ_HERE)).at(&path),
                None => Self::Unsupported(what).at(&path),
            },
            Self::Limit(what) => {
                LoadError::Limit { message: format!("cannot read \"{shown}\": {what}"), path }
            }
            Self::Io(source) => LoadError::Io { path, source },
            Self::Aborted => LoadError::Aborted { path },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_relative_path_says_where_it_was_looked_for() {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            LoadError::of_system(Path::new("kick.wav"), Path::new("kick.wav"), missing()).to_string(),
            format!("there is no file \"kick.wav\"; looked in \"{}\"", here.display())
        );
        assert_eq!(
            LoadError::of_system(Path::new("a/kick.wav"), Path::new("/kit/a/kick.wav"), missing())
                .to_string(),
            "there is no file \"a/kick.wav\"; looked in \"/kit/a\""
        );
        assert_eq!(
            LoadError::of_system(Path::new("/kick.wav"), Path::new("/kick.wav"), missing()).to_string(),
            "there is no file \"/kick.wav\""
        );
    }

    #[test]
    fn every_kind_of_error_names_the_path_as_given() {
        let path = Path::new("x/kick.wav");
        for fault in [
            Fault::Corrupt("c".into()),
            Fault::Unsupported("u".into()),
            Fault::Unknown("n".into()),
            Fault::Limit("l".into()),
            Fault::Io(io::Error::from(io::ErrorKind::PermissionDenied)),
            Fault::Aborted,
        ] {
            let error = fault.at(path);
            assert!(error.to_string().contains("\"x/kick.wav\""), "{error}");
            assert_eq!(error.path(), Some(path));
            assert!(error.with_note("and more").to_string().contains("\"x/kick.wav\""));
        }
        let sfz = Fault::Unknown("is not a sound file".into()).at(Path::new("piano.sfz"));
        assert_eq!(sfz.to_string(), format!("\"piano.sfz\" is an SFZ instrument; {}", sniff::READ_HERE));
    }
}
