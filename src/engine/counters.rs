//! What the engine counts. Written on the audio thread, read anywhere.

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
