//! WAV files → interleaved `f32`.
//!
//! `super::riff` walks the chunks and refuses what does not add up; hound then decodes what it knows. It is given a
//! plain header of our own making and the data's bytes, not the file: it panics on nothing that way, and what it is
//! strict about (sizes of the fmt chunk, byte rates, padding) no longer matters. Everything else (`super::encoding`:
//! big-endian, 64 bits, companded) is read value by value, as AIFF is.

use std::io::{self, BufReader, Cursor, Read, Seek};

use super::audio::{Decoded, reserve};
use super::encoding::{Encoding, Kind};
use super::error::Fault;
use super::riff::{self, Layout};
use super::wave_format::WaveFormat;

/// Decodes a file of `len` bytes. The reader is at its start.
pub(super) fn decode<R: Read + Seek>(reader: &mut BufReader<R>, len: u64) -> Result<Decoded, Fault> {
    let layout = riff::walk(reader, len)?;
    let Layout { format, data_bytes, may_end_in_padding, mut hints, rest, warnings } = layout;
    let WaveFormat { encoding, channels, sample_rate } = format;
    let mut interleaved = if encoding.is_hounds() {
        hounds_values(reader, format, data_bytes)?
    } else {
        values(reader, encoding, channels, data_bytes)?
    };
    rest.read_hints(reader, data_bytes, len, &mut hints)?;
    // In 8 bits a padding byte of 0 reads as −1: a click at full scale. If it was no padding, one frame is lost.
    if may_end_in_padding && interleaved.len() > 1 && interleaved.last() == Some(&-1.0) {
        interleaved.pop();
    }
    Ok(Decoded { interleaved, channels, sample_rate, hints, warnings })
}

/// Reads so many bytes of values: as many as the reader is known to have, and whole values.
pub(super) fn values<R: Read>(
    reader: &mut R,
    encoding: Encoding,
    channels: u8,
    data_bytes: u64,
) -> Result<Vec<f32>, Fault> {
    let size = usize::from(encoding.bytes);
    let mut interleaved = reserve(data_bytes / size as u64, channels)?;
    let mut buffer = [0; 8 * 1024];
    let buffer_bytes = buffer.len() / size * size;
    let mut left = data_bytes / size as u64 * size as u64;
    while left > 0 {
        let bytes = &mut buffer[..left.min(buffer_bytes as u64) as usize];
        reader.read_exact(bytes)?;
        left -= bytes.len() as u64;
        interleaved.extend(bytes.chunks_exact(size).map(|value| encoding.value(value)));
    }
    Ok(interleaved)
}

fn hounds_values<R: Read>(reader: &mut R, format: WaveFormat, data_bytes: u64) -> Result<Vec<f32>, Fault> {
    let WaveFormat { encoding, channels, .. } = format;
    let mut interleaved = reserve(data_bytes / u64::from(encoding.bytes), channels)?;
    // What was reserved is at most 2^30 values of at most 4 bytes.
    let header = Cursor::new(format.plain_header(data_bytes as u32));
    let mut wav = hound::WavReader::new(header.chain(reader.take(data_bytes))).map_err(of_hound)?;
    if encoding.kind == Kind::Float {
        for value in wav.samples::<f32>() {
            interleaved.push(value.map_err(of_hound)?);
        }
    } else {
        let scale = 0.5f32.powi(i32::from(encoding.bits) - 1);
        for value in wav.samples::<i32>() {
            interleaved.push(value.map_err(of_hound)? as f32 * scale);
        }
    }
    Ok(interleaved)
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

#[cfg(test)]
mod tests {
    use super::super::audio::{self, Meter};
    use super::super::testing::{chunk, extensible, fmt, riff, wav16};
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn decoded(file: &[u8]) -> Result<Decoded, Fault> {
        audio::decode(Cursor::new(file), file.len() as u64, &Meter::default())
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
            (
                1,
                64,
                8,
                [i64::MIN, 1 << 62, 0, 0].iter().flat_map(|v| v.to_le_bytes()).collect(),
                vec![-1.0, 0.5, 0.0, 0.0],
            ),
            (3, 64, 8, [0.1f64, -2.5].iter().flat_map(|v| v.to_le_bytes()).collect(), vec![0.1, -2.5]),
            (7, 8, 1, vec![0x80, 0xFF], vec![8031.0 / 8192.0, 0.0]),
            (6, 8, 1, vec![0xAA, 0x2A], vec![4032.0 / 4096.0, -4032.0 / 4096.0]),
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
                        hints: Default::default(),
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
            assert!(found.into_audio(Path::new("x")).is_ok());
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
