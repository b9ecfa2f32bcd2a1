//! One MIDI channel: what its controllers are at, and what follows from it for voices.
//!
//! A channel that was never touched leaves the sound as it is: volume and expression stand at their maximum, not at
//! General MIDI's 100, since a sampler that nobody has sent a controller to shall play recordings at their level.
//! Sources: MIDI 1.0 Detailed Specification ("Controller Numbers", "Registered Parameter Numbers"); General MIDI
//! Level 1 and 2 Developer Guidelines; RP-015 (reset all controllers); RP-021 (controllers 71 to 78).

use super::event::InstrumentIndex;
use super::note::SENDS;
use crate::dsp::pan;
use crate::dsp::ramp::Ramp;
use crate::units::Frames;

/// Semitones that a full pitch bend moves, until RPN 0 sets them (MIDI 1.0: default ±2).
pub const BEND_RANGE_CENTS: f32 = 200.0;
/// The same on the member channels of an MPE zone (MPE 1.0, section 2.4).
pub const MEMBER_BEND_RANGE_CENTS: f32 = 4_800.0;

/// Controller numbers that the engine itself knows.
pub mod cc {
    #![allow(missing_docs)]
    pub const BANK: u8 = 0;
    pub const PORTAMENTO_TIME: u8 = 5;
    pub const DATA: u8 = 6;
    pub const VOLUME: u8 = 7;
    pub const PAN: u8 = 10;
    pub const EXPRESSION: u8 = 11;
    pub const BANK_FINE: u8 = 32;
    pub const DATA_FINE: u8 = 38;
    pub const SUSTAIN: u8 = 64;
    pub const PORTAMENTO: u8 = 65;
    pub const SOSTENUTO: u8 = 66;
    pub const SOFT: u8 = 67;
    pub const RESONANCE: u8 = 71;
    pub const RELEASE: u8 = 72;
    pub const ATTACK: u8 = 73;
    pub const BRIGHTNESS: u8 = 74;
    pub const DECAY: u8 = 75;
    pub const PORTAMENTO_FROM: u8 = 84;
    pub const REVERB: u8 = 91;
    pub const CHORUS: u8 = 93;
    pub const DELAY: u8 = 94;
    pub const INCREMENT: u8 = 96;
    pub const DECREMENT: u8 = 97;
    pub const NRPN_FINE: u8 = 98;
    pub const NRPN: u8 = 99;
    pub const RPN_FINE: u8 = 100;
    pub const RPN: u8 = 101;
    pub const ALL_SOUND_OFF: u8 = 120;
    pub const RESET: u8 = 121;
    pub const ALL_NOTES_OFF: u8 = 123;
}

/// Controllers there are.
pub const CONTROLLERS: usize = 128;

/// Controllers of the sends, by number.
pub const SEND_CONTROLLERS: [u8; SENDS] = [cc::REVERB, cc::DELAY, cc::CHORUS];

/// A registered parameter that data entry sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registered {
    BendRange,
    FineTuning,
    CoarseTuning,
    MpeZone,
    /// Unknown, non-registered or none: data entry goes nowhere.
    Nothing,
}

impl Registered {
    fn of(coarse: f32, fine: f32) -> Self {
        match (coarse as u8, fine as u8) {
            (0, 0) => Self::BendRange,
            (0, 1) => Self::FineTuning,
            (0, 2) => Self::CoarseTuning,
            (0, 6) => Self::MpeZone,
            _ => Self::Nothing,
        }
    }
}

/// What a controller did, for the voices and for the sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controlled {
    /// Nothing that sounding voices hear.
    Nothing,
    /// Something that they follow moves.
    Sound,
    /// What is held now is kept.
    SostenutoDown,
    /// What a pedal kept may go.
    PedalUp,
    /// All controllers are as at the start.
    Reset,
    /// CC 120.
    AllSoundOff,
    /// CC 123 to 127.
    AllNotesOff,
    /// RPN 6 on this channel: an MPE zone of so many members.
    Zone(u8),
}

