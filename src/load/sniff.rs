//! What a file is, from its first bytes: so that a FLAC called `.wav` is called a FLAC.
//!
//! Names only, no decoding. A file's own bytes are believed before its extension; the extension speaks for text
//! formats, which have no signature.

use std::path::Path;

/// The first bytes that [`name_of`] wants to see.
pub(super) const HEAD_BYTES: usize = 16;

/// Offset, signature, what it is.
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (0, b"fLaC", "FLAC audio"),
    (0, b"OggS", "Ogg audio"),
    (0, b"ID3", "MP3 audio"),
    (0, b"RIFX", "a big-endian WAV file (RIFX)"),
    (0, b"RF64", "a 64-bit WAV file (RF64)"),
    (0, b"BW64", "a 64-bit WAV file (BW64)"),
    (0, b"riff\x2e\x91\xcf\x11", "a Sony Wave64 file"),
    (8, b"AIFF", "AIFF audio"),
    (8, b"AIFC", "AIFF audio (AIFC)"),
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
    ("mp3", "MP3 audio"), // may begin with anything at all
];

/// What a file that begins with `head` is, if it is known and not WAV.
pub(super) fn name_of(head: &[u8]) -> Option<&'static str> {
    let known =
        SIGNATURES.iter().find(|(at, sign, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(sign)));
    if let Some((_, _, name)) = known {
        return Some(name);
    }
    // An MPEG audio frame without a tag: eleven set bits, then layer III (01). Source: ISO 11172-3, 2.4.1.3.
    match head {
        [0xFF, b, ..] if b & 0xE6 == 0xE2 => Some("MP3 audio"),
        _ => None,
    }
}

/// What the extension promises, if it is known and not WAV.
pub(super) fn name_by_extension(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, name)| *name)
}

/// Extensions of sound that is not read yet: a folder says so when it leaves them out.
pub(super) const OTHER_AUDIO: &[&str] =
    &["aif", "aifc", "aiff", "au", "caf", "flac", "m4a", "mp3", "oga", "ogg", "opus", "w64", "wv"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_files_are_called_by_their_names() {
        for (head, name) in [
            (&b"fLaC\0\0\0\x22"[..], "FLAC audio"),
            (b"OggS\0\x02", "Ogg audio"),
            (b"ID3\x04\0", "MP3 audio"),
            (b"\xff\xfb\x90\x64", "MP3 audio"),
            (b"FORM\0\0\0\x10AIFFCOMM", "AIFF audio"),
            (b"RIFF\x10\0\0\0sfbkLIST", "a SoundFont"),
            (b"\0\0\0\x20ftypM4A ", "MPEG-4 audio"),
        ] {
            assert_eq!(name_of(head), Some(name));
        }
        for head in [&b"RIFF\x24\0\0\0WAVEfmt "[..], b"", b"R", b"\xff", b"\xff\xff\xff\xff", b"FORM\0\0"] {
            assert_eq!(name_of(head), None, "{head:?}");
        }
        assert_eq!(name_by_extension(Path::new("a/Piano.SFZ")), Some("an SFZ instrument"));
        assert_eq!(name_by_extension(Path::new("kick.wav")), None);
    }
}
