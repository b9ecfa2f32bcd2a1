//! Who plays what lies between: key ranges around recorded notes, velocity ranges of layers.

use std::ops::RangeInclusive;

/// A range for each root, together all of 0..=127: halfway to the neighbours, the outermost to the ends.
///
/// A key exactly between two roots belongs to the upper one: played downwards a sample loses no highs to aliasing,
/// and it is what Tone.js does, for whose instruments many of these files were made.
///
/// `roots`: ascending, distinct.
pub(super) fn key_ranges(roots: &[u8]) -> Vec<RangeInclusive<u8>> {
    let last_below = |low: u8, high: u8| (u16::from(low) + u16::from(high)).saturating_sub(1) as u8 / 2;
    let low_ends = std::iter::once(0).chain(roots.windows(2).map(|two| split(two, last_below) + 1));
    let high_ends = roots.windows(2).map(|two| split(two, last_below)).chain(std::iter::once(127));
    roots.iter().zip(low_ends.zip(high_ends)).map(|(_, (low, high))| low..=high).collect()
}

fn split(two: &[u8], last_below: impl Fn(u8, u8) -> u8) -> u8 {
    match two {
        [low, high] => last_below(*low, *high),
        _ => 0,
    }
}

/// 1..=127 in so many parts, as even as they can be, in order.
///
/// `layers`: 1..=127.
pub(super) fn velocity_ranges(layers: usize) -> Vec<RangeInclusive<u8>> {
    let end = |layer: usize| (127 * layer / layers) as u8;
    (0..layers).map(|layer| end(layer) + 1..=end(layer + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_to_the_nearest_root_and_a_tie_to_the_upper() {
        assert_eq!(key_ranges(&[60]), [0..=127]);
        assert_eq!(key_ranges(&[60, 64]), [0..=61, 62..=127]);
        assert_eq!(key_ranges(&[60, 63, 64]), [0..=61, 62..=63, 64..=127]);
        assert_eq!(key_ranges(&[0, 1, 127]), [0..=0, 1..=63, 64..=127]);
        assert_eq!(key_ranges(&[]), []);
    }

    #[test]
    fn layers_share_the_velocities_evenly() {
        assert_eq!(velocity_ranges(1), [1..=127]);
        assert_eq!(velocity_ranges(2), [1..=63, 64..=127]);
        assert_eq!(velocity_ranges(3), [1..=42, 43..=84, 85..=127]);
        assert!(velocity_ranges(127).into_iter().eq((1..=127).map(|v| v..=v)));
    }

    proptest::proptest! {
        #[test]
        fn every_key_has_exactly_one_nearest_root(roots in proptest::collection::btree_set(0u8..=127, 1..20)) {
            let roots: Vec<u8> = roots.into_iter().collect();
            let ranges = key_ranges(&roots);
            for key in 0..=127u8 {
                let owners: Vec<_> = roots.iter().zip(&ranges).filter(|(_, range)| range.contains(&key)).collect();
                let nearest = roots.iter().rev().min_by_key(|root| root.abs_diff(key)).unwrap();
                assert_eq!(owners.len(), 1);
                assert_eq!(owners[0].0, nearest, "key {key} of {roots:?}");
            }
        }

        #[test]
        fn every_velocity_has_exactly_one_layer(layers in 1usize..=127) {
            let ranges = velocity_ranges(layers);
            let all: Vec<u8> = ranges.iter().cloned().flatten().collect();
            assert_eq!(all, (1..=127).collect::<Vec<_>>());
            let sizes: Vec<usize> = ranges.iter().map(|range| range.len()).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }
}
