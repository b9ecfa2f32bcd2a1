//! The filter's arithmetic, written once over vectors of any width, and the memory it works on.
//!
//! `kernel!` makes a module of it for a set of instructions. All of them do the same operations in the same order for
//! every lane; where there is an FMA, a product and its sum are rounded once.

use super::TERMS;
use super::bank::{LANES, MAX_FRAMES};

/// One value of every lane. A cache line, so that no vector straddles two.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Row(pub [f32; LANES]);

impl Row {
    pub const ZERO: Self = Self([0.0; LANES]);
}

/// On what the terms of a lane run: each is from + slope · (frame − origin).
#[derive(Clone, Copy)]
pub struct Line {
    /// The frame, counted in the chunk, at which the segment began; negative if that was before.
    pub origin: f32,
    pub from: [f32; TERMS],
    pub slope: [f32; TERMS],
}

/// The same of every lane.
pub struct Lines {
    pub origin: Row,
    pub from: [Row; TERMS],
    pub slope: [Row; TERMS],
}

impl Lines {
    /// Of one lane.
    pub fn put(&mut self, lane: usize, line: &Line) {
        let put = |row: &mut Row, value: f32| {
            if let Some(place) = row.0.get_mut(lane) {
                *place = value;
            }
        };
        put(&mut self.origin, line.origin);
        self.from.iter_mut().zip(line.from).for_each(|(row, value)| put(row, value));
        self.slope.iter_mut().zip(line.slope).for_each(|(row, value)| put(row, value));
    }
}

/// A lane takes up another straight line.
#[derive(Clone, Copy)]
pub struct Turn {
    pub lane: u16,
    /// Next turn on the same frame, or [`NONE`].
    pub next: u16,
    pub line: Line,
}

impl Turn {
    /// Nothing, in a place not used yet.
    pub const NOTHING: Self =
        Self { lane: 0, next: NONE, line: Line { origin: 0.0, from: [0.0; TERMS], slope: [0.0; TERMS] } };
}

/// End of a chain of turns.
pub const NONE: u16 = u16::MAX;

/// What a bank works on.
pub struct Work {
    /// In and out, planar: lane by lane.
    pub values: [[f32; MAX_FRAMES]; LANES],
    /// The same, frame by frame.
    pub frames: [Row; MAX_FRAMES],
    /// ic₁ and ic₂.
    pub state: [Row; 2],
    /// The [`Line`] of each lane.
    pub lines: Lines,
    /// First turn of each frame.
    pub heads: [u16; MAX_FRAMES],
    pub turns: [Turn; LANES * MAX_FRAMES],
}

/// Takes up the lines that begin on a frame: a macro, since a function would be called, and each call would put the
/// filters' state back into memory.
///
/// In whole vectors: a load that follows the store of a part of it waits until that is in the cache, and all that was
/// computed ahead waits with it (0.3 ns a lane and frame).
macro_rules! turn {
    ($work:ident, $frame:expr) => {
        let mut next = $work.heads.get($frame).copied().unwrap_or(NONE);
        while let Some(turn) = $work.turns.get(usize::from(next)) {
            let group = usize::from(turn.lane) / WIDTH;
            let mask = v::mask(usize::from(turn.lane) - group * WIDTH);
            let Lines { origin, from, slope } = &mut $work.lines;
            let new_origin = v::select(mask, v::splat(turn.line.origin), get(origin, group));
            let (mut new_from, mut new_slope) = ([new_origin; TERMS], [new_origin; TERMS]);
            for ((new, row), value) in new_from.iter_mut().zip(from.iter()).zip(turn.line.from) {
                *new = v::select(mask, v::splat(value), get(row, group));
            }
            for ((new, row), value) in new_slope.iter_mut().zip(slope.iter()).zip(turn.line.slope) {
                *new = v::select(mask, v::splat(value), get(row, group));
            }
            // Without it the compiler makes masked stores of this, which are slow on AMD.
            compiler_fence(Ordering::SeqCst);
            put(origin, group, new_origin);
            from.iter_mut().zip(new_from).for_each(|(row, new)| put(row, group, new));
            slope.iter_mut().zip(new_slope).for_each(|(row, new)| put(row, group, new));
            next = turn.next;
        }
    };
}

