//! What a file is, from its first bytes: so that a FLAC called `.wav` is read as a FLAC.
//!
//! No decoding. A file's own bytes are believed before its extension; the extension speaks for text
//! formats, which have no signature.

use std::path::Path;

/// The first bytes that [`name_of`] wants to see.
pub(super) const HEAD_BYTES: usize = 16;

/// Sound that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Wav,
    Aiff,
    Flac,
    Ogg,
    Mp3,
}

/// What is read, as the end of a message.
pub(super) const READ_HERE: &str = "this version reads WAV, AIFF, FLAC, Ogg Vorbis and MP3";

/// Extensions of sound that is read, in lower case.
pub(super) const AUDIO: &[&str] =
    &["wav", "wave", "bwf", "rf64", "aif", "aiff", "aifc", "flac", "ogg", "oga", "mp3"];

/// The format of a file that begins with `head`, if it is read.
pub(super) fn format_of(head: &[u8]) -> Option<Format> {
    match head {
        [b'R', b'I', b'F', b'F' | b'X', _, _, _, _, b'W', b'A', b'V', b'E', ..]
        | [b'R', b'F', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..]
        | [b'B', b'W', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some(Format::Wav),
        [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', b'F' | b'C', ..] => Some(Format::Aiff),
        [b'f', b'L', b'a', b'C', ..] => Some(Format::Flac),
        [b'O', b'g', b'g', b'S', ..] => Some(Format::Ogg),
        [b'I', b'D', b'3', ..] => Some(Format::Mp3),
        // An MPEG audio frame without a tag: eleven set bits, then layer III (01). Source: ISO 11172-3, 2.4.1.3.
        [0xFF, b, ..] if b & 0xE6 == 0xE2 => Some(Format::Mp3),
        _ => None,
    }
}

/// Offset, signature, what it is.
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (0, b"riff\x2e\x91\xcf\x11", "a Sony Wave64 file"),
    (8, b"sfbk", "a SoundFont"),
    (8, b"AVI ", "an AVI video"),
    (0, b"caff", "Core Audio (CAF)"),
    (0, b".snd", "AU audio"),
    (0, b"wvpk", "WavPack audio"),
    (4, b"ftyp", "MPEG-4 audio"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
];

/// Extension, what it is.
const EXTENSIONS: &[(&str, &str)] = &[
    ("sfz", "an SFZ instrument"),
    ("dspreset", "a Decent Sampler preset"),
    ("json", "a JSON file"),
    ("mid", "a MIDI file"),
    ("midi", "a MIDI file"),
];

/// What a file that begins with `head` is, if it is known and not read as sound.
pub(super) fn name_of(head: &[u8]) -> Option<&'static str> {
    let known =
        |(at, sign, _): &&(usize, &[u8], &str)| head.get(*at..).is_some_and(|rest| rest.starts_with(sign));
    SIGNATURES.iter().find(known).map(|(_, _, name)| *name)
}

/// What the extension promises, if it is known and not sound.
pub(super) fn name_by_extension(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, name)| *name)
}

/// Extensions of sound that is not read: a folder says so when it leaves them out.
pub(super) const OTHER_AUDIO: &[&str] = &["au", "caf", "m4a", "opus", "w64", "wma", "wv"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_files_are_called_by_their_names() {
        for (head, name) in [
            (&b"RIFF\x10\0\0\0sfbkLIST"[..], "a SoundFont"),
            (b"\0\0\0\x20ftypM4A ", "MPEG-4 audio"),
            (b"caff\0\x01", "Core Audio (CAF)"),
        ] {
            assert_eq!((name_of(head), format_of(head)), (Some(name), None));
        }
        for (head, format) in [
            (&b"fLaC\0\0\0\x22"[..], Format::Flac),
            (b"OggS\0\x02", Format::Ogg),
            (b"ID3\x04\0", Format::Mp3),
            (b"\xff\xfb\x90\x64", Format::Mp3),
            (b"FORM\0\0\0\x10AIFFCOMM", Format::Aiff),
            (b"RIFX\x10\0\0\0WAVEfmt ", Format::Wav),
            (b"RF64\xff\xff\xff\xffWAVE", Format::Wav),
        ] {
            assert_eq!((name_of(head), format_of(head)), (None, Some(format)));
        }
        for head in [&b"RIFF\x24\0\0\0WAVEfmt "[..], b"", b"R", b"\xff", b"\xff\xff\xff\xff", b"FORM\0\0"] {
            assert_eq!(name_of(head), None, "{head:?}");
        }
        assert_eq!(name_by_extension(Path::new("a/Piano.SFZ")), Some("an SFZ instrument"));
        assert_eq!(name_by_extension(Path::new("kick.wav")), None);
    }
}
