//! The ring between whoever computes frames and the audio thread.
//!
//! Layout, the same whether Rust allocated it or JavaScript did: `size × stride` values, interleaved, 32- or 64-bit floats,
//! and two 32-bit indices that count frames, each in `0..size`. Frames from `read` up to, but without, `write` are there to
//! be played; where both are equal the ring is empty, so one place always stays free. The writer fills frames and then
//! stores `write` (release), the reader plays them and then stores `read`. That is the arithmetic of Kanon's own ring, so
//! that its memory can be read in place.
//!
//! Indices are read from memory that others write: what is outside `0..size` gives nothing, and is reported.
//!
//! Threads: one writer, one reader (audio, wait-free).

use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use crate::rt::lease::{Entered, Lease};

/// Most frames of a ring: what an index can count, and then some to spare for arithmetic.
pub const MAX_FRAMES: usize = 1 << 30;

/// Values as they lie in memory.
#[derive(Clone, Copy)]
enum Values<'a> {
    F32(&'a [AtomicU32]),
    F64(&'a [AtomicU64]),
}

/// A place for values in somebody else's memory.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// 32-bit floats.
    F32(NonNull<f32>),
    /// 64-bit floats.
    F64(NonNull<f64>),
}

/// Memory that somebody else owns.
#[derive(Clone, Copy, Debug)]
pub struct Adopted {
    /// Where the values lie.
    pub values: Place,
    /// The index of the next frame to be written.
    pub write: NonNull<i32>,
    /// The index of the next frame to be read.
    pub read: NonNull<i32>,
}

enum Memory {
    Owned { values: Box<[AtomicU32]>, write: AtomicI32, read: AtomicI32 },
    Adopted(Adopted),
}

/// A ring.
pub struct Ring {
    memory: Memory,
    size: usize,
    stride: usize,
    lease: Lease,
}

// SAFETY: `Adopted` holds pointers to memory that is only ever touched as atomics, and only between `Lease::enter` and its
// end; `Ring::adopt` asks its caller to keep it alive until the lease is revoked. Owned memory consists of atomics.
unsafe impl Send for Ring {}
// SAFETY: as above: every access through `&Ring` is atomic.
unsafe impl Sync for Ring {}

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// So many frames, from this index on.
    Frames {
        /// How many.
        count: usize,
        /// Index of the first.
        from: usize,
    },
    /// The indices make no sense.
    Hostile,
}

impl Ring {
    /// A ring of its own for `frames` frames of `stride` values, silent.
    pub fn new(frames: usize, stride: usize) -> Self {
        let size = frames.clamp(1, MAX_FRAMES) + 1;
        let stride = stride.max(1);
        Self {
            memory: Memory::Owned {
                values: (0..size * stride).map(|_| AtomicU32::new(0)).collect(),
                write: AtomicI32::new(0),
                read: AtomicI32::new(0),
            },
            size,
            stride,
            lease: Lease::default(),
        }
    }

    /// A ring in somebody else's memory; `None` when the size makes no sense.
    ///
    /// # Safety
    ///
    /// `values` points to at least `size × stride` values and both indices to one each, aligned for their types, and all of
    /// it stays allocated until [`Ring::revoke`] has returned or the ring has been dropped. Whoever else writes it
    /// meanwhile is another language's thread, not Rust code that claims it for itself.
    pub unsafe fn adopt(memory: Adopted, size: usize, stride: usize) -> Option<Self> {
        let fits = (2..=MAX_FRAMES).contains(&size) && stride > 0 && size.checked_mul(stride).is_some();
        fits.then(|| Self { memory: Memory::Adopted(memory), size, stride, lease: Lease::default() })
    }

    /// Frames between two equal indices: one more than ever fit.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Values of one frame.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Takes the memory away; when this returns, nobody reads it any more.
    ///
    /// Thread: any but audio. Waits for microseconds.
    pub fn revoke(&self) {
        self.lease.revoke();
    }

    /// Whether the memory has been taken away.
    pub fn is_revoked(&self) -> bool {
        self.lease.is_revoked()
    }

    /// Whether this is a ring over the same memory.
    pub fn is_same_memory(&self, other: &Adopted) -> bool {
        matches!(&self.memory, Memory::Adopted(own) if own.read == other.read && own.write == other.write)
    }

