//! Which regions sound, and when: keys going down and up, pedals letting go, controllers that start something.
//!
//! Keys and velocities are the index's; here is the rest: conditions, turns, keyswitches, releases, delays. Work per
//! event is bounded by the regions on a key, or those that controllers start, and [`MAX_LAYERS`] voices (RT-4).
//! Source: sfzformat.com, "Region logic".

use super::apply::NoteStart;
use super::channel::{Heard, cc};
use super::event::{Event, NoteId, SamplerIndex};
use super::message::Fact;
use super::onset::{Onset, Played};
use super::player::{Before, Struck, whole};
use super::voice::Start;
use super::{Engine, MAX_LAYERS};
use crate::instrument::{Conditions, Region, Situation, Trigger};
use crate::units::{Frames, db_to_gain};

/// A voice whose `delay` has not passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    pub note: NoteId,
    pub region: u32,
    pub key: f32,
    pub velocity: f32,
}

/// Regions that were chosen, by number.
type Layers = [u32; MAX_LAYERS];

/// A region's number, of this version of an instrument.
struct Chosen {
    layers: Layers,
    count: usize,
    velocity_before: f32,
}

impl Engine {
    /// A key goes down: starts what its channel's instrument has for it.
    pub(super) fn start_note(&mut self, start: NoteStart) {
        let NoteStart { sampler, channel, note, key, velocity, instrument: own, .. } = start;
        let (now, rate) = (self.frame, self.config.sample_rate);
        let Some(Some(state)) = self.samplers.get_mut(usize::from(sampler)) else {
            return self.tell(Fact::NoteEnded(sampler, note));
        };
        let velocity = state.curved(velocity);
        let last_key = state.last_key(channel);
        let glide = state.portamento(channel, key).map(|(from, time_s)| ((from - key) * 100.0, time_s));
        let random = state.draw();
        let index = own.or_else(|| state.instrument_on(channel)).filter(|_| !state.is_closing());
        let Some(player) = state.player(channel) else { return };
        // A note that brings its instrument along holds no key of its channel's: nobody would let it go.
        let before = match own {
            Some(_) => Before::default(),
            None => player.key_down(whole(key), Struck { note, velocity, at: now }),
        };
        let (mut held, mut switch) = (player.held(), player.switch());
        let mut started = false;
        if let Some((generation, instrument, turns)) =
            index.and_then(|index| self.instruments.current_and_turns(index))
        {
            if instrument.play().is_switch(whole(key)) {
                player.press_switch(whole(key));
            }
            switch = player.switch().or(instrument.play().switch_default).or(switch);
            held &= !1u128.checked_shl(whole(key).into()).unwrap_or(0);
            let Some(heard) = state.heard(channel) else { return };
            let situation = Situation {
                random,
                legato: before.legato,
                held,
                switch,
                previous: before.previous.map(|(key, _)| key),
                timer_s: before.at.map_or(f32::INFINITY, |at| seconds(now.saturating_sub(at), rate)),
                ..situation(heard, channel, now)
            };
            let struck = whole_velocity(velocity);
            let velocity_before = before.previous.map_or(velocity, |(_, velocity)| velocity);
            let mut chosen = Chosen { layers: [0; MAX_LAYERS], count: 0, velocity_before };
            for number in instrument.on_key(key) {
                let Some(region) = instrument.region(*number) else { continue };
                let sounds = match &region.conditions {
                    None => true,
                    Some(conditions) if conditions.starts_on_key_down() => {
                        let turn = take_turn(turns, *number, conditions);
                        let controller = |number| heard.own.controller(number);
                        turn && conditions.refuse(&situation, controller).is_none()
                    }
                    Some(_) => false,
                };
                if sounds
                    && region.velocities.contains(&struck)
                    && let Some(place) = chosen.layers.get_mut(chosen.count)
                {
                    *place = *number;
                    chosen.count += 1;
                }
            }
            let kernel = self.easing.kernel(instrument.kernel().unwrap_or(self.kernel));
            let Chosen { layers, count, velocity_before } = chosen;
            for region in layers.into_iter().take(count) {
                started |= self.start_layer(
                    Start { generation, region, kernel, last_key, glide, ..self.start_of(&start, velocity) },
                    velocity_before,
                    random,
                );
            }
            if count == 0 {
                self.counters.silent_notes.add(1);
            }
        } else {
            self.counters.silent_notes.add(1);
        }
        if !started {
            self.tell(Fact::NoteEnded(sampler, note));
        }
    }

