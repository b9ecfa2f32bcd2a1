//! WAV files → interleaved `f32`.
//!
//! `super::riff` walks the chunks and refuses what does not add up; hound then decodes. It is given a plain header
//! of our own making and the data's bytes, not the file: it panics on nothing that way, and what it is strict about
//! (sizes of the fmt chunk, byte rates, padding) no longer matters.
//!
//! Integers become `f32` by an exact power of two, so an n-bit file holds −1 ≤ v < 1 and 8, 16 and 24 bits survive
//! unrounded; 32-bit integers are rounded once, to nearest. Floats are taken as they are.

use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::error::{Fault, LoadError};
use super::riff::{self, Layout};
use super::wave_format::{Encoding, WaveFormat};
use crate::instrument::{MAX_SAMPLE_FRAMES, Sample};

/// Most values in one file: 4 GiB of `f32`. Longer recordings are for streaming from disk.
const MAX_VALUES: u64 = (1 << 30) - 1;
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
    /// What was repaired or doubtful; each begins with the path as given.
    pub warnings: Vec<String>,
}

/// Decodes a WAV file: 8, 16, 24 and 32-bit integer, 32-bit float, plain or extensible, mono or stereo.
///
/// Thread: any but the audio thread; blocks on the disk.
/// Errors: all of [`LoadError`] but `Aborted`.
pub fn read(path: &Path) -> Result<Decoded, LoadError> {
    read_metered(path, path, &Meter::default())
}

impl Decoded {
    /// The sample, and the warnings, one more if values were not numbers: those are silent now.
    ///
    /// `path`: as given, for messages.
    pub fn into_sample(mut self, path: &Path) -> Result<(Sample, Vec<String>), LoadError> {
        let Some((sample, replaced)) = Sample::new(self.interleaved, self.channels, self.sample_rate) else {
            return Err(Fault::Limit("its length or channels are not those of a sample".into()).at(path));
        };
        if replaced > 0 {
            let values = if replaced == 1 { "1 value is" } else { &format!("{replaced} values are") };
            let text = format!("{}: {values} not a finite number up to 10^30 and became 0", path.display());
            self.warnings.push(text);
        }
        Ok((sample, self.warnings))
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
    let of_system = |error| LoadError::of_system(shown, open, error);
    // Before opening: opening a named pipe would wait for its writer.
    let metadata = fs::metadata(open).map_err(of_system)?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a folder" } else { "a device or pipe" };
        return Err(Fault::Unsupported(format!("is {what}, not a WAV file")).at(shown));
    }
    let file = File::open(open).map_err(of_system)?;
    let mut decoded = decode(file, metadata.len(), meter).map_err(|fault| fault.at(shown))?;
    for warning in &mut decoded.warnings {
        *warning = format!("{}: {warning}", shown.display());
    }
    Ok(decoded)
}

/// Decodes from anything that holds `len` bytes.
fn decode<R: Read + Seek>(source: R, len: u64, meter: &Meter) -> Result<Decoded, Fault> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, Metered { source, meter });
    let decoded = riff::walk(&mut reader, len).and_then(|layout| values(reader, layout));
    if meter.cancelled.load(Ordering::Relaxed) { Err(Fault::Aborted) } else { decoded }
}

/// Reads the values; the reader is at the first byte of data.
fn values<R: Read>(reader: R, layout: Layout) -> Result<Decoded, Fault> {
    let Layout { format, data_bytes, may_end_in_padding, warnings } = layout;
    let WaveFormat { encoding, channels, sample_rate } = format;
    let count = data_bytes / u64::from(encoding.bytes());
    let sizes = (count <= MAX_VALUES).then(|| (u32::try_from(data_bytes).ok(), usize::try_from(count).ok()));
    let Some((Some(data_bytes), Some(count))) = sizes else {
        return Err(Fault::Limit(format!(
            "it has {} frames; at most {} of this kind are held in memory",
            count / u64::from(channels),
            MAX_VALUES / u64::from(channels)
        )));
    };
    let mut interleaved = Vec::new();
    interleaved.try_reserve_exact(count).map_err(|_| {
        Fault::Limit(format!(
            "there is no memory for its {count} values of 4 bytes; close something or load less"
        ))
    })?;
    let header = Cursor::new(format.plain_header(data_bytes));
    let mut wav =
        hound::WavReader::new(header.chain(reader.take(u64::from(data_bytes)))).map_err(of_hound)?;
    if encoding == Encoding::Float32 {
        for value in wav.samples::<f32>() {
            interleaved.push(value.map_err(of_hound)?);
        }
    } else {
        let scale = 0.5f32.powi(i32::from(encoding.bits()) - 1);
        for value in wav.samples::<i32>() {
            interleaved.push(value.map_err(of_hound)? as f32 * scale);
        }
    }
    // In 8 bits a padding byte of 0 reads as −1: a click at full scale. If it was no padding, one frame is lost.
    if may_end_in_padding && interleaved.len() > 1 && interleaved.last() == Some(&-1.0) {
        interleaved.pop();
    }
    Ok(Decoded { interleaved, channels, sample_rate, warnings })
}

