//! A lease on memory that belongs to somebody else: a `SharedArrayBuffer` that the audio thread reads in place.
//!
//! Its owner can take it away at any time (a worker that is terminated must), and when [`Lease::revoke`] returns, nobody
//! reads it or ever will again. The audio thread never waits: it enters, copies a few hundred values and leaves, or finds
//! the lease revoked. The owner waits, for as long as such a copy takes.

use std::sync::atomic::{AtomicU32, Ordering};

const READING: u32 = 1;
const REVOKED: u32 = 2;

/// See the module. One reader; any number of threads may revoke.
#[derive(Debug, Default)]
pub struct Lease(AtomicU32);

/// The memory may be read as long as this lives.
pub struct Entered<'a>(&'a Lease);

impl Lease {
    /// Permission to read, until dropped; `None` once it has been revoked.
    ///
    /// Thread: the reader's (audio). Wait-free: two instructions.
    pub fn enter(&self) -> Option<Entered<'_>> {
        // Acquire: what is read comes after this. The revoker that sees our bit waits for it to go.
        if self.0.fetch_or(READING, Ordering::AcqRel) & REVOKED == 0 {
            return Some(Entered(self));
        }
        self.0.fetch_and(!READING, Ordering::Release);
        None
    }

    /// Ends it. When this returns, nobody reads the memory any more.
    ///
    /// Thread: any but audio. Waits for a copy that is under way: microseconds.
    #[allow(clippy::disallowed_methods)] // Not the audio thread: RT-2 does not hold here.
    pub fn revoke(&self) {
        self.0.fetch_or(REVOKED, Ordering::AcqRel);
        let mut turns = 0u32;
        while self.0.load(Ordering::Acquire) & READING != 0 {
            turns += 1;
            if turns < 64 {
                std::hint::spin_loop();
            } else {
                // The reader may have been preempted, perhaps by us.
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        }
    }

    /// Whether it has been revoked.
    pub fn is_revoked(&self) -> bool {
        self.0.load(Ordering::Acquire) & REVOKED != 0
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // Release: what was read comes before this.
        self.0.0.fetch_and(!READING, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn a_revoked_lease_lets_nobody_in_and_stays_revoked() {
        let lease = Lease::default();
        assert!(lease.enter().is_some());
        assert!(lease.enter().is_some(), "the first has left");
        lease.revoke();
        assert!(lease.enter().is_none() && lease.enter().is_none());
        lease.revoke();
        assert!(lease.is_revoked());
    }

    #[test]
    fn revoking_waits_for_the_reader() {
        // The memory is "freed" by writing 0 after revoking: a reader that is inside must never see it.
        for _ in 0..if cfg!(miri) { 5 } else { 200 } {
            let lease = Arc::new(Lease::default());
            let memory = Arc::new(AtomicU64::new(1));
            let reader = std::thread::spawn({
                let (lease, memory) = (lease.clone(), memory.clone());
                move || {
                    let mut rounds = 0u64;
                    while let Some(inside) = lease.enter() {
                        for _ in 0..10 {
                            assert_eq!(memory.load(Ordering::Relaxed), 1, "read after it was revoked");
                        }
                        drop(inside);
                        rounds += 1;
                    }
                    rounds
                }
            });
            std::thread::yield_now();
            lease.revoke();
            memory.store(0, Ordering::Relaxed);
            reader.join().unwrap();
        }
    }
}
