//! The sound of a SoundFont: its samples, each decoded when the first preset asks for it, and shared by all that do.
//!
//! The file stays where it is: a sample's bytes are read when they are wanted. 16 bits, 24 bits (`smpl` with `sm24`), and
//! the Ogg Vorbis streams of SF3.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::super::audio;
use super::chunks::{Place, SampleHeader, Tables};
use crate::instrument::{MAX_SAMPLE_FRAMES, Sample};

/// Bit of a sample's type: it stands in the ROM of a sound card.
const ROM: u16 = 0x8000;
/// Bit of a sample's type: Ogg Vorbis. Source: the SF3 format of MuseScore and Polyphone.
const VORBIS: u16 = 0x10;

/// Where a bank's bytes are.
#[derive(Debug)]
pub(super) enum Bytes {
    File(Mutex<File>),
    Memory(Arc<[u8]>),
}

impl Bytes {
    /// So many bytes from there on; both are known to be within.
    fn read(&self, at: u64, bytes: u64) -> io::Result<Vec<u8>> {
        let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
        match self {
            Self::Memory(all) => {
                let start = usize::try_from(at).map_err(|_| short())?;
                let part = all.get(start..).and_then(|rest| rest.get(..bytes as usize)).ok_or_else(short)?;
                Ok(part.to_vec())
            }
            Self::File(file) => {
                let mut part = vec![0; bytes as usize];
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(&mut part)?;
                Ok(part)
            }
        }
    }
}

/// A sample, ready to sound.
#[derive(Clone, Debug)]
pub(super) struct Decoded {
    pub(super) sample: Arc<Sample>,
    /// Loop, in frames of the sample.
    pub(super) looped: (u32, u32),
    pub(super) warnings: Vec<String>,
}

/// Samples of one bank.
#[derive(Debug)]
pub(super) struct Samples {
    bytes: Bytes,
    smpl: Place,
    sm24: Place,
    /// One for each header, as long as an instrument has it.
    shared: Mutex<Vec<Weak<Sample>>>,
}

impl Samples {
    pub(super) fn new(bytes: Bytes, tables: &mut Tables) -> Self {
        let (smpl, mut sm24) = (tables.smpl, tables.sm24);
        // Section 6.2: of another size than half of the other, it is to be ignored.
        if sm24.bytes > 0 && sm24.bytes < smpl.bytes / 2 {
            tables.warnings.push(format!(
                "the sm24 chunk has {} bytes, half of the smpl chunk has {}; 16 bits are read",
                sm24.bytes,
                smpl.bytes / 2
            ));
            sm24.bytes = 0;
        }
        Self { bytes, smpl, sm24, shared: Mutex::new(tables.samples.iter().map(|_| Weak::new()).collect()) }
    }

    /// One sample. Errors: why it cannot sound, in words that follow its name.
    pub(super) fn decode(&self, number: u16, header: &SampleHeader) -> Result<Decoded, String> {
        if header.kind & ROM != 0 {
            return Err("stands in the ROM of a sound card".into());
        }
        if header.start >= header.end {
            return Err(format!("ends (at {}) before it begins (at {})", header.end, header.start));
        }
        let mut warnings = Vec::new();
        let known = {
            let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.get(usize::from(number)).and_then(Weak::upgrade)
        };
        let sample = match known {
            Some(sample) => sample,
            None => {
                let sample = Arc::new(self.read(header, &mut warnings)?);
                let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(place) = shared.get_mut(usize::from(number)) {
                    *place = Arc::downgrade(&sample);
                }
                sample
            }
        };
        let from = if header.kind & VORBIS != 0 { 0 } else { header.start };
        let looped = (header.loop_start.saturating_sub(from), header.loop_end.saturating_sub(from));
        Ok(Decoded { sample, looped, warnings })
    }

    fn read(&self, header: &SampleHeader, warnings: &mut Vec<String>) -> Result<Sample, String> {
        let unreadable = |error: io::Error| format!("cannot be read: {error}");
        let (start, end) = (u64::from(header.start), u64::from(header.end));
        if header.kind & VORBIS != 0 {
            if end > self.smpl.bytes {
                return Err(format!("ends at byte {end} of the smpl chunk, which has {}", self.smpl.bytes));
            }
            let bytes = self.bytes.read(self.smpl.at + start, end - start).map_err(unreadable)?;
            let found =
                audio::read_bytes(&bytes, Path::new(&header.name)).map_err(|error| error.to_string())?;
            let audio = found.into_audio(Path::new(&header.name)).map_err(|error| error.to_string())?;
            return Arc::into_inner(audio.sample).ok_or_else(String::new);
        }
        let frames = self.smpl.bytes / 2;
        if start >= frames {
            return Err(format!("begins at frame {start} of the smpl chunk, which has {frames}"));
        }
        if end > frames {
            warnings
                .push(format!("ends at frame {end} of the smpl chunk, which has {frames}; it is cut there"));
        }
        let count = (end.min(frames) - start).min(MAX_SAMPLE_FRAMES as u64);
        let high = self.bytes.read(self.smpl.at + 2 * start, 2 * count).map_err(unreadable)?;
        let pairs = high.chunks_exact(2).map(|pair| match *pair {
            [low, high] => i32::from(i16::from_le_bytes([low, high])),
            _ => 0,
        });
        let values: Vec<f32> = if self.sm24.bytes > 0 {
            let low = self.bytes.read(self.sm24.at + start, count).map_err(unreadable)?;
            pairs.zip(low).map(|(high, low)| (high << 8 | i32::from(low)) as f32 / 8_388_608.0).collect()
        } else {
            pairs.map(|value| value as f32 / 32_768.0).collect()
        };
        // A rate that is none would be no pitch; the specification asks for a guess.
        let rate = if header.rate == 0 { 44_100 } else { header.rate };
        if header.rate == 0 {
            warnings.push("has a sample rate of 0 Hz; 44100 is taken".into());
        }
        Sample::new(values, 1, rate).map(|(sample, _)| sample).ok_or_else(|| "has no frames".to_string())
    }
}