fn of_hound(error: hound::Error) -> Fault {
    match error {
        // hound's own "Failed to read enough bytes" has no code of the system.
        hound::Error::IoError(error)
            if error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none() =>
        {
            Fault::from(io::Error::from(io::ErrorKind::UnexpectedEof))
        }
        hound::Error::IoError(error) => Fault::from(error),
        other => Fault::Corrupt(other.to_string()),
    }
}

/// A reader that counts, can be stopped, and retries what a signal interrupted (hound does not).
struct Metered<'a, R> {
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
    use super::super::testing::{TestDir, chunk, extensible, fmt, riff, wav16};
    use super::*;
    use proptest::prelude::*;

    fn decoded(file: &[u8]) -> Result<Decoded, Fault> {
        decode(Cursor::new(file), file.len() as u64, &Meter::default())
    }

    /// Format tag, bits, bytes per value, data, values.
    type Corners = (u16, u16, u16, Vec<u8>, Vec<f32>);

    /// Every corner of every encoding, written out.
    fn corners() -> Vec<Corners> {
        let ulp24 = 1.0 / 8_388_608.0;
        vec![
            (
                1,
                8,
                1,
                vec![0, 1, 127, 128, 129, 255],
                vec![-1.0, -127.0 / 128.0, -1.0 / 128.0, 0.0, 1.0 / 128.0, 127.0 / 128.0],
            ),
            (
                1,
                16,
                2,
                vec![0x00, 0x80, 0xFF, 0xFF, 0, 0, 1, 0, 0xFF, 0x7F, 0x00, 0x40],
                vec![-1.0, -1.0 / 32_768.0, 0.0, 1.0 / 32_768.0, 32_767.0 / 32_768.0, 0.5],
            ),
            (
                1,
                24,
                3,
                vec![0, 0, 0x80, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0xFF, 0xFF, 0x7F, 0, 0, 0x40, 0x56, 0x34, 0x12],
                vec![-1.0, -ulp24, ulp24, 1.0 - ulp24, 0.5, 1_193_046.0 * ulp24],
            ),
            (1, 24, 4, vec![0, 0, 0x80, 0xFF, 0xFF, 0xFF, 0x7F, 0x00], vec![-1.0, 1.0 - ulp24]),
            (
                1,
                32,
                4,
                // 2^31 − 1 has 31 bits and rounds to 2^31; 2^24 + 1 in the low bits rounds to even, 2^24.
                vec![
                    0, 0, 0, 0x80, 0xFF, 0xFF, 0xFF, 0x7F, 1, 0, 0, 1, 0, 0, 0, 0xC0, 1, 0, 0, 0, 0, 0, 0, 0,
                ],
                vec![-1.0, 1.0, 1.0 / 128.0, -0.5, 1.0 / 2_147_483_648.0, 0.0],
            ),
            (
                3,
                32,
                4,
                [1.0f32, -0.0, 1e-40, 3.5, f32::MAX, -1e30].iter().flat_map(|v| v.to_le_bytes()).collect(),
                vec![1.0, -0.0, 1e-40, 3.5, f32::MAX, -1e30],
            ),
        ]
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn every_encoding_gives_the_values_written_out_by_hand() {
        for (tag, bits_per_value, bytes, data, expected) in corners() {
            for channels in [1u16, 2] {
                let plain = fmt(tag, channels, 48_000, channels * bytes, bits_per_value);
                for body in [extensible(&plain), [plain.clone(), vec![0, 0]].concat(), plain] {
                    let found = decoded(&riff(&[chunk(b"fmt ", &body), chunk(b"data", &data)])).unwrap();
                    assert_eq!(
                        bits(&found.interleaved),
                        bits(&expected),
                        "{bits_per_value} bits in {bytes} bytes"
                    );
                    assert_eq!((found.channels, found.sample_rate), (channels as u8, 48_000));
                    assert_eq!(found.warnings, Vec::<String>::new());
                }
            }
        }
    }

    #[test]
    fn every_16_bit_value_is_exact() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let found = decoded(&wav16(&all)).unwrap().interleaved;
        assert!(all.iter().zip(found).all(|(value, found)| f64::from(found) == f64::from(*value) / 32_768.0));
    }

    #[test]
    fn files_written_by_hound_read_back_exactly() {
        for channels in [1, 2] {
            for bits_per_sample in [8u16, 16, 24, 32] {
                let spec = hound::WavSpec {
                    channels,
                    sample_rate: 96_000,
                    bits_per_sample,
                    sample_format: hound::SampleFormat::Int,
                };
                let top = (1i64 << (bits_per_sample - 1)) as f64;
                let values: Vec<i32> =
                    (-50..50).map(|n| (f64::from(n) / 50.0 * top).clamp(-top, top - 1.0) as i32).collect();
                let mut file = Cursor::new(Vec::new());
                let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
                values.iter().for_each(|value| writer.write_sample(*value).unwrap());
                writer.finalize().unwrap();
                let found = decoded(file.get_ref()).unwrap();
                let expected: Vec<f32> =
                    values.iter().map(|value| (f64::from(*value) / top) as f32).collect();
                assert_eq!(
                    found,
                    Decoded {
                        interleaved: expected,
                        channels: channels as u8,
                        sample_rate: 96_000,
                        warnings: vec![]
                    }
                );
            }
            let spec = hound::WavSpec {
                channels,
                sample_rate: 8_000,
                bits_per_sample: 32,
                sample_format: hound::SampleFormat::Float,
            };
            let mut file = Cursor::new(Vec::new());
            let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
            [0.1f32, -0.7, 2.5, 1e-30].iter().for_each(|value| writer.write_sample(*value).unwrap());
            writer.finalize().unwrap();
            assert_eq!(decoded(file.get_ref()).unwrap().interleaved, [0.1, -0.7, 2.5, 1e-30]);
        }
    }

    #[test]
    fn the_lowest_and_highest_rate_are_read_and_their_neighbours_refused() {
        let at = |rate| decoded(&riff(&[chunk(b"fmt ", &fmt(1, 1, rate, 2, 16)), chunk(b"data", &[0; 2])]));
        assert_eq!(at(1_000).unwrap().sample_rate, 1_000);
        assert_eq!(at(768_000).unwrap().sample_rate, 768_000);
        for rate in [0, 999, 768_001, u32::MAX] {
            assert!(matches!(at(rate), Err(Fault::Corrupt(_) | Fault::Unsupported(_))));
        }
    }

    #[test]
    fn the_padding_byte_of_a_streamed_file_is_not_heard() {
        let streamed = |bits: u16, data: &[u8]| {
            let bytes = bits / 8;
            let mut file = riff(&[chunk(b"fmt ", &fmt(1, 1, 44_100, bytes, bits)), chunk(b"data", data)]);
            file[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
            decoded(&file).unwrap()
        };
        assert_eq!(streamed(8, &[192, 128, 64]).interleaved, [0.5, 0.0, -0.5], "`chunk` has padded it");
        assert_eq!(streamed(8, &[192, 128, 64, 1]).interleaved.len(), 4);
        let three_bytes = streamed(24, &[0, 0, 0x40]);
        assert_eq!((three_bytes.interleaved.len(), three_bytes.warnings.len()), (1, 1));
    }

    #[test]
    fn values_that_are_not_numbers_become_silence_and_a_warning() {
        let float = |values: &[f32]| {
            let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            decoded(&riff(&[chunk(b"fmt ", &fmt(3, 1, 44_100, 4, 32)), chunk(b"data", &data)])).unwrap()
        };
        let path = Path::new("pad.wav");
        let (sample, warnings) = float(&[f32::NAN, 0.25, f32::INFINITY]).into_sample(path).unwrap();
        assert_eq!(sample.interleaved(), [0.0, 0.25, 0.0]);
        assert_eq!(warnings, ["pad.wav: 2 values are not a finite number up to 10^30 and became 0"]);
        let (_, warnings) = float(&[f32::NAN]).into_sample(path).unwrap();
        assert_eq!(warnings, ["pad.wav: 1 value is not a finite number up to 10^30 and became 0"]);
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

        let flac = dir.file("x.flac", b"fLaC\0\0\0\x22");
        let error = read(&flac).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("\"{}\" is FLAC audio; this version reads WAV", flac.display())
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
        assert_eq!(error.to_string(), format!("\"{}\" is a folder, not a WAV file", dir.path().display()));
        let error = read(&dir.path().join("none.wav")).unwrap_err();
        assert!(matches!(error, LoadError::NotFound { .. }), "{error}");
        assert!(matches!(read(Path::new("a\0b.wav")), Err(LoadError::Invalid { .. })));
        assert!(matches!(read(Path::new("")), Err(LoadError::Invalid { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_device_or_pipe_is_refused_without_waiting_for_it() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "\"/dev/zero\" is a device or pipe, not a WAV file");
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

    /// Small valid files of every encoding, plain and extensible, with chunks around.
    fn small_files() -> Vec<Vec<u8>> {
        let mut files = Vec::new();
        for (tag, bits_per_value, bytes, data, _) in corners() {
            for channels in [1u16, 2] {
                let plain = fmt(tag, channels, 44_100, channels * bytes, bits_per_value);
                files.push(riff(&[chunk(b"fmt ", &plain), chunk(b"data", &data)]));
                files.push(riff(&[
                    chunk(b"LIST", b"INFOx"),
                    chunk(b"fmt ", &extensible(&plain)),
                    chunk(b"data", &data),
                    chunk(b"smpl", &[0; 36]),
                ]));
            }
        }
        files
    }

    /// What holds for every input: no panic, whole frames, and no more values than the file has bytes.
    fn survives(file: &[u8]) {
        if let Ok(found) = decoded(file) {
            assert!(!found.interleaved.is_empty() && found.interleaved.len() <= file.len());
            assert_eq!(found.interleaved.len() % usize::from(found.channels), 0);
            assert!(found.interleaved.capacity() <= file.len());
            assert!(found.into_sample(Path::new("x")).is_ok());
        }
    }

    #[test]
    fn every_truncation_of_small_files_is_survived() {
        for file in small_files() {
            for end in 0..file.len() {
                survives(&file[..end]);
            }
        }
    }

    #[test]
    fn every_flipped_bit_and_every_extreme_byte_of_small_files_is_survived() {
        for file in small_files() {
            for at in 0..file.len() {
                let flips = (0..8).map(|bit| file[at] ^ (1 << bit));
                for byte in flips.chain([0, 1, 0x7F, 0x80, 0xFF]) {
                    let mut broken = file.clone();
                    broken[at] = byte;
                    survives(&broken);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            survives(&bytes);
            survives(&riff(&[bytes]));
        }

        #[test]
        fn any_chunks_are_survived(
            body in proptest::collection::vec(any::<u8>(), 0..48),
            chunks in proptest::collection::vec(
                (prop_oneof![Just(*b"fmt "), Just(*b"data"), Just(*b"LIST"), any::<[u8; 4]>()],
                 prop_oneof![any::<u32>(), 0u32..64],
                 proptest::collection::vec(any::<u8>(), 0..48)), 0..6),
        ) {
            let raw = |id: &[u8; 4], size: u32, body: &[u8]| [&id[..], &size.to_le_bytes(), body].concat();
            let chunks: Vec<_> = chunks.iter().map(|(id, size, body)| raw(id, *size, body)).collect();
            survives(&riff(&chunks));
            survives(&riff(&[vec![chunk(b"fmt ", &fmt(1, 2, 44_100, 4, 16))], chunks.clone()].concat()));
            survives(&riff(&[vec![chunk(b"fmt ", &body)], chunks].concat()));
        }

        #[test]
        fn any_fmt_fields_are_survived(
            tag in prop_oneof![Just(1u16), Just(3), Just(0xFFFE), any::<u16>()],
            channels in prop_oneof![0u16..4, any::<u16>()],
            rate in any::<u32>(),
            block in prop_oneof![0u16..16, any::<u16>()],
            bits in prop_oneof![0u16..72, any::<u16>()],
            data in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let plain = fmt(tag, channels, rate, block, bits);
            for body in [extensible(&plain), plain] {
                survives(&riff(&[chunk(b"fmt ", &body), chunk(b"data", &data)]));
            }
        }

        #[test]
        fn any_number_of_mutations_is_survived(
            which in any::<prop::sample::Index>(),
            mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
            end in any::<prop::sample::Index>(),
        ) {
            let files = small_files();
            let mut file = files[which.index(files.len())].clone();
            for (at, byte) in mutations {
                let at = at.index(file.len());
                file[at] = byte;
            }
            survives(&file);
            survives(&file[..end.index(file.len())]);
        }
    }
}