/// MIDI state of one channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// What new notes play.
    pub instrument: Option<InstrumentIndex>,
    /// −1..=1, gliding.
    bend: Ramp,
    bend_range_cents: f32,
    /// RPN 1 and 2 together, cents.
    tuning_cents: Ramp,
    fine_cents: f32,
    coarse_cents: f32,
    /// Volume, expression and pan together, left and right, gliding.
    gain: [Ramp; 2],
    /// 0..=127, gliding.
    controllers: [Ramp; CONTROLLERS],
    /// Channel pressure, 0..=127, gliding.
    pressure: Ramp,
    /// Which parameter data entry sets, and its two halves.
    registered: Registered,
    data: [f32; 2],
    /// Bank as selected, 14 bits: takes effect with the next program change.
    bank: u16,
    /// Program as selected last.
    program: u8,
    /// Key of the last note that started, for portamento.
    last_key: Option<f32>,
    /// CC 84: the next note glides from here.
    portamento_from: Option<f32>,
    /// Nothing above moves from this frame on.
    still_from: Frames,
}

/// Values of a channel that nobody has touched, 0..=127.
pub fn neutral(controller: u8) -> f32 {
    match controller {
        cc::VOLUME | cc::EXPRESSION => 127.0,
        cc::PAN | cc::RESONANCE..=cc::DECAY | 76..=78 => 64.0,
        _ => 0.0,
    }
}

/// What RP-015 resets; volume, pan, banks, sends and the sound controllers stay.
const RESET: [u8; 7] =
    [1, cc::EXPRESSION, cc::SUSTAIN, cc::PORTAMENTO, cc::SOSTENUTO, cc::SOFT, cc::PORTAMENTO_FROM];

impl Default for Channel {
    fn default() -> Self {
        let mut controllers = [Ramp::at_rest(0.0); CONTROLLERS];
        for (number, ramp) in (0..).zip(&mut controllers) {
            *ramp = Ramp::at_rest(neutral(number));
        }
        Self {
            instrument: None,
            bend: Ramp::at_rest(0.0),
            bend_range_cents: BEND_RANGE_CENTS,
            tuning_cents: Ramp::at_rest(0.0),
            fine_cents: 0.0,
            coarse_cents: 0.0,
            gain: [Ramp::at_rest(1.0); 2],
            controllers,
            pressure: Ramp::at_rest(0.0),
            registered: Registered::Nothing,
            data: [0.0; 2],
            bank: 0,
            program: 0,
            last_key: None,
            portamento_from: None,
            still_from: 0,
        }
    }
}

/// How long things take to reach a new value, frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Glides {
    /// Controllers and pressure.
    pub controller: u32,
    /// Pitch bend.
    pub bend: u32,
}

impl Channel {
    /// Whether anything voices follow changes at or after this frame.
    pub fn moves_at(&self, frame: Frames) -> bool {
        frame < self.still_from
    }

    /// Pitch bend and tuning, cents.
    pub fn cents_at(&self, frame: Frames) -> f32 {
        self.bend.at(frame) * self.bend_range_cents + self.tuning_cents.at(frame)
    }

    /// Pitch bend, −1..=1.
    pub fn bend_at(&self, frame: Frames) -> f32 {
        self.bend.at(frame)
    }

    /// Volume, expression and pan, left and right.
    pub fn gain_at(&self, frame: Frames) -> [f32; 2] {
        self.gain.map(|ramp| ramp.at(frame))
    }

    /// Channel pressure, 0..=127.
    pub fn pressure_at(&self, frame: Frames) -> f32 {
        self.pressure.at(frame)
    }

    /// A controller, 0..=127, gliding.
    pub fn controller_at(&self, number: u8, frame: Frames) -> f32 {
        self.controllers.get(usize::from(number)).map_or(0.0, |ramp| ramp.at(frame))
    }

