//! The master limiter: nothing leaves louder than the ceiling, and what stays below it leaves bit for bit as it came.
//!
//! Both sides share one gain, so that the image stands still. The gain needed by a frame is ceiling / peak, or 1. With
//! no look-ahead (the default: live playing pays for every millisecond) it falls at once and rises exponentially; with
//! look-ahead, sound is delayed by it and the gain reaches what is needed along a straight line before the peak arrives:
//! minimum over the window, then the mean over the same length, so that it never exceeds what any frame in it needs.
//! Source: D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design", JAES 60 (2012),
//! peak detectors and side-chain smoothing; the sliding minimum is D. Lemire, "Streaming maximum-minimum filter using
//! no more than three comparisons per element" (2006).

/// What a limiter does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimiterSettings {
    /// Highest level that leaves, linear; positive.
    pub ceiling: f32,
    /// Delay in which the gain moves before a peak, s; 0..=[`MAX_LOOKAHEAD_S`].
    pub lookahead_s: f64,
    /// Time constant with which the gain comes back, s; positive.
    pub release_s: f64,
}

/// Longest look-ahead: 20 ms.
pub const MAX_LOOKAHEAD_S: f64 = 0.02;

impl Default for LimiterSettings {
    /// −0.3 dBFS leaves room for what a converter's filter adds between the values; 100 ms comes back without pumping.
    fn default() -> Self {
        Self { ceiling: 0.966_050_9, lookahead_s: 0.0, release_s: 0.1 }
    }
}

/// Held down by less than this (0.000 09 dB) is not held down: from then on the sound is untouched again.
const SNAP: f32 = 1e-5;

/// A running limiter for two channels.
pub struct Limiter {
    ceiling: f32,
    /// Factor of `down` in each frame.
    decay: f32,
    /// 1 − gain: near 1 a gain in f32 would stand still before it arrives, its distance from 1 does not.
    down: f32,
    ahead: Option<LookAhead>,
}

impl Limiter {
    /// Allocates all it will need.
    pub fn new(settings: &LimiterSettings, sample_rate: u32) -> Self {
        let rate = f64::from(sample_rate);
        let frames = (settings.lookahead_s.clamp(0.0, MAX_LOOKAHEAD_S) * rate).round() as usize;
        Self {
            ceiling: settings.ceiling,
            decay: (-1.0 / (settings.release_s.max(1e-4) * rate)).exp() as f32,
            down: 0.0,
            ahead: (frames > 0).then(|| LookAhead::new(frames)),
        }
    }

    /// Frames by which sound is delayed.
    pub fn latency(&self) -> usize {
        self.ahead.as_ref().map_or(0, |ahead| ahead.frames)
    }

    /// Whether the last frame was held down.
    pub fn is_limiting(&self) -> bool {
        self.down > 0.0
    }

    /// Limits in place. What is not finite counts as silence here; the guard behind deals with it.
    ///
    /// Thread: audio. No allocation.
    pub fn process(&mut self, left: &mut [f32], right: &mut [f32]) {
        for (l, r) in left.iter_mut().zip(right) {
            let peak = l.abs().max(r.abs());
            let mut needed = if peak > self.ceiling && peak.is_finite() { self.ceiling / peak } else { 1.0 };
            if let Some(ahead) = &mut self.ahead {
                (*l, *r) = ahead.delay(*l, *r);
                needed = ahead.smooth(needed);
            }
            self.down *= self.decay;
            if self.down < SNAP {
                self.down = 0.0;
            }
            self.down = self.down.max(1.0 - needed);
            if self.down > 0.0 {
                // Rounding may leave ceiling / peak · peak one unit above the ceiling.
                let gain = 1.0 - self.down;
                *l = (*l * gain).clamp(-self.ceiling, self.ceiling);
                *r = (*r * gain).clamp(-self.ceiling, self.ceiling);
            }
        }
    }
}

