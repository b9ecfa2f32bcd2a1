//! The voices: allocation, stealing, release.
//!
//! Each stays in its slot; a list of slots keeps the order in which they started, so that sums have the same rounding
//! however a render is cut into blocks (RT-6), and chains find those of one note or one key without asking the others
//! (RT-4). Room for more voices than may sound is kept, so that a stolen one fades instead of stopping; when even that
//! is full, the voice nearest to its end is cut and its last value led to zero by its sampler (RT-11).

use super::MAX_SAMPLERS;
use super::chains::Chains;
pub use super::chains::Slot;
use super::event::{NoteId, NoteParam, SamplerIndex};
use super::instruments::Instruments;
use super::message::{Fact, Outgoing};
use super::sampler::{Sampler, Stealing};
use super::storage::Storage;
use super::voice::{Start, Voice};
use crate::instrument::Region;
use crate::rt::collector::Outbox;
use crate::units::Frames;

/// All voices of an engine.
pub struct Voices {
    slots: Vec<Option<Voice>>,
    free: Vec<Slot>,
    /// Slots in use, in starting order.
    order: Vec<Slot>,
    by_note: Chains,
    by_key: Chains,
    polyphony: usize,
    fade_frames: u32,
    /// Voices that count towards polyphony: neither fading nor ended; of all, and of each sampler.
    sounding: usize,
    sounding_of: Vec<usize>,
    /// How many were displaced on one frame.
    stolen_on: (Frames, usize),
}

/// A wish to turn a parameter of a note.
pub struct Turn {
    pub sampler: SamplerIndex,
    pub note: NoteId,
    pub param: NoteParam,
    pub value: f32,
}

/// What became of a request for a voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There was room.
    Free,
    /// Another voice made room.
    Stolen,
    /// Nobody may be displaced: the voice does not sound.
    Refused,
}

/// Classes of loudness: 16 octaves of gain, from 2⁻¹⁴ on, four to each.
const CLASSES: usize = 64;

/// The class of a linear gain, rising.
fn loudness_class(gain: f32) -> usize {
    /// Bits below the two that tell quarters of an octave, and the class that 2⁻¹⁴ would be without an offset.
    const SHIFT: u32 = 21;
    const LOWEST: u32 = (127 - 14) << 2;
    // The bits of positive floats rise with them (IEEE 754, 5.10).
    let class = (gain.max(0.0).to_bits() >> SHIFT).saturating_sub(LOWEST);
    (class as usize).min(CLASSES - 1)
}

fn note_key(sampler: SamplerIndex, note: NoteId) -> u64 {
    (u64::from(sampler) << 32) | u64::from(note)
}

fn key_key(sampler: SamplerIndex, channel: u8, key: f32) -> u64 {
    // Keys may be fractional, and a note-off means the very same one.
    (u64::from(sampler) << 40) | (u64::from(channel) << 32) | u64::from(key.to_bits())
}

impl Voices {
    pub fn new(polyphony: usize, fade_frames: u32) -> Self {
        let fading = (polyphony / 2).max(32);
        let capacity = polyphony + fading;
        Self {
            slots: vec![None; capacity],
            free: (0..capacity as Slot).rev().collect(),
            order: Vec::with_capacity(capacity),
            by_note: Chains::new(capacity),
            by_key: Chains::new(capacity),
            polyphony,
            fade_frames,
            sounding: 0,
            sounding_of: vec![0; MAX_SAMPLERS],
            stolen_on: (0, 0),
        }
    }

    /// Where they lie in memory.
    pub fn storage(&self) -> Vec<Storage> {
        let mut all = vec![
            Storage::of_vec(&self.slots),
            Storage::of_vec(&self.free),
            Storage::of_vec(&self.order),
            Storage::of_vec(&self.sounding_of),
        ];
        all.extend(self.by_note.storage());
        all.extend(self.by_key.storage());
        all
    }

