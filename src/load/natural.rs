//! Names in the order that people expect: `kick2` before `kick10`.
//!
//! Runs of digits compare as numbers, everything else by letter without regard to case; names that are equal so far
//! (`a1`, `A01`) by their code points, so that the order is total and the same on every machine.

use std::cmp::Ordering;

/// The natural order of two names.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let order = match (left.chars().next(), right.chars().next()) {
            (None, None) => return a.cmp(b),
            (l, r) if l.is_none() || r.is_none() => return l.is_some().cmp(&r.is_some()),
            (Some(l), Some(r)) if l.is_ascii_digit() && r.is_ascii_digit() => {
                let (l, r) = (take_number(&mut left), take_number(&mut right));
                // Without leading zeros the longer number is the greater, however long.
                l.len().cmp(&r.len()).then_with(|| l.cmp(r))
            }
            (l, r) => {
                left = l.map_or("", |c| &left[c.len_utf8()..]);
                right = r.map_or("", |c| &right[c.len_utf8()..]);
                l.into_iter().flat_map(char::to_lowercase).cmp(r.into_iter().flat_map(char::to_lowercase))
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the digits at the front off, and returns them without leading zeros.
fn take_number<'a>(text: &mut &'a str) -> &'a str {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    *text = rest;
    digits.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_and_case_does_not() {
        let sorted = [
            "",
            "01",
            "1",
            "2",
            "10",
            "kick",
            "Kick1",
            "kick2",
            "kick2b",
            "KICK10",
            "kick10x",
            "kick99999999999999999999998",
            "kick99999999999999999999999",
            "snare",
            "Ärger",
            "über",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn the_order_is_total(a in "[aA0-2é]{0,5}", b in "[aA0-2é]{0,5}", c in "[aA0-2é]{0,5}") {
            assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            assert_eq!(compare(&a, &b) == Ordering::Equal, a == b);
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                assert!(compare(&a, &c).is_le());
            }
        }
    }
}
