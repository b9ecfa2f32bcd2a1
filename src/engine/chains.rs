//! Which voices belong together: those of one note, or those on one key.
//!
//! Chained hashing with the links beside the voices (Knuth, TAOCP vol. 3, section 6.4): nothing is allocated, nothing
//! grows, and letting a note go costs its voices, not all there are (RT-4). Different things may share a chain: whoever
//! walks one compares. Slots come in the order in which they were added, so that walks are the same every time (RT-7).

use super::storage::Storage;

/// Place of a voice.
pub type Slot = u32;

const NONE: Slot = Slot::MAX;

/// Links of one slot.
#[derive(Clone, Copy)]
struct Link {
    chain: u32,
    next: Slot,
    previous: Slot,
}

#[derive(Clone, Copy)]
struct Chain {
    first: Slot,
    last: Slot,
}

/// Chains over a fixed number of slots.
pub struct Chains {
    chains: Vec<Chain>,
    links: Vec<Link>,
}

impl Chains {
    /// For slots `0..capacity`, none of them in a chain.
    pub fn new(capacity: usize) -> Self {
        Self {
            chains: vec![Chain { first: NONE, last: NONE }; capacity.next_power_of_two().max(16)],
            links: vec![Link { chain: 0, next: NONE, previous: NONE }; capacity],
        }
    }

    /// Where they lie in memory.
    pub fn storage(&self) -> [Storage; 2] {
        [Storage::of_vec(&self.chains), Storage::of_vec(&self.links)]
    }

    /// Which chain a key belongs to: Fibonacci hashing, so that consecutive ids spread evenly.
    fn chain_of(&self, key: u64) -> u32 {
        let bits = self.chains.len().trailing_zeros();
        (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - bits)) as u32
    }

    /// Puts a slot, which is in no chain, at the end of its key's.
    pub fn add(&mut self, slot: Slot, key: u64) {
        let at = self.chain_of(key);
        let Some(chain) = self.chains.get_mut(at as usize) else { return };
        let last = std::mem::replace(&mut chain.last, slot);
        if last == NONE {
            chain.first = slot;
        } else if let Some(link) = self.links.get_mut(last as usize) {
            link.next = slot;
        }
        if let Some(link) = self.links.get_mut(slot as usize) {
            *link = Link { chain: at, next: NONE, previous: last };
        }
    }

    /// Takes a slot out of its chain.
    pub fn remove(&mut self, slot: Slot) {
        let Some(Link { chain, next, previous }) = self.links.get(slot as usize).copied() else { return };
        let Some(chain) = self.chains.get_mut(chain as usize) else { return };
        match self.links.get_mut(previous as usize) {
            Some(link) => link.next = next,
            None => chain.first = next,
        }
        match self.links.get_mut(next as usize) {
            Some(link) => link.previous = previous,
            None => chain.last = previous,
        }
    }

    /// The first slot in a key's chain.
    pub fn first(&self, key: u64) -> Option<Slot> {
        let first = self.chains.get(self.chain_of(key) as usize)?.first;
        (first != NONE).then_some(first)
    }

    /// The slot behind this one.
    pub fn next(&self, slot: Slot) -> Option<Slot> {
        let next = self.links.get(slot as usize)?.next;
        (next != NONE).then_some(next)
    }

    /// All slots in a key's chain, in the order in which they were added.
    pub fn of(&self, key: u64) -> impl Iterator<Item = Slot> + '_ {
        std::iter::successors(self.first(key), |slot| self.next(*slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against lists of (slot, key): a chain holds at least its key's slots, in order.
        #[test]
        fn chains_are_lists(steps in prop::collection::vec((0u32..24, 0u64..6, any::<bool>()), 0..200)) {
            let mut chains = Chains::new(24);
            let mut expected: Vec<(Slot, u64)> = Vec::new();
            for (slot, key, add) in steps {
                let there = expected.iter().any(|(s, _)| *s == slot);
                if add && !there {
                    chains.add(slot, key);
                    expected.push((slot, key));
                } else if !add && there {
                    chains.remove(slot);
                    expected.retain(|(s, _)| *s != slot);
                }
                for key in 0..6 {
                    let of_key = |slot: &Slot| expected.contains(&(*slot, key));
                    let found: Vec<_> = chains.of(key).filter(of_key).collect();
                    let wanted: Vec<_> =
                        expected.iter().filter(|(_, k)| *k == key).map(|(slot, _)| *slot).collect();
                    prop_assert_eq!(found, wanted);
                }
            }
        }
    }
}
