//! What stays in memory: which of our buffers are locked, and since when and until when.
//!
//! While an engine with an audio thread of its own and `lockMemory` is open, its own memory, the lanes that lead to
//! it and the samples of instruments are locked (`device::lock_memory` knows the limits and what gives way to what).
//! Samples belong to instruments and not to engines, so they are locked if any such engine is open. An offline engine
//! alone locks nothing: nobody waits for it.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::device::{Locked, Rank, lock_memory, touch_memory};
use crate::engine::Storage;
use crate::instrument::{Region, Sample};
use crate::rt::lane::LaneMemory;

/// Of each sample: two thirds of a second of a mono one, a third of a stereo one, at 48 kHz. Whatever else has to be
/// read in is there by then.
const HEAD_BYTES: usize = 128 * 1024;

/// Open engines that want memory locked.
static WISHES: AtomicUsize = AtomicUsize::new(0);

/// The wish of one open engine, and what it keeps locked of its own.
pub struct Residence {
    locked: Vec<Locked>,
}

impl Residence {
    /// Touches all of an engine's memory and locks it.
    pub fn of_engine(storage: &[Storage]) -> Self {
        WISHES.fetch_add(1, Ordering::AcqRel);
        let lock = |piece: &Storage| {
            let rank = if piece.is_queue { Rank::Queue } else { Rank::Engine };
            lock_memory(rank, piece.start, piece.bytes)
        };
        let (queues, hot): (Vec<_>, Vec<_>) = storage.iter().partition(|piece| piece.is_queue);
        Self { locked: hot.into_iter().chain(queues).map(lock).collect() }
    }
}

impl Drop for Residence {
    fn drop(&mut self) {
        self.locked.clear();
        WISHES.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Only makes the pages exist: for an engine whose memory is not to be locked.
pub fn touch_engine(storage: &[Storage]) {
    storage.iter().for_each(|piece| touch_memory(piece.start, piece.bytes));
}

/// Locks what carries notes to an engine, until dropped.
pub fn lock_lane(memory: &LaneMemory) -> Vec<Locked> {
    if WISHES.load(Ordering::Acquire) == 0 {
        return Vec::new();
    }
    [memory.header_bytes(), memory.record_bytes()]
        .map(|(start, bytes)| lock_memory(Rank::Lane, start.cast_const(), bytes))
        .into()
}

/// Locks one object of an engine's, until dropped.
pub fn lock_object<T>(object: &T) -> Option<Locked> {
    let wanted = WISHES.load(Ordering::Acquire) > 0;
    wanted.then(|| lock_memory(Rank::Engine, std::ptr::from_ref(object).cast(), size_of::<T>()))
}

/// Touches pieces of memory, so that the audio thread does not have to make their pages exist, and locks them until
/// dropped where an engine wants that.
pub fn lock_pieces(pieces: &[(*const u8, usize)]) -> Vec<Locked> {
    pieces.iter().for_each(|(start, bytes)| touch_memory(*start, *bytes));
    if WISHES.load(Ordering::Acquire) == 0 {
        return Vec::new();
    }
    pieces.iter().map(|(start, bytes)| lock_memory(Rank::Engine, *start, *bytes)).collect()
}

/// Locks samples as long as they live, all heads before any rest. Thread: any that may wait for the disk.
pub fn lock_samples(regions: &[Region]) {
    if WISHES.load(Ordering::Acquire) == 0 {
        return;
    }
    let start = |sample: &Sample| sample.guarded().as_ptr().cast::<u8>();
    let fresh = regions.iter().map(|region| &*region.sample).filter(|sample| !sample.is_kept());
    let mut heads: Vec<(&Sample, Locked)> = Vec::new();
    for sample in fresh {
        if heads.iter().any(|(other, _)| std::ptr::eq(*other, sample)) {
            continue;
        }
        heads.push((sample, lock_memory(Rank::Head, start(sample), sample.bytes().min(HEAD_BYTES))));
    }
    for (sample, head) in heads {
        let rest = sample.bytes().saturating_sub(HEAD_BYTES);
        let body = lock_memory(Rank::Body, start(sample).wrapping_add(sample.bytes() - rest), rest);
        sample.keep(Box::new((head, body)));
    }
}
