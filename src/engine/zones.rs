//! MPE zones: which channels are one note each, and which channel speaks for all of them.
//!
//! Source: MIDI Polyphonic Expression 1.0, section 2.1: the lower zone has channel 1 as its master and members upwards
//! from 2, the upper zone has 16 and members downwards from 15. A new zone takes what it needs from the other.

use super::event::CHANNELS;

const LOWER_MASTER: u8 = 0;
const UPPER_MASTER: u8 = CHANNELS as u8 - 1;

/// Both zones; without members there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zones {
    lower: u8,
    upper: u8,
}

impl Zones {
    /// Gives a master so many members, 0..=15; false when that channel cannot be one.
    pub fn set(&mut self, master: u8, members: u8) -> bool {
        let members = members.min(UPPER_MASTER);
        // With 15 members the other zone's master is one of them; else both masters and 14 members share the rest.
        let left = 14u8.saturating_sub(members);
        match master {
            LOWER_MASTER => (self.lower, self.upper) = (members, self.upper.min(left)),
            UPPER_MASTER => (self.lower, self.upper) = (self.lower.min(left), members),
            _ => return false,
        }
        true
    }

    /// Whether a channel speaks for others.
    pub fn is_master(&self, channel: u8) -> bool {
        (channel == LOWER_MASTER && self.lower > 0) || (channel == UPPER_MASTER && self.upper > 0)
    }

    /// The master of a member channel.
    pub fn master_of(&self, channel: u8) -> Option<u8> {
        if channel != LOWER_MASTER && channel <= self.lower {
            return Some(LOWER_MASTER);
        }
        if channel != UPPER_MASTER && channel.saturating_add(self.upper) >= UPPER_MASTER {
            return Some(UPPER_MASTER);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(zones: &Zones, master: u8) -> Vec<u8> {
        (0..16).filter(|channel| zones.master_of(*channel) == Some(master)).collect()
    }

    #[test]
    fn without_a_zone_no_channel_has_a_master() {
        assert!((0..16).all(|channel| Zones::default().master_of(channel).is_none()));
    }

    #[test]
    fn zones_grow_from_their_masters_and_take_from_each_other() {
        let mut zones = Zones::default();
        assert!(zones.set(0, 7) && zones.set(15, 7));
        assert_eq!(members(&zones, 0), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(members(&zones, 15), [8, 9, 10, 11, 12, 13, 14]);
        assert!(zones.set(0, 10));
        assert_eq!((members(&zones, 0).len(), members(&zones, 15)), (10, vec![11, 12, 13, 14]));
        assert!(zones.set(15, 15));
        assert_eq!((members(&zones, 0), members(&zones, 15).len()), (vec![], 15));
        assert!(zones.set(15, 0));
        assert_eq!(zones, Zones::default());
    }

    #[test]
    fn other_channels_cannot_be_masters() {
        let mut zones = Zones::default();
        assert!(!zones.set(5, 3));
        assert_eq!(zones, Zones::default());
    }
}
