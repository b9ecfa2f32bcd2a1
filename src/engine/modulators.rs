//! A voice's running envelopes and LFOs, and what its region's routes make of them.
//!
//! Sums are taken once a segment, at its end; between two ends gain and cutoff run in a straight line and pitch stands
//! at the middle (`voice`). Nothing depends on the block (RT-6).

use super::channel::Heard;
use super::note::Note;
use super::onset::Onset;
use crate::dsp::envelope::Envelope;
use crate::dsp::fast::{db_to_gain, sin_turns};
use crate::dsp::lfo::{Lfo, LfoSettings, Sync};
use crate::instrument::{MAX_ENVELOPES, MAX_FILTERS, MAX_LFOS, Modulation, Source, Target};
use crate::units::Frames;

/// What all routes of a region add up to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sums {
    /// On top of key, bend and detune.
    pub cents: f32,
    gain_db: f32,
    /// Linear: what is multiplied, and what is added to 1.
    factor: f32,
    depth: f32,
    pan: f32,
    /// On top of the region's.
    pub width: f32,
    /// On top of each filter's own.
    pub cutoff_cents: [f32; MAX_FILTERS],
    /// On top of each filter's own.
    pub resonance_db: [f32; MAX_FILTERS],
    /// On top of each filter's own.
    pub filter_gain_db: [f32; MAX_FILTERS],
    lfo_cents: [f32; MAX_LFOS],
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            cents: 0.0,
            gain_db: 0.0,
            factor: 1.0,
            depth: 0.0,
            pan: 0.0,
            width: 0.0,
            cutoff_cents: [0.0; MAX_FILTERS],
            resonance_db: [0.0; MAX_FILTERS],
            filter_gain_db: [0.0; MAX_FILTERS],
            lfo_cents: [0.0; MAX_LFOS],
        }
    }
}

impl Sums {
    /// Gain and pan together, left and right; exactly 1 where nothing moves them.
    pub fn sides(&self) -> [f32; 2] {
        let linear = self.factor * (1.0 + self.depth);
        if self.gain_db == 0.0 && self.pan == 0.0 {
            return [linear; 2];
        }
        let gain = db_to_gain(f64::from(self.gain_db.clamp(-200.0, 60.0))) * f64::from(linear);
        // Equal power, balanced: `pan::stereo` without a call into the maths library.
        let turn = (f64::from(self.pan.clamp(-1.0, 1.0)) + 1.0) / 8.0;
        let side = |turn: f64| (sin_turns(turn) * std::f64::consts::SQRT_2 * gain) as f32;
        [side(0.25 - turn), side(turn)]
    }
}

/// Where values are taken from: a frame, `ahead` of the segment's beginning.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    pub ahead: u32,
    pub frame: Frames,
    pub heard: Heard<'a>,
    pub note: &'a Note,
}

/// Envelopes and LFOs of one voice, and what of it never changes.
#[derive(Clone, Copy, Debug)]
pub struct Modulators {
    envelopes: [Option<Envelope>; MAX_ENVELOPES],
    lfos: [Option<Lfo>; MAX_LFOS],
    velocity: f32,
    key: f32,
    random: f32,
    /// Frames that have gone by without anybody asking.
    behind: u32,
}

impl Modulators {
    /// Those of a voice that starts; `seed` tells it from others.
    pub fn start(
        modulation: &Modulation,
        key: f32,
        velocity: f32,
        seed: u32,
        now: Frames,
        sample_rate: u32,
        onset: &Onset,
    ) -> Self {
        let mut envelopes = [None; MAX_ENVELOPES];
        for ((number, running), times) in envelopes.iter_mut().enumerate().zip(&modulation.envelopes) {
            *running = Some(Envelope::modulating(&onset.envelope(number, times), sample_rate));
        }
        let mut lfos = [None; MAX_LFOS];
        let lfos_and_onsets = (0u32..).zip(&mut lfos).zip(&modulation.lfos).zip(onset.lfos);
        for (((number, running), settings), [delay, fade]) in lfos_and_onsets {
            let settings = LfoSettings {
                delay_s: (settings.delay_s + delay).max(0.0),
                fade_s: (settings.fade_s + fade).max(0.0),
                ..*settings
            };
            // One that runs free is the same for all notes.
            let seed = if settings.sync == Sync::Free { number } else { seed.wrapping_add(number) };
            *running = Some(Lfo::start(&settings, sample_rate, now, seed));
        }
        // The upper 24 bits of a scrambled seed: all that an f32 can hold.
        let random = (scramble(seed) >> 8) as f32 / (1 << 24) as f32;
        Self { envelopes, lfos, velocity: velocity / 127.0, key: key / 127.0, random, behind: 0 }
    }

    /// The key is let go.
    pub fn release(&mut self, now: &Sums) {
        self.catch_up(now);
        self.envelopes.iter_mut().flatten().for_each(Envelope::release);
    }

    /// Frames until the next stage of an envelope begins, or an LFO has waited or faded in.
    pub fn frames_left(&self) -> u32 {
        let envelopes = self.envelopes.iter().flatten().map(Envelope::frames_left);
        envelopes.chain(self.lfos.iter().flatten().map(Lfo::frames_left)).min().unwrap_or(u32::MAX)
    }

