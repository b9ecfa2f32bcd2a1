//! Lanes: how one producer thread speaks to the audio thread, without either ever waiting.
//!
//! A lane is two queues in one order:
//!
//! - **records**, 64 plain bytes each, in memory that a JavaScript thread writes directly. A note costs a few
//!   nanoseconds this way, against 300 ns for a method call into native code. The reader treats every record
//!   as untrusted: it takes eight `f64`s, whatever they are.
//! - **objects** (`ringbuf`), for what has an owner: instruments, samplers. Each carries the record index before
//!   which it takes effect, so that "assign, then play" arrives in that order.
//!
//! The memory belongs to Rust and is lent to JavaScript as an external `ArrayBuffer`, not the other way round: a
//! worker that dies cannot pull it from under the audio thread. No record is larger than a cache line, and head,
//! tail and bulletin lie on lines of their own (false sharing).
//!
//! Threads: one producer (records: the owning JavaScript thread; objects: whoever holds the producer), one
//! consumer (the audio thread). RT-9: a full lane is reported to the producer, never waited on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ringbuf::HeapRb;
use ringbuf::traits::{Consumer, Observer, Producer, Split};

/// Eight numbers: what fits a cache line, and all that a plain event needs.
pub type Record = [f64; 8];

/// Bytes of one [`Record`], and of each line of [`LaneHeader`].
pub const LINE_BYTES: usize = 64;

/// The clock goes on.
pub const CLOCK_RUNS: u32 = 0;
/// It does, but output fades and it will stand.
pub const CLOCK_FADES: u32 = 1;
/// It stands; output is silence.
pub const CLOCK_STANDS: u32 = 2;

/// A value on a cache line of its own.
#[repr(C, align(64))]
#[derive(Debug, Default)]
struct Line<T>(T);

/// What the consumer tells the producer after each block, readable without a call: 64 bytes at offset 128.
#[repr(C)]
#[derive(Debug, Default)]
struct Bulletin {
    /// Bits of an `f64`: first frame of the next block.
    frame: AtomicU64,
    /// Voices that sound now.
    voices: AtomicU32,
    /// Events that wait for their time.
    scheduled: AtomicU32,
    /// State of the clock: [`CLOCK_RUNS`], [`CLOCK_FADES`] or [`CLOCK_STANDS`].
    state: AtomicU32,
}

/// The shared header. Layout is fixed (`lib/lane.cjs` writes it), offsets in bytes:
/// 0 head u32 · 64 tail u32 · 128 frame f64, 136 voices u32, 140 scheduled u32, 144 state u32 · 192 dropped u32.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct LaneHeader {
    head: Line<AtomicU32>,
    tail: Line<AtomicU32>,
    bulletin: Line<Bulletin>,
    dropped: Line<AtomicU32>,
}

const _: () = assert!(size_of::<LaneHeader>() == 4 * LINE_BYTES);
const _: () = assert!(size_of::<Record>() == LINE_BYTES);

/// The memory that producer and consumer share.
#[derive(Debug)]
pub struct LaneMemory {
    header: Box<LaneHeader>,
    records: Box<[[AtomicU64; 8]]>,
}

impl LaneMemory {
    /// Room for `capacity` records, a power of two.
    fn new(capacity: usize) -> Self {
        assert!(capacity.is_power_of_two(), "lane capacity must be a power of two, got {capacity}");
        Self { header: Box::default(), records: (0..capacity).map(|_| Default::default()).collect() }
    }

    /// How many records fit.
    pub fn capacity(&self) -> u32 {
        self.records.len() as u32
    }

    /// Header bytes, for lending to JavaScript. Every field is an atomic, so writing through the pointer is sound
    /// as long as some `Arc<LaneMemory>` lives.
    pub fn header_bytes(&self) -> (*mut u8, usize) {
        ((&raw const *self.header) as *mut u8, size_of::<LaneHeader>())
    }

    /// Record bytes, for lending to JavaScript; the same condition holds.
    pub fn record_bytes(&self) -> (*mut u8, usize) {
        (self.records.as_ptr() as *mut u8, self.records.len() * LINE_BYTES)
    }

    /// Index that the next record to be written will have.
    pub fn head(&self) -> u32 {
        self.header.head.0.load(Ordering::Acquire)
    }

    /// Records that are written and not yet read.
    pub fn waiting(&self) -> u32 {
        self.head().wrapping_sub(self.header.tail.0.load(Ordering::Acquire))
    }

    /// Records that the producer could not write because the lane was full.
    pub fn dropped(&self) -> u32 {
        self.header.dropped.0.load(Ordering::Relaxed)
    }

