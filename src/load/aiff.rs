//! AIFF and AIFC files → interleaved `f32`.
//!
//! A chunk walk like `super::riff`, of big-endian chunks, for the uncompressed and companded sorts; compressed AIFC is
//! refused by name. Sources: "Audio Interchange File Format: AIFF 1.3" (Apple, 1989), "AIFF-C" (Apple, draft of 1991);
//! `sowt` and `in24` are from QuickTime.

use std::io::{BufReader, Read, Seek};

use super::audio::Decoded;
use super::encoding::{Encoding, Kind};
use super::error::Fault;
use super::hints::Hints;
use super::wav::values;
use crate::units::{MAX_SAMPLE_RATE, MIN_SAMPLE_RATE};

/// Most chunks: files have a handful, and a walk needs a bound.
const MAX_CHUNKS: usize = 4096;
/// Bytes of the MARK chunk that are read: hundreds of markers with long names.
const MAX_MARK_BYTES: u64 = 1 << 16;

/// Compression types of other sounds found in the wild.
const OTHER_TYPES: &[(&[u8; 4], &str)] = &[
    (b"ima4", "IMA ADPCM"),
    (b"MAC3", "MACE 3:1"),
    (b"MAC6", "MACE 6:1"),
    (b"ACE2", "ACE 2:1"),
    (b"ACE8", "ACE 8:3"),
    (b"G722", "G.722"),
    (b"G726", "G.726"),
    (b"G728", "G.728"),
    (b"GSM ", "GSM 6.10"),
    (b"QDMC", "QDesign"),
    (b"QDM2", "QDesign"),
    (b"ADP4", "DVI ADPCM"),
    (b"DWVW", "delta with variable word width"),
];

/// What a COMM chunk says.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Common {
    channels: u8,
    frames: u64,
    encoding: Encoding,
    sample_rate: u32,
}

/// Where the SSND chunk's frames are.
struct Sound {
    chunk_at: u64,
    at: u64,
    bytes: u64,
    /// Bytes that the chunk's header says it has.
    said: u64,
}

/// Decodes a file of `len` bytes. The reader is at its start.
pub(super) fn decode<R: Read + Seek>(reader: &mut BufReader<R>, len: u64) -> Result<Decoded, Fault> {
    let (mut common, mut sound) = (None, None);
    let (mut markers, mut inst) = (Vec::new(), Vec::new());
    let mut head = [0; 12];
    reader.read_exact(&mut head)?;
    let compressed = head.ends_with(b"AIFC");
    let mut pos = 12u64;
    let mut chunks = 0;
    while len - pos >= 8 {
        chunks += 1;
        if chunks > MAX_CHUNKS {
            return Err(Fault::Limit(format!("there are more than {MAX_CHUNKS} chunks")));
        }
        let mut header = [0; 8];
        reader.read_exact(&mut header)?;
        let [a, b, c, d, size @ ..] = header;
        let (id, size, at) = ([a, b, c, d], u64::from(u32::from_be_bytes(size)), pos);
        pos += 8;
        let left = len - pos;
        let mut body = |most: u64| -> Result<Vec<u8>, Fault> {
            let mut body = vec![0; most.min(size).min(left) as usize];
            reader.read_exact(&mut body)?;
            reader.seek_relative(-(body.len() as i64))?;
            Ok(body)
        };
        match &id {
            b"COMM" if common.is_none() => common = Some(Common::parse(&body(26)?, at, compressed)?),
            b"SSND" if sound.is_none() => {
                let body = body(8)?;
                let Some([a, b, c, d, ..]) = body.first_chunk::<8>() else {
                    let what = if size < 8 { "it needs 8".into() } else { format!("the file has {left}") };
                    return Err(Fault::Corrupt(format!(
                        "the SSND chunk at byte {at} says {size} bytes, {what}"
                    )));
                };
                let offset = u64::from(u32::from_be_bytes([*a, *b, *c, *d]));
                let start = pos + 8 + offset;
                let end = (pos + size.max(8)).min(len);
                sound = Some(Sound { chunk_at: at, at: start, bytes: end.saturating_sub(start), said: size });
            }
            b"MARK" => markers = body(MAX_MARK_BYTES)?,
            b"INST" => inst = body(20)?,
            _ => {}
        }
        if size > left {
            break; // cut off: what there is of the sound is known
        }
        // Chunks of odd size are padded; the last one's padding may be missing.
        let next = (size + size % 2).min(left);
        reader.seek_relative(next as i64)?;
        pos += next;
    }
    let Some(common) = common else {
        return Err(Fault::Corrupt(format!("there is no COMM chunk in its {len} bytes")));
    };
    let Some(sound) = sound else {
        return Err(Fault::Corrupt(match common.frames {
            0 => "the COMM chunk says 0 frames, and there is no SSND chunk".into(),
            _ => format!("there is no SSND chunk in its {len} bytes"),
        }));
    };
    let frame = u64::from(common.channels) * u64::from(common.encoding.bytes);
    let mut warnings = Vec::new();
    // Streaming writers leave the count at 0, or at anything.
    let wanted = common.frames.saturating_mul(frame);
    let bytes =
        if wanted == 0 { sound.bytes / frame * frame } else { wanted.min(sound.bytes / frame * frame) };
    if bytes == 0 {
        return Err(Fault::Corrupt(format!("the SSND chunk at byte {} is empty (0 frames)", sound.chunk_at)));
    }
    if bytes < wanted && sound.said > sound.bytes + 8 {
        return Err(Fault::Corrupt(format!(
            "the SSND chunk at byte {} says {} bytes, the file has {}",
            sound.chunk_at,
            sound.said,
            len - sound.chunk_at - 8
        )));
    }
    if bytes != wanted {
        warnings.push(format!(
            "the COMM chunk says {} frames, the SSND chunk at byte {} has {}; those are read",
            common.frames,
            sound.chunk_at,
            bytes / frame
        ));
    }
    reader.seek_relative(sound.at as i64 - pos as i64)?;
    let interleaved = values(reader, common.encoding, common.channels, bytes)?;
    let mut hints = Hints::default();
    hints.read_aiff_inst(&inst, |id| marker(&markers, id));
    Ok(Decoded { interleaved, channels: common.channels, sample_rate: common.sample_rate, hints, warnings })
}