    /// Voices now, fading ones included.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The slot of the voice at a place of the starting order.
    pub fn slot_at(&self, place: usize) -> Option<Slot> {
        self.order.get(place).copied()
    }

    /// One voice.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Voice> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// The same, to be looked at.
    pub fn get(&self, slot: Slot) -> Option<&Voice> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// All, in starting order.
    fn all(&self) -> impl Iterator<Item = (Slot, &Voice)> {
        self.order.iter().filter_map(|slot| Some((*slot, self.get(*slot)?)))
    }

    /// Takes a voice that fades or has ended out of the count, once.
    fn discount(&mut self, slot: Slot) {
        let Self { slots, sounding, sounding_of, .. } = self;
        let Some(Some(voice)) = slots.get_mut(slot as usize) else { return };
        if voice.discount() {
            *sounding = sounding.saturating_sub(1);
            if let Some(count) = sounding_of.get_mut(usize::from(voice.sampler)) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// Makes room for a voice of a note.
    ///
    /// The note's own voices are never displaced: a layered note keeps all its layers or loses the last ones. When
    /// as many voices as may sound have been displaced on one frame, those that sound now have not been heard yet:
    /// displacing them would only cost time (RT-4), so further ones are refused.
    pub fn make_room(
        &mut self,
        start: &Start,
        sampler: &Sampler,
        now: Frames,
        outbox: &mut Outbox<Outgoing>,
    ) -> Room {
        let own = self.sounding_of.get(usize::from(start.sampler)).copied().unwrap_or(0);
        let within = own >= sampler.polyphony;
        if !within && self.sounding < self.polyphony {
            return Room::Free;
        }
        if self.stolen_on.0 != now {
            self.stolen_on = (now, 0);
        }
        if self.stolen_on.1 >= self.polyphony {
            return Room::Refused;
        }
        let candidate = |voice: &Voice| {
            (voice.sampler, voice.note) != (start.sampler, start.note)
                && (!within || voice.sampler == start.sampler)
        };
        let same_note = |voice: &Voice| {
            voice.sampler == start.sampler && voice.channel == start.channel && voice.key == start.key
        };
        let victim = match sampler.stealing {
            Stealing::None => None,
            Stealing::Oldest => self.first(candidate),
            Stealing::Quietest => self.quietest(candidate),
            Stealing::SameNote => {
                self.first(|voice| candidate(voice) && same_note(voice)).or_else(|| self.quietest(candidate))
            }
        };
        let Some(slot) = victim else { return Room::Refused };
        if let Some(note) = self.get(slot).map(|voice| (voice.sampler, voice.note)) {
            outbox.tell(Outgoing::Fact(Fact::Stolen(note.0, note.1)));
        }
        self.fade_one(slot);
        self.stolen_on.1 += 1;
        Room::Stolen
    }

    /// Fades voices of other notes until a new one of `start`'s key and group keeps within what the sampler allows a
    /// key, and what the region allows a key and its group: those let go first, then the oldest.
    pub fn keep_within(
        &mut self,
        instruments: &Instruments,
        start: &Start,
        region: &Region,
        sampler: &Sampler,
    ) {
        let on_key = |voice: &Voice| {
            (voice.sampler, voice.channel) == (start.sampler, start.channel) && voice.key == start.key
        };
        let in_group = |voice: &Voice| voice.sampler == start.sampler && voice.group == region.group;
        let key = key_key(start.sampler, start.channel, start.key);
        if sampler.key_polyphony != u32::MAX {
            self.limit(instruments, start, sampler.key_polyphony, Some(key), on_key);
        }
        if region.key_polyphony != u32::MAX {
            // Self-masking: what is louder than the new note is neither counted nor ended.
            let masked = |voice: &Voice| !region.manner.self_mask || voice.velocity() <= start.velocity;
            let counted = |voice: &Voice| on_key(voice) && in_group(voice) && masked(voice);
            self.limit(instruments, start, region.key_polyphony, Some(key), counted);
        }
        if region.group_polyphony != u32::MAX {
            self.limit(instruments, start, region.group_polyphony, None, in_group);
        }
    }

    /// Notes count, not voices: layers of one note stay together.
    fn limit(
        &mut self,
        instruments: &Instruments,
        start: &Start,
        most: u32,
        key: Option<u64>,
        matches: impl Fn(&Voice) -> bool,
    ) {
        loop {
            let mut notes = 0;
            let mut victim: Option<(bool, Slot)> = None;
            let mut seen = None;
            let candidates = |voice: &Voice| {
                voice.note != start.note && !voice.is_off() && !voice.has_ended() && matches(voice)
            };
            let mut count = |slot: Slot, voice: &Voice| {
                // Layers of a note follow each other.
                if seen.replace(voice.note) != Some(voice.note) {
                    notes += 1;
                }
                if victim.is_none_or(|(held, _)| held && voice.is_released()) {
                    victim = Some((!voice.is_released(), slot));
                }
            };
            match key {
                Some(key) => {
                    for slot in self.by_key.of(key) {
                        if let Some(voice) = self.get(slot).filter(|voice| candidates(voice)) {
                            count(slot, voice);
                        }
                    }
                }
                None => {
                    for (slot, voice) in self.all().filter(|(_, voice)| candidates(voice)) {
                        count(slot, voice);
                    }
                }
            }
            let Some((_, slot)) = victim.filter(|_| notes >= most.max(1)) else { return };
            let Some(note) = self.get(slot).map(|voice| (voice.sampler, voice.note)) else { return };
            let matching: &dyn Fn(&Voice) -> bool = &matches;
            self.each_of_note(note.0, note.1, |voices, slot| {
                if voices.get(slot).is_some_and(matching) {
                    voices.off_one(instruments, slot);
                }
            });
        }
    }

    /// The sounding voice that started first.
    fn first(&self, candidate: impl Fn(&Voice) -> bool) -> Option<Slot> {
        self.all()
            .find(|(_, voice)| !voice.is_fading() && !voice.has_ended() && candidate(voice))
            .map(|(slot, _)| slot)
    }

    /// The released voice that is quietest, or else the held one; the older of equals.
    fn quietest(&self, candidate: impl Fn(&Voice) -> bool) -> Option<Slot> {
        let order = |voice: &Voice| (!voice.is_released(), voice.loudness());
        self.all()
            .filter(|(_, voice)| !voice.is_fading() && !voice.has_ended() && candidate(voice))
            .min_by(|(_, a), (_, b)| {
                let ((a_held, a_loud), (b_held, b_loud)) = (order(a), order(b));
                a_held.cmp(&b_held).then(a_loud.total_cmp(&b_loud))
            })
            .map(|(slot, _)| slot)
    }

    /// Voices that sound, without those that fade.
    pub fn sounding(&self) -> usize {
        self.sounding
    }

    /// Fades the quietest voices, let go first, until so many have; returns how many did.
    ///
    /// In two passes whatever the number (RT-4): which voices are quietest is told by classes of 1.5 dB, and within one
    /// the older fade.
    pub fn shed(&mut self, wanted: usize, outbox: &mut Outbox<Outgoing>) -> usize {
        let mut classes = [0usize; 2 * CLASSES];
        let class = |voice: &Voice| {
            (!voice.is_fading() && !voice.has_ended())
                .then(|| usize::from(!voice.is_released()) * CLASSES + loudness_class(voice.loudness()))
        };
        for class in self.all().filter_map(|(_, voice)| class(voice)) {
            if let Some(count) = classes.get_mut(class) {
                *count += 1;
            }
        }
        let (mut before, mut last) = (0, 0);
        for (class, count) in classes.iter().enumerate() {
            last = class;
            if before + count >= wanted {
                break;
            }
            before += count;
        }
        // All of the classes before, and as many of the last as are still wanted.
        let mut of_last = wanted.saturating_sub(before);
        let mut faded = 0;
        for place in 0..self.order.len() {
            let Some(slot) = self.slot_at(place) else { break };
            let Some((class, note)) =
                self.get(slot).and_then(|voice| Some((class(voice)?, (voice.sampler, voice.note))))
            else {
                continue;
            };
            if class > last || (class == last && of_last == 0) {
                continue;
            }
            of_last -= usize::from(class == last);
            outbox.tell(Outgoing::Fact(Fact::Stolen(note.0, note.1)));
            self.fade_one(slot);
            faded += 1;
        }
        faded
    }

    /// Takes a voice in. When there is no place at all, the one nearest to the end of its fade is cut for it and
    /// returned with what it last put out, for its sampler to lead to zero.
    pub fn add(&mut self, voice: Voice) -> Option<Voice> {
        let mut cut = None;
        if self.free.is_empty() {
            let ended = self.order.iter().position(|slot| self.get(*slot).is_some_and(Voice::has_ended));
            let nearest = || {
                let fading = self.all().enumerate().filter(|(_, (_, voice))| voice.is_fading());
                fading.min_by_key(|(_, (_, voice))| voice.fade_left()).map(|(place, _)| place)
            };
            let place = ended.or_else(nearest).unwrap_or(0);
            if let Some(slot) = self.slot_at(place) {
                if let Some(voice) = self.get_mut(slot) {
                    voice.end();
                }
                self.discount(slot);
                // Shifts at most a few thousand numbers; the order must stay.
                self.order.remove(place);
                cut = self.leave(slot);
            }
        }
        let Some(slot) = self.free.pop() else { return cut };
        self.sounding += 1;
        if let Some(count) = self.sounding_of.get_mut(usize::from(voice.sampler)) {
            *count += 1;
        }
        self.by_note.add(slot, note_key(voice.sampler, voice.note));
        self.by_key.add(slot, key_key(voice.sampler, voice.channel, voice.key));
        self.order.push(slot);
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(voice);
        }
        cut
    }

    /// Empties a slot that is no longer in the order.
    fn leave(&mut self, slot: Slot) -> Option<Voice> {
        self.by_note.remove(slot);
        self.by_key.remove(slot);
        self.free.push(slot);
        self.slots.get_mut(slot as usize)?.take()
    }

    /// Goes through the voices of a note.
    fn each_of_note(&mut self, sampler: SamplerIndex, note: NoteId, mut act: impl FnMut(&mut Self, Slot)) {
        let mut next = self.by_note.first(note_key(sampler, note));
        while let Some(slot) = next {
            next = self.by_note.next(slot);
            if self.get(slot).is_some_and(|voice| (voice.sampler, voice.note) == (sampler, note)) {
                act(self, slot);
            }
        }
    }

    /// The key of a note's voices is up, and has been for `ago` frames; pedals of their channel may hold them.
    pub fn let_go_note(
        &mut self,
        instruments: &Instruments,
        sampler: &Sampler,
        note: (SamplerIndex, NoteId),
        ago: Frames,
    ) {
        self.each_of_note(note.0, note.1, |voices, slot| voices.let_go(instruments, sampler, slot, ago));
    }

    /// A key of a channel is up.
    pub fn let_go_key(
        &mut self,
        instruments: &Instruments,
        sampler: &Sampler,
        (index, channel, key): (SamplerIndex, u8, f32),
        ago: Frames,
    ) {
        let mut next = self.by_key.first(key_key(index, channel, key));
        while let Some(slot) = next {
            next = self.by_key.next(slot);
            let on_key = |voice: &Voice| (voice.sampler, voice.channel, voice.key) == (index, channel, key);
            if self.get(slot).is_some_and(on_key) {
                self.let_go(instruments, sampler, slot, ago);
            }
        }
    }

    /// All keys that match are up.
    pub fn let_go_all(
        &mut self,
        instruments: &Instruments,
        sampler: &Sampler,
        matches: impl Fn(&Voice) -> bool,
    ) {
        for place in 0..self.order.len() {
            if let Some(slot) = self.slot_at(place)
                && self.get(slot).is_some_and(&matches)
            {
                self.let_go(instruments, sampler, slot, 0);
            }
        }
    }

    fn let_go(&mut self, instruments: &Instruments, sampler: &Sampler, slot: Slot, ago: Frames) {
        self.with_region(instruments, slot, |voice, region| {
            if let Some(heard) = sampler.heard(voice.channel) {
                voice.key_up(ago, heard, region);
            }
        });
    }

    /// A pedal of a channel went up.
    pub fn release_pedals(
        &mut self,
        instruments: &Instruments,
        sampler: &Sampler,
        index: SamplerIndex,
        channel: u8,
    ) {
        for place in 0..self.order.len() {
            let Some(slot) = self.slot_at(place) else { continue };
            let hears = |voice: &Voice| voice.sampler == index && sampler.hears(voice.channel, channel);
            if !self.get(slot).is_some_and(hears) {
                continue;
            }
            self.with_region(instruments, slot, |voice, region| {
                if let Some(heard) = sampler.heard(voice.channel) {
                    voice.pedal_up(heard, region);
                }
            });
        }
    }

    fn with_region(
        &mut self,
        instruments: &Instruments,
        slot: Slot,
        act: impl FnOnce(&mut Voice, Option<&Region>),
    ) {
        let Some(voice) = self.get_mut(slot).filter(|voice| !voice.is_fading()) else { return };
        let region = instruments.version(voice.generation).and_then(|i| i.region(voice.region()));
        act(voice, region);
        self.discount(slot);
    }

    /// Sostenuto of a channel went down.
    pub fn hold_sostenuto(&mut self, index: SamplerIndex, sampler: &Sampler, channel: u8) {
        self.each_hearing(index, sampler, 1u16.checked_shl(channel.into()).unwrap_or(0), Voice::catch);
    }

    /// Something that the voices of these channels (a bit each) follow is about to move.
    pub fn cut_segments(&mut self, index: SamplerIndex, sampler: &Sampler, channels: u16) {
        self.each_hearing(index, sampler, channels, Voice::cut_segment);
    }

    fn each_hearing(
        &mut self,
        index: SamplerIndex,
        sampler: &Sampler,
        channels: u16,
        act: impl Fn(&mut Voice),
    ) {
        let Self { slots, order, .. } = self;
        for slot in order {
            if let Some(Some(voice)) = slots.get_mut(*slot as usize)
                && voice.sampler == index
                && sampler.heard_by(voice.channel) & channels != 0
            {
                act(voice);
            }
        }
    }

    /// Pressure of one key, 0..=127: a parameter of the notes on it.
    pub fn press_key(
        &mut self,
        (sampler, channel, key): (SamplerIndex, u8, f32),
        value: f32,
        now: Frames,
        over: u32,
    ) {
        let mut next = self.by_key.first(key_key(sampler, channel, key));
        while let Some(slot) = next {
            next = self.by_key.next(slot);
            if let Some(voice) = self.get_mut(slot)
                && (voice.sampler, voice.channel, voice.key) == (sampler, channel, key)
            {
                voice.turn(NoteParam::Pressure, value, now, over);
            }
        }
    }

    /// Turns a parameter of a note.
    pub fn turn(&mut self, wish: &Turn, now: Frames, over: u32) {
        self.each_of_note(wish.sampler, wish.note, |voices, slot| {
            if let Some(voice) = voices.get_mut(slot) {
                voice.turn(wish.param, wish.value, now, over);
            }
        });
    }

    /// A note of a group starts: voices that it chokes fade, but for layers of the note itself.
    pub fn choke(&mut self, instruments: &Instruments, (sampler, note): (SamplerIndex, NoteId), group: u32) {
        for place in 0..self.order.len() {
            let choked = |voice: &Voice| {
                voice.sampler == sampler
                    && (voice.note != note || note == 0)
                    && voice.is_choked_by(group)
                    && !voice.is_off()
            };
            if let Some(slot) = self.slot_at(place)
                && self.get(slot).is_some_and(choked)
            {
                self.off_one(instruments, slot);
            }
        }
    }

    /// Ends a voice in the way that its region asks for.
    fn off_one(&mut self, instruments: &Instruments, slot: Slot) {
        let frames = self.fade_frames;
        self.with_region(instruments, slot, |voice, region| voice.turn_off(frames, region));
        self.discount(slot);
    }

    /// Channel and key of a note that has a voice.
    pub fn place_of(&self, sampler: SamplerIndex, note: NoteId) -> Option<(u8, f32)> {
        let (_, channel, key) = self.of_note(sampler, note).next()?.place();
        Some((channel, key))
    }

    /// Whether anything still sounds on a key.
    pub fn sounds_on(&self, sampler: SamplerIndex, channel: u8, key: f32) -> bool {
        let on_key = |voice: &Voice| voice.place() == (sampler, channel, key);
        let mut voices = self.by_key.of(key_key(sampler, channel, key)).filter_map(|slot| self.get(slot));
        voices.any(|voice| on_key(voice) && !voice.has_ended() && !voice.is_fading())
    }

    /// A note brings a choke group of its own: others of the same group fade.
    pub fn choke_own(&mut self, (sampler, note): (SamplerIndex, NoteId), group: u32) {
        self.fade(|voice| voice.sampler == sampler && voice.note != note && voice.own.cut == group);
    }

    /// Fades the voices that match.
    pub fn fade(&mut self, matches: impl Fn(&Voice) -> bool) {
        for place in 0..self.order.len() {
            if let Some(slot) = self.slot_at(place)
                && self.get(slot).is_some_and(&matches)
            {
                self.fade_one(slot);
            }
        }
    }

    fn fade_one(&mut self, slot: Slot) {
        let frames = self.fade_frames;
        if let Some(voice) = self.get_mut(slot) {
            voice.fade(frames);
        }
        self.discount(slot);
    }

    /// Whether a note has a voice that has not ended.
    pub fn has_note(&self, sampler: SamplerIndex, note: NoteId) -> bool {
        self.of_note(sampler, note).any(|voice| !voice.has_ended())
    }

    /// By how many frames a note started later than it was meant to.
    pub fn delay_of(&self, sampler: SamplerIndex, note: NoteId) -> Frames {
        self.of_note(sampler, note).map(Voice::delayed).max().unwrap_or(0)
    }

    fn of_note(&self, sampler: SamplerIndex, note: NoteId) -> impl Iterator<Item = &Voice> {
        self.by_note
            .of(note_key(sampler, note))
            .filter_map(|slot| self.get(slot))
            .filter(move |voice| (voice.sampler, voice.note) == (sampler, note))
    }

    /// Removes voices that have ended; `ended` hears of each, and whether it was its note's last.
    pub fn remove_ended(&mut self, mut ended: impl FnMut(&Voice, bool)) {
        let mut kept = 0;
        for place in 0..self.order.len() {
            let Some(slot) = self.slot_at(place) else { break };
            if self.get(slot).is_some_and(|voice| !voice.has_ended()) {
                if let Some(to) = self.order.get_mut(kept) {
                    *to = slot;
                }
                kept += 1;
                continue;
            }
            self.discount(slot);
            if let Some(voice) = self.leave(slot) {
                let last = self.of_note(voice.sampler, voice.note).next().is_none();
                ended(&voice, last);
            }
        }
        self.order.truncate(kept);
    }
}
