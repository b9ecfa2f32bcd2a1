//! A sampler inside the engine: sixteen channels, MPE zones over them, and a bus with gain, pan and mute.
//!
//! Made on the control thread, moved in, moved out by the collector.

use super::RAMP_S;
use super::bus::{self, Bus, SILENT};
use super::channel::{
    BEND_RANGE_CENTS, Channel, Controlled, Glides, Heard, MEMBER_BEND_RANGE_CENTS, neutral,
};
use super::effects::Effects;
use super::event::{CHANNELS, InstrumentIndex};
use super::modulators::scramble;
use super::note::SENDS;
use super::player::Player;
use super::programs::Programs;
use super::zones::Zones;
use crate::dsp::pan;
use crate::dsp::ramp::Ramp;
use crate::instrument::Play;
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
    zones: Zones,
    /// What each channel's player has done.
    players: [Player; CHANNELS],
    /// Bits of the controllers that stand where an instrument wanted them, of each channel.
    preset: [u128; CHANNELS],
    /// Random numbers drawn so far.
    drawn: u32,
    /// A bit for each channel that was moved.
    touched: u16,
    programs: Programs,
    gain: f32,
    pan: f32,
    muted: bool,
    left: Ramp,
    right: Ramp,
    /// Voices it may have at a time.
    pub polyphony: usize,
    /// Whom its new voices displace.
    pub stealing: Stealing,
    /// Voices that one key may have at a time; `u32::MAX`: as many as there are.
    pub key_polyphony: u32,
    /// What velocities are raised to, of 127: 1 leaves them, less makes a keyboard lighter.
    pub velocity_curve: f32,
    life: Life,
    /// Voices now, fading ones included; of all, and of each channel.
    voices: usize,
    voices_on: [u32; CHANNELS],
    bus: Bus,
    /// Sends and what is behind them; levels of notes that have none of their own.
    pub effects: Effects,
    sends: [Ramp; SENDS],
    residue: [f32; 2],
}

impl Sampler {
    /// A sampler with no instruments.
    pub fn new(polyphony: usize, stealing: Stealing, gain: f32) -> Self {
        Self {
            channels: std::array::from_fn(|_| Channel::default()),
            zones: Zones::default(),
            players: std::array::from_fn(|_| Player::default()),
            preset: [0; CHANNELS],
            drawn: 0,
            touched: 0,
            programs: Programs::default(),
            gain,
            pan: 0.0,
            muted: false,
            left: Ramp::at_rest(gain),
            right: Ramp::at_rest(gain),
            polyphony,
            stealing,
            key_polyphony: u32::MAX,
            velocity_curve: 1.0,
            life: Life::Held,
            voices: 0,
            voices_on: [0; CHANNELS],
            bus: SILENT,
            effects: Effects::default(),
            sends: [Ramp::at_rest(0.0); SENDS],
            residue: [0.0; 2],
        }
    }

