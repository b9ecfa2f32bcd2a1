//! MIDI messages from bytes: the record that goes into a lane, and the words for what is no message.

use super::error::{Error, Result};
use crate::engine::event::{Late, encode};
use crate::midi::{Malformed, decode};
use crate::rt::lane::Record;

/// The record of a message on sampler 0, as note 1, to happen now: whoever sends it puts its own there. `None`: no
/// sampler follows it.
///
/// Thread: any. Allocates nothing but an error's text. Errors: `InvalidArgument`.
pub fn message_record(bytes: &[u8]) -> Result<Option<Record>> {
    match decode(bytes, 0, Late::Play, 1) {
        Ok(event) => Ok(event.map(|event| encode(event, None))),
        Err(why) => Err(Error::InvalidArgument(not_a_message(why, bytes))),
    }
}

/// The words for bytes that are no message.
fn not_a_message(why: Malformed, bytes: &[u8]) -> String {
    let said = match why {
        Malformed::Empty => "it has no bytes".to_string(),
        Malformed::NoStatus(first) => {
            format!("it must begin with a status byte (0x80..0xff), got 0x{first:02x}")
        }
        Malformed::Length(wanted) => {
            let status = bytes.first().copied().unwrap_or(0);
            format!("status 0x{status:02x} has {wanted} bytes in all, got {}", bytes.len())
        }
        Malformed::Data(at) => {
            let byte = bytes.get(at).copied().unwrap_or(0);
            format!("byte {at} must be a data byte (0..127), got {byte}")
        }
        Malformed::Unfinished => "a system exclusive message must end with 0xf7".to_string(),
    };
    format!("message is no MIDI message: {said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_told_with_the_byte_that_makes_it_none() {
        let said = |bytes: &[u8]| message_record(bytes).unwrap_err().to_string();
        assert_eq!(said(&[0x90, 60]), "message is no MIDI message: status 0x90 has 3 bytes in all, got 2");
        assert_eq!(
            said(&[0x90, 60, 200]),
            "message is no MIDI message: byte 2 must be a data byte (0..127), got 200"
        );
        assert!(said(&[60]).contains("0x3c") && said(&[]).contains("no bytes"));
        assert_eq!(message_record(&[0xf8]), Ok(None));
    }
}
