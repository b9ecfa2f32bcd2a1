//! What belongs to an instrument and not to one of its regions: keyswitches, and where controllers stand at first.

/// Of all regions together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Play {
    /// Bits of the keys that choose rather than sound.
    pub switch_keys: u128,
    /// The keyswitch that counts as pressed before any has been. Source: ARIA `sw_default`.
    pub switch_default: Option<u8>,
    /// Controllers, 0..=127, as they stand when the instrument is assigned to a channel. Source: SFZ `set_ccN`.
    pub controllers: Vec<(u8, f32)>,
    /// Keyswitches and what they are called, by key. Source: ARIA `sw_label`.
    pub switches: Vec<(u8, String)>,
}

impl Play {
    /// Whether a key is a keyswitch.
    pub fn is_switch(&self, key: u8) -> bool {
        self.switch_keys & 1u128.checked_shl(key.into()).unwrap_or(0) != 0
    }
}
