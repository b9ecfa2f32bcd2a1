//! The voices: allocation, stealing, release.
//!
//! Voices stay in the order in which they started, so that sums have the same rounding however a render is cut into
//! blocks (RT-6). Room for more voices than may sound is kept, so that a stolen one fades instead of stopping; when
//! even that is full, the voice nearest to its end is cut and its last value led to zero by its sampler (RT-11).

use super::MAX_SAMPLERS;
use super::event::{NoteId, NoteParam, SamplerIndex};
use super::instruments::Instruments;
use super::message::{Fact, Outgoing};
use super::sampler::{Channel, Sampler, Stealing};
use super::storage::Storage;
use super::voice::{Start, Voice};
use crate::instrument::Region;
use crate::rt::collector::Outbox;
use crate::units::Frames;

/// All voices of an engine.
pub struct Voices {
    list: Vec<Voice>,
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

impl Voices {
    pub fn new(polyphony: usize, fade_frames: u32) -> Self {
        let fading = (polyphony / 2).max(32);
        Self {
            list: Vec::with_capacity(polyphony + fading),
            polyphony,
            fade_frames,
            sounding: 0,
            sounding_of: vec![0; MAX_SAMPLERS],
            stolen_on: (0, 0),
        }
    }

    /// Where they lie in memory.
    pub fn storage(&self) -> [Storage; 2] {
        [Storage::of_vec(&self.list), Storage::of_vec(&self.sounding_of)]
    }

    /// All, in starting order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Voice> {
        self.list.iter_mut()
    }

