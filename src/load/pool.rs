//! Decoding many files: a few threads, each file once, in the order asked for.
//!
//! The caller's thread does not decode: it waits, reports, and looks every [`TICK`] whether it is to go on, so that
//! an abort does not wait for a long file. Deliberately no thread of its own between calls.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::audio::{self, Audio, Meter};
use super::error::LoadError;
use super::hints::Hints;
use crate::instrument::Sample;

/// Most threads: beyond four it is the disk or the memory that is waited for.
const MAX_THREADS: usize = 4;

/// Longest time between two looks at the progress function's answer.
const TICK: Duration = Duration::from_millis(50);

/// How far loading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Files done, those that could not be read included.
    pub loaded: usize,
    /// Files to do; the same file named twice counts once.
    pub total: usize,
    /// Bytes read from them so far.
    pub bytes: u64,
    /// The file just done, as given; before the first is done and while long ones are read, the one waited for.
    pub current: &'a str,
}

/// Hears the progress and says whether to go on; `Break` ends loading with [`LoadError::Aborted`].
///
/// Called on the thread that loads: once before the first file, once after each, and in between every 50 ms.
pub type OnProgress<'a> = dyn FnMut(&Progress<'_>) -> ControlFlow<()> + 'a;

/// A file to decode.
pub(super) struct Job {
    /// Where it is.
    pub(super) open: PathBuf,
    /// The path as given.
    pub(super) shown: PathBuf,
}

/// A file's sound.
type Outcome = Result<Audio, LoadError>;

/// Samples decoded, one per distinct file, in the order in which the jobs first name them.
pub(super) struct Batch {
    file_of_job: Vec<usize>,
    files: Vec<Outcome>,
}

impl Batch {
    /// A job's sample, unless it could not be read.
    pub(super) fn sample(&self, job: usize) -> Option<&Arc<Sample>> {
        self.audio(job).map(|audio| &audio.sample)
    }

    /// What a job's file says of root and loops, unless it could not be read.
    pub(super) fn hints(&self, job: usize) -> Option<&Hints> {
        self.audio(job).map(|audio| &audio.hints)
    }

    fn audio(&self, job: usize) -> Option<&Audio> {
        self.files.get(*self.file_of_job.get(job)?)?.as_ref().ok()
    }

    /// What a job's file said of itself, or why there is none.
    pub(super) fn outcome(&self, job: usize) -> Result<&[String], &LoadError> {
        match self.file_of_job.get(job).and_then(|file| self.files.get(*file)) {
            Some(Ok(audio)) => Ok(&audio.warnings),
            Some(Err(error)) => Err(error),
            None => Ok(&[]),
        }
    }

    /// What the files said: their warnings, and the errors of those that could not be read.
    pub(super) fn warnings(&self) -> Vec<String> {
        let of_file = |file: &Outcome| match file {
            Ok(audio) => audio.warnings.clone(),
            Err(error) => vec![error.to_string()],
        };
        self.files.iter().flat_map(of_file).collect()
    }

    /// The first error, if no file could be read.
    pub(super) fn into_error_if_empty(self) -> Option<LoadError> {
        if self.files.iter().any(|file| file.is_ok()) {
            None
        } else {
            self.files.into_iter().find_map(Result::err)
        }
    }
}

/// Whether one unreadable file ends it all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnError {
    /// The first error in the order of the jobs is returned.
    Stop,
    /// Errors stay in the batch.
    GoOn,
}

/// Decodes all jobs.
///
/// Errors: `Aborted`; with [`OnError::Stop`], the error of the first job that failed.
pub(super) fn decode_all(
    jobs: &[Job],
    on_error: OnError,
    report: &mut OnProgress<'_>,
) -> Result<Batch, LoadError> {
    let mut file_of_job = Vec::with_capacity(jobs.len());
    let mut known = BTreeMap::new();
    let mut distinct: Vec<&Job> = Vec::new();
    for job in jobs {
        let canonical = match job.open.canonicalize() {
            Ok(path) => path,
            Err(error) if on_error == OnError::Stop => {
                return Err(LoadError::of_system(&job.shown, &job.open, error));
            }
            Err(_) => job.open.clone(), // reading it will fail the same way, in its turn
        };
        file_of_job.push(*known.entry(canonical).or_insert_with(|| {
            distinct.push(job);
            distinct.len() - 1
        }));
    }
    let files = decode_distinct(&distinct, on_error, &Meter::default(), report)?;
    Ok(Batch { file_of_job, files })
}