    /// Where a controller is, or is going.
    pub fn controller(&self, number: u8) -> f32 {
        self.controllers.get(usize::from(number)).map_or(0.0, Ramp::target)
    }

    /// Whether a pedal is down (CC 64 to 69: 64 and above).
    pub fn pedal(&self, number: u8) -> bool {
        self.controller(number) >= 64.0
    }

    /// Program as last selected, 0..=127.
    pub fn program(&self) -> u8 {
        self.program
    }

    /// A program change came, whether or not there is such a program.
    pub fn set_program(&mut self, program: u8) {
        self.program = program;
    }

    /// Tuning without pitch bend, cents.
    pub fn tuning_at(&self, frame: Frames) -> f32 {
        self.tuning_cents.at(frame)
    }

    /// Bank as last selected.
    pub fn bank(&self) -> u16 {
        self.bank
    }

    /// A note starts: the key from which it glides and for how long, s, if portamento is on; and the next one's start.
    ///
    /// CC 5 is a time: 0 to 127 are 0 to 2 s by a square law, so that the lower half has the short ones.
    pub fn portamento(&mut self, key: f32) -> Option<(f32, f32)> {
        let last = self.last_key.replace(key);
        let from = match self.portamento_from.take() {
            Some(from) => from,
            None if self.pedal(cc::PORTAMENTO) => last?,
            None => return None,
        };
        let time_s = (self.controller(cc::PORTAMENTO_TIME) / 127.0).powi(2) * 2.0;
        (time_s > 0.0 && from != key).then_some((from, time_s))
    }

    /// Key of the latest note.
    pub fn last_key(&self) -> Option<f32> {
        self.last_key
    }

    /// Bends: −8192..=8191.
    pub fn bend(&mut self, value: f32, now: Frames, glides: Glides) {
        let target = value / 8192.0;
        self.bend.glide(target, now, glides.bend);
        self.moves_until(now, glides.bend);
    }

    /// Range of a full bend, cents.
    pub fn bend_range(&self) -> f32 {
        self.bend_range_cents
    }

    /// Sets it.
    pub fn set_bend_range(&mut self, cents: f32) {
        self.bend_range_cents = cents;
    }

    /// Channel pressure, 0..=127.
    pub fn press(&mut self, value: f32, now: Frames, glides: Glides) {
        self.pressure.glide(value, now, glides.controller);
        self.moves_until(now, glides.controller);
    }

    /// A MIDI controller, 0..=127.
    pub fn control(&mut self, number: u8, value: f32, now: Frames, glides: Glides) -> Controlled {
        let Some(ramp) = self.controllers.get_mut(usize::from(number)) else { return Controlled::Nothing };
        let was = ramp.target();
        match number {
            // Switches and numbers have no values between.
            cc::BANK | cc::BANK_FINE | cc::DATA | cc::DATA_FINE | cc::SUSTAIN..=cc::SOFT | 68..=69 => {
                *ramp = Ramp::at_rest(value);
            }
            cc::INCREMENT..=cc::RPN => *ramp = Ramp::at_rest(value),
            _ => {
                ramp.glide(value, now, glides.controller);
                self.moves_until(now, glides.controller);
            }
        }
        match number {
            cc::VOLUME | cc::PAN | cc::EXPRESSION => self.turn(now, glides),
            cc::BANK | cc::BANK_FINE => {
                self.bank = self.controller(cc::BANK) as u16 * 128 + self.controller(cc::BANK_FINE) as u16;
                return Controlled::Nothing;
            }
            cc::SUSTAIN => {
                return if value >= 64.0 { Controlled::Nothing } else { Controlled::PedalUp };
            }
            cc::SOSTENUTO => {
                return match (was >= 64.0, value >= 64.0) {
                    (false, true) => Controlled::SostenutoDown,
                    (true, false) => Controlled::PedalUp,
                    _ => Controlled::Nothing,
                };
            }
            cc::PORTAMENTO_FROM => {
                self.portamento_from = Some(value);
                return Controlled::Nothing;
            }
            cc::RPN | cc::RPN_FINE => {
                self.registered = Registered::of(self.controller(cc::RPN), self.controller(cc::RPN_FINE));
                self.data = self.registered_value();
                return Controlled::Nothing;
            }
            cc::NRPN | cc::NRPN_FINE => {
                self.registered = Registered::Nothing;
                return Controlled::Nothing;
            }
            cc::DATA | cc::DATA_FINE | cc::INCREMENT | cc::DECREMENT => {
                return self.enter_data(number, value, now, glides);
            }
            cc::ALL_SOUND_OFF => return Controlled::AllSoundOff,
            cc::RESET => {
                self.reset(now, glides);
                return Controlled::Reset;
            }
            // Omni off, omni on, mono, poly: all of them are all notes off, too.
            cc::ALL_NOTES_OFF..=127 => return Controlled::AllNotesOff,
            _ => {}
        }
        Controlled::Sound
    }