    /// Voices now, fading ones included.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Takes a voice that fades or has ended out of the count, once.
    fn discount(sounding: &mut usize, of: &mut [usize], voice: &mut Voice) {
        if voice.discount() {
            *sounding = sounding.saturating_sub(1);
            if let Some(count) = of.get_mut(usize::from(voice.sampler)) {
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
        let Some(voice) = victim.and_then(|at| self.list.get_mut(at)) else { return Room::Refused };
        outbox.tell(Outgoing::Fact(Fact::Stolen(voice.sampler, voice.note)));
        voice.fade(self.fade_frames);
        Self::discount(&mut self.sounding, &mut self.sounding_of, voice);
        self.stolen_on.1 += 1;
        Room::Stolen
    }

    /// The sounding voice that started first.
    fn first(&self, candidate: impl Fn(&Voice) -> bool) -> Option<usize> {
        self.list.iter().position(|voice| !voice.is_fading() && !voice.has_ended() && candidate(voice))
    }

    /// The released voice that is quietest, or else the held one; the older of equals.
    fn quietest(&self, candidate: impl Fn(&Voice) -> bool) -> Option<usize> {
        let order = |voice: &Voice| (!voice.is_released(), voice.loudness());
        self.list
            .iter()
            .enumerate()
            .filter(|(_, voice)| !voice.is_fading() && !voice.has_ended() && candidate(voice))
            .min_by(|(_, a), (_, b)| {
                let ((a_held, a_loud), (b_held, b_loud)) = (order(a), order(b));
                a_held.cmp(&b_held).then(a_loud.total_cmp(&b_loud))
            })
            .map(|(at, _)| at)
    }

    /// Takes a voice in. When there is no place at all, the one nearest to the end of its fade is cut for it and
    /// returned with what it last put out, for its sampler to lead to zero.
    pub fn add(&mut self, voice: Voice) -> Option<Voice> {
        let mut cut = None;
        if self.list.len() == self.list.capacity() {
            let ended = self.list.iter().position(Voice::has_ended);
            let nearest = || {
                let fading = self.list.iter().enumerate().filter(|(_, voice)| voice.is_fading());
                fading.min_by_key(|(_, voice)| voice.fade_left()).map(|(at, _)| at)
            };
            let at = ended.or_else(nearest).unwrap_or(0);
            // Shifts at most a few hundred voices; the order must stay.
            cut = (at < self.list.len()).then(|| self.list.remove(at));
        }
        if let Some(cut) = &mut cut {
            cut.end();
            Self::discount(&mut self.sounding, &mut self.sounding_of, cut);
        }
        self.sounding += 1;
        if let Some(count) = self.sounding_of.get_mut(usize::from(voice.sampler)) {
            *count += 1;
        }
        self.list.push(voice);
        cut
    }

    /// The keys of the voices that match are up; pedals of their channel may hold them.
    pub fn let_go(&mut self, instruments: &Instruments, sampler: &Sampler, matches: impl Fn(&Voice) -> bool) {
        self.with_region(instruments, sampler, matches, Voice::key_up);
    }

    /// A pedal of a channel went up.
    pub fn release_pedals(
        &mut self,
        instruments: &Instruments,
        sampler: &Sampler,
        index: SamplerIndex,
        channel: u8,
    ) {
        let matches = |voice: &Voice| voice.sampler == index && voice.channel == channel;
        self.with_region(instruments, sampler, matches, Voice::pedal_up);
    }

    fn with_region(
        &mut self,
        instruments: &Instruments,
        sampler: &Sampler,
        matches: impl Fn(&Voice) -> bool,
        act: impl Fn(&mut Voice, &Channel, Option<&Region>),
    ) {
        for voice in self.list.iter_mut().filter(|voice| !voice.is_fading() && matches(voice)) {
            let region = instruments.version(voice.generation).and_then(|i| i.region(voice.region()));
            if let Some(channel) = sampler.channel(voice.channel) {
                act(voice, channel, region);
                Self::discount(&mut self.sounding, &mut self.sounding_of, voice);
            }
        }
    }

    /// Sostenuto of a channel went down.
    pub fn hold_sostenuto(&mut self, sampler: SamplerIndex, channel: u8) {
        self.of_channel(sampler, channel).for_each(Voice::catch);
    }

    /// Gain or pitch of a channel is about to move.
    pub fn cut_segments(&mut self, sampler: SamplerIndex, channel: u8) {
        self.of_channel(sampler, channel).for_each(Voice::cut_segment);
    }

    /// Turns a parameter of a note.
    pub fn turn(&mut self, wish: &Turn, now: Frames, over: u32, sampler: &Sampler) {
        let mine = |voice: &&mut Voice| voice.sampler == wish.sampler && voice.note == wish.note;
        for voice in self.list.iter_mut().filter(mine) {
            if let Some(channel) = sampler.channel(voice.channel) {
                voice.turn(wish.param, wish.value, now, over, channel);
            }
        }
    }

    fn of_channel(&mut self, sampler: SamplerIndex, channel: u8) -> impl Iterator<Item = &mut Voice> {
        self.list.iter_mut().filter(move |voice| voice.sampler == sampler && voice.channel == channel)
    }

    /// A note of a group starts: voices that it chokes fade, but for layers of the note itself.
    pub fn choke(&mut self, start: &Start, group: u32) {
        let (sampler, note) = (start.sampler, start.note);
        self.fade(|voice| voice.sampler == sampler && voice.note != note && voice.is_choked_by(group));
    }

    /// Fades the voices that match.
    pub fn fade(&mut self, matches: impl Fn(&Voice) -> bool) {
        for voice in self.list.iter_mut().filter(|voice| matches(voice)) {
            voice.fade(self.fade_frames);
            Self::discount(&mut self.sounding, &mut self.sounding_of, voice);
        }
    }

    /// Whether a note has a voice that has not ended.
    pub fn has_note(&self, sampler: SamplerIndex, note: NoteId) -> bool {
        self.list.iter().any(|voice| voice.sampler == sampler && voice.note == note && !voice.has_ended())
    }

    /// Removes voices that have ended; `ended` hears of each, and whether it was its note's last.
    pub fn remove_ended(&mut self, mut ended: impl FnMut(&Voice, bool)) {
        if !self.list.iter().any(Voice::has_ended) {
            return;
        }
        for (at, voice) in self.list.iter().enumerate().filter(|(_, voice)| voice.has_ended()) {
            let same = |other: &Voice| other.sampler == voice.sampler && other.note == voice.note;
            let later = self.list.iter().skip(at + 1).any(same);
            let alive = self.list.iter().take(at).any(|other| same(other) && !other.has_ended());
            ended(voice, !later && !alive);
        }
        self.list.retain_mut(|voice| {
            if voice.has_ended() {
                Self::discount(&mut self.sounding, &mut self.sounding_of, voice);
            }
            !voice.has_ended()
        });
    }
}