fn decode_distinct(
    jobs: &[&Job],
    on_error: OnError,
    meter: &Meter,
    report: &mut OnProgress<'_>,
) -> Result<Vec<Outcome>, LoadError> {
    let names: Vec<String> = jobs.iter().map(|job| job.shown.display().to_string()).collect();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = |done: mpsc::Sender<(usize, Outcome)>| {
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { break };
            let outcome = decode_one(job, meter);
            // Jobs are taken in order and those already taken are finished: whatever the threads do, the first
            // error in the order of the jobs is among the outcomes.
            if outcome.is_err() && on_error == OnError::Stop {
                stop.store(true, Ordering::Relaxed);
            }
            if done.send((number, outcome)).is_err() {
                break;
            }
        }
    };
    let mut outcomes: Vec<Option<Outcome>> = jobs.iter().map(|_| None).collect();
    let mut aborted = None;
    let mut tell = |loaded: usize, current: usize| {
        let bytes = meter.bytes.load(Ordering::Relaxed);
        let name = names.get(current).map_or("", String::as_str);
        let answer = report(&Progress { loaded, total: jobs.len(), bytes, current: name });
        if answer.is_break() && aborted.is_none() {
            aborted = jobs.get(current).map(|job| job.shown.clone());
            stop.store(true, Ordering::Relaxed);
            meter.cancelled.store(true, Ordering::Relaxed);
        }
        answer
    };
    if tell(0, 0).is_continue() {
        thread::scope(|scope| {
            let (done, finished) = mpsc::channel();
            let threads =
                thread::available_parallelism().map_or(1, |n| n.get()).min(MAX_THREADS).min(jobs.len());
            let mut started = 0;
            for _ in 0..threads {
                let (work, done) = (&work, done.clone());
                let builder = thread::Builder::new().name("ictus-load".into());
                started += usize::from(builder.spawn_scoped(scope, move || work(done)).is_ok());
            }
            if started == 0 {
                work(done.clone()); // the system gives no threads: slower, and without ticks
            }
            drop(done);
            let mut loaded = 0;
            loop {
                let current = match finished.recv_timeout(TICK) {
                    Ok((number, outcome)) => {
                        loaded += 1;
                        if let Some(slot) = outcomes.get_mut(number) {
                            *slot = Some(outcome);
                        }
                        number
                    }
                    Err(RecvTimeoutError::Timeout) => outcomes.iter().position(Option::is_none).unwrap_or(0),
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                if tell(loaded, current).is_break() {
                    break;
                }
            }
        });
    }
    if let Some(path) = aborted {
        return Err(LoadError::Aborted { path });
    }
    let mut outcomes = outcomes.into_iter().flatten();
    match on_error {
        OnError::GoOn => Ok(outcomes.collect()),
        OnError::Stop => outcomes.try_fold(Vec::new(), |mut files, outcome| {
            files.push(Ok(outcome?));
            Ok(files)
        }),
    }
}

