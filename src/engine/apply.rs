//! What events do, each on its frame.

use super::channel::Controlled;
use super::counters::EngineCounters;
use super::event::{CHANNELS, Event, InstrumentIndex, Late, NoteId, NoteParam, SamplerIndex};
use super::message::{Fact, Outgoing};
use super::voice::{Start, Voice};
use super::voices::{Room, Turn};
use super::{Engine, EngineState, FACTS, RAMP_S};
use crate::rt::collector::Outbox;
use crate::units::Frames;

/// A note that is to start.
#[derive(Clone, Copy)]
pub(super) struct NoteStart {
    pub(super) sampler: SamplerIndex,
    pub(super) channel: u8,
    pub(super) note: NoteId,
    pub(super) key: f32,
    pub(super) velocity: f32,
    pub(super) instrument: Option<InstrumentIndex>,
    pub(super) skipped: Frames,
    pub(super) delayed: Frames,
}

impl Engine {
    pub(super) fn apply_due(&mut self) {
        while let Some((meant_for, event)) = self.scheduler.pop_due(self.frame) {
            self.apply(meant_for, event);
        }
    }

    pub(super) fn apply(&mut self, meant_for: Frames, event: Event) {
        let (now, rate) = (self.frame, self.config.sample_rate);
        let late_by = now.saturating_sub(meant_for);
        match event {
            Event::NoteOn { sampler, channel, key, velocity: 0.0, .. } => {
                self.apply(now, Event::NoteOff { sampler, channel, key });
            }
            Event::NoteOn { sampler, channel, late, note, key, velocity, instrument } => {
                self.tell_late(sampler, note, late_by);
                let (skipped, delayed) = match late {
                    Late::Drop if late_by > 0 => return self.tell(Fact::NoteEnded(sampler, note)),
                    Late::Skip => (late_by, 0),
                    Late::Play | Late::Drop => (0, late_by),
                };
                self.start_note(NoteStart {
                    sampler,
                    channel,
                    note,
                    key,
                    velocity,
                    instrument,
                    skipped,
                    delayed,
                });
            }
            Event::Turn { sampler, note, param, value, over_s } => {
                let over = (f64::from(over_s).max(RAMP_S) * f64::from(rate)).round() as u32;
                self.voices.turn(&Turn { sampler, note, param, value }, now, over);
                if param == NoteParam::Cut && value > 0.0 {
                    self.voices.choke_own((sampler, note), value as u32);
                }
            }
            Event::Cancel { sampler, note: Some(note) } => {
                if self.scheduler.cancel_note(sampler, note) {
                    self.tell(Fact::NoteEnded(sampler, note));
                }
            }
            Event::Cancel { sampler, note: None } => {
                let Self { scheduler, outbox, counters, .. } = self;
                scheduler.cancel_notes(sampler, |sampler, note| tell_end(outbox, counters, sampler, note));
            }
            Event::Control { sampler, channel, controller, value } => {
                self.control(sampler, channel, controller, value);
            }
            Event::Layer { sampler, channel, waiting } => self.start_waiting(sampler, channel, waiting),
            Event::NoteOff { sampler, channel, key } => {
                self.key_released(sampler, channel, key);
                let Self { samplers, voices, instruments, .. } = self;
                if let Some(Some(state)) = samplers.get(usize::from(sampler)) {
                    voices.let_go_key(instruments, state, (sampler, channel, key), late_by);
                }
            }
            Event::Release { sampler, note, timed } => self.release(sampler, note, timed, meant_for),
            Event::PitchBend { sampler, channel, value } => {
                if let Some(Some(target)) = self.samplers.get_mut(usize::from(sampler)) {
                    target.bend(channel, value, now, self.glides);
                }
            }
            Event::ChannelPressure { sampler, channel, value } => {
                if let Some(Some(target)) = self.samplers.get_mut(usize::from(sampler)) {
                    target.press(channel, value, now, self.glides);
                }
            }
            Event::PolyPressure { sampler, channel, key, value } => {
                self.voices.press_key((sampler, channel, key), value, now, self.glides.controller);
            }
            Event::Program { sampler, channel, program, bank } => {
                if let Some(Some(target)) = self.samplers.get_mut(usize::from(sampler)) {
                    let found = target.select_program(channel, program, bank);
                    let index = target.instrument_on(channel).filter(|_| found);
                    if let Some((_, instrument)) = index.and_then(|index| self.instruments.current(index)) {
                        target.preset(channel, instrument.play(), now, self.glides);
                    }
                }
            }
            Event::AllNotesOff { sampler, channel } => {
                let Self { samplers, voices, instruments, .. } = self;
                if let Some(Some(state)) = samplers.get_mut(usize::from(sampler)) {
                    let channels = channel.map_or(0..CHANNELS as u8, |channel| channel..channel + 1);
                    for player in channels {
                        if let Some(player) = state.player(player) {
                            player.let_go();
                        }
                    }
                    voices.let_go_all(instruments, state, |voice| {
                        voice.sampler == sampler
                            && channel.is_none_or(|channel| state.hears(voice.channel, channel))
                    });
                }
            }
            Event::AllSoundOff { sampler, channel } => {
                let Self { samplers, voices, .. } = self;
                if let Some(Some(state)) = samplers.get(usize::from(sampler)) {
                    voices.fade(|voice| {
                        voice.sampler == sampler
                            && channel.is_none_or(|channel| state.hears(voice.channel, channel))
                    });
                }
                // Effects are the sampler's: what one channel sent cannot be told from the rest.
                if channel.is_none() {
                    self.hush(Some(sampler));
                }
            }
            Event::Assign { sampler, channel, instrument } => {
                if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(sampler)) {
                    sampler.assign(channel, instrument);
                    if let Some((_, instrument)) =
                        instrument.and_then(|index| self.instruments.current(index))
                    {
                        sampler.preset(channel, instrument.play(), now, self.glides);
                    }
                }
            }
            Event::SamplerGain { sampler, gain } => {
                if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(sampler)) {
                    sampler.set_gain(gain, now, rate);
                }
            }
            Event::SamplerPan { sampler, pan } => {
                if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(sampler)) {
                    sampler.set_pan(pan, now, rate);
                }
            }
            Event::SamplerMute { sampler, muted } => {
                if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(sampler)) {
                    sampler.set_muted(muted, now, rate);
                }
            }
            Event::SamplerSend { sampler, send, level } => {
                if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(sampler)) {
                    sampler.set_send(usize::from(send), level, now, rate);
                }
            }
            Event::EffectParam { sampler, send, param, value } => {
                if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(sampler)) {
                    sampler.effects.set(usize::from(send), usize::from(param), value, now);
                }
            }
            Event::MasterGain { gain } => self.output.set_gain(gain, now),
            Event::Panic => {
                self.forget_scheduled(None);
                self.voices.fade(|_| true);
                self.hush(None);
                // The pedal-up and the bend back were forgotten with the rest: nothing may stay down or bent.
                for sampler in self.samplers.iter_mut().flatten() {
                    sampler.calm(now, self.glides);
                }
            }
            Event::Suspend => {
                if self.state == EngineState::Running {
                    self.state = EngineState::Suspending(self.output.close(now));
                }
            }
            Event::Resume => {
                if self.state != EngineState::Running {
                    self.state = EngineState::Running;
                    self.output.open(now);
                }
            }
        }
    }

    /// Lets go of one note. The end of a duration moves with a note that started late.
    fn release(&mut self, sampler: SamplerIndex, note: NoteId, timed: bool, meant_for: Frames) {
        let due = meant_for + if timed { self.voices.delay_of(sampler, note) } else { 0 };
        let later = Event::Release { sampler, note, timed: false };
        if due > self.frame && timed && self.scheduler.insert(due, due, later) {
            return;
        }
        if self.scheduler.cancel_note(sampler, note) {
            if !self.voices.has_note(sampler, note) {
                self.tell(Fact::NoteEnded(sampler, note));
            }
            return;
        }
        let ago = self.frame.saturating_sub(due);
        self.note_released(sampler, note);
        let Self { samplers, voices, instruments, .. } = self;
        if let Some(Some(state)) = samplers.get(usize::from(sampler)) {
            voices.let_go_note(instruments, state, (sampler, note), ago);
        }
    }

    /// A MIDI controller.
    fn control(&mut self, sampler: SamplerIndex, channel: u8, controller: u8, value: f32) {
        let now = self.frame;
        let Some(Some(state)) = self.samplers.get_mut(usize::from(sampler)) else { return };
        let before = state.heard(channel).map_or(0.0, |heard| heard.own.controller(controller));
        let controlled = state.control(channel, controller, value, now, self.glides);
        let Some(Some(state)) = self.samplers.get(usize::from(sampler)) else { return };
        match controlled {
            Controlled::Nothing | Controlled::Zone(_) => {}
            // A region may have a pedal of its own.
            Controlled::Sound if value < 64.0 && before >= 64.0 => {
                let instrument =
                    state.instrument_on(channel).and_then(|index| self.instruments.current(index));
                if instrument.is_some_and(|(_, instrument)| instrument.is_pedal(controller)) {
                    self.voices.release_pedals(&self.instruments, state, sampler, channel);
                }
            }
            Controlled::Sound => {}
            Controlled::SostenutoDown => self.voices.hold_sostenuto(sampler, state, channel),
            Controlled::PedalUp | Controlled::Reset => {
                self.voices.release_pedals(&self.instruments, state, sampler, channel);
            }
            Controlled::AllSoundOff => {
                self.apply(now, Event::AllSoundOff { sampler, channel: Some(channel) });
            }
            Controlled::AllNotesOff => {
                self.apply(now, Event::AllNotesOff { sampler, channel: Some(channel) });
            }
        }
        if matches!(controlled, Controlled::PedalUp | Controlled::Reset) {
            self.pedal_released(sampler, channel);
        }
        self.controller_moved((sampler, channel), controller, [before, value]);
    }

    pub(super) fn start_voice(&mut self, start: Start) -> bool {
        let Some(Some(sampler)) = self.samplers.get_mut(usize::from(start.sampler)) else { return false };
        let version = self.instruments.version(start.generation);
        let Some(region) = version.and_then(|instrument| instrument.region(start.region)) else {
            return false;
        };
        // First of all: a voice that is choked makes room.
        if region.group != 0 {
            self.voices.choke(&self.instruments, (start.sampler, start.note), region.group);
        }
        if region.end_frame == Some(0) {
            return false; // SFZ `end=-1`: it ends others, and is itself not heard
        }
        self.voices.keep_within(&self.instruments, &start, region, sampler);
        match self.voices.make_room(&start, sampler, self.frame, &mut self.outbox) {
            Room::Free => {}
            Room::Stolen => self.counters.voices_stolen.add(1),
            Room::Refused => {
                self.counters.dropped_events.add(1);
                return false;
            }
        }
        sampler.voice_starts(start.channel);
        let cut = self.voices.add(Voice::start(start, region, self.frame));
        self.instruments.hold(start.generation);
        if let Some(cut) = cut {
            self.bury(&cut);
        }
        true
    }

    /// A voice had to go without a fade: its sampler leads its last value to zero.
    fn bury(&mut self, cut: &Voice) {
        if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(cut.sampler)) {
            sampler.voice_ends(cut.channel);
            sampler.catch_cut(cut.last_output());
        }
        self.instruments.let_go(cut.generation);
        if !self.voices.has_note(cut.sampler, cut.note) {
            self.tell(Fact::NoteEnded(cut.sampler, cut.note));
        }
    }

    /// Drops what is scheduled, of one sampler or of all; notes among it have ended.
    pub(super) fn forget_scheduled(&mut self, sampler: Option<SamplerIndex>) {
        let Self { scheduler, outbox, counters, .. } = self;
        scheduler.clear(sampler, |sampler, note| tell_end(outbox, counters, sampler, note));
    }

    /// Tells that a note is late, but not so many that there is no room left to tell that they have ended.
    fn tell_late(&mut self, sampler: SamplerIndex, note: NoteId, by: Frames) {
        if by > 0 && self.outbox.room() > FACTS / 2 {
            self.tell(Fact::Late(sampler, note, u32::try_from(by).unwrap_or(u32::MAX)));
        }
    }

    pub(super) fn tell(&mut self, fact: Fact) {
        if !self.outbox.tell(Outgoing::Fact(fact)) {
            self.counters.facts_lost.add(1);
        }
    }
}

/// Tells that a note has ended; counts it when there is no room to tell.
fn tell_end(outbox: &mut Outbox<Outgoing>, counters: &EngineCounters, sampler: SamplerIndex, note: NoteId) {
    if !outbox.tell(Outgoing::Fact(Fact::NoteEnded(sampler, note))) {
        counters.facts_lost.add(1);
    }
}
