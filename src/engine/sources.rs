//! Sources beside the samplers: PCM streams, which the engine knows only as [`Source`].
//!
//! Made on the control thread, moved in, moved out by the collector when nothing more is heard of them.

use super::counters::EngineCounters;
use super::message::Outgoing;
use super::storage::Storage;
use crate::rt::collector::Outbox;
use crate::rt::source::{Buses, Source};
use crate::units::Frames;

/// All sources, in the order in which they came: sums depend on it (RT-7).
pub struct Sources {
    list: Vec<Box<dyn Source>>,
}

impl Sources {
    /// Room for so many; never more are taken in.
    pub fn new(capacity: usize) -> Self {
        Self { list: Vec::with_capacity(capacity) }
    }

    /// Where the list lies in memory.
    pub fn storage(&self) -> Storage {
        Storage::of_vec(&self.list).queue()
    }

    /// Takes one in; gives it back when there is no room.
    pub fn add(&mut self, source: Box<dyn Source>) -> Result<(), Box<dyn Source>> {
        if self.list.len() == self.list.capacity() {
            return Err(source);
        }
        self.list.push(source);
        Ok(())
    }

    /// Adds the next `frames` of all of them to the buses.
    pub fn render(&mut self, frame: Frames, frames: usize, buses: &mut Buses<'_>, counters: &EngineCounters) {
        for source in &mut self.list {
            counters.non_finite.add(source.render(frame, frames, buses));
        }
    }

    /// How many sound, or will by themselves.
    pub fn sounding(&self) -> usize {
        self.list.iter().filter(|source| source.sounds()).count()
    }

    /// Sends out those that are over.
    pub fn settle(&mut self, outbox: &mut Outbox<Outgoing>) {
        let mut at = 0;
        while let Some(source) = self.list.get(at) {
            if source.is_over() && outbox.has_room() {
                // Not `swap_remove`: the others keep their order.
                let _ = outbox.discard(Outgoing::Source(self.list.remove(at)));
            } else {
                at += 1;
            }
        }
    }
}
