//! What was asked of one note: gain, pan, pitch, tone, sends, and how its envelope differs from its instrument's.
//!
//! Every voice of the note has its own copy: they start together and hear the same events. What can be turned while it
//! sounds glides (RT-11); the rest counts as long as the note has not been heard.

use super::event::NoteParam;
use crate::dsp::envelope::EnvelopeTimes;
use crate::dsp::pan;
use crate::dsp::ramp::Ramp;
use crate::units::Frames;

/// Sends that a voice has.
pub const SENDS: usize = 3;

/// A filter that a note brings along, or turns: cutoff as octaves above 1 Hz, so that it glides as it is heard.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoteFilter {
    /// Octaves above 1 Hz; `None`: not asked for.
    pub cutoff: Option<Ramp>,
    /// dB over the flat response; `None`: the instrument's.
    pub resonance_db: Option<Ramp>,
}

/// Which of a note's filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteFilterKind {
    /// `cutoff`, `resonance`: its instrument's own filter, or a low-pass where it has none.
    Low,
    /// `hcutoff`, `hresonance`.
    High,
    /// `bandf`, `bandq`.
    Band,
}

/// Stages of the envelope that the note has of its own, s; sustain 0..=1.
#[derive(Clone, Copy, Debug, Default)]
struct Stages {
    delay: Option<f32>,
    attack: Option<f32>,
    decay: Option<f32>,
    sustain: Option<f32>,
    release: Option<f32>,
}

/// Parameters of one note.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    gain: f32,
    pan: f32,
    sides: [Ramp; 2],
    /// Detune, rate and portamento, cents.
    detune: Ramp,
    rate: Ramp,
    glide: Ramp,
    /// 0..=127.
    pressure: Ramp,
    /// 0..=127, 64 neutral.
    brightness: Ramp,
    filters: [NoteFilter; 3],
    /// `None`: as its sampler has them.
    sends: [Option<Ramp>; SENDS],
    stages: Stages,
    portamento_s: Option<f32>,
    /// Part of the sample that it plays, 0..=1.
    pub span: [f32; 2],
    /// Negative: backwards.
    pub speed: f32,
    /// Choke group of its own; 0 for none.
    pub cut: u32,
    /// Nothing above moves from this frame on.
    still_from: Frames,
}

impl Default for Note {
    fn default() -> Self {
        Self {
            gain: 1.0,
            pan: 0.0,
            sides: [Ramp::at_rest(1.0); 2],
            detune: Ramp::at_rest(0.0),
            rate: Ramp::at_rest(0.0),
            glide: Ramp::at_rest(0.0),
            pressure: Ramp::at_rest(0.0),
            brightness: Ramp::at_rest(64.0),
            filters: [NoteFilter::default(); 3],
            sends: [None; SENDS],
            stages: Stages::default(),
            portamento_s: None,
            span: [0.0, 1.0],
            speed: 1.0,
            cut: 0,
            still_from: 0,
        }
    }
}

/// Cents of a ratio.
fn cents(ratio: f32) -> f32 {
    (f64::from(ratio).log2() * 1200.0) as f32
}

/// Moves a ramp, at once when there is no time for it.
fn turn(ramp: &mut Ramp, target: f32, now: Frames, over: u32) {
    if over == 0 {
        *ramp = Ramp::at_rest(target);
    } else {
        ramp.glide(target, now, over);
    }
}

impl Note {
    /// Whether anything moves at or after this frame.
    pub fn moves_at(&self, frame: Frames) -> bool {
        frame < self.still_from
    }

    /// Gain and pan together, left and right.
    pub fn sides_at(&self, frame: Frames) -> [f32; 2] {
        self.sides.map(|ramp| ramp.at(frame))
    }

    /// Detune, rate and portamento together, cents.
    pub fn cents_at(&self, frame: Frames) -> f32 {
        self.detune.at(frame) + self.rate.at(frame) + self.glide.at(frame)
    }

    /// 0..=127.
    pub fn pressure_at(&self, frame: Frames) -> f32 {
        self.pressure.at(frame)
    }

    /// 0..=127, 64 neutral.
    pub fn brightness_at(&self, frame: Frames) -> f32 {
        self.brightness.at(frame)
    }

    /// Level of a send; `None`: its sampler's.
    pub fn send_at(&self, send: usize, frame: Frames) -> Option<f32> {
        self.sends.get(send)?.map(|ramp| ramp.at(frame))
    }

    /// One of its filters.
    pub fn filter(&self, kind: NoteFilterKind) -> &NoteFilter {
        let [low, high, band] = &self.filters;
        match kind {
            NoteFilterKind::Low => low,
            NoteFilterKind::High => high,
            NoteFilterKind::Band => band,
        }
    }

    /// Its instrument's envelope with the stages that it has of its own.
    pub fn envelope(&self, times: &EnvelopeTimes) -> EnvelopeTimes {
        let own = |stage: Option<f32>, else_s: f64| stage.map_or(else_s, f64::from);
        let Stages { delay, attack, decay, sustain, release } = self.stages;
        EnvelopeTimes {
            delay_s: own(delay, times.delay_s),
            attack_s: own(attack, times.attack_s),
            decay_s: own(decay, times.decay_s),
            sustain: own(sustain, times.sustain),
            release_s: own(release, times.release_s),
            ..*times
        }
    }

