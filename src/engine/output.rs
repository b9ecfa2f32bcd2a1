//! The way out: master bus, master gain, limiter, the gate of suspend and resume, meters, and the last guard before the
//! device.

use super::bus::{self, Bus, SILENT};
use crate::dsp::limiter::Limiter;
use crate::dsp::ramp::Ramp;
use crate::rt::source::Buses;
use crate::units::Frames;

/// Everything behind the samplers.
pub struct Output {
    channels: usize,
    ramp_frames: u32,
    bus: Bus,
    /// Channels from the third on, in pairs: only sources play there.
    beyond: Vec<Bus>,
    gain: Ramp,
    gate: Ramp,
    limiter: Option<Limiter>,
    /// One for each pair of `beyond`.
    limiters: Vec<Limiter>,
    /// Since the last reset, left and right.
    levels: [Level; 2],
}

/// Peak and energy of one side since the meters were last read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// Largest |value|.
    pub peak: f32,
    /// Sum of squares.
    pub energy: f64,
}

impl Output {
    pub fn new(channels: usize, ramp_frames: u32, limiter: Option<impl Fn() -> Limiter>) -> Self {
        let pairs = channels.saturating_sub(1) / 2;
        Self {
            channels,
            ramp_frames: ramp_frames.max(1),
            bus: SILENT,
            beyond: vec![SILENT; pairs],
            gain: Ramp::at_rest(1.0),
            gate: Ramp::at_rest(1.0),
            limiters: limiter.iter().flat_map(|make| (0..pairs).map(|_| make())).collect(),
            limiter: limiter.map(|make| make()),
            levels: [Level::default(); 2],
        }
    }

    /// Linear amplitude, ramped.
    pub fn set_gain(&mut self, gain: f32, now: Frames) {
        self.gain.glide(gain, now, self.ramp_frames);
    }

    /// Fades to silence; returns the frame on which it is reached.
    pub fn close(&mut self, now: Frames) -> Frames {
        self.gate.glide(0.0, now, self.ramp_frames);
        now + Frames::from(self.ramp_frames)
    }

    /// Fades back in.
    pub fn open(&mut self, now: Frames) {
        self.gate.glide(1.0, now, self.ramp_frames);
    }

    /// What left since this was last asked.
    pub fn take_levels(&mut self) -> [Level; 2] {
        std::mem::take(&mut self.levels)
    }

    /// Frames by which the limiter delays.
    pub fn latency(&self) -> usize {
        self.limiter.as_ref().map_or(0, Limiter::latency)
    }

    /// All buses for the next `frames`, silent.
    pub fn open_bus(&mut self, frames: usize) {
        bus::open(&mut self.bus, frames);
        self.beyond.iter_mut().for_each(|bus| bus::open(bus, frames));
    }

    /// All buses.
    pub fn buses(&mut self) -> Buses<'_> {
        Buses { main: &mut self.bus, beyond: &mut self.beyond }
    }

    /// The master bus.
    pub fn bus(&mut self) -> &mut Bus {
        &mut self.bus
    }

    /// Writes interleaved frames and returns how many values were not finite and went out as 0 (RT-8).
    ///
    /// One channel gets (left + right) / 2 (Web Audio API, "Up-mixing and down-mixing").
    pub fn write(&mut self, frame: Frames, frames: usize, out: &mut [f32]) -> u64 {
        let (gain, gate) = (self.gain, self.gate);
        let mut replaced = 0;
        let [left, right] = &mut self.bus;
        let (Some(left), Some(right)) = (left.get_mut(..frames), right.get_mut(..frames)) else { return 0 };
        gain.apply(frame, left);
        gain.apply(frame, right);
        if let Some(limiter) = &mut self.limiter {
            limiter.process(left, right);
        }
        for (side, level) in [left, right].into_iter().zip(&mut self.levels) {
            gate.apply(frame, side);
            let (highest, silenced) = make_finite(side);
            replaced += silenced;
            level.peak = level.peak.max(highest);
            level.energy += energy(side);
        }
        let [left, right] = &self.bus;
        for ((out, l), r) in out.chunks_exact_mut(self.channels).zip(left).zip(right) {
            match out {
                [mono] => *mono = 0.5 * (l + r),
                [a, b, ..] => (*a, *b) = (*l, *r),
                [] => {}
            }
        }
        replaced + self.write_beyond(frame, frames, out)
    }

    /// The same for channels from the third on; each pair has a limiter of its own.
    fn write_beyond(&mut self, frame: Frames, frames: usize, out: &mut [f32]) -> u64 {
        let mut replaced = 0;
        for (pair, [a, b]) in self.beyond.iter_mut().enumerate() {
            let (Some(a), Some(b)) = (a.get_mut(..frames), b.get_mut(..frames)) else { continue };
            self.gain.apply(frame, a);
            self.gain.apply(frame, b);
            if let Some(limiter) = self.limiters.get_mut(pair) {
                limiter.process(a, b);
            }
            for (channel, side) in (2 + 2 * pair..self.channels).zip([a, b]) {
                self.gate.apply(frame, side);
                replaced += make_finite(side).1;
                for (place, value) in out.iter_mut().skip(channel).step_by(self.channels).zip(&*side) {
                    *place = *value;
                }
            }
        }
        replaced
    }
}

/// Puts 0 where a value is not finite; returns the largest |value| and how many were replaced.
fn make_finite(side: &mut [f32]) -> (f32, u64) {
    let highest = peak(side);
    if highest.is_finite() {
        return (highest, 0);
    }
    let mut replaced = 0;
    for value in side.iter_mut().filter(|value| !value.is_finite()) {
        *value = 0.0;
        replaced += 1;
    }
    (peak(side), replaced)
}

/// Largest |value|; not finite when any value is not.
///
/// Over the bits, since those of non-negative floats are in the order of their values and whole numbers have no order of
/// addition to keep: the compiler makes vectors of it, which it may not of floats.
fn peak(values: &[f32]) -> f32 {
    f32::from_bits(values.iter().map(|value| value.to_bits() & 0x7fff_ffff).max().unwrap_or(0))
}

/// Sum of squares, in four interleaved sums for the same reason.
fn energy(values: &[f32]) -> f64 {
    let mut sums = [0.0f64; 4];
    let (fours, rest) = values.as_chunks::<4>();
    for four in fours {
        for (sum, value) in sums.iter_mut().zip(four) {
            *sum += f64::from(*value) * f64::from(*value);
        }
    }
    let rest: f64 = rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
    sums.iter().sum::<f64>() + rest
}