/// The frame of a marker in a MARK chunk's body.
fn marker(body: &[u8], id: u16) -> Option<u32> {
    let count = u16::from_be_bytes(*body.first_chunk()?);
    let mut rest = body.get(2..)?;
    for _ in 0..count {
        let [a, b, position @ .., letters] = *rest.first_chunk::<7>()?;
        if u16::from_be_bytes([a, b]) == id {
            return Some(u32::from_be_bytes(position));
        }
        // A Pascal string: its count and letters together are padded to an even length.
        rest = rest.get(6 + (1 + usize::from(letters)).next_multiple_of(2)..)?;
    }
    None
}

impl Common {
    /// Reads the chunk's body, up to and with the compression type. `at`: its place in the file.
    fn parse(body: &[u8], at: u64, compressed: bool) -> Result<Self, Fault> {
        let chunk = format!("the COMM chunk at byte {at}");
        let needed = if compressed { 22 } else { 18 };
        let Some((fixed, rate)) =
            body.first_chunk::<8>().zip(body.get(8..18)).filter(|_| body.len() >= needed)
        else {
            return Err(Fault::Corrupt(format!(
                "{chunk} has {} bytes, it needs at least {needed}",
                body.len()
            )));
        };
        let [c0, c1, f0, f1, f2, f3, b0, b1] = *fixed;
        let channels = match u16::from_be_bytes([c0, c1]) {
            0 => return Err(Fault::Corrupt(format!("{chunk} says 0 channels, 1 or 2 are allowed"))),
            channels @ 1..=2 => channels as u8,
            more => {
                let what = format!("has {more} channels; this version reads mono and stereo");
                return Err(Fault::Unsupported(what));
            }
        };
        let bits = u16::from_be_bytes([b0, b1]);
        let kind = body.get(18..22).filter(|_| compressed).and_then(|kind| kind.first_chunk::<4>());
        let bytes = bits.div_ceil(8);
        let encoding = match kind.unwrap_or(b"NONE") {
            b"NONE" | b"twos" | b"in24" | b"in32" if (1..=32).contains(&bits) => {
                Encoding::big(Kind::Signed, bytes)
            }
            b"sowt" if (1..=32).contains(&bits) => Encoding::little(Kind::Signed, bytes),
            b"raw " if bits <= 8 => Encoding::big(Kind::Unsigned, 1),
            b"fl32" | b"FL32" => Encoding::big(Kind::Float, 4),
            b"fl64" | b"FL64" => Encoding::big(Kind::Float, 8),
            b"ulaw" | b"ULAW" => Encoding::big(Kind::MuLaw, 1),
            b"alaw" | b"ALAW" => Encoding::big(Kind::ALaw, 1),
            b"NONE" | b"twos" | b"sowt" | b"in24" | b"in32" | b"raw " => {
                return Err(match bits {
                    0 => Fault::Corrupt(format!("{chunk} says 0 bits per value")),
                    _ => Fault::Unsupported(format!(
                        "has {bits}-bit values; this version reads 1 to 32-bit AIFF"
                    )),
                });
            }
            other => {
                let code = other.escape_ascii();
                let name = OTHER_TYPES
                    .iter()
                    .find(|(known, _)| *known == other)
                    .map_or("compressed", |(_, name)| name);
                return Err(Fault::Unsupported(format!(
                    "holds {name} audio (type '{code}'); this version reads uncompressed AIFF, and A-law and µ-law"
                )));
            }
        };
        let hz = extended(rate);
        if !(f64::from(MIN_SAMPLE_RATE)..=f64::from(MAX_SAMPLE_RATE)).contains(&hz) {
            return Err(Fault::Unsupported(format!(
                "has a sample rate of {hz} Hz; this version reads {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz"
            )));
        }
        let frames = u64::from(u32::from_be_bytes([f0, f1, f2, f3]));
        Ok(Self { channels, frames, encoding, sample_rate: hz.round() as u32 })
    }
}