/// Delay line and side chain: the minimum of the needed gain over the window, then its mean.
struct LookAhead {
    frames: usize,
    delayed: Vec<[f32; 2]>,
    at: usize,
    /// Ring of (needed gain, frame number), ascending: the first is the minimum of the window.
    minima: Vec<(f32, u64)>,
    first: usize,
    count: usize,
    now: u64,
    /// The last minima, and their sum in units of 2⁻³², so that it does not drift.
    window: Vec<u32>,
    sum: u64,
}

/// A gain as fixed point: sums of these are exact, and so is their way back to where they were.
fn fixed(gain: f32) -> u32 {
    (f64::from(gain) * f64::from(u32::MAX)) as u32
}

impl LookAhead {
    fn new(frames: usize) -> Self {
        Self {
            frames,
            delayed: vec![[0.0; 2]; frames],
            at: 0,
            minima: vec![(1.0, 0); frames + 1],
            first: 0,
            count: 0,
            now: 0,
            window: vec![u32::MAX; frames],
            sum: u64::from(u32::MAX) * frames as u64,
        }
    }

    fn delay(&mut self, left: f32, right: f32) -> (f32, f32) {
        let Some(place) = self.delayed.get_mut(self.at) else { return (left, right) };
        let [l, r] = std::mem::replace(place, [left, right]);
        (l, r)
    }

    fn minimum(&self, n: usize) -> Option<(f32, u64)> {
        self.minima.get((self.first + n) % self.minima.len()).copied()
    }