    fn start_of(&self, start: &NoteStart, velocity: f32) -> Start {
        let NoteStart { sampler, channel, note, key, skipped, delayed, .. } = *start;
        Start {
            sampler,
            channel,
            note,
            key,
            velocity,
            generation: 0,
            region: 0,
            kernel: self.kernel,
            skipped,
            delayed,
            last_key: None,
            glide: None,
            sample_rate: self.config.sample_rate,
            onset: Onset::default(),
        }
    }

    /// Starts a region, now or after its delay; whether it sounds or is going to.
    fn start_layer(&mut self, mut start: Start, velocity_before: f32, random: f32) -> bool {
        let now = self.frame;
        let version = self.instruments.version(start.generation);
        let Some(region) = version.and_then(|instrument| instrument.region(start.region)) else {
            return false;
        };
        if region.manner.previous_velocity {
            start.velocity = velocity_before;
        }
        let heard = self.samplers.get(usize::from(start.sampler)).and_then(Option::as_ref);
        if let Some(heard) = heard.and_then(|sampler| sampler.heard(start.channel)) {
            let played = Played { key: start.key, velocity: start.velocity, random };
            let gain = start.onset.gain;
            start.onset = Onset::of(&region.modulation, played, heard).with_gain(gain);
        }
        let manner = &region.manner;
        start.onset.offset += manner.offset_random_frames * random;
        let delay_s = manner.delay_s + manner.delay_random_s * random + start.onset.delay_s;
        // What starts late starts within its sound; only what is ahead waits.
        let delay = (f64::from(delay_s.max(0.0)) * f64::from(start.sample_rate)).round() as Frames;
        let left = delay.saturating_sub(start.skipped);
        start.skipped = start.skipped.saturating_sub(delay);
        if left == 0 {
            return self.start_voice(start);
        }
        let Start { sampler, channel, note, region, key, velocity, .. } = start;
        let waiting = Waiting { note, region, key, velocity };
        let due = now.saturating_add(left);
        if !self.scheduler.insert(due, due, Event::Layer { sampler, channel, waiting }) {
            self.counters.dropped_events.add(1);
            return false;
        }
        true
    }

    /// A region's delay has passed: it sounds if its key is still down, or if it does not ask for keys.
    pub(super) fn start_waiting(&mut self, sampler: SamplerIndex, channel: u8, waiting: Waiting) {
        let Waiting { note, region, key, velocity } = waiting;
        let Some(Some(state)) = self.samplers.get_mut(usize::from(sampler)) else { return };
        let index = state.instrument_on(channel).filter(|_| !state.is_closing());
        let held = state.player(channel).and_then(|player| player.struck(whole(key)));
        let still_held = held.is_some_and(|struck| struck.note == note);
        let random = state.draw();
        let mut started = false;
        if let Some((generation, instrument)) = index.and_then(|index| self.instruments.current(index))
            && let Some(found) = instrument.region(region)
            && (still_held || !needs_key(found))
            && let Some(heard) = state.heard(channel)
        {
            let kernel = self.easing.kernel(instrument.kernel().unwrap_or(self.kernel));
            let played = Played { key, velocity, random };
            let mut onset = Onset::of(&found.modulation, played, heard);
            onset.offset += found.manner.offset_random_frames * random;
            let start =
                NoteStart { sampler, channel, note, key, velocity, instrument: None, skipped: 0, delayed: 0 };
            started = self.start_voice(Start {
                generation,
                region,
                kernel,
                onset,
                ..self.start_of(&start, velocity)
            });
        }
        if !started && !self.voices.has_note(sampler, note) {
            self.tell(Fact::NoteEnded(sampler, note));
        }
    }

