//! What events do, each on its frame.

use super::channel::Controlled;
use super::counters::EngineCounters;
use super::event::{Event, Late, NoteId, NoteParam, SamplerIndex};
use super::message::{Fact, Generation, Outgoing};
use super::voice::{Start, Voice};
use super::voices::{Room, Turn};
use super::{Engine, EngineState, FACTS, MAX_LAYERS, RAMP_S};
use crate::instrument::Instrument;
use crate::rt::collector::Outbox;
use crate::units::Frames;

/// A note that is to start.
#[derive(Clone, Copy)]
struct NoteStart {
    sampler: SamplerIndex,
    channel: u8,
    note: NoteId,
    key: f32,
    velocity: f32,
    skipped: Frames,
    delayed: Frames,
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
            Event::NoteOn { sampler, channel, late, note, key, velocity } => {
                self.tell_late(sampler, note, late_by);
                let (skipped, delayed) = match late {
                    Late::Drop if late_by > 0 => return self.tell(Fact::NoteEnded(sampler, note)),
                    Late::Skip => (late_by, 0),
                    Late::Play | Late::Drop => (0, late_by),
                };
                self.start_note(NoteStart { sampler, channel, note, key, velocity, skipped, delayed });
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
            Event::NoteOff { sampler, channel, key } => {
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
                    target.select_program(channel, program, bank);
                }
            }
            Event::AllNotesOff { sampler, channel } => {
                let Self { samplers, voices, instruments, .. } = self;
                if let Some(Some(state)) = samplers.get(usize::from(sampler)) {
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
            }
            Event::Assign { sampler, channel, instrument } => {
                if let Some(Some(sampler)) = self.samplers.get_mut(usize::from(sampler)) {
                    sampler.assign(channel, instrument);
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
            Event::MasterGain { gain } => self.output.set_gain(gain, now),
            Event::Panic => {
                self.forget_scheduled(None);
                self.voices.fade(|_| true);
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
        let Self { samplers, voices, instruments, .. } = self;
        if let Some(Some(state)) = samplers.get(usize::from(sampler)) {
            voices.let_go_note(instruments, state, (sampler, note), ago);
        }
    }

    /// A MIDI controller.
    fn control(&mut self, sampler: SamplerIndex, channel: u8, controller: u8, value: f32) {
        let now = self.frame;
        let Some(Some(state)) = self.samplers.get_mut(usize::from(sampler)) else { return };
        match state.control(channel, controller, value, now, self.glides) {
            Controlled::Nothing | Controlled::Sound | Controlled::Zone(_) => {}
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
    }

    fn start_note(&mut self, start: NoteStart) {
        let NoteStart { sampler, channel, note, key, velocity, skipped, delayed } = start;
        let Some(Some(state)) = self.samplers.get_mut(usize::from(sampler)) else {
            return self.tell(Fact::NoteEnded(sampler, note));
        };
        let velocity = state.curved(velocity);
        let last_key = state.last_key(channel);
        let glide = state.portamento(channel, key).map(|(from, time_s)| ((from - key) * 100.0, time_s));
        let mut layers = [0u32; MAX_LAYERS];
        let (mut count, mut generation, mut kernel) = (0, 0, self.kernel);
        if let Some((version, instrument)) = self.instrument_on(sampler, channel) {
            generation = version;
            kernel = instrument.kernel().unwrap_or(kernel);
            for (place, region) in layers.iter_mut().zip(instrument.matching(key, velocity)) {
                *place = region;
                count += 1;
            }
        }
        let kernel = self.easing.kernel(kernel);
        if count == 0 {
            self.counters.silent_notes.add(1);
        }
        let mut started = false;
        for region in layers.into_iter().take(count) {
            started |= self.start_voice(Start {
                sampler,
                channel,
                note,
                key,
                velocity,
                generation,
                region,
                kernel,
                skipped,
                delayed,
                last_key,
                glide,
                sample_rate: self.config.sample_rate,
            });
        }
        if !started {
            self.tell(Fact::NoteEnded(sampler, note));
        }
    }

    /// What new notes of a channel play.
    fn instrument_on(&self, sampler: SamplerIndex, channel: u8) -> Option<(Generation, &Instrument)> {
        let sampler =
            self.samplers.get(usize::from(sampler))?.as_ref().filter(|sampler| !sampler.is_closing())?;
        self.instruments.current(sampler.instrument_on(channel)?)
    }

    fn start_voice(&mut self, start: Start) -> bool {
        let Some(Some(sampler)) = self.samplers.get_mut(usize::from(start.sampler)) else { return false };
        let version = self.instruments.version(start.generation);
        let Some(region) = version.and_then(|instrument| instrument.region(start.region)) else {
            return false;
        };
        // First of all: a voice that is choked makes room.
        if region.group != 0 {
            self.voices.choke((start.sampler, start.note), region.group);
        }
        self.voices.keep_within(&start, region, sampler);
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

    fn tell(&mut self, fact: Fact) {
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
