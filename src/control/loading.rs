//! Loading on a thread of its own: what was asked for, how far it is, how to stop it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{Error, Result};
use super::instrument::{Bank, Instrument, Sound};
use super::value::{Options, Value};
use crate::dsp::interpolate::Interpolation;
use crate::instrument::{
    LoopMode, LoopSettings, MAX_SAMPLE_FRAMES, Play, Playback, Region, Sample, SampleLoop,
};
use crate::load::sf2::{DRUM_BANK, PresetWish, SoundFont};
use crate::load::{self, sf2};
use crate::units::{MAX_SAMPLE_RATE, MIN_SAMPLE_RATE};

/// What an instrument is loaded from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, or a folder of samples.
    Path(String),
    /// Note names and files; relative paths start at `base`.
    Map {
        /// `("C4", "c4.wav")`, in the caller's order.
        entries: Vec<(String, String)>,
        /// Folder of relative paths; the working directory when `None`.
        base: Option<String>,
    },
    /// Names of sounds and their files, in order; relative paths start at `base`.
    Sounds {
        /// `("bd", ["a.wav", "b.wav"])`.
        entries: Vec<(String, Vec<String>)>,
        /// Folder of relative paths; the working directory when `None`.
        base: Option<String>,
    },
    /// One mono sample, copied when the call was made.
    Samples(Vec<f32>),
    /// A file's bytes, copied when the call was made.
    Bytes(Vec<u8>),
}

/// Key of the first sound of a bank.
const KIT_FIRST_KEY: u8 = 36;

/// How far a load is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Files done.
    pub loaded: usize,
    /// Files in all.
    pub total: usize,
    /// Bytes read.
    pub bytes: u64,
    /// The file at hand.
    pub current: String,
}

/// Stops a load from another thread.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// From now on the load ends with `Aborted` as soon as it looks.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Acquire) {
            return Err(Error::Aborted("loading was aborted".into()));
        }
        Ok(())
    }
}

/// One load.
pub struct Loading {
    /// From what.
    pub source: Source,
    /// Rate of raw values, Hz.
    pub engine_rate: u32,
    /// Of the instrument; `None`: the engine's.
    pub interpolation: Option<Interpolation>,
    /// Folder that the relative paths of a map in a file start from; `None`: as the map says.
    pub base: Option<String>,
    /// Which preset, of a SoundFont; without a wish, program 0 and the percussion of General MIDI.
    pub preset: PresetWish,
    /// How to stop it.
    pub cancel: Cancel,
}

impl Loading {
    /// Reads everything and makes the instrument.
    ///
    /// Thread: any that may wait for a disk. Errors: those of files, `Aborted`, `Limit`.
    pub fn run(&self, mut progress: impl FnMut(Progress)) -> Result<Arc<Instrument>> {
        let mut report = |at: &load::Progress<'_>| {
            progress(Progress {
                loaded: at.loaded,
                total: at.total,
                bytes: at.bytes,
                current: at.current.to_string(),
            });
            match self.cancel.check() {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        };
        self.cancel.check()?;
        if let Some(soundfont) = self.soundfont()? {
            return self.load_preset(soundfont, &mut report);
        }
        if let Some(bank) = self.bank(&mut report)? {
            self.cancel.check()?;
            return self.make_bank(bank);
        }
        let loaded = match &self.source {
            Source::Sounds { .. } => return Err(Error::InvalidArgument("the map has no sounds".into())),
            Source::Path(path) => load::load_file(&PathBuf::from(path), &mut report)?,
            Source::Map { entries, base } => {
                let entries: Vec<_> =
                    entries.iter().map(|(name, path)| (name.clone(), PathBuf::from(path))).collect();
                load::load_map(&entries, base.as_ref().map(PathBuf::from).as_deref(), &mut report)?
            }
            Source::Bytes(bytes) => load::load_bytes(bytes, "bytes", &mut report)?,
            Source::Samples(values) => {
                let (sample, replaced) = sample(values.clone(), 1, self.engine_rate)?;
                load::Loaded {
                    name: String::new(),
                    regions: vec![Region::of(Arc::new(sample))],
                    warnings: replaced_warning(replaced),
                    play: Play::default(),
                }
            }
        };
        self.cancel.check()?;
        let instrument = Instrument::new(&loaded.name, self.interpolation);
        instrument.set_play(loaded.play)?;
        instrument.add_regions(loaded.regions, loaded.warnings)?;
        Ok(instrument)
    }