    /// Starts the count of refused records anew.
    pub fn reset_dropped(&self) {
        self.header.dropped.0.store(0, Ordering::Relaxed);
    }

    /// Whether the consumer's clock stood still after its last block.
    pub fn is_stopped(&self) -> bool {
        self.header.bulletin.0.state.load(Ordering::Relaxed) == CLOCK_STANDS
    }

    /// Whether nothing sounded and nothing waited for its time after the consumer's last block.
    pub fn is_quiet(&self) -> bool {
        let bulletin = &self.header.bulletin.0;
        bulletin.voices.load(Ordering::Relaxed) == 0 && bulletin.scheduled.load(Ordering::Relaxed) == 0
    }

    /// The first frame of the consumer's next block.
    pub fn frame(&self) -> u64 {
        f64::from_bits(self.header.bulletin.0.frame.load(Ordering::Acquire)) as u64
    }

    /// Writes one record; `false` when the lane is full, and then it is counted as dropped.
    ///
    /// Thread: the producer. Wait-free. `reserve` records are left free for what must not be lost: note-ons keep
    /// some room for note-offs.
    pub fn push(&self, record: &Record, reserve: u32) -> bool {
        let head = self.header.head.0.load(Ordering::Relaxed);
        let used = head.wrapping_sub(self.header.tail.0.load(Ordering::Acquire));
        if used.saturating_add(reserve) >= self.capacity() {
            self.header.dropped.0.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        if let Some(slot) = self.records.get(head as usize & (self.records.len() - 1)) {
            for (word, value) in slot.iter().zip(record) {
                word.store(value.to_bits(), Ordering::Relaxed);
            }
        }
        self.header.head.0.store(head.wrapping_add(1), Ordering::Release);
        true
    }
}

/// An owned object and the record index before which it takes effect.
#[derive(Debug)]
struct Stamped<T> {
    before: u32,
    object: T,
}

/// The producer's end for objects. For records it is [`LaneMemory::push`], or JavaScript itself.
pub struct LaneSender<T> {
    memory: Arc<LaneMemory>,
    objects: ringbuf::HeapProd<Stamped<T>>,
}

impl<T> LaneSender<T> {
    /// Sends an object, in order with the records written so far; gives it back when the lane is full.
    ///
    /// Thread: control. Wait-free.
    pub fn send(&mut self, object: T) -> Result<(), T> {
        let before = self.memory.head();
        self.objects.try_push(Stamped { before, object }).map_err(|stamped| stamped.object)
    }

    /// The shared memory, for writing records.
    pub fn memory(&self) -> &Arc<LaneMemory> {
        &self.memory
    }

    /// Whether the consumer has been dropped.
    pub fn abandoned(&self) -> bool {
        !self.objects.read_is_held()
    }
}

/// What a lane delivers.
#[derive(Debug, PartialEq)]
pub enum Delivery<T> {
    /// Plain numbers, untrusted.
    Record(Record),
    /// Something with an owner.
    Object(T),
}

/// The audio thread's end.
pub struct LaneReceiver<T> {
    memory: Arc<LaneMemory>,
    objects: ringbuf::HeapCons<Stamped<T>>,
    tail: u32,
    /// Address and bytes of the queue of objects.
    storage: (usize, usize),
}

impl<T> LaneReceiver<T> {
    /// Where the queue of objects lies in memory: address and bytes. Records lie in [`LaneMemory`].
    ///
    /// Thread: control.
    pub fn storage(&self) -> (*const u8, usize) {
        (std::ptr::without_provenance(self.storage.0), self.storage.1)
    }

    /// The next delivery, in the order of sending, or `None` when the lane is empty.
    ///
    /// Thread: audio. Wait-free. A head that lies (more records than the lane holds) skips to that head.
    pub fn receive(&mut self) -> Option<Delivery<T>> {
        // The object first, the head after it: the records before an object were written before it was sent, so a
        // head read now counts them. The other way round, both could arrive in between and the object overtake.
        let stamp = self.objects.first().map(|stamped| stamped.before);
        let head = self.memory.header.head.0.load(Ordering::Acquire);
        let mut waiting = head.wrapping_sub(self.tail);
        if waiting > self.memory.capacity() {
            self.set_tail(head);
            waiting = 0;
        }
        // Signed distance: due when its stamp is not ahead of us, or when no record will ever reach it (a head that
        // went backwards).
        if stamp.is_some_and(|before| (before.wrapping_sub(self.tail) as i32) <= 0 || waiting == 0) {
            return self.objects.try_pop().map(|stamped| Delivery::Object(stamped.object));
        }
        if waiting == 0 {
            return None;
        }
        let slot = self.memory.records.get(self.tail as usize & (self.memory.records.len() - 1))?;
        let record = std::array::from_fn(|i| {
            f64::from_bits(slot.get(i).map_or(0, |word| word.load(Ordering::Relaxed)))
        });
        self.set_tail(self.tail.wrapping_add(1));
        Some(Delivery::Record(record))
    }

