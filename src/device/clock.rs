//! The device that needs no hardware: an audio thread paced by the monotonic clock.
//!
//! Frame n is due at start + n ÷ rate, computed from n each time, so nothing drifts however late single
//! wake-ups are: a late block is rendered at once and the next deadlines stand. A thread that is behind by
//! more than [`MAX_BEHIND_NS`] (the machine slept) does not race through what was missed; it starts a new
//! grid and counts an xrun. What is rendered is thrown away: the frames are the engine's business.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use super::{
    adapt::Shape,
    callback::{Callback, Drive},
    time::{frames_to_ns, now_ns, sleep_until},
};

/// Hz, where nobody asks for another.
pub(crate) const DEFAULT_RATE: u32 = 48_000;
/// Frames. Below it the thread would mostly be busy waking up; above it `close` is the only one to mind.
pub(crate) const BUFFER_RANGE: (u32, u32) = (8, 1 << 17);
/// Beyond this the grid is not caught up with but started anew.
const MAX_BEHIND_NS: u64 = 1_000_000_000;
/// Longest single sleep, so that `close` is heard within it.
const MAX_NAP_NS: u64 = 50_000_000;

/// Frames per block for a request.
pub(crate) fn clamp_buffer(frames: u32) -> u32 {
    frames.clamp(BUFFER_RANGE.0, BUFFER_RANGE.1)
}

/// The running thread. Dropping it stops and joins.
pub(crate) struct Clock {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    /// Starts the thread. `since`: where on the wall clock the first block begins, in place of a device that
    /// was there until then. Errors: the system has no thread to spare.
    pub fn start(
        mut callback: Callback,
        drive: Arc<Drive>,
        shape: Shape,
        block_frames: u32,
        since: Option<u64>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let mut out = vec![0.0f32; block_frames as usize * usize::from(shape.channels)];
        let mut grid = Grid::new(shape.rate, u64::from(block_frames));
        let thread = std::thread::Builder::new().name("ictus-clock".to_owned()).spawn(move || {
            match since {
                Some(since) => grid.take_over(since, now_ns()),
                None => grid.start(now_ns()),
            }
            while !stopped.load(Ordering::Acquire) {
                let now = now_ns();
                let due = grid.due();
                if now < due {
                    sleep_until(due.min(now + MAX_NAP_NS));
                    continue;
                }
                if grid.was_missed(now) && drive.is_active() {
                    drive.shared.xrun(now, shape.rate, Some(now - due));
                }
                let due = grid.due(); // a new grid has a new deadline
                callback.run(&mut out, block_frames as usize, Some(due));
                grid.advance();
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Lets the thread run out by itself: for a render closure that never returns.
    pub fn abandon(mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.take();
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

/// The deadlines, as arithmetic.
#[derive(Debug)]
struct Grid {
    rate: u32,
    block: u64,
    block_ns: u64,
    origin_ns: u64,
    frame: u64,
    late: bool,
}

impl Grid {
    fn new(rate: u32, block: u64) -> Self {
        Self { rate, block, block_ns: frames_to_ns(block, rate), origin_ns: 0, frame: 0, late: false }
    }

    fn start(&mut self, now_ns: u64) {
        self.origin_ns = now_ns;
        self.frame = 0;
    }

    /// Begins where another driver ended, in the past: what was missed is caught up with, if it is not too
    /// much, and is no xrun of this one.
    fn take_over(&mut self, since_ns: u64, now_ns: u64) {
        let behind = now_ns.saturating_sub(since_ns);
        self.start(if behind > MAX_BEHIND_NS { now_ns } else { since_ns });
        self.late = true;
    }

    /// When the next block is due.
    fn due(&self) -> u64 {
        self.origin_ns + frames_to_ns(self.frame, self.rate)
    }

    /// Whether a stretch of missed deadlines begins here: the block is late by more than its length. One
    /// stall is one xrun, as with a device, however many blocks are caught up after it.
    fn was_missed(&mut self, now_ns: u64) -> bool {
        let behind = now_ns.saturating_sub(self.due());
        if behind > MAX_BEHIND_NS {
            self.start(now_ns);
            self.late = false;
            return true;
        }
        let late = behind > self.block_ns;
        let begins = late && !self.late;
        self.late = late;
        begins
    }

    fn advance(&mut self) {
        self.frame += self.block;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_closed_form_and_do_not_drift() {
        let mut grid = Grid::new(44_100, 128);
        grid.start(1_000);
        for n in 0..100_000u64 {
            assert_eq!(grid.due(), 1_000 + n * 128 * 1_000_000_000 / 44_100);
            grid.advance();
        }
    }

    #[test]
    fn one_stall_is_one_xrun_and_the_grid_stands() {
        let mut grid = Grid::new(48_000, 480); // 10 ms
        grid.start(0);
        let mut xruns = 0;
        let mut now = 0;
        for n in 0..100u64 {
            // Rendered at once or when due, whichever is later; block 50 is woken 45 ms late.
            now = now.max(n * 10_000_000) + if n == 50 { 45_000_000 } else { 0 };
            xruns += u32::from(grid.was_missed(now));
            now += 1_000_000; // catching up takes 1 ms per block
            grid.advance();
        }
        assert_eq!(xruns, 1);
        assert_eq!(grid.due(), 1_000_000_000);
    }

    #[test]
    fn a_block_late_by_less_than_its_length_is_no_xrun() {
        let mut grid = Grid::new(48_000, 480);
        grid.start(0);
        assert!(!grid.was_missed(10_000_000));
        assert!(grid.was_missed(10_000_001));
    }

    #[test]
    fn a_machine_that_slept_gets_a_new_grid_and_one_xrun() {
        let mut grid = Grid::new(48_000, 480);
        grid.start(0);
        grid.advance();
        let woke = 10_000_000 + MAX_BEHIND_NS + 1;
        assert!(grid.was_missed(woke));
        assert_eq!(grid.due(), woke);
        assert!(!grid.was_missed(woke));
    }

    #[test]
    fn what_was_missed_before_it_took_over_is_caught_up_with_and_is_no_xrun() {
        let mut grid = Grid::new(48_000, 480);
        grid.take_over(5_000_000_000, 5_035_000_000);
        let mut blocks = 0;
        while grid.due() <= 5_035_000_000 {
            assert!(!grid.was_missed(5_035_000_000));
            grid.advance();
            blocks += 1;
        }
        assert_eq!(blocks, 4, "at 0, 10, 20 and 30 ms");
        grid.take_over(5_000_000_000, 9_000_000_000);
        assert_eq!(grid.due(), 9_000_000_000, "four seconds are too much");
    }
}
