//! Guards around the audio thread's work: no allocation (RT-1), no denormals (RT-8).
//!
//! [`Guard::enter`] is called once a block. In unit tests and under the feature `rt-check` it arms an allocator that
//! counts what this thread allocates or frees until the guard is dropped, and dropping it panics if there was
//! anything: so every test that renders is a test of RT-1, in debug and release. In a shipped build only the
//! flush-to-zero part remains.

/// Armed while the audio thread renders one block.
#[must_use]
pub struct Guard {
    _denormals: FlushToZero,
    #[cfg(any(test, feature = "rt-check"))]
    _allocations: counting::Armed,
}

impl Guard {
    /// Forbids allocation and flushes denormals to zero, on this thread, until dropped.
    pub fn enter() -> Self {
        Self {
            _denormals: FlushToZero::enter(),
            #[cfg(any(test, feature = "rt-check"))]
            _allocations: counting::Armed::new(),
        }
    }
}

/// Sets the processor's flush-to-zero and denormals-are-zero bits and restores what was there before: an offline
/// render runs on a JavaScript thread, whose arithmetic must not change.
///
/// Denormal operands cost 100 to 200 cycles each on x86-64; a reverb tail that decays into them overloads a block.
/// Source: Intel SDM vol. 1, section 10.2.3 (MXCSR); Arm ARM, FPCR.FZ.
struct FlushToZero {
    #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
    before: u64,
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
impl FlushToZero {
    const FTZ_AND_DAZ: u64 = 0x8040;

    fn read() -> u64 {
        let mut mxcsr: u32 = 0;
        // SAFETY: stmxcsr writes 32 bits to the address of a live, aligned u32 and touches nothing else.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        u64::from(mxcsr)
    }

    fn write(value: u64) {
        let mxcsr = value as u32;
        // SAFETY: ldmxcsr reads 32 bits from a live, aligned u32. The value is one that stmxcsr gave, with only
        // FTZ and DAZ changed, so no reserved bit is set (that would fault). Every caller restores it before
        // control leaves the engine; in between only our own arithmetic runs, which expects it.
        unsafe {
            std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, preserves_flags, readonly))
        };
    }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
impl FlushToZero {
    const FTZ_AND_DAZ: u64 = 1 << 24;

    fn read() -> u64 {
        let fpcr: u64;
        // SAFETY: reads a register that user mode may read.
        unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) fpcr, options(nomem, nostack, preserves_flags)) };
        fpcr
    }

    fn write(value: u64) {
        // SAFETY: writes a register that user mode may write, with a value read from it and only FZ changed.
        unsafe { std::arch::asm!("msr fpcr, {}", in(reg) value, options(nomem, nostack, preserves_flags)) };
    }
}

#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
impl FlushToZero {
    fn enter() -> Self {
        let before = Self::read();
        Self::write(before | Self::FTZ_AND_DAZ);
        Self { before }
    }
}

#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
impl Drop for FlushToZero {
    fn drop(&mut self) {
        Self::write(self.before);
    }
}

#[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
impl FlushToZero {
    fn enter() -> Self {
        Self {}
    }
}

#[cfg(any(test, feature = "rt-check"))]
mod counting {
    //! The counting allocator and its thread-local switch.

    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        static ARMED: Cell<bool> = const { Cell::new(false) };
        static VIOLATIONS: Cell<u32> = const { Cell::new(0) };
    }

    struct Counting;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    fn note() {
        // try_with: threads allocate while their thread-locals are being torn down, too.
        let _ = ARMED.try_with(|armed| {
            if armed.get() {
                let _ = VIOLATIONS.try_with(|v| v.set(v.get() + 1));
            }
        });
    }

    // SAFETY: every call is passed on to the system allocator unchanged; counting touches only `const`-initialised
    // thread-locals of Copy values, which neither allocate nor run destructors.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            note();
            // SAFETY: the caller's contract is the system allocator's.
            unsafe { System.alloc(layout) }
        }
        unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
            note();
            // SAFETY: the caller's contract is the system allocator's.
            unsafe { System.dealloc(ptr, layout) }
        }
        unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            note();
            // SAFETY: the caller's contract is the system allocator's.
            unsafe { System.realloc(ptr, layout, new_size) }
        }
    }

    pub struct Armed {
        before: u32,
    }

    impl Armed {
        pub fn new() -> Self {
            ARMED.with(|armed| armed.set(true));
            Self { before: VIOLATIONS.with(Cell::get) }
        }
    }

    impl Drop for Armed {
        fn drop(&mut self) {
            ARMED.with(|armed| armed.set(false));
            let count = VIOLATIONS.with(Cell::get) - self.before;
            if !std::thread::panicking() {
                assert_eq!(count, 0, "RT-1: {count} allocations or frees on the audio thread");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "RT-1: 1 allocations or frees")]
    fn an_allocation_under_the_guard_is_caught() {
        let guard = Guard::enter();
        std::mem::forget(std::hint::black_box(Box::new(1u64)));
        drop(guard);
    }

    #[test]
    #[should_panic(expected = "RT-1: 1 allocations or frees")]
    fn a_free_under_the_guard_is_caught() {
        let garbage = std::hint::black_box(Box::new(1u64));
        let guard = Guard::enter();
        drop(garbage);
        drop(guard);
    }

    #[test]
    #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
    fn denormals_are_zero_under_the_guard_and_come_back_after_it() {
        let tiny = std::hint::black_box(f32::MIN_POSITIVE);
        let half = std::hint::black_box(0.5f32);
        assert!(tiny * half > 0.0);
        let guard = Guard::enter();
        assert_eq!(std::hint::black_box(tiny) * std::hint::black_box(half), 0.0);
        drop(guard);
        assert!(std::hint::black_box(tiny) * std::hint::black_box(half) > 0.0);
    }
}
