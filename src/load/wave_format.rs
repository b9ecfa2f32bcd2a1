//! The fmt chunk: how the values of a WAV file are written.
//!
//! Every field is checked against every other here, so that what reaches the decoder is an encoding that it has.
//! Source: Microsoft "Multiple Channel Audio Data and WAVE Files" (WAVEFORMATEX, WAVEFORMATEXTENSIBLE), mmreg.h.

use super::encoding::{Encoding, Kind};
use super::error::Fault;
use crate::units::{MAX_SAMPLE_RATE, MIN_SAMPLE_RATE};

/// A fmt chunk that makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WaveFormat {
    pub(super) encoding: Encoding,
    /// 1 or 2.
    pub(super) channels: u8,
    /// Hz, within [`MIN_SAMPLE_RATE`]..=[`MAX_SAMPLE_RATE`].
    pub(super) sample_rate: u32,
}

const PCM: u16 = 0x0001;
const IEEE_FLOAT: u16 = 0x0003;
const A_LAW: u16 = 0x0006;
const MU_LAW: u16 = 0x0007;
const EXTENSIBLE: u16 = 0xFFFE;

/// Bytes of a whole WAVEFORMATEXTENSIBLE.
pub(super) const LONGEST: usize = 40;

/// The fourteen bytes that follow the format tag in the GUID of every sub-format that has a tag.
const SUBFORMAT_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