fn decode_one(job: &Job, meter: &Meter) -> Outcome {
    audio::read_metered(&job.open, &job.shown, meter)?.into_audio(&job.shown)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{TestDir, wav16};
    use super::*;

    fn jobs(dir: &TestDir, names: &[&str]) -> Vec<Job> {
        names.iter().map(|name| Job { open: dir.path().join(name), shown: PathBuf::from(name) }).collect()
    }

    fn go_on(_: &Progress<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[test]
    fn samples_come_in_the_order_of_the_jobs() {
        let dir = TestDir::new();
        let names: Vec<String> = (1..=40).map(|n| format!("{n}.wav")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        dir.wavs(&names);
        let batch = decode_all(&jobs(&dir, &names), OnError::Stop, &mut go_on).unwrap();
        for n in 1..=40 {
            assert_eq!(batch.sample(n - 1).unwrap().interleaved(), [n as f32 / 32_768.0]);
        }
        assert!(batch.sample(40).is_none());
    }

    #[test]
    fn a_file_named_twice_is_decoded_once() {
        let dir = TestDir::new();
        dir.wavs(&["a.wav", "b.wav"]);
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let mut totals = Vec::new();
        let batch = decode_all(&jobs(&dir, &["a.wav", "b.wav", "sub/../a.wav"]), OnError::Stop, &mut |p| {
            totals.push((p.loaded, p.total));
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(Arc::ptr_eq(batch.sample(0).unwrap(), batch.sample(2).unwrap()));
        assert!(!Arc::ptr_eq(batch.sample(0).unwrap(), batch.sample(1).unwrap()));
        assert_eq!(totals.last(), Some(&(2, 2)));
    }

    #[test]
    fn progress_counts_up_to_the_total_and_the_bytes_of_the_files() {
        let dir = TestDir::new();
        dir.wavs(&["a.wav", "b.wav", "c.wav"]);
        let mut heard = Vec::new();
        decode_all(&jobs(&dir, &["a.wav", "b.wav", "c.wav"]), OnError::Stop, &mut |p| {
            heard.push((p.loaded, p.total, p.bytes, p.current.to_string()));
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(heard[0].0, 0);
        assert_eq!((heard[0].2, heard[0].3.as_str()), (0, "a.wav"));
        heard.dedup_by_key(|(loaded, ..)| *loaded); // ticks repeat a count
        let last = heard.last().unwrap();
        assert_eq!((last.0, last.1, last.2), (3, 3, 3 * 46));
        assert_eq!(heard.len(), 4);
        assert!(heard.windows(2).all(|two| two[0].2 <= two[1].2));
    }

    #[test]
    fn a_break_before_the_first_file_reads_nothing() {
        let dir = TestDir::new();
        dir.wavs(&["a.wav"]);
        let mut calls = 0;
        let result = decode_all(&jobs(&dir, &["a.wav"]), OnError::GoOn, &mut |_| {
            calls += 1;
            ControlFlow::Break(())
        });
        let error = result.err().unwrap();
        assert_eq!(error.to_string(), "loading was aborted at \"a.wav\"");
        assert_eq!(calls, 1);
    }

    #[test]
    fn a_break_in_the_middle_ends_as_aborted() {
        let dir = TestDir::new();
        let names: Vec<String> = (1..=40).map(|n| format!("{n}.wav")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        dir.wavs(&names);
        let mut most = 0;
        let result = decode_all(&jobs(&dir, &names), OnError::GoOn, &mut |p| {
            most = p.loaded;
            if p.loaded == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(result.err(), Some(LoadError::Aborted { .. })));
        assert_eq!(most, 5, "nothing is reported after the break");
    }

    #[test]
    fn a_break_while_a_long_file_is_read_does_not_wait_for_its_end() {
        let dir = TestDir::new();
        // 200 million frames, sparse: seconds of decoding.
        let mut header = wav16(&[]);
        header[40..44].copy_from_slice(&400_000_000u32.to_le_bytes());
        let path = dir.file("long.wav", &header);
        std::fs::File::options().write(true).open(&path).unwrap().set_len(44 + 400_000_000).unwrap();
        let (jobs, meter) = (jobs(&dir, &["long.wav"]), Meter::default());
        let result = decode_distinct(&[&jobs[0]], OnError::Stop, &meter, &mut |p| {
            if p.bytes > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(result.err(), Some(LoadError::Aborted { .. })));
        assert!(meter.bytes.into_inner() < 400_000_000);
    }

    #[test]
    fn the_first_error_in_order_is_the_one_returned() {
        let dir = TestDir::new();
        let names: Vec<String> = (0..30).map(|n| format!("{n}.wav")).collect();
        for (n, name) in names.iter().enumerate() {
            dir.file(name, if n % 7 == 3 { b"RIFF" } else { b"fLaC" });
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for _ in 0..20 {
            let error = decode_all(&jobs(&dir, &names), OnError::Stop, &mut go_on).err().unwrap();
            assert_eq!(error.to_string(), "cannot read \"0.wav\": its FLAC stream ends too early");
        }
        dir.wavs(&["0.wav", "1.wav"]);
        let error =
            decode_all(&jobs(&dir, &["0.wav", "1.wav", "none.wav", "2.wav"]), OnError::Stop, &mut go_on);
        assert!(
            matches!(error.err(), Some(LoadError::NotFound { .. })),
            "missing files are found before decoding"
        );
    }

    #[test]
    fn errors_stay_in_the_batch_when_it_goes_on() {
        let dir = TestDir::new();
        dir.wavs(&["a.wav", "c.wav"]);
        dir.file("b.wav", b"fLaC");
        let batch =
            decode_all(&jobs(&dir, &["a.wav", "b.wav", "none.wav", "c.wav"]), OnError::GoOn, &mut go_on)
                .unwrap();
        assert_eq!([0, 1, 2, 3].map(|job| batch.sample(job).is_some()), [true, false, false, true]);
        assert_eq!(
            batch.warnings(),
            [
                "cannot read \"b.wav\": its FLAC stream ends too early".to_string(),
                format!("there is no file \"none.wav\"; looked in \"{}\"", dir.path().display())
            ]
        );
        assert!(batch.into_error_if_empty().is_none());
    }
}
