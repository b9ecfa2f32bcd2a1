//! Key → regions, built once, so that a note costs the regions on its key and not all of the instrument's.

use super::Region;

/// For each key the numbers of its regions, in one list.
#[derive(Debug, Default)]
pub struct KeyIndex {
    /// `numbers[starts[k]..starts[k + 1]]` are the regions on key k; empty for an empty instrument.
    starts: Vec<u32>,
    numbers: Vec<u32>,
}

impl KeyIndex {
    /// Reads the key range of each region.
    pub fn new(regions: &[Region]) -> Self {
        let (mut starts, mut numbers) = (Vec::with_capacity(129), Vec::new());
        for key in 0..=127u8 {
            starts.push(numbers.len() as u32);
            numbers.extend((0u32..).zip(regions).filter(|(_, r)| r.keys.contains(&key)).map(|(n, _)| n));
        }
        starts.push(numbers.len() as u32);
        Self { starts, numbers }
    }

    /// Regions on a key, in order.
    pub fn on_key(&self, key: u8) -> &[u32] {
        let at = |key: usize| self.starts.get(key).map(|start| *start as usize);
        match (at(usize::from(key)), at(usize::from(key) + 1)) {
            (Some(start), Some(end)) => self.numbers.get(start..end).unwrap_or(&[]),
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Instrument, Region, Sample};
    use std::sync::Arc;

    fn region(keys: (u8, u8), velocities: (u8, u8)) -> Region {
        let sample = Arc::new(Sample::new(vec![0.0; 8], 1, 48_000).unwrap().0);
        Region { keys: keys.0..=keys.1, velocities: velocities.0..=velocities.1, ..Region::of(sample) }
    }

    #[test]
    fn the_index_agrees_with_reading_every_region() {
        let instrument = Instrument::new(vec![
            region((0, 127), (1, 127)),
            region((60, 60), (1, 64)),
            region((60, 72), (65, 127)),
            region((127, 127), (127, 127)),
            region((5, 4), (1, 127)), // empty range: never
        ]);
        for key in 0..=127u8 {
            for velocity in 1..=127u8 {
                let expected: Vec<u32> = (0..5)
                    .filter(|n| {
                        let r = instrument.region(*n).unwrap();
                        r.keys.contains(&key) && r.velocities.contains(&velocity)
                    })
                    .collect();
                let found: Vec<u32> = instrument.matching(f32::from(key), f32::from(velocity)).collect();
                assert_eq!(found, expected, "key {key} velocity {velocity}");
            }
        }
    }

    #[test]
    fn fractions_belong_to_the_nearest_key_and_velocity() {
        let instrument = Instrument::new(vec![region((60, 60), (1, 64)), region((61, 61), (65, 127))]);
        assert_eq!(instrument.matching(60.4, 64.4).collect::<Vec<_>>(), [0]);
        assert_eq!(instrument.matching(60.5, 64.5).collect::<Vec<_>>(), [1]);
        assert_eq!(instrument.matching(60.0, 0.2).collect::<Vec<_>>(), [0]);
        assert_eq!(instrument.matching(f32::NAN, f32::NAN).count(), 0);
    }

    #[test]
    fn an_empty_instrument_matches_nothing() {
        assert_eq!(Instrument::default().matching(60.0, 100.0).count(), 0);
        assert_eq!(Instrument::default().key_range(), None);
    }
}