    /// Publishes what the producer may read at any time.
    ///
    /// Thread: audio, once a block.
    pub fn publish(&self, frame: u64, voices: u32, scheduled: u32, state: u32) {
        let bulletin = &self.memory.header.bulletin.0;
        bulletin.frame.store((frame as f64).to_bits(), Ordering::Release);
        bulletin.voices.store(voices, Ordering::Relaxed);
        bulletin.scheduled.store(scheduled, Ordering::Relaxed);
        bulletin.state.store(state, Ordering::Relaxed);
    }

    /// Publishes what another lane of the same consumer says: for a lane that opens while the clock runs.
    ///
    /// Thread: control, before the consumer has the lane.
    pub fn publish_as(&self, other: &LaneMemory) {
        let (from, to) = (&other.header.bulletin.0, &self.memory.header.bulletin.0);
        to.frame.store(from.frame.load(Ordering::Acquire), Ordering::Release);
        for (from, to) in
            [(&from.voices, &to.voices), (&from.scheduled, &to.scheduled), (&from.state, &to.state)]
        {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Whether the sender is gone and everything it sent has been received.
    pub fn is_abandoned(&self) -> bool {
        !self.objects.write_is_held() && self.objects.is_empty() && self.memory.head() == self.tail
    }

    /// The shared memory.
    pub fn memory(&self) -> &Arc<LaneMemory> {
        &self.memory
    }

    fn set_tail(&mut self, tail: u32) {
        self.tail = tail;
        self.memory.header.tail.0.store(tail, Ordering::Release);
    }
}

/// A lane for `records` plain records (a power of two) and `objects` owned ones.
pub fn lane<T>(records: usize, objects: usize) -> (LaneSender<T>, LaneReceiver<T>) {
    let memory = Arc::new(LaneMemory::new(records));
    let (producer, consumer) = HeapRb::new(objects).split();
    // Empty, so that what is vacant is all of it.
    let (vacant, _) = producer.vacant_slices();
    let storage = (vacant.as_ptr().addr(), size_of_val(vacant));
    (
        LaneSender { memory: memory.clone(), objects: producer },
        LaneReceiver { memory, objects: consumer, tail: 0, storage },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: f64) -> Record {
        [n, 1.0, 2.0, 3.0, 4.0, 5.0, f64::NAN, -0.0]
    }

    fn bits(delivery: Option<Delivery<u32>>) -> Option<[u64; 8]> {
        match delivery {
            Some(Delivery::Record(r)) => Some(r.map(f64::to_bits)),
            _ => None,
        }
    }

    #[test]
    fn records_arrive_whole_and_in_order() {
        let (sender, mut receiver) = lane::<u32>(4, 1);
        for n in 0..3 {
            assert!(sender.memory().push(&record(f64::from(n)), 0));
        }
        for n in 0..3 {
            assert_eq!(bits(receiver.receive()), Some(record(f64::from(n)).map(f64::to_bits)));
        }
        assert_eq!(receiver.receive(), None);
    }

    #[test]
    fn a_full_lane_refuses_and_counts_and_recovers() {
        let (sender, mut receiver) = lane::<u32>(1, 1);
        assert!(sender.memory().push(&record(1.0), 0));
        assert!(!sender.memory().push(&record(2.0), 0));
        assert_eq!(sender.memory().dropped(), 1);
        assert!(bits(receiver.receive()).is_some());
        assert!(sender.memory().push(&record(3.0), 0));
    }

    #[test]
    fn a_reserve_keeps_room_for_note_offs() {
        let (sender, _receiver) = lane::<u32>(8, 1);
        let notes = (0..8).filter(|_| sender.memory().push(&record(0.0), 2)).count();
        assert_eq!(notes, 6);
        assert!(sender.memory().push(&record(0.0), 0));
        assert!(sender.memory().push(&record(0.0), 0));
        assert!(!sender.memory().push(&record(0.0), 0));
    }

    #[test]
    fn objects_take_effect_between_the_records_around_them() {
        let (mut sender, mut receiver) = lane::<u32>(8, 2);
        sender.send(10).unwrap();
        sender.memory().push(&record(1.0), 0);
        sender.send(20).unwrap();
        sender.memory().push(&record(2.0), 0);
        assert_eq!(receiver.receive(), Some(Delivery::Object(10)));
        assert!(bits(receiver.receive()).is_some());
        assert_eq!(receiver.receive(), Some(Delivery::Object(20)));
        assert!(bits(receiver.receive()).is_some());
        assert_eq!(receiver.receive(), None);
    }

    #[test]
    fn a_full_object_queue_gives_the_object_back() {
        let (mut sender, mut receiver) = lane::<u32>(2, 1);
        sender.send(1).unwrap();
        assert_eq!(sender.send(2), Err(2));
        assert_eq!(receiver.receive(), Some(Delivery::Object(1)));
        sender.send(2).unwrap();
    }

    #[test]
    fn a_lying_head_never_reads_out_of_bounds_and_loses_no_object() {
        let (mut sender, mut receiver) = lane::<u32>(4, 2);
        sender.send(7).unwrap();
        for lie in [5u32, 1000, u32::MAX, 0x8000_0000] {
            sender.memory().header.head.0.store(lie, Ordering::Release);
            while receiver.receive().is_some() {}
            sender.send(lie).unwrap();
            assert_eq!(receiver.receive(), Some(Delivery::Object(lie)));
        }
    }

    #[test]
    fn indices_wrap_after_four_billion_records() {
        let (sender, mut receiver) = lane::<u32>(4, 1);
        let near_wrap = u32::MAX - 1;
        sender.memory().header.head.0.store(near_wrap, Ordering::Release);
        receiver.set_tail(near_wrap);
        for n in 0..4 {
            assert!(sender.memory().push(&record(f64::from(n)), 0));
        }
        assert!(!sender.memory().push(&record(4.0), 0));
        for n in 0..4 {
            assert_eq!(bits(receiver.receive()).unwrap()[0], f64::from(n).to_bits());
        }
    }

    #[test]
    fn the_bulletin_says_what_the_consumer_published() {
        let (sender, receiver) = lane::<u32>(4, 1);
        assert!(sender.memory().is_quiet() && !sender.memory().is_stopped());
        receiver.publish(1 << 40, 3, 0, CLOCK_STANDS);
        assert_eq!(sender.memory().frame(), 1 << 40);
        assert!(!sender.memory().is_quiet() && sender.memory().is_stopped());
        let (newer, to_be) = lane::<u32>(4, 1);
        to_be.publish_as(sender.memory());
        assert_eq!(newer.memory().frame(), 1 << 40);
        assert!(!newer.memory().is_quiet() && newer.memory().is_stopped());
        receiver.publish(0, 0, 1, CLOCK_FADES);
        assert!(!sender.memory().is_quiet() && !sender.memory().is_stopped());
    }

    #[test]
    fn an_abandoned_lane_says_so() {
        let (sender, receiver) = lane::<u32>(4, 1);
        assert!(!sender.abandoned());
        drop(receiver);
        assert!(sender.abandoned());
        let (mut sender, mut receiver) = lane::<u32>(4, 1);
        sender.send(1).unwrap();
        sender.memory().push(&record(1.0), 0);
        drop(sender);
        assert!(!receiver.is_abandoned());
        while receiver.receive().is_some() {}
        assert!(receiver.is_abandoned());
    }

    #[test]
    fn two_threads_lose_and_reorder_nothing() {
        // 20 000 records through 64 places: wraps 300 times. Small, so that Miri finishes.
        const COUNT: u32 = if cfg!(miri) { 300 } else { 20_000 };
        let (mut sender, mut receiver) = lane::<u32>(64, 64);
        let producer = std::thread::spawn(move || {
            for n in 0..COUNT {
                while !sender.memory().push(&[f64::from(n); 8], 0) {
                    std::hint::spin_loop();
                }
                if n % 7 == 0 {
                    let mut object = n;
                    while let Err(back) = sender.send(object) {
                        object = back;
                        std::hint::spin_loop();
                    }
                }
            }
        });
        let (mut next, mut last_object) = (0u32, None);
        while next < COUNT || last_object != Some((COUNT - 1) / 7 * 7) {
            match receiver.receive() {
                Some(Delivery::Record(r)) => {
                    assert_eq!(r, [f64::from(next); 8]);
                    next += 1;
                }
                Some(Delivery::Object(n)) => {
                    assert_eq!(n, last_object.map_or(0, |last| last + 7));
                    assert!(next > n, "object {n} overtook its record");
                    last_object = Some(n);
                }
                None => std::hint::spin_loop(),
            }
        }
        producer.join().unwrap();
    }
}
