//! What one channel's player has done: which keys are down, and how they were struck.
//!
//! Conditions of regions ask for it (`instrument::Conditions`). Keys are whole here; a fractional one counts as the
//! nearest.

use super::event::NoteId;
use crate::units::Frames;

/// A key that went down.
#[derive(Clone, Copy, Debug)]
pub struct Struck {
    pub note: NoteId,
    pub velocity: f32,
    pub at: Frames,
}

/// What was the case before a note.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before {
    /// Another key was down.
    pub legato: bool,
    /// Key and velocity of the note before.
    pub previous: Option<(u8, f32)>,
    /// When it started.
    pub at: Option<Frames>,
}

/// One channel's.
#[derive(Clone, Debug)]
pub struct Player {
    /// Bits of keys that are down.
    held: u128,
    /// Bits of keys that went up while a pedal was down: their releases wait for it.
    waiting: u128,
    struck: [Struck; 128],
    previous: Option<(u8, f32)>,
    at: Option<Frames>,
    switch: Option<u8>,
}

impl Default for Player {
    fn default() -> Self {
        let struck = [Struck { note: 0, velocity: 0.0, at: 0 }; 128];
        Self { held: 0, waiting: 0, struck, previous: None, at: None, switch: None }
    }
}

fn bit(key: u8) -> u128 {
    1u128.checked_shl(key.into()).unwrap_or(0)
}

/// The key that a fractional one counts as.
pub fn whole(key: f32) -> u8 {
    key.round().clamp(0.0, 127.0) as u8
}

impl Player {
    /// A key goes down.
    pub fn key_down(&mut self, key: u8, struck: Struck) -> Before {
        let before = Before { legato: self.held & !bit(key) != 0, previous: self.previous, at: self.at };
        self.held |= bit(key);
        self.waiting &= !bit(key);
        if let Some(place) = self.struck.get_mut(usize::from(key)) {
            *place = struck;
        }
        self.previous = Some((key, struck.velocity));
        self.at = Some(struck.at);
        before
    }

    /// A key goes up: how it was struck, if it was down.
    pub fn key_up(&mut self, key: u8) -> Option<Struck> {
        let was_down = self.is_held(key);
        self.held &= !bit(key);
        self.struck.get(usize::from(key)).copied().filter(|_| was_down)
    }

    /// A key's release waits for a pedal.
    pub fn wait(&mut self, key: u8) {
        self.waiting |= bit(key);
    }

    /// A key whose release has waited, and how it was struck; each once.
    pub fn take_waiting(&mut self) -> Option<(u8, Struck)> {
        let key = u8::try_from(self.waiting.trailing_zeros()).ok().filter(|key| *key < 128)?;
        self.waiting &= !bit(key);
        Some((key, self.struck.get(usize::from(key)).copied()?))
    }

    /// How a key was struck that is down.
    pub fn struck(&self, key: u8) -> Option<Struck> {
        self.struck.get(usize::from(key)).copied().filter(|_| self.is_held(key))
    }

    /// Whether a key is down.
    pub fn is_held(&self, key: u8) -> bool {
        self.held & bit(key) != 0
    }

    /// Bits of the keys that are down.
    pub fn held(&self) -> u128 {
        self.held
    }

    /// A keyswitch was pressed.
    pub fn press_switch(&mut self, key: u8) {
        self.switch = Some(key);
    }

    /// The keyswitch that was pressed last.
    pub fn switch(&self) -> Option<u8> {
        self.switch
    }

    /// Another instrument: its keyswitches are others.
    pub fn forget_switch(&mut self) {
        self.switch = None;
    }

    /// All keys are up, without releases.
    pub fn let_go(&mut self) {
        (self.held, self.waiting) = (0, 0);
    }

    /// Key and velocity of the latest note.
    pub fn previous(&self) -> Option<(u8, f32)> {
        self.previous
    }

    /// When it started.
    pub fn at(&self) -> Option<Frames> {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(note: NoteId) -> Struck {
        Struck { note, velocity: note as f32, at: Frames::from(note) * 10 }
    }

    #[test]
    fn the_first_key_is_not_legato_and_the_next_is() {
        let mut player = Player::default();
        let first = player.key_down(60, struck(1));
        assert!(!first.legato && first.previous.is_none() && first.at.is_none());
        let second = player.key_down(64, struck(2));
        assert!(second.legato);
        assert_eq!((second.previous, second.at), (Some((60, 1.0)), Some(10)));
        player.key_up(60);
        assert!(!player.key_down(64, struck(3)).legato, "the same key again is no other");
    }

    #[test]
    fn a_key_goes_up_once() {
        let mut player = Player::default();
        player.key_down(127, struck(7));
        assert_eq!(player.struck(127).map(|struck| struck.note), Some(7));
        assert_eq!(player.key_up(127).map(|struck| struck.note), Some(7));
        assert!(player.key_up(127).is_none() && player.struck(127).is_none());
        assert!(player.key_up(200).is_none());
    }

    #[test]
    fn what_waits_for_a_pedal_comes_once_and_not_if_it_is_struck_again() {
        let mut player = Player::default();
        for key in [3, 90, 127] {
            player.key_down(key, struck(u32::from(key)));
            player.key_up(key);
            player.wait(key);
        }
        player.key_down(90, struck(1));
        let waiting: Vec<_> = std::iter::from_fn(|| player.take_waiting()).map(|(key, _)| key).collect();
        assert_eq!(waiting, [3, 127]);
    }
}
