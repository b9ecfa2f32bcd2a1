//! `<curve>`: what a controller's value is turned into. Points between those given lie on straight lines.
//!
//! Source: sfzformat.com, "curve" header; ARIA's seven built-in curves.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Points of a curve, one for each value of a MIDI controller.
pub(super) type Points = [f32; 128];

/// Built-in curves.
const BUILT_IN: u16 = 7;

/// Curves by number.
#[derive(Debug, Default)]
pub(super) struct Curves {
    made: BTreeMap<u16, Arc<Points>>,
    /// The one at hand: its number, if it has been told, and its points.
    open: Option<(Option<u16>, BTreeMap<u16, f64>)>,
}

impl Curves {
    /// A `<curve>` begins.
    pub(super) fn begin(&mut self) {
        self.open = Some((None, BTreeMap::new()));
    }

    /// `curve_index`.
    pub(super) fn number(&mut self, number: u16) {
        if let Some((open, _)) = &mut self.open {
            *open = Some(number);
        }
    }

    /// `vNNN`.
    pub(super) fn point(&mut self, at: u16, value: f64) {
        if let Some((_, points)) = &mut self.open
            && at < 128
        {
            points.insert(at, value);
        }
    }

    /// The curve at hand is complete. Without a number it is the next that is free.
    pub(super) fn end(&mut self) {
        if let Some((number, points)) = self.open.take() {
            let next = || self.made.keys().next_back().map_or(BUILT_IN, |last| (last + 1).max(BUILT_IN));
            let number = number.unwrap_or_else(next);
            if number < 256 {
                self.made.insert(number, Arc::new(joined(&points)));
            }
        }
    }

    /// Points of a curve, made by the file or built in; `None` for the straight line, and for one that is not there.
    pub(super) fn get(&self, number: u16) -> Option<Arc<Points>> {
        if let Some(made) = self.made.get(&number) {
            return Some(made.clone());
        }
        let shape: fn(f64) -> f64 = match number {
            1 => |x| 2.0 * x - 1.0,
            2 => |x| 1.0 - x,
            3 => |x| 1.0 - 2.0 * x,
            4 => |x| x * x,
            5 => f64::sqrt,
            6 => |x| (1.0 - x).sqrt(),
            _ => return None,
        };
        Some(Arc::new(std::array::from_fn(|at| shape(at as f64 / 127.0) as f32)))
    }

    /// Whether there is such a curve.
    pub(super) fn has(&self, number: u16) -> bool {
        number < BUILT_IN || self.made.contains_key(&number)
    }
}

/// Straight lines between points; from 0 at 0 and to 1 at 127, unless they say otherwise.
pub(super) fn joined(points: &BTreeMap<u16, f64>) -> Points {
    let mut all = points.clone();
    all.entry(0).or_insert(0.0);
    all.entry(127).or_insert(1.0);
    std::array::from_fn(|at| {
        let at = at as u16;
        let before = all.range(..=at).next_back().map(|(x, y)| (f64::from(*x), *y));
        let after = all.range(at..).next().map(|(x, y)| (f64::from(*x), *y));
        match (before, after) {
            (Some((x0, y0)), Some((x1, y1))) if x1 > x0 => {
                (y0 + (y1 - y0) * (f64::from(at) - x0) / (x1 - x0)) as f32
            }
            (Some((_, y)), _) | (None, Some((_, y))) => y as f32,
            (None, None) => 0.0,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_joined_by_straight_lines() {
        let mut curves = Curves::default();
        curves.begin();
        curves.number(17);
        curves.point(64, 1.0);
        curves.point(96, 0.5);
        curves.point(127, -1.0);
        curves.point(500, 9.0);
        curves.end();
        let points = curves.get(17).unwrap();
        assert_eq!([points[0], points[32], points[64], points[80], points[127]], [0.0, 0.5, 1.0, 0.75, -1.0]);
    }

    #[test]
    fn a_curve_without_a_number_is_the_next() {
        let mut curves = Curves::default();
        for value in [0.25, 0.5] {
            curves.begin();
            curves.point(0, value);
            curves.end();
        }
        assert_eq!((curves.get(7).unwrap()[0], curves.get(8).unwrap()[0]), (0.25, 0.5));
        assert!(curves.has(8) && !curves.has(9));
    }

    #[test]
    fn built_in_curves_are_arias() {
        let curves = Curves::default();
        let ends = |number| curves.get(number).map(|points| (points[0], points[127]));
        assert_eq!(ends(0), None);
        assert_eq!(ends(1), Some((-1.0, 1.0)));
        assert_eq!(ends(2), Some((1.0, 0.0)));
        assert_eq!(ends(3), Some((1.0, -1.0)));
        assert_eq!(curves.get(4).unwrap()[64], ((64.0 / 127.0) * (64.0 / 127.0f64)) as f32);
        assert_eq!(curves.get(5).unwrap()[64], (64.0f64 / 127.0).sqrt() as f32);
        assert_eq!(ends(6), Some((1.0, 0.0)));
    }
}
