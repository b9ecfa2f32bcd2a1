//! An SFZ file → an instrument's regions, its samples decoded.
//!
//! First the text is read to its end, then each sample that a region names is decoded once, on the loader's threads;
//! then regions are made. A sample that is not there costs its regions and nothing else.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::assemble::{Assembled, Assembler};
use super::generate::Wave;
use super::op::Op;
use super::plan::Plan;
use super::reader::Reader;
use super::region::{Maker, Recording, Sound};
use super::source::{self, Folder};
use super::value::Value;
use super::warnings::{Place, Warnings};
use crate::load::Loaded;
use crate::load::error::LoadError;
use crate::load::pool::{Batch, Job, OnError, OnProgress, Progress, decode_all};

/// Statements between two looks whether to go on.
const LOOK_EVERY: usize = 4096;

/// Where a region's sound comes from.
#[derive(Clone, Copy, Debug)]
enum From {
    Job(usize),
    Wave(Wave),
    Nothing,
}

/// Loads an SFZ instrument. Samples are found from its own folder, whatever the system they were written on: see
/// `source`.
///
/// Thread: any but the audio thread; blocks. `progress` is heard on this thread.
/// Errors: `NotFound`, `Io` for the file itself; `Limit` for one that is too large in some way, `Corrupt` for one
/// without a region; the first sample's when there is none that can be read; `Aborted`.
pub fn load_sfz(path: &Path, progress: &mut OnProgress<'_>) -> Result<Loaded, LoadError> {
    let text = source::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => LoadError::Limit {
            path: path.to_path_buf(),
            message: format!("cannot read \"{}\": {error}", path.display()),
        },
        _ => LoadError::of_system(path, path, error),
    })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut folder = Folder::new(path.parent().unwrap_or(Path::new("")));
    let mut warnings = Warnings::default();
    let assembled = assemble(text, path, &mut folder, &mut warnings, progress)?;
    if assembled.regions.is_empty() {
        return Err(LoadError::Corrupt {
            path: path.to_path_buf(),
            message: format!(
                "cannot read \"{}\": it has no <region>; is it a part that other SFZ files include?",
                path.display()
            ),
        });
    }
    let (from, jobs, places) = sounds(&assembled, &mut folder, &mut warnings);
    let batch = decode_all(&jobs, OnError::GoOn, progress)?;
    let mut absent = tell_absent(&batch, &places, &mut warnings);
    let recordings: Vec<Option<Recording>> = (0..jobs.len()).map(|job| recording(&batch, job)).collect();
    let mut maker = Maker::new(&assembled);
    let mut regions = Vec::with_capacity(assembled.regions.len());
    for (number, (text, from)) in assembled.regions.iter().zip(&from).enumerate() {
        if number.is_multiple_of(LOOK_EVERY) {
            look(path, &name, 0, progress)?;
        }
        let sound = match from {
            From::Job(job) => match recordings.get(*job).and_then(Option::as_ref) {
                Some(recording) => Sound::Recording(recording),
                None => continue,
            },
            From::Wave(wave) => Sound::Wave(*wave),
            From::Nothing => continue,
        };
        regions.append(&mut maker.regions(&Plan::of(text), &sound, &mut warnings));
    }
    if regions.is_empty() {
        return Err(absent.take().unwrap_or_else(|| LoadError::Corrupt {
            path: path.to_path_buf(),
            message: format!("cannot read \"{}\": no <region> of it has a sample", path.display()),
        }));
    }
    let play = maker.play;
    Ok(Loaded { name, regions, warnings: warnings.into_sentences(), play })
}

fn look(path: &Path, name: &str, bytes: u64, progress: &mut OnProgress<'_>) -> Result<(), LoadError> {
    match progress(&Progress { loaded: 0, total: 0, bytes, current: name }).is_break() {
        true => Err(LoadError::Aborted { path: path.to_path_buf() }),
        false => Ok(()),
    }
}

fn assemble(
    text: String,
    path: &Path,
    folder: &mut Folder,
    warnings: &mut Warnings,
    progress: &mut OnProgress<'_>,
) -> Result<Assembled, LoadError> {
    let limit = |message: String| LoadError::Limit {
        path: path.to_path_buf(),
        message: format!("\"{}\" {message}", path.display()),
    };
    let name = path.display().to_string();
    let mut reader = Reader::new(text, path, folder, warnings);
    let mut assembler = Assembler::default();
    let mut statements = 0usize;
    while let Some((place, statement)) = reader.next(warnings).map_err(limit)? {
        statements += 1;
        if statements.is_multiple_of(LOOK_EVERY) {
            look(path, &name, 0, progress)?;
        }
        assembler.take(place, statement, warnings).map_err(limit)?;
    }
    assembler.finish().map_err(limit)
}

/// Where each region's sound comes from; the files to decode, and where each is named first.
fn sounds(
    assembled: &Assembled,
    folder: &mut Folder,
    warnings: &mut Warnings,
) -> (Vec<From>, Vec<Job>, Vec<(Place, usize)>) {
    let mut known: HashMap<&str, From> = HashMap::new();
    let (mut jobs, mut places): (Vec<Job>, Vec<(Place, usize)>) = (Vec::new(), Vec::new());
    let mut all = Vec::with_capacity(assembled.regions.len());
    for region in &assembled.regions {
        let sample = region.sets().filter(|set| set.op == Op::Sample).last();
        let Some((Value::Text(path), place)) = sample.map(|set| (&set.value, set.place)) else {
            warnings.tell(region.place, "a region without sample is left out");
            all.push(From::Nothing);
            continue;
        };
        let from = *known.entry(path).or_insert_with(|| {
            if path.starts_with('*') {
                return Wave::named(path).map_or_else(
                    || {
                        warnings.tell(
                            place,
                            &format!("there is no generated sample \"{path}\"; its regions are left out"),
                        );
                        From::Nothing
                    },
                    From::Wave,
                );
            }
            let shown = PathBuf::from(source::with_slashes(path));
            let open = match folder.find(path) {
                Some((found, other_case)) => {
                    if other_case {
                        warnings.other_case(place, path, &found);
                    }
                    found
                }
                // Reading it says why it cannot be.
                None => folder.at(path),
            };
            jobs.push(Job { open, shown });
            places.push((place, 0));
            From::Job(jobs.len() - 1)
        });
        if let From::Job(job) = from
            && let Some((_, regions)) = places.get_mut(job)
        {
            *regions += 1;
        }
        all.push(from);
    }
    (all, jobs, places)
}

/// Tells what could not be decoded, and what could, but not as it is; the first error.
fn tell_absent(batch: &Batch, places: &[(Place, usize)], warnings: &mut Warnings) -> Option<LoadError> {
    let mut first = None;
    for (job, (place, regions)) in places.iter().enumerate() {
        match batch.outcome(job) {
            Ok(told) => told.iter().for_each(|sentence| warnings.tell(*place, sentence)),
            Err(error) => {
                let regions = match regions {
                    1 => "its region is left out".to_string(),
                    count => format!("its {count} regions are left out"),
                };
                warnings.tell(*place, &format!("{error}; {regions}"));
                first.get_or_insert_with(|| LoadError::NotFound {
                    path: error.path().unwrap_or(Path::new("")).to_path_buf(),
                    message: format!("no sample can be read: {error}"),
                });
            }
        }
    }
    first
}

fn recording(batch: &Batch, job: usize) -> Option<Recording> {
    let hints = batch.hints(job)?;
    let file_loop = hints.loops.first().copied();
    Some(Recording { sample: batch.sample(job)?.clone(), root_key: hints.root_key, file_loop })
}
