//! What the engine counts. Written on the audio thread, read anywhere.

use std::sync::atomic::{AtomicU32, Ordering};

use super::output::Level;
use crate::rt::counters::{Counter, Gauge, Histogram};

/// Counters of one engine.
#[derive(Debug, Default)]
pub struct EngineCounters {
    /// Frames rendered; the engine clock.
    pub frames: Gauge,
    /// Events whose time had passed when they were received.
    pub late_events: Counter,
    /// By how much, µs; events that were in time count as 0.
    pub lateness_us: Histogram,
    /// Events lost: the scheduler was full, or a voice was refused.
    pub dropped_events: Counter,
    /// Notes that found no instrument, or no region for their key and velocity.
    pub silent_notes: Counter,
    /// Records that made no sense.
    pub malformed_records: Counter,
    /// Most events that waited at a time.
    pub queue_high_water: Counter,
    /// Voices now.
    pub voices: Gauge,
    /// Most voices at a time.
    pub voices_peak: Counter,
    /// Voices that made room for others.
    pub voices_stolen: Counter,
    /// Values that were not finite and went out as 0.
    pub non_finite: Counter,
    /// Facts that could not be told because the collector was full.
    pub facts_lost: Counter,
    /// What left, since it was last asked.
    pub meter: Meter,
}

/// Peak and RMS of both sides since they were last read.
///
/// A reader takes what is there and turns the epoch; the audio thread, seeing a new epoch after its next block, starts
/// with that block. No frame is counted twice or lost, and neither side waits.
#[derive(Debug, Default)]
pub struct Meter {
    epoch: AtomicU32,
    frames: Gauge,
    peaks: [Gauge; 2],
    energies: [Gauge; 2],
}

/// One reading.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Largest |value|, left and right.
    pub peak: [f64; 2],
    /// Root mean square, left and right; 0 when no frame was rendered.
    pub rms: [f64; 2],
}

impl Meter {
    /// What left since the last reading.
    ///
    /// Thread: any but audio.
    pub fn read(&self) -> Reading {
        let frames = self.frames.load();
        let rms = |energy: &Gauge| if frames > 0.0 { (energy.load() / frames).sqrt() } else { 0.0 };
        let [left, right] = &self.energies;
        let [peak_left, peak_right] = &self.peaks;
        let reading = Reading { peak: [peak_left.load(), peak_right.load()], rms: [rms(left), rms(right)] };
        self.epoch.fetch_add(1, Ordering::Relaxed);
        reading
    }
}

/// The audio thread's side of a [`Meter`].
#[derive(Debug, Default)]
pub struct Metering {
    epoch: u32,
    frames: f64,
    levels: [Level; 2],
}

impl Metering {
    /// Adds a block and publishes.
    pub fn add(&mut self, meter: &Meter, frames: f64, block: [Level; 2]) {
        let epoch = meter.epoch.load(Ordering::Relaxed);
        if epoch != self.epoch {
            *self = Self { epoch, ..Self::default() };
        }
        self.frames += frames;
        for (level, new) in self.levels.iter_mut().zip(block) {
            level.peak = level.peak.max(new.peak);
            level.energy += new.energy;
        }
        meter.frames.store(self.frames);
        for ((level, peak), energy) in self.levels.iter().zip(&meter.peaks).zip(&meter.energies) {
            peak.store(f64::from(level.peak));
            energy.store(level.energy);
        }
    }
}

impl EngineCounters {
    /// Starts all counters anew, but for the clock and the voices that sound.
    pub fn reset(&self) {
        for counter in [
            &self.late_events,
            &self.dropped_events,
            &self.silent_notes,
            &self.malformed_records,
            &self.queue_high_water,
            &self.voices_peak,
            &self.voices_stolen,
            &self.non_finite,
            &self.facts_lost,
        ] {
            counter.reset();
        }
        self.lateness_us.reset();
    }
}