    /// Takes the gain that the newest frame needs and gives the one for the frame that leaves now.
    fn smooth(&mut self, needed: f32) -> f32 {
        while self.count > 0 && self.minimum(self.count - 1).is_some_and(|(gain, _)| gain >= needed) {
            self.count -= 1;
        }
        let place = (self.first + self.count) % self.minima.len();
        if let Some(place) = self.minima.get_mut(place) {
            *place = (needed, self.now);
        }
        self.count += 1;
        // The frame that leaves came `frames` ago and is still in the window.
        if self.minimum(0).is_some_and(|(_, frame)| frame + (self.frames as u64) < self.now) {
            self.first = (self.first + 1) % self.minima.len();
            self.count -= 1;
        }
        let lowest = fixed(self.minimum(0).map_or(1.0, |(gain, _)| gain));
        if let Some(oldest) = self.window.get_mut(self.at) {
            self.sum = self.sum + u64::from(lowest) - u64::from(std::mem::replace(oldest, lowest));
        }
        self.at = (self.at + 1) % self.frames;
        self.now += 1;
        if self.sum == u64::from(u32::MAX) * self.frames as u64 {
            return 1.0;
        }
        (self.sum as f64 / (self.frames as f64 * f64::from(u32::MAX))) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    fn settings(lookahead_s: f64) -> LimiterSettings {
        LimiterSettings { lookahead_s, ..LimiterSettings::default() }
    }

    fn noise(frames: usize, level: f32) -> Vec<f32> {
        (0..frames as u32)
            .map(|n| ((n.wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0) * level)
            .collect()
    }

    fn run(limiter: &mut Limiter, left: &[f32], right: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (mut l, mut r) = (left.to_vec(), right.to_vec());
        limiter.process(&mut l, &mut r);
        (l, r)
    }

    #[test]
    fn below_the_ceiling_every_bit_is_the_same() {
        for lookahead in [0.0, 0.001, 0.005] {
            let mut limiter = Limiter::new(&settings(lookahead), RATE);
            let (left, right) = (noise(5000, 0.96), noise(5000, -0.5));
            let (l, r) = run(&mut limiter, &left, &right);
            let delay = limiter.latency();
            assert_eq!(delay, (lookahead * f64::from(RATE)) as usize);
            assert_eq!(l[delay..], left[..5000 - delay]);
            assert_eq!(r[delay..], right[..5000 - delay]);
            assert!(l[..delay].iter().all(|v| *v == 0.0));
        }
    }

    #[test]
    fn nothing_leaves_above_the_ceiling_whatever_comes() {
        let ceiling = LimiterSettings::default().ceiling;
        for lookahead in [0.0, 0.0005, 0.02] {
            for level in [1.0, 3.0, 1e6, 1e30] {
                let mut limiter = Limiter::new(&settings(lookahead), RATE);
                let (l, r) = run(&mut limiter, &noise(20_000, level), &noise(20_000, level * 0.1));
                assert!(
                    l.iter().chain(&r).all(|v| v.abs() <= ceiling),
                    "level {level}, look-ahead {lookahead}"
                );
            }
        }
    }

    #[test]
    fn with_look_ahead_the_gain_is_down_before_the_peak_and_moves_in_a_straight_line() {
        let mut limiter = Limiter::new(&settings(0.001), RATE); // 48 frames
        let mut left = vec![0.1f32; 1000];
        left[500] = 2.0;
        let (l, _) = run(&mut limiter, &left, &left);
        let needed = LimiterSettings::default().ceiling / 2.0;
        let gain: Vec<f32> = l[48..].iter().zip(&left).map(|(out, put)| out / put).collect();
        // The window of 49 frames sees the peak 48 frames ahead, and the mean over 48 takes as many to arrive.
        assert_eq!(gain[500 - 49], 1.0);
        let slope = (1.0 - needed) / 48.0;
        for n in 1..48 {
            let expected = 1.0 - slope * n as f32;
            assert!(
                (gain[500 - 48 + n - 1] - expected).abs() < 1e-4,
                "{n}: {} not {expected}",
                gain[452 + n - 1]
            );
        }
        assert!((gain[500] - needed).abs() < 1e-4);
        assert!((l[548] - LimiterSettings::default().ceiling).abs() < 1e-4);
    }

    #[test]
    fn the_gain_comes_back_with_its_time_constant_and_then_exactly() {
        let mut limiter = Limiter::new(&LimiterSettings { release_s: 0.01, ..settings(0.0) }, RATE);
        let mut left = vec![0.5f32; 20_000];
        left[0] = 2.0;
        let (l, _) = run(&mut limiter, &left, &left);
        let needed = f64::from(LimiterSettings::default().ceiling) / 2.0;
        for n in [1usize, 100, 480, 1000] {
            let expected = 1.0 - (1.0 - needed) * (-(n as f64) / 480.0).exp();
            // n roundings of 2⁻²⁴ at most.
            assert!((f64::from(l[n]) / 0.5 - expected).abs() < 1e-4, "frame {n}");
        }
        assert!(l[10_000..].iter().all(|v| *v == 0.5), "and then the sound is untouched");
        assert!(!limiter.is_limiting());
    }

    #[test]
    fn both_sides_keep_their_ratio() {
        let mut limiter = Limiter::new(&settings(0.0), RATE);
        let (left, right) = (noise(2000, 4.0), noise(2000, 2.0));
        let (l, r) = run(&mut limiter, &left, &right);
        // Not where the clamp rounds the louder side.
        assert!(l.iter().zip(&r).all(|(l, r)| (l - 2.0 * r).abs() <= 1e-6));
    }

    #[test]
    fn any_partition_has_the_same_bits() {
        for lookahead in [0.0, 0.003] {
            let (left, right) = (noise(3000, 2.0), noise(3000, 1.5));
            let whole = run(&mut Limiter::new(&settings(lookahead), RATE), &left, &right);
            for block in [1, 7, 64, 511] {
                let mut limiter = Limiter::new(&settings(lookahead), RATE);
                let (mut l, mut r) = (left.clone(), right.clone());
                for (l, r) in l.chunks_mut(block).zip(r.chunks_mut(block)) {
                    limiter.process(l, r);
                }
                assert!((l, r) == whole, "blocks of {block}");
            }
        }
    }

    #[test]
    fn what_is_not_finite_does_not_poison_the_gain() {
        for lookahead in [0.0, 0.001] {
            let mut limiter = Limiter::new(&settings(lookahead), RATE);
            run(&mut limiter, &[f32::NAN, f32::INFINITY, 1.0], &[f32::NEG_INFINITY, 0.0, f32::NAN]);
            // 20 time constants of 100 ms.
            let (l, _) = run(&mut limiter, &[0.5; 100_000], &[0.5; 100_000]);
            assert_eq!(l[99_999], 0.5);
        }
    }
}
