//! SoundFont 2 and 3: a bank of presets, each of which becomes an instrument when it is wanted.
//!
//! Opening reads the tables, which are small; a preset's samples are decoded when it is loaded, once for all presets that
//! share them, and the rest of the file is never read. Real banks break the rules: they load, and what was wrong is a
//! warning. A bank that is open is shared by all who load from the same file.
//!
//! Source: SoundFont Technical Specification 2.04 (E-mu, 2006); SF3 as MuseScore and Polyphone write it.

mod chunks;
mod generators;
mod modulators;
mod region;
mod samples;
mod zones;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) mod writer;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread;
use std::time::SystemTime;

use super::audio::open_file;
use super::error::{Fault, LoadError};
use super::pool::{OnProgress, Progress};
use super::{Loaded, sniff};
use crate::instrument::Play;
use chunks::Tables;
use samples::{Bytes, Decoded, Samples};

/// The bank of percussion in SoundFonts. Source: section 7.2, and General MIDI's channel 10.
pub const DRUM_BANK: u16 = 128;

/// Threads that decode: beyond four it is the disk that is waited for.
const MAX_THREADS: usize = 4;

/// A preset's place and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// 0..=128; 128 is percussion.
    pub bank: u16,
    /// 0..=127.
    pub program: u16,
    /// As the bank names it.
    pub name: String,
}

/// Which preset of a bank is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresetWish {
    /// Of this bank; without one, the first bank that has it, percussion last.
    pub bank: Option<u16>,
    /// This program.
    pub program: Option<u16>,
    /// Of this name, in any case of letters.
    pub name: Option<String>,
}

/// An open bank.
#[derive(Debug)]
pub struct SoundFont {
    path: PathBuf,
    tables: Tables,
    samples: Samples,
    presets: Vec<Preset>,
    /// For each preset, its number in the tables.
    numbers: Vec<usize>,
}

/// Banks that are open by file, its size and its time: all who load from it have the same, and the same samples.
type Open = (PathBuf, u64, Option<SystemTime>, Weak<SoundFont>);
static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());

/// Whether a file is a SoundFont, by its first bytes; `false` for what cannot be read.
pub fn is_soundfont(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = |head: &mut Vec<u8>| {
        // A pipe would be waited for.
        let plain = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        plain && File::open(path).is_ok_and(|file| file.take(12).read_to_end(head).is_ok())
    };
    read(&mut head) && is_soundfont_bytes(&head)
}

/// Whether these are the bytes of a SoundFont.
pub fn is_soundfont_bytes(bytes: &[u8]) -> bool {
    sniff::name_of(bytes.get(..12).unwrap_or(bytes)) == Some("a SoundFont")
}

