//! Memory of ours that must not be swapped out or paged in while the audio thread uses it: locked with mlock,
//! as much as the system allows, what matters most first.
//!
//! `mlockall`, which audio programs of their own call, is out of the question in somebody else's process: Node
//! aborts under it (V8 reserves address space that it never means to fill), Bun commits gigabytes. So each
//! piece is locked by itself. An ordinary user may lock 8 MiB (RLIMIT_MEMLOCK) in a process, no more than a
//! good engine and the heads of a hundred samples: every piece has a [`Rank`], and one of a better rank displaces
//! those of lesser ones. Of a piece that does not fit, the beginning is locked.
//!
//! The kernel locks whole pages and does not count: unlocking one of two neighbours on the same page unlocks
//! the page. This file counts, so all locking of the process's audio memory goes through it. Where the limit is
//! higher than half of the machine's memory, that half is the limit: a library of samples must not push
//! everything else out.
//!
//! Threads: any but the audio thread (a lock and system calls). Source: mlock(2), madvise(2), getrlimit(2).

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a piece of memory is, from what matters most to what matters least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// What every block touches: voices, buses, counters.
    Engine,
    /// What carries notes to the engine.
    Lane,
    /// The beginnings of samples: what a note needs at once.
    Head,
    /// Large tables of which little is used at a time.
    Queue,
    /// The rest of samples.
    Body,
}

/// Locked until dropped. Drop it before the memory is freed: freed pages that stay with the allocator would count
/// against the limit for good.
#[derive(Debug)]
#[must_use]
pub struct Locked(u64);

#[derive(Debug, Clone, Copy)]
struct Area {
    id: u64,
    rank: Rank,
    /// Addresses, multiples of the page size.
    first: usize,
    end: usize,
}

struct Registry {
    areas: Vec<Area>,
    next: u64,
    /// Sum of the areas' sizes. Pages that two of them share are in it twice.
    sum: usize,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { areas: Vec::new(), next: 1, sum: 0 });

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the pages of a piece exist, so that their first use costs the audio thread nothing. Contents stay. On
/// kernels before 5.14 it does nothing, and only what is locked exists beforehand.
pub fn touch_memory(start: *const u8, bytes: usize) {
    let (first, end) = pages(start, bytes);
    if first < end {
        sys::populate(first, end);
    }
}

/// Touches a piece of memory and locks it, or as much of its beginning as is allowed. Never fails: what came of
/// it is in [`locked_bytes`].
///
/// The memory is not looked at: `start` and `bytes` only say which pages.
pub fn lock_memory(rank: Rank, start: *const u8, bytes: usize) -> Locked {
    touch_memory(start, bytes);
    let (first, end) = pages(start, bytes);
    let mut registry = registry();
    let id = registry.next;
    registry.next += 1;
    let end = registry.lock(rank, first, end);
    if end > first {
        registry.sum += end - first;
        registry.areas.push(Area { id, rank, first, end });
    }
    Locked(id)
}

/// Bytes that are locked by way of this file, in whole pages, each counted once.
pub fn locked_bytes() -> u64 {
    registry().bytes()
}

impl Drop for Locked {
    fn drop(&mut self) {
        let mut registry = registry();
        if let Some(at) = registry.areas.iter().position(|area| area.id == self.0) {
            registry.remove(at);
        }
    }
}

impl Registry {
    /// Locks what it can of these pages; gives the end of it.
    fn lock(&mut self, rank: Rank, first: usize, end: usize) -> usize {
        let room = (sys::memory_bytes() / 2).saturating_sub(self.sum as u64) as usize;
        let end = end.min(first.saturating_add(room / sys::page() * sys::page()));
        if first >= end {
            return first;
        }
        while !self.try_lock(first, end) {
            // The least of all that matter less gives way.
            let least = self.areas.iter().enumerate().filter(|(_, area)| area.rank > rank);
            let Some((at, _)) = least.max_by_key(|(_, area)| area.rank) else {
                return self.lock_beginning(first, end);
            };
            self.remove(at);
        }
        end
    }

    fn try_lock(&self, first: usize, end: usize) -> bool {
        let locked = sys::lock(first, end);
        if !locked {
            // The kernel does not say how much of it was done before it failed.
            self.unlock(first, end);
        }
        locked
    }

