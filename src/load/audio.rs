//! Any sound file → interleaved `f32`: one way in, whatever the format.
//!
//! What a file is, its first bytes say (`super::sniff`), never its extension. Uncompressed sound is read by chunk walks
//! of our own (`riff`, `aiff`), what is compressed by symphonia (`compressed`). The source is a file or bytes in memory.
//! Every size in it is held against its real length before anything is allocated for it.

use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::error::{Fault, LoadError};
use super::hints::Hints;
use super::sniff::{self, Format};
use super::{aiff, compressed, wav};
use crate::instrument::{MAX_SAMPLE_FRAMES, Sample};

/// Most values in one file: 4 GiB of `f32`. Longer recordings are for streaming from disk.
pub(super) const MAX_VALUES: u64 = (1 << 30) - 1;
const _: () = assert!(MAX_VALUES <= MAX_SAMPLE_FRAMES as u64);

/// Bytes per read call; also how often cancelling is looked at.
const BUFFER_BYTES: usize = 1 << 16;

/// A decoded file.
#[derive(Debug, PartialEq)]
pub struct Decoded {
    /// Interleaved, `frames × channels`; at least one frame. Values of float files may be anything, NaN included.
    pub interleaved: Vec<f32>,
    /// 1 or 2.
    pub channels: u8,
    /// Hz.
    pub sample_rate: u32,
    /// Root and loops, as the file says; loops lie within it.
    pub hints: Hints,
    /// What was repaired or doubtful; each begins with the path as given.
    pub warnings: Vec<String>,
}

/// A decoded file, ready to sound.
#[derive(Clone, Debug)]
pub struct Audio {
    /// The sound.
    pub sample: Arc<Sample>,
    /// Root and loops, as the file says.
    pub hints: Hints,
    /// What was repaired or doubtful; each begins with the path as given.
    pub warnings: Vec<String>,
}

/// Decodes a sound file: WAV (RIFF, RIFX, RF64, BW64; integer, float, A-law, µ-law), AIFF and AIFC, FLAC, Ogg Vorbis,
/// MP3; mono or stereo.
///
/// Thread: any but the audio thread; blocks on the disk.
/// Errors: all of [`LoadError`] but `Aborted`.
pub fn read(path: &Path) -> Result<Decoded, LoadError> {
    read_metered(path, path, &Meter::default())
}

/// Decodes the bytes of a sound file, wherever they come from. `shown`: what to call it in messages.
///
/// Thread: any but the audio thread. Errors: `Unsupported`, `Corrupt`, `Limit`.
pub fn read_bytes(bytes: &[u8], shown: &Path) -> Result<Decoded, LoadError> {
    named(decode(Cursor::new(bytes), bytes.len() as u64, &Meter::default()), shown)
}

impl Decoded {
    /// The sample, its hints and warnings, one more if values were not numbers: those are silent now.
    ///
    /// `path`: as given, for messages.
    pub fn into_audio(mut self, path: &Path) -> Result<Audio, LoadError> {
        let Some((sample, replaced)) = Sample::new(self.interleaved, self.channels, self.sample_rate) else {
            return Err(Fault::Limit("its length or channels are not those of a sample".into()).at(path));
        };
        if replaced > 0 {
            let values = if replaced == 1 { "1 value is" } else { &format!("{replaced} values are") };
            let text = format!("{}: {values} not a finite number up to 10^30 and became 0", path.display());
            self.warnings.push(text);
        }
        Ok(Audio { sample: Arc::new(sample), hints: self.hints, warnings: self.warnings })
    }
}

/// What a reader tells the thread that waits for it, and the other way round.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Bytes read from files.
    pub(super) bytes: AtomicU64,
    /// Set to make the next read fail.
    pub(super) cancelled: AtomicBool,
}

