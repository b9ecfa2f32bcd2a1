//! The scheduler: events that wait for their frame, in a bounded heap.
//!
//! Events come out by frame, and on the same frame in the order in which they arrived. A note that waits can be found
//! by its id in constant time, so that releasing it before it starts costs no search (RT-4).
//!
//! Nothing here allocates after `new`, except [`Scheduler::grow`], which an offline engine calls between blocks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::MAX_SAMPLERS;
use super::event::{Event, InstrumentIndex, NoteId, SamplerIndex};
use super::storage::Storage;
use crate::units::Frames;

/// Place of an event in the slab.
type Slot = u32;

/// The waiting events.
pub struct Scheduler {
    heap: BinaryHeap<Reverse<(Frames, u64, Slot)>>,
    /// Each with the frame it was meant for, which may lie before the one it is due on.
    slab: Vec<Option<(Frames, Event)>>,
    free: Vec<Slot>,
    notes: NoteTable,
    arrivals: u64,
    /// Live events of each sampler.
    waiting: Vec<u32>,
    /// Places of cancelled events, until they are swept or their frame has come.
    cancelled: usize,
}

impl Scheduler {
    /// Room for `capacity` events.
    pub fn new(capacity: usize) -> Self {
        Self {
            heap: BinaryHeap::with_capacity(capacity),
            slab: vec![None; capacity],
            free: (0..capacity as Slot).rev().collect(),
            notes: NoteTable::new(capacity),
            arrivals: 0,
            waiting: vec![0; MAX_SAMPLERS],
            cancelled: 0,
        }
    }

    /// Where it lies in memory: its heap is used from the front, the places by turns.
    pub fn storage(&self) -> [Storage; 5] {
        let heap = Storage {
            is_queue: true,
            start: self.heap.as_slice().as_ptr().cast(),
            bytes: self.heap.capacity().saturating_mul(size_of::<Reverse<(Frames, u64, Slot)>>()),
        };
        [
            Storage::of_vec(&self.waiting),
            heap,
            Storage::of_vec(&self.free).queue(),
            Storage::of_vec(&self.slab).queue(),
            Storage::of_vec(&self.notes.entries).queue(),
        ]
    }

    /// Places taken, by events that wait and by some that were cancelled lately.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Events that wait and have not been cancelled.
    pub fn live(&self) -> usize {
        self.heap.len() - self.cancelled
    }

    /// Places left.
    pub fn room(&self) -> usize {
        self.free.len()
    }

    /// All places.
    pub fn capacity(&self) -> usize {
        self.slab.len()
    }

    /// Puts an event in line for a frame; `false` when the scheduler is full.
    pub fn insert(&mut self, frame: Frames, meant_for: Frames, event: Event) -> bool {
        let Some(slot) = self.free.pop() else { return false };
        if let Some(place) = self.slab.get_mut(slot as usize) {
            *place = Some((meant_for, event));
        }
        if let Event::NoteOn { sampler, note, .. } = event {
            self.notes.insert((sampler, note), slot);
        }
        self.count(event, 1);
        self.heap.push(Reverse((frame, self.arrivals, slot)));
        self.arrivals += 1;
        true
    }

    /// The frame of the next event.
    pub fn next_frame(&self) -> Option<Frames> {
        self.heap.peek().map(|Reverse((frame, _, _))| *frame)
    }

    /// The next event that is due at or before `frame`, with the frame it was meant for.
    pub fn pop_due(&mut self, frame: Frames) -> Option<(Frames, Event)> {
        while self.next_frame()? <= frame {
            let Reverse((_, _, slot)) = self.heap.pop()?;
            self.free.push(slot);
            let event = self.slab.get_mut(slot as usize).and_then(Option::take);
            if event.is_none() {
                self.cancelled = self.cancelled.saturating_sub(1);
            }
            if let Some((meant_for, event)) = event {
                if let Event::NoteOn { sampler, note, .. } = event {
                    self.notes.remove((sampler, note), slot);
                }
                self.count(event, -1);
                return Some((meant_for, event));
            }
        }
        None
    }

    /// Forgets a note that has not started; `false` when none waits under that id.
    pub fn cancel_note(&mut self, sampler: SamplerIndex, note: NoteId) -> bool {
        let Some(slot) = self.notes.take((sampler, note)) else { return false };
        let event = self.slab.get_mut(slot as usize).and_then(Option::take);
        let found = event.inspect(|(_, event)| self.count(*event, -1)).is_some();
        self.cancelled += usize::from(found);
        self.sweep();
        found
    }

    /// Gives back the places of cancelled events once they are more than half of all: a search through everything, but
    /// paid for by as many cancellations. Allocates nothing.
    fn sweep(&mut self) {
        if self.cancelled <= self.heap.len() / 2 {
            return;
        }
        let (slab, free) = (&self.slab, &mut self.free);
        self.heap.retain(|Reverse((_, _, slot))| {
            let live = slab.get(*slot as usize).is_some_and(Option::is_some);
            if !live {
                free.push(*slot);
            }
            live
        });
        self.cancelled = 0;
    }