    /// The named sounds that the source has, if it is a bank of them.
    fn bank(&self, report: &mut load::OnProgress<'_>) -> Result<Option<load::Bank>> {
        Ok(match &self.source {
            Source::Path(path) if load::is_bank(path.as_ref()) => {
                Some(load::load_bank(path.as_ref(), self.base.as_ref().map(|base| base.as_ref()), report)?)
            }
            Source::Sounds { entries, base } => {
                let sounds: Vec<_> = entries
                    .iter()
                    .map(|(name, files)| (name.clone(), load::Files::List(files.clone())))
                    .collect();
                Some(load::load_sounds("map", &sounds, base.as_ref().map(|base| base.as_ref()), report)?)
            }
            _ => None,
        })
    }

    /// A bank: an instrument for each part of each sound, and one that has the first sample of each on the keyboard, from
    /// General MIDI's "Bass Drum 1" upwards.
    fn make_bank(&self, bank: load::Bank) -> Result<Arc<Instrument>> {
        let whole = Instrument::new(&bank.name, self.interpolation);
        let mut kit = Vec::new();
        let mut sounds = Vec::new();
        for (number, sound) in bank.sounds.into_iter().enumerate() {
            let key = KIT_FIRST_KEY.checked_add(number as u8).filter(|key| *key <= 127 && number < 128);
            if let Some((key, first)) = key.zip(sound.parts.first().and_then(|part| part.first())) {
                let (keys, root_key) = (key..=key, f64::from(key));
                kit.push(Region { keys, root_key, playback: Playback::OneShot, ..first.clone() });
            }
            let mut parts = Vec::new();
            for regions in sound.parts {
                let part = Instrument::new(&sound.name, self.interpolation);
                part.add_regions(regions, Vec::new())?;
                parts.push(part);
            }
            sounds.push(Sound { name: sound.name, count: sound.count, parts });
        }
        whole.add_regions(kit, bank.warnings)?;
        whole.set_sounds(sounds);
        Ok(whole)
    }

    /// The SoundFont that the source is, if it is one.
    fn soundfont(&self) -> Result<Option<Arc<SoundFont>>> {
        let found = match &self.source {
            Source::Path(path) if sf2::is_soundfont(path.as_ref()) => Some(SoundFont::open(path.as_ref())?),
            Source::Bytes(bytes) if sf2::is_soundfont_bytes(bytes) => {
                Some(SoundFont::from_bytes(bytes.as_slice().into(), "bytes".as_ref())?)
            }
            _ => None,
        };
        if found.is_none() && self.preset != PresetWish::default() {
            let what = match &self.source {
                Source::Path(path) => format!("\"{path}\" is none"),
                _ => "this is none".into(),
            };
            return Err(Error::InvalidArgument(format!("preset and bank choose from a SoundFont; {what}")));
        }
        Ok(found)
    }

    fn load_preset(
        &self,
        soundfont: Arc<SoundFont>,
        report: &mut load::OnProgress<'_>,
    ) -> Result<Arc<Instrument>> {
        let make = |preset: usize, report: &mut load::OnProgress<'_>| -> Result<Arc<Instrument>> {
            let loaded = soundfont.load(preset, report)?;
            let instrument = Instrument::new(&loaded.name, self.interpolation);
            instrument.add_regions(loaded.regions, loaded.warnings)?;
            Ok(instrument)
        };
        let preset = soundfont.choose(&self.preset)?;
        let instrument = make(preset, report)?;
        let drums = soundfont.find(DRUM_BANK, 0).filter(|drums| {
            // All of General MIDI is wanted: its percussion cannot wait for a program change, for none comes.
            self.preset == PresetWish::default() && *drums != preset
        });
        let drums = drums.map(|drums| Ok::<_, Error>((drums, make(drums, report)?))).transpose()?;
        self.cancel.check()?;
        instrument.set_bank(Bank { soundfont: soundfont.clone(), preset, drums });
        Ok(instrument)
    }
}

/// What `addSample` gets.
#[derive(Clone, Debug)]
pub enum SampleSource {
    /// A file.
    Path(String),
    /// Interleaved values.
    Interleaved(Vec<f32>),
    /// One list a channel.
    Planar(Vec<Vec<f32>>),
}

