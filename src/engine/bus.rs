//! A bus: two sides of one chunk, to which voices or samplers add.

use super::MAX_CHUNK;

pub use crate::rt::source::Bus;

/// A silent bus.
pub const SILENT: Bus = [[0.0; MAX_CHUNK]; 2];

/// Silences the next `frames`.
pub fn open(bus: &mut Bus, frames: usize) {
    for side in bus {
        if let Some(side) = side.get_mut(..frames) {
            side.fill(0.0);
        }
    }
}