    /// A key went up: starts the regions that wait for it, or lets them wait for the pedal.
    pub(super) fn key_released(&mut self, sampler: SamplerIndex, channel: u8, key: f32) {
        let Some(Some(state)) = self.samplers.get_mut(usize::from(sampler)) else { return };
        let Some(struck) = state.player(channel).and_then(|player| player.key_up(whole(key))) else { return };
        let index = state.instrument_on(channel);
        let releases = index
            .and_then(|index| self.instruments.current(index))
            .is_some_and(|(_, instrument)| instrument.has_releases());
        if !releases {
            return;
        }
        let pedal = state.heard(channel).is_some_and(|heard| heard.pedal(cc::SUSTAIN));
        if pedal && let Some(player) = state.player(channel) {
            player.wait(whole(key));
        }
        self.start_releases((sampler, channel), key, struck, Trigger::ReleaseKey);
        if !pedal {
            self.start_releases((sampler, channel), key, struck, Trigger::Release);
        }
    }

    /// The key of a note went up, by the note's own number.
    pub(super) fn note_released(&mut self, sampler: SamplerIndex, note: NoteId) {
        let Some((channel, key)) = self.voices.place_of(sampler, note) else { return };
        let Some(Some(state)) = self.samplers.get_mut(usize::from(sampler)) else { return };
        let struck = state.player(channel).and_then(|player| player.struck(whole(key)));
        if struck.is_some_and(|struck| struck.note == note) {
            self.key_released(sampler, channel, key);
        }
    }

    /// A pedal went up: starts what has waited for it.
    pub(super) fn pedal_released(&mut self, sampler: SamplerIndex, channel: u8) {
        loop {
            let Some(Some(state)) = self.samplers.get_mut(usize::from(sampler)) else { return };
            if state.heard(channel).is_none_or(|heard| heard.pedal(cc::SUSTAIN)) {
                return;
            }
            let Some((key, struck)) = state.player(channel).and_then(|player| player.take_waiting()) else {
                return;
            };
            self.start_releases((sampler, channel), f32::from(key), struck, Trigger::Release);
        }
    }

    fn start_releases(
        &mut self,
        (sampler, channel): (SamplerIndex, u8),
        key: f32,
        struck: Struck,
        trigger: Trigger,
    ) {
        let (now, rate) = (self.frame, self.config.sample_rate);
        let sounding = self.voices.sounds_on(sampler, channel, key);
        let Some(Some(state)) = self.samplers.get_mut(usize::from(sampler)) else { return };
        let random = state.draw();
        let index = state.instrument_on(channel).filter(|_| !state.is_closing());
        let Some(player) = state.player(channel) else { return };
        let (held, switch, previous) = (player.held(), player.switch(), player.previous());
        let before = player.at();
        let Some((generation, instrument, turns)) =
            index.and_then(|index| self.instruments.current_and_turns(index))
        else {
            return;
        };
        let Some(heard) = state.heard(channel) else { return };
        let situation = Situation {
            random,
            held,
            switch: switch.or(instrument.play().switch_default),
            previous: previous.map(|(key, _)| key),
            timer_s: before.map_or(f32::INFINITY, |at| seconds(now.saturating_sub(at), rate)),
            ..situation(heard, channel, now)
        };
        let (mut layers, mut count): (Layers, usize) = ([0; MAX_LAYERS], 0);
        for number in instrument.on_key(key) {
            let Some(region) = instrument.region(*number) else { continue };
            let Some(conditions) = region.conditions.as_ref().filter(|c| c.trigger == trigger) else {
                continue;
            };
            let turn = take_turn(turns, *number, conditions);
            let dead = trigger == Trigger::Release && !sounding && !region.manner.release_dead;
            let controller = |number| heard.own.controller(number);
            if turn
                && !dead
                && region.velocities.contains(&whole_velocity(struck.velocity))
                && conditions.refuse(&situation, controller).is_none()
                && let Some(place) = layers.get_mut(count)
            {
                *place = *number;
                count += 1;
            }
        }
        let kernel = self.easing.kernel(instrument.kernel().unwrap_or(self.kernel));
        let held_s = seconds(now.saturating_sub(struck.at), rate);
        let start = NoteStart {
            sampler,
            channel,
            note: struck.note,
            key,
            velocity: struck.velocity,
            instrument: None,
            skipped: 0,
            delayed: 0,
        };
        for region in layers.into_iter().take(count) {
            let version = self.instruments.version(generation);
            let decay_db = version.and_then(|i| i.region(region)).map_or(0.0, |r| r.manner.release_decay_db);
            let gain = db_to_gain(-f64::from(decay_db) * f64::from(held_s)) as f32;
            let start = self.start_of(&start, struck.velocity);
            let onset = Onset::default().with_gain(gain);
            self.start_layer(Start { generation, region, kernel, onset, ..start }, struck.velocity, random);
        }
    }