    /// The two halves of the registered parameter as it stands.
    fn registered_value(&self) -> [f32; 2] {
        match self.registered {
            Registered::BendRange => [(self.bend_range_cents / 100.0).floor(), self.bend_range_cents % 100.0],
            Registered::FineTuning => {
                let value = self.fine_cents / 100.0 * 8192.0 + 8192.0;
                [(value / 128.0).floor(), value % 128.0]
            }
            Registered::CoarseTuning => [self.coarse_cents / 100.0 + 64.0, 0.0],
            Registered::MpeZone | Registered::Nothing => [0.0; 2],
        }
    }

    fn enter_data(&mut self, number: u8, value: f32, now: Frames, glides: Glides) -> Controlled {
        let [coarse, fine] = &mut self.data;
        match number {
            // By MIDI the fine half is cleared when the coarse one comes.
            cc::DATA => (*coarse, *fine) = (value, 0.0),
            cc::DATA_FINE => *fine = value,
            cc::INCREMENT => *coarse = (*coarse + 1.0).min(127.0),
            _ => *coarse = (*coarse - 1.0).max(0.0),
        }
        let [coarse, fine] = self.data;
        match self.registered {
            Registered::BendRange => self.bend_range_cents = coarse * 100.0 + fine.min(99.0),
            Registered::FineTuning => self.fine_cents = (coarse * 128.0 + fine - 8192.0) / 8192.0 * 100.0,
            Registered::CoarseTuning => self.coarse_cents = (coarse - 64.0) * 100.0,
            Registered::MpeZone => return Controlled::Zone(coarse.min(15.0) as u8),
            Registered::Nothing => return Controlled::Nothing,
        }
        self.tuning_cents.glide(self.fine_cents + self.coarse_cents, now, glides.bend);
        self.moves_until(now, glides.bend);
        Controlled::Sound
    }

    /// Pedals up, bend back, what RP-015 lists.
    pub fn reset(&mut self, now: Frames, glides: Glides) {
        for number in RESET {
            if let Some(ramp) = self.controllers.get_mut(usize::from(number)) {
                if (cc::SUSTAIN..=cc::SOFT).contains(&number) {
                    *ramp = Ramp::at_rest(neutral(number));
                } else {
                    ramp.glide(neutral(number), now, glides.controller);
                }
            }
        }
        self.portamento_from = None;
        self.registered = Registered::Nothing;
        self.bend.glide(0.0, now, glides.controller);
        self.pressure.glide(0.0, now, glides.controller);
        self.turn(now, glides);
    }

    /// Pedals up and bend back.
    pub fn calm(&mut self, now: Frames, glides: Glides) {
        for pedal in [cc::SUSTAIN, cc::SOSTENUTO] {
            if let Some(ramp) = self.controllers.get_mut(usize::from(pedal)) {
                *ramp = Ramp::at_rest(0.0);
            }
        }
        if self.bend.target() != 0.0 || self.bend.moves_at(now) {
            self.bend.glide(0.0, now, glides.controller);
            self.moves_until(now, glides.controller);
        }
    }

