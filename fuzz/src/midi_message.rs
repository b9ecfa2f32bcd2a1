//! `midi::decode`: whatever the bytes are, an event comes out that the engine takes as a record, or none.

use ictus::engine::event::{Late, decode, encode};
use ictus::midi;

/// Cuts the input into messages: a byte of length, then so many bytes.
pub fn run(mut bytes: &[u8]) {
    while let Some((&length, rest)) = bytes.split_first() {
        let (message, later) = rest.split_at(rest.len().min(usize::from(length)));
        bytes = later;
        if let Ok(Some(event)) = midi::decode(message, 3, Late::Play, 7) {
            let record = encode(event, None);
            let (_, again) = decode(&record, 48_000).expect("a MIDI message is no event of the engine");
            assert_eq!(event, again, "{message:x?}");
        }
    }
}