    /// A controller moved: starts the regions into whose range it has come.
    pub(super) fn controller_moved(
        &mut self,
        (sampler, channel): (SamplerIndex, u8),
        controller: u8,
        [before, after]: [f32; 2],
    ) {
        let now = self.frame;
        let Some(Some(state)) = self.samplers.get_mut(usize::from(sampler)) else { return };
        let index = state.instrument_on(channel).filter(|_| !state.is_closing());
        let Some((generation, instrument)) = index.and_then(|index| self.instruments.current(index)) else {
            return;
        };
        if instrument.on_controllers().is_empty() {
            return;
        }
        let random = state.draw();
        let (held, switch) =
            state.player(channel).map_or((0, None), |player| (player.held(), player.switch()));
        let Some(heard) = state.heard(channel) else { return };
        let switch = switch.or(instrument.play().switch_default);
        let situation = Situation { random, held, switch, ..situation(heard, channel, now) };
        let (mut layers, mut count): ([(u32, f32); MAX_LAYERS], usize) = ([(0, 60.0); MAX_LAYERS], 0);
        for number in instrument.on_controllers() {
            let Some(region) = instrument.region(*number) else { continue };
            let Some(conditions) = &region.conditions else { continue };
            let comes_in = conditions.on_controllers.iter().any(|(number, (low, high))| {
                let within = |value: f32| value >= *low && value <= *high;
                *number == controller && within(after) && !within(before)
            });
            if comes_in
                && conditions.refuse(&situation, |number| heard.own.controller(number)).is_none()
                && let Some(place) = layers.get_mut(count)
            {
                *place = (*number, region.root_key as f32);
                count += 1;
            }
        }
        let kernel = self.easing.kernel(instrument.kernel().unwrap_or(self.kernel));
        for (region, key) in layers.into_iter().take(count) {
            // No note of anybody's: number 0, at full velocity.
            let velocity = 127.0;
            let start = NoteStart {
                sampler,
                channel,
                note: 0,
                key,
                velocity,
                instrument: None,
                skipped: 0,
                delayed: 0,
            };
            let start = Start { generation, region, kernel, ..self.start_of(&start, velocity) };
            self.start_layer(start, velocity, random);
        }
    }
}

/// Takes part in a round: whether it is this region's turn.
fn take_turn(turns: &mut [u8], number: u32, conditions: &Conditions) -> bool {
    let (length, _) = conditions.sequence;
    if length <= 1 {
        return true;
    }
    let Some(turn) = turns.get_mut(number as usize) else { return true };
    let its_own = conditions.is_its_turn(*turn);
    *turn = (*turn + 1) % length;
    its_own
}

/// What is the same whatever happened.
fn situation(heard: Heard, channel: u8, now: Frames) -> Situation {
    Situation {
        random: 0.0,
        legato: false,
        held: 0,
        switch: None,
        previous: None,
        timer_s: f32::INFINITY,
        bend: heard.bend_at(now) * 8192.0,
        channel_pressure: heard.pressure_at(now),
        key_pressure: 0.0,
        channel,
        program: heard.own.program(),
    }
}

/// Whether a region that waits is only for a key that is held.
fn needs_key(region: &Region) -> bool {
    use crate::instrument::Playback;
    let by_key = region.conditions.as_ref().is_none_or(|conditions| conditions.starts_on_key_down());
    by_key && !matches!(region.playback, Playback::OneShot)
}

/// The velocity that a fractional one counts as.
fn whole_velocity(velocity: f32) -> u8 {
    velocity.round().clamp(1.0, 127.0) as u8
}

fn seconds(frames: Frames, sample_rate: u32) -> f32 {
    (frames as f64 / f64::from(sample_rate)) as f32
}
