//! Where an engine's memory lies, for whoever keeps it from being paged out. Addresses only: nothing is read.

use super::Engine;

/// One piece of memory that an engine allocated when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    /// Whether it is a large table of which little is used at a time, rather than what every block touches.
    pub is_queue: bool,
    /// Where it begins.
    pub start: *const u8,
    /// How long it is.
    pub bytes: usize,
}

impl Storage {
    /// A value that every block touches.
    pub fn of<T: ?Sized>(value: &T) -> Self {
        Self { is_queue: false, start: std::ptr::from_ref(value).cast(), bytes: size_of_val(value) }
    }

    /// All that a vector has room for.
    pub fn of_vec<T>(vec: &Vec<T>) -> Self {
        let bytes = vec.capacity().saturating_mul(size_of::<T>());
        Self { is_queue: false, start: vec.as_ptr().cast(), bytes }
    }

    /// The same, as a table of which little is used at a time.
    pub fn queue(self) -> Self {
        Self { is_queue: true, ..self }
    }
}

impl Engine {
    /// Every larger piece; the engine itself, too, so ask when it lies where it will stay.
    ///
    /// Thread: control. Allocates.
    pub fn storage(&self) -> Vec<Storage> {
        let mut all = vec![Storage::of(self), Storage::of(&*self.counters), Storage::of(&*self.scratch)];
        all.extend([Storage::of_vec(&self.lanes), Storage::of_vec(&self.samplers)]);
        for lane in self.lanes.iter().flatten() {
            let (start, bytes) = lane.storage();
            all.extend([Storage::of(&**lane), Storage { is_queue: true, start, bytes }]);
        }
        all.extend(self.voices.storage());
        all.extend(self.filtered.storage());
        all.extend(self.instruments.storage());
        all.push(self.sources.storage());
        all.extend(self.scheduler.storage());
        let (start, bytes) = self.outbox.storage();
        all.push(Storage { is_queue: true, start, bytes });
        all
    }
}
