//! What is decided when a voice starts: times of envelopes and LFOs, where in the sample, how loud.
//!
//! Source: SFZ `ampeg_attack_oncc`, `ampeg_vel2attack`, `offset_oncc` and their like.

use super::channel::Heard;
use crate::dsp::envelope::EnvelopeTimes;
use crate::instrument::{MAX_ENVELOPES, MAX_LFOS, Modulation, Source, Stage, StartTarget};
use crate::units::Frames;

/// On top of what the region says. Plain numbers: it stays with the voice until it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Onset {
    amplitude: [f32; 7],
    envelopes: [[f32; 7]; MAX_ENVELOPES],
    /// Delay and fade of each LFO, s.
    pub lfos: [[f32; 2]; MAX_LFOS],
    /// Frames.
    pub offset: f32,
    /// Seconds.
    pub delay_s: f32,
    /// 1 is in full.
    pub velocity_track: f32,
    /// Linear factor.
    pub gain: f32,
}

impl Default for Onset {
    fn default() -> Self {
        Self {
            amplitude: [0.0; 7],
            envelopes: [[0.0; 7]; MAX_ENVELOPES],
            lfos: [[0.0; 2]; MAX_LFOS],
            offset: 0.0,
            delay_s: 0.0,
            velocity_track: 0.0,
            gain: 1.0,
        }
    }
}

/// A voice's key, velocity and random number, 0..=1.
#[derive(Clone, Copy, Debug)]
pub struct Played {
    pub key: f32,
    pub velocity: f32,
    pub random: f32,
}

impl Onset {
    /// What a region's routes come to for a note.
    pub fn of(modulation: &Modulation, played: Played, heard: Heard) -> Self {
        let mut onset = Self::default();
        for route in &modulation.at_start {
            let (value, bipolar) = match route.from {
                Source::One => (1.0, false),
                Source::Velocity => (played.velocity / 127.0, false),
                Source::Key => (played.key / 127.0, false),
                Source::Random => (played.random, false),
                // Where it is going: what moved on this very frame has not got anywhere yet.
                Source::Controller(number) => (heard.controller_at(number, Frames::MAX) / 127.0, false),
                Source::Bend => (heard.bend_at(Frames::MAX), true),
                Source::Pressure | Source::ChannelPressure => (heard.pressure_at(Frames::MAX) / 127.0, false),
                // Has not begun.
                Source::NotePressure | Source::Envelope(_) | Source::Lfo(_) => (0.0, false),
            };
            let amount = route.shape.at(value, bipolar) * route.depth;
            let stage = |stages: &mut [f32; 7], stage: Stage| {
                if let Some(place) = stages.get_mut(stage as usize) {
                    *place += amount;
                }
            };
            match route.to {
                StartTarget::Amplitude(at) => stage(&mut onset.amplitude, at),
                StartTarget::Envelope(number, at) => {
                    if let Some(stages) = onset.envelopes.get_mut(usize::from(number)) {
                        stage(stages, at);
                    }
                }
                StartTarget::LfoDelay(number) => {
                    if let Some([delay, _]) = onset.lfos.get_mut(usize::from(number)) {
                        *delay += amount;
                    }
                }
                StartTarget::LfoFade(number) => {
                    if let Some([_, fade]) = onset.lfos.get_mut(usize::from(number)) {
                        *fade += amount;
                    }
                }
                StartTarget::Offset => onset.offset += amount,
                StartTarget::Delay => onset.delay_s += amount,
                StartTarget::VelocityTrack => onset.velocity_track += amount,
            }
        }
        onset
    }

    /// The same, so much louder: a linear factor.
    pub fn with_gain(self, gain: f32) -> Self {
        Self { gain, ..self }
    }

    /// The amplitude envelope of a voice.
    pub fn amplitude(&self, times: &EnvelopeTimes) -> EnvelopeTimes {
        moved(times, &self.amplitude)
    }

    /// Another envelope, by number.
    pub fn envelope(&self, number: usize, times: &EnvelopeTimes) -> EnvelopeTimes {
        self.envelopes.get(number).map_or(*times, |stages| moved(times, stages))
    }
}

/// Times never become negative; levels stay within 0..=1.
fn moved(times: &EnvelopeTimes, stages: &[f32; 7]) -> EnvelopeTimes {
    if *stages == [0.0; 7] {
        return *times;
    }
    let [delay, attack, hold, decay, sustain, release, start] = stages.map(f64::from);
    EnvelopeTimes {
        delay_s: (times.delay_s + delay).max(0.0),
        attack_s: (times.attack_s + attack).max(0.0),
        hold_s: (times.hold_s + hold).max(0.0),
        decay_s: (times.decay_s + decay).max(0.0),
        sustain: (times.sustain + sustain).clamp(0.0, 1.0),
        release_s: (times.release_s + release).max(0.0),
        start: (times.start + start).clamp(0.0, 1.0),
        ..*times
    }
}