    /// Moves on; what has to be computed for it waits until somebody asks.
    pub fn advance(&mut self, frames: u32) {
        self.behind = self.behind.saturating_add(frames);
    }

    /// Arrives where `advance` has moved it, LFOs at the rate that `now` gives them.
    pub fn catch_up(&mut self, now: &Sums) {
        let frames = std::mem::take(&mut self.behind);
        for envelope in self.envelopes.iter_mut().flatten() {
            envelope.pass_over(frames);
        }
        for (lfo, cents) in self.lfos.iter_mut().zip(now.lfo_cents) {
            if let Some(lfo) = lfo {
                lfo.advance(frames, rate_ratio(cents));
            }
        }
    }

    /// Whether what it adds up to changes by itself from here on; controllers are not looked at.
    pub fn moves(&self, modulation: &Modulation, moment: Moment) -> bool {
        let runs = |source| match source {
            Source::Envelope(number) => {
                let envelope = self.envelopes.get(usize::from(number)).copied().flatten();
                // One that stands until an event has no stage's end before it.
                envelope.is_some_and(|envelope| envelope.frames_left() < u32::MAX)
            }
            Source::Lfo(number) => self.lfos.get(usize::from(number)).is_some_and(Option::is_some),
            _ => false,
        };
        modulation.routes.iter().any(|route| {
            // What is scaled by nothing stands still, too.
            runs(route.via)
                || runs(route.from) && {
                    let (via, bipolar) = self.value(route.via, moment, &Sums::default());
                    route.via_shape.at(via, bipolar) != 0.0
                }
        })
    }

    /// What the routes add up to; LFOs look ahead at the rate that `now` gives them.
    pub fn sums(&self, modulation: &Modulation, moment: Moment, now: &Sums) -> Sums {
        let mut sums = Sums::default();
        for route in &modulation.routes {
            let (from, from_bipolar) = self.value(route.from, moment, now);
            let (via, via_bipolar) = self.value(route.via, moment, now);
            let amount =
                route.shape.at(from, from_bipolar) * route.via_shape.at(via, via_bipolar) * route.depth;
            let place = match route.to {
                Target::Amplitude => {
                    sums.factor *= amount;
                    None
                }
                Target::AmplitudeSum => Some(&mut sums.depth),
                Target::Width => Some(&mut sums.width),
                Target::Pitch => Some(&mut sums.cents),
                Target::Gain => Some(&mut sums.gain_db),
                Target::Pan => Some(&mut sums.pan),
                Target::Cutoff(number) => sums.cutoff_cents.get_mut(usize::from(number)),
                Target::Resonance(number) => sums.resonance_db.get_mut(usize::from(number)),
                Target::FilterGain(number) => sums.filter_gain_db.get_mut(usize::from(number)),
                Target::LfoRate(number) => sums.lfo_cents.get_mut(usize::from(number)),
            };
            if let Some(place) = place {
                *place += amount;
            }
        }
        sums
    }

    /// A source's value, and whether it runs from −1 to 1.
    fn value(&self, source: Source, moment: Moment, now: &Sums) -> (f32, bool) {
        let Moment { ahead, frame, heard, note } = moment;
        match source {
            Source::One => (1.0, false),
            Source::Velocity => (self.velocity, false),
            Source::Key => (self.key, false),
            Source::Random => (self.random, false),
            Source::Controller(number) => (heard.controller_at(number, frame) / 127.0, false),
            Source::Bend => (heard.bend_at(frame), true),
            Source::Pressure => (heard.pressure_at(frame).max(note.pressure_at(frame)) / 127.0, false),
            Source::ChannelPressure => (heard.pressure_at(frame) / 127.0, false),
            Source::NotePressure => (note.pressure_at(frame) / 127.0, false),
            Source::Envelope(number) => {
                let envelope = self.envelopes.get(usize::from(number)).and_then(Option::as_ref);
                (envelope.map_or(0.0, |envelope| envelope.level_after(ahead)), false)
            }
            Source::Lfo(number) => {
                let cents = now.lfo_cents.get(usize::from(number)).copied().unwrap_or(0.0);
                let lfo = self.lfos.get(usize::from(number)).copied().flatten();
                let value = lfo.map_or(0.0, |mut lfo| {
                    lfo.advance(ahead, rate_ratio(cents));
                    lfo.value()
                });
                (value, true)
            }
        }
    }
}

fn rate_ratio(cents: f32) -> f32 {
    if cents == 0.0 {
        1.0
    } else {
        crate::dsp::fast::cents_to_ratio(f64::from(cents.clamp(-12_000.0, 12_000.0))) as f32
    }
}

/// A number that looks random for each seed (the finaliser of MurmurHash3, which is in the public domain).
pub fn scramble(mut bits: u32) -> u32 {
    bits ^= bits >> 16;
    bits = bits.wrapping_mul(0x85eb_ca6b);
    bits ^= bits >> 13;
    bits = bits.wrapping_mul(0xc2b2_ae35);
    bits ^ (bits >> 16)
}