/// Where and how a sample sounds: `SampleMetadata` of index.d.ts, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    sample_rate: Option<u32>,
    channels: Option<u32>,
    root_note: f64,
    keys: (u32, u32),
    velocities: (u32, u32),
    sample_loop: Option<LoopWish>,
    tune_cents: f64,
    gain: f64,
    pan: f64,
    group: u32,
    choked_by: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct LoopWish {
    start: u32,
    end: u32,
    /// `None`: it does not loop, and the key does not end it.
    mode: Option<LoopMode>,
    alternate: bool,
    crossfade_s: f64,
}

/// Longest crossfade that may be asked for.
const MAX_CROSSFADE_S: f64 = 3600.0;

const METADATA: [&str; 11] = [
    "sampleRate",
    "channels",
    "rootNote",
    "keyRange",
    "velocityRange",
    "loop",
    "tune",
    "gain",
    "pan",
    "group",
    "chokedBy",
];

/// Reads and checks the second argument of `addSample`.
pub fn read_metadata(value: &Value) -> Result<Metadata> {
    let options = Options::read("sample metadata", value, &METADATA)?;
    let sample_loop = match options.get("loop") {
        None | Some(Value::Bool(false)) => None,
        Some(value @ Value::Object(_)) => Some(read_loop(value)?),
        Some(other) => {
            return Err(Error::InvalidType(format!(
                "loop must be false or an object {{ start, end, mode, alternate, crossfade }}, got {other}"
            )));
        }
    };
    Ok(Metadata {
        sample_rate: options.integer("sampleRate", MIN_SAMPLE_RATE, MAX_SAMPLE_RATE, " Hz")?,
        channels: options.integer("channels", 1, 2, "")?,
        root_note: options.number("rootNote", 0.0, 127.0, "")?.unwrap_or(60.0),
        keys: options.pair("keyRange", 0, 127)?.unwrap_or((0, 127)),
        velocities: options.pair("velocityRange", 0, 127)?.unwrap_or((1, 127)),
        sample_loop,
        tune_cents: options.number("tune", -12_000.0, 12_000.0, " cents")?.unwrap_or(0.0),
        gain: options.number("gain", 0.0, super::MAX_GAIN, "")?.unwrap_or(1.0),
        pan: options.number("pan", -1.0, 1.0, "")?.unwrap_or(0.0),
        group: options.integer("group", 0, u32::MAX, "")?.unwrap_or(0),
        choked_by: options.integer("chokedBy", 0, u32::MAX, "")?.unwrap_or(0),
    })
}

fn read_loop(value: &Value) -> Result<LoopWish> {
    let options = Options::read("loop options", value, &["start", "end", "mode", "alternate", "crossfade"])?;
    let needed = |name: &str| {
        options.integer(name, 0, MAX_SAMPLE_FRAMES as u32, " frames")?.ok_or_else(|| {
            Error::InvalidType(format!(
                "loop.{name} is missing: a loop needs start and end, in frames, end exclusive"
            ))
        })
    };
    let mode = options.word("mode", &["continuous", "sustain", "one-shot"], |name| match name {
        "continuous" => Some(Some(LoopMode::Continuous)),
        "sustain" => Some(Some(LoopMode::Sustain)),
        "one-shot" => Some(None),
        _ => None,
    })?;
    let wish = LoopWish {
        start: needed("start")?,
        end: needed("end")?,
        mode: mode.unwrap_or(Some(LoopMode::Continuous)),
        alternate: options.flag("alternate")?.unwrap_or(false),
        crossfade_s: options.number("crossfade", 0.0, MAX_CROSSFADE_S, " s")?.unwrap_or(0.0),
    };
    if wish.alternate && wish.crossfade_s > 0.0 {
        return Err(Error::InvalidArgument(format!(
            "loop.crossfade must be 0 where loop.alternate is true, got {}: a loop that turns round has no step to \
             hide",
            wish.crossfade_s
        )));
    }
    Ok(wish)
}