impl SoundFont {
    /// Opens a file, or finds it open. Thread: any but the audio thread; blocks on the disk.
    ///
    /// Errors: those of files; `Corrupt` and `Limit` when its tables cannot be read.
    pub fn open(path: &Path) -> Result<Arc<Self>, LoadError> {
        let (mut file, len) = open_file(path, path, "a SoundFont")?;
        let time = file.metadata().and_then(|metadata| metadata.modified()).ok();
        let canonical = path.canonicalize().map_err(|error| LoadError::of_system(path, path, error))?;
        {
            let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|(.., bank)| bank.strong_count() > 0);
            let same = |(known, size, when, _): &&Open| *known == canonical && (*size, *when) == (len, time);
            if let Some(bank) = open.iter().find(same).and_then(|(.., bank)| bank.upgrade()) {
                return Ok(bank);
            }
        }
        let tables = chunks::read(&mut BufReader::new(&mut file), len).map_err(|fault| fault.at(path))?;
        let bank = Arc::new(Self::new(path, tables, Bytes::File(Mutex::new(file)))?);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.push((canonical, len, time, Arc::downgrade(&bank)));
        Ok(bank)
    }

    /// A bank from memory; `shown` is what to call it. Errors: `Corrupt` and `Limit`.
    pub fn from_bytes(bytes: Arc<[u8]>, shown: &Path) -> Result<Arc<Self>, LoadError> {
        let len = bytes.len() as u64;
        let tables = chunks::read(&mut Cursor::new(&*bytes), len).map_err(|fault| fault.at(shown))?;
        Ok(Arc::new(Self::new(shown, tables, Bytes::Memory(bytes))?))
    }

    fn new(path: &Path, mut tables: Tables, bytes: Bytes) -> Result<Self, LoadError> {
        let samples = Samples::new(bytes, &mut tables);
        // The last header only says where the one before it ends.
        let headers = tables.presets.iter().take(tables.presets.len().saturating_sub(1)).enumerate();
        let mut presets: Vec<(usize, Preset)> = headers
            .map(|(number, header)| {
                (number, Preset { bank: header.bank, program: header.program, name: header.name.clone() })
            })
            .collect();
        presets.sort_by_key(|(_, preset)| (preset.bank, preset.program));
        if presets.is_empty() {
            return Err(Fault::Corrupt("it has no presets".into()).at(path));
        }
        let (numbers, presets) = presets.into_iter().unzip();
        Ok(Self { path: path.to_path_buf(), tables, samples, presets, numbers })
    }

    /// Its presets, in order of bank and program.
    pub fn presets(&self) -> &[Preset] {
        &self.presets
    }

    /// Its name: the file's stem.
    pub fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The first preset of a bank and program.
    pub fn find(&self, bank: u16, program: u16) -> Option<usize> {
        self.presets.iter().position(|preset| (preset.bank, preset.program) == (bank, program))
    }

    /// The preset that is wished for.
    ///
    /// Errors: `Invalid`, with what there is.
    pub fn choose(&self, wish: &PresetWish) -> Result<usize, LoadError> {
        let fits = |preset: &Preset| {
            wish.bank.is_none_or(|bank| preset.bank == bank)
                && wish.program.is_none_or(|program| preset.program == program)
                && wish.name.as_ref().is_none_or(|name| preset.name.to_lowercase() == name.to_lowercase())
        };
        self.presets.iter().position(fits).ok_or_else(|| {
            let bank = wish.bank.map(|bank| format!(" in bank {bank}")).unwrap_or_default();
            let what = match (&wish.name, wish.program) {
                (Some(name), _) => format!("preset \"{name}\""),
                (None, Some(program)) => format!("preset {program}"),
                (None, None) => "preset".into(),
            };
            let known: Vec<String> = self
                .presets
                .iter()
                .take(5)
                .map(|p| format!("{}:{} \"{}\"", p.bank, p.program, p.name))
                .collect();
            let more = if self.presets.len() > 5 {
                format!(" … ({} in all)", self.presets.len())
            } else {
                String::new()
            };
            let message =
                format!("\"{}\" has no {what}{bank}; it has {}{more}", self.path.display(), known.join(", "));
            LoadError::Invalid { path: self.path.clone(), message }
        })
    }

    /// Loads one preset, by its place in [`Self::presets`]. The name of what comes out is the preset's.
    ///
    /// Thread: any but the audio thread; blocks on the disk. `progress` is heard on this thread, a step for each sample.
    /// Errors: `Limit`, `Aborted`; `Corrupt` when none of its samples can sound.
    pub fn load(&self, preset: usize, progress: &mut OnProgress<'_>) -> Result<Loaded, LoadError> {
        let shown = self.path.display().to_string();
        let mut warnings = self.tables.warnings.clone();
        let number = self.numbers.get(preset).copied().unwrap_or(usize::MAX);
        let zones =
            zones::of_preset(&self.tables, number, &mut warnings).map_err(|fault| fault.at(&self.path))?;
        let mut wanted: Vec<u16> = zones.iter().map(|zone| zone.sample).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let decoded = self.decode(&wanted, progress)?;
        let (bank, program) = self.presets.get(preset).map_or((0, 0), |preset| (preset.bank, preset.program));
        // Exclusive classes are a preset's own: seven bits of class, and whose they are.
        let group = 1 << 31 | u32::from(bank & 0xFF) << 16 | u32::from(program & 0xFF) << 8;
        let mut regions = Vec::new();
        for zone in &zones {
            let header = self.tables.samples.get(usize::from(zone.sample));
            if let Some((header, Ok(decoded))) = header.zip(decoded.get(&zone.sample)) {
                regions.extend(region::of_zone(zone, header, decoded, group, &mut warnings));
            }
        }
        for (number, outcome) in &decoded {
            let name = self.tables.samples.get(usize::from(*number)).map_or("", |header| &header.name);
            match outcome {
                Ok(decoded) => {
                    warnings.extend(
                        decoded
                            .warnings
                            .iter()
                            .map(|warning| format!("sample {number} (\"{name}\") {warning}")),
                    );
                }
                Err(why) => warnings.push(format!("sample {number} (\"{name}\") is left out: it {why}")),
            }
        }
        let mut told = std::collections::BTreeSet::new();
        warnings.retain(|warning| told.insert(warning.clone()));
        let name = self.presets.get(preset).map(|preset| preset.name.clone()).unwrap_or_default();
        if regions.is_empty() && !wanted.is_empty() {
            let why = warnings.last().cloned().unwrap_or_default();
            return Err(
                Fault::Corrupt(format!("nothing of preset \"{name}\" can sound; {why}")).at(&self.path)
            );
        }
        let warnings = warnings.into_iter().map(|warning| format!("{shown}: {warning}")).collect();
        Ok(Loaded { name, regions, warnings, play: Play::default() })
    }

    fn decode(
        &self,
        wanted: &[u16],
        progress: &mut OnProgress<'_>,
    ) -> Result<BTreeMap<u16, Result<Decoded, String>>, LoadError> {
        let shown = self.path.display().to_string();
        let total = wanted.len();
        let mut found = BTreeMap::new();
        let mut bytes = 0;
        let mut tell =
            |loaded: usize, bytes: u64| match progress(&Progress { loaded, total, bytes, current: &shown }) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(LoadError::Aborted { path: self.path.clone() }),
            };
        tell(0, 0)?;
        let one = |number: u16| match self.tables.samples.get(usize::from(number)) {
            Some(header) => self.samples.decode(number, header),
            None => Err(format!("does not exist: there are {}", self.tables.samples.len())),
        };
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let threads =
            thread::available_parallelism().map_or(1, |n| n.get()).min(MAX_THREADS).min(total.max(1));
        let work = |done: mpsc::Sender<(u16, Result<Decoded, String>)>| {
            while !stop.load(Ordering::Relaxed)
                && let Some(number) = wanted.get(next.fetch_add(1, Ordering::Relaxed))
                && done.send((*number, one(*number))).is_ok()
            {}
        };
        thread::scope(|scope| {
            let (done, finished) = mpsc::channel();
            let mut started = 0;
            for _ in 0..threads {
                let (work, done) = (&work, done.clone());
                let builder = thread::Builder::new().name("ictus-load".into());
                started += usize::from(builder.spawn_scoped(scope, move || work(done)).is_ok());
            }
            if started == 0 {
                work(done.clone()); // the system gives no threads
            }
            drop(done);
            for (number, outcome) in finished {
                if let Ok(decoded) = &outcome {
                    bytes += 2 * u64::from(decoded.sample.frames());
                }
                found.insert(number, outcome);
                tell(found.len(), bytes).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            }
            Ok(())
        })?;
        Ok(found)
    }
}
