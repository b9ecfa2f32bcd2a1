//! The fmt chunk: how the values of a WAV file are written.
//!
//! Every field is checked against every other here, so that what reaches the decoder is one of six encodings.
//! Source: Microsoft "Multiple Channel Audio Data and WAVE Files" (WAVEFORMATEX, WAVEFORMATEXTENSIBLE), mmreg.h.

use super::error::Fault;
use crate::units::{MAX_SAMPLE_RATE, MIN_SAMPLE_RATE};

/// How one value is written, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Unsigned, 128 is silence.
    Int8,
    Int16,
    Int24,
    /// 24 bits in the low three of four bytes, as `arecord -f S24_LE` writes them.
    Int24In4,
    Int32,
    Float32,
}

impl Encoding {
    /// Bytes per value.
    pub(super) fn bytes(self) -> u16 {
        match self {
            Self::Int8 => 1,
            Self::Int16 => 2,
            Self::Int24 => 3,
            Self::Int24In4 | Self::Int32 | Self::Float32 => 4,
        }
    }

    /// Bits that mean something.
    pub(super) fn bits(self) -> u16 {
        match self {
            Self::Int24In4 => 24,
            other => other.bytes() * 8,
        }
    }
}

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
const EXTENSIBLE: u16 = 0xFFFE;

/// Bytes of a whole WAVEFORMATEXTENSIBLE.
pub(super) const LONGEST: usize = 40;

/// The fourteen bytes that follow the format tag in the GUID of every sub-format that has a tag.
const SUBFORMAT_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

/// Format tags of other encodings found in the wild (mmreg.h).
const OTHER_TAGS: &[(u16, &str)] = &[
    (0x0002, "Microsoft ADPCM"),
    (0x0006, "A-law"),
    (0x0007, "µ-law"),
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
    ///   file, for the message.
    pub(super) fn parse(body: &[u8], size: u32, at: u64) -> Result<Self, Fault> {
        let chunk = format!("the fmt chunk at byte {at}");
        let u16_at = |i: usize| Some(u16::from_le_bytes(body.get(i..i + 2)?.try_into().ok()?));
        let u32_at = |i: usize| Some(u32::from_le_bytes(body.get(i..i + 4)?.try_into().ok()?));
        let (Some(tag), Some(channels), Some(rate), Some(block), Some(bits)) =
            (u16_at(0), u16_at(2), u32_at(4), u16_at(12), u16_at(14))
        else {
            return Err(Fault::Corrupt(format!("{chunk} has {size} bytes, it needs at least 16")));
        };
        let tag = if tag == EXTENSIBLE {
            let Some(guid) = body.get(24..40) else {
                return Err(Fault::Corrupt(format!("{chunk} has {size} bytes, an extensible one needs 40")));
            };
            if guid.get(2..) != Some(&SUBFORMAT_TAIL) {
                return Err(Fault::Unsupported(
                    "has an unknown sub-format in its extensible header; this version reads uncompressed WAV"
                        .into(),
                ));
            }
            u16_at(24).unwrap_or(EXTENSIBLE)
        } else {
            tag
        };
        if tag != PCM && tag != IEEE_FLOAT {
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
        let encoding = match (tag, bits, per_value) {
            (PCM, 8, _) => Encoding::Int8,
            (PCM, 16, _) => Encoding::Int16,
            (PCM, 24, Some(4)) => Encoding::Int24In4,
            (PCM, 24, _) => Encoding::Int24,
            (PCM, 32, _) => Encoding::Int32,
            (IEEE_FLOAT, 32, _) => Encoding::Float32,
            (_, 0, _) => return Err(Fault::Corrupt(format!("{chunk} says 0 bits per value"))),
            _ => {
                let kind = if tag == PCM { "integer" } else { "float" };
                return Err(Fault::Unsupported(format!(
                    "has {bits}-bit {kind} values; this version reads 8, 16, 24 and 32-bit integer and 32-bit float"
                )));
            }
        };
        if per_value != Some(encoding.bytes()) {
            return Err(Fault::Corrupt(format!(
                "{chunk} says {channels} × {bits} bits, but {block} bytes per frame; {} would fit",
                channels * encoding.bytes()
            )));
        }
        // nAvgBytesPerSec is redundant and often wrong; nothing here depends on it.
        Ok(Self { encoding, channels: channels as u8, sample_rate: rate })
    }

    /// Bytes per frame.
    pub(super) fn frame_bytes(&self) -> u16 {
        u16::from(self.channels) * self.encoding.bytes()
    }

    /// The plainest header of a WAV file with this format and so many bytes of data: 44 bytes, consistent by
    /// construction.
    pub(super) fn plain_header(&self, data_bytes: u32) -> [u8; 44] {
        let mut header = [0; 44];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            header[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        let tag = if self.encoding == Encoding::Float32 { IEEE_FLOAT } else { PCM };
        put(b"RIFF");
        put(&data_bytes.saturating_add(36).to_le_bytes());
        put(b"WAVEfmt ");
        put(&16u32.to_le_bytes());
        put(&tag.to_le_bytes());
        put(&u16::from(self.channels).to_le_bytes());
        put(&self.sample_rate.to_le_bytes());
        put(&(self.sample_rate * u32::from(self.frame_bytes())).to_le_bytes()); // 768 000 × 8 fits easily
        put(&self.frame_bytes().to_le_bytes());
        put(&self.encoding.bits().to_le_bytes());
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
        WaveFormat::parse(body, body.len() as u32, 12).map_err(|fault| match fault {
            Fault::Corrupt(what) => format!("corrupt: {what}"),
            Fault::Unsupported(what) => format!("unsupported: {what}"),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn all_six_encodings_are_recognised_plain_and_extensible() {
        for (tag, bits, bytes, encoding) in [
            (1, 8, 1, Encoding::Int8),
            (1, 16, 2, Encoding::Int16),
            (1, 24, 3, Encoding::Int24),
            (1, 24, 4, Encoding::Int24In4),
            (1, 32, 4, Encoding::Int32),
            (3, 32, 4, Encoding::Float32),
        ] {
            for channels in [1u16, 2] {
                let expected = WaveFormat { encoding, channels: channels as u8, sample_rate: 44_100 };
                let plain = fmt(tag, channels, 44_100, channels * bytes, bits);
                assert_eq!(parse(&plain), Ok(expected));
                assert_eq!(parse(&extensible(&plain)), Ok(expected));
                assert_eq!(parse(&expected.plain_header(0)[20..36]), Ok(expected));
            }
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
                fmt(1, 1, 44_100, 2, 12),
                "unsupported: has 12-bit integer values; this version reads 8, 16, 24 and 32-bit integer and 32-bit float",
            ),
            (
                fmt(3, 1, 44_100, 8, 64),
                "unsupported: has 64-bit float values; this version reads 8, 16, 24 and 32-bit integer and 32-bit float",
            ),
            (
                fmt(7, 1, 8_000, 1, 8),
                "unsupported: holds µ-law audio (format tag 0x0007); this version reads uncompressed WAV",
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