/// The loop, or `None` for a one-shot.
fn make_loop(sample: &Sample, wish: &LoopWish) -> Result<Option<SampleLoop>> {
    let &LoopWish { start, end, mode, alternate, crossfade_s } = wish;
    let (frames, rate) = (sample.frames(), f64::from(sample.sample_rate()));
    let settings = LoopSettings {
        start,
        end,
        mode: mode.unwrap_or(LoopMode::Continuous),
        alternate,
        crossfade_frames: (crossfade_s * rate).round() as u32,
    };
    if start >= end || end > frames {
        return Err(Error::InvalidArgument(format!(
            "loop must lie within the sample: 0 <= start < end <= {frames} frames, got start {start}, end {end}"
        )));
    }
    let longest = start.min(end - start);
    if settings.crossfade_frames > longest {
        return Err(Error::InvalidArgument(format!(
            "loop.crossfade must be a number from 0 to {} s here, got {crossfade_s}: it is blended with the {start} \
             frames before the loop, which has {}",
            f64::from(longest) / rate,
            end - start
        )));
    }
    let Some(_) = mode else { return Ok(None) };
    SampleLoop::new(sample, &settings).map(Some).ok_or_else(|| {
        Error::Limit(format!(
            "a loop there and back has at most {MAX_SAMPLE_FRAMES} frames, got {}",
            2 * u64::from(end - start)
        ))
    })
}

/// Reads a sample and makes its region. Thread: any that may wait for a disk.
///
/// Errors: those of files, `InvalidArgument`, `Limit`. `engine_rate` is the rate of raw values that name none.
pub fn make_region(
    source: SampleSource,
    metadata: &Metadata,
    engine_rate: u32,
) -> Result<(Region, Vec<String>)> {
    let rate = metadata.sample_rate;
    let (sample, warnings) = match source {
        SampleSource::Path(path) => {
            if rate.is_some() || metadata.channels.is_some() {
                return Err(Error::InvalidArgument(format!(
                    "sampleRate and channels are read from the file \"{path}\"; leave them out"
                )));
            }
            let path = PathBuf::from(path);
            let audio = load::audio::read(&path)?.into_audio(&path)?;
            (audio.sample, audio.warnings)
        }
        SampleSource::Interleaved(values) => {
            let channels = metadata.channels.unwrap_or(1) as usize;
            if !values.len().is_multiple_of(channels) {
                return Err(Error::InvalidArgument(format!(
                    "{} values are no whole number of frames of {channels} channels",
                    values.len()
                )));
            }
            let (sample, replaced) = sample(values, channels, rate.unwrap_or(engine_rate))?;
            (Arc::new(sample), replaced_warning(replaced))
        }
        SampleSource::Planar(channels) => {
            let (sample, replaced) =
                sample(interleave(&channels)?, channels.len(), rate.unwrap_or(engine_rate))?;
            (Arc::new(sample), replaced_warning(replaced))
        }
    };
    let mut region = Region {
        keys: metadata.keys.0 as u8..=metadata.keys.1 as u8,
        // Velocity 0 is a note-off, so a range from 0 means from 1.
        velocities: (metadata.velocities.0.max(1)) as u8..=metadata.velocities.1 as u8,
        root_key: metadata.root_note,
        tune_cents: metadata.tune_cents,
        gain: metadata.gain,
        pan: metadata.pan,
        group: metadata.group,
        choked_by: metadata.choked_by,
        ..Region::of(sample)
    };
    if let Some(wish) = &metadata.sample_loop {
        region.playback = match make_loop(&region.sample, wish)? {
            Some(round) => Playback::Loop(Arc::new(round)),
            None => Playback::OneShot,
        };
    }
    Ok((region, warnings))
}

fn sample(values: Vec<f32>, channels: usize, rate: u32) -> Result<(Sample, usize)> {
    let frames = values.len() / channels.max(1);
    if frames > MAX_SAMPLE_FRAMES {
        return Err(Error::Limit(format!("a sample has at most {MAX_SAMPLE_FRAMES} frames, got {frames}")));
    }
    Sample::new(values, channels as u8, rate)
        .ok_or_else(|| Error::InvalidArgument(format!("a sample needs at least one frame, got {frames}")))
}

fn interleave(channels: &[Vec<f32>]) -> Result<Vec<f32>> {
    match channels {
        [mono] => Ok(mono.clone()),
        [left, right] if left.len() == right.len() => {
            Ok(left.iter().zip(right).flat_map(|(l, r)| [*l, *r]).collect())
        }
        [left, right] => Err(Error::InvalidArgument(format!(
            "the channels of a sample are equally long, got {} and {} frames",
            left.len(),
            right.len()
        ))),
        other => Err(Error::InvalidArgument(format!("a sample has 1 or 2 channels, got {}", other.len()))),
    }
}

fn replaced_warning(replaced: usize) -> Vec<String> {
    if replaced == 0 {
        return Vec::new();
    }
    vec![format!("{replaced} values were not finite numbers, or beyond 1e30, and are now 0")]
}
