//! How loud a velocity is.

use std::sync::Arc;

use crate::units::velocity_to_gain;

/// From velocity to amplitude.
#[derive(Clone, Debug, PartialEq)]
pub struct VelocityCurve {
    /// How far it counts: 1 in full, 0 not at all, −1 upside down. Source: SFZ `amp_veltrack` / 100.
    pub track: f64,
    /// Amplitude 0..=1 of velocities 0..=127; without it the square law. Source: SFZ `amp_velcurve_N`.
    pub points: Option<Arc<[f32; 128]>>,
}

impl Default for VelocityCurve {
    fn default() -> Self {
        Self { track: 1.0, points: None }
    }
}

impl VelocityCurve {
    /// The same level at any velocity.
    pub fn flat() -> Self {
        Self { track: 0.0, points: None }
    }

    /// Linear amplitude, 0..=1, of a velocity, 0..=127, fractions allowed.
    pub fn gain(&self, velocity: f64) -> f64 {
        self.gain_tracking(velocity, self.track)
    }

    /// The same with another `track`.
    pub fn gain_tracking(&self, velocity: f64, track: f64) -> f64 {
        let at = |velocity: f64| match &self.points {
            None => velocity_to_gain(velocity),
            Some(points) => {
                let place = velocity.clamp(0.0, 127.0);
                let whole = (place as usize).min(126);
                let point = |at: usize| points.get(at).copied().map_or(0.0, f64::from);
                point(whole) + (point(whole + 1) - point(whole)) * (place - whole as f64)
            }
        };
        let track = track.clamp(-1.0, 1.0);
        let tracked = if track < 0.0 { 1.0 - at(velocity) } else { at(velocity) };
        1.0 + track.abs() * (tracked - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_amplitude_is_the_square_of_velocity() {
        assert_eq!(VelocityCurve::default().gain(63.5), 0.25);
        assert_eq!(VelocityCurve::default().gain(127.0), 1.0);
    }

    #[test]
    fn tracking_goes_from_nothing_to_upside_down() {
        assert_eq!(VelocityCurve::flat().gain(1.0), 1.0);
        let half = VelocityCurve { track: 0.5, points: None };
        assert_eq!(half.gain(63.5), 0.625);
        let inverted = VelocityCurve { track: -1.0, points: None };
        assert_eq!((inverted.gain(0.0), inverted.gain(127.0)), (1.0, 0.0));
    }

    #[test]
    fn points_are_joined_by_straight_lines() {
        let points = Arc::new(std::array::from_fn(|at| at as f32 / 127.0));
        let curve = VelocityCurve { track: 1.0, points: Some(points) };
        assert!((curve.gain(63.5) - 0.5).abs() < 1e-7);
        assert_eq!((curve.gain(0.0), curve.gain(127.0), curve.gain(300.0)), (0.0, 1.0, 1.0));
    }
}