/// The same where the GUID's first three fields are big-endian.
const BIG_SUBFORMAT_TAIL: [u8; 14] = [0, 0, 0, 0, 0, 0x10, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

/// Format tags of other encodings found in the wild (mmreg.h).
const OTHER_TAGS: &[(u16, &str)] = &[
    (0x0002, "Microsoft ADPCM"),
    (0x0011, "IMA ADPCM"),
    (0x0031, "GSM 6.10"),
    (0x0050, "MPEG"),
    (0x0055, "MP3"),
    (0x00FF, "AAC"),
    (0x0161, "Windows Media"),
    (0x566F, "Vorbis"),
    (0xF1AC, "FLAC"),
];

impl WaveFormat {
    /// Reads the chunk's body.
    ///
    /// - `body`: its first bytes, up to [`LONGEST`].   - `size`: what its header says.   - `at`: its place in the
    ///   file, for the message.   - `big_endian`: of a RIFX file, whose values are the other way round, too.
    pub(super) fn parse(body: &[u8], size: u32, at: u64, big_endian: bool) -> Result<Self, Fault> {
        let chunk = format!("the fmt chunk at byte {at}");
        let u16_at = |i: usize| {
            let bytes = *body.get(i..i + 2)?.first_chunk()?;
            Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        let u32_at = |i: usize| {
            let bytes = *body.get(i..i + 4)?.first_chunk()?;
            Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
        };
        let (Some(tag), Some(channels), Some(rate), Some(block), Some(bits)) =
            (u16_at(0), u16_at(2), u32_at(4), u16_at(12), u16_at(14))
        else {
            return Err(Fault::Corrupt(format!("{chunk} has {size} bytes, it needs at least 16")));
        };
        let tag = if tag == EXTENSIBLE {
            let Some(guid) = body.get(24..40) else {
                return Err(Fault::Corrupt(format!("{chunk} has {size} bytes, an extensible one needs 40")));
            };
            let known = guid.get(2..) == Some(&SUBFORMAT_TAIL)
                || (big_endian && guid.get(4..) == BIG_SUBFORMAT_TAIL.get(2..));
            if !known {
                return Err(Fault::Unsupported(
                    "has an unknown sub-format in its extensible header; this version reads uncompressed WAV"
                        .into(),
                ));
            }
            // The GUID's first field is 32 bits: in a big-endian file its low half comes second.
            let tag = u16_at(24).unwrap_or(EXTENSIBLE);
            if big_endian && tag == 0 { u16_at(26).unwrap_or(EXTENSIBLE) } else { tag }
        } else {
            tag
        };
        if ![PCM, IEEE_FLOAT, A_LAW, MU_LAW].contains(&tag) {
            let name =
                OTHER_TAGS.iter().find(|(other, _)| *other == tag).map_or("compressed", |(_, name)| name);
            return Err(Fault::Unsupported(format!(
                "holds {name} audio (format tag 0x{tag:04X}); this version reads uncompressed WAV"
            )));
        }
        match channels {
            0 => return Err(Fault::Corrupt(format!("{chunk} says 0 channels, 1 or 2 are allowed"))),
            1 | 2 => {}
            more => {
                let what = format!("has {more} channels; this version reads mono and stereo");
                return Err(Fault::Unsupported(what));
            }
        }
        if rate == 0 {
            return Err(Fault::Corrupt(format!(
                "{chunk} says 0 Hz, {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} are allowed"
            )));
        }
        if !(MIN_SAMPLE_RATE..=MAX_SAMPLE_RATE).contains(&rate) {
            return Err(Fault::Unsupported(format!(
                "has a sample rate of {rate} Hz; this version reads {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz"
            )));
        }
        // `bits` is the container's size in an extensible header; fewer valid bits are left-justified in it, so
        // reading the whole container is right whatever wValidBitsPerSample says.
        let per_value = (block % channels == 0).then_some(block / channels);
        let (kind, bytes) = match (tag, bits) {
            (PCM | IEEE_FLOAT, 0) => return Err(Fault::Corrupt(format!("{chunk} says 0 bits per value"))),
            (PCM, 1..=8) => (Kind::Unsigned, 1),
            (PCM, 24) if per_value == Some(4) => (Kind::Signed, 4),
            (PCM, 9..=64) => (Kind::Signed, bits.div_ceil(8)),
            (IEEE_FLOAT, 32 | 64) => (Kind::Float, bits / 8),
            (A_LAW, 8) => (Kind::ALaw, 1),
            (MU_LAW, 8) => (Kind::MuLaw, 1),
            _ => {
                let kind = match tag {
                    PCM => "integer",
                    IEEE_FLOAT => "float",
                    _ => "companded",
                };
                return Err(Fault::Unsupported(format!(
                    "has {bits}-bit {kind} values; this version reads 1 to 64-bit integer, 32 and 64-bit float, and 8-bit A-law and µ-law"
                )));
            }
        };
        if per_value != Some(bytes) {
            return Err(Fault::Corrupt(format!(
                "{chunk} says {channels} × {bits} bits, but {block} bytes per frame; {} would fit",
                channels * bytes
            )));
        }
        let in_four = kind == Kind::Signed && bits == 24 && bytes == 4;
        let bits = if in_four { 24 } else { 8 * bytes };
        let encoding = Encoding { kind, bytes, bits, big_endian };
        // nAvgBytesPerSec is redundant and often wrong; nothing here depends on it.
        Ok(Self { encoding, channels: channels as u8, sample_rate: rate })
    }

    /// Bytes per frame.
    pub(super) fn frame_bytes(&self) -> u16 {
        u16::from(self.channels) * self.encoding.bytes
    }

    /// The plainest header of a WAV file with this format and so many bytes of data: 44 bytes, consistent by
    /// construction. For encodings that are hound's.
    pub(super) fn plain_header(&self, data_bytes: u32) -> [u8; 44] {
        let mut header = [0; 44];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            header[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        let tag = if self.encoding.kind == Kind::Float { IEEE_FLOAT } else { PCM };
        put(b"RIFF");
        put(&data_bytes.saturating_add(36).to_le_bytes());
        put(b"WAVEfmt ");
        put(&16u32.to_le_bytes());
        put(&tag.to_le_bytes());
        put(&u16::from(self.channels).to_le_bytes());
        put(&self.sample_rate.to_le_bytes());
        put(&(self.sample_rate * u32::from(self.frame_bytes())).to_le_bytes()); // 768 000 × 8 fits easily
        put(&self.frame_bytes().to_le_bytes());
        put(&self.encoding.bits.to_le_bytes());
        put(b"data");
        put(&data_bytes.to_le_bytes());
        header
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{extensible, fmt};
    use super::*;

    fn parse(body: &[u8]) -> Result<WaveFormat, String> {
        WaveFormat::parse(body, body.len() as u32, 12, false).map_err(|fault| match fault {
            Fault::Corrupt(what) => format!("corrupt: {what}"),
            Fault::Unsupported(what) => format!("unsupported: {what}"),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn every_encoding_is_recognised_plain_and_extensible() {
        let in_four = Encoding { bits: 24, ..Encoding::little(Kind::Signed, 4) };
        for (tag, bits, encoding) in [
            (1, 8, Encoding::little(Kind::Unsigned, 1)),
            (1, 4, Encoding::little(Kind::Unsigned, 1)),
            (1, 12, Encoding::little(Kind::Signed, 2)),
            (1, 16, Encoding::little(Kind::Signed, 2)),
            (1, 20, Encoding::little(Kind::Signed, 3)),
            (1, 24, Encoding::little(Kind::Signed, 3)),
            (1, 24, in_four),
            (1, 32, Encoding::little(Kind::Signed, 4)),
            (1, 64, Encoding::little(Kind::Signed, 8)),
            (3, 32, Encoding::little(Kind::Float, 4)),
            (3, 64, Encoding::little(Kind::Float, 8)),
            (6, 8, Encoding::little(Kind::ALaw, 1)),
            (7, 8, Encoding::little(Kind::MuLaw, 1)),
        ] {
            for channels in [1u16, 2] {
                let expected = WaveFormat { encoding, channels: channels as u8, sample_rate: 44_100 };
                let plain = fmt(tag, channels, 44_100, channels * encoding.bytes, bits);
                assert_eq!(parse(&plain), Ok(expected));
                assert_eq!(parse(&extensible(&plain)), Ok(expected));
                if encoding.is_hounds() {
                    assert_eq!(parse(&expected.plain_header(0)[20..36]), Ok(expected));
                }
            }
        }
    }

    #[test]
    fn the_other_byte_order_says_the_same() {
        let encoding = Encoding::big(Kind::Signed, 3);
        let expected = WaveFormat { encoding, channels: 2, sample_rate: 48_000 };
        let mut plain = vec![0, 1, 0, 2, 0, 0, 0xBB, 0x80, 0, 4, 0x65, 0, 0, 6, 0, 24];
        assert_eq!(WaveFormat::parse(&plain, 16, 12, true).ok(), Some(expected));
        plain[..2].copy_from_slice(&[0xFF, 0xFE]);
        plain.extend([0, 22, 0, 24, 0, 0, 0, 3]);
        for guid in [[0, 0, 0, 1, 0, 0, 0, 0x10], [1, 0, 0, 0, 0, 0, 0x10, 0]] {
            let body = [&plain[..], &guid, &[0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]].concat();
            let found = WaveFormat::parse(&body, 40, 12, true);
            assert_eq!(found.ok(), Some(expected).filter(|_| guid[3] == 1), "{guid:x?}");
        }
    }

    #[test]
    fn contradictions_are_named_with_their_figures() {
        for (body, message) in [
            (
                fmt(1, 2, 44_100, 3, 16),
                "corrupt: the fmt chunk at byte 12 says 2 × 16 bits, but 3 bytes per frame; 4 would fit",
            ),
            (
                fmt(1, 1, 44_100, 0, 8),
                "corrupt: the fmt chunk at byte 12 says 1 × 8 bits, but 0 bytes per frame; 1 would fit",
            ),
            (
                fmt(3, 2, 44_100, 65535, 32),
                "corrupt: the fmt chunk at byte 12 says 2 × 32 bits, but 65535 bytes per frame; 8 would fit",
            ),
            (
                fmt(1, 0, 44_100, 2, 16),
                "corrupt: the fmt chunk at byte 12 says 0 channels, 1 or 2 are allowed",
            ),
            (fmt(1, 6, 44_100, 12, 16), "unsupported: has 6 channels; this version reads mono and stereo"),
            (fmt(1, 1, 0, 2, 16), "corrupt: the fmt chunk at byte 12 says 0 Hz, 1000 to 768000 are allowed"),
            (
                fmt(1, 1, 10_000_000, 2, 16),
                "unsupported: has a sample rate of 10000000 Hz; this version reads 1000 to 768000 Hz",
            ),
            (fmt(1, 1, 44_100, 2, 0), "corrupt: the fmt chunk at byte 12 says 0 bits per value"),
            (
                fmt(1, 1, 44_100, 9, 72),
                "unsupported: has 72-bit integer values; this version reads 1 to 64-bit integer, 32 and 64-bit float, and 8-bit A-law and µ-law",
            ),
            (
                fmt(3, 1, 44_100, 2, 16),
                "unsupported: has 16-bit float values; this version reads 1 to 64-bit integer, 32 and 64-bit float, and 8-bit A-law and µ-law",
            ),
            (
                fmt(0x11, 1, 8_000, 512, 4),
                "unsupported: holds IMA ADPCM audio (format tag 0x0011); this version reads uncompressed WAV",
            ),
            (
                fmt(0x1234, 1, 8_000, 1, 8),
                "unsupported: holds compressed audio (format tag 0x1234); this version reads uncompressed WAV",
            ),
            (vec![1, 0, 1, 0], "corrupt: the fmt chunk at byte 12 has 4 bytes, it needs at least 16"),
            (
                fmt(0xFFFE, 1, 44_100, 2, 16),
                "corrupt: the fmt chunk at byte 12 has 16 bytes, an extensible one needs 40",
            ),
            (
                extensible(&fmt(2, 1, 44_100, 2, 16)),
                "unsupported: holds Microsoft ADPCM audio (format tag 0x0002); this version reads uncompressed WAV",
            ),
        ] {
            assert_eq!(parse(&body).unwrap_err(), message);
        }
        let mut ambisonic = extensible(&fmt(1, 1, 44_100, 2, 16));
        ambisonic[30] ^= 1;
        assert_eq!(
            parse(&ambisonic).unwrap_err(),
            "unsupported: has an unknown sub-format in its extensible header; this version reads uncompressed WAV"
        );
    }
}