    /// One channel as its voices hear it; `None` beyond the sixteenth.
    pub fn heard(&self, channel: u8) -> Option<Heard<'_>> {
        let own = self.channels.get(usize::from(channel))?;
        let master = self.zones.master_of(channel).and_then(|master| self.channels.get(usize::from(master)));
        Some(Heard { own, master, sends: &self.sends })
    }

    /// What voices sound on.
    pub fn buses(&mut self) -> (&mut Bus, &mut Effects) {
        (&mut self.bus, &mut self.effects)
    }

    /// Level of a send, by number, of notes that have none of their own; ramped where one may be heard.
    pub fn set_send(&mut self, send: usize, level: f32, now: Frames, sample_rate: u32) {
        self.touched = u16::MAX;
        let frames = if self.voices > 0 { (RAMP_S * f64::from(sample_rate)) as u32 } else { 0 };
        if let Some(ramp) = self.sends.get_mut(send) {
            ramp.glide(level, now, frames);
        }
    }

    /// Channels on which something that voices follow has been moved since the last time, a bit each.
    pub fn take_touched(&mut self) -> u16 {
        std::mem::take(&mut self.touched)
    }

    fn touch(&mut self, channel: u8) {
        self.touched |= 1u16.checked_shl(u32::from(channel)).unwrap_or(0);
    }

    /// A velocity as its curve makes it.
    pub fn curved(&self, velocity: f32) -> f32 {
        if self.velocity_curve == 1.0 {
            return velocity;
        }
        // Never to 0, which would be no note.
        (127.0 * (velocity / 127.0).powf(self.velocity_curve)).max(1.0)
    }

    /// What a channel's player has done.
    pub fn player(&mut self, channel: u8) -> Option<&mut Player> {
        self.players.get_mut(usize::from(channel))
    }

    /// The next random number, 0..1: the same whenever the same is played.
    pub fn draw(&mut self) -> f32 {
        self.drawn = self.drawn.wrapping_add(1);
        // The upper 24 bits: all that an f32 can hold.
        (scramble(self.drawn) >> 8) as f32 / (1 << 24) as f32
    }

    /// A channel has another instrument: what the one before had set of its controllers goes back, and they stand where
    /// this one wants them at first. What a player has moved since stays.
    pub fn preset(&mut self, channel: u8, play: &Play, now: Frames, glides: Glides) {
        let mut set = self.preset.get_mut(usize::from(channel)).map_or(0, std::mem::take);
        while let Some(controller) = u8::try_from(set.trailing_zeros()).ok().filter(|number| *number < 128) {
            set &= set - 1;
            self.control(channel, controller, neutral(controller), now, glides);
        }
        let mut set = 0;
        for (controller, value) in &play.controllers {
            self.control(channel, *controller, *value, now, glides);
            set |= 1u128.checked_shl((*controller).into()).unwrap_or(0);
        }
        if let Some(place) = self.preset.get_mut(usize::from(channel)) {
            *place = set;
        }
        if let Some(player) = self.player(channel) {
            player.forget_switch();
        }
    }

    /// Key of a channel's latest note.
    pub fn last_key(&self, channel: u8) -> Option<f32> {
        self.channels.get(usize::from(channel))?.last_key()
    }

    /// One channel and what its voices sound on.
    pub fn heard_and_buses(&mut self, channel: u8) -> Option<(Heard<'_>, &mut Bus, &mut Effects)> {
        let own = self.channels.get(usize::from(channel))?;
        let master = self.zones.master_of(channel).and_then(|master| self.channels.get(usize::from(master)));
        Some((Heard { own, master, sends: &self.sends }, &mut self.bus, &mut self.effects))
    }

    /// Whether voices of a channel hear what is sent to another: their own, or their zone's master.
    pub fn hears(&self, channel: u8, other: u8) -> bool {
        channel == other || self.zones.master_of(channel) == Some(other)
    }

    /// Channels that voices of a channel hear, a bit each.
    pub fn heard_by(&self, channel: u8) -> u16 {
        let bit = |channel: u8| 1u16.checked_shl(channel.into()).unwrap_or(0);
        bit(channel) | self.zones.master_of(channel).map_or(0, bit)
    }

    /// What new notes of a channel play; a member of a zone without an instrument of its own plays its master's.
    pub fn instrument_on(&self, channel: u8) -> Option<InstrumentIndex> {
        let Heard { own, master, .. } = self.heard(channel)?;
        own.instrument.or_else(|| master?.instrument)
    }

    /// Sets what new notes of a channel play.
    pub fn assign(&mut self, channel: u8, instrument: Option<InstrumentIndex>) {
        if let Some(channel) = self.channels.get_mut(usize::from(channel)) {
            channel.instrument = instrument;
        }
    }

    /// What new notes of a channel play from now on: a program of the bank that it has selected, or of `bank`. A program
    /// that is not there changes nothing; whether it was is returned.
    pub fn select_program(&mut self, channel: u8, program: u8, bank: Option<u16>) -> bool {
        let Some(state) = self.channels.get_mut(usize::from(channel)) else { return false };
        let bank = bank.unwrap_or(state.bank());
        state.set_program(program);
        let found = self.programs.find(bank, program);
        if let Some(instrument) = found {
            state.instrument = Some(instrument);
        }
        found.is_some()
    }

    /// Replaces what programs stand for; gives back what they stood for.
    pub fn set_programs(&mut self, programs: &mut Programs) {
        std::mem::swap(&mut self.programs, programs);
    }

    /// A note starts on a channel: where its pitch glides from, in keys, and for how long, s.
    pub fn portamento(&mut self, channel: u8, key: f32) -> Option<(f32, f32)> {
        self.channels.get_mut(usize::from(channel))?.portamento(key)
    }

    /// Leaves the channels that play this instrument without one.
    pub fn forget_instrument(&mut self, index: InstrumentIndex) {
        for channel in self.channels.iter_mut().filter(|channel| channel.instrument == Some(index)) {
            channel.instrument = None;
        }
        self.programs.forget(index);
    }

    /// One voice more on a channel.
    pub fn voice_starts(&mut self, channel: u8) {
        self.voices += 1;
        if let Some(count) = self.voices_on.get_mut(usize::from(channel)) {
            *count += 1;
        }
    }

    /// One voice less.
    pub fn voice_ends(&mut self, channel: u8) {
        self.voices = self.voices.saturating_sub(1);
        if let Some(count) = self.voices_on.get_mut(usize::from(channel)) {
            *count = count.saturating_sub(1);
        }
    }

    /// How long a channel's glides take: none, when nobody is there to hear a jump. So a controller that is sent just
    /// before a note is where it belongs when the note starts.
    fn glides(&self, channel: u8, glides: Glides) -> Glides {
        let alone = self.zones.is_master(channel);
        let count = self.voices_on.get(usize::from(channel)).copied().unwrap_or(0);
        if (alone && self.voices > 0) || count > 0 { glides } else { Glides::default() }
    }

    /// Bends a channel: −8192..=8191.
    pub fn bend(&mut self, channel: u8, value: f32, now: Frames, glides: Glides) {
        self.touch(channel);
        let glides = self.glides(channel, glides);
        if let Some(channel) = self.channels.get_mut(usize::from(channel)) {
            channel.bend(value, now, glides);
        }
    }

    /// Pressure of a channel, 0..=127.
    pub fn press(&mut self, channel: u8, value: f32, now: Frames, glides: Glides) {
        self.touch(channel);
        let glides = self.glides(channel, glides);
        if let Some(channel) = self.channels.get_mut(usize::from(channel)) {
            channel.press(value, now, glides);
        }
    }

    /// A MIDI controller, 0..=127.
    pub fn control(
        &mut self,
        channel: u8,
        controller: u8,
        value: f32,
        now: Frames,
        glides: Glides,
    ) -> Controlled {
        self.touch(channel);
        if let Some(preset) = self.preset.get_mut(usize::from(channel)) {
            *preset &= !1u128.checked_shl(controller.into()).unwrap_or(0);
        }
        let glides = self.glides(channel, glides);
        let Some(state) = self.channels.get_mut(usize::from(channel)) else { return Controlled::Nothing };
        match state.control(controller, value, now, glides) {
            Controlled::Zone(members) => {
                self.set_zone(channel, members, now, glides);
                Controlled::Reset
            }
            done => {
                let range = state.bend_range();
                self.share_bend_range(channel, range);
                done
            }
        }
    }

    /// RPN 6. Elsewhere than on channel 1 or 16 it means nothing (MPE 1.0, section 2.1).
    fn set_zone(&mut self, master: u8, members: u8, now: Frames, glides: Glides) {
        if !self.zones.set(master, members) {
            return;
        }
        for number in 0..CHANNELS as u8 {
            let is_member = self.zones.master_of(number).is_some();
            if let Some(channel) = self.channels.get_mut(usize::from(number)) {
                channel.reset(now, glides);
                let range = if is_member { MEMBER_BEND_RANGE_CENTS } else { BEND_RANGE_CENTS };
                channel.set_bend_range(range);
            }
        }
        self.touched = u16::MAX;
    }

    /// All members of a zone have the bend range that any of them was given (MPE 1.0, section 2.4).
    fn share_bend_range(&mut self, channel: u8, cents: f32) {
        let Some(master) = self.zones.master_of(channel) else { return };
        for (number, other) in (0u8..).zip(&mut self.channels) {
            if self.zones.master_of(number) == Some(master) {
                other.set_bend_range(cents);
            }
        }
    }

    /// Pedals up and bends back on every channel.
    pub fn calm(&mut self, now: Frames, glides: Glides) {
        self.touched = u16::MAX;
        self.channels.iter_mut().for_each(|channel| channel.calm(now, glides));
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
        self.voices > 0 || self.residue != [0.0; 2] || self.effects.sounds()
    }

    /// The bus for the next `frames`, silent: voices add to it.
    pub fn open_bus(&mut self, frames: usize) {
        bus::open(&mut self.bus, frames);
        self.effects.open(frames);
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

    /// Adds the bus and what comes back from the effects, through gain and pan, to the master.
    pub fn mix(&mut self, frame: Frames, frames: usize, residue_decay: f32, master: &mut Bus) {
        self.effects.render(frame, frames, &mut self.bus);
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