    /// Volume, expression and pan to where they belong now.
    fn turn(&mut self, now: Frames, glides: Glides) {
        let [volume, expression] = [cc::VOLUME, cc::EXPRESSION].map(|number| self.controller(number));
        // General MIDI Level 1 Developer Guidelines: 40·log10(v/127) dB for volume and for expression.
        let gain = ((volume / 127.0) * (expression / 127.0)).powi(2);
        // 64 is the middle; 0 and 1 are both hard left.
        let pan = ((self.controller(cc::PAN) - 64.0) / 63.0).max(-1.0);
        for (ramp, side) in self.gain.iter_mut().zip(pan::stereo(f64::from(pan))) {
            ramp.glide(gain * side, now, glides.controller);
        }
        self.moves_until(now, glides.controller);
    }

    fn moves_until(&mut self, now: Frames, frames: u32) {
        self.still_from = self.still_from.max(now + Frames::from(frames));
    }
}

/// A channel as its voices hear it: by itself, or as a member of an MPE zone together with the zone's master.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The channel that the note came on.
    pub own: &'a Channel,
    /// The master of its zone.
    pub master: Option<&'a Channel>,
    /// Sends of notes that have none of their own.
    pub sends: &'a [Ramp; SENDS],
}

impl Heard<'_> {
    /// Whether anything voices follow changes at or after this frame.
    pub fn moves_at(&self, frame: Frames) -> bool {
        self.own.moves_at(frame)
            || self.master.is_some_and(|master| master.moves_at(frame))
            || self.sends.iter().any(|level| level.moves_at(frame))
    }

    /// Level of a send, of notes that have none of their own.
    pub fn send_level_at(&self, send: usize, frame: Frames) -> f32 {
        self.sends.get(send).map_or(0.0, |level| level.at(frame))
    }

    /// What the controller of a send adds to it, 0..=1.
    pub fn send_at(&self, send: usize, frame: Frames) -> f32 {
        SEND_CONTROLLERS.get(send).map_or(0.0, |number| self.controller_at(*number, frame) / 127.0)
    }

    /// Bend and tuning of both together (MPE 1.0, section 2.4: they add up), cents.
    pub fn cents_at(&self, frame: Frames) -> f32 {
        self.own.cents_at(frame) + self.master.map_or(0.0, |master| master.cents_at(frame))
    }

    /// Pitch bend, −1..=1.
    pub fn bend_at(&self, frame: Frames) -> f32 {
        self.own.bend_at(frame)
    }

    /// Tuning of both together, without bends, cents.
    pub fn tuning_at(&self, frame: Frames) -> f32 {
        self.own.tuning_at(frame) + self.master.map_or(0.0, |master| master.tuning_at(frame))
    }

    /// Volume, expression and pan of both together, left and right.
    pub fn gain_at(&self, frame: Frames) -> [f32; 2] {
        let [left, right] = self.own.gain_at(frame);
        let [master_left, master_right] = self.master.map_or([1.0; 2], |master| master.gain_at(frame));
        [left * master_left, right * master_right]
    }

    /// Pressure, 0..=127: the higher of both.
    pub fn pressure_at(&self, frame: Frames) -> f32 {
        self.own.pressure_at(frame).max(self.master.map_or(0.0, |master| master.pressure_at(frame)))
    }

    /// A controller, 0..=127. What a member has not moved itself is its master's; both offsets of a controller that is
    /// neutral in the middle add up.
    pub fn controller_at(&self, number: u8, frame: Frames) -> f32 {
        let own = self.own.controller_at(number, frame);
        let Some(master) = self.master else { return own };
        (own + master.controller_at(number, frame) - neutral(number)).clamp(0.0, 127.0)
    }

    /// Whether a pedal of either is down.
    pub fn pedal(&self, number: u8) -> bool {
        self.own.pedal(number) || self.master.is_some_and(|master| master.pedal(number))
    }
}