    /// The ring, to be read; `None` once its memory has been taken away.
    ///
    /// Thread: audio. Wait-free.
    pub fn enter(&self) -> Option<Reading<'_>> {
        let entered = self.lease.enter()?;
        let (values, write, read) = match &self.memory {
            Memory::Owned { values, write, read } => (Values::F32(values), write, read),
            Memory::Adopted(memory) => {
                let count = self.size * self.stride;
                // SAFETY: `adopt`'s caller vouches for `size × stride` aligned values and two indices, alive until the
                // lease is revoked, which `entered` holds off. Atomics of the same size may stand for them, since JavaScript
                // writes them as one piece each.
                unsafe {
                    let values = match memory.values {
                        Place::F32(at) => Values::F32(std::slice::from_raw_parts(at.as_ptr().cast(), count)),
                        Place::F64(at) => Values::F64(std::slice::from_raw_parts(at.as_ptr().cast(), count)),
                    };
                    (
                        values,
                        AtomicI32::from_ptr(memory.write.as_ptr()),
                        AtomicI32::from_ptr(memory.read.as_ptr()),
                    )
                }
            }
        };
        Some(Reading { ring: self, values, write, read, _entered: entered })
    }

    /// Frames that wait to be played, as far as anybody else can tell; 0 when the indices make no sense.
    ///
    /// Thread: any, but only while the lease is known to stand: the owner of adopted memory asks for itself.
    pub fn waiting(&self) -> usize {
        let Memory::Owned { write, read, .. } = &self.memory else { return 0 };
        let (write, read) = (write.load(Ordering::Acquire) as usize, read.load(Ordering::Acquire) as usize);
        distance(read, write, self.size)
    }

    /// Frames that can be written now. Owned memory only.
    pub fn space(&self) -> usize {
        self.size - 1 - self.waiting()
    }

    /// Writes frames into owned memory: calls `fill` with two runs of places, the second where it goes round, `frames ×
    /// stride` in all, and then makes them visible. `frames` is at most [`Self::space`].
    ///
    /// Thread: the writer's. Wait-free.
    pub fn write(&self, frames: usize, fill: impl FnOnce(&[AtomicU32], &[AtomicU32])) {
        let Memory::Owned { values, write, .. } = &self.memory else { return };
        let frames = frames.min(self.space());
        let at = write.load(Ordering::Relaxed) as usize;
        let first = frames.min(self.size - at);
        let run = |from: usize, count: usize| values.get(from * self.stride..(from + count) * self.stride);
        let (Some(run_a), Some(run_b)) = (run(at, first), run(0, frames - first)) else { return };
        fill(run_a, run_b);
        let next = (at + frames) % self.size;
        write.store(next as i32, Ordering::Release);
    }
}

fn distance(from: usize, to: usize, size: usize) -> usize {
    if to >= from { to - from } else { to + size - from }
}

/// A ring that is being read.
pub struct Reading<'a> {
    ring: &'a Ring,
    values: Values<'a>,
    write: &'a AtomicI32,
    read: &'a AtomicI32,
    _entered: Entered<'a>,
}