/// [`read`] with the path to open and the path to show, counting and cancellable.
pub(super) fn read_metered(open: &Path, shown: &Path, meter: &Meter) -> Result<Decoded, LoadError> {
    let (file, len) = open_file(open, shown, "a sound file")?;
    named(decode(file, len, meter), shown)
}

/// Opens a plain file and tells its length. `wanted`: for the message, when it is something else.
///
/// Errors: those of the system; `Unsupported` for folders, devices and pipes.
pub(super) fn open_file(open: &Path, shown: &Path, wanted: &str) -> Result<(File, u64), LoadError> {
    let of_system = |error| LoadError::of_system(shown, open, error);
    // Before opening: opening a named pipe would wait for its writer.
    let metadata = fs::metadata(open).map_err(of_system)?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a folder" } else { "a device or pipe" };
        return Err(Fault::Unsupported(format!("is {what}, not {wanted}")).at(shown));
    }
    Ok((File::open(open).map_err(of_system)?, metadata.len()))
}

/// Puts the path into errors and warnings.
fn named(decoded: Result<Decoded, Fault>, shown: &Path) -> Result<Decoded, LoadError> {
    let mut decoded = decoded.map_err(|fault| fault.at(shown))?;
    for warning in &mut decoded.warnings {
        *warning = format!("{}: {warning}", shown.display());
    }
    Ok(decoded)
}

/// Decodes from anything that holds `len` bytes.
pub(super) fn decode<R: Read + Seek + Send + Sync>(
    source: R,
    len: u64,
    meter: &Meter,
) -> Result<Decoded, Fault> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, Metered { source, meter });
    let decoded = dispatch(&mut reader, len);
    if meter.cancelled.load(Ordering::Relaxed) {
        return Err(Fault::Aborted);
    }
    let mut decoded = decoded?;
    let outside = decoded.hints.keep_within(decoded.interleaved.len() / usize::from(decoded.channels));
    if outside > 0 {
        let (loops, are) =
            if outside == 1 { ("1 loop lies".into(), "is") } else { (format!("{outside} loops lie"), "are") };
        decoded.warnings.push(format!("{loops} outside the sound and {are} left out"));
    }
    Ok(decoded)
}

fn dispatch<R: Read + Seek + Send + Sync>(
    reader: &mut BufReader<Metered<'_, R>>,
    len: u64,
) -> Result<Decoded, Fault> {
    if len == 0 {
        return Err(Fault::Corrupt("the file is empty".into()));
    }
    let mut head = Vec::with_capacity(sniff::HEAD_BYTES);
    reader.by_ref().take(sniff::HEAD_BYTES as u64).read_to_end(&mut head)?;
    reader.seek_relative(-(head.len() as i64))?;
    match sniff::format_of(&head) {
        Some(Format::Wav) => wav::decode(reader, len),
        Some(Format::Aiff) => aiff::decode(reader, len),
        Some(format @ (Format::Flac | Format::Ogg | Format::Mp3)) => compressed::decode(reader, len, format),
        None => Err(match sniff::name_of(&head) {
            Some(name) => Fault::Unsupported(format!("is {name}; {}", sniff::READ_HERE)),
            None if head.len() < 12
                && (b"RIFF".starts_with(&head[..head.len().min(4)]) || head.starts_with(b"RIFF")) =>
            {
                Fault::Corrupt(format!("the file ends after {len} bytes, within its 12-byte RIFF header"))
            }
            None => {
                let first = &head[..head.len().min(4)];
                let hex: Vec<String> = first.iter().map(|byte| format!("{byte:02x}")).collect();
                Fault::Unknown(format!(
                    "is not a sound file that is known: it begins with the bytes {}; {}",
                    hex.join(" "),
                    sniff::READ_HERE
                ))
            }
        }),
    }
}