pub(super) use turn;

/// Makes the functions of one set of instructions: `v`, a module where it is expanded, has the vectors; `$vectors` are
/// the numbers of them that may run side by side, the last of them all sixteen lanes.
macro_rules! kernel {
    ($($feature:literal)?, $($vectors:literal)+) => {
        use v::{Vector, WIDTH};
        use crate::dsp::filter::TERMS;
        use crate::dsp::filter::kernel::{Lines, NONE, Row, Work};
        use std::sync::atomic::{Ordering, compiler_fence};

        $(#[target_feature(enable = $feature)])?
        #[inline]
        fn get(row: &Row, group: usize) -> Vector {
            match row.0.as_chunks::<WIDTH>().0.get(group) {
                Some(values) => v::load(values),
                None => v::splat(0.0),
            }
        }

        $(#[target_feature(enable = $feature)])?
        #[inline]
        fn put(row: &mut Row, group: usize, value: Vector) {
            if let Some(values) = row.0.as_chunks_mut::<WIDTH>().0.get_mut(group) {
                v::store(values, value);
            }
        }

        /// a₁, a₂, a₃, m₀, m₁, m₂ on a frame. For moving and still lanes alike: that is why they have the same bits.
        $(#[target_feature(enable = $feature)])?
        #[inline]
        fn coefficients(work: &Work, group: usize, frame: f32) -> [Vector; 6] {
            let Lines { origin, from, slope } = &work.lines;
            let n = v::sub(v::splat(frame), get(origin, group));
            let mut terms = [n; TERMS];
            for ((term, from), slope) in terms.iter_mut().zip(from).zip(slope) {
                *term = v::mul_add(get(slope, group), n, get(from, group));
            }
            let [g, k, m0, m1, m2] = terms;
            let one = v::splat(1.0);
            let a1 = v::div(one, v::mul_add(g, v::add(g, k), one));
            let a2 = v::mul(g, a1);
            [a1, a2, v::mul(g, a2), m0, m1, m2]
        }

        /// One frame: Simper's recurrence. What hangs on the newest state is added last.
        $(#[target_feature(enable = $feature)])?
        #[inline]
        fn step([a1, a2, a3, m0, m1, m2]: [Vector; 6], v0: Vector, ic1: &mut Vector, ic2: &mut Vector) -> Vector {
            let v3 = v::sub(v0, *ic2);
            let v1 = v::mul_add(a2, v3, v::mul(a1, *ic1));
            let v2 = v::mul_add(a3, v3, v::mul_add(a2, *ic1, *ic2));
            *ic1 = v::sub(v::add(v1, v1), *ic1);
            *ic2 = v::sub(v::add(v2, v2), *ic2);
            v::mul_add(m2, v2, v::mul_add(m1, v1, v::mul(m0, v0)))
        }

        /// Runs the first `lanes` lanes over `frames` frames; after the first `moving` of them all stand still.
        $(#[target_feature(enable = $feature)])?
        pub fn run(work: &mut Work, lanes: usize, moving: usize, frames: usize) {
            let vectors = lanes.div_ceil(WIDTH);
            $(
                if vectors <= $vectors {
                    return run_vectors::<$vectors>(work, moving, frames);
                }
            )+
        }

        $(#[target_feature(enable = $feature)])?
        fn run_vectors<const VECTORS: usize>(work: &mut Work, moving: usize, frames: usize) {
            enter(work, VECTORS, frames);
            let zero = v::splat(0.0);
            let (mut ic1, mut ic2) = ([zero; VECTORS], [zero; VECTORS]);
            let [row1, row2] = &work.state;
            for (group, (ic1, ic2)) in ic1.iter_mut().zip(&mut ic2).enumerate() {
                (*ic1, *ic2) = (get(row1, group), get(row2, group));
            }
            for frame in 0..moving.min(frames) {
                crate::dsp::filter::kernel::turn!(work, frame);
                for (group, (ic1, ic2)) in ic1.iter_mut().zip(&mut ic2).enumerate() {
                    let coefficients = coefficients(work, group, frame as f32);
                    if let Some(row) = work.frames.get_mut(frame) {
                        let out = step(coefficients, get(row, group), ic1, ic2);
                        put(row, group, out);
                    }
                }
            }
            if moving < frames {
                crate::dsp::filter::kernel::turn!(work, moving);
                let mut still = [[zero; 6]; VECTORS];
                for (group, still) in still.iter_mut().enumerate() {
                    *still = coefficients(work, group, moving as f32);
                }
                for row in work.frames.get_mut(moving..frames).unwrap_or(&mut []) {
                    for (group, (still, (ic1, ic2))) in
                        still.iter().zip(ic1.iter_mut().zip(&mut ic2)).enumerate()
                    {
                        let out = step(*still, get(row, group), ic1, ic2);
                        put(row, group, out);
                    }
                }
            }
            let [row1, row2] = &mut work.state;
            for (group, (ic1, ic2)) in ic1.into_iter().zip(ic2).enumerate() {
                put(row1, group, ic1);
                put(row2, group, ic2);
            }
            leave(work, VECTORS, frames);
        }

        /// From lane by lane to frame by frame; whole squares, so beyond `frames` there is what was left there.
        $(#[target_feature(enable = $feature)])?
        fn enter(work: &mut Work, vectors: usize, frames: usize) {
            let (lanes, _) = work.values.as_chunks::<WIDTH>();
            let (squares, _) = work.frames.as_chunks_mut::<WIDTH>();
            for (group, lanes) in lanes.iter().take(vectors).enumerate() {
                for (square, rows) in squares.iter_mut().take(frames.div_ceil(WIDTH)).enumerate() {
                    let mut values = [v::splat(0.0); WIDTH];
                    for (value, lane) in values.iter_mut().zip(lanes) {
                        if let Some(from) = lane.as_chunks::<WIDTH>().0.get(square) {
                            *value = v::load(from);
                        }
                    }
                    for (row, value) in rows.iter_mut().zip(v::transposed(values)) {
                        put(row, group, value);
                    }
                }
            }
        }

        /// And back.
        $(#[target_feature(enable = $feature)])?
        fn leave(work: &mut Work, vectors: usize, frames: usize) {
            let (lanes, _) = work.values.as_chunks_mut::<WIDTH>();
            let (squares, _) = work.frames.as_chunks::<WIDTH>();
            for (group, lanes) in lanes.iter_mut().take(vectors).enumerate() {
                for (square, rows) in squares.iter().take(frames.div_ceil(WIDTH)).enumerate() {
                    let mut values = [v::splat(0.0); WIDTH];
                    for (value, row) in values.iter_mut().zip(rows) {
                        *value = get(row, group);
                    }
                    for (lane, value) in lanes.iter_mut().zip(v::transposed(values)) {
                        if let Some(to) = lane.as_chunks_mut::<WIDTH>().0.get_mut(square) {
                            v::store(to, value);
                        }
                    }
                }
            }
        }
    };
}
pub(super) use kernel;

/// Plain Rust, the reference: vectors of one.
pub mod scalar {
    mod one {
        pub type Vector = f32;
        pub const WIDTH: usize = 1;

        pub fn splat(a: f32) -> f32 {
            a
        }
        pub fn load([a]: &[f32; 1]) -> f32 {
            *a
        }
        pub fn store([to]: &mut [f32; 1], a: f32) {
            *to = a;
        }
        pub fn add(a: f32, b: f32) -> f32 {
            a + b
        }
        pub fn sub(a: f32, b: f32) -> f32 {
            a - b
        }
        pub fn mul(a: f32, b: f32) -> f32 {
            a * b
        }
        pub fn div(a: f32, b: f32) -> f32 {
            a / b
        }
        /// a·b + c, rounded twice: without the instruction, rounding once is a call into the maths library.
        pub fn mul_add(a: f32, b: f32, c: f32) -> f32 {
            a * b + c
        }
        pub fn mask(_lane: usize) {}
        pub fn select(_mask: (), new: f32, _old: f32) -> f32 {
            new
        }
        pub fn transposed(square: [f32; 1]) -> [f32; 1] {
            square
        }
    }

    use one as v;
    super::kernel!(, 1 2 4 8 16);
}