impl Reading<'_> {
    /// What is there to be played.
    pub fn fill(&self) -> Fill {
        let index = |value: i32| usize::try_from(value).ok().filter(|value| *value < self.ring.size);
        let (read, write) = (self.read.load(Ordering::Acquire), self.write.load(Ordering::Acquire));
        match (index(read), index(write)) {
            (Some(from), Some(to)) => Fill::Frames { count: distance(from, to, self.ring.size), from },
            _ => Fill::Hostile,
        }
    }

    /// Index `frames` after another.
    pub fn after(&self, from: usize, frames: usize) -> usize {
        (from + frames) % self.ring.size
    }

    /// Frames from one index to another.
    pub fn distance(&self, from: usize, to: usize) -> usize {
        distance(from % self.ring.size, to % self.ring.size, self.ring.size)
    }

    /// Copies frames from an index on, going round, as far as `out` reaches: interleaved, `frames × stride`.
    pub fn copy(&self, from: usize, out: &mut [f32]) {
        let stride = self.ring.stride;
        let first = (self.ring.size.saturating_sub(from) * stride).min(out.len());
        let (before, after) = out.split_at_mut(first);
        self.copy_run(from * stride, before);
        self.copy_run(0, after);
    }

    fn copy_run(&self, at: usize, out: &mut [f32]) {
        match self.values {
            Values::F32(values) => {
                for (out, value) in out.iter_mut().zip(values.iter().skip(at)) {
                    *out = f32::from_bits(value.load(Ordering::Relaxed));
                }
            }
            Values::F64(values) => {
                for (out, value) in out.iter_mut().zip(values.iter().skip(at)) {
                    *out = f64::from_bits(value.load(Ordering::Relaxed)) as f32;
                }
            }
        }
    }

    /// Gives places back to the writer: the next frame to be read is this one.
    pub fn set_read(&self, index: usize) {
        self.read.store(index as i32, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn put(ring: &Ring, values: &[f32]) {
        ring.write(values.len() / ring.stride(), |a, b| {
            for (place, value) in a.iter().chain(b).zip(values) {
                place.store(value.to_bits(), Ordering::Relaxed);
            }
        });
    }

    fn take(ring: &Ring, frames: usize) -> Vec<f32> {
        let reading = ring.enter().unwrap();
        let Fill::Frames { count, from } = reading.fill() else { panic!("sane indices") };
        let mut out = vec![0.0; frames.min(count) * ring.stride()];
        reading.copy(from, &mut out);
        reading.set_read(reading.after(from, frames.min(count)));
        out
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_go_round() {
        for size in 1..6 {
            let ring = Ring::new(size, 2);
            let (mut written, mut read) = (0, Vec::new());
            for step in 0..40 {
                let frames = (step % 4).min(ring.space());
                let values: Vec<f32> = (0..2 * frames).map(|n| (written + n) as f32).collect();
                put(&ring, &values);
                written += values.len();
                read.extend(take(&ring, (step * 7) % 3));
            }
            read.extend(take(&ring, size));
            assert_eq!(read, (0..written).map(|n| n as f32).collect::<Vec<_>>());
            assert_eq!((ring.waiting(), ring.space()), (0, size));
        }
    }

    #[test]
    fn a_full_ring_takes_no_more() {
        let ring = Ring::new(3, 1);
        put(&ring, &[1.0, 2.0, 3.0]);
        put(&ring, &[4.0]);
        assert_eq!((ring.space(), take(&ring, 9)), (0, vec![1.0, 2.0, 3.0]));
    }

    #[test]
    fn a_writer_and_a_reader_at_once_lose_nothing() {
        let ring = Arc::new(Ring::new(7, 3));
        let total = if cfg!(miri) { 60 } else { 100_000 };
        let writer = std::thread::spawn({
            let ring = ring.clone();
            move || {
                let mut n = 0;
                while n < total {
                    let frames = ring.space().min(1 + n % 5).min(total - n);
                    let values: Vec<f32> = (3 * n..3 * (n + frames)).map(|value| value as f32).collect();
                    put(&ring, &values);
                    n += frames;
                    if frames == 0 {
                        std::thread::yield_now();
                    }
                }
            }
        });
        let mut next = 0;
        while next < 3 * total {
            let frames = take(&ring, 4);
            if frames.is_empty() {
                std::thread::yield_now();
            }
            for value in frames {
                assert_eq!(value, next as f32);
                next += 1;
            }
        }
        writer.join().unwrap();
    }

    /// Memory as JavaScript would have it.
    struct Foreign<T> {
        values: Vec<T>,
        indices: [i32; 2],
    }

    #[test]
    fn adopted_memory_is_read_in_place_in_both_widths() {
        let mut wide = Foreign { values: vec![0.25f64, -0.5, 1.0 / 3.0, 2.0], indices: [1, 0] };
        let mut narrow = Foreign { values: vec![0.25f32, -0.5, 0.1, 2.0], indices: [1, 0] };
        let adopt = |values, indices: &mut [i32; 2]| {
            let [write, read] = indices.each_mut().map(NonNull::from);
            // SAFETY: both vectors hold 2 × 2 values and outlive the rings.
            unsafe { Ring::adopt(Adopted { values, write, read }, 2, 2) }.unwrap()
        };
        let ring = adopt(Place::F64(NonNull::new(wide.values.as_mut_ptr()).unwrap()), &mut wide.indices);
        assert_eq!(take(&ring, 9), [0.25, -0.5]);
        ring.revoke();
        assert!(ring.enter().is_none());
        let ring = adopt(Place::F32(NonNull::new(narrow.values.as_mut_ptr()).unwrap()), &mut narrow.indices);
        assert_eq!(take(&ring, 9), [0.25, -0.5]);
        drop(ring);
        assert_eq!((wide.indices, narrow.indices), ([1, 1], [1, 1]), "the reader's index has moved");
    }

    #[test]
    fn hostile_indices_are_told_and_read_nothing() {
        let mut values = [0.0f32; 8];
        for indices in [[-1, 0], [0, -1], [8, 0], [0, 8], [i32::MIN, i32::MAX], [i32::MAX, 3], [7, i32::MIN]]
        {
            let [mut write, mut read] = indices;
            let memory = Adopted {
                values: Place::F32(NonNull::new(values.as_mut_ptr()).unwrap()),
                write: NonNull::from(&mut write),
                read: NonNull::from(&mut read),
            };
            // SAFETY: 8 values, two indices, all of which outlive the ring.
            let ring = unsafe { Ring::adopt(memory, 8, 1) }.unwrap();
            assert_eq!(ring.enter().unwrap().fill(), Fill::Hostile, "{indices:?}");
        }
        // SAFETY: refused before anything is read.
        let refused = |size, stride| unsafe {
            let memory = Adopted {
                values: Place::F32(NonNull::dangling()),
                write: NonNull::dangling(),
                read: NonNull::dangling(),
            };
            Ring::adopt(memory, size, stride).is_none()
        };
        assert!(refused(0, 1) && refused(1, 1) && refused(2, 0) && refused(usize::MAX, 2));
    }
}
