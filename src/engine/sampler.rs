//! A sampler inside the engine: sixteen channels and a bus with gain, pan and mute.
//!
//! Made on the control thread, moved in, moved out by the collector.

use super::RAMP_S;
use super::bus::{self, Bus, SILENT};
use super::event::{CHANNELS, InstrumentIndex};
use crate::dsp::pan;
use crate::dsp::ramp::Ramp;
use crate::units::Frames;

/// Whom a new voice may displace when all are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Stealing {
    /// Released voices first, then the quietest.
    #[default]
    Quietest,
    /// The one that started first.
    Oldest,
    /// The same key on the same channel, else the quietest.
    SameNote,
    /// Nobody: the new voice does not sound.
    None,
}

/// Semitones that a full pitch bend moves, until RPN 0 sets them (MIDI 1.0: default ±2).
const BEND_RANGE_CENTS: f32 = 200.0;

/// MIDI state of one channel.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// What new notes play.
    pub instrument: Option<InstrumentIndex>,
    /// Pitch bend in cents, gliding.
    pub bend_cents: Ramp,
    /// Volume, expression and pan together, left and right, gliding.
    pub gain: [Ramp; 2],
    /// CC 7, 0..=127.
    volume: f32,
    /// CC 11, 0..=127.
    expression: f32,
    /// CC 10 as −1..=1.
    pan: f32,
    /// CC 64 is down.
    pub sustain: bool,
    /// CC 66 is down.
    pub sostenuto: bool,
}

impl Default for Channel {
    /// Everything as if no controller had ever moved: a channel that was never touched leaves the sound as it is.
    fn default() -> Self {
        Self {
            instrument: None,
            bend_cents: Ramp::at_rest(0.0),
            gain: [Ramp::at_rest(1.0); 2],
            volume: 127.0,
            expression: 127.0,
            pan: 0.0,
            sustain: false,
            sostenuto: false,
        }
    }
}

impl Channel {
    /// Whether its pitch or gain changes at or after this frame.
    pub fn moves_at(&self, frame: Frames) -> bool {
        self.bend_cents.moves_at(frame) || self.gain.iter().any(|ramp| ramp.moves_at(frame))
    }

    fn turn(&mut self, now: Frames, ramp_frames: u32) {
        // General MIDI Level 1 Developer Guidelines: 40·log10(v/127) dB for volume and for expression.
        let gain = ((self.volume / 127.0) * (self.expression / 127.0)).powi(2);
        for (ramp, side) in self.gain.iter_mut().zip(pan::stereo(f64::from(self.pan))) {
            ramp.glide(gain * side, now, ramp_frames);
        }
    }
}

/// What a controller did, for the voices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controlled {
    /// Nothing that is heard.
    Nothing,
    /// Gain or pitch of the channel moves.
    Sound,
    /// What is held now is kept.
    SostenutoDown,
    /// What a pedal kept may go.
    PedalUp,
    /// All controllers are as at the start.
    Reset,
    /// CC 120.
    AllSoundOff,
    /// CC 123.
    AllNotesOff,
}

/// Whether somebody still plays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Held,
    /// Nobody can send to it any more, but what was scheduled sounds.
    Abandoned,
    /// Silent from now on but for what still fades.
    Closing,
}

/// One sampler.
#[derive(Debug)]
pub struct Sampler {
    channels: [Channel; CHANNELS],
    gain: f32,
    pan: f32,
    muted: bool,
    left: Ramp,
    right: Ramp,
    /// Voices it may have at a time.
    pub polyphony: usize,
    /// Whom its new voices displace.
    pub stealing: Stealing,
    life: Life,
    /// Voices now, fading ones included.
    pub voices: usize,
    bus: Bus,
    residue: [f32; 2],
}

impl Sampler {
    /// A sampler with no instruments.
    pub fn new(polyphony: usize, stealing: Stealing, gain: f32) -> Self {
        Self {
            channels: [Channel::default(); CHANNELS],
            gain,
            pan: 0.0,
            muted: false,
            left: Ramp::at_rest(gain),
            right: Ramp::at_rest(gain),
            polyphony,
            stealing,
            life: Life::Held,
            voices: 0,
            bus: SILENT,
            residue: [0.0; 2],
        }
    }

    /// One channel; `None` beyond the sixteenth.
    pub fn channel(&self, channel: u8) -> Option<&Channel> {
        self.channels.get(usize::from(channel))
    }

    /// Sets what new notes of a channel play.
    pub fn assign(&mut self, channel: u8, instrument: Option<InstrumentIndex>) {
        if let Some(channel) = self.channels.get_mut(usize::from(channel)) {
            channel.instrument = instrument;
        }
    }

    /// Leaves the channels that play this instrument without one.
    pub fn forget_instrument(&mut self, index: InstrumentIndex) {
        for channel in self.channels.iter_mut().filter(|channel| channel.instrument == Some(index)) {
            channel.instrument = None;
        }
    }

    /// Bends a channel: −8192..=8191.
    pub fn bend(&mut self, channel: u8, value: f32, now: Frames, ramp_frames: u32) {
        if let Some(channel) = self.channels.get_mut(usize::from(channel)) {
            channel.bend_cents.glide(value / 8192.0 * BEND_RANGE_CENTS, now, ramp_frames);
        }
    }

