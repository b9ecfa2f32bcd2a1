//! The collector: the way out of the audio thread for whatever must be freed, and for facts to be told.
//!
//! RT-3: nothing is dropped on the audio thread, so a full collector gives the value back and the sender keeps it
//! until there is room. Facts may be lost when it is full, and that is counted; garbage may not.
//!
//! Threads: one sender (audio, wait-free), one receiver (the notifier, or the caller of an offline engine).

use ringbuf::HeapRb;
use ringbuf::traits::{Consumer, Observer, Producer, Split};

/// The audio thread's end.
pub struct Outbox<T> {
    queue: ringbuf::HeapProd<T>,
    reserve: usize,
}

/// The end of whoever frees and tells.
pub struct Collector<T> {
    queue: ringbuf::HeapCons<T>,
}

/// A collector for `facts` facts and `garbage` owned values: facts never take the room of garbage.
pub fn collector<T>(facts: usize, garbage: usize) -> (Outbox<T>, Collector<T>) {
    let (producer, consumer) = HeapRb::new(facts + garbage).split();
    (Outbox { queue: producer, reserve: garbage }, Collector { queue: consumer })
}

impl<T> Outbox<T> {
    /// Where the queue lies in memory: address and bytes, while it is empty.
    ///
    /// Thread: control.
    pub fn storage(&self) -> (*const u8, usize) {
        let (vacant, _) = self.queue.vacant_slices();
        (vacant.as_ptr().cast(), size_of_val(vacant))
    }

    /// Whether the next [`Self::discard`] succeeds: only this thread takes room.
    pub fn has_room(&self) -> bool {
        !self.queue.is_full()
    }

    /// Facts that can still be told.
    pub fn room(&self) -> usize {
        self.queue.vacant_len().saturating_sub(self.reserve)
    }

    /// Hands out a value that has an owner; gives it back when the collector is full: keep it and try again.
    pub fn discard(&mut self, garbage: T) -> Result<(), T> {
        self.queue.try_push(garbage)
    }

    /// Tells a fact; `false` when there was no room, and then it is lost. A fact owns nothing, so losing it here
    /// frees nothing (RT-3).
    pub fn tell(&mut self, fact: T) -> bool {
        self.queue.vacant_len() > self.reserve && self.queue.try_push(fact).is_ok()
    }
}

impl<T> Collector<T> {
    /// The next value, oldest first.
    pub fn collect(&mut self) -> Option<T> {
        self.queue.try_pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_leave_room_for_garbage() {
        let (mut outbox, mut collector) = collector::<u32>(2, 1);
        assert!(outbox.tell(1));
        assert!(outbox.tell(2));
        assert!(!outbox.tell(3));
        assert_eq!(outbox.discard(4), Ok(()));
        assert_eq!(outbox.discard(5), Err(5));
        assert_eq!(std::iter::from_fn(|| collector.collect()).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(outbox.discard(5), Ok(()));
    }
}