    /// Events of a sampler that wait and have not been cancelled.
    pub fn waiting_for(&self, sampler: SamplerIndex) -> u32 {
        self.waiting.get(usize::from(sampler)).copied().unwrap_or(0)
    }

    fn count(&mut self, event: Event, change: i32) {
        if let Some(count) = event.sampler().and_then(|index| self.waiting.get_mut(usize::from(index))) {
            *count = count.saturating_add_signed(change);
        }
    }

    /// Forgets the notes of a sampler that have not started; hears of each.
    pub fn cancel_notes(&mut self, sampler: SamplerIndex, cancelled: impl FnMut(SamplerIndex, NoteId)) {
        self.forget(Some(sampler), |event| matches!(event, Event::NoteOn { .. }), cancelled);
    }

    /// Forgets everything, or everything of one sampler; hears of each note among it.
    pub fn clear(&mut self, sampler: Option<SamplerIndex>, cancelled: impl FnMut(SamplerIndex, NoteId)) {
        // Suspend and resume are the engine's state, not its music.
        self.forget(sampler, |event| !matches!(event, Event::Suspend | Event::Resume), cancelled);
    }

    /// Forgets the assignments of an instrument that is no more.
    pub fn forget_instrument(&mut self, index: InstrumentIndex) {
        let of_it =
            |event: &Event| matches!(event, Event::Assign { instrument, .. } if *instrument == Some(index));
        self.forget(None, of_it, |_, _| {});
    }

    fn forget(
        &mut self,
        sampler: Option<SamplerIndex>,
        unwanted: impl Fn(&Event) -> bool,
        mut cancelled: impl FnMut(SamplerIndex, NoteId),
    ) {
        // No further than the last event that waits, of this sampler or of all.
        let mut left = sampler.map_or(self.live(), |sampler| self.waiting_for(sampler) as usize);
        for slot in 0..self.slab.len() {
            if left == 0 {
                break;
            }
            let Some(place) = self.slab.get_mut(slot) else { continue };
            let Some((_, event)) = *place else { continue };
            if sampler.is_some() && event.sampler() != sampler {
                continue;
            }
            left -= 1;
            if !unwanted(&event) {
                continue;
            }
            *place = None;
            self.cancelled += 1;
            self.count(event, -1);
            if let Event::NoteOn { sampler, note, .. } = event {
                self.notes.remove((sampler, note), slot as Slot);
                cancelled(sampler, note);
            }
        }
        self.sweep();
    }

    /// Doubles the room. Allocates: never on the audio thread.
    pub fn grow(&mut self) {
        let (old, new) = (self.slab.len(), (self.slab.len() * 2).max(16));
        self.heap.reserve(new - self.heap.len());
        self.slab.resize(new, None);
        self.free.reserve(new);
        self.free.extend((old as Slot..new as Slot).rev());
        let mut notes = NoteTable::new(new);
        for (slot, event) in (0..).zip(&self.slab) {
            if let Some((_, Event::NoteOn { sampler, note, .. })) = event {
                notes.insert((*sampler, *note), slot);
            }
        }
        self.notes = notes;
    }
}

/// Open-addressing hash table from note to slot, at most half full, linear probing, deletion by shifting back.
///
/// `HashMap` would do, but for its allocation on growth and its random seed (RT-1, RT-7).
struct NoteTable {
    entries: Vec<Option<(NoteKey, Slot)>>,
}

type NoteKey = (SamplerIndex, NoteId);

impl NoteTable {
    fn new(capacity: usize) -> Self {
        Self { entries: vec![None; (capacity.max(1) * 2).next_power_of_two()] }
    }

