//! Up to sixteen filters side by side, each in a lane of its own.
//!
//! For every chunk the engine clears the bank, gives each channel of each filtered voice a lane (`add`), its values
//! and the lines on which its coefficients run (`stretch`), calls `run`, and fetches values and state. The bank turns
//! planar values into vectors and back. A lane's bits depend on its own values, state and lines alone: not on its
//! number, its neighbours, or where chunks are cut (RT-6).
//!
//! Thread: audio, but for making one. No allocation after that.

use super::kernel::{self, Line, Lines, NONE, Row, Turn, Work};
use super::{Coefficients, TERMS};
use crate::dsp::variant::Variant;

/// Filters in a bank.
pub const LANES: usize = 16;
/// Most frames in one run.
pub const MAX_FRAMES: usize = 128;

/// What a filter remembers between frames: a voice keeps one for each channel.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct State {
    /// ic₁ and ic₂, Simper's equivalent currents.
    pub(super) integrators: [f32; 2],
}

/// A part of a lane's frames on which its filter stands still or runs in a straight line.
///
/// All five terms are `from + slope · n` with n the frame of the segment: a closed form, so that a segment cut in two
/// by the end of a chunk has the same bits as a whole one. Say the same segment twice then, with another `at`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Frames of this run that it covers, following those of the lane's stretch before it.
    pub frames: u32,
    /// At the segment's frame 0.
    pub from: Coefficients,
    /// At the segment's frame `length`, which is the first of the next segment.
    pub to: Coefficients,
    /// Frames of the whole segment, at least 1.
    pub length: u32,
    /// The segment's frame on which the stretch begins.
    pub at: u32,
}

impl Stretch {
    /// One that stands still.
    pub fn still(coefficients: Coefficients, frames: u32) -> Self {
        Self { frames, from: coefficients, to: coefficients, length: 1, at: 0 }
    }
}

/// What the bank knows of a lane besides its memory.
#[derive(Clone, Copy)]
struct Told {
    /// Frames for which it has lines.
    frames: usize,
    /// The latest of them.
    line: Line,
}

impl Told {
    const NOTHING: Self =
        Self { frames: 0, line: Line { origin: 0.0, from: Coefficients::OPEN.terms, slope: [0.0; TERMS] } };
}

/// Up to [`LANES`] filters that run together.
pub struct Bank {
    /// One that `is_available`: `new` and `with` are the only constructors.
    variant: Variant,
    work: Box<Work>,
    told: [Told; LANES],
    lanes: usize,
    turns: u16,
    /// After this frame all lanes stand still.
    moving: usize,
}

impl std::fmt::Debug for Bank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bank({:?}, {} lanes)", self.variant, self.lanes)
    }
}

impl Default for Bank {
    fn default() -> Self {
        Self::new()
    }
}

impl Bank {
    /// Where its work lies in memory: address and bytes.
    pub fn storage(&self) -> (*const u8, usize) {
        (std::ptr::from_ref(&*self.work).cast(), size_of::<Work>())
    }

    /// The fastest that this machine has, empty.
    ///
    /// Thread: control. Allocates some 120 KiB, of which a run touches what it is told.
    pub fn new() -> Self {
        Self::of(Variant::best())
    }

    /// One of given instructions, for comparisons; `None` where the machine doesn't have them.
    ///
    /// Thread: control, as [`Bank::new`].
    pub fn with(variant: Variant) -> Option<Self> {
        variant.is_available().then(|| Self::of(variant))
    }

    fn of(variant: Variant) -> Self {
        let work = Work {
            values: [[0.0; MAX_FRAMES]; LANES],
            frames: [Row::ZERO; MAX_FRAMES],
            state: [Row::ZERO; 2],
            lines: Lines { origin: Row::ZERO, from: [Row::ZERO; TERMS], slope: [Row::ZERO; TERMS] },
            heads: [NONE; MAX_FRAMES],
            turns: [Turn::NOTHING; LANES * MAX_FRAMES],
        };
        let told = [Told::NOTHING; LANES];
        Self { variant, work: Box::new(work), told, lanes: 0, turns: 0, moving: 0 }
    }

    /// Empties it for the next chunk.
    pub fn clear(&mut self) {
        self.lanes = 0;
        self.turns = 0;
        self.moving = 0;
        self.work.heads = [NONE; MAX_FRAMES];
    }

    /// Lanes taken.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Lanes still free.
    pub fn free(&self) -> usize {
        LANES - self.lanes
    }

    /// Takes a lane for a filter in this state and returns its number, 0, 1, 2 … in turn; `None` when all are taken.
    ///
    /// Its values are what an earlier run left there, and it lets everything through as long as it has no stretches.
    pub fn add(&mut self, state: State) -> Option<usize> {
        let lane = self.lanes;
        *self.told.get_mut(lane)? = Told::NOTHING;
        for (row, value) in self.work.state.iter_mut().zip(state.integrators) {
            *row.0.get_mut(lane)? = value;
        }
        self.lanes += 1;
        Some(lane)
    }

