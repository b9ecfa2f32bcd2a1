//! One MIDI message, from its bytes to the engine's event.
//!
//! Source: MIDI 1.0 Detailed Specification, tables I to IV. What has no meaning for a sampler (clock, active sensing,
//! tune request, system exclusive of others) is understood and is no event.

use crate::engine::event::{Event, Late, NoteId, SamplerIndex};

/// Why bytes are no message. Places count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// No bytes at all.
    Empty,
    /// It begins with a data byte: there is no running status outside of a stream.
    NoStatus(u8),
    /// It ends too early or too late: how many bytes it has to have.
    Length(usize),
    /// The byte at this place has its highest bit set, which only the first may.
    Data(usize),
    /// A system exclusive message that does not end with 0xF7.
    Unfinished,
}

/// What a message asks of a sampler; `None` for what a sampler does not follow. `note` is the id that a note-on gets.
///
/// Thread: any; no allocation.
pub fn decode(
    bytes: &[u8],
    sampler: SamplerIndex,
    late: Late,
    note: NoteId,
) -> Result<Option<Event>, Malformed> {
    let (&status, data) = bytes.split_first().ok_or(Malformed::Empty)?;
    if status < 0x80 {
        return Err(Malformed::NoStatus(status));
    }
    if status == 0xf0 {
        let (last, body) = data.split_last().ok_or(Malformed::Unfinished)?;
        return match body.iter().position(|byte| *byte >= 0x80) {
            Some(at) => Err(Malformed::Data(at + 1)),
            None if *last == 0xf7 => Ok(None),
            None => Err(Malformed::Unfinished),
        };
    }
    let length = length_of(status);
    if data.len() != length {
        return Err(Malformed::Length(length + 1));
    }
    if let Some(at) = data.iter().position(|byte| *byte >= 0x80) {
        return Err(Malformed::Data(at + 1));
    }
    let byte = |at: usize| data.get(at).copied().unwrap_or(0);
    let (first, second) = (byte(0), byte(1));
    let channel = status & 0x0f;
    let key = f32::from(first);
    let value = f32::from(second);
    Ok(match status & 0xf0 {
        0x80 => Some(Event::NoteOff { sampler, channel, key }),
        0x90 if second == 0 => Some(Event::NoteOff { sampler, channel, key }),
        0x90 => Some(Event::NoteOn { sampler, channel, late, note, key, velocity: value, instrument: None }),
        0xa0 => Some(Event::PolyPressure { sampler, channel, key, value }),
        0xb0 => Some(Event::Control { sampler, channel, controller: first, value }),
        0xc0 => Some(Event::Program { sampler, channel, program: first, bank: None }),
        0xd0 => Some(Event::ChannelPressure { sampler, channel, value: key }),
        0xe0 => {
            let bend = f32::from(u16::from(second) << 7 | u16::from(first)) - 8192.0;
            Some(Event::PitchBend { sampler, channel, value: bend })
        }
        _ => None,
    })
}

/// Data bytes behind a status byte.
fn length_of(status: u8) -> usize {
    match status {
        0x80..=0xbf | 0xe0..=0xef | 0xf2 => 2,
        0xc0..=0xdf | 0xf1 | 0xf3 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Option<Event>, Malformed> {
        decode(bytes, 3, Late::Play, 7)
    }

    #[test]
    fn every_channel_message_is_its_event() {
        let (sampler, late) = (3, Late::Play);
        let cases = [
            (
                &[0x95, 60, 100][..],
                Event::NoteOn {
                    sampler,
                    channel: 5,
                    late,
                    note: 7,
                    key: 60.0,
                    velocity: 100.0,
                    instrument: None,
                },
            ),
            (&[0x95, 60, 0], Event::NoteOff { sampler, channel: 5, key: 60.0 }),
            (&[0x80, 60, 64], Event::NoteOff { sampler, channel: 0, key: 60.0 }),
            (&[0xaf, 1, 2], Event::PolyPressure { sampler, channel: 15, key: 1.0, value: 2.0 }),
            (&[0xb1, 64, 127], Event::Control { sampler, channel: 1, controller: 64, value: 127.0 }),
            (&[0xc2, 9], Event::Program { sampler, channel: 2, program: 9, bank: None }),
            (&[0xd3, 99], Event::ChannelPressure { sampler, channel: 3, value: 99.0 }),
            (&[0xe4, 0, 64], Event::PitchBend { sampler, channel: 4, value: 0.0 }),
            (&[0xe4, 127, 127], Event::PitchBend { sampler, channel: 4, value: 8191.0 }),
            (&[0xe4, 0, 0], Event::PitchBend { sampler, channel: 4, value: -8192.0 }),
        ];
        for (bytes, event) in cases {
            assert_eq!(read(bytes), Ok(Some(event)), "{bytes:x?}");
        }
    }

    #[test]
    fn what_a_sampler_does_not_follow_is_no_event_and_no_error() {
        for bytes in [&[0xf8][..], &[0xfe], &[0xf2, 1, 2], &[0xf0, 0x7e, 0x7f, 9, 1, 0xf7], &[0xff], &[0xf6]]
        {
            assert_eq!(read(bytes), Ok(None), "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_no_message_says_why() {
        for (bytes, why) in [
            (&[][..], Malformed::Empty),
            (&[60, 100], Malformed::NoStatus(60)),
            (&[0x90, 60], Malformed::Length(3)),
            (&[0xc0, 1, 2], Malformed::Length(2)),
            (&[0xf8, 0], Malformed::Length(1)),
            (&[0x90, 60, 0x80], Malformed::Data(2)),
            (&[0xf0, 1, 2], Malformed::Unfinished),
            (&[0xf0], Malformed::Unfinished),
            (&[0xf0, 0x90, 1, 0xf7], Malformed::Data(1)),
        ] {
            assert_eq!(read(bytes), Err(why), "{bytes:x?}");
        }
    }

    proptest! {
        /// Whatever the bytes, what comes out survives the engine's own test of a record.
        #[test]
        fn any_bytes_are_an_event_in_range_or_none(bytes in prop::collection::vec(any::<u8>(), 0..6)) {
            if let Ok(Some(event)) = read(&bytes) {
                let record = crate::engine::event::encode(event, None);
                prop_assert!(crate::engine::event::decode(&record, 48_000).is_some());
            }
        }
    }
}