    /// Locks as much as the limit leaves, which others in the process may have used, too.
    fn lock_beginning(&self, first: usize, end: usize) -> usize {
        let mut pages = (end - first) / sys::page();
        if let Some(room) = sys::room_bytes() {
            pages = pages.min(room / sys::page());
        }
        // The room is a guess: what is locked already costs nothing once more. Halving finds some of it.
        while pages > 0 {
            let end = first + pages * sys::page();
            if self.try_lock(first, end) {
                return end;
            }
            pages /= 2;
        }
        first
    }

    fn remove(&mut self, at: usize) {
        let area = self.areas.swap_remove(at);
        self.sum -= area.end - area.first;
        self.unlock(area.first, area.end);
    }

    /// Unlocks pages that no area has.
    fn unlock(&self, mut first: usize, mut end: usize) {
        let page = sys::page();
        let is_shared = |page: usize| self.areas.iter().any(|other| other.first <= page && page < other.end);
        // Only the pages at the edges can belong to somebody else as well.
        while first < end && is_shared(first) {
            first += page;
        }
        while first < end && is_shared(end - page) {
            end -= page;
        }
        if first < end {
            sys::unlock(first, end);
        }
    }

    fn bytes(&self) -> u64 {
        let mut areas: Vec<(usize, usize)> = self.areas.iter().map(|area| (area.first, area.end)).collect();
        areas.sort_unstable();
        let (mut sum, mut seen) = (0, 0);
        for (first, end) in areas {
            let first = first.max(seen);
            sum += end.saturating_sub(first) as u64;
            seen = seen.max(end);
        }
        sum
    }
}

/// The pages that a piece touches.
fn pages(start: *const u8, bytes: usize) -> (usize, usize) {
    let page = sys::page();
    let start = start.addr();
    if bytes == 0 {
        return (start, start);
    }
    (start / page * page, start.saturating_add(bytes).next_multiple_of(page))
}

#[cfg(target_os = "linux")]
mod sys {
    use std::sync::OnceLock;

    pub fn page() -> usize {
        static PAGE: OnceLock<usize> = OnceLock::new();
        // SAFETY: takes a number and cannot fail for this one.
        *PAGE.get_or_init(|| usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096))
    }

    pub fn memory_bytes() -> u64 {
        // SAFETY: takes a number.
        let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
        u64::try_from(pages).unwrap_or(0) * page() as u64
    }

    pub fn populate(first: usize, end: usize) {
        // Linux 5.14; the libc crate has it for some targets only.
        const MADV_POPULATE_WRITE: libc::c_int = 23;
        // SAFETY: this advice changes no content; on pages that are not ours to write it is an error.
        unsafe { libc::madvise(std::ptr::without_provenance_mut(first), end - first, MADV_POPULATE_WRITE) };
    }

    pub fn lock(first: usize, end: usize) -> bool {
        // SAFETY: locking changes no content; addresses without pages are an error.
        unsafe { libc::mlock(std::ptr::without_provenance(first), end - first) == 0 }
    }

    pub fn unlock(first: usize, end: usize) {
        // SAFETY: as above.
        unsafe { libc::munlock(std::ptr::without_provenance(first), end - first) };
    }

    /// What RLIMIT_MEMLOCK leaves of itself, if that can be told.
    #[allow(clippy::unnecessary_cast)] // rlim_t has 32 bits on some targets
    pub fn room_bytes() -> Option<usize> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `limit` is a live, writable rlimit.
        unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) };
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmLck:"))?;
        let used: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
        usize::try_from((limit.rlim_cur as u64).saturating_sub(used * 1024)).ok()
    }
}

/// Elsewhere nothing is locked, and nothing is claimed.
#[cfg(not(target_os = "linux"))]
mod sys {
    pub fn page() -> usize {
        4096
    }

    pub fn memory_bytes() -> u64 {
        0
    }

    pub fn populate(_: usize, _: usize) {}

    pub fn lock(_: usize, _: usize) -> bool {
        false
    }

    pub fn unlock(_: usize, _: usize) {}

    pub fn room_bytes() -> Option<usize> {
        None
    }
}
