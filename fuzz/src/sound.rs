//! Sound files: refused or read, never trusted for a size; what is read becomes a sample of finite numbers.

use std::panic::{set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

use ictus::load::audio::read_bytes;

/// Frames × channels that a byte of a compressed file can stand for: FLAC codes 65 535 frames of a constant, two
/// channels, in 12 bytes.
const VALUES_A_BYTE: usize = 2 * 65_535 / 12;

/// Reads a RIFF file of any of the four kinds, which the first byte chooses: the rest is all that has to be guessed.
pub fn wav(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    let magic = [b"RIFF", b"RIFX", b"RF64", b"BW64"][usize::from(kind) % 4];
    let size = (rest.len() as u32 + 4).to_le_bytes();
    let file = [magic, &size[..], b"WAVE", rest].concat();
    // No value is coded in less than a byte.
    read(&file, file.len());
}

/// Reads a file of any format: its first bytes say which.
pub fn any(bytes: &[u8]) {
    // A panic in symphonia is caught and becomes `ERR_CORRUPT_FILE`; libFuzzer's hook would end the process before that.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let fuzzer = take_hook();
        set_hook(Box::new(move |info| {
            if !info.location().is_some_and(|place| place.file().contains("symphonia")) {
                fuzzer(info);
            }
        }));
    });
    // What grows while it is decoded may be twice as large as what it holds.
    read(bytes, 2 * VALUES_A_BYTE * bytes.len());
}

fn read(bytes: &[u8], most_values: usize) {
    let shown = Path::new("fuzz");
    let Ok(decoded) = read_bytes(bytes, shown) else { return };
    assert!(decoded.interleaved.capacity() <= most_values, "a size in the file was believed");
    assert!(!decoded.interleaved.is_empty() && matches!(decoded.channels, 1 | 2));
    let frames = decoded.interleaved.len() / usize::from(decoded.channels);
    assert!(decoded.hints.loops.iter().all(|found| found.start < found.end && found.end as usize <= frames));
    let audio = decoded.into_audio(shown).expect("what was decoded is a sample");
    assert!(audio.sample.guarded().iter().all(|value| value.is_finite()));
}