    fn home(&self, (sampler, note): NoteKey) -> usize {
        // Fibonacci hashing (Knuth, TAOCP vol. 3, section 6.4): consecutive ids spread evenly.
        let key = (u64::from(sampler) << 32) | u64::from(note);
        let bits = self.entries.len().trailing_zeros();
        (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - bits)) as usize
    }

    fn mask(&self) -> usize {
        self.entries.len() - 1
    }

    fn insert(&mut self, key: NoteKey, slot: Slot) {
        let mut at = self.home(key);
        // Ends: at most half of the places are taken, one for each slot of the slab.
        while let Some(Some(_)) = self.entries.get(at) {
            at = (at + 1) & self.mask();
        }
        if let Some(entry) = self.entries.get_mut(at) {
            *entry = Some((key, slot));
        }
    }

    fn position(&self, wanted: impl Fn(NoteKey, Slot) -> bool, key: NoteKey) -> Option<usize> {
        let mut at = self.home(key);
        while let Some(Some((found, slot))) = self.entries.get(at) {
            if wanted(*found, *slot) {
                return Some(at);
            }
            at = (at + 1) & self.mask();
        }
        None
    }

    fn take(&mut self, key: NoteKey) -> Option<Slot> {
        let at = self.position(|found, _| found == key, key)?;
        let slot = self.entries.get(at).copied().flatten().map(|(_, slot)| slot);
        self.delete(at);
        slot
    }

    fn remove(&mut self, key: NoteKey, slot: Slot) {
        if let Some(at) = self.position(|found, at| found == key && at == slot, key) {
            self.delete(at);
        }
    }

    fn delete(&mut self, mut hole: usize) {
        let mask = self.mask();
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let Some(Some((key, slot))) = self.entries.get(at).copied() else { break };
            // An entry may fill the hole unless its home lies between the hole and itself.
            let (from_home, from_hole) =
                (at.wrapping_sub(self.home(key)) & mask, at.wrapping_sub(hole) & mask);
            if from_home >= from_hole {
                if let Some(place) = self.entries.get_mut(hole) {
                    *place = Some((key, slot));
                }
                hole = at;
            }
        }
        if let Some(place) = self.entries.get_mut(hole) {
            *place = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(id: NoteId) -> Event {
        Event::NoteOn {
            sampler: 0,
            channel: 0,
            late: crate::engine::event::Late::Play,
            note: id,
            key: 60.0,
            velocity: 100.0,
            instrument: None,
        }
    }

    #[test]
    fn events_come_by_frame_and_then_by_arrival() {
        let mut scheduler = Scheduler::new(8);
        for (frame, id) in [(5, 1), (3, 2), (5, 3), (3, 4), (9, 5)] {
            assert!(scheduler.insert(frame, frame, note(id)));
        }
        let due: Vec<_> = std::iter::from_fn(|| scheduler.pop_due(5)).collect();
        assert_eq!(due, [(3, note(2)), (3, note(4)), (5, note(1)), (5, note(3))]);
        assert_eq!(scheduler.next_frame(), Some(9));
    }

    #[test]
    fn a_full_scheduler_refuses_and_recovers() {
        let mut scheduler = Scheduler::new(1);
        assert!(scheduler.insert(1, 1, note(1)));
        assert!(!scheduler.insert(1, 1, note(2)));
        assert!(scheduler.pop_due(1).is_some());
        assert!(scheduler.insert(1, 1, note(2)));
    }

    #[test]
    fn a_cancelled_note_never_comes_out_and_frees_its_place_on_its_frame() {
        let mut scheduler = Scheduler::new(2);
        scheduler.insert(5, 5, note(1));
        scheduler.insert(6, 6, note(2));
        assert!(scheduler.cancel_note(0, 1));
        assert!(!scheduler.cancel_note(0, 1));
        assert!(!scheduler.cancel_note(1, 2));
        assert_eq!(scheduler.pop_due(10), Some((6, note(2))));
        assert_eq!((scheduler.len(), scheduler.room(), scheduler.waiting_for(0)), (0, 2, 0));
    }

    #[test]
    fn clearing_spares_other_samplers_and_the_engines_state() {
        let mut scheduler = Scheduler::new(8);
        scheduler.insert(1, 1, note(1));
        scheduler.insert(2, 2, Event::NoteOff { sampler: 3, channel: 0, key: 1.0 });
        scheduler.insert(3, 3, Event::Resume);
        scheduler.clear(Some(0), |_, _| {});
        assert_eq!(scheduler.pop_due(2), Some((2, Event::NoteOff { sampler: 3, channel: 0, key: 1.0 })));
        scheduler.insert(4, 4, note(2));
        scheduler.clear(None, |_, _| {});
        assert_eq!(scheduler.pop_due(9), Some((3, Event::Resume)));
        assert_eq!(scheduler.pop_due(9), None);
    }

    #[test]
    fn growing_keeps_everything() {
        let mut scheduler = Scheduler::new(2);
        for id in 1..=1000 {
            if scheduler.room() == 0 {
                scheduler.grow();
            }
            assert!(scheduler.insert(u64::from(id % 7), 0, note(id)));
        }
        assert!(scheduler.cancel_note(0, 500));
        assert_eq!(std::iter::from_fn(|| scheduler.pop_due(7)).count(), 999);
    }

    proptest! {
        #[test]
        fn it_behaves_as_a_sorted_list(steps in prop::collection::vec((0u8..4, 0u64..20, 1u32..30), 1..200)) {
            let mut scheduler = Scheduler::new(64);
            let mut model: Vec<(u64, u64, u32)> = Vec::new();
            for (arrival, (kind, frame, id)) in (0u64..).zip(steps) {
                match kind {
                    0 | 1 => {
                        if model.iter().any(|(_, _, known)| *known == id) {
                            continue;
                        }
                        if scheduler.insert(frame, frame, note(id)) {
                            model.push((frame, arrival, id));
                        }
                    }
                    2 => {
                        let known = model.iter().position(|(_, _, known)| *known == id);
                        prop_assert_eq!(scheduler.cancel_note(0, id), known.is_some());
                        known.map(|at| model.remove(at));
                    }
                    _ => {
                        model.sort_unstable();
                        let due = model.iter().take_while(|(due, _, _)| *due <= frame).count();
                        for (due, _, id) in model.drain(..due) {
                            prop_assert_eq!(scheduler.pop_due(frame), Some((due, note(id))));
                        }
                        prop_assert_eq!(scheduler.pop_due(frame), None);
                    }
                }
            }
        }
    }
}
