//! What `engine.stats()` and `engine.realtime` say: figures gathered from the counters of the engine and its device.

use crate::engine::EngineCounters;
use crate::rt::counters::Distribution;

/// Times that the device was not served, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct XrunsBy {
    /// Rendering took longer than the block lasts.
    pub overload: f64,
    /// The audio thread was not woken in time.
    pub scheduling: f64,
    /// A disk was too slow.
    pub disk: f64,
    /// The device, its driver, or another client of its server.
    pub device: f64,
}

/// Figures of one engine. Names and units as in index.d.ts.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Frames rendered.
    pub frames: f64,
    /// Blocks that the device asked for.
    pub callbacks: f64,
    /// Times that the device was not served.
    pub xruns: f64,
    /// The same by cause.
    pub xruns_by: XrunsBy,
    /// How much less is done than asked for, 0..=2.
    pub degraded: f64,
    /// Events whose time had passed.
    pub late_events: f64,
    /// Events lost to full queues and voices refused.
    pub dropped_events: f64,
    /// Notes that found no instrument or region.
    pub silent_notes: f64,
    /// Records that made no sense.
    pub malformed_records: f64,
    /// Most events that waited at a time.
    pub queue_high_water: f64,
    /// Voices now.
    pub voices: f64,
    /// Most voices at a time.
    pub voices_peak: f64,
    /// Voices that made room.
    pub voices_stolen: f64,
    /// Facts about notes that found no room on their way out.
    pub lost_notices: f64,
    /// Values that were not finite.
    pub non_finite_samples: f64,
    /// Render time ÷ block time, smoothed.
    pub load: f64,
    /// Its highest value.
    pub load_peak: f64,
    /// µs spent rendering a block.
    pub callback: Distribution,
    /// µs by which events missed their frame.
    pub lateness: Distribution,
    /// µs, |actual − ideal| start of a callback.
    pub jitter: Distribution,
}

impl Stats {
    pub(super) fn gather(
        engine: &EngineCounters,
        lost_in_lanes: u64,
        #[cfg(feature = "device")] device: Option<&crate::device::DeviceCounters>,
    ) -> Self {
        let stats = Self {
            frames: engine.frames.load(),
            callbacks: 0.0,
            xruns: 0.0,
            xruns_by: XrunsBy::default(),
            degraded: 0.0,
            late_events: engine.late_events.get() as f64,
            dropped_events: (engine.dropped_events.get() + lost_in_lanes) as f64,
            silent_notes: engine.silent_notes.get() as f64,
            malformed_records: engine.malformed_records.get() as f64,
            queue_high_water: engine.queue_high_water.get() as f64,
            voices: engine.voices.load(),
            voices_peak: engine.voices_peak.get() as f64,
            voices_stolen: engine.voices_stolen.get() as f64,
            lost_notices: engine.facts_lost.get() as f64,
            non_finite_samples: engine.non_finite.get() as f64,
            load: 0.0,
            load_peak: 0.0,
            callback: Distribution::default(),
            lateness: engine.lateness_us.snapshot(),
            jitter: Distribution::default(),
        };
        #[cfg(feature = "device")]
        if let Some(device) = device {
            let [overload, scheduling, disk, other] =
                [0, 1, 2, 3].map(|cause| device.xruns_by[cause].get() as f64);
            return Self {
                callbacks: device.callbacks.get() as f64,
                xruns: device.xruns.get() as f64,
                xruns_by: XrunsBy { overload, scheduling, disk, device: other },
                degraded: device.effort.load(),
                load: device.load.load(),
                load_peak: device.load_peak.load(),
                callback: device.callback_us.snapshot(),
                jitter: device.jitter_us.snapshot(),
                ..stats
            };
        }
        stats
    }
}

/// What the audio thread got from the kernel, read back, not echoed (RT-12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealtimeInfo {
    /// SCHED_FIFO, SCHED_RR, SCHED_OTHER or unknown.
    pub policy: &'static str,
    /// 0 without a real-time policy.
    pub priority: i32,
    /// Whether what was asked for was given.
    pub granted: bool,
    /// direct, rtkit, server or none.
    pub via: &'static str,
    /// Why not, and what to do about it.
    pub reason: Option<String>,
    /// The kernel's number of the thread; 0 where there is none.
    pub thread_id: u64,
    /// The core that the thread is kept on, if it is one only.
    pub cpu: Option<u32>,
    /// Bytes of ours that are locked in memory: of all engines of the process, their lanes, and samples.
    pub memory_locked: u64,
}

impl RealtimeInfo {
    pub(super) fn none(reason: &str) -> Self {
        Self {
            policy: "unknown",
            priority: 0,
            granted: false,
            via: "none",
            reason: Some(reason.into()),
            thread_id: 0,
            cpu: None,
            memory_locked: 0,
        }
    }

    #[cfg(feature = "device")]
    pub(super) fn of(status: crate::device::RealtimeStatus) -> Self {
        Self {
            policy: status.policy,
            priority: status.priority,
            granted: status.granted,
            via: status.via,
            reason: status.reason,
            thread_id: status.thread_id,
            cpu: status.cpu,
            memory_locked: crate::device::locked_bytes(),
        }
    }
}
