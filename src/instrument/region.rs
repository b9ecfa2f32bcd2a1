//! A region: one sample plus the rules for when and how it sounds.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::{Conditions, Manner, Modulation, Sample, SampleLoop, VelocityCurve};
use crate::dsp::envelope::EnvelopeTimes;

/// How the playhead goes through the sample.
#[derive(Clone, Debug)]
pub enum Playback {
    /// From the first frame to the last; a note-off releases it.
    Once,
    /// From the first frame to the last, whatever the key does: drums.
    OneShot,
    /// Round a loop.
    Loop(Arc<SampleLoop>),
}

/// One sample on the keyboard.
#[derive(Clone, Debug)]
pub struct Region {
    /// What sounds.
    pub sample: Arc<Sample>,
    /// Keys that play it.
    pub keys: RangeInclusive<u8>,
    /// Velocities that play it, within 1..=127.
    pub velocities: RangeInclusive<u8>,
    /// Key at which it sounds at its own pitch; may be fractional.
    pub root_key: f64,
    /// Tuning on top, cents.
    pub tune_cents: f64,
    /// Linear amplitude.
    pub gain: f64,
    /// −1 left to 1 right.
    pub pan: f64,
    /// Frame on which it starts; a fraction starts between two. Source: SFZ `offset`.
    pub offset_frames: f64,
    /// Frame behind the last that is played, unless that is the recording's own. Source: SFZ `end`, which is one less.
    pub end_frame: Option<u32>,
    /// Once, one-shot or looped.
    pub playback: Playback,
    /// A note in this group ends voices that are choked by it; 0 for none.
    pub group: u32,
    /// Group whose notes end this voice; 0 for none. Source: SFZ `group`, `off_by`.
    pub choked_by: u32,
    /// Amplitude envelope.
    pub envelope: EnvelopeTimes,
    /// How loud a velocity is.
    pub velocity: VelocityCurve,
    /// Voices that its group may have at a time; `u32::MAX`: as many as there are. Source: SFZ `polyphony`.
    pub group_polyphony: u32,
    /// Voices of its group that one key may have at a time. Source: SFZ `note_polyphony`.
    pub key_polyphony: u32,
    /// Filters, LFOs, envelopes and what moves what.
    pub modulation: Arc<Modulation>,
    /// When it sounds, beyond keys and velocities; `None`: whenever a key goes down.
    pub conditions: Option<Arc<Conditions>>,
    /// What ends it, what holds it, what is left to chance.
    pub manner: Manner,
}

impl Region {
    /// A sample over the whole keyboard, at its own pitch on key 60, everything else neutral.
    pub fn of(sample: Arc<Sample>) -> Self {
        Self {
            sample,
            keys: 0..=127,
            velocities: 1..=127,
            root_key: 60.0,
            tune_cents: 0.0,
            gain: 1.0,
            pan: 0.0,
            offset_frames: 0.0,
            end_frame: None,
            playback: Playback::Once,
            group: 0,
            choked_by: 0,
            envelope: EnvelopeTimes::default(),
            velocity: VelocityCurve::default(),
            group_polyphony: u32::MAX,
            key_polyphony: u32::MAX,
            modulation: Arc::default(),
            conditions: None,
            manner: Manner::default(),
        }
    }

    /// Its loop, if it has one.
    pub fn sample_loop(&self) -> Option<&Arc<SampleLoop>> {
        match &self.playback {
            Playback::Loop(sample_loop) => Some(sample_loop),
            Playback::Once | Playback::OneShot => None,
        }
    }
}
