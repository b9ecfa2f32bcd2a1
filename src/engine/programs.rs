//! What a sampler's program changes select.

use super::event::InstrumentIndex;

/// Instruments by bank and program. Made on the control thread, swapped in whole, and sent back to be freed (RT-3).
#[derive(Debug, Default)]
pub struct Programs {
    /// In ascending order of bank and program.
    entries: Vec<(u16, u8, InstrumentIndex)>,
}

impl Programs {
    /// Of (bank 0..=16383, program 0..=127, instrument), in any order; the last of equals counts.
    pub fn new(mut entries: Vec<(u16, u8, InstrumentIndex)>) -> Self {
        entries.reverse();
        entries.sort_by_key(|(bank, program, _)| (*bank, *program));
        entries.dedup_by_key(|(bank, program, _)| (*bank, *program));
        Self { entries }
    }

    /// The instrument of a program. A bank that does not have it leaves the choice to bank 0, as General MIDI 2 asks.
    pub fn find(&self, bank: u16, program: u8) -> Option<InstrumentIndex> {
        let find = |wanted: (u16, u8)| {
            let at =
                self.entries.binary_search_by_key(&wanted, |(bank, program, _)| (*bank, *program)).ok()?;
            self.entries.get(at).map(|(_, _, instrument)| *instrument)
        };
        find((bank, program)).or_else(|| find((0, program)))
    }

    /// An instrument is no more.
    pub fn forget(&mut self, index: InstrumentIndex) {
        self.entries.retain(|(_, _, instrument)| *instrument != index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_bank_and_else_in_bank_0() {
        let mut programs = Programs::new(vec![(8, 5, 1), (0, 5, 2), (0, 7, 3), (0, 7, 4)]);
        assert_eq!(programs.find(8, 5), Some(1));
        assert_eq!(programs.find(9, 5), Some(2));
        assert_eq!(programs.find(8, 7), Some(4), "the last one given counts");
        assert_eq!(programs.find(0, 6), None);
        programs.forget(4);
        assert_eq!(programs.find(0, 7), None);
    }
}