    /// A MIDI controller, 0..=127. Source: MIDI 1.0 Detailed Specification, "Controller Numbers"; CC 121 resets what
    /// RP-015 lists: not volume and pan.
    pub fn control(
        &mut self,
        channel: u8,
        controller: u8,
        value: f32,
        now: Frames,
        sample_rate: u32,
    ) -> Controlled {
        let ramp_frames = (RAMP_S * f64::from(sample_rate)) as u32;
        let Some(channel) = self.channels.get_mut(usize::from(channel)) else { return Controlled::Nothing };
        match controller {
            7 => channel.volume = value,
            // 64 is the middle; 0 and 1 are both hard left.
            10 => channel.pan = ((value - 64.0) / 63.0).max(-1.0),
            11 => channel.expression = value,
            64 => {
                channel.sustain = value >= 64.0;
                return if channel.sustain { Controlled::Nothing } else { Controlled::PedalUp };
            }
            66 => {
                let was = std::mem::replace(&mut channel.sostenuto, value >= 64.0);
                return match (was, channel.sostenuto) {
                    (false, true) => Controlled::SostenutoDown,
                    (true, false) => Controlled::PedalUp,
                    _ => Controlled::Nothing,
                };
            }
            120 => return Controlled::AllSoundOff,
            121 => {
                (channel.sustain, channel.sostenuto, channel.expression) = (false, false, 127.0);
                channel.bend_cents.glide(0.0, now, ramp_frames);
                channel.turn(now, ramp_frames);
                return Controlled::Reset;
            }
            123 => return Controlled::AllNotesOff,
            _ => return Controlled::Nothing,
        }
        channel.turn(now, ramp_frames);
        Controlled::Sound
    }

    /// Pedals up and bends back on every channel.
    pub fn calm(&mut self, now: Frames, ramp_frames: u32) {
        for channel in &mut self.channels {
            (channel.sustain, channel.sostenuto) = (false, false);
            if channel.bend_cents.target() != 0.0 || channel.bend_cents.moves_at(now) {
                channel.bend_cents.glide(0.0, now, ramp_frames);
            }
        }
    }

    /// Linear amplitude, ramped.
    pub fn set_gain(&mut self, gain: f32, now: Frames, sample_rate: u32) {
        self.gain = gain;
        self.turn(now, sample_rate);
    }

    /// −1..=1, ramped.
    pub fn set_pan(&mut self, pan: f32, now: Frames, sample_rate: u32) {
        self.pan = pan;
        self.turn(now, sample_rate);
    }

    /// Silent but running, ramped.
    pub fn set_muted(&mut self, muted: bool, now: Frames, sample_rate: u32) {
        self.muted = muted;
        self.turn(now, sample_rate);
    }

    fn turn(&mut self, now: Frames, sample_rate: u32) {
        let gain = if self.muted { 0.0 } else { self.gain };
        let [left, right] = pan::stereo(f64::from(self.pan)).map(|side| side * gain);
        let frames = (RAMP_S * f64::from(sample_rate)) as u32;
        self.left.glide(left, now, frames);
        self.right.glide(right, now, frames);
    }

    /// No more notes.
    pub fn close(&mut self) {
        self.life = Life::Closing;
    }

    /// No more notes than those that wait.
    pub fn abandon(&mut self) {
        if self.life == Life::Held {
            self.life = Life::Abandoned;
        }
    }

    /// Whether new notes are refused.
    pub fn is_closing(&self) -> bool {
        self.life == Life::Closing
    }

    /// Whether it can go: nobody holds it, nothing sounds, and nothing waits.
    pub fn is_over(&self, events_waiting: u32) -> bool {
        match self.life {
            Life::Held => false,
            Life::Abandoned => events_waiting == 0 && !self.sounds(),
            Life::Closing => !self.sounds(),
        }
    }

    /// Whether anything may sound: the bus is rendered only then.
    pub fn sounds(&self) -> bool {
        self.voices > 0 || self.residue != [0.0; 2]
    }

    /// The bus for the next `frames`, silent: voices add to it.
    pub fn open_bus(&mut self, frames: usize) {
        bus::open(&mut self.bus, frames);
    }

    /// The bus, for voices.
    pub fn bus(&mut self) -> &mut Bus {
        &mut self.bus
    }

    /// A voice was cut at this output: it is led to zero instead of left as a step (RT-11).
    ///
    /// Only used when so many voices fade that there is no room for one more fade. However many are cut at once,
    /// it costs two numbers.
    pub fn catch_cut(&mut self, last: [f32; 2]) {
        for (residue, value) in self.residue.iter_mut().zip(last) {
            *residue += value;
        }
    }

    /// Adds the bus, through gain and pan, to the master.
    pub fn mix(&mut self, frame: Frames, frames: usize, residue_decay: f32, master: &mut Bus) {
        let ramps = [self.left, self.right];
        for (((bus, out), residue), ramp) in self.bus.iter_mut().zip(master).zip(&mut self.residue).zip(ramps)
        {
            let (Some(bus), Some(out)) = (bus.get_mut(..frames), out.get_mut(..frames)) else { continue };
            if *residue != 0.0 {
                for value in bus.iter_mut() {
                    *value += *residue;
                    *residue *= residue_decay;
                    // −180 dB: inaudible, and without it the decay would never end.
                    if residue.abs() < 1e-9 {
                        *residue = 0.0;
                    }
                }
            }
            ramp.apply(frame, bus);
            for (out, value) in out.iter_mut().zip(bus) {
                *out += *value;
            }
        }
    }
}
