//! Files → instruments: a sound file, an SFZ instrument, a map of notes to files, a folder of samples.
//!
//! What comes out is a list of [`Region`]s with their samples decoded, a name, and warnings: nothing is left out
//! silently. Every byte of a file is untrusted: it may be refused, never panicked on, never trusted for a size.
//! No engine, no ids, no defaults of the JavaScript face in here: `control` makes an instrument of the regions.
//!
//! Thread: any but the audio thread. Decoding runs on a few threads of its own (`pool`); the caller's thread
//! waits for them and hears the progress. Sound of every format comes in by `audio`.

mod aiff;
pub mod audio;
mod bank;
mod compressed;
mod encoding;
mod error;
mod file;
mod folder;
mod hints;
mod map;
mod names;
mod natural;
mod pool;
mod riff;
pub mod sf2;
mod sfz;
mod sniff;
mod spread;
#[cfg(test)]
mod testing;
mod wav;
mod wave_format;

pub use bank::{Bank, Files, Sound, is_bank, load_bank, load_sounds};
pub use error::LoadError;
pub use file::{load_bytes, load_file};
pub use folder::load_folder;
pub use hints::{FileLoop, Hints};
pub use map::load_map;
pub use pool::{OnProgress, Progress};
pub use sfz::load_sfz;

use crate::instrument::{Play, Region};

/// What a loader found: enough to make an instrument of.
#[derive(Debug)]
pub struct Loaded {
    /// The file's stem, the folder's name, or `map`.
    pub name: String,
    /// In ascending order of key, then velocity. Never empty.
    pub regions: Vec<Region>,
    /// What was left out, repaired or doubtful, one sentence each, naming the path as given.
    pub warnings: Vec<String>,
    /// Keyswitches and controllers, where the format has them.
    pub play: Play,
}