    /// Its pitch comes from `cents` off, in `time_s`.
    pub fn glide_from(&mut self, cents: f32, time_s: f32, now: Frames, sample_rate: u32) {
        let frames = (time_s * sample_rate as f32) as u32;
        self.glide = Ramp::at_rest(cents);
        self.glide.glide(0.0, now, frames);
        self.moves_until(now, frames);
    }

    /// How long it asks to glide from the key before it, s.
    pub fn portamento_s(&self) -> Option<f32> {
        self.portamento_s
    }

    /// Sets a parameter, reached `over` frames after `now`; `heard`: it sounds already, so what only counts at the start
    /// is left alone.
    pub fn turn(&mut self, param: NoteParam, value: f32, now: Frames, over: u32, heard: bool) {
        let stages = &mut self.stages;
        match param {
            NoteParam::Detune => turn(&mut self.detune, value, now, over),
            NoteParam::Rate => turn(&mut self.rate, cents(value), now, over),
            NoteParam::Pressure => turn(&mut self.pressure, value, now, over),
            NoteParam::Brightness => turn(&mut self.brightness, value, now, over),
            NoteParam::Cutoff => self.turn_cutoff(NoteFilterKind::Low, value, now, over),
            NoteParam::HighCutoff => self.turn_cutoff(NoteFilterKind::High, value, now, over),
            NoteParam::BandCutoff => self.turn_cutoff(NoteFilterKind::Band, value, now, over),
            NoteParam::Resonance => self.turn_resonance(NoteFilterKind::Low, value, now, over),
            NoteParam::HighResonance => self.turn_resonance(NoteFilterKind::High, value, now, over),
            NoteParam::BandResonance => self.turn_resonance(NoteFilterKind::Band, value, now, over),
            NoteParam::Reverb => self.turn_send(0, value, now, over, heard),
            NoteParam::Delay => self.turn_send(1, value, now, over, heard),
            NoteParam::Chorus => self.turn_send(2, value, now, over, heard),
            NoteParam::Gain | NoteParam::Pan => {
                if param == NoteParam::Gain {
                    self.gain = value;
                } else {
                    self.pan = value;
                }
                let sides = pan::stereo(f64::from(self.pan)).map(|side| side * self.gain);
                for (ramp, target) in self.sides.iter_mut().zip(sides) {
                    turn(ramp, target, now, over);
                }
            }
            // The release is still to come, whatever else has been heard.
            NoteParam::Release => stages.release = Some(value),
            _ if heard => return,
            NoteParam::Wait => stages.delay = Some(value),
            NoteParam::Attack => stages.attack = Some(value),
            NoteParam::Decay => stages.decay = Some(value),
            NoteParam::Sustain => stages.sustain = Some(value),
            NoteParam::Portamento => self.portamento_s = Some(value),
            NoteParam::Begin => self.span[0] = value,
            NoteParam::End => self.span[1] = value,
            NoteParam::Speed => self.speed = value,
            NoteParam::Cut => self.cut = value as u32,
        }
        self.moves_until(now, over);
    }

    fn filter_mut(&mut self, kind: NoteFilterKind) -> &mut NoteFilter {
        let [low, high, band] = &mut self.filters;
        match kind {
            NoteFilterKind::Low => low,
            NoteFilterKind::High => high,
            NoteFilterKind::Band => band,
        }
    }

    fn turn_cutoff(&mut self, kind: NoteFilterKind, hz: f32, now: Frames, over: u32) {
        let octaves = hz.log2();
        let filter = self.filter_mut(kind);
        match &mut filter.cutoff {
            Some(ramp) => turn(ramp, octaves, now, over),
            place => {
                // It comes in from where it changes nothing.
                let open = if kind == NoteFilterKind::High { OPEN_HIGH } else { OPEN_LOW };
                let mut ramp = Ramp::at_rest(if kind == NoteFilterKind::Band { octaves } else { open });
                turn(&mut ramp, octaves, now, over);
                *place = Some(ramp);
            }
        }
    }

    fn turn_resonance(&mut self, kind: NoteFilterKind, db: f32, now: Frames, over: u32) {
        let filter = self.filter_mut(kind);
        match &mut filter.resonance_db {
            Some(ramp) => turn(ramp, db, now, over),
            place => *place = Some(Ramp::at_rest(db)),
        }
    }

    fn turn_send(&mut self, send: usize, level: f32, now: Frames, over: u32, heard: bool) {
        match self.sends.get_mut(send) {
            Some(Some(ramp)) => turn(ramp, level, now, over),
            // One that is heard comes from its sampler's level; from none, since whose it was is not known here.
            Some(place) => {
                let mut ramp = Ramp::at_rest(if heard { 0.0 } else { level });
                turn(&mut ramp, level, now, over);
                *place = Some(ramp);
            }
            None => {}
        }
    }

    fn moves_until(&mut self, now: Frames, frames: u32) {
        self.still_from = self.still_from.max(now + Frames::from(frames));
    }
}

/// A low-pass that is open: 20 kHz, in octaves above 1 Hz.
pub const OPEN_LOW: f32 = 14.287_712;
/// A high-pass that is: 10 Hz.
pub const OPEN_HIGH: f32 = std::f32::consts::LOG2_10;