    /// A lane's values: what to filter before a run, what was filtered behind it. [`MAX_FRAMES`] of them; none for a
    /// lane that doesn't exist.
    pub fn values(&self, lane: usize) -> &[f32] {
        self.work.values.get(lane).map_or(&[], |values| values)
    }

    /// The same, to be written.
    pub fn values_mut(&mut self, lane: usize) -> &mut [f32] {
        self.work.values.get_mut(lane).map_or(&mut [], |values| values)
    }

    /// Those of a lane and of the next one, to be written: left and right of one voice.
    pub fn pair_mut(&mut self, lane: usize) -> [&mut [f32]; 2] {
        match self.work.values.get_mut(lane..) {
            Some([left, right, ..]) => [left, right],
            _ => [&mut [], &mut []],
        }
    }

    /// Says how a lane's filter runs on the frames behind those it has lines for. One that covers nothing is left out,
    /// as is what is beyond [`MAX_FRAMES`]; a lane whose stretches end early stands still where they ended.
    pub fn stretch(&mut self, lane: usize, stretch: &Stretch) {
        let over = 1.0 / stretch.length.max(1) as f32;
        let from = stretch.from.terms;
        let mut slope = [0.0; TERMS];
        for ((slope, from), to) in slope.iter_mut().zip(from).zip(stretch.to.terms) {
            *slope = (to - from) * over;
        }
        self.line(lane, stretch.frames as usize, stretch.at, from, slope);
    }

    fn line(&mut self, lane: usize, frames: usize, at: u32, from: [f32; TERMS], slope: [f32; TERMS]) {
        let Some(told) = self.told.get_mut(lane) else { return };
        let start = told.frames;
        let end = (start + frames).min(MAX_FRAMES);
        if start >= end {
            return;
        }
        told.frames = end;
        let still = slope == [0.0; TERMS];
        if still && start > 0 && told.line.slope == slope && told.line.from == from {
            return; // goes on as it is
        }
        let line = Line { origin: start as f32 - at as f32, from, slope };
        told.line = line;
        self.moving = self.moving.max(if still { start } else { end });
        if start == 0 {
            self.work.lines.put(lane, &line);
            return;
        }
        let index = self.turns;
        if let (Some(turn), Some(head)) =
            (self.work.turns.get_mut(usize::from(index)), self.work.heads.get_mut(start))
        {
            *turn = Turn { lane: lane as u16, next: *head, line };
            *head = index;
            self.turns = index + 1;
        }
    }

    /// Filters the first `frames` values of all lanes that were added; at most [`MAX_FRAMES`].
    ///
    /// Returns how many states were no finite numbers any more and have been reset: a filter that was fed NaN or
    /// infinity is silent from the next run on, not for ever. What it gave in this run is not finite.
    pub fn run(&mut self, frames: usize) -> u32 {
        let frames = frames.min(MAX_FRAMES);
        for lane in 0..self.lanes {
            self.complete(lane, frames);
        }
        self.dispatch(frames);
        let mut reset = 0;
        for lane in 0..self.lanes {
            let [ic1, ic2] = &mut self.work.state;
            if let (Some(ic1), Some(ic2)) = (ic1.0.get_mut(lane), ic2.0.get_mut(lane))
                && !(ic1.is_finite() && ic2.is_finite())
            {
                (*ic1, *ic2) = (0.0, 0.0);
                reset += 1;
            }
        }
        reset
    }

    /// Where a lane's lines end before the run does, it stands still.
    fn complete(&mut self, lane: usize, frames: usize) {
        let Some(told) = self.told.get(lane).copied().filter(|told| told.frames < frames) else { return };
        let Line { origin, mut from, slope } = told.line;
        let n = told.frames as f32 - origin;
        from.iter_mut().zip(slope).for_each(|(from, slope)| *from += slope * n);
        self.line(lane, frames - told.frames, 0, from, [0.0; TERMS]);
    }

    fn dispatch(&mut self, frames: usize) {
        let (work, lanes, moving) = (&mut *self.work, self.lanes, self.moving);
        match self.variant {
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2 => {
                // SAFETY: a bank of this variant is only made where AVX2 and FMA were detected (`new`, `with`).
                unsafe { super::x86::avx2::run(work, lanes, moving, frames) }
            }
            #[cfg(target_arch = "x86_64")]
            Variant::Quad => {
                // SAFETY: SSE2 is part of x86-64: no processor that runs this is without.
                unsafe { super::x86::quad::run(work, lanes, moving, frames) }
            }
            #[cfg(target_arch = "aarch64")]
            Variant::Quad => {
                // SAFETY: NEON is part of aarch64: no processor that runs this is without.
                unsafe { super::neon::quad::run(work, lanes, moving, frames) }
            }
            _ => kernel::scalar::run(work, lanes, moving, frames),
        }
    }

    /// A lane's state behind the last run, to be kept in the voice.
    pub fn state(&self, lane: usize) -> State {
        let [ic1, ic2] = &self.work.state;
        State { integrators: [ic1, ic2].map(|row| row.0.get(lane).copied().unwrap_or(0.0)) }
    }
}