/// Room for a file's values, all of which are known to be in the file.
pub(super) fn reserve(values: u64, channels: u8) -> Result<Vec<f32>, Fault> {
    let Some(count) = usize::try_from(values).ok().filter(|_| values <= MAX_VALUES) else {
        return Err(too_long(values / u64::from(channels), channels));
    };
    let mut interleaved = Vec::new();
    interleaved.try_reserve_exact(count).map_err(|_| {
        Fault::Limit(format!(
            "there is no memory for its {count} values of 4 bytes; close something or load less"
        ))
    })?;
    Ok(interleaved)
}

pub(super) fn too_long(frames: u64, channels: u8) -> Fault {
    Fault::Limit(format!(
        "it has {frames} frames; at most {} of this kind are held in memory",
        MAX_VALUES / u64::from(channels)
    ))
}

/// A reader that counts, can be stopped, and retries what a signal interrupted (hound does not).
pub(super) struct Metered<'a, R> {
    source: R,
    meter: &'a Meter,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.meter.cancelled.load(Ordering::Relaxed) {
                return Err(io::Error::other("aborted"));
            }
            match self.source.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(bytes) => {
                    self.meter.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                    return Ok(bytes);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R: Seek> Seek for Metered<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::super::hints::FileLoop;
    use super::super::testing::{TestDir, chunk, fmt, riff, wav16};
    use super::*;
    use proptest::prelude::*;

    fn decoded(file: &[u8]) -> Result<Decoded, Fault> {
        decode(Cursor::new(file), file.len() as u64, &Meter::default())
    }

    #[test]
    fn values_that_are_not_numbers_become_silence_and_a_warning() {
        let float = |values: &[f32]| {
            let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            decoded(&riff(&[chunk(b"fmt ", &fmt(3, 1, 44_100, 4, 32)), chunk(b"data", &data)])).unwrap()
        };
        let path = Path::new("pad.wav");
        let found = float(&[f32::NAN, 0.25, f32::INFINITY]).into_audio(path).unwrap();
        assert_eq!(found.sample.interleaved(), [0.0, 0.25, 0.0]);
        assert_eq!(found.warnings, ["pad.wav: 2 values are not a finite number up to 10^30 and became 0"]);
        let found = float(&[f32::NAN]).into_audio(path).unwrap();
        assert_eq!(found.warnings, ["pad.wav: 1 value is not a finite number up to 10^30 and became 0"]);
    }

    #[test]
    fn messages_hold_the_path_as_given() {
        let dir = TestDir::new();
        let mut lying = wav16(&[0; 256]);
        lying[40..44].copy_from_slice(&9000u32.to_le_bytes());
        let kick = dir.file("kick.wav", &lying);
        let error = read(&kick).unwrap_err();
        let shown = kick.display();
        assert_eq!(
            error.to_string(),
            format!("cannot read \"{shown}\": the data chunk at byte 36 says 9000 bytes, the file has 512")
        );
        assert!(matches!(error, LoadError::Corrupt { .. }));

        let opus = dir.file("x.wav", b"\x1a\x45\xdf\xa3\0\0\0\0\0\0\0\0");
        let error = read(&opus).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "\"{}\" is a Matroska or WebM file; this version reads WAV, AIFF, FLAC, Ogg Vorbis and MP3",
                opus.display()
            )
        );
        assert!(matches!(error, LoadError::Unsupported { .. }));

        let mut odd = wav16(&[1, 2]);
        odd[4] = 0;
        let odd = dir.file("odd.wav", &odd);
        assert_eq!(
            read(&odd).unwrap().warnings,
            [format!(
                "{}: the RIFF size at byte 4 is 0, the file has 40 bytes after it; the data is complete and is read",
                odd.display()
            )]
        );

        let error = read(dir.path()).unwrap_err();
        assert_eq!(error.to_string(), format!("\"{}\" is a folder, not a sound file", dir.path().display()));
        let error = read(&dir.path().join("none.wav")).unwrap_err();
        assert!(matches!(error, LoadError::NotFound { .. }), "{error}");
        assert!(matches!(read(Path::new("a\0b.wav")), Err(LoadError::Invalid { .. })));
        assert!(matches!(read(Path::new("")), Err(LoadError::Invalid { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_device_or_pipe_is_refused_without_waiting_for_it() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "\"/dev/zero\" is a device or pipe, not a sound file");
    }

    #[test]
    fn more_than_4_gib_of_values_is_a_limit_and_allocates_nothing() {
        let dir = TestDir::new();
        // Sparse: 2 GiB of 8-bit data take no disk and would take 8 GiB of memory.
        let header = riff(&[
            chunk(b"fmt ", &fmt(1, 1, 44_100, 1, 8)),
            [&b"data"[..], &(1u32 << 31).to_le_bytes()].concat(),
        ]);
        let path = dir.file("long.wav", &header);
        File::options().write(true).open(&path).unwrap().set_len(44 + (1 << 31)).unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot read \"{}\": it has 2147483648 frames; at most 1073741823 of this kind are held in memory",
                path.display()
            )
        );
        assert!(matches!(error, LoadError::Limit { .. }));
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_read_is_corrupt() {
        let file = wav16(&[1, 2, 3, 4]);
        let fault = decode(Cursor::new(&file[..48]), file.len() as u64, &Meter::default()).unwrap_err();
        assert!(
            matches!(&fault, Fault::Corrupt(what) if what == "the file became shorter while it was read")
        );
        let fault = decode(Cursor::new(&file[..30]), file.len() as u64, &Meter::default()).unwrap_err();
        assert!(
            matches!(&fault, Fault::Corrupt(what) if what == "the file became shorter while it was read")
        );
    }

    #[test]
    fn a_cancelled_read_ends_as_aborted() {
        let meter = Meter::default();
        meter.cancelled.store(true, Ordering::Relaxed);
        let file = wav16(&[1, 2, 3, 4]);
        assert!(matches!(decode(Cursor::new(&file), file.len() as u64, &meter), Err(Fault::Aborted)));
    }

    const RAMP_FLAC: &[u8] = include_bytes!("../../tests/audio/ramp24.flac");
    const SAW_FLAC: &[u8] = include_bytes!("../../tests/audio/saw16.flac");
    const SINE_OGG: &[u8] = include_bytes!("../../tests/audio/sine.ogg");
    const SINE_MP3: &[u8] = include_bytes!("../../tests/audio/sine.mp3");

    #[test]
    fn flac_of_16_and_24_bits_is_exact_and_keeps_its_loop() {
        let found = decoded(RAMP_FLAC).unwrap();
        assert_eq!((found.channels, found.sample_rate, found.interleaved.len()), (2, 96_000, 2000));
        for (n, frame) in (0i32..).zip(found.interleaved.chunks(2)) {
            let value = (n * 16_001 - 8_000_000) as f32 / 8_388_608.0;
            assert_eq!(frame, [value, -value]);
        }
        assert_eq!(found.hints.root_key, Some(57.0));
        assert_eq!(found.hints.loops, [FileLoop { start: 100, end: 900, alternate: false }]);
        let found = decoded(SAW_FLAC).unwrap();
        assert_eq!((found.channels, found.sample_rate, found.interleaved.len()), (1, 44_100, 3000));
        for (n, value) in (0i32..).zip(found.interleaved) {
            assert_eq!(value, ((n * 37) % 65_536 - 32_768) as f32 / 32_768.0);
        }
    }

    /// Root mean square of the difference from a sine of 440 Hz at half scale, 11025 frames at 44.1 kHz.
    fn error_from_the_sine(found: &Decoded) -> f64 {
        assert_eq!((found.channels, found.sample_rate, found.interleaved.len()), (1, 44_100, 11_025));
        let sine = |n: usize| 0.5 * (std::f64::consts::TAU * 440.0 * n as f64 / 44_100.0).sin();
        let square = |(n, value): (usize, &f32)| (f64::from(*value) - sine(n)).powi(2);
        (found.interleaved.iter().enumerate().map(square).sum::<f64>() / 11_025.0).sqrt()
    }

    #[test]
    fn vorbis_and_mp3_have_as_many_frames_as_were_encoded_and_stand_where_they_stood() {
        // One frame off would be an error of 0.5·2π·440/44100/√2 = 0.022.
        let (ogg, mp3) = (decoded(SINE_OGG).unwrap(), decoded(SINE_MP3).unwrap());
        assert!(error_from_the_sine(&ogg) < 0.005, "{}", error_from_the_sine(&ogg));
        assert!(error_from_the_sine(&mp3) < 0.005, "{}", error_from_the_sine(&mp3));
        assert_eq!((ogg.warnings.len(), mp3.warnings.len()), (0, 0));
    }

    #[test]
    fn a_tag_in_front_is_skipped_and_bytes_count_more_than_extensions() {
        let tag = [&b"ID3\x04\0\0\0\0\x02\x01"[..], &[0; 257]].concat();
        let tagged = decoded(&[&tag[..], SINE_MP3].concat()).unwrap();
        assert_eq!(tagged, decoded(SINE_MP3).unwrap());
        let flac = decoded(&[&tag[..], RAMP_FLAC].concat()).unwrap();
        assert_eq!(flac, decoded(RAMP_FLAC).unwrap());
        let dir = TestDir::new();
        let found = read(&dir.file("kick.wav", SINE_OGG)).unwrap();
        assert_eq!(found, decoded(SINE_OGG).unwrap());
        assert_eq!(read_bytes(SINE_OGG, Path::new("bytes")).unwrap(), found);
    }

    #[test]
    fn what_is_cut_off_or_strange_is_refused_with_its_reason() {
        let message = |file: &[u8]| read_bytes(file, Path::new("x")).unwrap_err().to_string();
        assert_eq!(
            message(&SAW_FLAC[..SAW_FLAC.len() / 2]),
            "cannot read \"x\": its header says 3000 frames, 1152 can be read: it is cut off or damaged"
        );
        assert_eq!(message(b""), "cannot read \"x\": the file is empty");
        assert_eq!(
            message(b"RIFF\x24\0"),
            "cannot read \"x\": the file ends after 6 bytes, within its 12-byte RIFF header"
        );
        assert_eq!(
            message(b"hello"),
            "\"x\" is not a sound file that is known: it begins with the bytes 68 65 6c 6c; this version reads WAV, AIFF, \
             FLAC, Ogg Vorbis and MP3"
        );
        assert_eq!(
            message(b"ID3\x04\0\0\0\0\0\x02\0\0"),
            "cannot read \"x\": the ID3 tag at byte 0 says 12 bytes, the file has 12, and no sound behind it"
        );
        let opus = [
            &b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead"[..],
            &[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        assert!(message(&opus).contains("\"x\""), "{}", message(&opus));
    }

    /// No panic, whole frames, and bounded memory.
    fn survives(file: &[u8]) {
        if let Ok(found) = decoded(file) {
            assert!(!found.interleaved.is_empty());
            assert_eq!(found.interleaved.len() % usize::from(found.channels), 0);
        }
    }

    #[test]
    fn truncations_of_compressed_files_are_survived() {
        for file in [RAMP_FLAC, SAW_FLAC, SINE_OGG, SINE_MP3] {
            (0..file.len()).step_by(37).for_each(|end| survives(&file[..end]));
            (0..200.min(file.len())).for_each(|end| survives(&file[..end]));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn mutations_of_compressed_files_are_survived(
            which in 0usize..4,
            mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
            early in any::<bool>(),
        ) {
            let mut file = [RAMP_FLAC, SAW_FLAC, SINE_OGG, SINE_MP3][which].to_vec();
            // Headers are where the harm is.
            let reach = if early { file.len().min(200) } else { file.len() };
            mutations.iter().for_each(|(at, byte)| file[at.index(reach)] = *byte);
            survives(&file);
        }
    }
}
