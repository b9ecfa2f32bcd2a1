//! Voices with filters, many at once: what they read goes through the lanes of one bank and then to their buses.
//!
//! A voice needs a lane for each channel of its recording; voices with several filters go through the bank again for
//! each. What a voice sounds like depends on neither its lane nor its neighbours (`dsp::filter`), and buses are added to
//! in the order in which the voices started, so groups leave no trace in the bits (RT-6).

use super::MAX_CHUNK;
use super::sends::SendLines;
use super::storage::Storage;
use super::tone::{FILTERS, Line, Tone};
use super::voice::Stretch;
use super::voices::Slot;
use crate::dsp::filter::{self, Bank, LANES, State};
use crate::dsp::interpolate::Kernel;

/// A stretch of one voice that waits for its filters.
#[derive(Clone, Copy)]
struct Waiting {
    member: usize,
    at: usize,
    count: usize,
    first: u32,
    gain: [f32; 2],
    slope: [f32; 2],
    lines: [Option<Line>; FILTERS],
    sends: Option<SendLines>,
}

/// One voice of the group.
#[derive(Clone, Copy)]
struct Member {
    slot: Slot,
    /// Its first lane, and how many it has.
    lane: usize,
    channels: usize,
    filters: usize,
    states: [[State; 2]; FILTERS],
}

/// A group of voices whose filters run together.
pub struct Filtered {
    bank: Bank,
    members: Vec<Member>,
    lanes: usize,
    waiting: Vec<Waiting>,
}

/// What comes out: a stretch of one side's values to be added to a bus, with the line of its gain.
pub struct Filtrate<'a> {
    pub slot: Slot,
    pub side: usize,
    pub at: usize,
    pub values: &'a [f32],
    pub gain: f32,
    pub slope: f32,
    pub first: u32,
    pub sends: Option<&'a SendLines>,
}

impl Filtered {
    /// An empty group. Thread: control; allocates.
    pub fn new() -> Self {
        Self {
            bank: Bank::new(),
            members: Vec::with_capacity(LANES),
            lanes: 0,
            // A segment has at least one frame.
            waiting: Vec::with_capacity(LANES * MAX_CHUNK),
        }
    }

    /// Where it lies in memory.
    pub fn storage(&self) -> [Storage; 3] {
        let (start, bytes) = self.bank.storage();
        let work = Storage { is_queue: false, start, bytes };
        [work, Storage::of_vec(&self.members), Storage::of_vec(&self.waiting)]
    }

    /// Whether a voice of so many channels fits in.
    pub fn has_room(&self, channels: usize) -> bool {
        self.lanes + channels <= LANES
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Takes a voice in; its stretches follow.
    pub fn join(&mut self, slot: Slot, channels: usize, tone: &Tone) {
        if self.members.len() < self.members.capacity() {
            let member =
                Member { slot, lane: self.lanes, channels, filters: tone.count(), states: tone.states };
            self.members.push(member);
            self.lanes += channels;
        }
    }

    /// Takes a stretch of the voice that joined last.
    pub fn take(&mut self, tone: &Tone, stretch: Stretch) {
        let Some(member) = self.members.last() else { return };
        let count = stretch.left.len();
        let range = stretch.at..stretch.at + count;
        for (lane, values) in (member.lane..member.lane + member.channels).zip([stretch.left, stretch.right])
        {
            if let Some(lane) = self.bank.values_mut(lane).get_mut(range.clone()) {
                lane.copy_from_slice(values);
            }
        }
        if self.waiting.len() < self.waiting.capacity() {
            self.waiting.push(Waiting {
                member: self.members.len() - 1,
                at: stretch.at,
                count,
                first: stretch.first,
                gain: stretch.gain,
                slope: stretch.slope,
                lines: std::array::from_fn(|at| tone.line(at)),
                sends: stretch.sends.copied(),
            });
        }
    }

    /// Filters everything and empties the group: hands out each voice's stretches, in order, and then its states.
    ///
    /// Returns how many states were not finite and have been reset.
    pub fn run(
        &mut self,
        frames: usize,
        mut put: impl FnMut(Filtrate),
        mut keep: impl FnMut(Slot, &[[State; 2]; FILTERS]),
    ) -> u32 {
        let passes = self.members.iter().map(|member| member.filters).max().unwrap_or(0);
        let mut reset = 0;
        for pass in 0..passes {
            self.bank.clear();
            for member in &self.members {
                let states = member.states.get(pass).copied().unwrap_or_default();
                for state in states.into_iter().take(member.channels) {
                    self.bank.add(state);
                }
            }
            for waiting in &self.waiting {
                let Some(member) = self.members.get(waiting.member) else { continue };
                let Some(line) = waiting.lines.get(pass).copied().flatten() else { continue };
                let stretch = filter::Stretch {
                    frames: waiting.count as u32,
                    from: line.from,
                    to: line.to,
                    length: line.length,
                    at: waiting.first,
                };
                for lane in member.lane..member.lane + member.channels {
                    self.bank.stretch(lane, &stretch);
                }
            }
            reset += self.bank.run(frames);
            for member in self.members.iter_mut().filter(|member| pass < member.filters) {
                let Some(states) = member.states.get_mut(pass) else { continue };
                for (state, lane) in states.iter_mut().zip(member.lane..member.lane + member.channels) {
                    *state = self.bank.state(lane);
                }
            }
        }
        for waiting in &self.waiting {
            let Some(member) = self.members.get(waiting.member) else { continue };
            for side in 0..2 {
                // A mono recording sounds on both sides.
                let lane = member.lane + side.min(member.channels - 1);
                let values = self.bank.values(lane).get(waiting.at..waiting.at + waiting.count);
                let line = waiting.gain.get(side).zip(waiting.slope.get(side));
                if let (Some(values), Some((gain, slope))) = (values, line) {
                    let (gain, slope) = (*gain, *slope);
                    let Waiting { at, first, .. } = *waiting;
                    let sends = waiting.sends.as_ref();
                    put(Filtrate { slot: member.slot, side, at, values, gain, slope, first, sends });
                }
            }
        }
        for member in &self.members {
            keep(member.slot, &member.states);
        }
        self.members.clear();
        self.waiting.clear();
        self.lanes = 0;
        reset
    }
}

/// Adds to one side of a bus; returns what was added last.
pub fn add(kernel: &Kernel, bus: &mut [f32], filtrate: &Filtrate) -> Option<f32> {
    let Filtrate { at, values, gain, slope, first, .. } = *filtrate;
    kernel.add_line(bus.get_mut(at..at + values.len())?, values, gain, slope, first)
}