/// A number of 80 bits, IEEE 754 "extended": 15 bits of exponent, 64 of fraction with the leading one.
fn extended(bytes: &[u8]) -> f64 {
    let Some(([high, low], fraction)) =
        bytes.first_chunk::<2>().zip(bytes.get(2..10).and_then(|b| b.first_chunk()))
    else {
        return f64::NAN;
    };
    let exponent = i32::from(u16::from_be_bytes([high & 0x7F, *low])) - 16_383 - 63;
    let size = u64::from_be_bytes(*fraction) as f64 * f64::from(exponent).exp2();
    if high & 0x80 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::super::audio::{self, Decoded};
    use super::super::hints::FileLoop;
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut bytes = [&id[..], &(body.len() as u32).to_be_bytes(), body].concat();
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    }

    fn form(kind: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
        let body = [kind.to_vec(), chunks.concat()].concat();
        [b"FORM".to_vec(), (body.len() as u32).to_be_bytes().to_vec(), body].concat()
    }

    /// 44.1 kHz.
    fn comm(channels: u16, frames: u32, bits: u16, kind: Option<&[u8; 4]>) -> Vec<u8> {
        let mut body = [&channels.to_be_bytes()[..], &frames.to_be_bytes(), &bits.to_be_bytes()].concat();
        body.extend([0x40, 0x0E, 0xAC, 0x44, 0, 0, 0, 0, 0, 0]);
        kind.into_iter().for_each(|kind| body.extend(kind.iter().chain(&[0, 0])));
        chunk(b"COMM", &body)
    }

    fn ssnd(data: &[u8]) -> Vec<u8> {
        chunk(b"SSND", &[&[0; 8], data].concat())
    }

    fn read(file: &[u8]) -> Result<Decoded, String> {
        audio::read_bytes(file, Path::new("x")).map_err(|error| error.to_string())
    }

    #[test]
    fn every_encoding_gives_the_values_written_out_by_hand() {
        for (kind, bits, data, values) in [
            (None, 16, &[0x80, 0, 0x40, 0, 0, 1][..], &[-1.0, 0.5, 1.0 / 32_768.0][..]),
            (None, 8, &[0x80, 0x40, 0], &[-1.0, 0.5, 0.0]),
            (None, 12, &[0x80, 0, 0x7F, 0xF0], &[-1.0, 2047.0 / 2048.0]),
            (None, 24, &[0x80, 0, 0, 0, 0, 1], &[-1.0, 1.0 / 8_388_608.0]),
            (None, 32, &[0x80, 0, 0, 0, 0x20, 0, 0, 0], &[-1.0, 0.25]),
            (Some(b"NONE"), 16, &[0x40, 0], &[0.5]),
            (Some(b"sowt"), 16, &[0, 0x40], &[0.5]),
            (Some(b"raw "), 8, &[0, 192], &[-1.0, 0.5]),
            (Some(b"fl32"), 32, &[0x3F, 0x80, 0, 0], &[1.0]),
            (Some(b"FL64"), 64, &[0x3F, 0xE0, 0, 0, 0, 0, 0, 0], &[0.5]),
            (Some(b"ulaw"), 16, &[0x80, 0xFF], &[8031.0 / 8192.0, 0.0]),
            (Some(b"alaw"), 16, &[0xAA], &[4032.0 / 4096.0]),
        ] {
            let form_kind = if kind.is_some() { b"AIFC" } else { b"AIFF" };
            let frames = values.len() as u32;
            let found = read(&form(form_kind, &[comm(1, frames, bits, kind), ssnd(data)])).unwrap();
            assert_eq!(found.interleaved, values, "{kind:?} {bits}");
            assert_eq!((found.channels, found.sample_rate), (1, 44_100));
            assert_eq!(found.warnings, Vec::<String>::new());
        }
    }

    #[test]
    fn sound_may_come_first_and_markers_give_loops() {
        let mark =
            [&[0, 2][..], &[0, 1, 0, 0, 0, 1, 3, b'a', b'b', b'c'], &[0, 2, 0, 0, 0, 3, 0, 0]].concat();
        let inst =
            [[65, 0, 0, 127, 1, 127, 0, 0].as_slice(), &[0, 1, 0, 1, 0, 2], &[0, 0, 0, 0, 0, 0]].concat();
        let chunks = [ssnd(&[0; 8]), chunk(b"MARK", &mark), chunk(b"INST", &inst), comm(2, 2, 16, None)];
        let found = read(&form(b"AIFF", &chunks)).unwrap();
        assert_eq!((found.interleaved.len(), found.hints.root_key), (4, Some(65.0)));
        assert_eq!(
            found.warnings,
            ["x: 1 loop lies outside the sound and is left out"].map(String::from).to_vec()[..0],
            "one frame too far is forgiven"
        );
        assert_eq!(found.hints.loops, [FileLoop { start: 1, end: 2, alternate: false }]);
        assert_eq!(marker(&mark, 2), Some(3));
        assert_eq!(marker(&mark, 3), None);
    }

    #[test]
    fn what_does_not_add_up_is_named() {
        let data = ssnd(&[0; 8]);
        for (file, message) in [
            (
                form(b"AIFF", std::slice::from_ref(&data)),
                "cannot read \"x\": there is no COMM chunk in its 36 bytes",
            ),
            (
                form(b"AIFF", &[comm(1, 4, 16, None)]),
                "cannot read \"x\": there is no SSND chunk in its 38 bytes",
            ),
            (
                form(b"AIFF", &[chunk(b"COMM", &[0; 10]), data.clone()]),
                "cannot read \"x\": the COMM chunk at byte 12 has 10 bytes, it needs at least 18",
            ),
            (
                form(b"AIFF", &[comm(1, 4, 16, None), data.clone()])[..50].to_vec(),
                "cannot read \"x\": the SSND chunk at byte 38 says 16 bytes, the file has 4",
            ),
            (
                form(b"AIFF", &[comm(1, 4, 16, None), data.clone()])[..56].to_vec(),
                "cannot read \"x\": the SSND chunk at byte 38 says 16 bytes, the file has 10",
            ),
            (
                form(b"AIFF", &[comm(6, 4, 16, None), data.clone()]),
                "\"x\" has 6 channels; this version reads mono and stereo",
            ),
            (
                form(b"AIFC", &[comm(1, 4, 16, Some(b"ima4")), data.clone()]),
                "\"x\" holds IMA ADPCM audio (type 'ima4'); this version reads uncompressed AIFF, and A-law and µ-law",
            ),
            (
                form(b"AIFF", &[comm(1, 4, 48, None), data.clone()]),
                "\"x\" has 48-bit values; this version reads 1 to 32-bit AIFF",
            ),
        ] {
            assert_eq!(read(&file).unwrap_err(), message);
        }
        let found = read(&form(b"AIFF", &[comm(1, 9, 16, None), data.clone()])).unwrap();
        let warning = "x: the COMM chunk says 9 frames, the SSND chunk at byte 38 has 4; those are read";
        assert_eq!((found.interleaved.len(), &found.warnings[0][..]), (4, warning));
    }

    #[test]
    fn rates_are_numbers_of_80_bits() {
        assert_eq!(extended(&[0x40, 0x0E, 0xBB, 0x80, 0, 0, 0, 0, 0, 0]), 48_000.0);
        assert_eq!(extended(&[0x40, 0x0D, 0xAC, 0x44, 0, 0, 0, 0, 0, 0]), 22_050.0);
        assert_eq!(extended(&[0xBF, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0]), -1.0);
        assert!(extended(&[0; 4]).is_nan());
    }

    proptest! {
        #[test]
        fn any_mutation_and_cut_is_survived(
            mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            end in any::<prop::sample::Index>(),
        ) {
            let mark = chunk(b"MARK", &[0, 1, 0, 1, 0, 0, 0, 1, 1, b'a']);
            let inst = chunk(b"INST", &[0; 20]);
            let mut file = form(b"AIFC", &[comm(1, 4, 16, Some(b"sowt")), mark, inst, ssnd(&[0; 8])]);
            for (at, byte) in mutations {
                let at = at.index(file.len());
                file[at] = byte;
            }
            for file in [&file[..], &file[..end.index(file.len())]] {
                if let Ok(found) = read(file) {
                    prop_assert!(!found.interleaved.is_empty() && found.interleaved.capacity() <= file.len());
                }
            }
        }
    }
}
